"""Homework: its tests are tested. Wrong answers lose points on their own question and are told why; right ones lose none."""

import ast
import functools

import pytest

from coursebuild import homework as release
from coursebuild import settings as course_settings
from tests.homework import mutation, particulars, table
from tests.homework.marking import Homework
from tests.homework.particulars import ROOT, Particulars

WORKS = {path: particulars.of(name) for name, path in sorted(particulars.masters().items())}
SLOW = pytest.mark.slow
SEEDS = {0: [], 1: [SLOW], 2: [SLOW]}
WRONG, RIGHT = 6, 2  # at least, for each question


def named(answer):
    return f"{answer.question}-{answer.name}"


def each(is_right):
    """The answers with their seeds: those that take long once, in the slow tests; the others with each seed."""
    for path, work in WORKS.items():
        for answer in work.answers:
            takes_long = work.trains(answer) or named(answer) in work.long
            for seed, marks in {0: [SLOW]}.items() if takes_long else SEEDS.items():
                if answer.is_right is is_right:
                    yield pytest.param(path, answer, seed, marks=marks, id=f"{work.name}-{named(answer)}-{seed}")


def chosen(is_chosen):
    """The answers that are chosen, once each."""
    return [
        pytest.param(path, answer, id=f"{work.name}-{named(answer)}")
        for path, work in WORKS.items()
        for answer in work.answers
        if is_chosen(work, answer)
    ]


@functools.cache
def marked(path) -> Homework:
    """A master, read once."""
    return Homework(path, WORKS[path].costly)


@functools.cache
def right_names(path) -> dict:
    """The names of a master's own cells."""
    return marked(path).names()


@pytest.fixture
def work(path) -> Particulars:
    return WORKS[path]


@pytest.fixture
def homework(path) -> Homework:
    return marked(path)


@pytest.fixture(scope="module")
def results(show):
    """Each answer that was marked, and whether it lost points; shown as a table for each homework when all are done."""
    found = {path: {} for path in WORKS}
    yield found
    for path, work in WORKS.items():
        if len(found[path]) > len(work.answers) / 2:
            questions = [question.id for question in marked(path).questions]
            show(f"{work.name} marked", table.table(work, found[path].values(), questions))


def lost(marks):
    return [f"{mark.test.topic}: {mark.error}" for mark in marks if mark.error]


@pytest.mark.parametrize("path", WORKS, ids=lambda path: path.stem)
@pytest.mark.parametrize("seed", [pytest.param(seed, marks=marks) for seed, marks in SEEDS.items()])
def test_the_master_has_full_marks(path, work, homework, seed):
    for question in homework.questions:
        tests = [test for test in question.tests if seed == 1 or test.topic not in work.training]
        assert lost([homework.mark(test, right_names(path), seed) for test in tests]) == [], question.id


@pytest.mark.parametrize("path", WORKS, ids=lambda path: path.stem)
def test_the_untouched_release_has_no_point(path, homework):
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


@pytest.mark.parametrize("path", WORKS, ids=lambda path: path.stem)
def test_there_are_enough_answers(path, work, homework):
    wrong = [answer for answer in work.answers if not answer.is_right]
    right = [answer for answer in work.answers if answer.is_right]
    assert len(wrong) >= work.at_least[0] and len(right) >= work.at_least[1]
    assert {answer.question for answer in work.answers} == {question.id for question in homework.questions}
    for question in homework.questions:
        assert sum(answer.question == question.id for answer in wrong) >= WRONG, question.id
        assert sum(answer.question == question.id for answer in right) >= RIGHT, question.id
    assert len({named(answer) for answer in work.answers}) == len(work.answers)


@pytest.mark.parametrize("path", WORKS, ids=lambda path: path.stem)
def test_what_is_particular_to_a_homework_is_there(path, work, homework):
    """A topic, a function or an answer that was renamed would be left out silently."""
    topics = {test.topic for question in homework.questions for test in question.tests}
    assert set(work.training) <= topics
    assert set(work.costly) | set(work.trained_by) | set(work.left_out) <= set(right_names(path))
    assert set(work.long) <= {named(answer) for answer in work.answers}
    assert set(work.first) | set(work.stand_ins) <= {question.id for question in homework.questions}


@pytest.mark.parametrize(("path", "answer", "seed"), list(each(is_right=True)))
def test_a_right_answer_keeps_full_marks(path, work, homework, results, answer, seed):
    failed = lost(table.marks_of(work, homework, answer, seed))
    results[path][named(answer)] = answer, bool(failed)
    assert failed == []


@SLOW
@pytest.mark.parametrize(
    ("path", "answer"), chosen(lambda work, a: a.is_right and a.question in work.stand_ins and not work.trains(a))
)
def test_a_right_answer_to_a_question_of_training_trains_the_network(path, work, homework, answer):
    assert lost(table.marks_of(work, homework, answer, with_training=True)) == []


@pytest.mark.parametrize(("path", "answer", "seed"), list(each(is_right=False)))
def test_a_wrong_answer_loses_points_and_gets_its_hint(path, work, homework, results, answer, seed):
    failed = [mark for mark in table.marks_of(work, homework, answer, seed) if mark.error]
    results[path][named(answer)] = answer, bool(failed)
    assert failed, f"accepted: {answer.belief}"
    hints = [mark.hint for mark in failed]
    assert any(answer.hint in hint for hint in hints), f"{answer.belief} Told: {hints}"


@pytest.mark.parametrize(("path", "answer"), chosen(lambda work, a: not a.is_right))
def test_a_wrong_answer_costs_its_own_question_only(path, homework, answer):
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
@pytest.mark.parametrize("path", WORKS, ids=lambda path: path.stem)
def test_mutants_of_the_solutions_are_caught(path, work, show):
    """One small change in a solution costs points, or is known to do nothing that a prompt forbids."""
    alive, count = mutation.survivors(work)
    known = mutation.equivalents(work)
    new = [f"line {mutant.line}  {mutant.key}" for mutant in alive if mutant.key not in known]
    counts = f"{count} mutants, {count - len(alive)} caught, {len(alive) - len(new)} equivalent, {len(new)} new"
    show(f"{work.name} mutants", counts)
    assert new == []


@pytest.mark.parametrize("path", WORKS, ids=lambda path: path.stem)
def test_the_equivalent_mutants_exist_and_have_a_reason(path, work, homework):
    known = mutation.equivalents(work)
    made = {mutant.key for mutant in mutation.mutants(work, homework)}
    assert set(known) <= made
    assert all(known.values())


def test_the_command_finds_homeworks_and_says_what_is_missing(monkeypatch, tmp_path, capsys):
    """By its master; without answers to it, and under a name that is nobody's, the command says so."""
    assert table.main([]) == 2 and "python -m tests.homework hw1" in capsys.readouterr().err
    assert table.main(["hw99"]) == 2 and "there is no homework 'hw99'; solutions/ holds hw1" in capsys.readouterr().err
    folder = tmp_path / "solutions" / "hw98_new"
    folder.mkdir(parents=True)
    (folder / "hw98_new.py").write_text("# %% [raw]\n# # ASSIGNMENT CONFIG\n# name: hw98\n")
    monkeypatch.setattr(particulars, "ROOT", tmp_path)
    assert table.main(["hw98"]) == 2 and "they belong into tests/homework/hw98/, with an __init__.py" in capsys.readouterr().err
