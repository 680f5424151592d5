"""Exercises: what the reader's function does is told in the right words, and later cells always have one that works."""

import signal
import sys
import threading
import warnings

import numpy as np
import pytest
import torch
from IPython.core.interactiveshell import InteractiveShell

from dlcourse import check, notebook, trial
from dlcourse.exercise import exercise, exercises
from dlcourse.live import FigureError, LiveFigure, Slider


@pytest.fixture
def namespace(monkeypatch):
    names = {}
    monkeypatch.setattr(notebook, "namespace", lambda: names)
    yield names
    for task in exercises():
        notebook.unwatch(task)


@pytest.fixture
def shell():
    shell = InteractiveShell.instance()
    shell.reset(new_session=False)
    yield shell
    shell.reset(new_session=False)
    for task in exercises():
        notebook.unwatch(task)


def doubling(**settings):
    @exercise("Double it", uses="double", minutes=1, difficulty=1, **settings)
    def task(double):
        check.close(double(3.0), 6.0, name="double(3.0)", mistakes={"This is the square; twice the number is asked.": 9.0})

    return task


def unwritten(x):
    raise NotImplementedError("double x")


def uses_another(x):
    return unwritten(x) + unwritten(x)


STATES = {
    "missing": (None, "open", "Write double()"),
    "unwritten": (unwritten, "open", "double() still raises NotImplementedError"),
    "another is unwritten": (uses_another, "open", "double() needs a function that is not written yet. NotImplementedError"),
    "wrong value": (lambda x: x + 2, "failed", "The numbers differ. Found: double(3.0) is 5 where 6 is expected."),
    "known mistake": (lambda x: x * x, "failed", "is 9 where 6 is expected. This is the square; twice the number is asked."),
    "wrong type": (lambda x: [x, x], "failed", "wrong kind of thing"),
    "nothing": (lambda x: None, "failed", "is a return missing?"),
    "raises": (lambda x: x / 0, "failed", "It raises. ZeroDivisionError"),
    "exits": (lambda x: sys.exit(1), "failed", "It raises. SystemExit"),
    "wrong signature": (lambda: 6.0, "failed", "It raises. TypeError"),
    "endless recursion": (lambda x: endless(x), "failed", "It raises. RecursionError"),
    "right": (lambda x: 2 * x, "passed", "All checks passed"),
    "partial": (__import__("functools").partial(np.multiply, 2), "passed", "All checks passed"),
}


def endless(x):
    return endless(x)


@pytest.mark.parametrize("kind", STATES)
def test_it_says_where_the_reader_stands(kind, namespace):
    function, state, says = STATES[kind]
    if function:
        namespace["double"] = function
    task = doubling()
    assert task.state == state and says in task.message
    assert task.message.split()[0] in task._words.value and 'role="status"' in task._words.value


def test_the_message_has_kind_finding_and_hint(namespace):
    namespace["double"] = lambda x: x * x
    assert doubling().message == (
        "The numbers differ. Found: double(3.0) is 9 where 6 is expected. This is the square; twice the number is asked."
    )


def test_a_kind_of_its_own_and_torch_are_told(namespace):
    namespace["f"] = lambda x: torch.exp(torch.tensor(x))

    @exercise("From scratch", uses="f", minutes=1, difficulty=1)
    def scratch(f):
        with check.from_scratch():
            f(1.0)

    assert scratch.message.startswith("It lets torch do the work. Found: torch.") and check.NO_TORCH in scratch.message

    @exercise("Own kind", uses="f", minutes=1, difficulty=1)
    def own(f):
        raise check.CheckError("style", "two loops where one is enough.")

    assert own.message == "It is not right yet. Found: two loops where one is enough."


