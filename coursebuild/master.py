"""Otter masters: which lines students may never see, and whether every marker is spelled and closed as it must be.

otter matches markers by loose patterns and takes an unmatched one for an ordinary comment, so that one wrong letter ships
an answer. Here every comment that resembles a marker must be one.
"""

import ast
import difflib
import re
from dataclasses import dataclass
from pathlib import Path

import yaml

from coursebuild.text import Cell, SourceError, read_source, suggestion

RAW_MARKERS = {
    "ASSIGNMENT CONFIG",
    *(f"{edge} {block}" for edge in ("BEGIN", "END") for block in ("QUESTION", "SOLUTION", "PROMPT", "TESTS")),
}
LINE_MARKERS = {"SOLUTION", "SOLUTION NO PROMPT"}
CODE_MARKERS = LINE_MARKERS | {
    "BEGIN SOLUTION",
    "BEGIN SOLUTION NO PROMPT",
    "END SOLUTION",
    "BEGIN PROMPT",
    "END PROMPT",
    "BEGIN TEST CONFIG",
    "END TEST CONFIG",
    "HIDDEN",
}
MARKERS = RAW_MARKERS | CODE_MARKERS
# Where each block may stand: None is the top of the file.
INSIDE = {"QUESTION": {None}, "SOLUTION": {"QUESTION"}, "PROMPT": {"QUESTION"}, "TESTS": {"QUESTION"}}
# Words that a comment in capitals has no business with in a master, unless it is a marker.
SUSPECT = ["SOLUTION", "SOLUTIONS", "SOLN", "HIDDEN", "PROMPT", "ANSWER", "BEGIN", "END", "START", "TEST", "TESTS", "CONFIG"]
TEST_CONFIG = {"name", "points", "hidden", "success_message", "failure_message"}


@dataclass(frozen=True)
class Line:
    """One line of a master; secret is 'solution' or 'hidden test' where students may not see it, else None."""

    text: str
    number: int
    secret: str | None


def near_marker(comment: str) -> str | None:
    """The marker that a comment's text is, but for case, spacing or a letter; None for anything else."""
    if comment in MARKERS:
        return comment
    letters = " ".join(re.findall(r"[A-Za-z]+", comment)).upper()
    if letters in MARKERS:
        return letters
    close = [m for m in sorted(MARKERS) if m.count(" ") == letters.count(" ")]
    near = difflib.get_close_matches(letters, close, n=1, cutoff=0.85)
    return near[0] if near else None


def resembles_marker(comment: str) -> str | None:
    """The marker that a master's author may have meant by a comment; None for an ordinary comment.

    Wider than near_marker: in a master a comment in capitals with a marker's word is taken for one.
    """
    near = near_marker(comment)
    if near:
        return near
    words = re.findall(r"[A-Za-z]+", comment)
    capitals = [word for word in words if word.isupper()]
    if comment == comment.upper() or comment.startswith("SOLUTION"):
        suspect = any(
            difflib.get_close_matches(word, SUSPECT, n=1, cutoff=0.75) or word.startswith("BEGIN") for word in capitals
        )
    else:
        suspect = re.match(r"(begin|end|start)\W+(solution|prompt|tests?|question|hidden)\b", comment, re.I)
    if not suspect:
        return None
    return (difflib.get_close_matches(" ".join(words).upper(), sorted(MARKERS), n=1, cutoff=0) or ["SOLUTION"])[0]


def marker_of(line: str, path: Path | str, number: int, known: set[str]) -> str | None:
    """The marker that a line carries, after whichever of its '#'.

    Raises:
        SourceError: it carries something that resembles a marker and is none, or one that does not belong there.
    """
    pieces = re.split(r"#+", line)[1:]
    for place, piece in enumerate(pieces):
        near = resembles_marker(piece.strip())
        if near is None:
            continue
        exact = place == len(pieces) - 1 and re.search(rf"(^|\s)# {re.escape(near)}$", line)
        if piece.strip() != near or not exact:
            raise SourceError(
                path, number, f"unknown marker '#{piece.rstrip()}'. Did you mean '# {near}', at the end of the line?"
            )
        if near not in known:
            raise SourceError(path, number, f"the marker '# {near}' does not belong in this kind of cell")
        return near
    return None


