"""Rules for what a lecture shows and asks: without them a reader meets a blank cell, a question without an answer, or a page
that is folded away by a tag that nobody closed.

All of them are read from the source, so `make build` says in a second what the tests of a lecture would say in minutes.
"""

import ast
import io
import re
import tokenize
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from coursebuild.text import Cell, SourceError, code_tree, without_magics

AT_LEAST = {"prediction": 3, "exercise": 3, "live figure": 1}
FUNCTIONS = ast.FunctionDef | ast.AsyncFunctionDef
SCOPES = FUNCTIONS | ast.Lambda | ast.ClassDef
REFUTES = re.compile(r'# Refutes: ".+')
TAG = re.compile(r"<(?P<closes>/?)(?P<name>details|summary)\b[^>]*>", re.I)
FENCE = re.compile(r"\s*(```|~~~)")
SOLUTION = re.compile(r"<details><summary>Solution</summary>\s*```python\n.*?\n```", re.S)
LEAD = re.compile(r"^(?:#+ +|[-*] +|\d+\. +)?(?:\*\*[^*\n]+\*\*|Your turn\b[.:]?)", re.M)  # of an exercise's statement
SENTENCE = re.compile(r"\w+(?:\W+\w+){2,}[^.?!:]*[.?!:]")


@dataclass(frozen=True)
class _Code:
    """A code cell and its syntax tree; place is its number among all cells."""

    place: int
    cell: Cell
    tree: ast.Module

    def line(self, node: ast.AST) -> int:
        return self.cell.line + node.lineno - 1

    def names(self, name: str) -> bool:
        """Whether the cell uses this name."""
        return name in self.cell.text and any(isinstance(node, ast.Name) and node.id == name for node in ast.walk(self.tree))

    def calls(self, *names: str) -> list[ast.Call]:
        """The calls of these functions, in the order of the text."""
        if not any(name in self.cell.text for name in names):  # most cells make no figure and ask nothing
            return []
        found = [node for node in ast.walk(self.tree) if isinstance(node, ast.Call) and _name(node.func) in names]
        return sorted(found, key=lambda call: (call.lineno, call.col_offset))


@dataclass(frozen=True)
class _Exercise:
    """A call of `exercise`: where it is, what it asks for (None: worked out when it runs), and whether it brings a solution."""

    code: _Code
    line: int
    title: str
    uses: str | None
    has_solution: bool


def check(path: Path, cells: tuple[Cell, ...]) -> None:
    """Check a lecture.

    Raises:
        SourceError: it breaks a rule; with file and line.
    """
    codes = [_Code(place, cell, code_tree(cell.text)) for place, cell in enumerate(cells) if cell.kind == "code"]
    for cell in cells:
        if cell.kind == "markdown":
            _check_tags(cell, path)
    predictions = [_check_prediction(call, code, path) for code in codes for call in code.calls("predict", "predict_number")]
    _check_figures(codes, path)
    exercises = list(_exercises(codes))
    _check_exercises(exercises, cells, codes, path)
    figures = sum(1 for code in codes for _ in code.calls("LiveFigure"))
    found = {"prediction": len(predictions), "exercise": len(exercises), "live figure": figures}
    for what, count in found.items():
        if count < AT_LEAST[what]:
            wanted = f"{AT_LEAST[what]} {what}{'s' if AT_LEAST[what] > 1 else ''}"
            raise SourceError(path, 1, f"a lecture has at least {wanted}, and this one has {count or 'none'}")


# Folded text


def _check_tags(cell: Cell, path: Path) -> None:
    """Each <details> and <summary> is closed in its cell; what stands in code is no tag."""
    opened: list[tuple[str, int]] = []
    fence: tuple[str, int] | None = None
    for number, line in enumerate(cell.text.splitlines(), cell.line):
        mark = FENCE.match(line)
        if mark and (fence is None or fence[0] == mark[1]):
            fence = (mark[1], number) if fence is None else None
        if fence or mark:
            continue
        for tag in TAG.finditer(re.sub(r"`[^`]*`", "", line)):
            name = tag["name"].lower()
            if not tag["closes"]:
                opened.append((name, number))
            elif opened and opened[-1][0] == name:
                opened.pop()
            else:
                before = f"<{opened[-1][0]}> of line {opened[-1][1]} is open" if opened else "none is open in this cell"
                raise SourceError(path, number, f"</{name}> closes nothing: {before}")
    if fence:
        raise SourceError(path, fence[1], f"the code that {fence[0]} begins is never closed in its cell")
    if opened:
        name, number = opened[-1]
        raise SourceError(path, number, f"<{name}> is never closed in its cell: all that follows would be folded away")


# Predictions


