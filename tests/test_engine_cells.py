"""Cells run as a notebook would run them, question by question."""

import json

import pytest

from autograder import notebook as reading
from autograder.submission import Limits
from tests.engine import QUICK, Work, notebook


@pytest.fixture
def work(tmp_path):
    return Work(tmp_path)


IS_SEVEN = "def test_seven(x):\n    from dlcourse import check\n    check.close(x, 7)"


@pytest.mark.parametrize(
    "cell",
    [
        "%matplotlib inline\nx = 7",
        "%time x = 7",
        "%%time\nx = 7",
        "x = %time 3 + 4",
        "x = 7\n%timeit x = 8",
        "%%capture out\nprint('1234567')\nx = 7",
        "from IPython import get_ipython\nget_ipython().run_line_magic('matplotlib', 'inline')\n%time x = 7",
        "%%time\nimport inspect\ndef f():\n    return 7\nx = eval(inspect.getsource(f).split('return')[1])",
        "%config InlineBackend.figure_format = 'retina'\n%load_ext autoreload\n%autoreload 2\nx = 7",
        "!pip install nothing\n%pip install nothing\nx = 7",
        "files = !ls\nx = 7 + len(files)",
        "x = 7\nx?",
        "from IPython.display import display, HTML\ndisplay(HTML('a'))\ndisplay(3)\nx = 7",
        "handle = display(1, display_id='a')\nhandle.update(2)\nx = 7 if display(1) is None else 0",
        "import ipywidgets as widgets\nslider = widgets.IntSlider(value=7)\ndisplay(slider)\nx = slider.value",
        "import matplotlib.pyplot as plt\nplt.plot([1, 2])\nplt.savefig('a.png')\nplt.show()\nx = 7",
        "get_ipython().run_line_magic('matplotlib', 'inline')\nx = 7",
        "from dlcourse.grader import Notebook\nother = Notebook('hw1')\nother.check('q1')\nx = 7",
        "import inspect\ndef f():\n    return 7\nx = eval(inspect.getsource(f).split('return')[1])",
        "import pickle\nclass A: pass\nx = 7 if isinstance(pickle.loads(pickle.dumps(A())), A) else 0",
        "import tempfile\nwith tempfile.TemporaryFile() as f:\n    f.write(b'1')\nx = 7",
        "import threading\ndone = []\nt = threading.Thread(target=lambda: done.append(7)); t.start(); t.join()\nx = done[0]",
        "from concurrent.futures import ThreadPoolExecutor\nwith ThreadPoolExecutor(2) as p:\n    x = sum(p.map(int, [3, 4]))",
        "from dlcourse import data\nx = 7 if len(data.glyphs(10, seed=1).y) == 10 else 0",
        "from dlcourse import data\nx = 7 if len(data.mnist().y_test) == 2000 else 0",
        "from sklearn.datasets import load_digits\nx = 7 if len(load_digits().data) else 0",
        "import torch\nx = torch.tensor([7.0], requires_grad=True)\n(x * 7).sum().backward()\nx = int(x.grad)",
    ],
)
def test_a_cell_runs_as_in_a_notebook(work, cell):
    work.ask(IS_SEVEN)
    result = work.answer(cell)
    assert result.points == 1, result
    assert ("skipped" in result.note) == ("!" in cell or "%pip" in cell)


@pytest.mark.parametrize(
    "cells",
    [
        ["x = 7", "%%timeit\nx = 8"],
        ["found = []", "%%timeit -n 2 -r3 a = 7\nfound.append(a)", "x = found[0]"],
        ["%%capture out\nprint('1234567')", "x = len(out.stdout.strip())"],
        ["from __future__ import annotations", "%%time\ndef f(a: Nowhere): pass\nx = 7"],
        ["%%time\n3 + 4", "from IPython import get_ipython", "%time y = 7", "x = y"],
    ],
    ids=[
        "nothing bound by timeit",
        "set-up of timeit",
        "captured text",
        "future import and a timed cell",
        "get_ipython imported",
    ],
)
def test_cells_run_as_in_a_notebook(work, cells):
    work.ask(IS_SEVEN)
    result = work.grade(*cells, 'grader.check("q1")').questions[0]
    assert result.points == 1, result


def test_input_raises(work):
    work.ask(IS_SEVEN)
    result = work.answer("x = 7\ny = input('a number')")
    assert result.points == 1 and "input() cannot ask" in result.detail