def check(cells: list[Cell], path: Path | str) -> list[Line]:
    """Check a master's markers and tell its lines apart.

    Returns:
        every line of every cell, in order, with whether and why it is secret.
    Raises:
        SourceError: an unknown, misplaced or unbalanced marker, or a solution cell that would be shipped whole.
    """
    lines: list[Line] = []
    blocks: list[tuple[str, int]] = []  # open blocks, outermost first, with the line that opened each
    prompted = False  # whether the question has a prompt block, which replaces its solution cells
    unanswered: int | None = None  # line of a written question that has no solution block yet
    for cell in cells:
        inside = blocks[-1][0] if blocks else None
        if cell.kind == "raw":
            first = cell.text.splitlines()[0]
            marker = marker_of(first, path, cell.line, RAW_MARKERS)
            if marker is None:
                raise SourceError(
                    path, cell.line, f"a raw cell must start with a marker such as '# BEGIN QUESTION', got {first!r}"
                )
            config = _raw_config(cell, marker, path)
            if marker.startswith("BEGIN"):
                block = marker.split()[1]
                if block == "QUESTION":
                    unanswered = cell.line if config.get("manual") else None
                elif block == "SOLUTION":
                    unanswered = None
                if inside not in INSIDE[block]:
                    where = f"inside the {inside} block that line {blocks[-1][1]} opened" if blocks else "outside a question"
                    raise SourceError(path, cell.line, f"'# {marker}' {where}")
                blocks.append((block, cell.line))
                prompted = block == "PROMPT" or (prompted and block != "QUESTION")
            elif marker.startswith("END"):
                if inside != marker.split()[1]:
                    opened = f"line {blocks[-1][1]} opened {inside}" if blocks else "no block is open"
                    raise SourceError(path, cell.line, f"'# {marker}' closes nothing: {opened}")
                if inside == "QUESTION" and unanswered:
                    raise SourceError(
                        path, unanswered, "a question with 'manual: true' has no solution block: its answer would be shipped"
                    )
                blocks.pop()
            lines += [Line(text, cell.line + i, None) for i, text in enumerate(cell.text.splitlines())]
        elif cell.kind == "markdown":
            secret = "solution" if inside == "SOLUTION" else None
            lines += [Line(text, cell.line + i, secret) for i, text in enumerate(cell.text.splitlines())]
        else:
            lines += _code_lines(cell, path, inside, prompted)
    if blocks:
        raise SourceError(path, blocks[-1][1], f"'# BEGIN {blocks[-1][0]}' is never closed")
    return lines


def _raw_config(cell: Cell, marker: str, path: Path | str) -> dict:
    """The YAML below a raw cell's marker; only assignments and questions have any."""
    body = "\n".join(cell.text.splitlines()[1:])
    if marker not in ("ASSIGNMENT CONFIG", "BEGIN QUESTION"):
        if body.strip():
            raise SourceError(
                path, cell.line + 1, f"nothing may follow '# {marker}' in its raw cell: is a '# %% [markdown]' missing?"
            )
        return {}
    try:
        config = yaml.safe_load(body) or {}
    except yaml.YAMLError as error:
        raise SourceError(path, cell.line, f"the lines below '# {marker}' are not YAML: {error}") from None
    if not isinstance(config, dict):
        raise SourceError(path, cell.line, f"the lines below '# {marker}' must be 'name: value'")
    return config