def test_what_the_check_cannot_work_with_is_not_said_to_raise(namespace):
    @exercise("Sums", uses="f", minutes=1, difficulty=1)
    def task(f):
        if f(np.ones(3)).sum() != 3:
            raise check.CheckError("value", "the sum is 3")

    namespace["f"] = lambda x: "abc"
    task.run()
    assert task.message.startswith("The check cannot go on with what it returns. AttributeError")
    namespace["f"] = lambda x: None
    task.run()
    assert task.message == "It returns None: is its return statement missing?"


def test_defining_the_function_anew_checks_it_again(namespace):
    task = doubling()
    assert task.state == "open"
    namespace["double"] = lambda x: x * x
    task.cell_was_run()
    assert task.state == "failed"
    namespace["double"] = lambda x: 2 * x
    task.button.click()
    assert task.state == "passed"


def test_difficulty_is_one_of_three():
    with pytest.raises(FigureError, match="difficulty"):
        exercise("x", uses="y", minutes=1, difficulty=4)(lambda f: None)


# Arguments that are changed in place


def in_place_add(x, y):
    x += y
    return x


def in_place_of_a_list(x, y):
    x.append(y)
    return x


def in_place_of_keyword(**named):
    named["x"][0] = 7
    return named["x"]


def in_place_of_many(*several):
    several[0][1] = 7
    return several[0]


def in_place_of_parts(pair, y):
    pair[1][:] = 0
    return pair


def reshaped(x, y):
    x.shape = (3, 1)
    return x


def raises_after(x, y):
    x += y
    raise ValueError("too late")


@pytest.mark.parametrize(
    ("function", "call", "named"),
    [
        (in_place_add, lambda f, x: f(x, 1), "x"),
        (in_place_add, lambda f, x: f(y=1, x=x), "x"),
        (in_place_of_many, lambda f, x: f(x, 1), "several"),
        (in_place_of_keyword, lambda f, x: f(x=x), "x"),
        (reshaped, lambda f, x: f(x, 1), "x"),
        (in_place_of_parts, lambda f, x: f((1, x), 1), "pair"),
        (in_place_of_parts, lambda f, x: f([1, [x, x][0]], 1), "pair"),
    ],
)
@pytest.mark.parametrize("make", [np.array, torch.tensor])
def test_an_array_that_is_changed_is_reported_and_given_back(namespace, function, call, named, make):
    if function is reshaped and make is torch.tensor:
        function = lambda x, y: x.resize_(3, 1)  # noqa: E731
    namespace["f"], x = function, make([1.0, float("nan"), 3.0])
    kept = x.tolist()

    @exercise("Add", uses="f", minutes=1, difficulty=1)
    def task(f):
        check.close(call(f, x), x)

    assert task.message.startswith(f"It changes its argument. Found: {named} was changed in place. {check.CHANGED}")
    assert str(x.tolist()) == str(kept) and tuple(x.shape) == (3,)


def test_a_list_that_is_changed_is_reported_and_given_back(namespace):
    namespace["f"], x = in_place_of_a_list, [1.0, 2.0]

    @exercise("Add", uses="f", minutes=1, difficulty=1)
    def task(f):
        f(x, 3.0)

    assert "x was changed in place" in task.message and x == [1.0, 2.0]


def test_an_array_is_given_back_when_the_function_raises(namespace):
    namespace["f"], x = raises_after, np.ones(3)

    @exercise("Add", uses="f", minutes=1, difficulty=1)
    def task(f):
        f(x, 1)

    assert "It raises. ValueError: too late" in task.message and x.tolist() == [1, 1, 1]


def with_memory(x, state):
    state["m"] = state.get("m", 0) + x
    return state["m"]


def test_a_dict_is_a_functions_memory_and_a_tensors_gradient_its_result(namespace):
    namespace["f"] = with_memory

    @exercise("Sum up", uses="f", minutes=1, difficulty=1)
    def task(f):
        state = {}
        f(np.ones(2), state)
        check.close(f(np.ones(2), state), np.array([2.0, 2.0]))

    assert task.state == "passed", task.message
    namespace["g"] = lambda x: (x**2).sum().backward()

    @exercise("Gradient", uses="g", minutes=1, difficulty=1)
    def gradient(g):
        x = torch.tensor([1.0, 2.0], requires_grad=True)
        g(x)
        check.close(x.grad, torch.tensor([2.0, 4.0]))

    assert gradient.state == "passed", gradient.message


