"""Predict, commit, then run: the reader says what will happen before it does.

A wrong prediction gets the reason why it is wrong. The run is locked until the reader has committed, and prediction and
result are then shown together.
"""

import html
import math
import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import ipywidgets as widgets

from dlcourse.live.errors import FigureError, describe
from dlcourse.live.figure import ON_WHITE

_open: "list[_Prediction]" = []


def predictions() -> "list[_Prediction]":
    """All predictions of this session, in the order in which they were made."""
    return list(_open)


class _Prediction:
    """What both kinds share: a question, an input, Commit, and the place where the result appears."""

    def __init__(self, question: str, then: Callable[[], Any] | None, entry: widgets.Widget):
        self.question, self.then, self.entry = question, then, entry
        self.committed = False
        self.right: bool | None = None
        self.said = ""
        self.result: Any = None
        self.errors: list[str] = []
        self.button = widgets.Button(description="Commit", icon="lock", layout={"width": "110px"})
        self.button.on_click(lambda _: self.commit())
        self._answer = widgets.HTML()
        self._run = widgets.VBox()
        title = widgets.HTML(f"<b>Predict.</b> {html.escape(question)}")
        self.widget = widgets.VBox([title, entry, self.button, self._answer, self._run])
        _open.append(self)

    def judge(self) -> tuple[bool, str]:
        """Whether the entry is right, and what to say about it. Raises ValueError while there is no entry."""
        raise NotImplementedError

    def commit(self) -> None:
        """Fix the prediction, say what is wrong with it, and run what was locked."""
        if self.committed:
            return
        try:
            self.right, self.said = self.judge()
        except ValueError as error:
            self._tell(str(error), None)
            return
        self.committed = True
        self.entry.disabled = self.button.disabled = True
        self.button.description = "Committed"
        self._tell(self.said, self.right)
        if self.then is not None:
            self._show_run()

    def _tell(self, text: str, right: bool | None) -> None:
        mark, colour = {True: ("✓ Right.", "#00664A"), False: ("✗ Not so.", "#A33F00"), None: ("?", "#000")}[right]
        words = f'<div role="status" aria-live="polite" style="line-height:1.4"><b style="{ON_WHITE};color:{colour}">{mark}</b> {html.escape(text)}</div>'
        self._answer.value = words

    def _show_run(self) -> None:
        try:
            self.result = self.then()
        except Exception as error:  # told to the reader, and recorded for tests
            self.errors.append(describe(error))
            self._run.children = [widgets.HTML(f'<div role="alert" class="course-error">{html.escape(self.errors[-1])}</div>')]
            return
        shown = getattr(self.result, "widget", None)
        if shown is None:
            text = f"{self.result:.6g}" if isinstance(self.result, float) else str(self.result)
            shown = widgets.HTML(f"<div>The run gives: <b>{html.escape(text)}</b></div>")
        self._run.children = [shown]

    def static_html(self) -> str:
        """The question for pages without a kernel."""
        raise NotImplementedError

    def _repr_mimebundle_(self, include=None, exclude=None):
        bundle = {"text/plain": f"Predict. {self.question}", "text/html": self.static_html()}
        if os.environ.get("DLCOURSE_STATIC"):
            return bundle
        return {
            **bundle,
            "application/vnd.jupyter.widget-view+json": {
                "version_major": 2,
                "version_minor": 0,
                "model_id": self.widget.model_id,
            },
        }


class Choose(_Prediction):
    """A prediction among choices."""

    def __init__(
        self, question: str, choices: Mapping[str, str | bool], because: str = "", then: Callable[[], Any] | None = None
    ):
        right = [name for name, reason in choices.items() if reason is True]
        if len(right) != 1:
            raise FigureError(
                f"exactly one choice must be True, got {len(right)}; every other needs the reason why it is wrong"
            )
        for name, reason in choices.items():
            if reason is not True and not (isinstance(reason, str) and reason.strip()):
                raise FigureError(f"the choice {name!r} needs the reason why it is wrong")
        self.choices, self.answer, self.because = dict(choices), right[0], because
        radio = widgets.RadioButtons(options=list(choices), value=None, layout={"width": "max-content", "max_width": "100%"})
        super().__init__(question, then, radio)

    def judge(self):
        chosen = self.entry.value
        if chosen is None:
            raise ValueError("Choose an answer first.")
        if chosen == self.answer:
            return True, self.because
        return False, f"{self.choices[chosen]} The answer: {self.answer}. {self.because}".strip()

    def static_html(self):
        rows = []
        for name, reason in self.choices.items():
            text = f"Right. {self.because}" if reason is True else f"Not so. {reason}"
            rows.append(f"<details><summary>{html.escape(name)}</summary>{html.escape(text)}</details>")
        return f"<p><b>Predict.</b> {html.escape(self.question)}</p>{''.join(rows)}"


class Estimate(_Prediction):
    """A prediction of a number."""

    def __init__(
        self,
        question: str,
        answer: float,
        tolerance: float,
        hints: Sequence[tuple[float, float, str]],
        because: str = "",
        then: Callable[[], Any] | None = None,
    ):
        if not (math.isfinite(answer) and tolerance >= 0):
            raise FigureError(f"needs a finite answer and a tolerance >= 0, got {answer} and {tolerance}")
        self.answer, self.tolerance, self.hints, self.because = answer, tolerance, list(hints), because
        entry = widgets.Text(placeholder="a number, then Enter", layout={"width": "220px"}, continuous_update=False)
        super().__init__(question, then, entry)
        self.entry.observe(lambda change: self.commit() if change.new.strip() else None, "value")

    def judge(self):
        text = self.entry.value.strip().replace(",", ".")
        try:
            value = float(text)
        except ValueError:
            raise ValueError(f"{text!r} is not a number." if text else "Enter a number first.") from None
        if abs(value - self.answer) <= self.tolerance:
            return True, self.because
        reasons = [reason for low, high, reason in self.hints if low <= value <= high]
        return (
            False,
            f"{(reasons or ['Too large.' if value > self.answer else 'Too small.'])[0]} The answer: {self.answer:g}. {self.because}".strip(),
        )

    def static_html(self):
        return (
            f"<p><b>Predict.</b> {html.escape(self.question)}</p>"
            f"<details><summary>the answer</summary>{self.answer:g}. {html.escape(self.because)}</details>"
        )


def predict(
    question: str, choices: Mapping[str, str | bool], because: str = "", then: Callable[[], Any] | None = None
) -> Choose:
    """Ask for a choice before something is run.

    Args:
        question: one sentence.
        choices: answer -> True for the right one, and for each other one the reason why it is wrong.
        because: why the right answer is right; shown to everybody.
        then: runs after the commit; its number, text or live figure is shown beside the prediction.
    Raises:
        FigureError: not exactly one choice is True, or a reason is missing.
    """
    return Choose(question, choices, because, then)


def predict_number(
    question: str,
    answer: float,
    tolerance: float,
    hints: Sequence[tuple[float, float, str]] = (),
    because: str = "",
    then: Callable[[], Any] | None = None,
) -> Estimate:
    """Ask for a number before something is run.

    Args:
        answer, tolerance: right is |entry - answer| <= tolerance.
        hints: (low, high, reason) for entries that betray a known mistake; the first that fits is shown.
        because, then: as for predict.
    Raises:
        FigureError: answer or tolerance are not usable.
    """
    return Estimate(question, answer, tolerance, hints, because, then)
