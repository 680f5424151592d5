"""Notebooks that are made to bring the grader's parsers down: they cost their own points, and nothing else."""

import json
import os
import signal

import pytest

from autograder import notebook as reading
from autograder import submission, trusted
from autograder.submission import Limits
from tests.engine import QUICK, Work, fork_here, notebook

IS_SEVEN = "def test_x(x):\n    from dlcourse import check\n    check.close(x, 7)"


@pytest.fixture
def work(tmp_path):
    made = Work(tmp_path)
    made.ask(IS_SEVEN)
    return made


def graded(work, data, limits=QUICK, here=False):
    start = fork_here if here else submission.start
    return submission.grade(data, work.folder, student="someone", attempt=1, limits=limits, seed=1, start=start)


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b'{"cells": [], "x": ' + b'{"a":' * 10**6 + b"1" + b"}" * 10**6 + b"}", "not a notebook"),
        (b'{"cells": [], "x": ' + b"1" * 10**7 + b"}", "not a notebook"),
        (b'{"cells": [], "x": [' + b"{}," * 10**7 + b"1]}", "memory"),
        (json.dumps({"cells": [{"cell_type": "code", "source": ["a"] * 2_000_000}]}).encode(), "million"),
    ],
    ids=["deep", "a huge integer", "many small values", "much code"],
)
def test_a_pathological_file_is_unreadable(work, data, says):
    result = graded(work, data, Limits(submission_s=60, memory_mb=256))
    assert (result.status, result.points) == ("unreadable", 0) and says in result.message_student


@pytest.mark.parametrize(
    "code",
    ["(" * 10**5, "-" * 10**5 + "1", "lambda a=" * 20_000 + "1", "if 1: pass\n" + "elif 1: pass\n" * 20_000, "x\0"],
    ids=["brackets", "signs", "lambdas", "branches", "null"],
)
def test_a_pathological_cell_fails_alone(work, code):
    result = graded(work, notebook(code, "x = 7", 'grader.check("q1")'))
    assert result.points == 1 and "Code cell 1 failed" in result.questions[0].detail


def test_reading_has_a_time_limit(work, monkeypatch):
    data = notebook("a = !m\n" * 20_000)  # the transformer of shell commands starts over for each line
    monkeypatch.setattr(trusted, "READ_S", 1.0)
    result = graded(work, data, here=True)
    assert (result.status, result.points) == ("unreadable", 0) and "seconds" in result.message_student


def test_a_crash_of_a_parser_is_the_notebooks_doing(work, monkeypatch):
    monkeypatch.setattr(reading, "newer_syntax", lambda cells: os.kill(os.getpid(), signal.SIGSEGV))
    result = graded(work, notebook("x = 7"), here=True)
    assert (result.status, result.points) == ("unreadable", 0) and "brought Python down" in result.message_student


@pytest.mark.parametrize("text", ["\n", " ", " \n", "a ", "a,", "a=", "grader.check(", "grader.check(\n", "\x0b"])
def test_the_trusted_side_searches_in_linear_time(text):
    """At the largest size, time that grows with the square would be hours, and pytest's timeout ends this test."""
    source = text * (reading.MAX_CODE // len(text))
    assert [part.questions for part in reading.segments([source], ["q1"])] == [()]
    assert not reading.has_skipped_lines(source)


def test_code_of_the_largest_size_fits_into_a_frame(work):
    text = "\U0001f600" * (reading.MAX_CODE - 200)
    result = graded(work, notebook(f"x = 7  # {text}", 'grader.check("q1")'))
    assert result.points == 1
