"""Grades are written once and whole, and outlive a full disk, a kill and the process that wrote them."""

import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autograder.results import (
    QUESTION_STATUSES,
    STATUSES,
    QuestionResult,
    SubmissionResult,
    TestResult,
    from_json,
    to_json,
    without_score,
    worst,
)
from autograder.store import Store, StoreError

ROOT = Path(__file__).resolve().parent.parent
HASH = "ab" * 32


def graded(submission, version="v1", points=1.5, text="x"):
    test = TestResult("sums", points, 2.0, True, False, hint=text)
    question = QuestionResult("q1", "Sums", "graded", points, 2.0, (test,))
    about = (submission.assignment, submission.student, submission.attempt, submission.raw_hash, version)
    return SubmissionResult(*about, "graded", points, 2.0, (question,))


def faulty(submission, status="internal", version="v1"):
    return without_score(
        status,
        assignment=submission.assignment,
        student=submission.student,
        attempt=submission.attempt,
        notebook_hash=submission.raw_hash,
        tests_version=version,
        max_points=2.0,
    )


@pytest.fixture
def store(tmp_path):
    with closing(Store(tmp_path / "grades.sqlite")) as made:
        yield made


text = st.text(st.characters(codec=None))  # lone surrogates and control characters too
number = st.floats(0, 100)
tests = st.builds(TestResult, text, number, number, st.booleans(), st.booleans(), st.none() | text, st.none() | text)
questions = st.builds(
    QuestionResult, text, text, st.sampled_from(QUESTION_STATUSES), number, number, st.lists(tests, max_size=3).map(tuple), number,
    st.booleans(), text,
)  # fmt: skip


@given(st.lists(questions, max_size=3).map(tuple), text, st.dictionaries(text, text, max_size=2), number)
def test_json_gives_the_same_result_back(questions, student, versions, points):
    result = SubmissionResult("hw1", student, 1, HASH, "v1", "graded", points, 100.0, questions, versions=versions)
    assert from_json(to_json(result)) == result
    assert to_json(result).isascii()


@pytest.mark.parametrize("broken", ["", "[]", "{}", "null", '{"questions": []}', to_json(faulty(
    type("S", (), {"assignment": "hw1", "student": "s", "attempt": 1, "raw_hash": HASH})))[:-2]])  # fmt: skip
def test_what_is_no_grade_is_refused(broken):
    with pytest.raises(ValueError, match="no grade"):
        from_json(broken)


def test_a_score_and_a_fault_exclude_each_other():
    for status, says in STATUSES.items():
        right, wrong = (1.0, None) if says.by_student else (None, 1.0)
        assert SubmissionResult("hw1", "s", 1, HASH, "v", status, right, 2.0).counts is says.by_student
        with pytest.raises(ValueError, match="cannot have the points"):
            SubmissionResult("hw1", "s", 1, HASH, "v", status, wrong, 2.0)
    with pytest.raises(ValueError, match="no status"):
        SubmissionResult("hw1", "s", 1, HASH, "v", "fine", 1.0, 2.0)
    with pytest.raises(ValueError, match="no status"):
        QuestionResult("q1", "Sums", "refused", 1.0, 2.0)


def test_the_submission_shows_the_worst_status():
    assert worst([]) == "graded"
    assert worst(["graded", "died", "timeout"]) == "died"


def test_a_result_comes_back_after_reopening(tmp_path):
    path = tmp_path / "deep" / "grades.sqlite"
    with closing(Store(path)) as store:
        [submission] = store.register("hw1", [("ann", HASH, "ann.ipynb")])
        assert store.put(submission, graded(submission))
    with closing(Store(path)) as store:
        assert store.get(submission, "v1") == graded(submission)
        assert store.get(submission, "v2") is None
        assert store.register("hw1", [("ann", HASH, "ann.ipynb")]) == [submission]
        assert submission.raw_hash == HASH
    assert path.stat().st_mode & 0o077 == 0


