"""Set-up: what it says, that it can be interrupted anywhere, and that it writes into .venv alone."""

import contextlib
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from types import SimpleNamespace
from venv import EnvBuilder

import pytest

from coursebuild import bootstrap
from tests import small_course
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
    paths = {"VENV": ".venv", "STAMP": ".venv/ready", "LOG": "build/setup.log"}
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


def a_python(path, *lines):
    """A command that stands for Python, and does what the lines of shell say."""
    path.write_text("\n".join(["#!/bin/sh", *lines, ""]))
    path.chmod(0o755)
    return path


def test_an_old_python_is_refused_with_a_way_out(clone):
    old = a_python(clone / "python-of-old", "echo 3.7.1", "exit 1")
    done = make(clone, "lab", f"PYTHON={old}")
    assert done.returncode != 0
    assert "is Python 3.7.1, and the course needs Python 3.11 or newer" in done.stderr
    assert "make PYTHON=python3.12 lab" in done.stderr


def test_a_command_that_only_looks_like_python_is_named(clone):
    """As pyenv's shims do, for a version that is installed and not switched on."""
    shim = a_python(clone / "python2", 'echo "pyenv: python2: command not found" >&2', "exit 127")
    done = make(clone, "lab", f"PYTHON={shim}")
    assert done.returncode != 0
    assert "is here and does not run as Python" in done.stderr
    assert "make PYTHON=/path/to/python3.12 lab" in done.stderr
    assert "command not found" not in done.stderr


def test_an_index_that_cannot_be_reached_is_explained(clone):
    """A real pip against a closed port of this machine."""
    nowhere = {"PIP_INDEX_URL": "http://127.0.0.1:9/simple", "PIP_RETRIES": "1", "PIP_CONFIG_FILE": os.devnull}
    nowhere |= {"PIP_EXTRA_INDEX_URL": "", "PIP_FIND_LINKS": "", "PIP_TIMEOUT": "2", "TORCH_INDEX": ""}
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
        ("ERROR: No matching distribution found for torch==2.13.0", "gave no such version"),
        (
            "ERROR: ResolutionImpossible: for help visit https://pip.pypa.io/en/latest/topics/dependency-resolution/",
            "gave no such version",
        ),
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


def test_a_file_in_the_place_of_the_environment_is_left_alone(here):
    (here / ".venv").write_text("mine")
    with pytest.raises(bootstrap.SetupError, match="is not a folder"):
        bootstrap.make_venv()
    assert (here / ".venv").read_text() == "mine"


def test_the_environment_may_lie_on_another_disk(here, monkeypatch):
    monkeypatch.setattr(bootstrap, "run_inside", lambda venv, *words: (0, ""))
    (here / "large disk").mkdir()
    (here / ".venv").symlink_to(here / "large disk")
    bootstrap.make_venv()
    assert (here / "large disk" / "bin" / "python").exists() and (here / ".venv").is_symlink()


def test_set_up_goes_on_after_an_interruption_at_each_step(here, monkeypatch):
    """The steps are replaced by light ones that stop where told; the real ones are killed at random below."""
    done = []

    def step(name):
        def run(*args, **kwargs):
            if stop_at == name:
                raise KeyboardInterrupt
            done.append(name)

        return run

    monkeypatch.setattr(bootstrap, "run_inside", lambda venv, *words: (0, ""))
    monkeypatch.setattr(bootstrap, "install", step("install"))
    monkeypatch.setattr(bootstrap, "settle_jupyter", step("settle"))
    for step_name in ("install", "settle"):
        stop_at = step_name
        with pytest.raises(KeyboardInterrupt):
            bootstrap.set_up()
        assert not bootstrap.is_ready(bootstrap.made_from())
    stop_at = None
    bootstrap.set_up()
    assert bootstrap.is_ready(bootstrap.made_from()) and done[-2:] == ["install", "settle"]

    done.clear()
    bootstrap.set_up()
    assert done == [], "ready means nothing to do"
    (here / "constraints.txt").write_text("numpy==9.9\n")
    bootstrap.set_up()
    assert done == ["install", "settle"], "other versions, other environment"


