"""A lecture run in this process, so that its figures can be driven and its numbers read."""

import contextlib
import hashlib
import html
import io
import linecache
import time
import traceback
import warnings
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import ipywidgets as widgets
import matplotlib as mpl
from IPython.core.interactiveshell import InteractiveShell
from matplotlib.text import Text

from coursebuild.text import Cell, read_source
from dlcourse import exercise, live, predict

# Widgets warn that there is no kernel to talk to: that is so.
warnings.filterwarnings("ignore", category=DeprecationWarning)


class LectureError(Exception):
    """A cell of a lecture raised, or one of its figures did; the message names file and line."""


@dataclass
class Ran:
    """What one cell left: its source, what it printed, the words of the figures and the predictions that it made."""

    cell: Cell
    printed: str = ""
    shown: list[str] = field(default_factory=list)
    predictions: list = field(default_factory=list)


@dataclass
class Session:
    """What a lecture left behind: its names, and everything that a reader can touch.

    Attributes:
        source: the lecture's file.
        names: the notebook's names.
        figures: by title. predictions: in their order. exercises: by the name of the function that they ask for.
        printed: all that the cells printed.
        cells: what each cell left, in their order.
        seconds: that running the cells took.
    """

    source: Path
    shell: InteractiveShell
    names: dict
    figures: dict = field(default_factory=dict)
    predictions: list = field(default_factory=list)
    exercises: dict = field(default_factory=dict)
    printed: str = ""
    cells: list[Ran] = field(default_factory=list)
    seconds: float = 0.0
    kept: dict = field(default_factory=dict)

    @cached_property
    def drives(self) -> "dict[str, Drive]":
        """Each figure by its title, driven through all its controls once for all tests."""
        return {title: drive(figure) for title, figure in self.figures.items()}

    def run(self, code: str) -> None:
        """Run a cell, as the reader would."""
        result = self.shell.run_cell(code)
        result.raise_error()

    def restore(self) -> None:
        """Give the notebook's names and the figures' controls the values that the run left, whatever a test changed."""
        if self.names.keys() - self.kept.keys() or any(self.names.get(name) is not value for name, value in self.kept.items()):
            for name in self.names.keys() - self.kept.keys():
                del self.names[name]
            self.names.update(self.kept)
            for task in self.exercises.values():
                task.cell_was_run()
        for figure in self.figures.values():
            first = {name: control.value for name, control in figure.controls.items() if hasattr(control, "value")}
            moved = {name: value for name, value in first.items() if figure.widgets[name].value != value}
            if figure.run is not None and figure.run.ticks:
                figure.run.reset()
            if moved:
                figure.set(**moved)


def run_lecture(source: Path) -> Session:
    """Run all code cells of a lecture's source in a fresh namespace.

    Raises:
        LectureError: a cell or the callback of a figure raised; with file and line.
    """
    mpl.use("agg")
    shell = InteractiveShell.instance()
    shell.reset(new_session=False)
    before = len(live.figures()), len(predict.predictions()), len(exercise.exercises())
    session = Session(source, shell, shell.user_ns)
    start = time.perf_counter()
    for cell in read_source(source)[1]:
        ran = Ran(cell)
        session.cells.append(ran)
        if cell.kind == "code":
            figures, asked, printed = live.figures(), len(predict.predictions()), io.StringIO()
            with contextlib.redirect_stdout(printed):
                result = shell.run_cell(cell.text)
            error = result.error_before_exec or result.error_in_exec
            if error is not None:
                raise LectureError(f"{source}:{_line(cell, error)}: {type(error).__name__}: {error}") from error
            for figure in live.figures()[before[0] :]:
                if figure.errors:
                    raise LectureError(f"{source}:{cell.line}: the figure {figure.title!r} raises: {figure.errors[0]}")
            ran.printed, ran.predictions = printed.getvalue(), predict.predictions()[asked:]
            ran.shown = [text for figure in live.figures() if figure not in figures for text in words(figure)]
    session.seconds, session.printed = time.perf_counter() - start, "".join(ran.printed for ran in session.cells)
    figures = live.figures()[before[0] :]
    session.figures = {figure.title: figure for figure in figures}
    assert len(session.figures) == len(figures), "two figures of a lecture share a title"
    session.predictions = predict.predictions()[before[1] :]
    session.exercises = {task.uses: task for task in exercise.exercises()[before[2] :]}
    session.kept = dict(session.names)
    return session


