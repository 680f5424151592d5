"""The prose of a lecture, and which of its sentences assert something of a run.

Prose is what a reader reads as the course's word: markdown cells, and the strings of predictions and exercises. Code,
displayed formulas and the choices that a reader picks from are not.
"""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from coursebuild.text import read_source

ASKING = {"predict", "predict_number", "exercise"}  # their strings are read by the reader
NOT_SAID = {"then", "uses", "solution"}  # arguments that no reader reads

WORDS = (
    "because|always|never|only|no|every|all|best|worst|faster|slower|fewer|more than|most|nothing|none|nobody|exactly"
    "|the same as|twice|(?:two|three|four|five|six|seven|eight|nine|ten|a hundred|a thousand)[ -]times"
)
LABELS = (
    "lectures?|homework|questions?|exercises?|sections?|chapters?|figures?|tables?|parts?|pages?|pp\\.|volumes?|vol\\.|no\\.|equations?"
    "|appendix|algorithms?|weeks?"
)
NUMBER = re.compile(r"(?<![\w.,/-])[-+−±]?\d+(?:[.,]\d+)*(?:e[-+−]?\d+)?(?:\s?%|(?![\w])|(?=x\b)|(?=-(?:times|fold)))", re.I)
WORD = re.compile(rf"(?<![\w-])(?:{WORDS})(?![\w-])", re.I)
YEAR = re.compile(r"(?:1[6-9]|20)\d\d")
LABEL = re.compile(rf"\b(?:{LABELS})\s+(?:\d+(?:\.\d+)*(?:\s*(?:,|and|to|or|–|-)\s*)?)*$", re.I)
FORMULA = re.compile(r"\$[^$]+\$")
VALUE = re.compile(
    r"\$\s*(?:[^$=<>≈]{1,24}(?:=|\\approx|≈|<|>|\\leq?|\\geq?))?\s*(?P<value>[-+−±]?\d+(?:[.,{}]\d+)*\}?\s*(?:\\?%)?)\s*\$"
)
LINK = re.compile(r"\[([^]]*)\]\([^)]*\)")
TAG = re.compile(r"</?[a-z]+[^>]*>")
ENDS = re.compile(r"(?<=[.!?:])(?:\*\*)?[\"')]?\s+(?=[\"'(*`$\[]*[A-Z0-9À-Þ$\\])")
SHORT = re.compile(r"(?:\b(?:et al|e\.g|i\.e|cf|vs|Fig|Sec|No|pp|vol|ch|ed|Mr|Dr|St|approx)|\b[A-Z])\.$")


def normal(text: str) -> str:
    """Text without what markdown adds, white space as single spaces: what quotes and sources are compared by."""
    text = LINK.sub(r"\1", TAG.sub("", text))
    return re.sub(r"\s+", " ", text.replace("*", "").replace("`", "")).strip()


@dataclass
class Unit:
    """A paragraph, list item, table row, heading or string: quotes lie within one.

    Attributes:
        text: normal text.
        lines: (offset in text, line in the source) of each line's beginning.
    """

    text: str
    lines: list[tuple[int, int]]
    kind: str

    @cached_property
    def flagged(self) -> list[tuple[int, int, list[tuple[int, int]]]]:
        """Start, end and triggers of each sentence."""
        return [(start, end, triggers(self, start, end)) for start, end in sentences(self)]

    def line(self, offset: int) -> int:
        return max((line for start, line in self.lines if start <= offset), default=self.lines[0][1])


@dataclass
class _Builder:
    units: list[Unit] = field(default_factory=list)
    parts: list[tuple[str, int]] = field(default_factory=list)
    kind: str = "text"

    def add(self, text: str, line: int) -> None:
        self.parts.append((text, line))

    def end(self) -> None:
        # Normalised as a whole, because emphasis and links run over line ends; then each line's place is found again.
        whole = normal("\n".join(text for text, _ in self.parts))
        if whole:
            places, at = [], 0
            for text, line in self.parts:
                start = normal(text)[:20]
                found = whole.find(start, at) if start else -1
                at = found if found >= 0 else at
                places.append((at, line))
            self.units.append(Unit(whole, places, self.kind))
        self.parts, self.kind = [], "text"


