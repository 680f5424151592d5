"""What the tests of a homework make of the answers that students could give, question by question.

    python -m tests.homework hw1

`FIRST` is the share that was caught when the answers, which were written from the prompts alone, met the tests for the first
time. No right answer was rejected then.
"""

import contextlib
import importlib
import io
import pkgutil
import sys
import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.answers import Answer, answers_in
from tests.homework.marking import Homework, Mark

ROOT = Path(__file__).resolve().parent.parent.parent
MASTERS = {"hw1": ROOT / "solutions" / "hw1_neural_networks" / "hw1_neural_networks.py"}
COSTLY = ("digit_net",)  # what takes seconds to compute at the top of a cell
TRAINING = ("fonts never seen", "trained once more", "same seed, same network")  # tests that train a network

# For each question: wrong answers caught, and wrong answers in all.
FIRST = {
    "hw1": {
        "q1": (25, 26),
        "q2": (30, 31),
        "q3": (28, 32),
        "q4": (38, 38),
        "q5": (32, 34),
        "q6": (17, 19),
        "q7": (35, 37),
        "q8": (34, 35),
        "q9": (61, 64),
        "q10": (45, 45),
        "q11": (29, 29),
    }
}


def answers_of(homework: str) -> list[Answer]:
    """All answers to a homework."""
    package = importlib.import_module(f"tests.homework.{homework}")
    modules = [
        importlib.import_module(f"{package.__name__}.{module.name}") for module in pkgutil.iter_modules(package.__path__)
    ]
    return [answer for module in modules for answer in answers_in(module)]


def trains(answer: Answer) -> bool:
    """Whether this answer has a network trained, so that marking it takes half a minute."""
    return "def train_digits" in answer.source


def marks_of(homework: Homework, answer: Answer, seed: int = 0, with_training: bool | None = None) -> list[Mark]:
    """The marks of an answer on its question.

    Args:
        homework: the master.
        answer: to one of its questions.
        seed: of the tests' inputs.
        with_training: run the tests that train a network too; where the answer asks for it if None.
    """
    with_training = trains(answer) if with_training is None else with_training
    names = homework.names(answer, anew=with_training)
    tests = [test for test in homework.question(answer.question).tests if with_training or test.topic not in TRAINING]
    with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return [homework.mark(test, names, seed) for test in tests]


@dataclass
class Row:
    """What became of a question's answers."""

    question: str
    caught: int = 0
    wrong: int = 0
    kept: int = 0
    right: int = 0

    def add(self, answer: Answer, is_rejected: bool) -> None:
        if answer.is_right:
            self.right, self.kept = self.right + 1, self.kept + (not is_rejected)
        else:
            self.wrong, self.caught = self.wrong + 1, self.caught + is_rejected


def table(name: str, results: Iterable[tuple[Answer, bool]], questions: Sequence[str]) -> str:
    """One line a question, and the sums.

    Args:
        name: such as 'hw1'.
        results: answers, and whether each lost points.
        questions: the ids, in order.
    """
    rows = {question: Row(question) for question in questions}
    for answer, is_rejected in results:
        rows[answer.question].add(answer, is_rejected)
    total, first = Row("all"), [0, 0]
    lines = [f"{'question':9}{'wrong caught':>14}{'right kept':>12}{'false accepts':>15}{'false rejects':>15}{'first':>9}"]
    for row in [*rows.values(), total]:
        if row is total:
            sums = [sum(getattr(r, field) for r in rows.values()) for field in ("caught", "wrong", "kept", "right")]
            row, then = Row("all", *sums), tuple(first)
        else:
            then = FIRST[name].get(row.question, (0, 0))
            first = [a + b for a, b in zip(first, then, strict=True)]
        lines.append(
            f"{row.question:9}{f'{row.caught}/{row.wrong}':>14}{f'{row.kept}/{row.right}':>12}"
            f"{row.wrong - row.caught:>15}{row.right - row.kept:>15}{'{}/{}'.format(*then):>9}"
        )
    return "\n".join(lines)


def main(arguments: list[str]) -> int:
    """Mark all answers and print the table; 1 if a wrong one was accepted or a right one rejected."""
    if len(arguments) != 1 or arguments[0] not in MASTERS:
        print(f"usage: python -m tests.homework {'|'.join(MASTERS)}", file=sys.stderr)
        return 2
    [name] = arguments
    homework = Homework(MASTERS[name], COSTLY)
    results = []
    for answer in answers_of(name):
        is_rejected = any(mark.error for mark in marks_of(homework, answer))
        results.append((answer, is_rejected))
        if is_rejected is answer.is_right:
            print(f"{'rejected' if is_rejected else 'accepted'}: {answer.question} {answer.name}: {answer.belief}")
    print(table(name, results, [question.id for question in homework.questions]))
    return int(any(is_rejected is answer.is_right for answer, is_rejected in results))
