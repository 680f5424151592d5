"""The twelve rules of the grading engine, by their numbers. Each attack fails, and works when its one protection is off."""

import json
import time
from dataclasses import replace

import pytest

from autograder import escaping, folders, landlock, proxies, report, submission, syscalls, trusted, wire
from autograder.results import to_json
from autograder.submission import Limits
from dlcourse import check
from tests.engine import QUICK, Work, notebook


@pytest.fixture
def work(tmp_path):
    return Work(tmp_path)


SUM_TEST = """
    def test_sum(total):
        import numpy as np
        from dlcourse import check
        x = check.rng(7).standard_normal(5)
        {comparison}
"""


def test_rule_1_an_empty_array_equals_nothing(work):
    work.ask(SUM_TEST.format(comparison="check.close(total(x), x.sum(keepdims=True))"))
    attack = "import numpy as np\ndef total(x):\n    return np.empty((0,))"
    assert work.answer(attack).points == 0
    work.questions.clear()
    work.ask(SUM_TEST.format(comparison="if not np.allclose(total(x), x.sum(keepdims=True)): raise ValueError"))
    assert work.answer(attack).points == 1, "raw allclose takes an empty array for right"


POSER = """
    class Poser:
        def __len__(self): return 3
        def __eq__(self, other): return True
        def __bool__(self): return True
        __hash__ = None
    answer = Poser()
"""


def test_rule_2_a_students_object_cannot_pose_as_a_value(work, monkeypatch):
    work.ask(
        "def test_length(answer):\n    if len(answer) != 3:\n        raise ValueError",
        "def test_equal(answer):\n    if answer != [1, 2, 3]:\n        raise ValueError",
    )
    assert work.answer("answer = [1, 2, 3]").points == 2
    assert work.answer(POSER).points == 0

    def over_there(self):
        return self._student_link.call(self._student_attribute("__len__"), (), {})

    monkeypatch.setattr(proxies.StudentObject, "__len__", over_there)
    monkeypatch.setattr(proxies.StudentObject, "__ne__", lambda self, other: False)
    assert work.answer(POSER, here=True).points == 2


@pytest.mark.parametrize(
    "lie",
    [
        "class A(int):\n    def __eq__(self, other): return True\n    def __ne__(self, other): return False\nanswer = A(5)",
        "class A(str):\n    def __ne__(self, other): return False\nanswer = A('x')",
        "import numpy as np\nclass A(np.ndarray):\n    def __ne__(self, other): return False\nanswer = np.zeros(3).view(A)",
        "import torch\nclass A(torch.Tensor):\n    def __ne__(self, other): return False\nanswer = torch.zeros(3).as_subclass(A)",
        "class A:\n    def __array__(self, *a, **k):\n        import numpy as np\n        return np.full((), 7)\nanswer = A()",
        "class A:\n    def __float__(self): return 7.0\n    def __index__(self): return 7\nanswer = A()",
    ],
)
def test_rule_2_subclasses_of_plain_types_are_objects(work, lie):
    work.ask("def test_seven(answer):\n    from dlcourse import check\n    check.close(answer, 7)\n")
    assert work.answer("answer = 7").points == 1
    assert work.answer(lie).points == 0


CONSTANT = "import numpy as np\ndef value(x): return 3.0\ndef slope(x): return np.zeros_like(x)"


def test_rule_3_gradients_are_checked_against_the_tests_own_function(work):
    test = """
        def test_slope(value, slope):
            from dlcourse import check
            x = check.rng(1).standard_normal(3)
            check.grad(slope(x), {function}, x)
    """
    work.ask(test.format(function="lambda x: float((x**2).sum())"))
    assert work.answer("def value(x): return (x**2).sum()\ndef slope(x): return 2 * x").points == 1
    assert work.answer(CONSTANT).points == 0
    work.questions.clear()
    work.ask(test.format(function="value"))
    assert work.answer(CONSTANT).points == 1, "a constant with zero gradient is consistent with itself"


def test_rule_4_inputs_are_drawn_where_the_student_cannot_draw_them(work):
    test = """
        def test_guess(guess):
            import numpy as np
            from dlcourse import check
            check.close(guess(), {draw}.standard_normal(4))
    """
    attack = "import numpy as np\nstate = np.random.get_state()\ndef guess():\n    return np.random.standard_normal(4)"
    work.ask(test.format(draw="check.rng(38000)"))
    assert work.answer(attack).points == 0
    work.questions.clear()
    work.ask(test.format(draw="np.random"))
    assert work.answer(attack).points == 1, "global random state is inherited by both sides"


