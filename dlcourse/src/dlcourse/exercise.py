"""Exercises with an instant check: the reader's function is tried as soon as its cell is run.

In its place, an exercise brings the course's own solution along, and later cells use what `Exercise.function` gives:

    @exercise("The momentum step", uses="my_momentum", minutes=5, difficulty=1, solution=momentum_solution)
    def momentum_turn(step): ...

    momentum = momentum_turn.function  # the reader's once it has passed its check, the solution until then
"""

import functools
import html
from collections.abc import Callable

import ipywidgets as widgets

from dlcourse import notebook
from dlcourse.check import CheckError
from dlcourse.live.errors import FigureError, describe
from dlcourse.live.figure import ON_WHITE

_open: "list[Exercise]" = []
LEVELS = {1: "easy", 2: "medium", 3: "hard"}
KINDS = {
    "type": "It returns the wrong kind of thing.",
    "shape": "Its shape is wrong.",
    "dtype": "Its dtype is wrong.",
    "finite": "It is not finite.",
    "value": "The numbers differ.",
    "changed": "It changes its argument.",
    "error": "It does not raise as it should.",
}


def exercises() -> "list[Exercise]":
    """All exercises of this session, in the order in which they were made."""
    return list(_open)


class Exercise:
    """One exercise; made by `exercise`.

    Attributes:
        state: 'open' while the function is not written, then 'passed' or 'failed'.
        message: what the reader is told.
    """

    def __init__(self, title: str, uses: str, minutes: int, difficulty: int, check: Callable, solution: Callable | None = None):
        if difficulty not in LEVELS:
            raise FigureError(f"difficulty is 1 (easy), 2 (medium) or 3 (hard), got {difficulty!r}")
        self.title, self.uses, self.minutes, self.difficulty, self.check = title, uses, minutes, difficulty, check
        self.solution = solution
        self.state, self.message = "open", ""
        self._tried: Callable | None = None
        self.button = widgets.Button(description="Check", icon="check", layout={"width": "100px"})
        self.button.on_click(lambda _: self.run())
        time = f"{minutes} minute{'s' if minutes != 1 else ''}"
        head = widgets.HTML(f"<b>Exercise: {html.escape(title)}</b> ({time}, {LEVELS[difficulty]})")
        self._words = widgets.HTML()
        self.widget = widgets.VBox([head, self.button, self._words])
        _open.append(self)
        self.run()

    @property
    def function(self) -> Callable:
        """What later cells call: the reader's function while it passes the check, the solution otherwise.

        Which of the two is decided anew at each call, so that a reader who comes back later needs to run nothing again.
        Raises:
            FigureError: the exercise was made without a solution.
        """
        if self.solution is None:
            raise FigureError(f"the exercise {self.title!r} has no solution to go on with: give it one, solution=...")

        @functools.wraps(self.solution)
        def chosen(*args, **kwargs):
            return (self._tried if self.state == "passed" else self.solution)(*args, **kwargs)

        return chosen

    def run(self) -> None:
        """Look the function up and try it. Nothing that it does is raised here."""
        function = self._tried = notebook.lookup(self.uses)
        if function is None:
            self._tell("open", f"Write {self.uses}() in the cell above and run that cell.")
            return
        try:
            self.check(function)
        except NotImplementedError:
            self._tell("open", f"{self.uses}() still raises NotImplementedError: replace that line, and run its cell again.")
        except CheckError as error:
            self._tell("failed", f"{KINDS[error.kind]} Found: {error}.")
        except Exception as error:  # the reader's code may fail in every way
            self._tell("failed", f"It raises. {describe(error)}")
        else:
            self._tell("passed", "All checks passed.")

    def _tell(self, state: str, message: str) -> None:
        self.state = state
        if self.solution is not None:
            mine = state == "passed"
            message += (
                " The cells below use yours." if mine else " Until yours passes, the cells below use the course's solution."
            )
        self.message = message
        mark, colour = {"open": ("○", "#000"), "passed": ("✓", "#00664A"), "failed": ("✗", "#A33F00")}[state]
        self._words.value = f'<div role="status" aria-live="polite" style="line-height:1.4"><b style="{ON_WHITE};color:{colour}">{mark}</b> {html.escape(message)}</div>'

    def cell_was_run(self) -> None:
        """Try again when the reader has defined the function anew."""
        if notebook.lookup(self.uses) is not self._tried:
            self.run()

    def _repr_mimebundle_(self, include=None, exclude=None):
        notebook.watch(self)
        view = {"version_major": 2, "version_minor": 0, "model_id": self.widget.model_id}
        return {"text/plain": f"Exercise: {self.title}. {self.message}", "application/vnd.jupyter.widget-view+json": view}


def exercise(
    title: str, uses: str, minutes: int, difficulty: int, solution: Callable | None = None
) -> Callable[[Callable], Exercise]:
    """Decorate the function that checks the reader's answer; the name then holds the exercise, to be shown.

    Args:
        uses: name of the reader's function, looked up in the notebook.
        minutes: measured or estimated time.
        difficulty: 1 easy, 2 medium, 3 hard.
        solution: the course's own function, for an exercise whose result later cells use: see `Exercise.function`.
    The check receives the function and raises CheckError (see dlcourse.check) when it is wrong.
    """
    return lambda check: Exercise(title, uses, minutes, difficulty, check, solution)