def _check_prediction(call: ast.Call, code: _Code, path: Path) -> ast.Call:
    """Exactly one choice is True, and each other one has its reason. What is worked out when the lecture runs is left to it."""
    choices = _argument(call, "choices", 1) if _name(call.func) == "predict" else None
    if not isinstance(choices, ast.Dict):
        return call
    right, unknown = 0, 0
    for key, value in zip(choices.keys, choices.values, strict=True):
        if not isinstance(value, ast.Constant):
            unknown += 1
        elif value.value is True:
            right += 1
        elif not (isinstance(value.value, str) and value.value.strip()):
            choice = f"the choice {ast.unparse(key)}" if key else "this choice"
            says = "needs the reason why it is wrong, which is shown to whoever picks it; the right one is True"
            raise SourceError(path, code.line(value), f"{choice} {says}; got {ast.unparse(value)}")
    if right > 1 or (right == 0 and not unknown):
        raise SourceError(
            path, code.line(call), f"exactly one choice of a prediction is True, the right one; here {right or 'none'} is"
        )
    return call


# Figures


def _check_figures(codes: list[_Code], path: Path) -> None:
    titles: dict[str, int] = {}
    for code in codes:
        for call in code.calls("LiveFigure"):
            title = _literal(_argument(call, "title", 0))
            if title in titles:
                raise SourceError(
                    path, code.line(call), f"the title {title!r} is that of the figure in line {titles[title]} already"
                )
            if title is not None:
                titles[title] = code.line(call)
            _check_belief(code, call, path)
        if "LiveFigure" not in code.cell.text and ".control" not in code.cell.text:
            continue
        functions = [node for node in ast.walk(code.tree) if isinstance(node, FUNCTIONS)]
        for scope in [code.tree, *functions]:
            _check_has_control(scope, code, path)
        for function in functions:
            if any(isinstance(decorator, ast.Call) and _is_control(decorator) for decorator in function.decorator_list):
                _check_readout(function, code, path)
    _check_shown(codes, path)


def _check_belief(code: _Code, call: ast.Call, path: Path) -> None:
    tokens = tokenize.generate_tokens(io.StringIO(without_magics(code.cell.text)).readline)
    first = next((token for token in tokens if token.type == tokenize.COMMENT), None)
    if first is None or not REFUTES.fullmatch(first.string):
        form = '# Refutes: "the wrong belief, as a student would say it"'
        line = code.line(call) if first is None else code.cell.line + first.start[0] - 1
        raise SourceError(path, line, f"the first comment of a figure's cell names the belief that the figure refutes: {form}")


def _check_has_control(scope: ast.Module | ast.FunctionDef, code: _Code, path: Path) -> None:
    """A scope that makes a figure gives it a control function."""
    own = [call for call in _calls_outside_functions(scope) if _name(call.func) == "LiveFigure"]
    controls = [node for node in ast.walk(scope) if isinstance(node, ast.Call) and _is_control(node)]
    if own and not controls:
        raise SourceError(
            path, code.line(own[0]), "the figure has no control function (@fig.control), so nothing says in words what it shows"
        )


def _check_readout(function: ast.FunctionDef, code: _Code, path: Path) -> None:
    """A control function returns what the picture shows, in words, however it ends."""
    returns = [node for node in _outside_functions(function) if isinstance(node, ast.Return)]
    empty = next((node for node in returns if node.value is None or _is_none(node.value)), None)
    if empty is not None or _comes_to_its_end(function.body):
        says = "a control function returns the readout, a text that says what the picture shows; this one may return nothing"
        raise SourceError(path, code.line(empty or function), says)


def _is_control(call: ast.Call) -> bool:
    return isinstance(call.func, ast.Attribute) and call.func.attr == "control"


def _is_none(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant) and node.value is None


def _comes_to_its_end(body: list[ast.stmt]) -> bool:
    """Whether a run of these statements can go on below them."""
    return not any(_ends(statement) for statement in body)


def _ends(statement: ast.stmt) -> bool:
    """Whether nothing that follows this statement in its block is ever reached."""
    match statement:
        case ast.Return() | ast.Raise() | ast.Continue() | ast.Break():
            return True
        case ast.If(body=body, orelse=orelse):
            return not _comes_to_its_end(body) and bool(orelse) and not _comes_to_its_end(orelse)
        case ast.With(body=body) | ast.AsyncWith(body=body):
            return not _comes_to_its_end(body)
        case ast.Try(body=body, handlers=handlers, orelse=orelse, finalbody=final):
            tried = not _comes_to_its_end(body + orelse) and not any(_comes_to_its_end(handler.body) for handler in handlers)
            return tried or not _comes_to_its_end(final)
        case ast.Match(cases=cases):
            catches_all = any(case.guard is None and _catches_all(case.pattern) for case in cases)
            return catches_all and not any(_comes_to_its_end(case.body) for case in cases)
        case ast.While(test=ast.Constant(value=True), body=body):
            return not any(isinstance(node, ast.Break) for inner in body for node in ast.walk(inner))
    return False


