"""The answers to each homework, graded by the engine: wrong ones lose points and get their hint, right ones lose none.

Questions do not depend on each other, so a notebook takes one answer of each. What training a network costs is spent only
where an answer is about it.
"""

import itertools
from contextlib import closing
from dataclasses import replace

import pytest

from autograder.executor import LocalPool, Task
from tests.answers import Answer
from tests.conftest import for_the_grader
from tests.homework import particulars, table
from tests.homework.particulars import Particulars
from tests.sample_class.making import Step, code, drafted, solve

WORKS = {path: particulars.of(name) for name, path in sorted(particulars.masters().items())}
JOBS = 2
PATIENCE = 1800.0
SEED = 7


def bundles(work: Particulars) -> list[list[Answer]]:
    """Of each question at most one answer; those that take long come first."""
    questions = sorted({answer.question for answer in work.answers})
    by_question = [[a for a in reversed(work.answers) if a.question == question] for question in questions]
    for column in by_question:
        column.sort(key=work.trains, reverse=True)
    return [[answer for answer in row if answer] for row in itertools.zip_longest(*by_question)]


def notebook(work: Particulars, bundle: list[Answer]) -> bytes:
    steps: list[Step] = [solve(*(answer.question for answer in bundle), work=work)]
    for answer in bundle:
        if answer.question in work.stand_ins and not work.trains(answer):
            steps.append(code(answer.question, work.stand_ins[answer.question]))
        steps.append(code(answer.question, answer.source))
    return drafted(*steps, work=work)


def outcome(work, question, with_training):
    """The hints of the tests that failed, without those that train a network where that was left out."""
    return [
        test.hint or ""
        for test in question.tests
        if not test.passed and (with_training or question.id not in work.stand_ins or test.topic not in work.training)
    ]


@pytest.mark.parametrize("path", WORKS, ids=lambda path: path.stem)
def test_bundles_hold_every_answer_once(path):
    work, made = WORKS[path], bundles(WORKS[path])
    held = [answer for bundle in made for answer in bundle]
    assert sorted(held, key=id) == sorted(work.answers, key=id)
    for bundle in made:
        assert len({answer.question for answer in bundle}) == len(bundle)


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("path", WORKS, ids=lambda path: path.stem)
def test_the_engine_grades_every_answer(path, settings, show):
    work, made = WORKS[path], bundles(WORKS[path])
    graded_by = for_the_grader(settings, path)
    blank = Task(work.name, "", 1, SEED, graded_by.version, graded_by.points, "", b"")
    tasks = [replace(blank, student=str(number), notebook=notebook(work, bundle)) for number, bundle in enumerate(made)]
    with closing(LocalPool(graded_by.folder, JOBS, PATIENCE, grade="tests.homework.patient:grade")) as pool:
        graded = {task.student: result for task, result in pool.run(tasks)}
    assert len(graded) == len(made)
    results, wrong = [], []
    for number, bundle in enumerate(made):
        questions = {question.id: question for question in graded[str(number)].questions}
        assert questions, graded[str(number)].message_instructor
        for answer in bundle:
            name, question = f"{answer.question}.{answer.name}", questions[answer.question]
            hints = outcome(work, question, work.trains(answer))
            results.append((answer, bool(hints)))
            if bool(hints) is (answer.is_right or name in work.still_accepted):
                wrong.append(f"{name} is {'rejected' if hints else 'accepted'}, {question.status}")
            elif hints and any(answer.hint in hint for hint in hints) is (name in work.hinted_otherwise):
                wrong.append(f"{name}, {question.status}, wants {answer.hint!r} and is told {hints}")
    asked = [
        question.id for question in graded["0"].questions if any(answer.question == question.id for answer in work.answers)
    ]
    show(f"{work.name} graded by the engine", table.table(work, results, asked))
    assert wrong == [], "\n".join(wrong)
