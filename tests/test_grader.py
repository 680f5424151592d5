"""The student's side of a homework: check and export, from one notebook file and dlcourse alone."""

import builtins
import contextlib
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import textwrap
import threading
import time
import tokenize
import zipfile
from pathlib import Path

import nbformat
import numpy as np
import psutil
import pytest
import torch
from IPython.core.interactiveshell import InteractiveShell

import dlcourse
from coursebuild import build
from coursebuild.execute import execute
from dlcourse import check
from dlcourse.grader import Notebook, calls, export, find, source
from dlcourse.grader.book import UnknownQuestionError
from dlcourse.grader.find import NotFoundError
from dlcourse.grader.source import UnreadableError

RELEASE = "homework/hw0_sample/hw0_sample.ipynb"
RIGHT = """
def softmax(logits):
    exponentials = np.exp(logits - logits.max(-1, keepdims=True))
    return exponentials / exponentials.sum(-1, keepdims=True)
"""
WRONG = """
def softmax(logits):
    return np.exp(logits) / np.exp(logits).sum(axis=0)
"""


@pytest.fixture(autouse=True)
def no_front_end(monkeypatch):
    """A session that started pytest may itself tell of a notebook."""
    monkeypatch.delenv("JPY_SESSION_NAME", raising=False)
    monkeypatch.delenv(export.IN_EXPORT, raising=False)


@pytest.fixture
def shell():
    """An IPython without a kernel, fresh for each test."""
    running = InteractiveShell.instance()
    running.reset(new_session=True)
    yield running
    running.reset(new_session=True)


@pytest.fixture
def release(course):
    build.build(course)
    return course.root / RELEASE


@pytest.fixture
def alone(release, tmp_path, monkeypatch):
    """The release under a name of the student's, the only file of the working directory."""
    folder = tmp_path / "an empty folder"
    folder.mkdir()
    shutil.copy(release, folder / "my homework.ipynb")
    monkeypatch.chdir(folder)
    return folder / "my homework.ipynb"


def code_of(path: Path) -> list[str]:
    return [cell.source for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]


def run(shell, *cells: str) -> None:
    for cell in cells:
        shell.run_cell(cell, store_history=True).raise_error()


def edit(path: Path, before: str, after: str) -> None:
    """Change the notebook's cells as an editor does."""
    nb = nbformat.read(path, as_version=4)
    assert any(before in cell.source for cell in nb.cells)
    for cell in nb.cells:
        cell.source = cell.source.replace(before, after)
    nbformat.write(nb, path)


def answer(path: Path, text: str = RIGHT) -> None:
    nb = nbformat.read(path, as_version=4)
    [cell] = [cell for cell in nb.cells if cell.source.startswith("def softmax")]
    cell.source = text.strip() + "\n\n\ntemperature_of_choice = 1.0"
    nbformat.write(nb, path)


def stop_in(seconds: float) -> None:
    """Press stop, as a front end does: by a signal to the main thread."""
    threading.Timer(seconds, lambda: signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)).start()


def small_book(function, *needs_hidden, **facts) -> Notebook:
    """A grader with one public test of one question."""
    book = Notebook("hw0")
    question = book.question("q1", "Softmax", points=2, **{"defines": ["f"], **facts})
    question.public("topic", points=1, hint="the author's hint")(function)
    for topic in needs_hidden:
        question.hidden(topic, points=0.5)
    return book


# check


def test_a_right_answer_and_what_remains(shell, alone):
    run(shell, *code_of(alone)[:2], RIGHT)
    result = shell.user_ns["grader"].check("q1")
    assert result.all_passed
    assert result.summary() == "2 of 2 public tests passed; 2 hidden tests remain, on: large logits, shift invariance"
    for shown in (repr(result), result._repr_html_()):
        assert "rows sum to one" in shown and result.summary() in shown and "Question 1. Softmax" in shown


def changes(x):
    x[1][0][:] = 1
    return 1.0


