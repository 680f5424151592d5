"""Exercises with an instant check: the reader's function is tried as soon as its cell is run.

In its place, an exercise brings the course's own solution along, and later cells use what `Exercise.function` gives:

    @exercise("The momentum step", uses="my_momentum", minutes=5, difficulty=1, solution=momentum_solution)
    def momentum_turn(step): ...

    momentum = momentum_turn.function  # the reader's once it has passed its check, the solution until then
"""

import functools
import html
import inspect
import threading
from collections.abc import Callable
from typing import Any

import ipywidgets as widgets

from dlcourse import arguments, check, notebook, trial, without_kernel
from dlcourse.check import CheckError
from dlcourse.live.errors import FigureError, blame
from dlcourse.live.figure import ON_WHITE

_open: "list[Exercise]" = []
_by_place: "dict[tuple, Exercise]" = {}
LEVELS = {1: "easy", 2: "medium", 3: "hard"}
KINDS = {
    "type": "It returns the wrong kind of thing.",
    "shape": "Its shape is wrong.",
    "dtype": "Its dtype is wrong.",
    "finite": "It is not finite.",
    "value": "The numbers differ.",
    "changed": "It changes its argument.",
    "error": "It does not raise as it should.",
    "torch": "It lets torch do the work.",
}


def exercises() -> "list[Exercise]":
    """All exercises of this session, in the order in which they were made."""
    return list(_open)


class _Tried:
    """The reader's function as a check calls it.

    Arguments that it changes in place are given back and reported, before anything is compared with them.

    Attributes:
        function: what the check receives. A class stays itself, so that isinstance and type() see what they always see.
        inside: whether the reader's code is running now.
        raised: the exception that the reader's function raised last.
        returned: what it returned last.
        came_back: whether it called the function that later cells use, which is then itself.
    """

    def __init__(self, function: Callable, in_place: bool):
        self._function, self._in_place, self._depth = function, in_place, 0
        self._thread = threading.get_ident()
        self.raised: BaseException | None = None
        self.returned: Any = ...
        self.came_back = False
        self.function = self._watched() if self.is_watched else function

    @property
    def is_watched(self) -> bool:
        return inspect.isroutine(self._function) or isinstance(self._function, functools.partial)

    @property
    def inside(self) -> bool:
        return threading.get_ident() == self._thread and (self._depth > 0 or not self.is_watched)

    def _watched(self) -> Callable:
        @functools.wraps(self._function)
        def watched(*args, **kwargs):
            return self._call(args, kwargs)

        return watched

    def _call(self, args: tuple, kwargs: dict[str, Any]) -> Any:
        # Inside check.in_place and check.unchanged the check itself looks at the arguments.
        watched = not (self._in_place or check.is_in_place())
        kept = arguments.Kept(self._function, args, kwargs) if watched else None
        self._depth += 1
        try:
            self.returned = self._function(*args, **kwargs)
        except BaseException as error:
            self.raised = error
            raise
        finally:
            self._depth -= 1
            changed = kept.give_back() if kept else []
        if changed:
            raise CheckError("changed", f"{' and '.join(changed)} was changed in place", check.CHANGED)
        return self.returned

    def again(self, *args, **kwargs):
        """Called by way of the function that later cells use, while this one is on trial."""
        self.came_back = True
        return self._function(*args, **kwargs)

    def is_unwritten(self, error: NotImplementedError) -> bool:
        """Whether the error comes from the function itself, and not from another that it calls."""
        trace = error.__traceback__
        while trace is not None and trace.tb_next is not None:
            trace = trace.tb_next
        code = getattr(self._function, "__code__", None)
        return code is None or trace is None or trace.tb_frame.f_code is code


