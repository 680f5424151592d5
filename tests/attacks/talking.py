"""Attacks by what they say on the way out: to a browser, a terminal, a spreadsheet, a file system."""

import csv
import io
import os
import unicodedata
from contextlib import closing
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

from rich.console import Console
from rich.errors import MarkupError
from rich.text import Text

from autograder import cli, escaping, intake, report
from autograder.intake import Intake
from autograder.results import SubmissionResult
from autograder.store import Store, Submission
from tests.attacks.arena import RIGHT, Arena, attack
from tests.attacks.switches import in_full, replaced, several

TAG = "<img src=x onerror=alert(1)>"
COLOUR = "\x1b[2J\x1b[31m"


def as_it_is(text: str, lines: bool = False, longest: int = 0) -> str:
    return text


def without_control(text: str, lines: bool = False, longest: int = 0) -> str:
    return "".join(char for char in text if char >= " ")


def graded(arena: Arena, student: str = "someone") -> SubmissionResult:
    """A right answer's result, by a student of this name."""
    return replace(arena.submit(RIGHT, honest=1).result, student=student)


def listed(folder: Any, student: str, file_name: str = "hw1.ipynb") -> list[list[str]]:
    """The rows of grades.csv for one submission."""
    cli._write_csv(folder, [cli._Row(student, 1, "graded", 0.0, 10.0, 1.0, "0" * 32, file_name)])
    text = (folder / "grades.csv").read_text()
    (folder / "grades.csv").unlink()
    return list(csv.reader(io.StringIO(text, newline="")))


def on_terminal(arena: Arena, say: Any) -> str:
    """What a function of the command line says on a terminal."""
    said = io.StringIO()
    with arena.patch.context() as patch:
        for name in ("out", "err"):
            patch.setattr(cli, name, Console(file=said, force_terminal=True, width=200, **cli._plain))
        say()
    return said.getvalue()


@attack("talk", aims_at="students read no text of their own process", off=in_full)
def writes_a_script_into_an_error(arena):
    """Raises an error whose text is a script, which the page quotes."""
    return arena.submit("raise ValueError('<script>alert(1)</script>')").shows("alert(1)")


@attack("talk", aims_at="text for a page is escaped", off=replaced(report, "for_html", as_it_is))
def submits_under_a_name_that_is_a_tag(arena):
    """Has HTML for a student's id, as a file's name can."""
    return TAG in report.page(graded(arena, TAG))


@attack("talk", aims_at="what does not show is written out", off=replaced(escaping, "visible", without_control))
def turns_the_direction_of_text(arena):
    """Has the mark that turns text round in its id: the page would show another text than it holds."""
    return "\u202e" in report.page(graded(arena, "ann \u202estniop 01"))


@attack("talk", aims_at="what does not show is written out", off=several(
    replaced(escaping, "visible", as_it_is), replaced(report, "visible", as_it_is)))  # fmt: skip
def says_what_cannot_be_written(arena):
    """Has half a surrogate pair in its id, which no file in UTF-8 can hold."""
    try:
        report.write(graded(arena, "ann \ud800"), arena.private / "page")
        return False
    except UnicodeEncodeError:
        return True


@attack("talk", aims_at="what does not show is written out", off=replaced(cli, "visible", as_it_is))
def colours_the_instructors_terminal(arena):
    """Raises an error with sequences that clear a terminal, for whoever looks with `autograder show`."""
    result = arena.submit(f"raise ValueError({COLOUR!r})").result
    return COLOUR in on_terminal(arena, lambda: cli._show_result(result))


@attack("talk", aims_at="what does not show is written out", off=replaced(cli, "visible", as_it_is))
def rewrites_its_row_of_the_table(arena):
    """Has a sequence in its id that goes back in the line, so that the table shows other points."""
    name = "ann\x1b[99G10 of 10"
    facts = (1, "graded", 0.0, 10.0, 1.0, "0" * 32, "hw1.ipynb")
    graded(arena)
    return "\x1b[99G" in on_terminal(arena, lambda: cli._print_table([cli._Row(name, *facts)]))


