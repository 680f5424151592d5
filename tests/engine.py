"""Small homeworks for tests of the grading engine, and submissions to them."""

import contextlib
import json
import os
import socket
import sys
import textwrap
from dataclasses import dataclass, field
from pathlib import Path

from autograder import submission, trusted
from autograder.results import QuestionResult, SubmissionResult
from autograder.submission import Limits

QUICK = Limits(submission_s=60, grace_s=0.5)


@dataclass
class Work:
    """A homework in the form that the build leaves for the grader.

    Attributes:
        folder: where manifest.json and tests/ are written.
    """

    folder: Path
    questions: list[dict] = field(default_factory=list)

    def ask(self, *tests: str, seconds: float = 10, hidden: bool = True, hints: tuple[str, ...] = ()) -> str:
        """Add a question, each of whose tests is a function's text and worth a point; its id."""
        name = f"q{len(self.questions) + 1}"
        texts = [textwrap.dedent(test).strip() for test in tests]
        head = f'from otter.test_files import test_case\n\nOK_FORMAT = False\n\nname = "{name}"\npoints = {len(tests)}\n'
        (self.folder / "tests").mkdir(exist_ok=True)
        mark = f"@test_case(points=1, hidden={hidden})\n"
        (self.folder / "tests" / f"{name}.py").write_text(head + "".join(f"\n{mark}{text}\n" for text in texts))
        listed = [
            {"index": i, "function": text.split("(")[0][4:], "topic": f"topic {i}", "points": 1, "hidden": hidden,
             "hint": "the default hint", "hints": list(hints)}
            for i, text in enumerate(texts)
        ]  # fmt: skip
        facts = {"number": len(self.questions) + 1, "title": name, "manual": False, "minutes": 1}
        self.questions.append({"id": name, "points": len(tests), "time_limit_s": seconds, "tests": listed, **facts})
        self.rewrite()
        return name

    def rewrite(self) -> None:
        """Write the manifest of the questions as they are now."""
        total = sum(question["points"] for question in self.questions)
        facts = {"assignment": "work", "title": "Work", "version": "1", "points": total, "seed": 1}
        (self.folder / "manifest.json").write_text(json.dumps({**facts, "questions": self.questions}))

    def grade(self, *cells: str, seed: int = 1, limits: Limits = QUICK, here: bool = False) -> SubmissionResult:
        """The result of a notebook of these cells.

        Args:
            here: fork the trusted side from this very process, so that what a test has patched is patched there too.
        """
        start = fork_here if here else submission.start
        return submission.grade(
            notebook(*cells), self.folder, student="someone", attempt=1, limits=limits, seed=seed, start=start
        )

    def answer(self, code: str, **settings) -> QuestionResult:
        """The result of the first question, answered by one cell."""
        result = self.grade(textwrap.dedent(code), 'grader.check("q1")', **settings)
        assert result.questions, result.message_instructor
        return result.questions[0]


def notebook(*cells: str) -> bytes:
    """A notebook of these code cells."""
    made = [
        {"cell_type": "code", "source": textwrap.dedent(text), "metadata": {}, "outputs": [], "execution_count": None}
        for text in cells
    ]
    return json.dumps({"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": made}).encode()


def fork_here() -> socket.socket:
    """A trusted side forked from this process."""
    mine, theirs = socket.socketpair()
    if os.fork() == 0:
        with contextlib.suppress(BaseException):
            close_all_but(theirs.fileno())
            trusted.serve(theirs.fileno())
        os._exit(0)
    theirs.close()
    return mine


def close_all_but(*kept: int) -> None:
    """Close what pytest had open at the fork: it is no part of what is attacked, and a forged byte ends a worker of it."""
    for fd in map(int, os.listdir("/proc/self/fd")):  # noqa: PTH208
        if fd > 2 and fd not in kept:
            with contextlib.suppress(OSError):
                os.close(fd)
    sys.stdout = sys.stderr = Path(os.devnull).open("w")  # noqa: SIM115  # pytest's are closed
