"""Predict, commit, then run: the reader says what will happen before it does.

A wrong prediction gets the reason why it is wrong, and a second try. The answer and the run stay locked until the reader was
right, was wrong twice, or asks for them after a try; prediction and result are then shown together. Until then neither the
answer nor a reason is sent to the page.
"""

import html
import math
import re
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import ipywidgets as widgets

from dlcourse import reading, trial, without_kernel
from dlcourse.live.errors import FigureError
from dlcourse.live.figure import ON_WHITE

_open: "list[_Prediction]" = []
TRIES = 2
TOGETHER = 1.0  # seconds within which a new text and its Enter reach the kernel, in either order
MARKS = {
    "right": ("✓ Right.", "#00664A"),
    "right later": ("✓ Right, at the second try.", "#00664A"),
    "wrong": ("✗ Not so.", "#A33F00"),
    "shown": ("The answer:", "#000"),
    "told": ("?", "#000"),
}


def predictions() -> "list[_Prediction]":
    """All predictions of this session, in the order in which they were made."""
    return list(_open)


class _Prediction:
    """What both kinds share: a question, an input, Commit, and the place where the result appears.

    Attributes:
        tries: how many the reader has; `tried` holds the entries that were judged.
        committed: whether all is over: the answer is shown, and the run was started.
        right: whether the last entry that was judged is right; None before there is one.
        said: what the reader was told last.
    """

    tries = TRIES

    def __init__(self, question: str, then: Callable[[], Any] | None, entry: widgets.Widget):
        self.question, self.then, self.entry = question, then, entry
        self.tried: list[Any] = []
        self.committed = False
        self.right: bool | None = None
        self.said = ""
        self.result: Any = None
        self.errors: list[str] = []
        self._told: list[tuple[str, str]] = []
        self._loop = trial.main_loop()
        self.button = widgets.Button(description="Commit", icon="lock", layout={"width": "130px"})
        self.button.on_click(lambda _: self.commit())
        self.reveal_button = widgets.Button(description="Show the answer", layout={"width": "140px", "display": "none"})
        self.reveal_button.on_click(lambda _: self.reveal())
        self._answer = widgets.HTML()
        self._run = widgets.VBox()
        title = widgets.HTML(f"<b>Predict.</b> {html.escape(question)}")
        buttons = widgets.HBox([self.button, self.reveal_button])
        self.widget = without_kernel.LiveBox([title, entry, buttons, self._answer, self._run])
        _open.append(self)

    def judge(self) -> tuple[bool, str]:
        """Whether the entry is right, and what to say about it, which names no answer unless it is right.

        Raises:
            ValueError: there is no entry that could be judged; the message is for the reader.
        """
        raise NotImplementedError

    def key(self) -> Any:
        """The entry, so that the same one is not judged twice. Raises ValueError as `judge` does."""
        raise NotImplementedError

    def answer_text(self) -> str:
        """The answer as the reader would write it."""
        raise NotImplementedError

    def commit(self) -> None:
        """Judge the entry: what is right ends it, and so does the last try; what cannot be judged costs no try."""
        if self.committed:
            return
        try:
            key = self.key()
            if key in self.tried:
                raise ValueError("You have tried this already. Try another answer, or show the answer.")
            right, words = self.judge()
        except ValueError as error:
            self.said = str(error)
            self._show_words(self.said)
            return
        self.tried.append(key)
        self.right = right
        if right:
            self._finish("right" if len(self.tried) == 1 else "right later", words)
        elif len(self.tried) == self.tries:
            self._finish("wrong", f"{words} {self._whole_answer()}")
        else:
            self.button.description = "Commit again"
            self.reveal_button.layout.display = None
            self._tell("wrong", f"{words} You can try once more.")
            self._mark_tried()

    def reveal(self) -> None:
        """Give up the second try: show the answer and run what was locked."""
        if self.tried and not self.committed:
            self._finish("shown", self._whole_answer().removeprefix("The answer: "))

    def _whole_answer(self) -> str:
        return f"The answer: {self.answer_text()}. {self.because}".strip()

    def _finish(self, kind: str, words: str) -> None:
        self.committed = True
        self.entry.disabled = self.button.disabled = True
        self.button.description = "Committed"
        self.reveal_button.layout.display = "none"
        self._tell(kind, words)
        if self.then is not None:
            self._unlock()

    def _mark_tried(self) -> None:
        """Show in the input which entry was wrong."""

    def _tell(self, kind: str, words: str) -> None:
        self.said = words
        self._told.append((kind, words))
        self._show_words()

    def _show_words(self, note: str | None = None) -> None:
        """All that was said about the tries; the last line is announced."""
        lines = [*self._told, *([("told", note)] if note is not None else [])]
        shown = []
        for i, (kind, words) in enumerate(lines):
            mark, colour = MARKS[kind]
            role = ' role="status" aria-live="polite"' if i == len(lines) - 1 else ""
            shown.append(
                f'<div{role} style="line-height:1.4"><b style="{ON_WHITE};color:{colour}">{mark}</b> {html.escape(words)}</div>'
            )
        self._answer.value = "".join(shown)

    def _unlock(self) -> None:
        running = _status("Running …")
        self._run.children = [running]
        trial.in_main_thread(self._loop, lambda: self._show_run(running))

    def _show_run(self, running: widgets.HTML) -> None:
        outcome = trial.run(self.then, lambda: setattr(running, "value", _status(f"Still running. {trial.STOP}").value))
        if outcome.error is not None:  # told to the reader, and recorded for tests
            self.errors.append(outcome.said)
            words = widgets.HTML(f'<div role="alert" class="course-error">{html.escape(outcome.said)}</div>')
            again = widgets.Button(description="Run again", layout={"width": "110px"})
            again.on_click(lambda _: self._unlock())
            self._run.children = [words, *_printed(outcome), again]
            return
        self.result = outcome.value
        shown = getattr(self.result, "widget", None)
        if self.result is None:
            shown = _status("The run is done.")
        elif shown is None:
            text = reading.written(self.result) if isinstance(self.result, float) else str(self.result)
            shown = _status(f"The run gives: <b>{html.escape(text)}</b>")
        self._run.children = [*_printed(outcome), shown]

    def static_html(self) -> str:
        """The question for pages without a kernel; its answer has to be opened."""
        raise NotImplementedError

    def still(self) -> dict[str, str]:
        """What pages without a kernel show: MIME type -> content."""
        page = self.widget.still(self.static_html(), without_kernel.TO_ANSWER)
        return {"text/plain": f"Predict. {self.question}", "text/html": page}

    def _ipython_display_(self):
        self.widget.publish(self.still())