@attack("talk", aims_at="what does not show is written out", off=replaced(cli, "visible", as_it_is))
def forges_a_line_of_the_log(arena):
    """Has a line break in a file's name, and what the grader would say about somebody behind it."""
    graded(arena)
    said = on_terminal(arena, lambda: cli._say_left_out(Intake([], ["in/a.txt\n40 graded; mean 10 points: no notebook"])))
    return "\n40 graded" in said


def marked_up(text: str, style: str = "") -> Text:
    return Text.from_markup(escaping.visible(text), style=style)


@attack("talk", aims_at="names are text, not markup", off=replaced(cli, "_text", marked_up))
def breaks_the_table_by_markup(arena):
    """Has a closing mark of rich's markup for an id: the table of the whole class is not printed."""
    row = cli._Row("ann[/red]", 1, "graded", 0.0, 10.0, 1.0, "0" * 32, "hw1.ipynb")
    graded(arena)
    try:
        on_terminal(arena, lambda: cli._print_table([row]))
        return False
    except MarkupError:
        return True


@attack("talk", aims_at="text for a table is no formula", off=replaced(cli, "for_csv", escaping.visible))
def is_a_formula(arena):
    """Has a formula for an id, which a spreadsheet would compute, with what stands beside it."""
    graded(arena)
    return listed(arena.private, "=HYPERLINK(C2)")[1][0].startswith("=")


@attack("talk", aims_at="text for a table is no formula", off=replaced(
    cli, "for_csv", lambda text: f"'{text}" if text[:1] in "=+-@" else text))  # fmt: skip
def is_a_formula_behind_a_disguise(arena):
    """Has a space, or the full-width form of the sign, in front of its formula: some spreadsheets see through it."""
    graded(arena)
    rows = [listed(arena.private, "ann", name)[1] for name in (" =1+1.ipynb", "＝1+1.ipynb")]
    return any(not row[-1].startswith("'") for row in rows)


def joined(file: io.StringIO) -> SimpleNamespace:
    return SimpleNamespace(writerow=lambda row: file.write(",".join(map(str, row)) + "\r\n"))


@attack("talk", aims_at="cells of a table are quoted", off=replaced(cli, "csv", SimpleNamespace(writer=joined)))
def brings_its_own_columns(arena):
    """Has commas in its id, with a status and points of its own choice between them."""
    graded(arena)
    return listed(arena.private, "ann,1,graded,10,10")[1][3] == "10"


def by_name(folder: Any, submission: Submission, result: SubmissionResult) -> None:
    report.write(result, folder / "pages" / submission.student)


@attack("talk", aims_at="pages are named by a token", off=replaced(cli, "_publish", by_name))
def has_its_page_written_elsewhere(arena):
    """Has a path for an id, as a learning platform may hand one on, that leads out of the folder of pages."""
    name = "../../elsewhere"
    submission = Submission(1, "work", name, 1, "0" * 64, "hw1.ipynb", 1, "a" * 32)
    cli._publish(arena.private / "grades", submission, graded(arena, name))
    return (arena.private / "elsewhere").exists()


def received(arena: Arena, *names: bytes) -> list[tuple[str, str, str]]:
    """What the grader makes of files of these names."""
    folder = arena.private / "in"
    folder.mkdir()
    for number, name in enumerate(names):
        with open(os.fsencode(folder) + b"/" + name, "w") as file:  # noqa: PTH123
            file.write(str(number))
    return [(one.student, one.raw_hash, one.file_name) for one in intake.collect([folder]).received]


@attack("talk", aims_at="file names become text", off=replaced(intake, "text_of", lambda name: name))
def has_a_file_name_that_is_no_text(arena):
    """Has a byte in its file's name that is no UTF-8: no submission of the whole folder could be stored."""
    graded(arena)
    with closing(Store(arena.private / "grades.sqlite")) as store:
        try:
            return not store.register("work", received(arena, b"ann\xff.ipynb", b"bob.ipynb"))
        except UnicodeEncodeError:
            return True


@attack("talk", aims_at="file names become text", off=replaced(intake, "text_of", lambda name: name))
def looks_like_another_student(arena):
    """Writes an accent as a sign of its own, so that two ids look the same and are two students."""
    graded(arena)
    names = [unicodedata.normalize(form, "zoé.ipynb").encode() for form in ("NFC", "NFD")]
    return len({student for student, _, _ in received(arena, *names)}) == 2
