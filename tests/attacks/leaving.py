"""Attacks that leave early, so that nothing can be held against them, or that never leave."""

import builtins
import os
import signal
import time
from types import SimpleNamespace
from typing import Any, NoReturn

from autograder import proxies, submission, trusted
from autograder.submission import Limits
from tests.attacks.arena import CALL, Arena, attack
from tests.attacks.switches import in_one_process, replaced, shadowed, without_question_deadline

HELD = Limits(submission_s=3, grace_s=0.2)


def raises_plainly(self: proxies.Link, status: str) -> NoReturn:
    raise RuntimeError(f"the student's process: {status}") from None


def passes_by_default(test: dict, passed: bool, hint: str | None = None, message: str | None = None) -> Any:
    return RESULT(test, passed or hint is None, hint, message)  # a failure that was recorded has a hint


RESULT = trusted._result


@attack("leave", aims_at="a lost process is no error to catch", off=replaced(proxies.Link, "_lose", raises_plainly))
def exits_where_an_error_is_expected(arena):
    """Ends Python where a test expects an exception, and hopes that this passes for one."""
    arena.ask("""
        def test_negative(f):
            try:
                f(-1)
            except Exception:
                return
            raise ValueError("no error")
    """)
    return arena.submit("import os\ndef f(x): os._exit(0)").gained


@attack("leave", aims_at="what did not run has no points", off=replaced(trusted, "_result", passes_by_default))
def crashes_before_a_failure_is_recorded(arena):
    """Reads address 0 when the first test calls it, so that no test is there to fail."""
    arena.ask(CALL, "def test_g(g):\n    g()")
    return arena.submit("import ctypes\ndef f(): ctypes.string_at(0)").gained


STOPS = {**proxies.PLAIN_ERRORS, "StopIteration": StopIteration}


@attack("leave", aims_at="errors cross as plain ones", off=replaced(proxies, "PLAIN_ERRORS", STOPS))
def stops_the_loop_of_a_test(arena):
    """Raises StopIteration inside map(): the loop of the test ends as if every input had been tried."""
    arena.ask("""
        def test_squares(f):
            from dlcourse import check
            x = check.rng(1).standard_normal(3)
            for got, expected in zip(map(f, x), x**2):
                check.close(got, expected)
    """)
    return arena.submit("def f(x): raise StopIteration").gained


@attack(
    "leave",
    aims_at="errors cross as plain ones",
    off=replaced(proxies, "error_type", lambda names: vars(builtins)[names[0]]),
)
def ends_the_trusted_side_by_an_error(arena):
    """Raises SystemExit in a graded function: raised again by the test, it would end the grader without a score."""
    arena.ask(CALL)
    return arena.submit("def f(): raise SystemExit").is_without_score


@attack("leave", aims_at="tests run in a process of their own", off=in_one_process)
def leaves_by_exit_in_a_test(arena):
    """Calls sys.exit() in a graded function, to end whoever called it before there is a score."""
    arena.ask(CALL)
    return arena.submit("import sys\ndef f(): sys.exit(0)").is_without_score


@attack("leave", aims_at="tests run in a process of their own", off=in_one_process)
def switches_off_the_graders_alarm(arena):
    """Stops the interval timer in a graded function, then takes longer than the question allows."""
    arena.ask(CALL, seconds=0.3)
    code = "import signal, time\ndef f():\n    signal.setitimer(signal.ITIMER_REAL, 0)\n    time.sleep(2)"
    return arena.submit(code, limits=HELD).gained


def holds(arena: Arena, code: str, test: str = CALL) -> bool:
    """Whether half a second for the question becomes the three of the submission."""
    arena.ask(test, seconds=0.5)
    return arena.submit(code, limits=HELD).seconds > 2.2


@attack("leave", aims_at="a question's deadline", off=without_question_deadline)
def swallows_every_interrupt(arena):
    """A graded function that catches whatever is raised in its loop, the grader's interrupt too, and goes on."""
    code = """
        def f():
            while True:
                try:
                    while True: pass
                except BaseException: continue
    """
    return holds(arena, code)


@attack("leave", aims_at="a question's deadline", off=without_question_deadline)
def loops_where_no_signal_is_seen(arena):
    """An endless sum in C code: Python's signal handlers do not run until it returns."""
    return holds(arena, "import itertools\ndef f(): return sum(itertools.repeat(0))")


@attack("leave", aims_at="a question's deadline", off=without_question_deadline)
def blocks_the_alarms_signal(arena):
    """Blocks every signal in its only thread and sleeps: an interrupt stays pending for ever."""
    code = """
        import signal, time
        def f():
            signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
            time.sleep(1000)
    """
    return holds(arena, code)


@attack("leave", aims_at="a question's deadline", off=without_question_deadline)
def stops_itself(arena):
    """Sends itself SIGSTOP: a stopped process answers nothing, and takes no signal but SIGKILL."""
    return holds(arena, "import os, signal\ndef f(): os.kill(os.getpid(), signal.SIGSTOP)")


@attack("leave", aims_at="a question's deadline", off=without_question_deadline)
def waits_for_a_lock_that_nobody_gives_back(arena):
    """Takes a lock twice, in a C library's mutex, where no interrupt reaches it."""
    code = """
        import ctypes
        libc = ctypes.CDLL(None)
        mutex = ctypes.create_string_buffer(64)
        def f():
            libc.pthread_mutex_lock(mutex)
            libc.pthread_mutex_lock(mutex)
    """
    return holds(arena, code)