def test_rule_4_no_test_is_open_before_the_students_side_exists(work, monkeypatch):
    """What the trusted side knows when it forks, the student's side knows."""
    work.ask('def test_x(x):\n    "the secret of this test"\n    raise ValueError')
    search = """
        import gc
        names = [o for o in gc.get_objects() if type(o) is dict and type(o.get("deadline_s")) is int]
        text = [o["folder"] for o in names]
        raise ValueError(f"found {text}")
    """
    assert "found []" in work.answer(search).detail
    real = trusted._fork_student

    def late(cells, bounds):
        trusted.kept = {"deadline_s": 1, "folder": [str(work.folder)]}  # a dict of plain values alone is not tracked
        return real(cells, bounds)

    monkeypatch.setattr(trusted, "_fork_student", late)
    assert str(work.folder) in work.answer(search, here=True).detail


def test_rule_5_a_change_in_place_comes_back_only_where_the_test_looks_for_it(work, monkeypatch):
    work.ask("""
        def test_double(double):
            from dlcourse import check
            x = check.rng(1).standard_normal(3)
            check.close(double(x), 2 * x)
    """)
    attack = "def double(x):\n    x[...] = 0\n    return x * 1"
    assert work.answer("def double(x): return 2 * x").points == 1
    assert work.answer(attack).points == 0
    monkeypatch.setattr(check, "is_in_place", lambda: True)
    assert work.answer(attack, here=True).points == 1
    monkeypatch.undo()
    work.questions.clear()
    work.ask("""
        def test_unchanged(double):
            from dlcourse import check
            x = check.rng(1).standard_normal(3)
            with check.unchanged(x=x):
                double(x)
    """)
    assert work.answer(attack).points == 0 and work.answer("def double(x): return 2 * x").points == 1


CARRY = """
    seen = []
    def f(x):
        seen.append(x)
        raise ValueError(f"the input was {x!r}")
"""


def told(result):
    """All that a student sees."""
    return report.page(result) + report.gradescope(result)


def test_rule_6_no_text_of_the_students_is_told(work, monkeypatch):
    work.ask("def test_f(f):\n    f(73.0519)")
    work.ask("def test_g(g):\n    from dlcourse import check\n    check.close(g(), 1.0)", hidden=False)
    cells = [CARRY, 'grader.check("q1")', "def g(): return seen[0]\nraise ValueError(seen)", 'grader.check("q2")']
    result = work.grade(*cells)
    assert "73.05" not in told(result) and "ValueError" not in told(result)
    assert result.questions[0].tests[0].hint == "the default hint" and result.questions[0].tests[0].message is None
    assert "73.05" in result.questions[1].detail and "73.05" in result.questions[1].tests[0].detail, "for the instructor"
    monkeypatch.setattr(trusted, "_message", lambda error, names: str(error))
    assert "73.05" in told(work.grade(*cells, here=True))


def test_rule_6_which_cell_fails_and_how_is_told_to_instructors_alone(work):
    """Not even before a hidden input is known: this process could have one from an earlier submission, whatever way there is."""
    work.ask("def test_f(f):\n    f()")
    result = work.grade("x = 1\nraise KeyError", "2", "def f(): pass\nraise TypeError(3)", 'grader.check("q1")')
    question = result.questions[0]
    assert question.note == "A code cell of this question failed: run the notebook from the top to see it."
    assert (
        "Code cell 1 failed: KeyError" in question.detail and "Code cell 3 failed: TypeError: 3 in line 2." in question.detail
    )
    assert question.points == 1 and "KeyError" not in told(result) and "cell 3" not in told(result)


def test_rule_6_a_hint_is_one_of_the_authors(work):
    work.ask(
        "def test_f(f):\n    from dlcourse import check\n    raise check.CheckError('value', 'x', hint=f())",
        hints=("one of the author's",),
    )
    assert work.answer("def f(): return 'mine'").tests[0].hint == "the default hint"
    assert work.answer('def f(): return "one of the author\'s"').tests[0].hint == "one of the author's"


