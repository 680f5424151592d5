"""Mutants of a master's solutions: one small change each, which the tests must notice or somebody must call equivalent.

    python -m tests.homework.mutation hw1 --question q1 --question q2

A mutant that passes every test of its question is listed with the line that was changed. `tests/homework/hwN/equivalent.txt`
names those that do nothing a prompt forbids, each with the reason.
"""

import argparse
import ast
import copy
import signal
import sys
from collections.abc import Container, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context

from coursebuild import master
from tests.answers import Answer
from tests.homework import particulars
from tests.homework.marking import Homework, split
from tests.homework.particulars import Particulars

SECONDS = 20  # of computing; a mutant that takes longer is caught: questions have time limits
SWAPS = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.Pow: ast.Mult,
    ast.FloorDiv: ast.Div,
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.And: ast.Or,
    ast.Or: ast.And,
    ast.BitOr: ast.BitAnd,
}
NAMES = {"max": "min", "min": "max", "ones_like": "zeros_like", "zeros_like": "ones_like", "mean": "sum", "sum": "mean"}


@dataclass(frozen=True)
class Mutant:
    """A changed solution: its question, the line of the master, what was changed, and the cell's new text."""

    question: str
    line: int
    change: str
    source: str

    @property
    def key(self) -> str:
        """How equivalent.txt names it: independent of line numbers."""
        return f"{self.question}: {self.change}"


def changes(node: ast.AST) -> Iterator[tuple[str, ast.AST | None]]:
    """Every small change of one node: in words, and the node that replaces it (None: the statement goes)."""
    if isinstance(node, ast.BinOp | ast.AugAssign) and type(node.op) in SWAPS:
        yield _with(node, op=SWAPS[type(node.op)]())
    if isinstance(node, ast.BoolOp):
        yield _with(node, op=SWAPS[type(node.op)]())
    if isinstance(node, ast.Compare):
        for i, op in enumerate(node.ops):
            if type(op) in SWAPS:
                yield _with(node, ops=[*node.ops[:i], SWAPS[type(op)](), *node.ops[i + 1 :]])
    if isinstance(node, ast.UnaryOp):
        yield f"{ast.unparse(node)} -> {ast.unparse(node.operand)}", node.operand
    if isinstance(node, ast.Constant) and type(node.value) in (int, float, bool):
        value = (not node.value) if isinstance(node.value, bool) else node.value + 1
        yield _with(node, value=value)
    if isinstance(node, ast.Call):
        if isinstance(node.func, ast.Attribute) and node.func.attr in ("copy", "astype"):
            yield f"{ast.unparse(node)} -> {ast.unparse(node.func.value)}", node.func.value
        for i, keyword in enumerate(node.keywords):
            yield _with(node, keywords=[*node.keywords[:i], *node.keywords[i + 1 :]], says=f"without {keyword.arg}=")
    if isinstance(node, ast.Attribute) and node.attr in NAMES:
        yield _with(node, attr=NAMES[node.attr])
    if isinstance(node, ast.Attribute) and node.attr == "T":
        yield f"{ast.unparse(node)} -> {ast.unparse(node.value)}", node.value
    if isinstance(node, ast.Name) and node.id in NAMES:
        yield _with(node, id=NAMES[node.id])
    if isinstance(node, ast.Assign | ast.AugAssign | ast.Expr | ast.Raise | ast.If) and not isinstance(
        getattr(node, "value", None), ast.Constant
    ):
        yield f"delete {ast.unparse(node).splitlines()[0]}", None


def _with(node: ast.AST, says: str = "", **fields) -> tuple[str, ast.AST]:
    new = copy.copy(node)
    for name, value in fields.items():
        setattr(new, name, value)
    return f"{ast.unparse(node)} -> {says or ast.unparse(new)}", new


class _Replace(ast.NodeTransformer):
    def __init__(self, old: ast.AST, new: ast.AST | None):
        self.old, self.new = old, new

    def visit(self, node):
        if node is self.old:
            return ast.copy_location(self.new or ast.Pass(), node)
        return self.generic_visit(node)