def drops(x):
    x.pop()
    return 1.0


@pytest.mark.parametrize("f", [changes, drops])
@pytest.mark.parametrize("is_looked_at", [False, True])
def test_a_changed_argument_fails_as_on_the_grader_unless_the_test_looks_for_it(shell, f, is_looked_at):
    def test(f):
        x = [2, (np.zeros(3),)]
        with check.in_place() if is_looked_at else contextlib.nullcontext():
            check.close(f(x), 1.0)

    [outcome] = small_book(test).check("q1", {"f": f}).outcomes
    assert outcome.state == ("passed" if is_looked_at else "failed")
    assert is_looked_at or outcome.hint == check.CHANGED


def test_a_wrong_answer_is_shown_with_input_output_and_hint(shell, alone):
    run(shell, *code_of(alone)[:2], WRONG)
    result = shell.user_ns["grader"].check("q1")
    assert [outcome.state for outcome in result.outcomes] == ["failed", "passed"]
    text, page = repr(result), result._repr_html_()
    assert "softmax(array([[0., 0., 0.]," in text and "returned array([[0.5, 0.5, 0.5]," in text
    assert "the result is 1.5 at index 0 where 1 is expected" in text
    assert "Hint: the columns sum to one, the rows do not" in text, "a recognised mistake gets its own hint"
    assert "1 of 2 public tests passed; 2 hidden tests remain" in text
    assert "returned array" in page and "Hint: the columns sum to one" in page


def test_the_students_own_line_is_named(shell, alone):
    run(shell, *code_of(alone)[:2], "def softmax(logits):\n    scale = 0\n    return logits / undefined_name")
    text = repr(shell.user_ns["grader"].check("q1"))
    assert "NameError: name 'undefined_name' is not defined — line 3 of softmax(): return logits / undefined_name" in text
    assert "did not return" in text and "Hint: what do you divide by, and along which axis?" in text


def test_an_untouched_release_is_not_written_yet(shell, alone):
    run(shell, *code_of(alone)[:-1])
    result = shell.user_ns["grader"].check("q1")
    assert {outcome.state for outcome in result.outcomes} == {"open"} and result.passed == 0
    assert "not written yet" in repr(result) and "q1: softmax() is yours to write" in repr(result)
    run(shell, "softmax = ...")
    assert "softmax is not written yet: it is still `...`" in repr(shell.user_ns["grader"].check("q1"))
    run(shell, "softmax = {'a': 1, 'b': ...}")
    assert "softmax['b'] is not written yet: it is still `...`" in repr(shell.user_ns["grader"].check("q1"))


def test_a_missing_name_tells_which_cell_to_run(shell, alone):
    run(shell, *code_of(alone)[:2])
    text = repr(shell.user_ns["grader"].check("q1"))
    assert "softmax is not there yet. Run the cell under “Question 1. Softmax” that defines it." in text
    assert "0 of 2 public tests passed" in text


def test_unknown_questions_and_a_folded_cell_that_was_not_run(shell, alone):
    run(shell, code_of(alone)[0])
    with pytest.raises(UnknownQuestionError, match="run the folded cell below the set-up cell"):
        shell.user_ns["grader"].check("q1")
    run(shell, code_of(alone)[1])
    with pytest.raises(UnknownQuestionError, match=r"no question 'Q1'\. Did you mean 'q1'"):
        shell.user_ns["grader"].check("Q1")
    assert "A person reads this answer, for 1 point:" in repr(shell.user_ns["grader"].check("q2"))


def test_check_all(shell, alone):
    run(shell, *code_of(alone)[:2], WRONG)
    results = shell.user_ns["grader"].check_all()
    assert [result.question.id for result in results.results] == ["q1"]
    assert "1 of 2 public tests passed" in repr(results) and "1 of 2 public tests passed" in results._repr_html_()


