"""What a homework master holds: its questions, their points, and their tests, checked against the rules for authors.

The rules stand here, each with the sentence that tells an author what to do: a homework whose points do not add up, or a
test that reads global random state, stops the build.
"""

import ast
import re
import symtable
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import yaml

from coursebuild import master
from coursebuild.text import Cell, SourceError, read_source

TITLE = re.compile(r"## Question (?P<number>\d+)\. (?P<title>\S.*)")
FACTS = re.compile(
    r"\*(?P<points>\d+(?:\.\d+)?) points? · (?P<minutes>\d+) minutes? · difficulty [123] of 3 · [^*\n]*\b(?:lectures?|questions?) \d[^*\n]*\*"
)
TIME_LIMIT = re.compile(r"<!-- time limit: (\d+) s -->")
DEFAULT_TIME_LIMIT = 20
CONFIG = re.compile(r'""" # BEGIN TEST CONFIG\n(?P<yaml>.*?)\n"""  ?# END TEST CONFIG\n+', re.S)


@dataclass(frozen=True)
class Test:
    """One test: a function of names of the notebook.

    Attributes:
        topic: what it is about, public even where the test is hidden.
        function: its name; source: its text, as authored; line: where that starts in the master.
        hint: what is said to whoever fails it; hints: what is said for the mistakes that it recognises.
        needs: the names of the notebook that it receives.
        draws: the numbers of the generators that it draws its inputs by.
    """

    topic: str
    function: str
    source: str
    line: int
    points: float
    hidden: bool
    hint: str
    hints: tuple[str, ...]
    needs: tuple[str, ...]
    draws: tuple[int, ...]


@dataclass(frozen=True)
class Question:
    """One question; line is where its prompt starts."""

    id: str
    number: int
    title: str
    points: float
    manual: bool
    minutes: int
    time_limit: int
    line: int
    tests: tuple[Test, ...]


@dataclass(frozen=True)
class Assignment:
    """A master, read and checked; setup is the text of its set-up cell."""

    path: Path
    name: str
    title: str
    setup: str
    cells: tuple[Cell, ...]
    questions: tuple[Question, ...]

    @property
    def points(self) -> float:
        return sum(question.points for question in self.questions)


def read(path: Path) -> Assignment:
    """Read a master.

    Raises:
        SourceError: a marker, the config, a prompt or a test is not as it must be; with file and line.
    """
    _, cells = read_source(path)
    master.check(cells, path)
    config = _assignment_config(cells, path)
    setup = _setup(cells, path)
    title = next((match[1] for cell in cells if (match := re.match(r"# (.+)", cell.text)) and cell.kind == "markdown"), None)
    if title is None:
        raise SourceError(path, 1, "the homework has no title: write a markdown cell that starts '# Homework ...'")
    questions = tuple(_questions(cells, path))
    if not questions:
        raise SourceError(path, 1, "the homework has no question")
    _check_unique([(question.id, question.line) for question in questions], "question", path)
    _check_draws(questions, path)
    return Assignment(path, config["name"], title, setup, tuple(cells), questions)


def _assignment_config(cells: list[Cell], path: Path) -> dict:
    found = [cell for cell in cells if cell.kind == "raw" and cell.text.startswith("# ASSIGNMENT CONFIG")]
    if len(found) != 1:
        raise SourceError(path, 1, f"a master has one raw cell '# ASSIGNMENT CONFIG', got {len(found)}")
    config = yaml.safe_load(found[0].text) or {}
    line = found[0].line
    if not re.fullmatch(r"[a-z][a-z0-9_]*", str(config.get("name", ""))):
        raise SourceError(path, line, "the config needs a short name in lower case, such as 'name: hw1'")
    tests = config.get("tests") or {}
    if tests.get("ok_format") is not False or tests.get("files"):
        raise SourceError(
            path, line, "tests are functions inside the notebook: write 'tests:' and below it '    ok_format: false'"
        )
    for name in ("files", "seed", "init_cell", "export_cell"):
        if name in config:
            raise SourceError(
                path, line, f"{name!r} has no place in the config: the release is one notebook, and needs nothing else"
            )
    return config


