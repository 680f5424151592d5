"""Exercises are tested as homework is: wrong answers fail and are told their mistake, right ones pass.

The answers stand in tests/lectures/answers/NN/FUNCTION.py. They were written from the prompts, without a look at the checks.
"""

import importlib
import pkgutil

import pytest

from tests.answers import Answer, answers_in
from tests.conftest import ROOT

SOURCES = {path.stem[:2]: path for path in sorted((ROOT / "lectures" / "src").glob("*.py"))}
WRONG, RIGHT = 6, 3  # at least, for each exercise
LISTED = ROOT / "tests" / "lectures" / "answers" / "open.txt"
OPEN = [line for line in LISTED.read_text(encoding="utf-8").splitlines() if line[:1] != "#"] if LISTED.exists() else []
WAITING = {"02"}  # whose answers are still to be written, by someone who has not seen the checks


def answers_of(number: str) -> list[Answer]:
    """All answers to a lecture's exercises."""
    folder = ROOT / "tests" / "lectures" / "answers" / number
    names = sorted(module.name for module in pkgutil.iter_modules([str(folder)]))
    modules = [importlib.import_module(f"tests.lectures.answers.{number}.{name}") for name in names]
    return [answer for module in modules for answer in answers_in(module)]


def each(is_right):
    found = []
    for number, source in SOURCES.items():
        for answer in answers_of(number):
            if answer.is_right is is_right:
                name = f"{number}-{answer.question}-{answer.name}"
                marks = [pytest.mark.xfail(strict=True, reason="listed in open.txt")] if name in OPEN else []
                found.append(pytest.param(source, answer, id=name, marks=marks))
    return found


def told(lecture, answer) -> tuple[str, str]:
    """The state of the exercise, and what its reader is told, once the answer's cell is run."""
    task = lecture.exercises[answer.question]
    lecture.run(answer.source)
    task.run()
    return task.state, task.message


@pytest.mark.parametrize(("source", "answer"), each(is_right=False))
def test_a_wrong_answer_fails_and_is_told_why(source, lecture, answer):
    state, message = told(lecture, answer)
    assert state == "failed", f"accepted: {answer.belief}"
    assert answer.hint in message, f"{answer.belief} Told: {message}"


@pytest.mark.parametrize(("source", "answer"), each(is_right=True))
def test_a_right_answer_passes(source, lecture, answer):
    state, message = told(lecture, answer)
    assert state == "passed", message


def counted():
    waits = pytest.mark.xfail(strict=True, reason="its answers are not written yet")
    return [pytest.param(path, id=path.stem, marks=[waits] if number in WAITING else []) for number, path in SOURCES.items()]


@pytest.mark.parametrize("source", counted())
def test_each_exercise_has_enough_answers(source, lecture):
    answers = answers_of(source.stem[:2])
    assert {answer.question for answer in answers} == set(lecture.exercises)
    for name in lecture.exercises:
        own = [answer for answer in answers if answer.question == name]
        assert sum(not answer.is_right for answer in own) >= WRONG and sum(answer.is_right for answer in own) >= RIGHT, name
        assert len({answer.source for answer in own}) == len(own), name


def test_the_open_list_names_answers_that_are_there():
    names = {f"{number}-{answer.question}-{answer.name}" for number in SOURCES for answer in answers_of(number)}
    assert set(OPEN) <= names and len(set(OPEN)) == len(OPEN)