def test_the_words_of_the_summary():
    def summary(*hidden, **facts):
        return small_book(lambda: None, *hidden, **facts).check("q1", {}).summary()

    assert summary() == "1 of 1 public test passed; no hidden tests remain"
    assert summary("empty input") == "1 of 1 public test passed; 1 hidden test remains, on: empty input"
    book = Notebook("hw0")
    book.question("q1", "x", points=1).hidden("a", points=1)
    assert book.check("q1", {}).summary() == "No public tests; 1 hidden test remains, on: a"


def test_check_changes_neither_names_nor_random_states():
    def disturbing(f, data):
        np.random.seed(1)
        random.seed(1)
        torch.manual_seed(1)
        data[:] = 7
        f()

    names = {"data": np.zeros(3)}
    exec("def f():\n    global made, kept\n    made, kept = 1, 2\n    raise ValueError('after the harm')", names)
    names["kept"] = kept = [1]
    before = set(names)
    states = np.random.get_state()[1].copy(), random.getstate(), torch.get_rng_state()
    result = small_book(disturbing).check("q1", names)
    assert result.outcomes[0].state == "failed", "the test did its harm"
    assert set(names) == before and names["kept"] is kept and (names["data"] == 0).all()
    assert (np.random.get_state()[1] == states[0]).all() and random.getstate() == states[1]
    assert torch.equal(torch.get_rng_state(), states[2])


def test_a_test_that_passes_leaves_random_states_too():
    state = np.random.get_state()[1].copy()
    assert small_book(lambda: np.random.rand(5)).check("q1", {}).all_passed
    assert (np.random.get_state()[1] == state).all()


def test_stop_passes_through_and_leaves_everything_in_place():
    def endless(f):
        f()

    names = {}
    exec("class f:\n    def __init__(self):\n        while True: pass", {"__name__": "__main__"}, names)
    init = names["f"].__init__
    book = small_book(endless)
    stop_in(0.3)
    start = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        book.check("q1", names)
    assert time.monotonic() - start < 5
    assert names["f"].__init__ is init


def test_an_answer_may_fail_in_every_way():
    def exits(f):
        f()

    for body in ("import sys; sys.exit(3)", "return f()", "raise Exception", "class E(Exception): __str__ = None\n    raise E"):
        names = {}
        exec(f"def f():\n    {body}", names)
        result = small_book(exits).check("q1", names)
        assert result.outcomes[0].state == "failed", body
        assert repr(result) and result._repr_html_()


def test_html_of_an_answer_is_text():
    def raises(f):
        raise check.CheckError("value", "got <script>alert(1)</script>", hint="<b>no</b>")

    page = small_book(raises).check("q1", {"f": 1})._repr_html_()
    assert "<script>" not in page and "&lt;script&gt;" in page and "<b>no</b>" not in page


# What is recorded of calls


def test_methods_are_recorded_and_classes_stay_what_they_are():
    names = {"__name__": "__main__"}
    exec("class Layer:\n    def __init__(self, n):\n        self.n = n\n    def forward(self, x):\n        return self.help(x)\n    def help(self, x):\n        return x * self.n", names)  # fmt: skip
    cls, forward = names["Layer"], names["Layer"].forward

    def uses(Layer):
        assert Layer is cls and type(Layer(2)) is cls
        layer = Layer(3)
        check.close(layer.forward(np.ones(2)), np.full(2, 4.0))

    outcome = small_book(uses).check("q1", names).outcomes[0]
    assert outcome.call == "Layer.forward(array([1., 1.]))\nreturned array([3., 3.])", "the call of the test, not those inside"
    assert cls.forward is forward


def test_arguments_are_shown_as_they_were_and_large_ones_by_shape():
    def spoils(f):
        f(np.zeros(2), big=np.zeros((100, 3), dtype=np.float32))
        raise check.CheckError("value", "no")

    names = {}
    exec("def f(x, big):\n    x[:] = 9\n    return big", names)
    call = small_book(spoils).check("q1", names).outcomes[0].call
    assert call == "f(array([0., 0.]), big=<ndarray of shape (100, 3), float32>)\nreturned <ndarray of shape (100, 3), float32>"