def _status(page: str) -> widgets.HTML:
    return widgets.HTML(f'<div role="status" aria-live="polite">{page}</div>')


def _printed(outcome: trial.Outcome) -> list[widgets.Widget]:
    return [widgets.HTML(f"<pre>{html.escape(outcome.printed)}</pre>")] if outcome.printed else []


class Choose(_Prediction):
    """A prediction among choices. Two of them leave one try, since a wrong one then gives the answer away."""

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
        self.tries = min(TRIES, len(choices) - 1)  # of two choices, what is left is the answer
        super().__init__(question, then, radio)

    def key(self):
        if self.entry.value is None:
            raise ValueError("Choose an answer first.")
        return self.entry.value

    def judge(self):
        chosen = self.key()
        return (True, self.because) if chosen == self.answer else (False, self.choices[chosen])

    def answer_text(self):
        return self.answer

    def _mark_tried(self):
        with self.entry.hold_sync():
            self.entry.value = None
            self.entry.options = [(f"✗ {name} (tried)" if name in self.tried else name, name) for name in self.choices]

    def static_html(self):
        rows = []
        for name, reason in self.choices.items():
            text = f"Right. {self.because}" if reason is True else f"Not so. {reason}"
            rows.append(without_kernel.folded(name, text))
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
        unit: str = "",
    ):
        if not (math.isfinite(answer) and 0 <= tolerance < math.inf):
            raise FigureError(f"needs a finite answer and a tolerance >= 0, got {answer} and {tolerance}")
        for low, high, reason in hints:
            if not (low <= high and reason.strip()):
                raise FigureError(f"a hint is (low, high, reason) with low <= high and a reason, got {(low, high, reason)!r}")
        if unit == "share" and not 0 <= answer <= 1:
            raise FigureError(f"a share lies between 0 and 1, got the answer {answer}; an answer in percent has unit='%'")
        if not unit and re.search(r"\b(in|many|what|which) (per ?cent|%)", question, re.I):
            raise FigureError("the question asks for percent: give the answer in percent and say unit='%'")
        self.answer, self.tolerance = float(answer), float(tolerance)
        self.hints, self.because, self.unit = list(hints), because, unit
        entry = widgets.Text(placeholder="a number, then Enter", layout={"width": "220px"}, continuous_update=False)
        super().__init__(question, then, entry)
        # A number is committed by Enter or the button, not by leaving the field. Enter comes beside the new text.
        self._entered_at, self._changed_at, self._committed_text = -math.inf, math.inf, ""
        self.entry.observe(self._on_change, "value")
        self.entry.on_msg(lambda _, content, buffers: self._on_enter() if content.get("event") == "submit" else None)

    def _on_change(self, change) -> None:
        self._changed_at = time.monotonic()
        self._commit_if_entered()

    def _on_enter(self) -> None:
        self._entered_at = time.monotonic()
        if not self._commit_if_entered() and self.entry.value not in ("", self._committed_text):
            self._show_words("Press Commit to answer.")

    def _commit_if_entered(self) -> bool:
        if abs(self._entered_at - self._changed_at) > TOGETHER:
            return False
        self.commit()
        return True

    def commit(self):
        self._entered_at, self._changed_at, self._committed_text = -math.inf, math.inf, self.entry.value
        super().commit()

    def read(self) -> tuple[float, str]:
        """The entry in the answer's unit, and how it was read where that has to be said.

        Raises:
            ValueError: it is no number, or can be read in two ways; the message is for the reader.
        """
        found = reading.number(self.entry.value, self.unit, re.findall(r"[^\W\d_]+", self.question))
        value, said = found.value, "" if found.plain else self._as_answer(found.value)
        if self.unit == "%":
            if found.percent:
                value = 100 * value
            elif 0 < abs(value) < 1:
                raise ValueError(
                    f"Is that {reading.written(value)} % or {reading.written(100 * value)} %? Write it with the sign."
                )
            said = "" if found.plain else self._as_answer(value)
        elif self.unit == "share":
            if not found.percent and 1 < value <= 100:
                value, said = value / 100, f"{reading.written(value)} %, that is {reading.written(value / 100)}"
            if not 0 <= value <= 1:
                raise ValueError(f"{self.entry.value.strip()} is no share: a share is a number from 0 to 1, or 0 % to 100 %.")
        if found.percent and self.unit != "%":
            said = self._as_answer(value)
        return value, f"Read as {said}. " if said else ""

    def _as_answer(self, value: float) -> str:
        return reading.written(value) + (f" {self.unit}" if self.unit not in ("", "share") else "")

    def key(self):
        return float(f"{self.read()[0]:.9g}")

    def _accepts(self, value: float) -> bool:
        """Within the tolerance; its edge as it is written in decimals belongs to it."""
        return abs(value - self.answer) <= self.tolerance + 1e-9 * max(abs(self.answer), self.tolerance)

    def judge(self):
        value, said = self.read()
        if self._accepts(value):
            return True, said + self.because
        if not self.unit and self._accepts(value / 100):
            share = reading.written(value)
            raise ValueError(f"Read as {share}. If you mean {share} %, write it with the sign.")
        reasons = [reason for low, high, reason in self.hints if low <= value <= high]
        return False, said + (reasons or ["Too large." if value > self.answer else "Too small."])[0]

    def answer_text(self):
        return self._as_answer(self.answer)

    def static_html(self):
        answer = without_kernel.folded("The answer", f"{self.answer:g}. {self.because}")
        return f"<p><b>Predict.</b> {html.escape(self.question)}</p>{answer}"


