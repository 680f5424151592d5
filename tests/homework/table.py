"""What the tests of a homework make of the answers that students could give, question by question.

python -m tests.homework hw1
"""

import contextlib
import io
import sys
import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from tests.answers import Answer
from tests.homework import particulars
from tests.homework.marking import Homework, Mark
from tests.homework.particulars import Particulars


def marks_of(
    work: Particulars, homework: Homework, answer: Answer, seed: int = 0, with_training: bool | None = None
) -> list[Mark]:
    """The marks of an answer on its question.

    Args:
        work: what is particular to the homework. homework: its master.
        answer: to one of its questions.
        seed: of the tests' inputs.
        with_training: run the tests that train a network too; where the answer asks for it if None.
    """
    with_training = work.trains(answer) if with_training is None else with_training
    names = homework.names(answer, anew=with_training)
    tests = [test for test in homework.question(answer.question).tests if with_training or test.topic not in work.training]
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


def table(work: Particulars, results: Iterable[tuple[Answer, bool]], questions: Sequence[str]) -> str:
    """One line a question, and the sums; at the right, where it is known, what was caught when the answers met the tests first.

    Args:
        work: the homework.
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
            then = work.first.get(row.question, (0, 0))
            first = [a + b for a, b in zip(first, then, strict=True)]
        lines.append(
            f"{row.question:9}{f'{row.caught}/{row.wrong}':>14}{f'{row.kept}/{row.right}':>12}"
            f"{row.wrong - row.caught:>15}{row.right - row.kept:>15}{'{}/{}'.format(*then) if then[1] else '-':>9}"
        )
    return "\n".join(lines)


def main(arguments: list[str]) -> int:
    """Mark all answers and print the table; 1 if a wrong one was accepted or a right one rejected."""
    if len(arguments) != 1:
        print(f"usage: python -m tests.homework {'|'.join(sorted(particulars.masters()))}", file=sys.stderr)
        return 2
    try:
        work = particulars.of(arguments[0])
    except ValueError as error:
        print(error, file=sys.stderr)
        return 2
    homework = Homework(work.master, work.costly)
    results = []
    for answer in work.answers:
        is_rejected = any(mark.error for mark in marks_of(work, homework, answer))
        results.append((answer, is_rejected))
        if is_rejected is answer.is_right:
            print(f"{'rejected' if is_rejected else 'accepted'}: {answer.question} {answer.name}: {answer.belief}")
    print(table(work, results, [question.id for question in homework.questions]))
    return int(any(is_rejected is answer.is_right for answer, is_rejected in results))
