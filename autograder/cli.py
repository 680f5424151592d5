"""The grader's commands: autograder grade, show, check-machine."""

import csv
import io
import os
import signal
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, TextColumn, TimeRemainingColumn
from rich.table import Column, Table
from rich.text import Text

from autograder import batch, containment, executor, report
from autograder.batch import Assignment, AssignmentError
from autograder.escaping import for_csv, visible
from autograder.executor import LocalPool, PoolError
from autograder.intake import Intake, IntakeError, collect
from autograder.results import STATUSES, QuestionResult, SubmissionResult, TestResult
from autograder.store import Store, StoreError, Submission

PATIENCE = 1800.0  # seconds; three times the deadline that a worker keeps by itself, see autograder.submission.Limits
SHOWN = 50  # rows of the table at the end; of more submissions, those that need a look
WRONG = 2  # exit code of a command that could not do its work
INTERRUPTED = 130  # as shells have it for Ctrl-C

app = typer.Typer(
    help="Grade notebooks. Student code runs contained, and every result is stored as it comes.",
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
# Names and messages are hostile: no markup, no emoji codes, no colouring of what looks like a path.
_plain = {"markup": False, "emoji": False, "highlight": False}
out = Console(**_plain)
err = Console(stderr=True, **_plain)

StoreOption = Annotated[Path, typer.Option("--store", help="the SQLite file that keeps the grades", dir_okay=False)]
STORE = Path("grades") / "grades.sqlite"


def _text(text: str, style: str = "") -> Text:
    return Text(visible(text), style=style)


def _fail(message: str) -> typer.Exit:
    err.print(Text("\n".join(visible(line) for line in message.splitlines()), style="red"), soft_wrap=True)
    return typer.Exit(WRONG)


class _Rate(ProgressColumn):
    """Submissions in a minute."""

    def render(self, task) -> Text:
        speed = task.finished_speed or task.speed
        return Text("–/min" if speed is None else f"{60 * speed:.0f}/min")


@app.command()
def grade(
    paths: Annotated[list[Path], typer.Argument(help="notebooks, zip files of grader.export(), or folders of either")],
    assignment: Annotated[str, typer.Option(help="its name, such as hw1")],
    jobs: Annotated[int, typer.Option(min=1, help="submissions at the same time")] = len(os.sched_getaffinity(0)),
    out_folder: Annotated[Path, typer.Option("--out", help="where the pages and grades.csv are written")] = Path("grades"),
    store_file: StoreOption = STORE,
    build: Annotated[Path, typer.Option(help="what `make build` wrote: holds homework/NAME")] = Path("build"),
    quarantined: Annotated[bool, typer.Option("--quarantined", help="grade those in quarantine once more")] = False,
) -> None:
    """Grade submissions that have no grade yet, and write a page for each.

    The student's id is the file's name without .ipynb or .zip, so name files by student; a roster is not read. Another file
    of the same student is another attempt. Results are stored as they come: stop it whenever you like, and run it again.

    Exit code: 0 if every submission has a status that is the student's doing, 1 if one was refused, is in quarantine or met
    a fault of the grader, 2 if the command could not do its work, 130 if it was stopped.
    """
    try:
        _require_machine()
        chosen = batch.read_assignment(build, assignment)
        intake = collect(paths)
        _require_private(chosen, store_file, intake)
        with closing(Store(store_file)) as store, store.exclusive():
            code = _grade(intake, chosen, store, out_folder, jobs, quarantined)
    except (AssignmentError, IntakeError, StoreError, PoolError) as error:
        raise _fail(str(error)) from error
    except KeyboardInterrupt:
        raise typer.Exit(INTERRUPTED) from None
    except OSError as error:
        raise _fail(f"{error.filename or out_folder} cannot be written: {error.strerror}. What was graded is stored") from error
    raise typer.Exit(code)


def _require_machine() -> None:
    """Stop before anything runs if student code could not be contained here."""
    missing = [layer for layer in containment.layers() if not layer.present]
    if missing:
        for layer in missing:
            err.print(_text(f"{layer.name}: {layer.detail}"), soft_wrap=True)
        err.print(Text("This machine cannot contain student code, so nothing is graded. See `autograder check-machine`."))
        raise typer.Exit(1)


def _require_private(assignment: Assignment, store_file: Path, intake: Intake) -> None:
    """Stop if student code could read tests, grades or other submissions."""
    folders = {one.path.parent: one.path for one in intake.received}
    if found := containment.exposed(assignment.folder / "manifest.json", store_file, *folders.values()):
        raise IntakeError(f"student code can read what lies in the interpreter's folders: move {', '.join(found)} elsewhere")


def _grade(intake: Intake, assignment: Assignment, store: Store, folder: Path, jobs: int, quarantined: bool) -> int:
    _say_left_out(intake)
    plan = batch.plan(intake.received, assignment, store, quarantined)
    out.print(f"{len(plan.open)} to grade, {len(plan.done)} graded before. Students' ids are taken from the files' names.")
    finished = []
    for submission in plan.done:
        finished.append(_publish(folder, submission, store.get(submission, assignment.version)))
    stop = Event()
    pool = LocalPool(assignment.folder, min(jobs, max(1, len(plan.open))), PATIENCE, stop, executor.GRADE)
    columns = (TextColumn("grading"), BarColumn(), MofNCompleteColumn(), _Rate(), TimeRemainingColumn(), TextColumn("left"))
    with closing(pool), _stops_cleanly(stop), Progress(*columns, console=out, disable=not out.is_terminal) as progress:
        bar = progress.add_task("", total=len(plan.open))
        for submission, result in batch.grade_open(plan, assignment, store, pool):
            finished.append(_publish(folder, submission, result))
            progress.advance(bar)
    _write_csv(folder, finished)
    _print_table(finished)
    out.print(_text(f"Pages: {folder / 'pages'}, listed in {folder / 'grades.csv'}"), soft_wrap=True)
    left = len(plan.done) + len(plan.open) - len(finished)
    if left:
        err.print(Text(f"Stopped. What is graded is stored; {left} are left: run the same command again.", style="yellow"))
        return INTERRUPTED
    return 0 if all(STATUSES[row.status].by_student for row in finished) else 1


@contextmanager
def _stops_cleanly(stop: Event) -> Iterator[None]:
    """Ctrl-C or SIGTERM lets what is finished be stored; a second one ends the program at once."""

    def on_signal(number, _frame):
        if stop.is_set():
            raise KeyboardInterrupt
        stop.set()

    before = {number: signal.signal(number, on_signal) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@dataclass(frozen=True)
class _Row:
    """What the table and grades.csv say of a submission; small, because a class may have a hundred thousand."""

    student: str
    attempt: int
    status: str
    points: float | None
    max_points: float
    seconds: float
    token: str
    file_name: str


def _publish(folder: Path, submission: Submission, result: SubmissionResult) -> _Row:
    report.write(result, folder / "pages" / submission.token)
    facts = (result.student, result.attempt, result.status, result.points, result.max_points, result.seconds)
    return _Row(*facts, submission.token, submission.file_name)


def _say_left_out(intake: Intake) -> None:
    for line in intake.left_out[:10]:
        err.print(_text(f"left out: {line}"), soft_wrap=True)
    if len(intake.left_out) > 10:
        err.print(f"left out: {len(intake.left_out) - 10} more")
    several = [student for student, count in Counter(one.student for one in intake.received).items() if count > 1]
    if several:
        names = ", ".join(several[:5]) + (" …" if len(several) > 5 else "")
        err.print(_text(f"{len(several)} with several files, each an attempt of its own: {names}"), soft_wrap=True)


def _write_csv(folder: Path, rows: list[_Row]) -> None:
    """The list of this run's submissions: the only file here that joins names and pages, so only its owner may read it."""
    made = io.StringIO(newline="")
    table = csv.writer(made)
    table.writerow(["student", "attempt", "status", "points", "max_points", "page", "file"])
    for row in sorted(rows, key=lambda row: (row.student, row.attempt)):
        points = "" if row.points is None else report.points(row.points)
        page = f"pages/{row.token}/index.html"
        best = report.points(row.max_points)
        table.writerow([for_csv(row.student), row.attempt, row.status, points, best, page, for_csv(row.file_name)])
    folder.mkdir(parents=True, exist_ok=True)
    report.replace_text(folder / "grades.csv", made.getvalue(), mode=0o600)


def _print_table(rows: list[_Row]) -> None:
    counts = Counter(row.status for row in rows)
    chosen = rows if len(rows) <= SHOWN else [row for row in rows if row.status != "graded"]
    table = Table("student", "attempt", "id", "status", Column("points", justify="right"), Column("seconds", justify="right"))
    for row in sorted(chosen, key=lambda row: (row.student, row.attempt))[:SHOWN]:
        points = "none" if row.points is None else f"{report.points(row.points)} of {report.points(row.max_points)}"
        style = "" if row.status == "graded" else "yellow" if STATUSES[row.status].by_student else "red"
        cells = (_text(row.student), str(row.attempt), row.token[:8], Text(row.status, style=style))
        table.add_row(*cells, Text(points), Text(f"{row.seconds:g}"))
    if chosen:
        out.print(table)
    if len(chosen) > SHOWN:
        out.print(f"… and {len(chosen) - SHOWN} more")
    order = list(STATUSES)
    says = [f"{counts[status]} {status}" for status in order if counts[status]]
    scores = [row.points for row in rows if row.points is not None]
    mean = f"; mean {report.points(sum(scores) / len(scores))} points" if scores else ""
    out.print(f"{', '.join(says) or 'nothing graded'}{mean}")


@app.command()
def show(
    name: Annotated[
        str, typer.Argument(metavar="ID", help="a student's id, or the first six or more digits of a submission's")
    ],
    store_file: StoreOption = STORE,
    assignment: Annotated[str | None, typer.Option(help="only this one, such as hw1")] = None,
) -> None:
    """Explain a grade: tests, points, hints, times, memory, versions."""
    if not store_file.is_file():
        raise _fail(f"no store at {store_file}: name it by --store, or grade first")
    try:
        with closing(Store(store_file)) as store:
            found = store.find(name, assignment)
            if not found:
                raise _fail(
                    f"no submission of {name!r} in {store_file}: an id is the file's name without .ipynb or .zip, as in grades.csv"
                )
            for submission in found:
                _show(submission, store.results(submission))
    except StoreError as error:
        raise _fail(str(error)) from error


def _show(submission: Submission, results: list[SubmissionResult]) -> None:
    head = f"{submission.assignment}, {submission.student}, attempt {submission.attempt}, id {submission.token[:8]}"
    out.print(_text(head, "bold"))
    out.print(_text(f"file {submission.file_name}, SHA-256 {submission.raw_hash}, seed {submission.seed}"), soft_wrap=True)
    if not results:
        out.print("not graded yet")
    for result in results:
        _show_result(result)
    out.print()


def _show_result(result: SubmissionResult) -> None:
    points = (
        "no score" if result.points is None else f"{report.points(result.points)} of {report.points(result.max_points)} points"
    )
    out.print(Text(f"{result.status}: {points}, tests {visible(result.tests_version)}", style="bold"))
    for line in result.message_instructor.splitlines():
        out.print(_text(line), soft_wrap=True)
    for question in result.questions:
        _show_question(question)
    time = f"{result.seconds:g} s wall, {result.cpu_seconds:g} s CPU, at most {result.peak_memory_mb:.0f} MiB"
    versions = ", ".join(f"{name} {version}" for name, version in sorted(result.versions.items()))
    out.print(_text(f"{time}; {versions}" if versions else time), soft_wrap=True)
    out.print(_text(f"notebook SHA-256 {result.notebook_hash}"), soft_wrap=True)


def _show_question(question: QuestionResult) -> None:
    best = report.points(question.max_points)
    says = f"{report.points(question.points)} of {best}, {question.status}, {question.seconds:g} s"
    if question.manual:
        says = f"a person reads it, for up to {best}"
    table = Table(title=_text(f"{question.id} {question.title}: {says}"), title_justify="left", show_edge=False)
    for column in ("test", "kind", "result", "points", "hint, what came out"):
        table.add_column(column)
    for test in question.tests:
        table.add_row(*_test_cells(test))
    if question.tests:
        out.print(table)
    else:
        out.print(table.title)
    for text in (question.note, question.detail):
        if text:
            out.print(Text(visible(text, lines=True)), soft_wrap=True)


def _test_cells(test: TestResult) -> Iterator[Text]:
    yield _text(test.topic)
    yield Text("hidden" if test.hidden else "public")
    yield Text("passed", style="green") if test.passed else Text("failed", style="red")
    yield Text(f"{report.points(test.points)} of {report.points(test.max_points)}")
    says = [text for text in (test.hint, test.detail or test.message) if text and not test.passed]
    yield Text("\n".join(visible(text, lines=True, longest=500) for text in says))


@app.command("check-machine")
def check_machine() -> None:
    """Say which layers of containment this machine has, and what to do where one is missing.

    Exit code: 0 if all are there, 1 if not.
    """
    layers = containment.layers()
    table = Table("layer", "here", "what to do")
    for layer in layers:
        here = Text("yes", style="green") if layer.present else Text("missing", style="red")
        table.add_row(_text(layer.name), here, _text(layer.detail))
    out.print(table)
    complete = all(layer.present for layer in layers)
    out.print(
        "This machine can grade." if complete else "This machine cannot contain student code: it refuses every submission."
    )
    raise typer.Exit(0 if complete else 1)
