"""Otter masters: which lines students may never see, and whether every marker is spelled and closed as it must be.

otter matches markers by loose patterns and takes an unmatched one for an ordinary comment, so that one wrong letter ships
an answer. Here every comment that resembles a marker must be one.
"""

import difflib
import re
from dataclasses import dataclass
from pathlib import Path

from coursebuild.text import Cell, SourceError, read_source

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
COMMENT = re.compile(r"#+\s*(.*?)\s*$")


@dataclass(frozen=True)
class Line:
    """One line of a master; secret is 'solution' or 'hidden test' where students may not see it, else None."""

    text: str
    number: int
    secret: str | None


def resembles_marker(comment: str) -> str | None:
    """The marker that a comment's text is, or is too close to for comfort; None for an ordinary comment."""
    if comment in MARKERS:
        return comment
    letters = " ".join(re.findall(r"[A-Za-z]+", comment)).upper()
    if letters in MARKERS:
        return letters
    shouted = comment == comment.upper() and re.match(r"(BEGIN|END|SOLUTION)\b", letters)
    close = [m for m in sorted(MARKERS) if m.count(" ") == letters.count(" ")]
    near = difflib.get_close_matches(letters, close, n=1, cutoff=0.85)
    if near:
        return near[0]
    if shouted or comment.startswith("SOLUTION"):
        return (difflib.get_close_matches(letters, sorted(MARKERS), n=1, cutoff=0) or ["SOLUTION"])[0]
    return None


def marker_of(line: str, path: Path | str, number: int, known: set[str]) -> str | None:
    """The marker that a line carries.

    Raises:
        SourceError: it carries something that resembles a marker and is none, or one that does not belong there.
    """
    found = COMMENT.search(line)
    if not found:
        return None
    near = resembles_marker(found[1])
    if near is None:
        return None
    if found[1] != near or not re.search(rf"(^|\s)# {re.escape(near)}$", line):
        raise SourceError(path, number, f"unknown marker {found[0]!r}. Did you mean '# {near}'?")
    if near not in known:
        raise SourceError(path, number, f"the marker '# {near}' does not belong in this kind of cell")
    return near


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
    for cell in cells:
        inside = blocks[-1][0] if blocks else None
        if cell.kind == "raw":
            first = cell.text.splitlines()[0]
            marker = marker_of(first, path, cell.line, RAW_MARKERS)
            if marker is None:
                raise SourceError(
                    path, cell.line, f"a raw cell must start with a marker such as '# BEGIN QUESTION', got {first!r}"
                )
            if marker.startswith("BEGIN"):
                block = marker.split()[1]
                if inside not in INSIDE[block]:
                    where = f"inside the {inside} block that line {blocks[-1][1]} opened" if blocks else "outside a question"
                    raise SourceError(path, cell.line, f"'# {marker}' {where}")
                blocks.append((block, cell.line))
                prompted = block == "PROMPT" or (prompted and block != "QUESTION")
            elif marker.startswith("END"):
                if inside != marker.split()[1]:
                    opened = f"line {blocks[-1][1]} opened {inside}" if blocks else "no block is open"
                    raise SourceError(path, cell.line, f"'# {marker}' closes nothing: {opened}")
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


def _code_lines(cell: Cell, path: Path | str, inside: str | None, prompted: bool) -> list[Line]:
    texts = cell.text.splitlines()
    markers = [marker_of(text, path, cell.line + i, CODE_MARKERS) for i, text in enumerate(texts)]
    hidden = inside == "TESTS" and _is_hidden_test(texts, markers)
    whole = "hidden test" if hidden else "solution" if inside == "SOLUTION" and prompted else None
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
        lines.append(Line(text, number, whole or ("solution" if in_solution else None)))
    if opened:
        raise SourceError(path, opened[1], f"'# {opened[0]}' is never closed in its cell")
    if inside == "SOLUTION" and not any(line.secret for line in lines):
        raise SourceError(
            path, cell.line, "a code cell of a solution block has no solution marker: it would be shipped as it is"
        )
    return lines


def _is_hidden_test(texts: list[str], markers: list[str | None]) -> bool:
    if markers and markers[0] == "HIDDEN":
        return True
    if "BEGIN TEST CONFIG" not in markers:
        return False
    config = texts[
        markers.index("BEGIN TEST CONFIG") + 1 : markers.index("END TEST CONFIG") if "END TEST CONFIG" in markers else None
    ]
    return any(re.fullmatch(r"\s*hidden:\s*true\s*", text, re.I) for text in config)


def read_master(path: Path) -> list[Line]:
    """The lines of a master's source file, checked."""
    return check(read_source(path)[1], path)
