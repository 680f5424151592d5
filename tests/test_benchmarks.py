"""The benchmark of grading: what it counts, and that it stops where the two engines disagree."""

import os
import resource
from pathlib import Path

import pytest

from autograder import submission, wire
from benchmarks import processes
from benchmarks.grading import DisagreementError, require_agreement
from tests.engine import Work

BURN = """
import time

while time.process_time() < 0.5:
    pass
"""
TEST = "def test_it(value):\n    assert value == 1"


@pytest.fixture
def work(tmp_path):
    made = Work(tmp_path)
    made.ask(TEST)
    return made


def test_cpu_time_of_a_student_process_that_has_ended_is_counted(work):
    work.answer("value = 1")
    before = processes.cpu_s()
    here = resource.getrusage(resource.RUSAGE_SELF)
    work.answer(f"{BURN}\nvalue = 1")
    after = resource.getrusage(resource.RUSAGE_SELF)
    own = after.ru_utime + after.ru_stime - here.ru_utime - here.ru_stime
    assert processes.cpu_s() - before - own > 0.4, "half a second was used below the zygote, rounded to its clock's ticks"


def test_an_attempt_is_seen_until_it_was_waited_for():
    started = submission.start()
    hello = wire.Pipe(started.fileno()).receive(wire.Codec())
    assert processes.sides(os.getpid()) == [("trusted", hello["pid"])]
    started.close()
    processes.cpu_s()  # raises where it does not end, or is never waited for
    assert not Path(f"/proc/{hello['pid']}").exists()


def test_scores_that_differ_stop_the_benchmark(work):
    result = work.grade("value = 1", 'grader.check("q1")')
    require_agreement("right", result, {"q1": 1.0})
    for otters in ({"q1": 0.5}, {}):
        with pytest.raises(DisagreementError, match="right: this engine gives"):
            require_agreement("right", result, otters)
