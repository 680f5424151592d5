"""Every sentence of a lecture that asserts something is proved by a test, or says where it is from.

A test in tests/lectures/test_NN.py quotes what it proves:

    @claim("From a start at 1 the skier settles up to lr = 1.16.")
    def test_the_limit(lecture): ...

What no test of ours can decide stands in tests/lectures/NN_cited.txt, in blocks with an empty line between: `source: author,
year, title, place`, `derived: in one line`, or `definition: of what`, and below it the quotes, one a line.

    python -m tests.claims 03        the sentences of lecture 03 that are neither, with file and line
"""

import ast
import re
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from tests import prose

ROOT = Path(__file__).resolve().parent.parent
SOURCES = ROOT / "lectures" / "src"
TESTS = ROOT / "tests" / "lectures"
KINDS = ("source", "derived", "definition")
SKIPPING = {"skip", "skipif", "xfail"}


def claim(*quotes: str) -> Callable[[Callable], Callable]:
    """Decorate the test that proves these sentences. The quotes are read from the test's source, so they are literals."""
    for quote in quotes:
        if not isinstance(quote, str) or not quote.strip():
            raise TypeError(f"a claim quotes sentences of the lecture, got {quote!r}")
    if not quotes:
        raise TypeError("a claim quotes at least one sentence")
    return lambda test: test


@dataclass(frozen=True)
class Quote:
    """A quoted sentence: by a test ('claim') or in the cited list, and where."""

    text: str
    kind: str
    path: Path
    line: int


@dataclass(frozen=True)
class Problem:
    """Something that the gate refuses."""

    path: Path
    line: int
    message: str

    def __str__(self) -> str:
        return f"{self.path.name}:{self.line}: {self.message}"


def claims_in(path: Path) -> tuple[list[Quote], list[Problem]]:
    """The quotes of a file of tests, and the tests that prove nothing."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    functions = {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef)}
    quotes, problems = [], []
    for node in ast.walk(tree):
        if not isinstance(node, ast.FunctionDef):
            continue
        for decorator in node.decorator_list:
            if not (isinstance(decorator, ast.Call) and getattr(decorator.func, "id", None) == "claim"):
                continue
            if not node.name.startswith("test_"):
                problems.append(Problem(path, node.lineno, f"{node.name} is no test, so its claim is proved by nothing"))
            if {n.attr for d in node.decorator_list for n in ast.walk(d) if isinstance(n, ast.Attribute)} & SKIPPING:
                problems.append(Problem(path, node.lineno, f"{node.name} may be skipped, so its claim is not proved"))
            if not _asserts(node, functions):
                problems.append(Problem(path, node.lineno, f"{node.name} asserts nothing"))
            for argument in decorator.args:
                try:
                    quotes.append(Quote(ast.literal_eval(argument), "claim", path, argument.lineno))
                except ValueError:
                    problems.append(Problem(path, argument.lineno, "a claim's sentences are written out, as plain strings"))
    return quotes, problems


def _asserts(function: ast.FunctionDef, functions: dict[str, ast.FunctionDef], depth: int = 2) -> bool:
    """Whether a test, or a function of its file that it calls, can fail by what it looks at."""
    for node in ast.walk(function):
        if isinstance(node, ast.Assert):
            return True
        if isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            if called.startswith(("pytest.raises", "check.", "np.testing.")):
                return True
            if depth and called in functions and called != function.name and _asserts(functions[called], functions, depth - 1):
                return True
    return False


def cited_in(path: Path) -> tuple[list[Quote], list[Problem]]:
    """The quotes of a cited list, and what is wrong with it."""
    quotes, problems, kind = [], [], None
    if not path.exists():
        return [], [Problem(path, 1, "is missing: it lists the sentences that no test can decide, and may be empty")]
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if not line.strip():
            kind = None
        elif kind is None:
            kind, _, note = (part.strip() for part in line.partition(":"))
            if kind not in KINDS or len(note) < 4:
                problems.append(
                    Problem(path, number, f"a block starts with one of {', '.join(KINDS)}, a colon, and where from")
                )
                kind = "source"
        else:
            quotes.append(Quote(line.strip(), kind, path, number))
            if kind == "definition" and re.search(r"\d\.\d|%", line):
                problems.append(Problem(path, number, "a definition holds no measured number; prove it, or name its source"))
    return quotes, problems


@dataclass
class Report:
    """What the gate found in one lecture."""

    claimed: int
    cited: int
    problems: list[Problem]


def report(source: Path, tests: Path, cited: Path) -> Report:
    """Hold a lecture's sentences against its tests and its cited list."""
    by_test, problems = claims_in(tests) if tests.exists() else ([], [Problem(tests, 1, "is missing")])
    by_list, more = cited_in(cited)
    found = hold(source, prose.units(source), [*by_test, *by_list])
    found.problems = sorted([*problems, *more, *found.problems], key=lambda problem: (problem.path.name, problem.line))
    return found