@pytest.mark.parametrize("how", ["in_place=True", "check.in_place", "check.unchanged"])
def test_an_exercise_may_ask_for_a_change(namespace, how):
    namespace["f"] = in_place_add

    @exercise("Add in place", uses="f", minutes=1, difficulty=1, in_place=how == "in_place=True")
    def task(f):
        x, y = np.ones(3), np.ones(3)
        if how == "check.in_place":
            with check.in_place():
                f(x, y)
        elif how == "check.unchanged":
            with check.unchanged(y=y):
                f(x, y)
        else:
            f(x, y)
        check.close(x, np.full(3, 2.0))

    assert task.state == "passed", task.message


def test_unchanged_says_its_word_once(namespace):
    namespace["f"] = in_place_add

    @exercise("Add", uses="f", minutes=1, difficulty=1)
    def task(f):
        x = np.ones(3)
        with check.unchanged(x=x):
            f(x, 1)

    assert task.message == "It changes its argument. Found: x was changed in place; make a new array, or copy it first."


def test_a_class_stays_itself(namespace):
    class Layer:
        pass

    namespace["Layer"] = Layer

    @exercise("A class", uses="Layer", minutes=1, difficulty=1)
    def task(layer):
        if layer is not Layer or type(layer()) is not Layer:
            raise check.CheckError("type", "another class")

    assert task.state == "passed"


# What it does besides


def test_an_endless_loop_is_stopped_by_an_interrupt_and_all_goes_on(namespace):
    def double(x):
        while True:
            signal.raise_signal(signal.SIGINT)

    namespace["double"] = double
    before = signal.getsignal(signal.SIGINT)
    task = doubling()
    assert task.state == "failed"
    assert task.message.startswith("Stopped: it was still running after 0 s, at line")
    assert "of double(): signal.raise_signal(signal.SIGINT). Is there a loop that does not end?" in task.message
    assert signal.getsignal(signal.SIGINT) is before
    namespace["double"] = lambda x: 2 * x
    task.button.click()
    assert task.state == "passed"


