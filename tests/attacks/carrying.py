"""Attacks that carry hidden inputs out: at once, in a second attempt, or for the next submission."""

import ctypes
import json
import textwrap
from typing import Any

from autograder import report, trusted
from autograder.results import TestResult
from tests.attacks.arena import Arena, attack
from tests.attacks.switches import in_full, replaced, with_the_same_inputs, without

SEES = "seen = []\ndef f(x):\n    seen.append(x)\n"
HIDDEN = "def test_f(f):\n    f(73.0519)"
PUBLIC = "def test_g(g):\n    from dlcourse import check\n    check.close(g(), 1.0)"
ENDS = ["import os\nos._exit(0)", 'grader.check("q3")']  # a lost question, after which nothing is run again for messages
LIBC = ctypes.CDLL(None)


@attack("carry", aims_at="students read no text of their own process", off=in_full)
def tells_it_in_an_error_of_a_later_cell(arena):
    """Keeps what a hidden test passed, and raises it as an error's text in a cell of the next question."""
    arena.ask(HIDDEN)
    arena.ask_more(HIDDEN)
    return arena.grade(SEES, 'grader.check("q1")', "raise ValueError(seen)", 'grader.check("q2")', honest=2).shows("73.05")


@attack("carry", aims_at="students read no text of their own process", off=in_full)
def tells_it_by_the_line_of_an_error(arena):
    """Forges the number of the line at which a later cell failed."""
    arena.ask(HIDDEN)
    arena.ask_more(HIDDEN)
    code = """
        from autograder import student
        told = student.Side._told
        student.Side._told = lambda self, error: told(self, error) | {"line": round(100 * seen[0])}
        raise ValueError
    """
    code = textwrap.dedent(code) + "\n# a line" * 8000
    return arena.grade(SEES, 'grader.check("q1")', code, 'grader.check("q2")', honest=2).shows("line 7305")


@attack("carry", aims_at="students read no text of their own process", off=in_full)
def returns_it_to_a_public_test(arena):
    """Returns it to a public test of the next question, whose comparison quotes what came."""
    arena.ask(HIDDEN)
    arena.ask_more(PUBLIC, hidden=False)
    cells = [SEES, 'grader.check("q1")', "def g(): return seen[0]", 'grader.check("q2")']
    return arena.grade(*cells, honest=1).shows("73.05")


@attack("carry", aims_at="Landlock", off=without("landlock"))
def writes_it_down_for_the_next_submission(arena):
    """Leaves a file that the next submission finds, and tells by the error of its first cell, before any hidden test runs."""
    arena.ask(HIDDEN)
    note = str(arena.private / "note")
    arena.submit(f"def f(x): open({note!r}, 'w').write(str(x))", honest=1)
    return arena.submit(f"import os\nif os.path.exists({note!r}): raise KeyError").shows("A code cell")


@attack("carry", aims_at="seccomp", off=without("seccomp"))
def leaves_it_in_shared_memory(arena):
    """Leaves it in shared memory that outlives its process, for the next submission."""
    arena.ask(HIDDEN)
    code = """
        import ctypes
        libc = ctypes.CDLL(None)
        libc.shmat.restype = ctypes.c_void_p
        libc.shmat.argtypes = [ctypes.c_int, ctypes.c_void_p, ctypes.c_int]
        def note():
            return (ctypes.c_char * 64).from_address(libc.shmat(libc.shmget(0x7352, 4096, 0o1666), None, 0))
    """
    writes, reads = "\ndef f(x): note().value = str(x).encode()", "\nif note().value == b'73.0519': raise KeyError"
    arena.grade(code, writes, 'grader.check("q1")', honest=1)
    told = arena.grade(code, reads, 'grader.check("q1")').had("KeyError")
    found = LIBC.shmget(0x7352, 0, 0)
    if found >= 0:
        LIBC.shmctl(found, 0, None)
    return told


def any_hint(self: trusted.Trusted, test: dict, error: Exception, names: Any) -> TestResult:
    return trusted._result(test, False, str(getattr(error, "hint", "")))


@attack("carry", aims_at="a hint is one of the author's", off=replaced(trusted.Trusted, "_failed", any_hint))
def returns_it_as_a_hint(arena):
    """Returns it to a test that takes its hint from a table by what came."""
    arena.ask("def test_f(f):\n    from dlcourse import check\n    raise check.CheckError('value', 'x', hint=f(73.0519))")
    return arena.submit("def f(x): return f'it is {x}'").shows("73.05")


