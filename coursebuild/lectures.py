"""A lecture: its source, the parts that every lecture shares, and its row in the week table."""

import itertools
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from string import Template

from coursebuild import lecture_rules
from coursebuild.settings import Settings
from coursebuild.text import Cell, SourceError, read_source, suggestion

NAME = re.compile(r"(?P<number>\d\d)_[a-z0-9_]+")
FIELDS = {"title": True, "question": True, "homework": False}  # front matter: name -> required
BADGE = "https://colab.research.google.com/assets/colab-badge.svg"
HIDDEN_FOLDERS = {".ipynb_checkpoints", ".ruff_cache", "__pycache__"}
SETUP = Template(
    """\
# Run this first. It installs what is missing, and leaves alone what is there.
import importlib.util
import subprocess
import sys

wheel = "$wheel_url"
if importlib.util.find_spec("dlcourse") is None:
    subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", wheel], check=True)

import dlcourse

dlcourse.require(wheel)

"""
)


@dataclass(frozen=True)
class Lecture:
    """A lecture's source, read and checked."""

    path: Path
    title: str
    question: str
    homework: str | None
    cells: tuple[Cell, ...]

    @property
    def name(self) -> str:
        return self.path.stem

    @property
    def number(self) -> str:
        return self.name[:2]

    @property
    def notebook_name(self) -> str:
        return f"{self.name}.ipynb"


def read_lecture(path: Path) -> Lecture:
    """Read one lecture.

    Raises:
        SourceError: the file's name, front matter or cells are not as they must be.
    """
    if not NAME.fullmatch(path.stem):
        raise SourceError(path, 1, "a lecture's file is named NN_topic.py, in lower case")
    front, cells = read_source(path)
    for name, required in FIELDS.items():
        if required and not front.get(name):
            raise SourceError(path, 1, f"the front matter lacks {name!r}: write '# {name}: ...' between two '# ---' lines")
    for name in front:
        if name not in FIELDS:
            raise SourceError(path, 1, f"unknown field {name!r} in the front matter.{suggestion(name, FIELDS)}")
    lecture_rules.check(path, tuple(cells))
    setups = [cell for cell in cells if "setup" in cell.tags]
    if len(setups) != 1 or setups[0].kind != "code":
        raise SourceError(path, setups[-1].line if setups else 1, 'exactly one code cell must be tagged: # %% tags=["setup"]')
    return Lecture(path, str(front["title"]), str(front["question"]), front.get("homework"), tuple(cells))


def read_lectures(settings: Settings) -> list[Lecture]:
    """All lectures in their order.

    Raises:
        SourceError: one of them is not well formed, or two share a number.
    """
    source = settings.lectures / "src"
    for path in sorted(source.rglob("*")):
        known = path.parent == source and (path.suffix == ".py" or path.name == "ruff.toml")
        if path.is_file() and not known and not HIDDEN_FOLDERS & set(path.parts):
            raise SourceError(path, 1, "only NN_topic.py belongs in lectures/src; pictures go to lectures/figures")
    lectures = [read_lecture(path) for path in sorted(source.glob("*.py"))]
    for before, after in itertools.pairwise(lectures):
        if before.number == after.number:
            raise SourceError(after.path, 1, f"lecture {after.number} is there already: {before.path.name}")
    return lectures


def check_homeworks(lectures: list[Lecture], homeworks: Collection[str]) -> None:
    """Raise SourceError when a lecture names a homework that is not there."""
    for lecture in lectures:
        if lecture.homework and lecture.homework not in homeworks:
            lines = lecture.path.read_text(encoding="utf-8").splitlines()
            line = next(number for number, text in enumerate(lines, 1) if text.startswith("# homework:"))
            there = f"there are {', '.join(sorted(homeworks))}" if homeworks else "there is none yet"
            raise SourceError(lecture.path, line, f"there is no homework {lecture.homework!r} in solutions/: {there}")


def badge(settings: Settings, path: str) -> str:
    """A Colab badge for a notebook of the public repository; empty when that is not on GitHub."""
    url = settings.colab_url(path)
    return f"[![Open in Colab]({BADGE})]({url})" if url else ""


def cells_of(lecture: Lecture, lectures: list[Lecture], settings: Settings) -> list[Cell]:
    """The lecture's cells with what the template adds: title, badge and navigation, and the lines of the set-up cell."""
    place = lectures.index(lecture)
    before = lectures[place - 1] if place > 0 else None
    after = lectures[place + 1] if place + 1 < len(lectures) else None
    links = [
        before and f"[← {before.number} {before.title}]({before.notebook_name})",
        f"[All lectures]({settings.readme_url})",
        after and f"[{after.number} {after.title} →]({after.notebook_name})",
    ]
    navigation = " · ".join(filter(None, links))
    open_in = badge(settings, f"lectures/{lecture.notebook_name}")
    title = "\n\n".join(filter(None, [f"# {lecture.number} · {lecture.title}", f"**{lecture.question}**", open_in, navigation]))
    cells = [Cell("markdown", title, 0)]
    for cell in lecture.cells:
        text = SETUP.substitute(wheel_url=settings.wheel_url) + cell.text if "setup" in cell.tags else cell.text
        cells.append(Cell(cell.kind, text, cell.line, cell.tags))
    return [*cells, Cell("markdown", f"---\n\n{navigation}", 0)]


def week_table(lectures: list[Lecture], settings: Settings, homeworks: Mapping[str, str]) -> str:
    """The README's table, one row a lecture.

    Args:
        homeworks: the path of each homework that is there, by its name; the others are named without a link.
    """
    rows = ["| | lecture | its question | open | homework |", "| --- | --- | --- | --- | --- |"]
    for lecture in lectures:
        path = f"lectures/{lecture.notebook_name}"
        title, question = (text.replace("|", "\\|") for text in (lecture.title, lecture.question))
        work = lecture.homework or ""
        linked = f"[{work}]({homeworks[work]})" if work in homeworks else work
        rows.append(f"| {lecture.number} | [{title}]({path}) | {question} | {badge(settings, path)} | {linked} |")
    return "\n".join(rows)
