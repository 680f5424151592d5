"""Set-up: what it says when it cannot go on, and that it can be interrupted anywhere."""

import os
import shutil
import subprocess
import sys
from types import SimpleNamespace

import pytest

from coursebuild import bootstrap
from tests.conftest import ROOT


@pytest.fixture
def clone(tmp_path):
    """The files that set-up reads, in a folder with a space in its name."""
    root = tmp_path / "a clone"
    (root / "coursebuild").mkdir(parents=True)
    (root / "dlcourse").mkdir()
    for name in ("Makefile", "constraints.txt", "pyproject.toml", "dlcourse/pyproject.toml", "coursebuild/bootstrap.py"):
        shutil.copy(ROOT / name, root / name)
    return root


@pytest.fixture
def here(clone, monkeypatch):
    """The bootstrap module, at work in the clone."""
    monkeypatch.setattr(bootstrap, "ROOT", clone)
    paths = {"VENV": ".venv", "STAMP": ".venv/ready", "INSTALLING": ".venv/installing", "LOG": "build/setup.log"}
    for name, path in paths.items():
        monkeypatch.setattr(bootstrap, name, clone / path)
    monkeypatch.setattr(bootstrap.venv_python, "__defaults__", (clone / ".venv",))
    monkeypatch.setattr(bootstrap.make_venv, "__defaults__", (clone / ".venv",))
    (clone / "build").mkdir()
    return clone


def make(clone, *words, **environment):
    return subprocess.run(
        ["make", "-C", clone, *words], capture_output=True, text=True, env={**os.environ, **environment}, timeout=300
    )


def test_make_alone_prints_help(clone):
    done = make(clone)
    assert done.returncode == 0
    for target in ("lab", "test", "build", "publish", "bench", "clean"):
        assert f"make {target} " in done.stdout
    assert not (clone / ".venv").exists()


def test_a_missing_python_is_named(clone):
    done = make(clone, "test", "PYTHON=python9.99")
    assert done.returncode != 0
    assert "No 'python9.99' here. Install Python 3.11 or newer" in done.stderr


def test_an_old_python_is_refused_with_a_way_out(clone):
    old = clone / "python-of-old"
    old.write_text(
        f'#!/bin/sh\n[ "$1" = -V ] && echo Python 3.7.1 && exit\nexec "{sys.executable}" -c "import sys; sys.exit(1)"\n'
    )
    old.chmod(0o755)
    done = make(clone, "lab", f"PYTHON={old}")
    assert done.returncode != 0
    assert "is Python 3.7.1, and the course needs Python 3.11 or newer" in done.stderr
    assert "make PYTHON=python3.12 lab" in done.stderr


def test_an_index_that_cannot_be_reached_is_explained(clone):
    """A real pip against a closed port of this machine."""
    nowhere = {"PIP_INDEX_URL": "http://127.0.0.1:9/simple", "PIP_RETRIES": "1", "PIP_CONFIG_FILE": os.devnull}
    nowhere |= {"PIP_EXTRA_INDEX_URL": "", "PIP_FIND_LINKS": "", "PIP_TIMEOUT": "2"}
    done = make(clone, "setup", f"PYTHON={sys.executable}", **nowhere)
    assert done.returncode != 0
    assert "The package index could not be reached" in done.stderr
    assert "TORCH_INDEX" in done.stderr
    assert (clone / "build" / "setup.log").exists()
    assert not (clone / ".venv" / "ready").exists()


def test_a_full_disk_is_noticed_before_anything_is_made(here, monkeypatch, capsys):
    monkeypatch.setattr(bootstrap.shutil, "disk_usage", lambda path: SimpleNamespace(free=3e8))
    monkeypatch.setattr(sys, "argv", ["bootstrap"])
    assert bootstrap.main() == 1
    assert "0.3 GB are free" in capsys.readouterr().err
    assert not (here / ".venv").exists()


@pytest.mark.parametrize(
    ("log", "says"),
    [
        ("ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device", "The disk filled up"),
        ("WARNING: Retrying ... NewConnectionError('...: Failed to establish a new connection')", "could not be reached"),
        ("ERROR: No matching distribution found for torch==2.13.0", "has no such version"),
        ("something else", "pip failed"),
    ],
)
def test_what_pip_says_is_explained(log, says):
    assert says in bootstrap.explain(log)


def test_a_folder_that_is_no_environment_is_left_alone(here):
    (here / ".venv").mkdir()
    (here / ".venv" / "notes.txt").write_text("mine")
    with pytest.raises(bootstrap.SetupError, match="is not a virtual environment"):
        bootstrap.make_venv()
    assert (here / ".venv" / "notes.txt").read_text() == "mine"


def test_set_up_goes_on_after_an_interruption_at_each_step(here, monkeypatch):
    """The steps are replaced by light ones that stop where told; the real ones run in every fresh clone."""
    done = []

    def step(name):
        def run(*args, **kwargs):
            if stop_at == name:
                raise KeyboardInterrupt
            done.append(name)

        return run

    monkeypatch.setattr(bootstrap, "install", step("install"))
    monkeypatch.setattr(bootstrap, "settle_jupyter", step("settle"))
    for step_name in ("install", "settle"):
        stop_at = step_name
        with pytest.raises(KeyboardInterrupt):
            bootstrap.set_up()
        assert not bootstrap.is_ready()
    (here / ".venv" / "bin" / "python").unlink()  # as if making the environment had been interrupted
    stop_at = None
    bootstrap.set_up()
    assert bootstrap.is_ready() and done[-2:] == ["install", "settle"]

    done.clear()
    bootstrap.set_up()
    assert done == [], "ready means nothing to do"
    (here / "constraints.txt").write_text("numpy==9.9\n")
    bootstrap.set_up()
    assert done == ["install", "settle"], "other versions, other environment"


def test_an_environment_that_a_killed_pip_left_is_made_anew(here, monkeypatch):
    """A half-written package can make pip itself fail, so such an environment is not built upon."""
    bootstrap.make_venv()
    keep = here / ".venv" / "lib" / "kept.txt"
    keep.touch()
    bootstrap.make_venv()
    assert keep.exists(), "a whole environment is kept"

    pip = bootstrap.subprocess.Popen
    monkeypatch.setattr(bootstrap.subprocess, "Popen", lambda *args, **kwargs: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        bootstrap.pip_install("anything", venv=here / ".venv", log=here / "build" / "setup.log")
    monkeypatch.setattr(bootstrap.subprocess, "Popen", pip)
    bootstrap.make_venv()
    assert not keep.exists()
    with pytest.raises(bootstrap.SetupError):
        bootstrap.pip_install("--no-index", "surely-no-such-package", venv=here / ".venv", log=here / "build" / "setup.log")
    assert not bootstrap.INSTALLING.exists(), "pip that fails by itself leaves the environment whole"


def test_two_set_ups_do_not_run_at_once(here):
    script = (
        "import sys, time; sys.path.insert(0, sys.argv[1])\n"
        "from coursebuild import bootstrap\nfrom pathlib import Path\n"
        "bootstrap.ROOT = Path(sys.argv[2])\n"
        "def say(word): open(sys.argv[3], 'a').write(word + ' ')\n"
        "with bootstrap.one_at_a_time():\n say('in'); time.sleep(0.5); say('out')\n"
    )
    command = [sys.executable, "-c", script, str(ROOT), str(here), str(here / "said")]
    both = [subprocess.Popen(command) for _ in range(2)]
    assert [process.wait(timeout=30) for process in both] == [0, 0]
    assert (here / "said").read_text().split() == ["in", "out", "in", "out"]