def test_an_environment_that_was_left_half_made_is_made_anew(here, monkeypatch):
    """Each state in which a kill can leave .venv while it is made, emptied or written to."""
    venv = here / ".venv"
    pipped = []

    def run_inside(venv, *words, **how):
        pipped.append(words[0])
        return 0, ""

    monkeypatch.setattr(bootstrap, "run_inside", run_inside)
    monkeypatch.setattr(bootstrap, "works", lambda venv: (venv / "lib" / "whole").exists())
    venv.mkdir()
    bootstrap.make_venv()
    assert pipped == ["ensurepip"] and (venv / "pyvenv.cfg").exists(), "an empty folder is nobody's"
    (venv / "lib" / "whole").touch()
    bootstrap.make_venv()
    assert len(pipped) == 1 and (venv / "lib" / "whole").exists(), "a whole environment is kept"

    states = {
        "pip was writing": [],
        "its pyvenv.cfg is gone": ["pyvenv.cfg"],
        "its interpreter is gone": ["bin"],
        "it was emptied": ["bin", "lib", "lib64", "include", "pyvenv.cfg"],
    }
    for number, (state, gone) in enumerate(states.items(), 2):
        (venv / bootstrap.UNFINISHED).touch()
        for name in gone:
            path = venv / name
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink(missing_ok=True)
        bootstrap.make_venv()
        assert len(pipped) == number, state
        assert (venv / "pyvenv.cfg").exists() and (venv / "bin" / "python").exists(), state
        assert not (venv / "lib" / "whole").exists(), state
        (venv / "lib" / "whole").touch()


def test_a_half_made_environment_is_marked_at_each_moment(here, monkeypatch):
    """Looked at before each change to a file: these are the states in which a kill can leave it."""
    venv = here / ".venv"
    seen = []
    recording = False

    def look(event, args):
        if recording and event in ("open", "os.remove", "os.rmdir", "os.mkdir", "os.symlink"):
            names = {path.name for path in venv.iterdir()} if venv.exists() else set()
            seen.append((names, os.path.lexists(venv / "bin" / "python")))

    monkeypatch.setattr(bootstrap, "run_inside", lambda venv, *words: (0, ""))
    sys.addaudithook(look)  # it stays as long as this process lives
    for _ in ("made", "emptied and made"):
        recording = True
        try:
            bootstrap.make_venv()
        finally:
            recording = False
    assert len(seen) > 50
    for names, has_python in seen:
        assert bootstrap.UNFINISHED in names or not names or {"bin", "lib", "pyvenv.cfg"} <= names
        assert "pyvenv.cfg" in names or not has_python, "without it, bin/python is the base interpreter"


def with_pip_that(venv, does):
    """An environment whose pip does this line of Python, and nothing else."""
    EnvBuilder(symlinks=True).create(venv)
    pip = venv / "lib" / f"python{sys.version_info[0]}.{sys.version_info[1]}" / "site-packages" / "pip"
    pip.mkdir()
    (pip / "__init__.py").touch()
    (pip / "__main__.py").write_text(f"import os, time\n{does}\n")


@pytest.mark.parametrize(
    ("does", "says", "whole"),
    [
        ("raise SystemExit(1)", "pip failed", True),
        ("print('No space left on device'); raise SystemExit(1)", "The disk filled up", False),
        ("os.kill(os.getpid(), 9)", "pip was ended by signal 9", False),
    ],
)
def test_only_a_pip_that_ended_by_itself_leaves_the_environment_whole(here, does, says, whole):
    """Half a package can make pip itself fail, so an environment with one is not built upon."""
    with_pip_that(here / ".venv", does)
    with pytest.raises(bootstrap.SetupError, match=says):
        bootstrap.pip_install("anything", venv=here / ".venv", log=here / "build" / "setup.log")
    assert (here / ".venv" / bootstrap.UNFINISHED).exists() == (not whole)


def test_pip_is_run_by_the_environments_own_interpreter_alone(here):
    venv = here / ".venv"
    with_pip_that(venv, "print('pip ran')")
    assert bootstrap.works(venv)
    assert bootstrap.run_inside(venv, "pip", "install") == (0, "pip ran\n")
    (venv / "pyvenv.cfg").unlink()  # from here on bin/python is the base interpreter, which has pip, too
    assert not bootstrap.works(venv)
    with pytest.raises(bootstrap.SetupError, match="s own interpreter") as refused:
        bootstrap.run_inside(venv, "pip", "--version")
    assert sys.base_prefix in str(refused.value)


def test_an_interrupt_ends_pip_before_the_lock_is_free(here):
    with_pip_that(here / ".venv", "print(os.getpid(), flush=True); time.sleep(600)")
    pids = []

    def interrupt(line):
        pids.append(int(line))
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), bootstrap.one_at_a_time():
        bootstrap.run_inside(here / ".venv", "pip", show=interrupt)
    with pytest.raises(ProcessLookupError):
        os.kill(pids[0], 0)