def test_a_question_sees_what_stands_above_its_check_and_no_more(work):
    work.ask(IS_SEVEN)
    work.ask(IS_SEVEN)
    result = work.grade("x = 7", 'grader.check("q1")', "x = 8", 'grader.check("q2")', "x = 7")
    assert [question.points for question in result.questions] == [1, 0]


def test_a_cell_that_fails_costs_its_own_question(work):
    work.ask(IS_SEVEN)
    work.ask(IS_SEVEN)
    result = work.grade("1/0", 'grader.check("q1")', "x = 7", 'grader.check("q2")')
    assert [question.points for question in result.questions] == [0, 1]
    assert "Code cell 1 failed: ZeroDivisionError: division by zero in line 1." in result.questions[0].detail


def test_a_check_cell_is_found_by_its_text(work):
    work.ask(IS_SEVEN)
    work.ask(IS_SEVEN)
    result = work.grade("x = 7\ngrader.check('q1')", '# grader.check("q2")\nx = 8', "x = 7; grader.check( 'q2' )")
    assert [question.points for question in result.questions] == [1, 1]
    assert result.questions[0].note == ""


def test_a_question_without_its_check_cell_is_tested_at_the_end(work):
    work.ask(IS_SEVEN)
    work.ask("def test_eight(x):\n    from dlcourse import check\n    check.close(x, 8)")
    result = work.grade("x = 7", 'grader.check("q1")', "x = 8")
    assert [question.points for question in result.questions] == [1, 1]
    assert "check cell is missing" in result.questions[1].note and result.questions[0].note == ""
    assert work.grade().points == 0


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "line 1, column 1"),
        (b'{"cells": [\n{"a"\n', "line 3"),
        (b'{"cells": [\n"cut off', "unterminated string in line 2, column 1"),
        (b"\xff\xfe", "UTF-8"),
        (b"[" * 100_000, "not a notebook"),
        (b'{"worksheets": []}', "no cells"),
        (b'{"cells": [{"cell_type": "code", "source": 3}]}', "cell 1 is broken"),
        (b"PK\x03\x04rubbish", "zip"),
    ],
)
def test_what_is_no_notebook_says_where(work, data, says):
    work.ask(IS_SEVEN)
    from autograder import submission

    result = submission.grade(data, work.folder, student="someone", attempt=1, limits=QUICK, seed=1)
    assert (result.status, result.points) == ("unreadable", 0) and says.lower() in result.message_instructor.lower()


def test_zip_files(tmp_path):
    import io
    import zipfile

    def packed(**files):
        made = io.BytesIO()
        with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as opened:
            for name, data in files.items():
                opened.writestr(name, data)
        return made.getvalue()

    one = notebook("x = 7")
    assert reading.read(packed(**{"../../../a.ipynb": one, "b.txt": b""})) == ["x = 7"]
    with pytest.raises(reading.UnreadableError, match="holds 2"):
        reading.read(packed(**{"a.ipynb": one, "b.ipynb": one}))
    with pytest.raises(reading.UnreadableError, match="64 are the most"):
        reading.read(packed(**{"a.ipynb": b" " * (65 << 20)}))


LOOP = "while True:\n    pass"


@pytest.mark.parametrize(
    "cell",
    [
        LOOP,
        "while True:\n    try:\n        while True: pass\n    except Exception: pass",
        "while True:\n    try:\n        while True: pass\n    except BaseException: pass",
        "import signal\nsignal.signal(signal.SIGALRM, signal.SIG_IGN)\nwhile True: pass",
        "sum(range(10**12))",
        "import time\ntime.sleep(1000)",
    ],
)
def test_an_endless_loop_costs_its_own_question(work, cell):
    for _ in range(3):
        work.ask(IS_SEVEN, seconds=1)
    result = work.grade("x = 7", 'grader.check("q1")', "x = 7\n" + cell, 'grader.check("q2")', "x = 7", 'grader.check("q3")')
    assert [(question.status, question.points) for question in result.questions] == [
        ("graded", 1),
        ("timeout", 0),
        ("graded", 1),
    ]
    assert result.status == "timeout" and result.points == 2