def _code_lines(cell: Cell, path: Path | str, inside: str | None, prompted: bool) -> list[Line]:
    texts = cell.text.splitlines()
    markers = [marker_of(text, path, cell.line + i, CODE_MARKERS) for i, text in enumerate(texts)]
    _check_line_markers(cell, markers, path)
    for i, marker in enumerate(markers):
        if marker in ("HIDDEN", "BEGIN TEST CONFIG") and inside != "TESTS":
            raise SourceError(path, cell.line + i, f"'# {marker}' outside a tests block: the cell would be shipped")
        if marker == "HIDDEN" and i > 0:
            raise SourceError(path, cell.line + i, "'# HIDDEN' must be the first line of its cell: otter looks nowhere else")
    lines, opened = [], None
    for i, (text, marker) in enumerate(zip(texts, markers, strict=True)):
        number = cell.line + i
        if marker and marker.startswith("BEGIN"):
            if opened:
                raise SourceError(path, number, f"'# {marker}' inside '# {opened[0]}' of line {opened[1]}")
            opened = (marker, number)
        elif marker and marker.startswith("END"):
            kind = marker.removeprefix("END ")
            if not opened or opened[0].removeprefix("BEGIN ").removesuffix(" NO PROMPT") != kind:
                raise SourceError(path, number, f"'# {marker}' closes nothing in this cell")
            opened = None
        in_solution = (opened and opened[0].startswith("BEGIN SOLUTION")) or marker in LINE_MARKERS
        lines.append(Line(text, number, "solution" if in_solution else None))
    if opened:
        raise SourceError(path, opened[1], f"'# {opened[0]}' is never closed in its cell")
    hidden = inside == "TESTS" and (markers[0] == "HIDDEN" or _test_config(texts, markers, cell, path).get("hidden", False))
    whole = "hidden test" if hidden else "solution" if inside == "SOLUTION" and prompted else None
    if whole:
        # A hidden test's config is public: its topic is shown to everybody, its hint to whoever fails it.
        shown = markers.index("END TEST CONFIG") + 1 if markers[0] == "BEGIN TEST CONFIG" else 0
        return [Line(line.text, line.number, None if i < shown else whole) for i, line in enumerate(lines)]
    if inside == "SOLUTION" and not any(line.secret for line in lines):
        raise SourceError(
            path, cell.line, "a code cell of a solution block has no solution marker: it would be shipped as it is"
        )
    return lines


def _check_line_markers(cell: Cell, markers: list[str | None], path: Path | str) -> None:
    """otter takes '# SOLUTION' for its one line, so a statement that goes on below would be shipped from there on."""
    if not any(marker in LINE_MARKERS for marker in markers):
        return
    for node in ast.walk(ast.parse(cell.text)):
        if isinstance(node, ast.stmt) and not hasattr(node, "body") and node.end_lineno != node.lineno:
            for i in range(node.lineno - 1, node.end_lineno):
                if markers[i] in LINE_MARKERS:
                    raise SourceError(
                        path, cell.line + i, "'# SOLUTION' on a statement of several lines: use BEGIN and END SOLUTION"
                    )


def _test_config(texts: list[str], markers: list[str | None], cell: Cell, path: Path | str) -> dict:
    """The YAML between BEGIN and END TEST CONFIG, which check has found balanced."""
    if "BEGIN TEST CONFIG" not in markers:
        return {}
    start = markers.index("BEGIN TEST CONFIG")
    try:
        config = yaml.safe_load("\n".join(texts[start + 1 : markers.index("END TEST CONFIG")])) or {}
    except yaml.YAMLError as error:
        raise SourceError(path, cell.line + start, f"the test's config is not YAML: {error}") from None
    for name in config:
        if name not in TEST_CONFIG:
            raise SourceError(
                path, cell.line + start, f"unknown field {name!r} in the test's config.{suggestion(str(name), TEST_CONFIG)}"
            )
    if not isinstance(config.get("hidden", False), bool):
        raise SourceError(path, cell.line + start, f"'hidden' is true or false, got {config['hidden']!r}")
    return config


def find(root: Path) -> list[Path]:
    """The masters of the repository at root: every Python file below solutions/ that holds an assignment.

    Raises:
        SourceError: an assignment that no source stands for, or that is not where the build expects it.
    """
    folder = root / "solutions"
    for path in sorted(folder.rglob("*.ipynb")):
        if ".ipynb_checkpoints" not in path.parts:
            raise SourceError(
                path, 1, "a master is authored as text, so that its solutions are known: save it as .py (py:percent)"
            )
    found = [
        path
        for path in sorted(folder.rglob("*.py"))
        if re.search(r"^# # (ASSIGNMENT CONFIG|BEGIN \w+)", path.read_text("utf-8"), re.M)
    ]
    for path in found:
        if path.parent.parent != folder or path.stem != path.parent.name:
            raise SourceError(path, 1, f"a master lies at solutions/{path.stem}/{path.stem}.py")
    return found


def read_master(path: Path) -> list[Line]:
    """The lines of a master's source file, checked."""
    return check(read_source(path)[1], path)