DRIP = """
    import os, struct, time
    def f():
        os.write(3, struct.pack("<II", 4000, 0))
        for _ in range(40):
            os.write(3, b" ")
            time.sleep(0.2)
"""


def test_rule_7_a_slow_drip_cannot_stretch_a_deadline(work, monkeypatch):
    work.ask("def test_f(f):\n    f()", seconds=1)
    work.ask("def test_g(g):\n    g()")
    cells = [DRIP, 'grader.check("q1")', "def g(): pass", 'grader.check("q2")']
    began = time.monotonic()
    result = work.grade(*cells)
    assert [(q.status, q.points) for q in result.questions] == [("timeout", 0), ("graded", 1)]
    assert time.monotonic() - began < 5

    def patient(self, event):
        self.deadline = time.monotonic() + 1
        real(self, event)

    real = wire.Pipe._wait
    monkeypatch.setattr(wire.Pipe, "_wait", patient)
    monkeypatch.setattr(trusted, "LATE_S", 60)
    began = time.monotonic()
    work.grade(*cells, here=True)
    assert time.monotonic() - began > 6, "with a deadline for each read, a drip goes on"


def test_rule_7_a_reply_to_nothing_is_noticed(work):
    work.ask("def test_f(f):\n    f()\n    f()")
    attack = """
        import json, os, struct
        def f():
            data = json.dumps({"id": 10**6, "value": 1}).encode()
            os.write(3, struct.pack("<II", len(data), 0) + data)
    """
    assert work.answer(attack).status == "protocol"


def test_rule_8_memory_that_runs_out_in_the_test_costs_the_question(work, monkeypatch):
    work.ask("def test_f(f):\n    import numpy as np\n    np.abs(f() - np.zeros(200_000)).max()")
    work.ask("def test_g(g):\n    g()")
    cells = [
        "import numpy as np\ndef f(): return np.zeros((200_000, 1))",
        'grader.check("q1")',
        "def g(): pass",
        'grader.check("q2")',
    ]
    result = work.grade(*cells)
    assert [(q.status, q.points) for q in result.questions] == [("memory", 0), ("graded", 1)]
    assert result.status == "memory" and result.points == 1

    def unguarded(self, test, case):
        case.body.call_func(trusted.Names(self.link))
        return trusted._result(test, True)

    monkeypatch.setattr(trusted.Trusted, "_one", unguarded)
    assert work.grade(*cells, here=True).points is None, "a fault of the student's would pass for one of the grader's"


FILES = """
    import time
    def f():
        for i in range(40):
            with open(f"{i}.bin", "wb") as opened:
                opened.write(b"x" * (1 << 20))
            time.sleep(0.05)
"""


def test_rule_9_files_have_a_quota_in_total(work, monkeypatch):
    work.ask("def test_f(f):\n    f()")
    limits = Limits(submission_s=60, grace_s=0.5, scratch_mb=8)
    result = work.answer(FILES, limits=limits)
    assert (result.status, result.points) == ("died", 0) and "more than 8 MB" in result.note
    monkeypatch.setattr(submission, "is_overfull", lambda folder, most_mb: False)
    assert work.answer(FILES, limits=limits, here=True).points == 1


UNSEEN = """
    import mmap, os, time
    kept = []
    def f():
        for i in range(20):
            with open(f"{i}.bin", "w+b") as opened:
                opened.write(b"x" * (1 << 20))
                opened.flush()
                kept.append(mmap.mmap(opened.fileno(), 4096))
            os.unlink(f"{i}.bin")
            time.sleep(0.05)
"""


def test_rule_9_deleted_files_that_are_still_held_count(work, monkeypatch):
    work.ask("def test_f(f):\n    f()")
    limits = Limits(submission_s=60, grace_s=0.5, scratch_mb=8)
    result = work.answer(UNSEEN, limits=limits)
    assert (result.status, result.points) == ("died", 0) and "more than 8 MB" in result.note
    monkeypatch.setattr(syscalls, "NUMBERS", syscalls.NUMBERS | syscalls.NOT_DONE)
    monkeypatch.setattr(landlock, "WRITE", landlock.WRITE | landlock.REMOVE_FILE)
    assert work.answer(UNSEEN, limits=limits, here=True).points == 1, "deleted, mapped, and nowhere to be counted"