def test_matrices_are_shown_with_their_rows_below_one_another():
    def fails(f):
        f(1, x=np.eye(2))
        raise check.CheckError("value", "no")

    names = {}
    exec("def f(n, x):\n    return x / 3", names)
    outcome = small_book(fails).check("q1", names)
    expected = """\
f(1, x=array([[1., 0.],
              [0., 1.]]))
returned array([[0.333333, 0.      ],
                [0.      , 0.333333]])"""
    assert outcome.outcomes[0].call == expected and expected in outcome._repr_html_()


def test_values_that_cannot_show_themselves():
    class Silent:
        def __repr__(self):
            raise ValueError

    assert calls.show(Silent()) == "<Silent>"
    assert calls.show("x" * 1000).endswith("…") and len(calls.show("x" * 1000)) < 400
    assert calls.show(torch.zeros(1000)) == "<Tensor of shape (1000,), torch.float32>"


# Alone in a folder, as a student has it


def python_alone(folder: Path, script: str) -> subprocess.CompletedProcess:
    """Run in the folder, with dlcourse and no other part of this repository on the path."""
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    environment["PYTHONPATH"] = str(Path(dlcourse.__file__).parent.parent)
    head = (
        "import sys\nfor name in ('coursebuild', 'otter', 'jupytext', 'nbclient', 'nbformat'):\n    sys.modules[name] = None\n"
    )
    command = [sys.executable, "-c", head + textwrap.dedent(script)]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, env=environment)


def test_one_file_in_an_empty_folder_is_enough(alone):
    answer(alone)
    done = python_alone(
        alone.parent,
        """
        import json, time
        cells = ["".join(c["source"]) for c in json.load(open("my homework.ipynb"))["cells"] if c["cell_type"] == "code"]
        names = vars(sys.modules["__main__"])
        times = []
        for cell in cells[:-1]:
            start = time.perf_counter()
            exec(cell, names)
            times.append(time.perf_counter() - start)
        result = grader.check("q1")
        print(result.summary())
        print(max(times[2:]) < 1, times)
        print(grader.export())
        """,
    )
    assert done.returncode == 0, done.stderr
    assert "2 of 2 public tests passed; 2 hidden tests remain, on: large logits, shift invariance" in done.stdout
    assert "\nTrue [" in done.stdout, "a check takes less than a second"
    assert "The notebook runs from the top, within its times." in done.stdout
    names = sorted(path.name for path in alone.parent.iterdir())
    assert len(names) == 2 and names[0].startswith("hw0_") and names[1] == "my homework.ipynb"


# export


def test_export_of_a_right_answer(shell, alone, capsys):
    answer(alone)
    run(shell, *code_of(alone)[:-1])
    made = shell.user_ns["grader"].export()
    assert made.problems == []
    assert made.results["q1"] == {
        "summary": "2 of 2 public tests passed; 2 hidden tests remain, on: large logits, shift invariance",
        "passed": 2,
        "tests": 2,
    }
    assert made.path.parent == alone.parent and str(made.path) in repr(made) and str(made.path) in made._repr_html_()
    with zipfile.ZipFile(made.path) as packed:
        assert sorted(packed.namelist()) == ["my homework.ipynb", "submission.json"]
        assert packed.read("my homework.ipynb") == alone.read_bytes()
        about = json.loads(packed.read("submission.json"))
    assert about["assignment"] == "hw0" and about["problems"] == [] and about["public_tests"] == made.results
    assert "5 of 5 cells run" in capsys.readouterr().out


def test_an_untouched_release_is_told_of_and_exported(shell, alone):
    run(shell, *code_of(alone)[:-1])
    made = shell.user_ns["grader"].export()
    assert made.results["q1"]["passed"] == 0 and made.path.exists()


