"""The benchmark of grading: what it counts, and that it stops where the two engines disagree."""

import os
import resource
import subprocess
import sys
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


def test_cpu_time_of_one_process_below_can_be_left_out():
    burning = "import time\nwhile time.process_time() < 0.5:\n    pass\nprint(flush=True)\ninput()"
    with subprocess.Popen([sys.executable, "-c", burning], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        child.stdout.readline()
        assert processes.cpu_s() - processes.cpu_s(without=child.pid) > 0.4
        child.stdin.write(b"\n")


def test_one_core_holds_all_processes_and_is_given_back(work):
    work.grade("value = 1")  # the zygote is one of them
    before = {process.pid: os.sched_getaffinity(process.pid) for process in processes.descendants(os.getpid())}
    assert len(before) > 1
    with processes.on_one_core():
        inside = [os.sched_getaffinity(pid) for pid in before]
        assert inside.count(inside[0]) == len(before)
        assert len(inside[0]) == 1
    assert {pid: os.sched_getaffinity(pid) for pid in before} == before


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
