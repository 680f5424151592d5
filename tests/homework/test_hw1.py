"""Homework 1: its tests are tested. Wrong answers lose points on their own question and are told why; right ones lose none."""

import importlib
import pkgutil

import pytest

from coursebuild import homework as release
from coursebuild.settings import Settings
from tests.conftest import ROOT
from tests.homework import answers, hw1
from tests.homework.marking import Homework

MASTER = ROOT / "solutions" / "hw1_neural_networks" / "hw1_neural_networks.py"
ANSWERS = [
    answer
    for module in pkgutil.iter_modules(hw1.__path__)
    for answer in answers.answers_in(importlib.import_module(f"tests.homework.hw1.{module.name}"))
]
SEEDS = [0, pytest.param(1, marks=pytest.mark.slow), pytest.param(2, marks=pytest.mark.slow)]


@pytest.fixture(scope="module")
def homework():
    return Homework(MASTER, costly=["digit_net"])


@pytest.fixture(scope="module")
def master_names(homework):
    return homework.names()


def named(answer):
    return f"{answer.question}-{answer.name}"


def lost(marks):
    return [f"{mark.test.topic}: {mark.error}" for mark in marks if mark.error]


@pytest.mark.parametrize("seed", SEEDS)
def test_the_master_has_full_marks(homework, master_names, seed):
    for question in homework.questions:
        assert lost(homework.marks(question, master_names, seed)) == [], question.id


def test_the_untouched_release_has_no_point(homework):
    """The release's own cells, as students get them, run top to bottom; a cell that raises costs its question."""
    import nbformat

    nb = nbformat.reads(release.release(homework.assignment, Settings.read(ROOT)), as_version=4)
    names: dict = {"__name__": "__main__"}
    for cell in nb.cells:
        if cell.cell_type == "code" and "setup" not in cell.metadata.get("tags", []) and "grader" not in cell.source:
            try:
                exec(compile(cell.source, "cell", "exec"), names)
            except NotImplementedError:
                continue
        elif "setup" in cell.metadata.get("tags", []):
            exec(homework.assignment.setup, names)
    for question in homework.questions:
        for test in question.tests:
            if all(name in names for name in test.needs):
                assert homework.mark(test, names).error is not None, f"{question.id}, {test.topic}"


def test_there_are_enough_answers(homework):
    wrong = [answer for answer in ANSWERS if not answer.is_right]
    right = [answer for answer in ANSWERS if answer.is_right]
    assert len(wrong) >= 60 and len(right) >= 25
    for question in homework.questions:
        assert sum(answer.question == question.id for answer in wrong) >= 6, question.id
        assert sum(answer.question == question.id for answer in right) >= 2, question.id
    assert len({named(answer) for answer in ANSWERS}) == len(ANSWERS)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("answer", [a for a in ANSWERS if a.is_right], ids=named)
def test_a_right_answer_keeps_full_marks(homework, answer, seed):
    assert lost(homework.marks(homework.question(answer.question), homework.names(answer), seed)) == []


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("answer", [a for a in ANSWERS if not a.is_right], ids=named)
def test_a_wrong_answer_loses_points_and_gets_its_hint(homework, answer, seed):
    marks = homework.marks(homework.question(answer.question), homework.names(answer), seed)
    failed = [mark for mark in marks if mark.error]
    assert failed, f"accepted: {answer.belief}"
    hints = [mark.hint for mark in failed]
    assert any(answer.hint in hint for hint in hints), f"{answer.belief} Told: {hints}"


@pytest.mark.parametrize("answer", [a for a in ANSWERS if not a.is_right], ids=named)
def test_a_wrong_answer_costs_its_own_question_only(homework, master_names, answer):
    """A question's tests ask only for names that its own cells define, or that no answer defines anew."""
    defined = set(homework.names(answer)) - {"__builtins__"}
    changed = {name for name in defined if _defines(answer, name)}
    for question in homework.questions:
        if question.id != answer.question:
            assert not changed & {name for test in question.tests for name in test.needs}, question.id


def _defines(answer, name):
    import ast

    return any(getattr(node, "name", None) == name for node in ast.parse(answer.source).body)