def markdown_units(text: str, first: int) -> list[Unit]:
    """The units of a markdown cell whose first line has this number."""
    made = _Builder()
    fence = formula = False
    for number, line in enumerate(text.splitlines(), first):
        bare = line.strip()
        if bare.startswith("```"):
            fence = not fence
            continue
        if fence:
            continue
        if bare.startswith("$$") or formula:
            ends = bare.count("$$")
            formula = formula != (ends == 1)
            continue
        item = re.match(r"\s*(?:[-*+]|\d+\.)\s+(.*)", line)
        heading = re.match(r"#+\s+(?:\d+\.\s+)?(.*)", bare)
        if not bare or re.fullmatch(r"\|?[\s:|-]+\|?", bare):
            made.end()
        elif heading:
            made.end()
            made.kind = "heading"
            made.add(heading[1], number)
            made.end()
        elif bare.startswith("|"):
            made.end()
            made.kind = "row"
            made.add(bare.strip("| "), number)
            made.end()
        elif item:
            made.end()
            made.add(item[1], number)
        else:
            made.add(line, number)
    made.end()
    return made.units


def code_units(text: str, first: int) -> list[Unit]:
    """The strings of a code cell's predictions and exercises, without the choices that a reader picks from."""
    found = []
    for node in ast.walk(
        ast.parse("\n".join("" if line.lstrip().startswith(("%", "!")) else line for line in text.splitlines()))
    ):
        if isinstance(node, ast.Call) and getattr(node.func, "id", None) in ASKING:
            for argument in [*node.args, *(k.value for k in node.keywords if k.arg not in NOT_SAID)]:
                for string in _said(argument):
                    found.append(Unit(normal(string.value), [(0, first + string.lineno - 1)], "string"))
    return sorted(found, key=lambda unit: unit.lines[0][1])


def _said(node: ast.AST) -> Iterator[ast.Constant]:
    if isinstance(node, ast.Dict):  # of choices: the key that is right is the course's word, the others are not
        for key, value in zip(node.keys, node.values, strict=True):
            right = isinstance(value, ast.Constant) and value.value is True
            yield from _said(key if right else value)
    elif isinstance(node, ast.Constant):
        if isinstance(node.value, str) and node.value.strip():
            yield node
    elif not isinstance(node, ast.Lambda):
        for child in ast.iter_child_nodes(node):
            yield from _said(child)


def units(source: Path) -> list[Unit]:
    """All prose of a lecture's source, in its order."""
    front, cells = read_source(source)
    found = [Unit(normal(front[name]), [(0, 1)], "title") for name in ("title", "question") if name in front]
    for cell in cells:
        found += (markdown_units if cell.kind == "markdown" else code_units)(cell.text, cell.line)
    return found


def sentences(unit: Unit) -> list[tuple[int, int]]:
    """Start and end of each sentence of a unit."""
    found, start = [], 0
    for match in ENDS.finditer(unit.text):
        if not SHORT.search(unit.text[start : match.start()]) and not _inside_formula(unit.text, match.start()):
            found.append((start, match.start()))
            start = match.end()
    return [*found, (start, len(unit.text))]


def _inside_formula(text: str, place: int) -> bool:
    return any(m.start() < place < m.end() for m in FORMULA.finditer(text))


def triggers(unit: Unit, start: int, end: int) -> list[tuple[int, int]]:
    """Where a sentence asserts something that a test could decide: its numbers and its sweeping words."""
    text = unit.text[start:end]
    if text.rstrip("\"') ").endswith("?") and "because" not in text.lower():
        return []
    formulas = [match.span() for match in FORMULA.finditer(text)]
    values = [match.span("value") for match in VALUE.finditer(text)]
    outside = lambda place: not any(a <= place < b for a, b in formulas)  # noqa: E731
    found = [match.span() for match in WORD.finditer(text) if outside(match.start())]
    for match in NUMBER.finditer(text):
        plain = match[0].strip("+-−±")
        label = LABEL.search(text[: match.start()] + " ") or LABEL.search(text[: match.start()])
        if outside(match.start()) and not YEAR.fullmatch(plain) and not label:
            found.append(match.span())
    return [(start + a, start + b) for a, b in sorted(found + values)]