LEARNS = """
    def test_f(f):
        from dlcourse import check
        x = int(check.rng(38001).integers({count}))
        check.close(f(x), 2**x + 0.5)
"""
SAYS = "seen = []\ndef f(x):\n    seen.append(x)\n    return 0.0\n"


def uses(arena: Arena, learnt: int) -> bool:
    """Whether an answer that was written down by what an earlier submission learnt gets the point of the same test."""
    return arena.submit(f"def f(x): return {2**learnt + 0.5}", seed=2).result.questions[0].tests[0].passed


SAME = {"aims_at": "fresh inputs for each submission", "off": with_the_same_inputs}


@attack("carry", aims_at="students read no text of their own process", off=in_full)
def tells_it_by_the_kind_of_an_error(arena):
    """Chooses which built-in error a later cell fails with: three bits of a hidden input."""
    kinds = ["KeyError", "TypeError", "NameError", "IndexError", "OSError", "EOFError", "ValueError", "ZeroDivisionError"]
    arena.ask(LEARNS.format(count=8))
    arena.ask_more("def test_g(g):\n    raise ValueError")
    code = f"raise [{', '.join(kinds)}][seen[0]]"
    outcome = arena.grade(SAYS, 'grader.check("q1")', code, 'grader.check("q2")')
    return any(outcome.shows(f"failed: {kind}") for kind in kinds)


@attack("carry", **SAME)
def tells_it_by_tests_that_fail_on_purpose(arena):
    """Fails just those other tests, whose answers it knows, that stand for the bits of a hidden input."""
    bits = [f"def test_{bit}(g):\n    g({bit})" for bit in range(3)]
    arena.ask(LEARNS.format(count=8), *bits)
    result = arena.submit(SAYS + "def g(bit):\n    if seen[0] >> bit & 1: raise ValueError", honest=3).result
    failed = report.hidden_summary(result.questions[0])
    return uses(arena, sum(1 << bit for bit in range(3) if f"topic {bit + 1}" in failed))


@attack("carry", **SAME)
def tells_it_by_the_status(arena):
    """Lets the next question end, run out of memory, or break the grader's channel, by what it saw."""
    arena.ask(LEARNS.format(count=4))
    arena.ask_more("def test_g(g):\n    g()")
    code = """
        import os
        if seen and seen[0] == 1: os._exit(0)
        if seen and seen[0] == 2: raise MemoryError
        if seen and seen[0] == 3: os.write(3, b"a" * 64)
        def g(): pass
    """
    result = arena.grade(SAYS, 'grader.check("q1")', code, 'grader.check("q2")', honest=1).result
    return uses(arena, ["graded", "died", "memory", "protocol"].index(result.questions[1].status))


@attack("carry", **SAME)
def tells_it_by_the_choice_of_a_hint(arena):
    """Makes just that known mistake whose hint stands for a hidden input."""
    hints = tuple(f"hint number {place}" for place in range(8))
    arena.ask(LEARNS.format(count=8))
    table = f"dict(zip({hints!r}, range(8)))"
    arena.ask_more(f"def test_g(g):\n    from dlcourse import check\n    check.close(g(), 9, mistakes={table})", hints=hints)
    shown = arena.grade(SAYS, 'grader.check("q1")', "def g(): return seen[0]", 'grader.check("q2")').shown
    return uses(arena, next((place for place, hint in enumerate(hints) if hint in shown), -1))


@attack("carry", **SAME)
def tells_it_by_what_is_wrong_in_a_public_test(arena):
    """Chooses whether type, shape, dtype, finiteness or value is wrong: that much a public test says in any case."""
    wrong = {"type": "None", "shape": "np.zeros(2)", "dtype": "0", "finite": "float('nan')", "value": "0.0"}
    arena.ask(LEARNS.format(count=5))
    arena.ask_more(PUBLIC, hidden=False)
    arena.ask_more("def test_h(h):\n    h()")
    code = f"import numpy as np\ndef g(): return [{', '.join(wrong.values())}][seen[0]]"
    outcome = arena.grade(SAYS, 'grader.check("q1")', code, 'grader.check("q2")', *ENDS)
    said = json.loads(report.gradescope(outcome.result))["tests"][1]["output"]
    return uses(arena, next(place for place, kind in enumerate(wrong) if trusted.PLAINLY[kind] in said))
