"""What grading writes beside its results: where it lies, who may see it, and that it is gone afterwards, whoever was killed."""

import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from autograder import folders, submission
from tests.engine import Work, notebook

ROOT = Path(__file__).resolve().parent.parent
IS_SEVEN = "def test_x(x):\n    from dlcourse import check\n    check.close(x, 7)"
DRIVER = """
import hashlib, sys
from contextlib import closing
from pathlib import Path
from autograder.executor import LocalPool, Task
folder = Path(sys.argv[1])
data = (folder / "notebook").read_bytes()
task = Task("work", "someone", 1, 1, "1", 1.0, hashlib.sha256(data).hexdigest(), data)
with closing(LocalPool(folder, 1, 60)) as pool:
    for _, result in pool.run([task]):
        print(result.status, flush=True)
"""


@pytest.fixture
def work(tmp_path):
    (tmp_path / "work").mkdir()
    made = Work(tmp_path / "work")
    made.ask(IS_SEVEN, seconds=60)
    return made


@pytest.fixture
def temporary(tmp_path, monkeypatch):
    """A folder for temporary files, of these tests alone."""
    made = tmp_path / "temporary"
    made.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(made))
    return made


def left(temporary):
    return [path for path in temporary.iterdir() if path.name.startswith(folders.PREFIX)]


def driver(work, temporary, code):
    (work.folder / "notebook").write_bytes(notebook(code, 'grader.check("q1")'))
    return subprocess.Popen(
        [sys.executable, "-c", DRIVER, str(work.folder)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env={**os.environ, "TMPDIR": str(temporary)},
    )


def at_work(temporary, but=()):
    """The scratch file of a submission that runs now, not one of these."""
    end = time.monotonic() + 120
    while time.monotonic() < end:
        found = [path for path in temporary.glob("grading-*/scratch-*/here") if path not in but]
        if found:
            return found[0]
        time.sleep(0.02)
    raise AssertionError("no submission was started")


def workers(driver):
    return [int(pid) for pid in Path(f"/proc/{driver.pid}/task/{driver.pid}/children").read_text().split()]


ENDLESS = "import os\nos.mkdir('a')\nos.mkdir('a/b', 0)\nopen('here', 'w').close()\nwhile True: pass"


@pytest.mark.receipt("engine")
def test_a_killed_worker_leaves_nothing(work, temporary):
    run = driver(work, temporary, ENDLESS)
    first = at_work(temporary)
    os.kill(workers(run)[0], signal.SIGKILL)
    second = at_work(temporary, but=[first])
    assert not first.parents[1].exists(), "the next worker sweeps"
    os.kill(workers(run)[0], signal.SIGKILL)
    assert run.communicate(timeout=120)[0] == "quarantine\n"
    assert not second.parents[1].exists() and left(temporary) == [], "the driver sweeps"


@pytest.mark.receipt("engine")
def test_what_a_killed_driver_leaves_the_next_run_sweeps(work, temporary):
    run = driver(work, temporary, ENDLESS)
    at_work(temporary)
    run.kill()
    run.wait()
    assert len(left(temporary)) == 1
    assert driver(work, temporary, "x = 7").communicate(timeout=120)[0] == "graded\n"
    assert left(temporary) == []


def orphan(temporary, digits):
    made = temporary / f"{folders.PREFIX}{digits * 32}"
    (made / "inside").mkdir(parents=True)
    made.chmod(0o700)
    (made / folders.LOCK).touch()
    return made


def test_only_what_is_ours_and_has_no_owner_is_swept(temporary, tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / folders.LOCK).touch()
    (orphan(temporary, "a") / "inside" / "link").symlink_to(outside)
    (temporary / f"{folders.PREFIX}{'b' * 32}").symlink_to(outside)
    (temporary / f"{folders.PREFIX}{'c' * 32}").mkdir(mode=0o700)
    kept = [orphan(temporary, digit) for digit in "def"]
    kept[0].chmod(0o755)
    (kept[1] / folders.LOCK).unlink()
    kept[2] = kept[2].rename(temporary / "grading-notes")
    with folders.own() as mine:
        folders.sweep()
        assert (mine / folders.LOCK).exists()
        assert sorted(left(temporary)) == sorted([*kept, mine, temporary / f"{folders.PREFIX}{'b' * 32}"])
    assert (outside / folders.LOCK).exists() and not mine.exists()


def test_a_folder_that_was_swept_before_it_was_locked_is_made_anew(temporary, monkeypatch):
    real, seen = folders._is_locked, []

    def late(lock):
        if not seen:
            seen.append(lock)
            monkeypatch.setattr(folders, "_is_locked", real)
            folders.sweep()
        return real(lock)

    monkeypatch.setattr(folders, "_is_locked", late)
    with folders.own() as mine:
        assert seen and left(temporary) == [mine] and (mine / folders.LOCK).exists()


SEEN = """
import os
def seen(path):
    try:
        return os.stat(path).st_size
    except OSError:
        return None
def listed(path):
    try:
        return os.listdir(path)
    except OSError:
        return None
raise ValueError([listed(".."), seen("../manifest.json"), seen("../tests"), seen({known!r})])
"""


def test_the_tests_that_are_run_have_no_path_that_can_be_asked_for(work, temporary, monkeypatch):
    known = work.folder / "tests" / "q1.py"
    note = work.answer(SEEN.format(known=str(known))).detail
    assert "[None, None, None, " in note
    assert str(known.stat().st_size) in note, "stat passes Landlock, so whoever knows a path learns that a test exists"
    copies = []
    real = folders.copied

    def spied(*args):
        copies.append(real(*args))
        return copies[-1]

    monkeypatch.setattr(folders, "copied", spied)
    assert work.answer("x = 7").points == 1 and work.answer("x = 7").points == 1
    assert copies[0].name != copies[1].name and not any(copy.exists() for copy in copies)


def test_a_test_that_is_changed_meanwhile_changes_no_grade_that_has_begun(work, monkeypatch):
    real = submission._Grading._attempt

    def changed(self, *args):
        (work.folder / "tests" / "q1.py").write_text("raise ValueError")
        return real(self, *args)

    monkeypatch.setattr(submission._Grading, "_attempt", changed)
    assert work.answer("x = 7").points == 1