def _setup(cells: list[Cell], path: Path) -> str:
    """The first code cell: it stands before the questions, and imports what the notebook uses."""
    for cell in cells:
        if cell.kind == "code":
            return cell.text
        if cell.text.startswith("# BEGIN QUESTION"):
            raise SourceError(
                path, cell.line, "the set-up cell is missing: one code cell with the imports, before the questions"
            )
    raise SourceError(path, 1, "the set-up cell is missing: one code cell with the imports, before the questions")


def _questions(cells: list[Cell], path: Path) -> Iterator[Question]:
    inside, block, number = [], None, 0
    for cell in cells:
        marker = cell.text.splitlines()[0] if cell.kind == "raw" else ""
        if marker == "# BEGIN QUESTION":
            inside, number = [], number + 1
            block = yaml.safe_load(cell.text) or {}
        elif marker == "# END QUESTION":
            yield _question(block, inside, number, path, cell.line)
        inside.append(cell)


def _question(config: dict, cells: list[Cell], number: int, path: Path, end: int) -> Question:
    line = cells[0].line
    name, points = config.get("name"), config.get("points")
    if not re.fullmatch(r"q[1-9]\d*", str(name)):
        raise SourceError(path, line, f"a question is named q1, q2 and so on, got {name!r}")
    if isinstance(points, bool) or not isinstance(points, int | float) or points <= 0:
        raise SourceError(path, line, f"{name} needs its points as one number above 0, got {points!r}")
    manual = bool(config.get("manual", False))
    prompt = next((cell for cell in cells[1:] if cell.kind != "raw"), None)
    match = TITLE.match(prompt.text) if prompt and prompt.kind == "markdown" else None
    if match is None:
        raise SourceError(
            path, prompt.line if prompt else end, f"the prompt of {name} starts with a line '## Question {number}. Title'"
        )
    if int(match["number"]) != number:
        raise SourceError(path, prompt.line, f"this is question {number}, and its title says {match['number']}")
    facts = FACTS.search(prompt.text)
    if facts is None:
        form = "*8 points · 20 minutes · difficulty 1 of 3 · draws on lecture 02, Softmax regression*"
        raise SourceError(path, prompt.line, f"the prompt of {name} lacks its line of facts, such as '{form}'")
    if float(facts["points"]) != points:
        raise SourceError(
            path, prompt.line, f"the prompt of {name} promises {facts['points']} points, and its config gives {points:g}"
        )
    limit = TIME_LIMIT.search(prompt.text)
    if limit is None and "time limit" in prompt.text.lower() and "<!--" in prompt.text:
        raise SourceError(path, prompt.line, f"the time limit of {name} is written <!-- time limit: 60 s -->")
    tests = tuple(_tests(cells, path))
    if manual and tests:
        raise SourceError(path, tests[0].line, f"{name} is read by a person, so it has no tests; or take 'manual: true' away")
    if not manual:
        _check_tests(name, points, tests, path, line)
    seconds = int(limit[1]) if limit else DEFAULT_TIME_LIMIT
    return Question(name, number, match["title"].strip(), points, manual, int(facts["minutes"]), seconds, prompt.line, tests)


def _check_tests(name: str, points: float, tests: tuple[Test, ...], path: Path, line: int) -> None:
    if not tests:
        raise SourceError(path, line, f"{name} has no tests: write them, or 'manual: true' for a question that a person reads")
    total = sum(test.points for test in tests)
    if abs(total - points) > 1e-9:
        parts = " + ".join(f"{test.points:g}" for test in tests)
        raise SourceError(path, line, f"the tests of {name} give {parts} = {total:g} points, and the question {points:g}")
    _check_unique([(test.topic, test.line) for test in tests], f"topic of {name}", path)
    _check_unique([(test.function, test.line) for test in tests], f"test function of {name}", path)


def _check_unique(names: list[tuple[str, int]], what: str, path: Path) -> None:
    seen = {}
    for name, line in names:
        if name in seen:
            raise SourceError(path, line, f"the {what} {name!r} is there already, in line {seen[name]}: choose another")
        seen[name] = line