def test_an_interrupt_that_the_kernel_ignores_reaches_the_check(namespace):
    """Between its messages ipykernel ignores the signal, and a check that a button started runs there."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        namespace["double"] = lambda x: signal.raise_signal(signal.SIGINT)
        assert "Stopped:" in doubling().message
        assert signal.getsignal(signal.SIGINT) == signal.SIG_IGN
        namespace["double"] = lambda x: 2 * x
        assert doubling().state == "passed"
        assert signal.getsignal(signal.SIGINT) == signal.SIG_IGN, "outside a check the kernel has it as before"
    finally:
        signal.signal(signal.SIGINT, before)


def test_a_long_check_says_how_to_stop_it(namespace, monkeypatch):
    monkeypatch.setattr(trial, "SLOW", 0.01)
    told = threading.Event()
    task = doubling()
    task._words.observe(lambda change: told.set() if trial.STOP in change.new else None, "value")
    namespace["double"] = lambda x: 6.0 if told.wait(30) else 0.0
    task.run()
    assert task.state == "passed" and trial.STOP not in task._words.value


def test_what_it_prints_stands_in_the_widget_and_not_on_the_page(namespace, capsys):
    namespace["double"] = lambda x: print("<x>", x) or print("err", file=sys.stderr) or 2 * x
    task = doubling()
    assert task.state == "passed" and "<pre>&lt;x&gt; 3.0\nerr</pre>" in task._words.value
    namespace["double"] = lambda x: print("y" * 5000) or 2 * x
    task.run()
    assert "… and 3001 more characters" in task._words.value and len(task._words.value) < 3000
    assert capsys.readouterr() == ("", "")


def test_what_other_threads_print_is_left_alone(namespace, capsys):
    def double(x):
        other = threading.Thread(target=lambda: print("out", flush=True) or print("err", file=sys.stderr))
        other.start()
        other.join()
        return 2 * x

    namespace["double"] = double
    assert "It prints" not in doubling()._words.value and capsys.readouterr() == ("out\n", "err\n")


def overflowing(x):
    np.exp(np.array([1000.0, 2000.0]))
    return 2 * x


def test_its_warnings_are_told_and_the_checks_own_are_not(namespace):
    namespace["double"] = overflowing
    task = doubling()
    assert task.state == "passed"
    assert "It warns: RuntimeWarning: overflow encountered in exp — line" in task.message
    assert "np.exp(np.array([1000.0, 2000.0]))" in task.message

    @exercise("Quiet", uses="double", minutes=1, difficulty=1)
    def quiet(double):
        overflowing(1)
        warnings.warn("old", DeprecationWarning, stacklevel=1)

    assert quiet.message == "All checks passed."


def test_a_check_draws_the_same_numbers_each_time_and_disturbs_nobody(namespace):
    namespace["double"], seen = (lambda x: 2 * x), []

    @exercise("Draws", uses="double", minutes=1, difficulty=1)
    def task(double):
        seen.append((np.random.rand(), torch.rand(1).item(), __import__("random").random()))

    np.random.seed(5)
    torch.manual_seed(5)
    expected = np.random.rand(), torch.rand(1).item()
    np.random.seed(5)
    torch.manual_seed(5)
    task.run()
    assert (np.random.rand(), torch.rand(1).item()) == expected
    assert seen[0] == seen[1]


# The function that later cells use


def solution(x):
    """The course's."""
    return x + x


def test_later_cells_use_the_solution_until_the_readers_passes(namespace):
    task = doubling(solution=solution)
    assert task.state == "open" and task.message.endswith("Until yours passes, the cells below use the course's solution.")
    twice = task.function
    assert twice("a") == "aa" and twice.__doc__ == "The course's." and task.function is twice
    namespace["double"] = lambda x: 2 * x if x == 3.0 else "mine"
    task.cell_was_run()
    assert task.message == "All checks passed. The cells below use yours." and twice(1) == "mine"
    namespace["double"] = lambda x: 0 * x
    task.cell_was_run()
    assert twice(1) == 2 and task.message.endswith("Until yours passes again, the cells below use the course's solution.")
    namespace["double"] = unwritten
    task.cell_was_run()
    assert twice(1) == 2 and task.state == "open" and "the course's solution" in task.message
    del namespace["double"]
    task.cell_was_run()
    assert twice(1) == 2 and "the course's solution" in task.message


def test_without_a_solution_there_is_no_function_to_go_on_with(namespace):
    with pytest.raises(FigureError, match="no solution"):
        doubling().function  # noqa: B018


def test_the_old_verdict_holds_while_a_new_function_is_tried(namespace):
    task, seen = doubling(solution=solution), []
    twice = task.function

    def from_elsewhere(x):
        other = threading.Thread(target=lambda: seen.append(twice(1)))
        other.start()
        other.join()
        return 0.0

    namespace["double"] = lambda x: 2 * x if x == 3.0 else "mine"
    task.run()
    namespace["double"] = from_elsewhere
    task.run()
    assert seen == ["mine"] and twice(1) == 2


def test_a_name_for_the_function_itself_is_no_answer(namespace):
    task = doubling(solution=solution)
    twice = namespace["double"] = task.function
    task.cell_was_run()
    assert task.state == "open" and "no function of yours" in task.message and twice(1) == 2


def test_an_answer_that_calls_the_function_itself_is_told(namespace):
    task = doubling(solution=solution)
    twice = task.function
    namespace["double"] = lambda x: twice(x)
    task.cell_was_run()
    assert task.state == "failed" and "that is double() itself" in task.message and twice(1) == 2