class Exercise:
    """One exercise; made by `exercise`.

    Attributes:
        state: 'open' while the function is not written, then 'passed' or 'failed'.
        message: what the reader is told.
    """

    def __init__(
        self,
        title: str,
        uses: str,
        minutes: int,
        difficulty: int,
        check: Callable,
        solution: Callable | None = None,
        in_place: bool = False,
    ):
        if difficulty not in LEVELS:
            raise FigureError(f"difficulty is 1 (easy), 2 (medium) or 3 (hard), got {difficulty!r}")
        self.title, self.uses, self.minutes, self.difficulty, self.check = title, uses, minutes, difficulty, check
        self.solution, self.in_place = solution, in_place
        self.state, self.message = "open", ""
        self._looked_up: Callable | None = None
        self._passed: Callable | None = None
        self._has_passed = False
        self._trial: _Tried | None = None
        self._successor: Exercise | None = None
        self._function = self._make_function() if solution is not None else None
        self._loop = trial.main_loop()
        self.button = widgets.Button(description="Check", icon="check", layout={"width": "100px"})
        self.button.on_click(lambda _: self._on_click())
        time = f"{minutes} minute{'s' if minutes != 1 else ''}"
        self._head = f"<b>Exercise: {html.escape(title)}</b> ({time}, {LEVELS[difficulty]})"
        self._words = widgets.HTML()
        self.widget = without_kernel.LiveBox([widgets.HTML(self._head), self.button, self._words])
        self._replace_earlier()
        _open.append(self)
        self.run()

    @property
    def function(self) -> Callable:
        """What later cells call: the reader's function while it passes the check, the solution otherwise.

        Which of the two is decided anew at each call, so that a reader who comes back later needs to run nothing again. When
        the exercise's cell is run again, the new exercise decides.
        Raises:
            FigureError: the exercise was made without a solution.
        """
        if self._function is None:
            raise FigureError(f"the exercise {self.title!r} has no solution to go on with: give it one, solution=...")
        return self._function

    def _make_function(self) -> Callable:
        @functools.wraps(self.solution)
        def chosen(*args, **kwargs):
            latest = self
            while latest._successor is not None:
                latest = latest._successor
            if latest._trial is not None and latest._trial.inside:
                return latest._trial.again(*args, **kwargs)
            if latest._passed is None:
                return (latest.solution or self.solution)(*args, **kwargs)
            try:
                return latest._passed(*args, **kwargs)
            except Exception as error:
                blame(error, latest.uses)
                raise

        chosen.of_exercise = self.title, self.uses
        return chosen

    def _replace_earlier(self) -> None:
        """The cell was run again: what later cells hold of the exercise before goes on with this one."""
        place = (notebook.cell_id(), self.title, self.uses)
        earlier = _by_place.get(place)
        if earlier is not None:
            earlier._successor = self
            notebook.unwatch(earlier)
        _by_place[place] = self
        notebook.watch(self)

    def _on_click(self) -> None:
        self._words.value = self._page("○", "Checking …")  # at once: a running cell may have to end first
        trial.in_main_thread(self._loop, self.run)

    def run(self) -> None:
        """Look the function up and try it. Nothing that it does is raised here."""
        function = self._looked_up = notebook.lookup(self.uses)
        if function is None:
            self._decide(None, "open", f"Write {self.uses}() in the cell above and run that cell.")
        elif getattr(function, "of_exercise", None) == (self.title, self.uses):
            self._decide(
                None, "open", f"{self.uses} is what the cells below use, and no function of yours: write {self.uses}()."
            )
        else:
            self._words.value = self._page("○", "Checking …")
            self._try(function)

    def _try(self, function: Callable) -> None:
        tried = self._trial = _Tried(function, self.in_place)

        def still_running():
            self._words.value = self._page("○", f"Still checking. {trial.STOP}")

        def check_it():
            with trial.repeatable():
                self.check(tried.function)

        try:
            outcome = trial.run(check_it, still_running, warns=lambda: tried.inside)
        finally:
            self._trial = None
        state, message = self._verdict(tried, outcome)
        if outcome.warned and state != "open":
            message += f" It warns: {'; '.join(outcome.warned[:3])}."
        self._decide(function if state == "passed" else None, state, message, outcome.printed)

    def _verdict(self, tried: _Tried, outcome: trial.Outcome) -> tuple[str, str]:
        """The exercise's state, and what to tell the reader."""
        error = outcome.error
        if error is None:
            return "passed", "All checks passed."
        if outcome.stopped:
            return "failed", f"{outcome.said}. Is there a loop that does not end?"
        if isinstance(error, NotImplementedError):
            if tried.is_unwritten(error):
                return "open", f"{self.uses}() still raises NotImplementedError: replace that line, and run its cell again."
            return "open", f"{self.uses}() needs a function that is not written yet. {outcome.said}"
        if isinstance(error, CheckError):
            return (
                "failed",
                f"{KINDS.get(error.kind, 'It is not right yet.')} Found: {str(error).removesuffix('.')}. {self._hint(error)}".strip(),
            )
        if isinstance(error, RecursionError) and tried.came_back:
            return "failed", f"{self.uses}() calls the function that the cells below use, and that is {self.uses}() itself."
        if error is tried.raised or not tried.is_watched:
            return "failed", f"It raises. {outcome.said}"
        if tried.returned is None and not self.in_place:
            return "failed", "It returns None: is its return statement missing?"
        return "failed", f"The check cannot go on with what it returns. {outcome.said}"

    @staticmethod
    def _hint(error: CheckError) -> str:
        return "" if error.hint is None or (error.hint == check.CHANGED and "copy it first" in str(error)) else error.hint

    def _decide(self, passed: Callable | None, state: str, message: str, printed: str = "") -> None:
        self._passed, self.state = passed, state
        self._has_passed = self._has_passed or passed is not None
        if self.solution is not None:
            again = " again" if self._has_passed else ""
            message += (
                " The cells below use yours."
                if passed is not None
                else f" Until yours passes{again}, the cells below use the course's solution."
            )
        self.message = message
        self._words.value = self._page(*{"open": "○", "passed": "✓", "failed": "✗"}[state], message, printed)

    @staticmethod
    def _page(mark: str, message: str, printed: str = "") -> str:
        colour = {"✓": "#00664A", "✗": "#A33F00"}.get(mark, "#000")
        page = f'<div role="status" aria-live="polite" style="line-height:1.4"><b style="{ON_WHITE};color:{colour}">{mark}</b> {html.escape(message)}</div>'
        return page + (f"<div>It prints:</div><pre>{html.escape(printed)}</pre>" if printed else "")

    def cell_was_run(self) -> None:
        """Try again when the reader has defined the function anew."""
        if notebook.lookup(self.uses) is not self._looked_up:
            self.run()

    def still(self) -> dict[str, str]:
        """What pages without a kernel show: MIME type -> content."""
        page = f"<p>{self._head}</p><p>{html.escape(self.message)}</p>"
        return {
            "text/plain": f"Exercise: {self.title}. {self.message}",
            "text/html": self.widget.still(page, without_kernel.TO_CHECK),
        }

    def _ipython_display_(self):
        notebook.watch(self)
        self.widget.publish(self.still())


def exercise(
    title: str, uses: str, minutes: int, difficulty: int, solution: Callable | None = None, in_place: bool = False
) -> Callable[[Callable], Exercise]:
    """Decorate the function that checks the reader's answer; the name then holds the exercise, to be shown.

    Args:
        uses: name of the reader's function, looked up in the notebook.
        minutes: measured or estimated time.
        difficulty: 1 easy, 2 medium, 3 hard.
        solution: the course's own function, for an exercise whose result later cells use: see `Exercise.function`.
        in_place: whether the function is to change its arguments.
    The check receives the function and raises CheckError (see dlcourse.check) when it is wrong. Unless in_place is set, an
    array, tensor or list that a call changes is given back its content and the call raises, so that nothing is compared with
    it; inside check.in_place and check.unchanged the check looks itself. The global generators of random, numpy and torch give
    the same numbers in each check.
    """
    return lambda check: Exercise(title, uses, minutes, difficulty, check, solution, in_place)
