"""The grader object of a homework's notebook."""

import os
from typing import Any

from dlcourse import notebook
from dlcourse.grader import running
from dlcourse.grader.export import IN_EXPORT, Submission, submit
from dlcourse.grader.questions import Question
from dlcourse.grader.results import Result, Results
from dlcourse.live.errors import did_you_mean

latest: "Notebook | None" = None


class UnknownQuestionError(ValueError):
    """There is no such question; the message names the closest."""


class Notebook:
    """Check and hand in one homework.

    Args:
        name: the homework's short name, such as 'hw1'.
    """

    def __init__(self, name: str):
        global latest
        self.name = name
        self.questions: dict[str, Question] = {}
        self.results: dict[str, Result] = {}
        latest = self

    def question(self, id: str, title: str, points: float, **facts: Any) -> Question:
        """Register a question; the notebook's folded cell does it."""
        facts["defines"] = tuple(facts.get("defines", ()))
        self.questions[id] = Question(id, title, points, **facts)
        return self.questions[id]

    def check(self, question: str, global_env: dict[str, Any] | None = None) -> Result:
        """Run a question's public tests.

        Args:
            question: its id, such as 'q1'.
            global_env: the names to test; the notebook's unless given.
        Returns:
            what came of each; a notebook shows it.
        Raises:
            UnknownQuestionError: there is no question of that id.
        """
        self._require_questions()
        if question not in self.questions:
            raise UnknownQuestionError(f"there is no question {question!r}.{did_you_mean(str(question), self.questions)}")
        names = notebook.namespace() if global_env is None else global_env
        result = self.results[question] = running.run(self.questions[question], self.questions, names)
        return result

    def check_all(self) -> Results:
        """Run the public tests of every question."""
        self._require_questions()
        return Results([self.check(id) for id, question in self.questions.items() if not question.manual])

    def export(
        self, nb_path: str | os.PathLike | None = None, export_path: str | os.PathLike | None = None, **others: Any
    ) -> Submission | None:
        """Run the notebook from the top in a fresh kernel, tell what a grader would stumble over, and write the zip file.

        Args:
            nb_path: the notebook, where it is not found by itself.
            export_path: the folder for the zip file; the notebook's unless given.
            others: run_tests=False skips the run. otter's other settings, which are about PDF files, have no effect.
        Returns:
            what was written and found; a notebook shows it. None inside the fresh kernel itself.
        Raises:
            dlcourse.grader.find.NotFoundError: the notebook was not found.
            dlcourse.grader.source.UnreadableError: its file is not a notebook.
        """
        for word in others:
            if word not in OTTERS:
                raise TypeError(f"export() has no setting {word!r}.{did_you_mean(word, ['nb_path', 'export_path', *OTTERS])}")
        if os.environ.get(IN_EXPORT):
            print("Not exported again: this cell is run by an export.")
            return None
        self._require_questions()
        return submit(self.name, self.questions, nb_path, export_path, run=others.get("run_tests", True))

    def _require_questions(self) -> None:
        if not self.questions:
            raise UnknownQuestionError(
                "no questions are registered: run the folded cell below the set-up cell, which holds the public tests"
            )


OTTERS = ("run_tests", "pdf", "filtering", "pagebreaks", "files", "display_link", "force_save")


def report() -> dict[str, dict[str, Any]]:
    """For an export's kernel: each question's result, at its check cell, or now where that did not run."""
    if latest is None or not latest.questions:
        return {}
    for id, question in latest.questions.items():
        if id not in latest.results and not question.manual:
            latest.check(id)
    return {
        id: {"summary": result.summary(), "passed": result.passed, "tests": len(result.outcomes)}
        for id, result in latest.results.items()
    }
