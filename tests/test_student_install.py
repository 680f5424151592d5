"""What a student meets: one notebook in an empty folder, on an image with its own versions, with the course's wheel and nothing else."""

import functools
import hashlib
import http.server
import json
import os
import re
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from coursebuild import build, lectures, publish, text
from coursebuild.execute import NotebookError, execute
from tests.conftest import ROOT

COLAB = ROOT / "tests" / "colab.txt"
LECTURES = sorted((ROOT / "lectures" / "src").glob("*.py"))


def pip(python: Path, *words: str) -> str:
    done = subprocess.run([python, "-m", "pip", *words], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="session")
def colab_python():
    """The interpreter of an environment like Colab's, made once for a list of versions and kept under build/."""
    torch = re.search(r"^torch==\S+$", (ROOT / "constraints.txt").read_text(), re.M)[0]
    key = hashlib.sha256(COLAB.read_bytes() + torch.encode() + sys.version.encode()).hexdigest()[:12]
    venv = ROOT / "build" / "envs" / f"colab-{key}"
    python = venv / "bin" / "python"
    if not (venv / "ready").exists():
        shutil.rmtree(venv, ignore_errors=True)
        subprocess.run([sys.executable, "-m", "venv", venv], check=True)
        index = ["--index-url", os.environ["TORCH_INDEX"]] if os.environ.get("TORCH_INDEX") else []
        pip(python, "install", "-q", *index, torch)
        pip(python, "install", "-q", "-r", str(COLAB))
        (venv / "ready").touch()
    return python


@pytest.fixture(scope="session")
def published(settings, tmp_path_factory):
    """Serves the wheel at the path that the notebooks name, on this machine; every other path is not found."""
    folder = tmp_path_factory.mktemp("public")
    wheels = folder / "raw" / settings.public_branch / "dist"
    wheels.mkdir(parents=True)
    publish.build_wheel(settings, wheels)
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=folder)
    handler.log_message = lambda *args: None
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield settings.at(f"http://127.0.0.1:{server.server_port}")
    server.shutdown()


@pytest.fixture
def colab(colab_python, tmp_path, monkeypatch):
    """A kernel of the Colab-like environment, without dlcourse, and with no package index to fall back on."""
    pip(colab_python, "uninstall", "-q", "-y", "dlcourse")
    spec = tmp_path / "jupyter" / "kernels" / "colab"
    spec.mkdir(parents=True)
    argv = [str(colab_python), "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    (spec / "kernel.json").write_text(json.dumps({"argv": argv, "display_name": "Colab-like", "language": "python"}))
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path / "jupyter"))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_FIND_LINKS", "")
    return colab_python


def freeze(python: Path) -> set[str]:
    return set(pip(python, "freeze", "--all").splitlines())


def lecture_notebook(source: Path, settings, folder: Path) -> Path:
    """The lecture as it is published at these settings, alone in a folder."""
    course = lectures.read_lectures(settings)
    [lecture] = [lecture for lecture in course if lecture.path == source]
    folder.mkdir()
    path = folder / lecture.notebook_name
    path.write_text(text.dumps(text.notebook(lectures.cells_of(lecture, course, settings))))
    return path


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("source", LECTURES, ids=lambda path: path.stem)
def test_a_lecture_alone_runs_on_colab_and_adds_dlcourse_only(source, colab, published, tmp_path):
    path = lecture_notebook(source, published, tmp_path / "empty folder")
    assert [p.name for p in path.parent.iterdir()] == [path.name]
    before = freeze(colab)
    execute(path, kernel="colab")
    after = freeze(colab)
    assert before - after == set()
    assert [line.split("==")[0].split(" @ ")[0] for line in after - before] == ["dlcourse"]
    execute(path, kernel="colab")  # the second time finds everything in place


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_a_homework_alone_is_checked_and_exported_on_colab(course, colab, published, tmp_path):
    """Its answer is written, then all cells are run, the export too; only dlcourse is added to what is there."""
    course = course.at(published.public_url)
    build.build(course)
    path = tmp_path / "empty folder" / "copy of homework.ipynb"
    path.parent.mkdir()
    text = (course.root / "homework" / "hw0_sample" / "hw0_sample.ipynb").read_text()
    stub = r"raise NotImplementedError(\"q1: softmax() is yours to write\")"
    assert stub in text
    path.write_text(text.replace(stub, "return np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)"))
    before = freeze(colab)
    run = execute(path, kernel="colab")
    assert {line.split(" @ ")[0] for line in freeze(colab) - before} == {"dlcourse"}
    shown = "\n".join(
        output.data["text/plain"] for cell in run.notebook.cells for output in cell.get("outputs", []) if "data" in output
    )
    assert "2 of 2 public tests passed; 2 hidden tests remain, on: large logits, shift invariance" in shown
    assert "The notebook runs from the top, within its times." in shown and "Submit this file" in shown
    assert len(list(path.parent.glob("hw0_*.zip"))) == 1


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_without_the_wheel_the_first_cell_fails(colab, published, tmp_path):
    """The wheel that the test above serves is what makes it pass."""
    nowhere = published.at("http://127.0.0.1:9")
    with pytest.raises(NotebookError, match="dlcourse"):
        execute(lecture_notebook(LECTURES[0], nowhere, tmp_path / "empty folder"), kernel="colab")