def _check_draws(questions: tuple[Question, ...], path: Path) -> None:
    """A hidden test's inputs can be computed by whoever knows its numbers, so none of them may stand in a public test."""
    seen: dict[int, Test] = {}
    tests = [test for question in questions for test in question.tests]
    for test in sorted(tests, key=lambda test: test.line):
        for number in set(test.draws):
            before = seen.setdefault(number, test)
            if before is not test and (before.hidden or test.hidden):
                raise SourceError(
                    path,
                    test.line,
                    f"check.rng({number}) is drawn from by the test in line {before.line} too: take a new number",
                )


def _tests(cells: list[Cell], path: Path) -> Iterator[Test]:
    block = None
    for cell in cells:
        if cell.kind == "raw":
            block = cell.text.splitlines()[0]
        elif block == "# BEGIN TESTS" and cell.kind == "code":
            yield _test(cell, path)


def _test(cell: Cell, path: Path) -> Test:
    config = CONFIG.match(cell.text)
    if config is None:
        raise SourceError(path, cell.line, "a test cell starts with its config, between BEGIN TEST CONFIG and END TEST CONFIG")
    fields = yaml.safe_load(config["yaml"]) or {}
    topic, points, hint = fields.get("name"), fields.get("points"), fields.get("failure_message")
    if not isinstance(topic, str) or not topic.strip():
        raise SourceError(path, cell.line, "the test has no topic: write 'name: broadcasting' into its config; students see it")
    if topic[0] != topic[0].lower() or topic.isupper():
        raise SourceError(
            path, cell.line, f"a topic is in lower case but for names, and starts with a small letter, got {topic!r}"
        )
    if not isinstance(hint, str) or not hint.strip():
        raise SourceError(path, cell.line, f"the test {topic!r} has no hint: write 'failure_message: what to look at first'")
    if re.search(r'["\\\n]', hint.strip()):
        raise SourceError(
            path, cell.line, f'the hint of {topic!r} is one line without \\ and ", because otter writes it between quotes'
        )
    if isinstance(points, bool) or not isinstance(points, int | float) or points < 0:
        raise SourceError(path, cell.line, f"the test {topic!r} needs its points as a number, got {points!r}")
    source = cell.text[config.end() :].rstrip()
    start = cell.line + cell.text[: config.end()].count("\n")
    body = ast.parse(source).body
    if len(body) != 1 or not isinstance(body[0], ast.FunctionDef) or not body[0].name.startswith("test_"):
        raise SourceError(
            path, start, "a test cell holds its config and one function test_...(names of the notebook), nothing else"
        )
    function = body[0]
    signature = function.args
    if signature.defaults or signature.kwonlyargs or signature.vararg or signature.kwarg or signature.posonlyargs:
        raise SourceError(path, start, f"the parameters of {function.name} are names of the notebook, without defaults")
    if function.decorator_list:
        raise SourceError(path, start, f"{function.name} has a decorator; the build writes its own")
    _lint(function, path, start)
    _check_names(function, source, path, start)
    return Test(
        topic=topic,
        function=function.name,
        source=source,
        line=start,
        points=points,
        hidden=fields.get("hidden", False),
        hint=hint.strip(),
        hints=tuple(dict.fromkeys(_hints(function, path, start))),
        needs=tuple(argument.arg for argument in signature.args),
        draws=tuple(_draws(function, path, start)),
    )