def _catches_all(pattern: ast.pattern) -> bool:
    return isinstance(pattern, ast.MatchAs) and pattern.pattern is None


def _check_shown(codes: list[_Code], path: Path) -> None:
    """Each figure that a cell makes is shown by that cell, and each function that makes one is used."""
    functions = {node.name: (code, node) for code in codes for node in code.tree.body if isinstance(node, FUNCTIONS)}
    makers = {"LiveFigure"}
    while new := {
        name
        for name, (code, node) in functions.items()
        if name not in makers and any(maker in code.cell.text for maker in makers) and _hands_out(node, makers)
    }:
        makers |= new
    for name in functions.keys() & makers:
        code, node = functions[name]
        if not any(code.names(name) for code in codes):
            raise SourceError(path, code.line(node), f"{name}() makes a figure, and no cell calls it")
    for code in codes:
        if not any(maker in code.cell.text for maker in makers):
            continue
        shown = _shown(code)
        for statement in code.tree.body:
            for call in [] if isinstance(statement, SCOPES) else _calls_outside_functions(statement):
                if _name(call.func) in makers and call not in shown and not shown & _bound(statement, call):
                    says = "the cell makes a figure and does not show it: end the cell with the figure's name"
                    raise SourceError(path, code.line(call), says)


def _hands_out(function: ast.FunctionDef, makers: set[str]) -> bool:
    """Whether a function makes a figure, itself or by another one, and leaves it to its caller to show it."""
    names = {_name(call.func) for call in _calls_outside_functions(function)}
    returns = any(isinstance(node, ast.Return) and node.value is not None for node in _outside_functions(function))
    return bool(names & makers) and returns and "display" not in names


def _shown(code: _Code) -> set[str | ast.AST]:
    """What a cell shows: the names and the calls in its last expression, and in calls of display."""
    nodes: list[ast.AST] = []
    shown: set[str | ast.AST] = set()
    last = code.tree.body[-1] if code.tree.body else None
    if isinstance(last, ast.Expr) and not _is_silenced(code.cell.text):
        shown.add(last.value)
        is_method = isinstance(last.value, ast.Call) and isinstance(last.value.func, ast.Attribute)
        nodes += last.value.args if is_method else [last.value]  # fig.set(lr=1) shows nothing of fig
    for call in _calls_outside_functions(code.tree):
        if _name(call.func) in ("display", "update_display"):
            nodes += call.args
    for inner in (inner for node in nodes for inner in ast.walk(node)):
        shown.add(inner.id if isinstance(inner, ast.Name) else inner)
    return shown


def _is_silenced(code: str) -> bool:
    """Whether IPython shows nothing of the last expression: it ends in a semicolon."""
    return re.sub(r"#[^\n]*$", "", code.rstrip()).rstrip().endswith(";")


