"""The pool: each submission is graded once, and a worker that is killed costs no other submission anything."""

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path
from threading import Event, Timer

import pytest

from autograder.executor import WINDOW, LocalPool, PoolError, Task

ROOT = Path(__file__).resolve().parent.parent
FAKE = "tests.fake_grader:grade"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """An assignment's folder, and workers that find the fake grader."""
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT), str(ROOT / "dlcourse" / "src")]))
    monkeypatch.setenv("FAKE_LOG", str(tmp_path / "log"))
    (tmp_path / "log").touch()
    made = tmp_path / "hw1"
    made.mkdir()
    (made / "manifest.json").write_text(json.dumps({"version": "v1"}))
    return made


def task(student, do="grade", **more):
    notebook = json.dumps({"do": do, **more}).encode()
    return Task("hw1", student, 1, 5, "v1", 2.0, "ab" * 32, notebook)


def graded(folder, tasks, jobs=2, patience=60, stop=None, grade=FAKE):
    with closing(LocalPool(folder, jobs, patience, stop, grade)) as pool:
        return [(task.student, result) for task, result in pool.run(tasks)]


def calls(folder):
    return [line.split()[0] for line in (folder.parent / "log").read_text().splitlines()]


def test_each_submission_is_graded_once(folder):
    names = [f"s{i}" for i in range(20)]
    found = graded(folder, (task(name) for name in names))
    assert sorted(name for name, _ in found) == sorted(names) == sorted(calls(folder))
    for name, result in found:
        assert (result.student, result.status, result.points, result.tests_version) == (name, "graded", 1.0, "v1")


def test_no_submissions_need_no_workers(folder):
    assert graded(folder, []) == []


def test_results_come_as_they_finish(folder):
    found = graded(folder, [task("slow", "sleep", seconds=1.5), *(task(f"s{i}") for i in range(5))])
    assert found[-1][0] == "slow"


def test_tasks_are_taken_a_window_at_a_time(folder):
    taken, done, most = 0, 0, 0

    def tasks():
        nonlocal taken, most
        for number in range(40):
            taken += 1
            most = max(most, taken - done)
            yield task(f"s{number}")

    with closing(LocalPool(folder, 2, 60, None, FAKE)) as pool:
        for _ in pool.run(tasks()):
            done += 1
    assert done == 40
    assert most == WINDOW * 2


def test_a_killed_worker_costs_its_running_submission_one_more_try(folder):
    found = dict(graded(folder, [task("a"), task("unlucky", "kill once"), *(task(f"s{i}") for i in range(6))]))
    assert {result.status for result in found.values()} == {"graded"}
    assert len(found) == 8
    assert sorted(calls(folder)) == sorted(["a", "unlucky", "unlucky", *(f"s{i}" for i in range(6))])


def test_a_submission_that_kills_two_workers_is_in_quarantine(folder):
    found = dict(graded(folder, [task("a"), task("killer", "kill"), *(task(f"s{i}") for i in range(6))]))
    bad = found.pop("killer")
    assert (bad.status, bad.points, bad.max_points, bad.notebook_hash) == ("quarantine", None, 2.0, "ab" * 32)
    assert "SIGKILL" in bad.message_instructor
    assert "SIGKILL" not in bad.message_student
    assert {result.status for result in found.values()} == {"graded"} and len(found) == 7
    assert calls(folder).count("killer") == 2


def test_many_killers_stop_nobody(folder):
    tasks = [task(f"k{i}", "kill" if i % 2 else "exit") for i in range(6)] + [task(f"s{i}") for i in range(4)]
    found = graded(folder, tasks)
    assert sorted(result.status for _, result in found) == ["graded"] * 4 + ["quarantine"] * 6