def hold(source: Path, units: list[prose.Unit], quotes: list[Quote]) -> Report:
    """Hold prose against quotes: each quote stands in it once, and each assertion lies in a quote."""
    problems: list[Problem] = []
    covered: dict[int, list[tuple[int, int, str]]] = {}
    for quote in quotes:
        wanted = prose.normal(quote.text)
        places = [(i, at) for i, unit in enumerate(units) for at in _occurrences(unit.text, wanted)]
        if len(places) != 1:
            often = "nowhere" if not places else f"{len(places)} times"
            problems.append(Problem(quote.path, quote.line, f"quoted, and it stands {often} in {source.name}: {wanted}"))
        elif quote.kind != "claim" and not _is_flagged(units[places[0][0]], places[0][1], len(wanted)):
            problems.append(Problem(quote.path, quote.line, f"cited, and it asserts nothing that needs it: {wanted}"))
        for i, at in places:
            covered.setdefault(i, []).append((at, at + len(wanted), quote.kind))
    claimed = cited = 0
    for i, unit in enumerate(units):
        for start, end, found in unit.flagged:
            kinds = [{kind for a, b, kind in covered.get(i, []) if a <= t[0] and t[1] <= b} for t in found]
            open_ones = [unit.text[a:b] for (a, b), kind in zip(found, kinds, strict=True) if not kind]
            if open_ones:
                message = f"neither proved nor cited ({', '.join(open_ones)}): {unit.text[start:end]}"
                problems.append(Problem(source, unit.line(start), message))
            elif found:
                by_test = any("claim" in kind for kind in kinds)
                claimed, cited = claimed + by_test, cited + (not by_test)
    return Report(claimed, cited, problems)


def _occurrences(text: str, wanted: str) -> Iterable[int]:
    at = text.find(wanted)
    while at >= 0:
        yield at
        at = text.find(wanted, at + 1)


def _is_flagged(unit: prose.Unit, at: int, length: int) -> bool:
    return any(at <= a and b <= at + length for _, _, found in unit.flagged for a, b in found)


def of_lecture(source: Path) -> Report:
    """The gate's report on a lecture of this course."""
    number = source.stem[:2]
    return report(source, TESTS / f"test_{number}.py", TESTS / f"{number}_cited.txt")


def main(arguments: list[str]) -> int:
    found = [path for path in sorted(SOURCES.glob("*.py")) if not arguments or path.stem[:2] in arguments]
    if not found:
        print(f"no such lecture: {', '.join(arguments)}", file=sys.stderr)
        return 2
    bad = 0
    for source in found:
        result = of_lecture(source)
        for problem in result.problems:
            print(problem)
        print(f"{source.stem}: {result.claimed} sentences proved, {result.cited} cited, {len(result.problems)} problems")
        bad += len(result.problems)
    return int(bad > 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