def test_order_dependence_names_both_cells(shell, alone):
    answer(alone, RIGHT.replace("exponentials =", "exponentials = scale *"))
    nb = nbformat.read(alone, as_version=4)
    nb.cells.insert(7, nbformat.v4.new_code_cell("# set late\nscale = 1.0"))
    nb.cells.insert(6, nbformat.v4.new_code_cell("half = scale / 2"))
    nbformat.write(nb, alone)
    cells = code_of(alone)
    run(shell, "scale = 1.0", *cells[:-1])
    made = shell.user_ns["grader"].export()
    [problem] = [problem for problem in made.problems if "half" in problem]
    assert problem.startswith(
        "code cell 4 (half = scale / 2) uses scale, which is defined only later, in code cell 6 (scale = 1.0)."
    )
    assert "It works in this session, because the name is still there." in problem
    assert made.path.exists()


def test_a_deleted_cell_is_missed(shell, alone):
    answer(alone)
    edit(alone, "temperature_of_choice = 1.0", "temperature_of_choice = gone * 2")
    run(shell, *code_of(alone)[:2], "gone = 1", *code_of(alone)[2:-1])
    made = shell.user_ns["grader"].export()
    assert any("uses gone, which no cell above it defines: was that cell deleted or renamed?" in p for p in made.problems)
    assert any("a cell that the saved file does not hold (gone = 1)" in p for p in made.problems)


def test_unsaved_changes(shell, alone):
    answer(alone)
    cells = code_of(alone)
    run(shell, *cells[:-1])
    paths = alone, source.read(alone)
    assert list(export.unsaved(paths[1], paths[0])) == []
    run(shell, cells[2].replace("1.0", "2.0"))
    [problem] = export.unsaved(paths[1], paths[0])
    assert "does not hold (def softmax(logits):)" in problem and "save the notebook" in problem
    run(shell, cells[2], "softmax(np.eye(2))")
    assert list(export.unsaved(paths[1], paths[0])) == [], "what is saved was run last; a glance at a value is no loss"


@pytest.mark.receipt("kit")
def test_time_limits_and_endless_cells(shell, alone, monkeypatch):
    answer(alone)
    edit(alone, "temperature_of_choice = 1.0", "temperature_of_choice = 1.0\nimport time\ntime.sleep(1.5)")
    edit(alone, "seconds=5", "seconds=1")
    run(shell, *code_of(alone)[:2])
    made = shell.user_ns["grader"].export()
    assert made.problems == ["Question 1. Softmax took 2 s here, and the grader gives it 1 s."]
    edit(alone, "time.sleep(1.5)", "while True: pass")
    monkeypatch.setattr(export, "UNTIMED", 20)
    start = time.monotonic()
    made = shell.user_ns["grader"].export()
    assert time.monotonic() - start < 60
    assert re.search(r"code cell 3 \(def softmax\(logits\):\) was stopped after 1\d s\.", made.problems[0])
    assert made.results["q1"]["passed"] == 2, "the cells after it were run all the same"


def test_a_kernel_that_dies_is_told_of(shell, alone):
    answer(alone)
    edit(alone, "temperature_of_choice = 1.0", "import os\nos._exit(1)")
    run(shell, *code_of(alone)[:2])
    made = shell.user_ns["grader"].export()
    assert made.path.exists() and len(made.problems) == 1
    assert "ended the kernel (out of memory?); the cells below it were not run" in made.problems[0]


@pytest.mark.receipt("kit")
def test_stopping_an_export_leaves_the_zip_and_no_kernel(shell, alone):
    answer(alone)
    edit(alone, "temperature_of_choice = 1.0", "while True: pass")
    run(shell, *code_of(alone)[:2])
    stop_in(4)
    start = time.monotonic()
    made = shell.user_ns["grader"].export()
    assert time.monotonic() - start < 15
    assert made.problems == ["You stopped the run, so the notebook was not tried from the top."] and made.path.exists()
    assert [
        p
        for p in psutil.process_iter(["cmdline", "cwd"])
        if "ipykernel_launcher" in (p.info["cmdline"] or []) and p.info["cwd"] == str(alone.parent)
    ] == []


