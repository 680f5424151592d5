"""Mark answers to a homework in this process: the master's cells, an answer below them, and every test of a question.

The tests are run as authored, by the names of the notebook that they ask for. Nothing here contains hostile code: the
answers are the course's own.
"""

import ast
import functools
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib as mpl
import matplotlib.pyplot as plt

from coursebuild import assignment
from coursebuild.assignment import Assignment, Question, Test
from dlcourse import check
from tests.answers import Answer

mpl.use("Agg")


@dataclass(frozen=True)
class Mark:
    """What one test gave: the points, the error that took them, the hint that the student reads, and the seconds."""

    test: Test
    error: Exception | None
    seconds: float

    @property
    def points(self) -> float:
        return self.test.points if self.error is None else 0.0

    @property
    def hint(self) -> str:
        return getattr(self.error, "hint", None) or self.test.hint


class Homework:
    """A master whose questions can be answered anew.

    Args:
        path: the master, py:percent.
        costly: names whose assignment at the top of a cell takes seconds; the master's values are computed once, and used in
            every namespace whose answer defines nothing that they depend on.
    """

    def __init__(self, path: Path, costly: Iterable[str] = ()):
        self.assignment: Assignment = assignment.read(path)
        self.costly = tuple(costly)
        self.code_cells = list(_code_cells(self.assignment))
        self.cells = [(id, ast.parse(cell.text)) for id, cell in self.code_cells]
        self._values: dict[str, Any] = {}

    @property
    def questions(self) -> list[Question]:
        return [question for question in self.assignment.questions if not question.manual]

    def question(self, id: str) -> Question:
        return next(question for question in self.questions if question.id == id)

    def names(self, answer: Answer | None = None, anew: bool = True) -> dict[str, Any]:
        """The notebook's names after the master's cells, with the answer run below its question's last cell.

        With an answer only its own question's cells are run, and those outside of questions: no question needs another.

        Args:
            anew: compute costly values once more where the answer defines something that they come from.
        """
        names: dict[str, Any] = {"__name__": "__main__"}
        last = max((i for i, (id, _) in enumerate(self.cells) if answer and id == answer.question), default=-1)
        for i, (id, tree) in enumerate(self.cells):
            if answer and id not in (None, answer.question):
                continue
            cheap, costly = split(tree, self.costly)
            _run(cheap, f"cell {i}", names)
            if i == last:
                exec(compile(answer.source, answer.name, "exec"), names)
                changed = {node.name for node in ast.parse(answer.source).body if hasattr(node, "name")}
                if anew and any(changed & _used(statement, tree) for statement in costly.body):
                    _run(costly, f"cell {i}", names)
                    continue
            for statement in costly.body:
                name = statement.targets[0].id
                if name not in names:
                    names[name] = self._costly_value(name, statement, names)
        plt.close("all")
        return names

    def _costly_value(self, name: str, statement: ast.Assign, names: dict[str, Any]) -> Any:
        if name not in self._values:
            own = dict(names)
            _run(ast.Module([statement], []), name, own)
            self._values[name] = own[name]
        return self._values[name]

    def marks(self, question: Question, names: dict[str, Any], seed: int = 0) -> list[Mark]:
        """The outcome of each test of a question."""
        return [self.mark(test, names, seed) for test in question.tests]

    def mark(self, test: Test, names: dict[str, Any], seed: int = 0) -> Mark:
        own: dict[str, Any] = {}
        exec(_compiled(test.source, test.function), own)
        start, error = time.perf_counter(), None
        with check.grading_seed(seed):
            try:
                own[test.function](**{name: names[name] for name in test.needs})
            except Exception as caught:  # an answer may fail in every way
                error = caught
        return Mark(test, error, time.perf_counter() - start)


@functools.cache
def _compiled(source: str, name: str):
    return compile(source, name, "exec")


def _run(tree: ast.Module, name: str, names: dict[str, Any]) -> None:
    exec(compile(ast.fix_missing_locations(tree), name, "exec"), names)


def split(tree: ast.Module, costly: tuple[str, ...]) -> tuple[ast.Module, ast.Module]:
    """The cell without, and only with, its top-level assignments to the costly names."""
    is_costly = [
        isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) and node.targets[0].id in costly
        for node in tree.body
    ]
    parts = [[node for node, yes in zip(tree.body, is_costly, strict=True) if yes is wanted] for wanted in (False, True)]
    return ast.Module(parts[0], []), ast.Module(parts[1], [])


def _used(statement: ast.stmt, tree: ast.Module) -> set[str]:
    """The names that a statement depends on, through the functions and classes of its own cell too."""
    defined = {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef | ast.ClassDef)}
    found, open_nodes = set(), [statement]
    while open_nodes:
        used = {node.id for node in ast.walk(open_nodes.pop()) if isinstance(node, ast.Name)} - found
        found |= used
        open_nodes += [defined[name] for name in used if name in defined]
    return found


def _code_cells(homework: Assignment):
    """The code cells outside of test blocks, each with its question's id, or None."""
    in_tests, place, inside = False, -1, None
    for cell in homework.cells:
        marker = cell.text.splitlines()[0] if cell.kind == "raw" and cell.text else ""
        if marker == "# BEGIN QUESTION":
            place += 1
            inside = homework.questions[place].id
        elif marker == "# END QUESTION":
            inside = None
        in_tests = marker == "# BEGIN TESTS" or (in_tests and marker != "# END TESTS")
        if cell.kind == "code" and not in_tests:
            yield inside, cell