def _line(cell: Cell, error: BaseException) -> int:
    """The line of the source at which a cell's own code raised."""
    if isinstance(error, SyntaxError):
        return cell.line + (error.lineno or 1) - 1
    text = cell.text.rstrip("\n")
    own = [f for f in traceback.extract_tb(error.__traceback__) if "".join(linecache.getlines(f.filename)).rstrip("\n") == text]
    return cell.line + ((own[-1].lineno or 1) - 1 if own else 0)


_current: list[Session] = []


def current(source: Path) -> Session:
    """The lecture's run: one for all tests that follow each other. Another lecture's figures are closed before it begins."""
    if not _current or _current[0].source != source:
        for figure in live.figures():
            figure.close()
        _current[:] = [run_lecture(source)]
    return _current[0]


def words(figure: live.LiveFigure) -> list[str]:
    """What a live figure says now: its readout, and all that is written in the picture but for the numbers at the axes."""
    axes = figure.figure.axes
    ticks = {id(text) for ax in axes for text in [*ax.get_xticklabels(which="both"), *ax.get_yticklabels(which="both")]}
    written = [text for text in figure.figure.findobj(Text) if id(text) not in ticks and text.get_visible() and text.get_text()]
    return [figure.readout, *[text.get_text() for text in written]]


def state(widget: widgets.Widget) -> list[dict]:
    """What a page is sent of a widget and of those in it."""
    found, waiting = {}, [widget]
    while waiting:
        each = waiting.pop()
        if each.model_id not in found:
            found[each.model_id] = each.get_state()
            parts = [getattr(each, name) for name in each.keys]
            parts += [part for several in parts if isinstance(several, list | tuple) for part in several]
            waiting += [part for part in parts if isinstance(part, widgets.Widget)]
    return list(found.values())


def source_of(widget: widgets.Widget) -> str:
    """All that a reader of the page's source could find of a widget."""

    def strings(part):
        if isinstance(part, dict | list | tuple):
            for each in part.values() if isinstance(part, dict) else part:
                yield from strings(each)
        else:
            yield html.unescape(str(part))

    return "\n".join(strings(state(widget)))


def look(figure) -> tuple[str, str]:
    """What is on the page: a digest of the picture's pixels, and the readout."""
    return hashlib.sha256(figure.picture.canvas.buffer_rgba()).hexdigest(), figure.readout


@dataclass(frozen=True)
class Drive:
    """What a figure showed while each of its controls was moved.

    Attributes:
        rows: for each control the values, with what the page showed at each.
        before, after: what it showed before and after all that, at the same setting.
    """

    rows: dict[str, list[tuple[object, tuple[str, str]]]]
    before: tuple[str, str]
    after: tuple[str, str]


def drive(figure, ticks: int = 40) -> Drive:
    """Move every control through its extremes, one at a time, through its widget; a run takes some ticks at each."""
    figure.update()
    before, rows = look(figure), {}
    for name, control in figure.controls.items():
        widget = figure.widgets[name]
        first, rows[name] = widget.value, []
        for value in control.extremes():
            widget.value = value
            if figure.run is not None:  # what steers a run is seen in its next steps
                figure.run.reset()
                while figure.run.ticks < ticks and figure.run.advance(ticks - figure.run.ticks):
                    pass
            assert not figure.failed, f"{figure.title}, {name} = {value!r}: {figure.note}"
            rows[name].append((value, look(figure)))
        widget.value = first
        if figure.run is not None:
            figure.run.reset()
    figure.update()
    return Drive(rows, before, look(figure))