def test_an_export_inside_an_export_does_nothing(shell, alone, monkeypatch, capsys):
    run(shell, *code_of(alone)[:2])
    monkeypatch.setenv(export.IN_EXPORT, "1")
    assert shell.user_ns["grader"].export() is None
    assert not list(alone.parent.glob("*.zip"))


def test_nothing_is_overwritten(alone, monkeypatch):
    monkeypatch.setattr(export.time, "strftime", lambda *args: "20260101_000000")
    paths = [export.write("hw0", "a.ipynb", b"{}", [], {}, alone.parent) for _ in range(3)]
    assert [path.name for path in paths] == [
        "hw0_20260101_000000.zip",
        "hw0_20260101_000000_2.zip",
        "hw0_20260101_000000_3.zip",
    ]


def test_where_the_folder_cannot_be_written_the_zip_goes_elsewhere(alone, tmp_path, monkeypatch):
    made = export.write("hw0", "a.ipynb", b"{}", [], {}, tmp_path / "not there")
    assert made.parent == alone.parent


def test_without_jupyter_client_the_zip_is_written(shell, alone, monkeypatch, tmp_path):
    answer(alone)
    run(shell, *code_of(alone)[:2])
    blocked = tmp_path / "blocked"
    blocked.mkdir()
    (blocked / "jupyter_client.py").write_text("raise ModuleNotFoundError(\"No module named 'jupyter_client'\")")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(blocked), os.environ.get("PYTHONPATH", "")]))
    made = shell.user_ns["grader"].export()
    assert made.path.exists()
    assert made.problems == [
        "The fresh kernel could not be run: jupyter_client is not installed. "
        "Run %pip install jupyter_client ipykernel in a cell, then export again."
    ]


def test_settings_of_export(shell, alone, tmp_path):
    run(shell, *code_of(alone)[:2])
    grader = shell.user_ns["grader"]
    made = grader.export(alone, export_path=tmp_path, run_tests=False, pdf=False)
    assert made.path.parent == tmp_path and made.problems == ["The notebook was not run from the top: run_tests=False."]
    with pytest.raises(TypeError, match="Did you mean 'run_tests'"):
        grader.export(run_test=False)


def test_export_in_a_real_kernel(alone):
    """As in JupyterLab: the kernel's event loop runs, and the progress line is one output that changes."""
    answer(alone)
    done = execute(alone)
    last = done.notebook.cells[-1]
    shown = [output for output in last.outputs if output.output_type != "stream"]
    assert [output.data["text/plain"].split("\n")[0] for output in shown] == [
        "Done.",
        "The notebook runs from the top, within its times.",
    ]
    assert "text/html" in shown[1].data
    assert len(list(alone.parent.glob("hw0_*.zip"))) == 1, "the export inside the fresh kernel wrote none"


# Which file


def test_the_notebook_is_found(alone, monkeypatch):
    folder = alone.parent
    assert find.find("hw0", None, {}, folder) == alone
    (folder / "other.ipynb").write_text(json.dumps({"cells": [], "nbformat": 4, "metadata": {}}))
    assert find.find("hw0", None, {}, folder) == alone, "another notebook does not count"
    copy = folder / "copy.ipynb"
    shutil.copy(alone, copy)
    with pytest.raises(NotFoundError, match=r"several files here are hw0: copy\.ipynb, my homework\.ipynb"):
        find.find("hw0", None, {}, folder)
    assert find.find("hw0", "copy.ipynb", {}, folder) == copy
    assert find.find("hw0", None, {"__vsc_ipynb_file__": str(copy)}, folder) == copy
    monkeypatch.setenv("JPY_SESSION_NAME", str(copy))
    assert find.find("hw0", None, {}, folder) == copy
    monkeypatch.setenv("JPY_SESSION_NAME", "/elsewhere/on/the/server/copy.ipynb")
    assert find.find("hw0", None, {}, folder) == copy
    monkeypatch.setenv("JPY_SESSION_NAME", "renamed.ipynb")
    copy.unlink()
    assert find.find("hw0", None, {}, folder) == alone