@pytest.mark.parametrize(
    ("cell", "status"),
    [
        ("import os\nos._exit(0)", "died"),
        ("import ctypes\nctypes.string_at(0)", "died"),
        ("import os, signal\nos.kill(os.getpid(), signal.SIGKILL)", "died"),
        ("import os\nos.write(3, b'x' * 100)", "protocol"),
        ("import os\nos.close(3)", "died"),
    ],
)
def test_a_process_that_ends_costs_its_own_question(work, cell, status):
    for _ in range(3):
        work.ask(IS_SEVEN, seconds=5)
    result = work.grade("x = 7", 'grader.check("q1")', cell, 'grader.check("q2")', "x = 7", 'grader.check("q3")')
    assert [(question.status, question.points) for question in result.questions] == [("graded", 1), (status, 0), ("graded", 1)]


@pytest.mark.parametrize("cell", ["import sys\nsys.exit()", "exit()", "raise SystemExit", "raise KeyboardInterrupt"])
def test_a_polite_exit_is_an_error_of_its_cell(work, cell):
    work.ask(IS_SEVEN)
    assert work.answer(f"x = 7\n{cell}").points == 1


def test_memory(work):
    work.ask("def test_f(f):\n    f()")
    work.ask(IS_SEVEN)
    result = work.grade("def f():\n    return bytearray(1 << 40)", 'grader.check("q1")', "x = 7", 'grader.check("q2")')
    assert [(question.status, question.points) for question in result.questions] == [("memory", 0), ("graded", 1)]


def test_the_submissions_own_deadline_holds(work):
    import time

    for _ in range(6):
        work.ask(IS_SEVEN, seconds=2)
    began = time.monotonic()
    cells = [cell for k in range(1, 7) for cell in (LOOP, f'grader.check("q{k}")')]
    result = work.grade(*cells, limits=Limits(submission_s=3, grace_s=0.5))
    assert time.monotonic() - began < 8
    assert {question.status for question in result.questions} == {"timeout"} and result.points == 0


def test_the_tests_of_a_question_that_came_before_the_timeout_count(work):
    work.ask("def test_a(f):\n    f(1)", "def test_b(f):\n    f(2)", seconds=1)
    result = work.answer("def f(x):\n    while x == 2: pass")
    assert (result.status, result.points) == ("timeout", 1)


def test_a_result_is_json(work):
    from autograder.results import from_json, to_json

    work.ask(IS_SEVEN)
    result = work.grade("x = 7", 'grader.check("q1")')
    assert from_json(to_json(result)) == result and json.loads(to_json(result))["status"] == "graded"
    assert result.points == 1 and result.versions["python"] and result.cpu_seconds < 1


def test_a_test_that_never_ran_tells_no_hint(work):
    work.ask(IS_SEVEN)
    work.ask(IS_SEVEN)
    result = work.grade("import os\nx = 7\nos._exit(0)", 'grader.check("q1")', "x = 8", 'grader.check("q2")')
    assert [(question.status, question.tests[0].hint) for question in result.questions] == [
        ("died", None),
        ("graded", "the default hint"),
    ]


def test_a_lost_question_without_a_check_cell_costs_no_other(work):
    """Checks that a student deleted are made up for at the end, each by itself."""
    for _ in range(3):
        work.ask("def test_f(f):\n    f()")
    work.ask("def test_g(g):\n    g()")
    first, second, third, fourth = "def f(): pass", "", "", "import os\ndef g(): os._exit(1)"
    result = work.grade(first, second, third, fourth)
    assert [(q.status, q.points) for q in result.questions] == [("graded", 1)] * 3 + [("died", 0)]
    work.questions.reverse()
    for number, question in enumerate(work.questions):
        question["number"] = number
    work.rewrite()
    result = work.grade(first, second, third, fourth)
    assert [(q.status, q.points) for q in result.questions] == [("died", 0)] + [("graded", 1)] * 3


def test_scikit_learn_clusters(work):
    """It looks for libraries of matrices when it is first used, where student code may not look."""
    work.ask(IS_SEVEN)
    code = """
        import numpy as np
        from sklearn.cluster import KMeans
        x = 5 + len(set(KMeans(2, n_init=1).fit(np.array([[0.0], [0.1], [5.0], [5.1]])).labels_))
    """
    result = work.answer(code)
    assert result.points == 1, result.detail


@pytest.mark.parametrize("cell", ["def f[T](x: T): return x", "type A = int", "try: 1\nexcept ValueError, TypeError: 2"])
def test_a_cell_for_a_newer_python_costs_its_own_question(work, cell):
    work.ask(IS_SEVEN)
    work.ask(IS_SEVEN)
    result = work.grade(cell + "\nx = 7", 'grader.check("q1")', "x = 7", 'grader.check("q2")')
    assert [question.points for question in result.questions] == [0, 1]
    assert "Code cell 1, line" in result.questions[0].note and "or newer" in result.questions[0].note
    assert result.questions[1].note == ""