def test_recursion_through_the_function_works_on_both_sides(namespace):
    names = {}

    @exercise(
        "Factorial", uses="my_factorial", minutes=1, difficulty=1, solution=lambda n: n * names["factorial"](n - 1) if n else 1
    )
    def task(my_factorial):
        check.close(my_factorial(5), 120)

    factorial = names["factorial"] = task.function
    assert factorial(5) == 120
    namespace["my_factorial"] = lambda n: n * factorial(n - 1) if n > 1 else 1
    task.cell_was_run()
    assert task.state == "passed", task.message
    assert factorial(6) == 720


def test_running_the_exercises_cell_again_keeps_what_later_cells_hold(namespace):
    task = doubling(solution=solution)
    twice = task.function
    namespace["double"] = lambda x: 2 * x if x == 3.0 else "mine"
    again = doubling(solution=solution)
    assert again.state == "passed" and twice(1) == "mine", "the new exercise decides"
    namespace["double"] = unwritten
    notebook._after_cell()
    assert again.state == "open" and task._looked_up is not unwritten and twice(1) == 2
    assert "again" in again.message


CELLS = [
    "from dlcourse import check\nfrom dlcourse.exercise import exercise",
    "def my_step(w, g):\n    raise NotImplementedError('replace this line')",
    "def step_solution(w, g):\n    return w - 0.1 * g",
    "@exercise('The step', uses='my_step', minutes=1, difficulty=1, solution=step_solution)\n"
    "def turn(step):\n    check.close(step(1.0, 2.0), 0.8)\nturn",
    "step = turn.function",
    "def descend(w):\n    for _ in range(3):\n        w = step(w, 2 * w)\n    return w\nend = descend(1.0)",
]


def test_run_all_works_with_the_stub_and_the_readers_function_takes_over(shell):
    def run(cell):
        result = shell.run_cell(cell)
        result.raise_error()
        return result

    for cell in CELLS:
        run(cell)
    names = shell.user_ns
    task = names["turn"]
    assert names["end"] == pytest.approx(0.8**3) and task.state == "open"
    run("calls = []\ndef my_step(w, g):\n    calls.append(w)\n    return w - 0.1 * g")
    assert task.state == "passed" and "use yours" in task.message
    run("calls.clear()\nend = descend(2.0)")
    assert names["calls"][0] == 2.0 and names["end"] == pytest.approx(2 * 0.8**3)
    run(CELLS[1])
    assert task.state == "open" and "the course's solution" in task.message
    run("end = descend(1.0)")
    run("my_step = step")
    assert task.state == "open" and "no function of yours" in task.message
    run("end = descend(1.0)")
    run("def my_step(w, g):\n    return w + g")
    assert task.state == "failed" and "The numbers differ" in task.message
    run("end = descend(1.0)")
    assert names["end"] == pytest.approx(0.8**3)


def test_a_readers_function_that_passes_and_raises_in_a_figure_is_told_with_its_line(shell):
    for cell in CELLS:
        shell.run_cell(cell).raise_error()
    shell.run_cell("def my_step(w, g):\n    if w == 5:\n        return undefined_name\n    return w - 0.1 * g").raise_error()
    assert shell.user_ns["turn"].state == "passed"
    figure = LiveFigure("A figure that uses the step")

    @figure.control(w=Slider(0, 10, value=1.0))
    def _(w):
        return f"it goes to {shell.user_ns['step'](w, 1.0)}"

    figure.set(w=5.0)
    assert figure.note.startswith(
        "my_step: NameError: name 'undefined_name' is not defined — line 3 of my_step(): return undefined_name"
    )
    assert figure.failed and figure.errors == [], "theirs to mend, and no fault of the figure"
    figure.set(w=6.0)
    assert figure.note == "" and not figure.failed and figure.readout == "it goes to 5.9"
    figure.close()