def test_a_grade_is_written_once(store):
    [submission] = store.register("hw1", [("ann", HASH, "ann.ipynb")])
    assert store.put(submission, graded(submission, points=1.5))
    assert not store.put(submission, graded(submission, points=0.0))
    assert not store.put(submission, replace(graded(submission, points=0.0), notebook_hash="cd" * 32))
    assert store.get(submission, "v1").points == 1.5
    assert (store.status(submission, "v1"), store.status(submission, "v2")) == ("graded", None)
    assert store.put(submission, graded(submission, "v2", points=0.5)), "other tests, another grade"
    assert [result.points for result in store.results(submission)] == [1.5, 0.5]


def test_attempts_count_up_and_the_same_bytes_are_the_same_attempt(store):
    made = store.register("hw1", [("ann", HASH, "a"), ("ann", "cd" * 32, "b"), ("bob", HASH, "c"), ("ann", HASH, "d")])
    assert [one.attempt for one in made] == [1, 2, 1, 1]
    assert made[3] == made[0]
    [later] = store.register("hw1", [("ann", "ef" * 32, "e")])
    [elsewhere] = store.register("hw2", [("ann", HASH, "a")])
    assert (later.attempt, elsewhere.attempt) == (3, 1)
    assert len({one.token for one in made}) == 3
    assert len({one.seed for one in made}) == 3


def test_registering_is_all_or_nothing(store):
    with pytest.raises(TypeError):
        store.register("hw1", [("ann", HASH, "a"), ("bob",)])
    assert store.find("ann") == []


def test_a_fault_is_kept_and_gives_way_to_a_grade(store):
    [submission] = store.register("hw1", [("ann", HASH, "ann.ipynb")])
    store.put(submission, faulty(submission, "internal"))
    store.put(submission, faulty(submission, "quarantine"))
    assert store.get(submission, "v1").status == store.status(submission, "v1") == "quarantine"
    assert [result.status for result in store.results(submission)] == ["quarantine"]
    store.put(submission, graded(submission))
    assert store.get(submission, "v1").status == "graded"
    store.put(submission, faulty(submission, "internal"))
    assert store.get(submission, "v1").status == store.status(submission, "v1") == "graded", "a later fault takes no grade away"


def test_a_result_of_somebody_else_is_refused(store):
    ann, bob = store.register("hw1", [("ann", HASH, "a"), ("bob", HASH, "b")])
    with pytest.raises(ValueError, match="is not of"):
        store.put(ann, graded(bob))


def test_find_takes_a_student_or_the_start_of_a_token(store):
    ann, _ = store.register("hw1", [("ann", HASH, "a"), ("bob", HASH, "b")])
    [other] = store.register("hw2", [("ann", HASH, "a")])
    assert store.find("ann") == [ann, other]
    assert store.find("ann", "hw2") == [other]
    assert store.find(ann.token[:8]) == [ann]
    assert store.find(ann.token[:5]) == []
    assert store.find("%") == [] == store.find("______")


def test_hostile_names_are_data(store):
    names = ["'; DROP TABLE grades; --", "../../etc/passwd", "\x00\x1b[2J", "a\nb", "=1+1"]
    made = store.register("hw1", [(name, HASH, name) for name in names])
    for submission, name in zip(made, names, strict=True):
        store.put(submission, graded(submission))
        assert store.find(name) == [submission]
        assert store.get(submission, "v1").student == name


@pytest.mark.parametrize("content", [b"not a database, but long enough to be read as one" * 50, None])
def test_a_file_that_is_no_store_is_refused(tmp_path, content):
    path = tmp_path / "other.sqlite"
    if content is None:
        with closing(sqlite3.connect(path)) as other:
            other.execute("CREATE TABLE grades (x)")
    else:
        path.write_bytes(content)
    before = path.read_bytes()
    with pytest.raises(StoreError, match="no store"):
        Store(path)
    assert path.read_bytes() == before


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match=r"grades\.sqlite"):
        Store(tmp_path / "file" / "grades.sqlite")


def test_one_grading_run_at_a_time(tmp_path):
    with closing(Store(tmp_path / "g")) as one, closing(Store(tmp_path / "g")) as two:
        with one.exclusive():
            with pytest.raises(StoreError, match="another `autograder grade`"), two.exclusive():
                pass
            assert two.find("ann") == [], "reading goes on"
        with two.exclusive():
            pass