def test_a_last_cell_that_checks_everything_again_moves_no_question(work):
    for _ in range(3):
        work.ask(IS_SEVEN)
    cells = ["x = 7", 'grader.check("q1")', "x = 8", 'grader.check("q2")', "x = 7"]
    result = work.grade(*cells, "for name in []: pass\ngrader.check('q1'); grader.check('q2'); grader.check('q3')")
    assert [question.points for question in result.questions] == [1, 0, 1]


def test_options_of_magics(work):
    work.ask(IS_SEVEN)
    result = work.answer("%timeit -n 10 -r3 1 + 1\nx = 7")
    assert result.points == 1 and result.note == "", result.detail


@pytest.mark.parametrize(
    "code",
    ["def helper():\n    a = 1\n  return a", 'a = %"""', "\n".join(["%time 1"] * 501)],
    ids=["indentation", "a magic without an end", "too many magics"],
)
def test_what_ipython_cannot_read_costs_its_own_question(work, code):
    work.ask(IS_SEVEN)
    work.ask(IS_SEVEN)
    result = work.grade(code, 'grader.check("q1")', "x = 7", 'grader.check("q2")')
    assert [question.points for question in result.questions] == [0, 1]


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("def f(x):\n    return bytearray(1 << 40)", "memory"),
        ("def f(x):\n    while True: pass", "timeout"),
        ("import os\ndef f(x):\n    os._exit(0)", "died"),
        (
            "def f(x):\n    while True:\n        try:\n            while True: pass\n        except BaseException: pass",
            "timeout",
        ),
    ],
    ids=["memory", "soft", "dead", "hard"],
)
def test_a_cell_that_checks_several_questions_lets_none_pay_for_another(work, code, status):
    for name in "fgh":
        work.ask(f"def test_{name}({name}):\n    from dlcourse import check\n    check.close({name}(2), 4)", seconds=1)
    checks = 'grader.check("q1")\ngrader.check("q2")\ngrader.check("q3")'
    result = work.grade(code, "def g(x): return 2 * x", "def h(x): return x + 2", checks)
    assert [(question.status, question.points) for question in result.questions] == [(status, 0), ("graded", 1), ("graded", 1)]
    result = work.grade(
        code.replace("def f(x)", "def f(x=0)") + "\nf()", "def g(x): return 2 * x\ndef h(x): return x + 2", checks
    )
    assert result.points == (2 if status == "memory" else 0), "cells that stop the notebook cost all that they are for"


LOST = [
    ("import os", "def f(x):\n    os._exit(0)", "died"),
    ("import os", "def f(x):\n    pass\nos._exit(0)", "died"),
    (
        "import os",
        "def f(x):\n    while True:\n        try:\n            while True: pass\n        except BaseException: pass",
        "timeout",
    ),
]


@pytest.mark.parametrize(("above", "code", "status"), LOST, ids=["in a test", "in a cell", "for ever in a test"])
def test_what_stands_beside_an_answer_that_ends_the_process_lasts(work, above, code, status):
    """The first question holds the imports of all: they must not be lost with it."""
    work.ask("def test_f(f):\n    from dlcourse import check\n    check.close(f(2), 4)", seconds=1)
    work.ask(IS_SEVEN)
    result = work.grade(above, code, 'grader.check("q1")', "x = 7 if os.sep else 0", 'grader.check("q2")')
    assert [(question.status, question.points) for question in result.questions] == [(status, 0), ("graded", 1)]


def test_a_second_cell_that_ends_the_process_takes_its_question_along(work):
    """A notebook of such cells must not take an attempt for each."""
    work.ask(IS_SEVEN)
    work.ask(IS_SEVEN)
    cells = ["x = 7", *["import os\nos._exit(0)"] * 20, "x = 8", 'grader.check("q1")', "x = 7", 'grader.check("q2")']
    result = work.grade(*cells)
    assert [(question.status, question.points) for question in result.questions] == [("died", 0), ("graded", 1)]
    assert result.seconds < 20


def test_a_future_import_holds_for_the_cells_below(work):
    work.ask(IS_SEVEN)
    assert work.grade("from __future__ import annotations", "def f(a: Nowhere): pass\nx = 7", 'grader.check("q1")').points == 1
