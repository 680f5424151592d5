"""A lecture run in this process, so that its figures can be driven and its numbers read."""

import warnings
from dataclasses import dataclass
from pathlib import Path

import matplotlib as mpl
from IPython.core.interactiveshell import InteractiveShell

from coursebuild.text import read_source
from dlcourse import exercise, live, predict

# Widgets warn that there is no kernel to talk to: that is so.
warnings.filterwarnings("ignore", category=DeprecationWarning)


@dataclass
class Session:
    """What a lecture left behind: its names, and everything that a reader can touch."""

    names: dict
    figures: dict
    predictions: list
    exercises: dict
    shell: InteractiveShell

    def run(self, code: str) -> None:
        """Run a cell, as the reader would."""
        result = self.shell.run_cell(code)
        result.raise_error()


def run_lecture(source: Path) -> Session:
    """Run all code cells of a lecture's source in a fresh namespace.

    Raises:
        whatever a cell raises.
    """
    mpl.use("agg")
    shell = InteractiveShell.instance()
    shell.reset(new_session=False)
    before = len(live.figures()), len(predict.predictions()), len(exercise.exercises())
    session = Session(shell.user_ns, {}, [], {}, shell)
    for cell in read_source(source)[1]:
        if cell.kind == "code":
            session.run(cell.text)
    figures = live.figures()[before[0] :]
    session.figures = {figure.title: figure for figure in figures}
    assert len(session.figures) == len(figures), "two figures of a lecture share a title"
    session.predictions = predict.predictions()[before[1] :]
    session.exercises = {task.uses: task for task in exercise.exercises()[before[2] :]}
    return session


def drive(figure) -> dict[str, list[tuple[object, bytes, str]]]:
    """Move every control through its extremes, one at a time, through its widget.

    Returns:
        for each control the values with the picture (PNG of the canvas) and the readout that each gave.
    """
    seen = {}
    for name, control in figure.controls.items():
        widget = figure.widgets[name]
        before, rows = widget.value, []
        for value in control.extremes():
            widget.value = value
            if figure.run is not None:  # what steers a run is seen in its next steps
                figure.run.reset()
                for _ in range(40):
                    figure.run.step()
            assert not figure.failed, f"{figure.title}, {name} = {value!r}: {figure.note}"
            rows.append((value, figure.picture.encode("png"), figure.readout))
        widget.value = before
        if figure.run is not None:
            figure.run.reset()
        seen[name] = rows
    return seen