def test_a_worker_killed_from_outside(folder):
    with closing(LocalPool(folder, 2, 60, None, FAKE)) as pool:
        tasks = [task("long", "sleep", seconds=1), *(task(f"s{i}", "sleep", seconds=0.2) for i in range(6))]
        found = []
        for finished, result in pool.run(tasks):
            if not found:  # whichever is at work now, or waits for work
                for worker in pool._workers:
                    os.kill(worker._process.pid, signal.SIGKILL)
            found.append((finished.student, result.status))
    assert sorted(found) == sorted([("long", "graded"), *((f"s{i}", "graded") for i in range(6))])


@pytest.mark.parametrize(("do", "says"), [
    ("raise", "RuntimeError: a fault of the grader"),
    ("another's", "the grade's student is 'somebody'"),
    ("nan", "not JSON compliant"),
])  # fmt: skip
def test_a_fault_of_the_grader_gives_no_score(folder, do, says):
    found = dict(graded(folder, [task("a", do), task("b")], jobs=1))
    assert (found["a"].status, found["a"].points) == ("internal", None)
    assert says in found["a"].message_instructor
    assert says not in found["a"].message_student
    assert found["b"].status == "graded"


def test_a_worker_that_hangs_is_killed(folder):
    found = dict(graded(folder, [task("hang", "sleep", seconds=600), task("a")], patience=1.5))
    assert found["hang"].status == "quarantine"
    assert found["a"].status == "graded"


def alive(pid):
    try:
        return "State:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except FileNotFoundError:
        return False


def noted_pids(folder, count=1):
    end = time.monotonic() + 60
    while time.monotonic() < end:
        lines = [line.split() for line in (folder.parent / "log").read_text().splitlines() if line.startswith("pid ")]
        if len(lines) >= count:
            return [int(number) for line in lines for number in line[1:]]
        time.sleep(0.02)
    raise AssertionError("no worker noted its process")


def gone(pids):
    end = time.monotonic() + 10
    while any(alive(pid) for pid in pids) and time.monotonic() < end:
        time.sleep(0.02)
    return not any(alive(pid) for pid in pids)


def test_stopping_ends_the_workers_and_what_they_started(folder):
    stop = Event()
    with closing(LocalPool(folder, 1, 60, stop, FAKE)) as pool:
        Timer(1.5, stop.set).start()
        found = [(finished.student, result.status) for finished, result in pool.run([task("a"), task("b", "child"), task("c")])]
        pids = noted_pids(folder)
        assert len(pids) == 2 and all(alive(pid) for pid in pids)
    assert found == [("a", "graded")]
    assert gone(pids)


DRIVER = """
import sys
from pathlib import Path
from autograder.executor import LocalPool
from tests.test_autograder_pool import FAKE, task
for _ in LocalPool(Path(sys.argv[1]), 2, 60, None, FAKE).run([task("a", "sleep", seconds=600), task("b", "sleep", seconds=600)]):
    pass
"""


def test_workers_end_with_a_driver_that_is_killed(folder):
    driver = subprocess.Popen([sys.executable, "-c", DRIVER, str(folder)], cwd=ROOT)
    try:
        while len(calls(folder)) < 2:
            time.sleep(0.02)
        children = Path(f"/proc/{driver.pid}/task/{driver.pid}/children").read_text().split()
        assert len(children) == 2
    finally:
        driver.kill()
        driver.wait()
    assert gone([int(pid) for pid in children])


def test_a_pool_that_cannot_start_says_why(folder):
    with pytest.raises(PoolError, match=r"No module named 'tests\.no_such_grader'"):
        graded(folder, [task("a")], grade="tests.no_such_grader:grade")


def test_the_working_folder_is_no_place_to_import_from(folder, tmp_path, monkeypatch):
    """Instructors work where the submissions lie, and a student may name a file json.py."""
    (tmp_path / "json.py").write_text("raise SystemExit('a student was here')\n")
    monkeypatch.chdir(tmp_path)
    assert [result.status for _, result in graded(folder, [task("a")])] == ["graded"]


def test_large_notebooks_go_through(folder):
    [(_, result)] = graded(folder, [task("a", padding="x" * (20 << 20))])
    assert result.status == "graded"