def work_in(here, does):
    """A process that does these lines as set-up of the clone."""
    lines = [
        "import sys; sys.path.insert(0, sys.argv[1])",
        "from pathlib import Path; from coursebuild import bootstrap",
        "bootstrap.ROOT = here = Path(sys.argv[2])",
        *does,
    ]
    return subprocess.Popen([sys.executable, "-c", "\n".join(lines), ROOT, here], stdout=subprocess.PIPE, text=True)


@contextlib.contextmanager
def set_up_killed_while_pip(here, does):
    """A set-up's pip does this line; the set-up is killed once that has come to SLEEPS. Yields the number of what sleeps."""
    with_pip_that(here / ".venv", f"import sys, subprocess; {does}")
    lines = [
        "with bootstrap.one_at_a_time():",
        "  bootstrap.run_inside(here / '.venv', 'pip', show=lambda line: print(line, flush=True))",
    ]
    with work_in(here, lines) as process:
        pid = int(process.stdout.readline())
        process.kill()
    try:
        yield pid
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


SLEEPS = "[sys.executable, '-c', 'import os, time; print(os.getpid(), flush=True); time.sleep(600)']"
NEXT = ["with bootstrap.one_at_a_time(): print('mine', flush=True)"]


def test_what_a_killed_set_up_has_started_ends_with_it(here):
    with set_up_killed_while_pip(here, f"subprocess.run({SLEEPS})"), work_in(here, NEXT) as following:
        assert following.communicate(timeout=60)[0].endswith("mine\n")


def test_the_next_set_up_waits_for_what_could_not_be_ended(here):
    """After exec, nothing in the process watches for the end of the set-up any more."""
    with set_up_killed_while_pip(here, f"os.execv(sys.executable, {SLEEPS})") as pid, work_in(here, NEXT) as following:
        assert "waiting for it" in following.stdout.readline()
        os.kill(pid, signal.SIGKILL)
        assert following.communicate(timeout=60)[0] == "mine\n"


def test_two_set_ups_do_not_run_at_once(here):
    lines = [
        "def say(word): (here / 'said').open('a').write(word + ' ')",
        "import time",
        "with bootstrap.one_at_a_time(): say('in'); time.sleep(0.5); say('out')",
    ]
    both = [work_in(here, lines) for _ in range(2)]
    for process in both:
        process.communicate(timeout=30)
        assert process.returncode == 0
    assert (here / "said").read_text().split() == ["in", "out", "in", "out"]


def test_only_what_pip_reads_makes_an_environment_stale(here):
    path = here / "pyproject.toml"
    before = bootstrap.made_from()
    text = path.read_text()
    for old, new in [
        ("your_organisation", "our_college"),
        ("line-length = 128", "line-length = 100"),
        ("# What instr", "# Who instr"),
    ]:
        assert old in text
        path.write_text(text.replace(old, new))
        assert bootstrap.made_from() == before
    for old, new in [
        ('"rich>=13"', '"rich>=14"'),
        ('"ruff>=0.8"', '"ruff>=0.9"'),
        ('autograder = "autograder.__main__:main"', 'grade = "autograder.__main__:main"'),
        ('packages = ["autograder", "coursebuild"]', 'packages = ["autograder"]'),
        ("hatchling>=1.25", "hatchling>=1.26"),
    ]:
        assert old in text
        path.write_text(text.replace(old, new, 1))
        changed = bootstrap.made_from()
        assert [name for name in before if changed[name] != before[name]] == ["pyproject.toml"]
    path.write_text(text + "[")
    with pytest.raises(bootstrap.SetupError, match=r"pyproject\.toml is not valid TOML"):
        bootstrap.made_from()


@pytest.fixture(scope="module")
def cpu_index(tmp_path_factory):
    """An index as PyTorch's: its own build of torch, and another version of what torch requires than constraints.txt pins."""
    wheels = [("torch", "2.5+cpu", ["filelock"]), ("filelock", "2.0")]
    return small_course.write_index(tmp_path_factory.mktemp("cpu"), wheels)


@pytest.fixture(scope="module")
def ready(tmp_path_factory, cpu_index):
    """A small course that was set up with TORCH_INDEX; what set-up said; and its base before that."""
    course = small_course.SmallCourse(tmp_path_factory.mktemp("small").resolve())
    before = course.base.state()
    status, said = course.set_up(TORCH_INDEX=cpu_index)
    assert status == 0, said
    return SimpleNamespace(course=course, said=said, base_before=before)