def _dotted(node: ast.AST) -> str:
    """'np.random.rand' for the expression of that form; '' for any other."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute) and (before := _dotted(node.value)):
        return f"{before}.{node.attr}"
    return node.attr if isinstance(node, ast.Attribute) else ""


REFUSED = [
    (r"(.*\.)?(assert_)?(allclose|array_equal|array_almost_equal|isclose)|(.*\.)?testing\..*", "takes an empty or broadcast array for right: use check.close"),
    (r"(np|numpy)\.random\.(?!default_rng$|Generator$)\w+", "is global random state: draw from check.rng(number)"),
    (r"random\.\w+", "is global random state: draw from check.rng(number)"),
    (r"torch\.(manual_seed|seed|set_rng_state|random\.\w+)", "is global random state: pass a torch.Generator, or draw from check.rng(number)"),
]  # fmt: skip


def _lint(function: ast.FunctionDef, path: Path, start: int) -> None:
    """Refuse what accepts wrong answers or depends on what ran before."""
    imported = {}  # name in the test -> where it comes from, so that another name for it does not hide it
    for node in ast.walk(function):
        if isinstance(node, ast.Import):
            imported |= {alias.asname: alias.name for alias in node.names if alias.asname}
        elif isinstance(node, ast.ImportFrom):
            imported |= {alias.asname or alias.name: f"{node.module}.{alias.name}" for alias in node.names}
    for node in ast.walk(function):
        line = start + getattr(node, "lineno", 1) - 1
        if isinstance(node, ast.Assert):
            raise SourceError(
                path, line, "a bare assert says nothing to whoever fails it: use dlcourse.check, or raise check.CheckError"
            )
        if not isinstance(node, ast.Name | ast.Attribute):
            continue
        first, dot, rest = _dotted(node).partition(".")
        name = imported.get(first, first) + dot + rest
        for pattern, says in REFUSED:
            if re.fullmatch(pattern, name):
                raise SourceError(path, line, f"{_dotted(node)} in a test {says}")


def _check_names(function: ast.FunctionDef, source: str, path: Path, start: int) -> None:
    """A test must bring its imports along: plain otter and the grader run it outside the notebook."""
    import builtins

    tables = [symtable.symtable(source, str(path), "exec").get_children()[0]]
    while tables:
        table = tables.pop()
        tables += table.get_children()
        for symbol in table.get_symbols():
            if symbol.is_global() and not hasattr(builtins, symbol.get_name()):
                name = symbol.get_name()
                raise SourceError(path, start, f"{function.name} uses {name!r}: import it inside, or make it a parameter")


def _literal(node: ast.AST | None) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


def _hints(function: ast.FunctionDef, path: Path, start: int) -> Iterator[str]:
    """Every hint that the test can give: keys of mistakes={...}, and hint='...'.

    Where mistakes is worked out (a dict that a loop chose, say), they are the sentences among the keys of the test's dicts.
    """
    keys = [key for node in ast.walk(function) if isinstance(node, ast.Dict) for key in node.keys]
    keys += [node.slice for node in ast.walk(function) if isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Store)]
    sentences = [key.value for key in keys if _literal(key) and " " in key.value.strip()]
    for call in (node for node in ast.walk(function) if isinstance(node, ast.Call)):
        for keyword in call.keywords:
            line = start + keyword.value.lineno - 1
            if keyword.arg == "mistakes":
                found = sentences if _keys(keyword.value) is None else _keys(keyword.value)
                if not found and _keys(keyword.value) is None:
                    raise SourceError(path, line, "the hints of mistakes are string literals: mistakes={'...': wrong}")
                yield from found
            elif keyword.arg == "hint":
                if not _literal(keyword.value):
                    raise SourceError(path, line, "a hint is a string literal, so that the manifest can list it")
                yield keyword.value.value


def _keys(node: ast.AST) -> list[str] | None:
    """The keys of the dict that an expression writes out, of either branch where it chooses; None for anything else."""
    if isinstance(node, ast.IfExp):
        branches = [_keys(node.body), _keys(node.orelse)]
        return None if None in branches else branches[0] + branches[1]
    if isinstance(node, ast.Dict) and all(_literal(key) for key in node.keys):
        return [key.value for key in node.keys]
    return [] if isinstance(node, ast.Constant) and node.value is None else None


def _draws(function: ast.FunctionDef, path: Path, start: int) -> Iterator[int]:
    for call in (node for node in ast.walk(function) if isinstance(node, ast.Call)):
        if _dotted(call.func) in ("check.rng", "rng") and call.args:
            [number] = call.args[:1]
            if not isinstance(number, ast.Constant) or not isinstance(number.value, int):
                raise SourceError(
                    path, start + call.lineno - 1, "check.rng takes a number, written out, that is this test's own"
                )
            yield number.value