def test_a_notebook_that_is_not_found(tmp_path):
    with pytest.raises(NotFoundError, match=r"Save yours, and name it: grader\.export\("):
        find.find("hw0", None, {}, tmp_path)
    with pytest.raises(NotFoundError, match=r"there is no file nowhere\.ipynb"):
        find.find("hw0", "nowhere.ipynb", {}, tmp_path)


def test_colab_gives_the_notebook_from_its_page(shell, alone, monkeypatch):
    """google.colab stands in: a message asks the page, which answers with what is on the screen."""
    import types

    live = json.loads(alone.read_text())
    colab = types.ModuleType("google.colab")
    colab._message = types.SimpleNamespace(
        blocking_request=lambda request, timeout_sec: {"ipynb": live} if request == "get_ipynb" else None
    )
    monkeypatch.setitem(sys.modules, "google", types.ModuleType("google"))
    monkeypatch.setitem(sys.modules, "google.colab", colab)
    run(shell, *code_of(alone)[:2])
    alone.unlink()
    made = shell.user_ns["grader"].export(run_tests=False)
    with zipfile.ZipFile(made.path) as packed:
        assert json.loads(packed.read("hw0.ipynb")) == live


UNREADABLE = {
    "cut off": ('{"cells": [\n  {"cell_type":', "line 2 is not JSON"),
    "merge marks": ('{\n<<<<<<< HEAD\n"cells": []}', "line 2 is not JSON"),
    "not a notebook": ("[1, 2]", "is not a notebook of format 4"),
    "format 3": ('{"worksheets": [], "nbformat": 3}', "is not a notebook of format 4"),
    "no text": ('{"cells": [{"cell_type": "code"}], "nbformat": 4}', "its cell 1 has no text"),
}


@pytest.mark.parametrize("kind", UNREADABLE)
def test_unreadable_notebooks(kind, tmp_path):
    text, says = UNREADABLE[kind]
    path = tmp_path / "nb.ipynb"
    path.write_text(text)
    with pytest.raises(UnreadableError, match=says):
        source.read(path)


def test_a_notebook_that_is_no_text(tmp_path):
    (tmp_path / "nb.ipynb").write_bytes(b"\xff\xfe\x00\x01")
    with pytest.raises(UnreadableError, match="is not UTF-8 text"):
        source.read(tmp_path / "nb.ipynb")
    with pytest.raises(UnreadableError, match="cannot be opened"):
        source.read(tmp_path)


# Syntax that the grader does not know

NEWER = {
    "type parameters": "x = 1\ndef f[T](x: T) -> T:\n    return x",
    "type statement": "x = 1\ntype Pair = tuple[int, int]",
    "generic class": "x = 1\nclass Box[T]:\n    pass",
    "except without parentheses": "try: pass\nexcept ValueError, TypeError:\n    pass",
    "quotes again": 'd = {}\nf"{d["a"]}"',
    "backslash": "d = []\nf\"{'\\n'.join(d)}\"",
    "comment": 'x = 1\nf"""{\nx  # why\n}"""',
}


@pytest.mark.parametrize("kind", NEWER)
def test_newer_syntax_is_found(kind):
    line, reason = source.newer_syntax(NEWER[kind])
    assert line >= 2 and reason


OLDER = [
    "%matplotlib inline\n!ls\nx = 1",
    "%%time\nthis is not Python",
    "await something()",
    "f'{x!r:>{width}}' f\"{d['a']}\" f'{{}}'",
    "match x:\n    case [a, *rest]:\n        pass",
    "try:\n    pass\nexcept* ValueError:\n    pass",
    "np.array?\nx",
]


@pytest.mark.parametrize("code", OLDER)
def test_python_3_11_passes(code):
    assert source.newer_syntax(code) is None


