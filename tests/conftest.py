import os
import re
import shutil
import subprocess
import time
from dataclasses import replace
from pathlib import Path

import pytest

from coursebuild import assignment, homework, new
from coursebuild import settings as course_settings

pytest_plugins = ["tests.groups", "tests.receipts"]

ROOT = Path(__file__).resolve().parent.parent
SAMPLE_MASTER = Path(__file__).parent / "samples" / "hw0_sample.py"
TABLES = ROOT / "build" / "tables"
STARTED = pytest.StashKey[float]()


def pytest_configure(config):
    config.stash[STARTED] = time.time()


def pytest_terminal_summary(terminalreporter, config):
    """What tests have counted is shown at the end: what a worker of pytest prints is seen by nobody."""
    for path in sorted(TABLES.glob("*.txt")):
        if path.stat().st_mtime >= config.stash[STARTED]:
            terminalreporter.section(path.stem)
            terminalreporter.write_line(path.read_text(encoding="utf-8"))


@pytest.fixture(scope="session")
def show():
    """Show a text under a title at the end of the run."""

    def show(title, text):
        TABLES.mkdir(parents=True, exist_ok=True)
        (TABLES / f"{title}.txt").write_text(text, encoding="utf-8")

    return show


@pytest.fixture(scope="session")
def settings():
    return course_settings.load()


@pytest.fixture(scope="session")
def assigned(settings, tmp_path_factory):
    """What otter makes of the sample master, once for all tests."""
    elsewhere = replace(settings, root=tmp_path_factory.mktemp("assigned"))
    return homework.assign(assignment.read(SAMPLE_MASTER), elsewhere)


def for_the_grader(settings, source):
    """A homework as `make build` leaves it for the grader, an autograder.batch.Assignment; source is its master."""
    from autograder.batch import read_assignment  # here, because tests of dlcourse also run where no grader is installed

    master = assignment.read(source)
    path, text = homework.assign(master, settings) / "manifest.json", homework.manifest(master)
    if not path.exists() or path.read_text(encoding="utf-8") != text:  # another worker may be reading it
        path.write_text(text, encoding="utf-8")
    return read_assignment(settings.build, master.name)


@pytest.fixture(scope="session")
def hw1(settings):
    """Homework 1, as the grader has it."""
    return for_the_grader(settings, ROOT / "solutions" / "hw1_neural_networks" / "hw1_neural_networks.py")


@pytest.fixture
def course(tmp_path, assigned):
    """A small course of its own: this repository's dlcourse, the lecture that `make new-lecture` writes, the sample master, in a git
    repository."""
    root = tmp_path / "a course"
    (root / "lectures" / "src").mkdir(parents=True)
    (root / "solutions" / "hw0_sample").mkdir(parents=True)
    shutil.copytree(ROOT / "dlcourse", root / "dlcourse", ignore=shutil.ignore_patterns("__pycache__", "dist", "build"))
    for name in ("pyproject.toml", "LICENSE", "README.md"):
        shutil.copy(ROOT / name, root / name)
    shutil.copy(SAMPLE_MASTER, root / "solutions" / "hw0_sample" / "hw0_sample.py")
    shutil.copytree(assigned, root / "build" / "homework" / "hw0")
    subprocess.run(["git", "init", "-q", "-b", "main", root], check=True)
    settings = replace(course_settings.load(root), root=root)
    [source] = [path for path in new.lecture(settings, "01_sample") if path.parent.name == "src"]
    source.write_text(re.sub(r"(?m)^# question: .*", "# question: Does it build?", source.read_text()))
    shutil.rmtree(root / "tests")
    return settings


@pytest.fixture(scope="session")
def chromium():
    """The browser's path. Without one browser tests are skipped, but in CI that is a failure."""
    path = shutil.which("chromium") or shutil.which("google-chrome")
    if path is None:
        if os.environ.get("CI"):
            pytest.fail("no Chromium: .ci/run installs it")
        pytest.skip("no Chromium on this machine")
    return path


@pytest.fixture
def put_out(monkeypatch):
    """The outputs that a cell would have: MIME type -> content, one after another."""
    found = []
    monkeypatch.setattr("dlcourse.notebook.shell", lambda: None)
    monkeypatch.setattr("IPython.display.display", lambda bundle, raw, display_id=None: found.append(bundle))
    return found


@pytest.fixture(autouse=True)
def git_identity(monkeypatch):
    """Commits in tests need an author, and must not depend on this machine's git settings."""
    for who in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{who}_NAME", "Test")
        monkeypatch.setenv(f"GIT_{who}_EMAIL", "test@example.org")
