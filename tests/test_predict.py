"""Predictions and exercises: nothing runs before the reader commits, and every answer gets its own words."""

import pytest

from dlcourse import check, notebook
from dlcourse.exercise import exercise
from dlcourse.live import FigureError
from dlcourse.predict import predict, predict_number

CHOICES = {"left": "The slope is negative there.", "right": True, "nowhere": "The slope is not zero."}


@pytest.fixture
def namespace(monkeypatch):
    names = {}
    monkeypatch.setattr(notebook, "namespace", lambda: names)
    return names


def test_the_run_is_locked_until_the_reader_commits():
    ran = []
    question = predict("Which way?", CHOICES, "It goes down there.", then=lambda: ran.append(1) or 2.128)
    question.commit()
    assert ran == [] and not question.committed and "Choose an answer first" in question._answer.value
    question.entry.value = "left"
    assert ran == []
    question.button.click()
    assert question.committed and question.right is False and ran == [1]
    assert "The slope is negative there. The answer: right. It goes down there." in question.said
    assert "2.128" in question._run.children[0].value
    question.button.click()
    assert ran == [1] and question.entry.disabled, "one commitment, one run"


@pytest.mark.parametrize("choice", CHOICES)
def test_every_choice_gets_its_own_words(choice):
    question = predict("Which way?", CHOICES, "It goes down there.")
    question.entry.value = choice
    question.commit()
    assert question.right is (CHOICES[choice] is True)
    assert (question.said == "It goes down there.") if question.right else question.said.startswith(CHOICES[choice])


@pytest.mark.parametrize(
    "choices", [{"a": "x", "b": "y"}, {"a": True, "b": True}, {"a": True, "b": ""}, {"a": True, "b": False}]
)
def test_choices_without_reasons_are_refused(choices):
    with pytest.raises(FigureError, match="needs the reason"):
        predict("?", choices)


@pytest.mark.parametrize(
    ("entry", "right", "says"),
    [
        ("1.16", True, "2 over"),
        ("1,16", True, "2 over"),
        ("0.58", False, "half of it"),
        ("9", False, "Too large"),
        ("0.1", False, "Too small"),
    ],
)
def test_numbers(entry, right, says):
    question = predict_number(
        "The limit?", 1.163, 0.01, hints=[(0.57, 0.59, "That is half of it.")], because="2 over the curvature."
    )
    question.entry.value = entry
    assert question.committed and question.right is right and says in question.said


def test_an_entry_that_is_no_number_is_told_and_nothing_is_fixed():
    question = predict_number("The limit?", 1.0, 0.1)
    question.entry.value = "about one"
    assert not question.committed and "not a number" in question._answer.value


def test_a_run_that_raises_is_shown_and_recorded():
    question = predict("Which way?", CHOICES, then=lambda: 1 / 0)
    question.entry.value = "right"
    question.commit()
    assert "ZeroDivisionError" in question.errors[0] and "ZeroDivisionError" in question._run.children[0].value


def test_without_a_kernel_the_reasons_can_be_opened(monkeypatch):
    monkeypatch.setenv("DLCOURSE_STATIC", "1")
    page = predict("Which way?", CHOICES, "It goes down there.")._repr_mimebundle_()["text/html"]
    assert page.count("<details>") == 3 and "Not so. The slope is negative there." in page


# Exercises


def doubling():
    @exercise("Double it", uses="double", minutes=1, difficulty=1)
    def task(double):
        check.close(double(3.0), 6.0, name="double(3.0)")

    return task


def unwritten(x):
    raise NotImplementedError("double x")


STATES = {
    "missing": (None, "open", "Write double()"),
    "unwritten": (unwritten, "open", "still raises NotImplementedError"),
    "wrong value": (lambda x: x + 2, "failed", "The numbers differ. Found: double(3.0) is 5 where 6 is expected"),
    "wrong type": (lambda x: [x, x], "failed", "wrong kind of thing"),
    "raises": (lambda x: x / 0, "failed", "ZeroDivisionError"),
    "wrong signature": (lambda: 6.0, "failed", "TypeError"),
    "right": (lambda x: 2 * x, "passed", "All checks passed"),
}


@pytest.mark.parametrize("kind", STATES)
def test_an_exercise_says_where_the_reader_stands(kind, namespace):
    function, state, says = STATES[kind]
    if function:
        namespace["double"] = function
    task = doubling()
    assert task.state == state and says in task.message
    assert task.message.split()[0] in task._words.value


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
