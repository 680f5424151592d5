"""The answers to homework 1, graded by the engine: wrong ones lose points and get their hint, right ones lose none.

Questions do not depend on each other, so a notebook takes one answer of each. What training a network costs is spent only
where an answer is about it.
"""

import itertools
from contextlib import closing
from dataclasses import replace

import pytest

from autograder.executor import LocalPool, Task
from tests.answers import Answer
from tests.homework import table
from tests.sample_class.making import NAME, QUESTIONS, Step, code, drafted, solve

ANSWERS = table.answers_of(NAME)
JOBS = 2
PATIENCE = 1800.0
SEED = 7
# Instead of a network that takes seconds: the tests of table.TRAINING fail by it, and are not counted.
NO_NETWORK = "digit_net = [np.zeros((10, 784), dtype=np.float32), np.zeros(10, dtype=np.float32)]"

# Wrong answers that this engine cannot tell from right ones yet, and why. Each must be caught, so this must become empty.
STILL_ACCEPTED: dict[str, str] = {}

# Wrong answers that are caught, but are told another hint than in one process, and why.
HINTED_OTHERWISE = {
    "q9.validates_on_the_exam": "its process cannot open those fonts, so that it ends in an error",
    "q7.one_array_of_ones": "arrays that share memory in the student's process are two in the test's",
}


def bundles() -> list[list[Answer]]:
    """Of each question at most one answer; those that take long come first."""
    by_question = [[a for a in reversed(ANSWERS) if a.question == question] for question in QUESTIONS]
    for column in by_question:
        column.sort(key=table.trains, reverse=True)
    return [[answer for answer in row if answer] for row in itertools.zip_longest(*by_question)]


def notebook(bundle: list[Answer]) -> bytes:
    steps: list[Step] = [solve(*(answer.question for answer in bundle))]
    for answer in bundle:
        if answer.question == "q9" and not table.trains(answer):
            steps.append(code("q9", NO_NETWORK))
        steps.append(code(answer.question, answer.source))
    return drafted(*steps)


def outcome(question, with_training):
    """The hints of the tests that failed, without those that train a network where that was left out."""
    return [
        test.hint or ""
        for test in question.tests
        if not test.passed and (with_training or question.id != "q9" or test.topic not in table.TRAINING)
    ]


def test_bundles_hold_every_answer_once():
    held = [answer for bundle in bundles() for answer in bundle]
    assert sorted(held, key=id) == sorted(ANSWERS, key=id)
    for bundle in bundles():
        assert len({answer.question for answer in bundle}) == len(bundle)


@pytest.mark.receipt("engine", "hw1", "tests/sample_class/**")
@pytest.mark.timeout(3600)
def test_the_engine_grades_every_answer(hw1, show):
    made = bundles()
    blank = Task(NAME, "", 1, SEED, hw1.version, hw1.points, "", b"")
    tasks = [replace(blank, student=str(number), notebook=notebook(bundle)) for number, bundle in enumerate(made)]
    with closing(LocalPool(hw1.folder, JOBS, PATIENCE, grade="tests.homework.patient:grade")) as pool:
        graded = {task.student: result for task, result in pool.run(tasks)}
    assert len(graded) == len(made)
    results, wrong = [], []
    for number, bundle in enumerate(made):
        questions = {question.id: question for question in graded[str(number)].questions}
        assert questions, graded[str(number)].message_instructor
        for answer in bundle:
            name, question = f"{answer.question}.{answer.name}", questions[answer.question]
            hints = outcome(question, table.trains(answer))
            results.append((answer, bool(hints)))
            if bool(hints) is (answer.is_right or name in STILL_ACCEPTED):
                wrong.append(f"{name} is {'rejected' if hints else 'accepted'}, {question.status}")
            elif hints and any(answer.hint in hint for hint in hints) is (name in HINTED_OTHERWISE):
                wrong.append(f"{name}, {question.status}, wants {answer.hint!r} and is told {hints}")
    show("hw1 graded by the engine", table.table(NAME, results, QUESTIONS))
    assert wrong == [], "\n".join(wrong)