# Writes results of growing size, and says which are stored; argument 2 bounds the files that it may write, in bytes.
WRITER = """
import resource, sys
sys.path[:0] = {paths!r}
from pathlib import Path
from autograder.store import Store, StoreError
from tests.test_autograder_store import graded
store = Store(Path(sys.argv[1]))
if len(sys.argv) > 2:
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]),) * 2)
number = 0
while True:
    name = f"{{__import__('os').getpid()}}-{{number}}"
    try:
        [submission] = store.register("hw1", [(name, "ab" * 32, name)])
        store.put(submission, graded(submission, text="x" * (number % 50) * 300))
    except StoreError as error:
        print("full", error, flush=True)
        break
    print("stored", name, flush=True)
    number += 1
"""


def writer(path, *limit):
    script = WRITER.format(paths=[str(ROOT), str(ROOT / "dlcourse" / "src")])
    return subprocess.Popen([sys.executable, "-c", script, str(path), *limit], stdout=subprocess.PIPE, text=True)


def stored_names(lines):
    return {line.split()[1] for line in lines if line.startswith("stored") and line.endswith("\n")}


def check_whole(path, acknowledged):
    """Each acknowledged result is there and readable, and so is each that was written but not acknowledged."""
    with closing(Store(path)) as store:
        for name in acknowledged:
            [submission] = store.find(name)
            assert store.get(submission, "v1").student == name
        with closing(sqlite3.connect(path)) as raw:
            assert raw.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
            rows = raw.execute("SELECT student, result FROM grades").fetchall()
        assert {student for student, _ in rows} >= acknowledged
        assert all(from_json(result).student == student for student, result in rows)


def test_a_full_disk_loses_nothing_that_was_stored(tmp_path):
    path = tmp_path / "grades.sqlite"
    process = writer(path, "400000")
    said = process.communicate(timeout=120)[0].splitlines(keepends=True)
    assert said[-1].startswith("full") and "disk is full" in said[-1]
    assert len(stored_names(said)) > 10
    check_whole(path, stored_names(said))
    with closing(Store(path)) as store:  # there is room again
        [submission] = store.register("hw1", [("later", HASH, "later")])
        assert store.put(submission, graded(submission))


def test_a_full_file_system_loses_nothing_that_was_stored(tmp_path):
    folder = tmp_path / "small"
    folder.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=512k", "tmpfs", folder], capture_output=True).returncode:
        pytest.skip("no file system can be mounted here; the limit of a file's size is tested above")
    try:
        said = writer(folder / "grades.sqlite").communicate(timeout=120)[0].splitlines(keepends=True)
        assert said[-1].startswith("full") and "disk is full" in said[-1]
        assert len(stored_names(said)) > 10
        subprocess.run(["mount", "-o", "remount,size=4m", folder], check=True)
        check_whole(folder / "grades.sqlite", stored_names(said))
    finally:
        subprocess.run(["umount", folder], check=True)


def test_kill_9_loses_nothing_that_was_stored(tmp_path):
    path, acknowledged = tmp_path / "grades.sqlite", set()
    random.seed(0)
    for _ in range(8):
        process = writer(path)
        lines = [process.stdout.readline()]
        time.sleep(random.uniform(0, 0.2))
        os.kill(process.pid, signal.SIGKILL)
        lines += process.stdout.readlines()
        process.wait()
        acknowledged |= stored_names(lines)
        check_whole(path, acknowledged)
    assert len(acknowledged) >= 8


def test_a_kill_while_the_file_is_made_leaves_one_that_opens(tmp_path):
    for delay in range(10):
        path = tmp_path / f"{delay}.sqlite"
        script = WRITER.format(paths=[str(ROOT), str(ROOT / "dlcourse" / "src")])
        process = subprocess.Popen([sys.executable, "-c", script, str(path)], stdout=subprocess.DEVNULL)
        while not path.exists():
            time.sleep(0.001)
        time.sleep(0.001 * delay)
        process.kill()
        process.wait()
        check_whole(path, set())