def predict(
    question: str, choices: Mapping[str, str | bool], because: str = "", then: Callable[[], Any] | None = None
) -> Choose:
    """Ask for a choice before something is run.

    Args:
        question: one sentence.
        choices: answer -> True for the right one, and for each other one the reason why it is wrong.
        because: why the right answer is right; shown to everybody in the end.
        then: runs after the last try; its number, text or live figure is shown beside the prediction, and what it prints.
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
    unit: str = "",
) -> Estimate:
    """Ask for a number before something is run. It may be written as people do: see dlcourse.reading.

    Args:
        answer, tolerance: right is |entry - answer| <= tolerance, in the answer's unit.
        hints: (low, high, reason) for entries that betray a known mistake; the first that fits is shown. In the answer's unit.
        because, then: as for predict.
        unit: '%' for an answer of 62 to a question in percent: '62' and '62 %' are both 62. 'share' for an answer of 0.62, a
            probability or an accuracy: '0.62', '62 %' and '62' are all 0.62. Otherwise the unit's sign, such as 's', which the
            entry may repeat. Without a unit '62 %' is 0.62 and '62' is 62.
    Raises:
        FigureError: answer, tolerance, hints or unit are not usable.
    """
    return Estimate(question, answer, tolerance, hints, because, then, unit)