def _bound(statement: ast.stmt, call: ast.Call) -> set[str | ast.AST]:
    """The names that a statement gives to what a call returns."""
    if not isinstance(statement, ast.Assign | ast.AnnAssign):
        return {node.id for node in ast.walk(statement) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
    targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
    for target in targets:
        if (
            isinstance(target, ast.Tuple)
            and isinstance(statement.value, ast.Tuple)
            and len(target.elts) == len(statement.value.elts)
        ):
            pairs = zip(target.elts, statement.value.elts, strict=True)
            return {name.id for name, value in pairs if isinstance(name, ast.Name) and call in ast.walk(value)}
    return {node.id for target in targets for node in ast.walk(target) if isinstance(node, ast.Name)}


# Exercises


def _exercises(codes: list[_Code]) -> Iterator[_Exercise]:
    for code in codes:
        for call in code.calls("exercise"):
            title, uses = _literal(_argument(call, "title", 0)), _literal(_argument(call, "uses", 1))
            has_solution = any(keyword.arg == "solution" and not _is_none(keyword.value) for keyword in call.keywords)
            yield _Exercise(code, code.line(call), title or "(without a literal title)", uses, has_solution)


def _check_exercises(exercises: list[_Exercise], cells: tuple[Cell, ...], codes: list[_Code], path: Path) -> None:
    seen: dict[str, int] = {}
    statements: Counter[int] = Counter()
    for exercise in exercises:
        if exercise.uses in seen:
            raise SourceError(
                path, exercise.line, f"{exercise.uses}() is asked for by the exercise in line {seen[exercise.uses]} already"
            )
        if exercise.uses is None:
            continue
        seen[exercise.uses] = exercise.line
        statements[_statement(exercise, cells, codes, path)] += 1
    for place, count in statements.items():
        if len(LEAD.findall(_after_folded(cells[place].text))) < count:
            late = [exercise for exercise in exercises if exercise.uses and _statement(exercise, cells, codes, path) == place][
                -1
            ]
            raise SourceError(
                path,
                late.line,
                f"the exercise {late.title!r} shares its statement with another: state it above its stub, {FORM}",
            )
    _check_solutions(exercises, cells, path)


FORM = "in a text cell, '**Title.** What the function gets, and what it returns.' or '**Your turn.** ...'"


def _statement(exercise: _Exercise, cells: tuple[Cell, ...], codes: list[_Code], path: Path) -> int:
    """The place of the text cell that states an exercise, above the last cell that defines its function before it is checked."""
    stub = next(
        (code for code in reversed(codes) if code.place < exercise.code.place and exercise.uses in _defined(code.tree)), None
    )
    if stub is None:
        raise SourceError(
            path,
            exercise.line,
            f"no cell above the exercise {exercise.title!r} defines {exercise.uses}(): its stub stands in an open cell of its own",
        )
    if "folded" in stub.cell.tags:
        raise SourceError(path, stub.cell.line, f"{exercise.uses}() is the reader's to write, and its cell is folded")
    place = next((place for place in range(stub.place, -1, -1) if cells[place].kind == "markdown"), None)
    text = "" if place is None else _after_folded(cells[place].text)
    lead = LEAD.search(text)
    if lead is None or not SENTENCE.search(text[lead.end() :]):
        raise SourceError(
            path, stub.cell.line, f"the exercise {exercise.title!r} is not stated in prose above its stub: {FORM}"
        )
    return place


def _after_folded(text: str) -> str:
    """A text cell's end, below what it folds away, such as the solution of the exercise before."""
    return re.split(r"</details>", text, flags=re.I)[-1]


def _defined(tree: ast.Module) -> set[str]:
    names = {node.name for node in tree.body if isinstance(node, FUNCTIONS | ast.ClassDef)}
    assigned = [target for node in tree.body if isinstance(node, ast.Assign) for target in node.targets]
    return names | {target.id for target in assigned if isinstance(target, ast.Name)}


def _check_solutions(exercises: list[_Exercise], cells: tuple[Cell, ...], path: Path) -> None:
    """An exercise brings its solution along, solution=..., or a folded one follows it; and each folded one follows an exercise."""
    places = [exercise.code.place for exercise in exercises]
    for place, cell in enumerate(cells):
        blocks = list(SOLUTION.finditer(cell.text)) if cell.kind == "markdown" else []
        for match in blocks:
            before = [exercise for exercise in exercises if exercise.code.place < place]
            if (
                not before
                or before[-1].has_solution
                or len(blocks) > 1
                or _solutions_between(cells, before[-1].code.place, place)
            ):
                line = cell.line + cell.text[: match.start()].count("\n")
                raise SourceError(path, line, "this folded solution belongs to no exercise that lacks one")
    for exercise in exercises:
        end = min((place for place in places if place > exercise.code.place), default=len(cells))
        if not exercise.has_solution and not _solutions_between(cells, exercise.code.place, end):
            form = "solution=..., or below it a text cell with <details><summary>Solution</summary> and a ```python block"
            raise SourceError(path, exercise.line, f"the exercise {exercise.title!r} has no solution: {form}")


def _solutions_between(cells: tuple[Cell, ...], start: int, end: int) -> int:
    return sum(len(SOLUTION.findall(cell.text)) for cell in cells[start + 1 : end] if cell.kind == "markdown")


# Syntax trees


def _name(function: ast.expr) -> str:
    """'LiveFigure' for LiveFigure and for live.LiveFigure."""
    return function.id if isinstance(function, ast.Name) else function.attr if isinstance(function, ast.Attribute) else ""


def _outside_functions(scope: ast.AST) -> Iterator[ast.AST]:
    """The nodes of a scope that run when it does: not those of functions and classes inside."""
    for child in ast.iter_child_nodes(scope):
        if not isinstance(child, SCOPES):
            yield child
            yield from _outside_functions(child)


def _calls_outside_functions(scope: ast.AST) -> list[ast.Call]:
    return [] if isinstance(scope, ast.Lambda) else [node for node in _outside_functions(scope) if isinstance(node, ast.Call)]


def _argument(call: ast.Call, name: str, place: int) -> ast.expr | None:
    given = {keyword.arg: keyword.value for keyword in call.keywords}
    return given.get(name, call.args[place] if len(call.args) > place else None)


def _literal(node: ast.expr | None) -> str | None:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None