# The parts of dlcourse.require, without an environment of their own.


def test_a_newer_notebook_asks_for_an_upgrade():
    import dlcourse

    with pytest.raises(
        ImportError, match=r"%pip install --no-deps --upgrade https://example\.org/dlcourse-99\.0\.0-py3-none-any\.whl"
    ):
        dlcourse.require("https://example.org/dlcourse-99.0.0-py3-none-any.whl")
    with pytest.raises(ValueError, match="not the address of a dlcourse wheel"):
        dlcourse.require("https://example.org/other.whl")


def test_nothing_happens_where_everything_is_there(settings, monkeypatch, capsys):
    import dlcourse
    from dlcourse import install

    monkeypatch.setattr(install.subprocess, "run", lambda *args, **kwargs: pytest.fail("pip was called"))
    dlcourse.require(settings.wheel_url)
    assert capsys.readouterr().out == ""


def test_what_is_too_old_is_named_and_left_alone():
    from dlcourse import install

    missing, too_old = install._survey(["numpy>=99", "surely-not-installed>=1.5", "pytest; extra == 'x'"])
    assert missing == ["surely-not-installed>=1.5"]
    assert [name for name, _, _ in too_old] == ["numpy"]


def test_installing_moves_no_installed_version(monkeypatch):
    """Every installed version is a constraint, and a refusal of pip says what to do."""
    from dlcourse import install

    def refuse(command, **kwargs):
        constraint = Path(command[command.index("--constraint") + 1]).read_text()
        assert re.search(r"^numpy==", constraint, re.M) and command[-1] == "x>=1"
        return subprocess.CompletedProcess(command, 1, "", "conflict")

    monkeypatch.setattr(install.subprocess, "run", refuse)
    with pytest.raises(ImportError, match="%pip install x>=1"):
        install._install(["x>=1"])


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_live_figures_work_with_colabs_widgets(colab_python, settings, tmp_path):
    """The unit tests of live figures, checks and predictions under ipywidgets 7.7, ipykernel 6 and an older matplotlib."""
    tools = tmp_path / "tools"
    wheel = publish.build_wheel(settings, tmp_path)
    pip(colab_python, "install", "-q", "--target", str(tools), "--no-deps", str(wheel))
    pip(colab_python, "install", "-q", "--target", str(tools), "pytest", "pytest-timeout")
    path = os.pathsep.join([str(tools), str(ROOT)])
    tests = [
        str(ROOT / "tests" / name) for name in ("test_live.py", "test_check.py", "test_predict.py", "test_without_kernel.py")
    ]
    command = [colab_python, "-m", "pytest", "-q", "-p", "no:cacheprovider", *tests]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, env={**os.environ, "PYTHONPATH": path})
    assert done.returncode == 0, done.stdout[-4000:]
    assert " passed" in done.stdout
