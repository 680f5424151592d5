"""Homework 1: its tests are tested. Wrong answers lose points on their own question and are told why; right ones lose none."""

import ast

import pytest

from coursebuild import homework as release
from coursebuild import settings as course_settings
from tests.conftest import ROOT
from tests.homework import mutation, table
from tests.homework.marking import Homework

MASTER = table.MASTERS["hw1"]
ANSWERS = table.answers_of("hw1")
SLOW = pytest.mark.receipt("kit", "build", "hw1")
SEEDS = [0, pytest.param(1, marks=SLOW), pytest.param(2, marks=SLOW)]
LONG = ("q4-every_path_walked", "q6-number_by_number")  # half a minute each


def each(is_right):
    """The answers with their seeds: those that take long once, in the slow tests; the others with each seed."""
    for answer in ANSWERS:
        if answer.is_right is is_right:
            for seed in [0] if table.trains(answer) or named(answer) in LONG else SEEDS:
                number = seed if isinstance(seed, int) else seed.values[0]
                is_slow = number > 0 or table.trains(answer) or named(answer) in LONG
                marks = [SLOW] if is_slow else []
                yield pytest.param(answer, number, marks=marks, id=f"{named(answer)}-{number}")


def named(answer):
    return f"{answer.question}-{answer.name}"


@pytest.fixture(scope="module")
def homework():
    return Homework(MASTER, table.COSTLY)


@pytest.fixture(scope="module")
def master_names(homework):
    return homework.names()


@pytest.fixture(scope="module")
def results(homework, show):
    """Each answer that was marked, and whether it lost points; shown as a table when all are done."""
    found = {}
    yield found
    if len(found) > 50:
        show("hw1 marked", table.table("hw1", found.values(), [question.id for question in homework.questions]))


def lost(marks):
    return [f"{mark.test.topic}: {mark.error}" for mark in marks if mark.error]


@pytest.mark.parametrize("seed", SEEDS)
def test_the_master_has_full_marks(homework, master_names, seed):
    for question in homework.questions:
        tests = [test for test in question.tests if seed == 1 or test.topic not in table.TRAINING]
        assert lost([homework.mark(test, master_names, seed) for test in tests]) == [], question.id


def test_the_untouched_release_has_no_point(homework):
    """The release's own cells, as students get them, run top to bottom; a cell that raises costs its question."""
    import nbformat

    nb = nbformat.reads(release.release(homework.assignment, course_settings.load(ROOT)), as_version=4)
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


@pytest.mark.parametrize(("answer", "seed"), list(each(is_right=True)))
def test_a_right_answer_keeps_full_marks(homework, results, answer, seed):
    failed = lost(table.marks_of(homework, answer, seed))
    results[answer.question, answer.name] = answer, bool(failed)
    assert failed == []


@SLOW
@pytest.mark.parametrize("answer", [a for a in ANSWERS if a.is_right and a.question == "q9" and not table.trains(a)], ids=named)
def test_a_right_answer_to_question_9_trains_the_network(homework, answer):
    assert lost(table.marks_of(homework, answer, with_training=True)) == []


@pytest.mark.parametrize(("answer", "seed"), list(each(is_right=False)))
def test_a_wrong_answer_loses_points_and_gets_its_hint(homework, results, answer, seed):
    failed = [mark for mark in table.marks_of(homework, answer, seed) if mark.error]
    results[answer.question, answer.name] = answer, bool(failed)
    assert failed, f"accepted: {answer.belief}"
    hints = [mark.hint for mark in failed]
    assert any(answer.hint in hint for hint in hints), f"{answer.belief} Told: {hints}"


@pytest.mark.parametrize("answer", [a for a in ANSWERS if not a.is_right], ids=named)
def test_a_wrong_answer_costs_its_own_question_only(homework, answer):
    """A question's tests ask only for names that its own cells define, or that no answer defines anew."""
    changed = set()
    for node in ast.parse(answer.source).body:
        changed |= {target.id for target in getattr(node, "targets", []) if isinstance(target, ast.Name)}
        changed |= {node.name} if hasattr(node, "name") else set()
    for question in homework.questions:
        if question.id != answer.question:
            assert not changed & {name for test in question.tests for name in test.needs}, question.id


@SLOW
@pytest.mark.timeout(600)
def test_mutants_of_the_solutions_are_caught(show):
    """One small change in a solution costs points, or is known to do nothing that a prompt forbids."""
    alive, count = mutation.survivors(MASTER, table.COSTLY, mutation.LEFT_OUT)
    known = mutation.equivalents(ROOT / "tests" / "homework" / "hw1" / "equivalent.txt")
    new = [f"line {mutant.line}  {mutant.key}" for mutant in alive if mutant.key not in known]
    counts = f"{count} mutants, {count - len(alive)} caught, {len(alive) - len(new)} equivalent, {len(new)} new"
    show("hw1 mutants", counts)
    assert new == []


def test_the_equivalent_mutants_exist_and_have_a_reason(homework):
    known = mutation.equivalents(ROOT / "tests" / "homework" / "hw1" / "equivalent.txt")
    made = {mutant.key for mutant in mutation.mutants(homework, MASTER, mutation.LEFT_OUT)}
    assert set(known) <= made
    assert all(known.values())