@pytest.mark.parametrize(
    "code",
    [
        "for i in range(20):\n        os.mkdir('d' * 250)\n        os.chdir('d' * 250)",
        "for i in range(1200): open(str(i), 'w').close()",
    ],
    ids=["deeper than a path", "many files"],
)
def test_rule_9_what_cannot_be_counted_is_too_much(work, code):
    work.ask("def test_f(f):\n    f()")
    result = work.answer(f"import os, time\ndef f():\n    {code}\n    time.sleep(2)")
    assert (result.status, result.points) == ("died", 0)


def test_rule_9_holes_and_temporary_files_do_no_harm(work):
    work.ask("def test_f(f):\n    f()")
    code = """
        import tempfile
        def f():
            for i in range(20):
                with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryFile() as opened:
                    opened.truncate(30 << 20)
                    with tempfile.NamedTemporaryFile(dir=folder) as named:
                        named.write(b"a")
    """
    assert work.answer(code).points == 1


def test_rule_9_what_is_left_is_deleted_without_following_it(tmp_path):
    outside, scratch = tmp_path / "outside", tmp_path / "pair" / "scratch"
    outside.mkdir()
    (outside / "kept").write_text("kept")
    deep = scratch
    scratch.mkdir(parents=True)
    (scratch / "link").symlink_to(outside)
    for _ in range(300):
        deep = deep / "d"
        deep.mkdir()
    folders.remove(scratch)
    assert not scratch.exists() and (outside / "kept").exists()
    assert list((tmp_path / "pair").iterdir()) == []


def test_rule_10_each_submission_has_inputs_of_its_own(work):
    work.ask("""
        def test_square(square):
            from dlcourse import check
            x = check.rng(38001).standard_normal(4)
            check.close(square(x), x**2)
    """)
    with check.grading_seed(1):
        learnt = check.rng(38001).standard_normal(4) ** 2
    attack = f"import numpy as np\ndef square(x): return np.array({learnt.tolist()})"
    assert work.answer(attack, seed=2).points == 0
    assert work.answer(attack, seed=1).points == 1, "with the same inputs again, what leaked once is the answer"
    assert work.answer("import time\ntime.sleep(0.3)").seconds == 0, "times are rounded to seconds"


HOSTILE = "<script>alert(1)</script>\x1b[31m=cmd|' /C calc'!A0 ../../x"


def test_rule_11_text_of_the_students_is_hostile_on_the_way_out(work, monkeypatch):
    work.ask("def test_f(f):\n    f()", hidden=False)
    result = work.grade(f"def f(): raise ValueError({HOSTILE!r})", 'grader.check("q1")')
    assert HOSTILE in result.questions[0].tests[0].detail, "the result holds it as data"
    assert "\x1b" not in to_json(result) and to_json(result).isascii()
    assert "alert(1)" not in told(result)
    page = report.page(replace(result, student=HOSTILE))
    assert "alert(1)" in page and "<script>alert" not in page and "\x1b" not in page
    monkeypatch.setattr(report, "for_html", lambda text, lines=False: escaping.visible(text, lines))
    assert "<script>alert" in report.page(replace(result, student=HOSTILE))
    monkeypatch.setattr(escaping, "visible", lambda text, lines=False: text)
    assert "\x1b" in report.page(replace(result, student=HOSTILE))


def test_rule_12_who_submitted_is_not_what_the_notebook_says(work, monkeypatch):
    work.ask("def test_f(f):\n    f()")
    made = json.loads(notebook("def f(): pass", 'grader.check("q1")'))
    made["metadata"] = {"student": "somebody else", "authors": [{"name": "somebody else"}]}
    result = submission.grade(json.dumps(made).encode(), work.folder, student="someone", attempt=3, limits=QUICK, seed=1)
    assert (result.student, result.attempt, result.points) == ("someone", 3, 1)
    real = submission._facts

    def believing(manifest, data, student, attempt):
        return real(manifest, data, json.loads(data)["metadata"]["student"], attempt)

    monkeypatch.setattr(submission, "_facts", believing)
    result = submission.grade(json.dumps(made).encode(), work.folder, student="someone", attempt=3, limits=QUICK, seed=1)
    assert result.student == "somebody else", "a name in the file hands points to whomever it names"