@pytest.fixture
def pins(ready):
    """constraints.txt of that course, as it was again afterwards."""
    path = ready.course.root / "constraints.txt"
    before = path.read_text()
    yield path
    path.write_text(before)


def test_torch_comes_from_its_index_and_what_it_requires_from_the_ordinary_one(ready):
    wanted = {*small_course.PROJECTS, *small_course.PINS, "torch==2.5+cpu"} - {"torch==2.5", "nvidia-cuda==12.0"}
    assert ready.course.installed() == wanted
    assert ready.course.base.state() == ready.base_before
    assert not ready.course.base.pip_ran.exists()
    assert (ready.course.venv / "share" / "jupyter" / "kernels" / "python3" / "kernel.json").exists()


def test_set_up_says_what_it_does(ready, pins):
    assert ready.course.set_up()[0] == 0
    assert "Installing the course's packages; the first time takes some minutes." in ready.said
    pyproject = ready.course.root / "pyproject.toml"
    pyproject.write_text(pyproject.read_text().replace("example.org", "example.edu"))
    assert ready.course.set_up() == (0, ""), "an address is no requirement"
    pins.write_text(pins.read_text() + "unused==1.0\n")
    status, said = ready.course.set_up()
    assert status == 0
    assert "Bringing .venv up to date, because of a change in: constraints.txt." in said
    assert "first time" not in said
    assert "torch==2.5+cpu" in ready.course.installed(), "pip leaves a torch alone that fits the pin"


@pytest.mark.parametrize(
    ("index", "says"),
    [
        ("http://me:secret@127.0.0.1:9/cpu", "TORCH_INDEX, http://****@127.0.0.1:9/cpu, could not be reached"),
        ("cpu_index", "gave no torch 2.6 for Python"),
        ("file:///no/such/folder", "gave no torch 2.6 for Python"),
    ],
)
def test_a_torch_index_that_has_no_torch_is_explained(ready, pins, cpu_index, index, says):
    pins.write_text(pins.read_text().replace("torch==2.5", "torch==2.6"))
    index = cpu_index if index == "cpu_index" else index
    status, said = ready.course.set_up(TORCH_INDEX=index, PIP_RETRIES="1")
    assert status == 1
    assert says in said
    assert "leave TORCH_INDEX out" in said
    assert "ResolutionImpossible" not in said
    assert "secret" not in said + (ready.course.root / "build" / "setup.log").read_text()


def test_a_python_that_cannot_make_environments_is_named(tmp_path):
    """As Debian's without python3-venv."""
    course = small_course.SmallCourse(tmp_path.resolve())
    (link,) = course.base.folder.glob("lib/python3*/ensurepip")
    link.unlink()
    status, said = course.set_up()
    assert status == 1
    assert f"{course.base.python} cannot make virtual environments with pip" in said
    assert "apt install python3-venv" in said


@pytest.mark.slow
def test_set_up_that_is_killed_at_random_moments_writes_into_venv_alone(tmp_path):
    """Twenty kills, one right after the other: of set-up, of what it runs, or of both. Then it comes to its end."""
    course = small_course.SmallCourse(tmp_path.resolve())
    untouched = course.base.state()
    start = time.monotonic()
    status, said = course.set_up()
    whole = time.monotonic() - start
    assert status == 0, said
    installed = course.installed()

    rng = random.Random(0)
    killed, started = [], []
    while len(killed) < 20:
        with (course.root / "constraints.txt").open("a") as pins:
            pins.write("# newer\n")
        victim = rng.choice(["set-up", "set-up", "child", "both"])
        process = course.start()
        started.append(process)
        try:
            process.wait(timeout=whole * rng.random() ** 2)  # early moments more often: there .venv is emptied and made
            continue  # it was done before the moment came
        except subprocess.TimeoutExpired:
            below = small_course.children(process.pid) if victim != "set-up" else []
        if victim != "child" or not below:
            below.append(process.pid)
        for pid in below:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        killed.append(victim)
        assert not course.base.pip_ran.exists(), f"the base interpreter ran pip after {killed}"
        assert course.base.state() == untouched, f"something was written into the base installation after {killed}"
    for process in started:
        process.communicate(timeout=300)

    status, said = course.set_up()
    assert status == 0, said
    assert course.installed() == installed
    assert course.base.state() == untouched
    assert not course.base.pip_ran.exists()