def test_the_line_is_told_by_export(shell, alone):
    answer(alone)
    edit(alone, "temperature_of_choice = 1.0", "def first[T](items: list[T]) -> T: ...")
    run(shell, *code_of(alone)[:2])
    made = shell.user_ns["grader"].export(run_tests=False)
    assert any("line 6: the grader's Python 3.11 cannot read this" in problem for problem in made.problems)
    assert made.path.exists()


class Token:
    """A token as tokenize of Python 3.12 gives it, for a test on any Python."""

    def __init__(self, kind, string, line=1):
        self.type, self.string, self.start = kind, string, (line, 0)


F_START, F_END, OP, STRING, COMMENT, NL, T_START, MIDDLE = range(900, 908)
NAMES = dict(
    zip(
        range(900, 908),
        ["FSTRING_START", "FSTRING_END", "OP", "STRING", "COMMENT", "NL", "TSTRING_START", "FSTRING_MIDDLE"],
        strict=True,
    )
)
OPEN, CLOSE = (OP, "{"), (OP, "}")
STREAMS = {
    "same quotes": ([(F_START, 'f"'), OPEN, (STRING, '"a"'), CLOSE, (F_END, '"')], "own quotes"),
    "nested, same quotes": ([(F_START, "f'"), OPEN, (F_START, "f'"), (F_END, "'"), CLOSE, (F_END, "'")], "own quotes"),
    "backslash": ([(F_START, 'f"'), OPEN, (STRING, r"'\n'"), CLOSE, (F_END, '"')], "backslash"),
    "comment": ([(F_START, 'f"""'), OPEN, (COMMENT, "# why"), CLOSE, (F_END, '"""')], "comment"),
    "line break": ([(F_START, 'f"'), OPEN, (NL, "\n"), CLOSE, (F_END, '"')], "line break"),
    "backslash, nested": (
        [(F_START, 'f"'), OPEN, (F_START, "f'"), (MIDDLE, r"\n"), (F_END, "'"), CLOSE, (F_END, '"')],
        "backslash",
    ),
    "backslash in the text": ([(F_START, 'f"'), OPEN, CLOSE, (MIDDLE, r"\n"), (F_END, '"')], None),
    "t-string": ([(T_START, 't"')], "3.14"),
    "other quotes": ([(F_START, 'f"'), OPEN, (STRING, "'a'"), CLOSE, (F_END, '"')], None),
    "triple quotes, break": ([(F_START, 'f"""'), OPEN, (NL, "\n"), CLOSE, (F_END, '"""')], None),
    "a set after it": ([(F_START, 'f"'), OPEN, CLOSE, (F_END, '"'), OPEN, (STRING, '"a"'), CLOSE], None),
    "a dict inside": ([(F_START, 'f"'), OPEN, OPEN, (STRING, "'a'"), CLOSE, CLOSE, (F_END, '"')], None),
}


@pytest.mark.parametrize("kind", STREAMS)
def test_f_strings_of_python_3_12(kind, monkeypatch):
    monkeypatch.setattr(tokenize, "tok_name", {**tokenize.tok_name, **NAMES})
    tokens, says = STREAMS[kind]
    found = source.in_f_strings([Token(*token) for token in tokens])
    assert (found is None) if says is None else says in found[1]


def test_names_that_a_cell_defines():
    code = "import numpy as np\nfrom a import b\nx, (y, *z) = 1, (2, 3)\nfor i in x:\n    w = i\ndef f(a):\n    inner = 1\nclass C:\n    k = 1\n%pip x"
    assert source.defined(code) == {"np", "b", "x", "y", "z", "i", "w", "f", "C"}


def test_dlcourse_needs_nothing_of_the_instructors(monkeypatch):
    """Importing the grader imports neither otter nor nbformat, and not even jupyter_client."""
    script = (
        "import sys, dlcourse.grader; print(sorted({'otter', 'nbformat', 'nbclient', 'jupyter_client'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.stdout.strip() == "[]", done.stderr
    assert not hasattr(builtins, "grader")