@attack("leave", aims_at="a question's deadline", off=without_question_deadline)
def calls_back_without_end(arena):
    """Calls the test's own function for ever, so that each side always has just heard from the other."""
    return holds(arena, "def f(g):\n    while True: g()", "def test_f(f):\n    f(lambda: 1)")


@attack("leave", aims_at="a question's deadline", off=without_question_deadline)
def yields_without_end(arena):
    """Gives a generator that never ends to a test that goes through it: each item is a quick answer."""
    return holds(arena, "def f():\n    while True: yield 1", "def test_f(f):\n    for _ in f(): pass")


@attack("leave", aims_at="a question's deadline", off=without_question_deadline)
def answers_in_drips(arena):
    """Writes one byte of a reply every tenth of a second, so that no single read waits long."""
    code = """
        import os, struct, time
        def f():
            os.write(3, struct.pack("<II", 4000, 0))
            while True:
                os.write(3, b" ")
                time.sleep(0.1)
    """
    return holds(arena, code)


@attack("leave", aims_at="a question's deadline", off=without_question_deadline)
def stops_listening(arena):
    """Stops itself instead of taking the next request, so that it is the grader that waits, with an array half sent."""
    code = """
        import os, signal, sys
        from autograder import student, wire
        def f(x): pass
        answer = student.Side._do_name
        def last_answer(self, request):
            wire.Pipe.receive = lambda self, codec: os.kill(os.getpid(), signal.SIGSTOP)
            return answer(self, request)
        student.Side._do_name = last_answer
    """
    return holds(arena, code, "def test_f(f):\n    import numpy as np\n    f(np.zeros(2_000_000))")


REQUEST = proxies.Link.request


def each_on_its_own(self: proxies.Link, op: str, **parts: Any) -> dict[str, Any]:
    self.soft = time.monotonic() + 0.5
    self.pipe.deadline = self.soft + self.grace_s
    return REQUEST(self, op, **parts)


@attack("leave", aims_at="one deadline for all calls", off=replaced(proxies.Link, "request", each_on_its_own))
def takes_a_little_time_often(arena):
    """Each of eight calls takes less than the question's time, and all together more than twice that."""
    arena.ask("def test_f(f):\n    for _ in range(8): f()", seconds=0.5)
    return arena.submit("import time\ndef f(): time.sleep(0.15)", limits=Limits(submission_s=30, grace_s=1)).gained


@attack("leave", aims_at="one deadline for all questions", off=shadowed(submission._Grading, "end", property(
    lambda self: time.monotonic() + 1000, lambda self, value: None)))  # fmt: skip
def takes_every_question_to_its_deadline(arena):
    """Each of six questions stays just below its own time."""
    arena.ask(CALL, seconds=2)
    for _ in range(5):
        arena.ask_more(CALL, seconds=2)
    cells = [f'import time\ndef f(): time.sleep(0.7)\ngrader.check("q{n}")' for n in range(1, 7)]
    return arena.grade(*cells, limits=Limits(submission_s=1, grace_s=0.2), honest=1).seconds > 3.5


def terminate(pid: int, number: int) -> None:
    os.kill(pid, signal.SIGTERM)


@attack("leave", aims_at="a student's process is killed, not asked", off=replaced(
    trusted, "os", SimpleNamespace(**vars(os) | {"kill": terminate})))  # fmt: skip
def does_not_end_when_it_is_asked_to(arena):
    """Ignores every signal that can be ignored, and so would outlive its grade."""
    arena.patch.setattr(submission, "START_S", 3.0)
    code = """
        import signal
        for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP, signal.SIGALRM}:
            try: signal.signal(number, signal.SIG_IGN)
            except (OSError, ValueError): pass
        x = 7
    """
    arena.ask("def test_x(x):\n    pass")
    return arena.submit(code, honest=1).seconds > 2.8


@attack("leave", aims_at="the trusted side's own alarm", off=replaced(
    trusted.Trusted, "_late", lambda self, number, frame: None))  # fmt: skip
def gives_the_tests_pattern_a_bad_text(arena):
    """Returns a text on which a pattern in the test tries every way to split it."""
    arena.ask("def test_f(f):\n    import re\n    re.fullmatch('(a+)+', f())", seconds=0.3)
    return arena.submit('def f(): return "a" * 40 + "b"', limits=Limits(submission_s=30, grace_s=0.2)).seconds > 2.7


@attack("leave", aims_at="a late trusted side is killed", off=shadowed(submission._Pair, "until", property(
    lambda self: time.monotonic() + 1000, lambda self, value: None)))  # fmt: skip
def gives_the_test_a_number_to_count_to(arena):
    """Returns a number to which the test counts in C code, where its own alarm is not seen either."""
    arena.patch.setattr(submission, "SLACK_S", 0.3)
    arena.ask("def test_f(f):\n    import itertools\n    sum(itertools.repeat(0, f()))", seconds=0.3)
    return arena.submit("def f(): return 1_500_000_000", limits=Limits(submission_s=30, grace_s=0.2)).seconds > 3