def mutants(work: Particulars, homework: Homework) -> Iterator[Mutant]:
    """Every mutant of every solution line; functions of the names left out are not changed."""
    secret = {line.number for line in master.read_master(work.master) if line.secret == "solution"}
    seen: dict[str, int] = {}
    asked = {question.id for question in homework.questions}
    for (question, cell), (_, whole) in zip(homework.code_cells, homework.cells, strict=True):
        if question not in asked:
            continue
        tree = split(whole, homework.costly)[0]
        skipped = {id(inner) for node in tree.body if getattr(node, "name", None) in work.left_out for inner in ast.walk(node)}
        for node in ast.walk(tree):
            if id(node) in skipped or cell.line + getattr(node, "lineno", -cell.line) - 1 not in secret:
                continue
            for change, new in changes(node):
                function = _function_around(tree, node)
                told = f"{function}: {change}" if function else change
                seen[f"{question} {told}"] = count = seen.get(f"{question} {told}", 0) + 1
                told += f" (number {count})" if count > 1 else ""
                source = ast.unparse(ast.fix_missing_locations(_Replace(node, new).visit(copy_of(tree, node))))
                yield Mutant(question, cell.line + node.lineno - 1, told, source)


def copy_of(tree: ast.Module, keep: ast.AST) -> ast.Module:
    """A deep copy of a tree in which one node stays the very same object."""
    return copy.deepcopy(tree, {id(keep): keep})


def _function_around(tree: ast.Module, node: ast.AST) -> str:
    names = []
    for outer in ast.walk(tree):
        if isinstance(outer, ast.FunctionDef | ast.ClassDef) and any(inner is node for inner in ast.walk(outer)):
            names.append(outer.name)
    return ".".join(names)


_work: Particulars | None = None
_homework: Homework | None = None


def _begin(name: str) -> None:
    global _work, _homework
    _work = particulars.of(name)
    _homework = Homework(_work.master, _work.costly)
    _homework.names()


class _TooLongError(BaseException):
    """Not an Exception, so that an answer that catches those does not catch this."""


def _survives(mutant: Mutant) -> bool:
    def stop(*_):
        raise _TooLongError

    signal.signal(signal.SIGPROF, stop)
    signal.setitimer(signal.ITIMER_PROF, SECONDS)
    try:
        answer = Answer(mutant.question, "mutant", "a mutant", mutant.source, False)
        names = _homework.names(answer, anew=False)
        tests = [test for test in _homework.question(mutant.question).tests if test.topic not in _work.training]
        return all(_homework.mark(test, names).error is None for test in tests)
    except (Exception, _TooLongError):
        return False
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)


def survivors(
    work: Particulars, questions: Container[str] | None = None, jobs: int = 2, every: int = 1
) -> tuple[list[Mutant], int]:
    """The mutants that no test notices, and how many were tried.

    Args:
        work: the homework.
        questions: such as {'q1'}; None for all.
        jobs: processes.
        every: 3 takes every third mutant only.
    """
    homework = Homework(work.master, work.costly)
    made = [mutant for mutant in mutants(work, homework) if questions is None or mutant.question in questions][::every]
    context = get_context("spawn")
    with ProcessPoolExecutor(jobs, mp_context=context, initializer=_begin, initargs=(work.name,)) as pool:
        alive = list(pool.map(_survives, made, chunksize=4))
    return [mutant for mutant, lives in zip(made, alive, strict=True) if lives], len(made)


def equivalents(work: Particulars) -> dict[str, str]:
    """The mutants that are as good as the original, and why: lines 'q1: change  # reason' of equivalent.txt, if there is one."""
    path, found = work.folder / "equivalent.txt", {}
    for line in path.read_text(encoding="utf-8").splitlines() if path.exists() else []:
        if line.strip() and not line.startswith("#"):
            key, _, reason = line.partition("  # ")
            found[key.strip()] = reason.strip()
    return found


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("homework", help="such as hw1")
    parser.add_argument("--question", action="append", help="such as q1; may be given several times; all without it")
    parser.add_argument("--jobs", type=int, default=2)
    chosen = parser.parse_args()
    try:
        chosen_work = particulars.of(chosen.homework)
    except ValueError as error:
        parser.error(str(error))
    alive, count = survivors(chosen_work, chosen.question, chosen.jobs)
    known = equivalents(chosen_work)
    new = [mutant for mutant in alive if mutant.key not in known]
    for mutant in new:
        print(f"line {mutant.line}  {mutant.key}")
    print(f"{count} mutants, {count - len(alive)} caught, {len(alive) - len(new)} equivalent, {len(new)} to look at")
    sys.exit(bool(new))
