"""The controls of a live figure: what the reader can move, and the values that the figure's function receives.

Every control is an ipywidget with a keyboard: arrows move sliders and choices, space presses buttons and switches.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import ipywidgets as widgets
import numpy as np
from traitlets import CFloat, CInt, Int

from dlcourse.live.errors import FigureError, describe, did_you_mean

WIDE = {"description_width": "auto"}
LAYOUT = {"width": "auto", "min_width": "280px"}


def _finite(**numbers: float) -> None:
    for name, number in numbers.items():
        if not isinstance(number, int | float) or not math.isfinite(number):
            raise FigureError(f"{name} must be a finite number, got {number!r}")


# ipywidgets answers each move of a slider with the value that the front end has sent, for the sake of other browsers on the
# same kernel. That answer comes before the picture, and makes it later.


class _RealSlider(widgets.FloatSlider):
    value = CFloat(0.0).tag(sync=True, echo_update=False)


class _LogSlider(widgets.FloatLogSlider):
    value = CFloat(1.0).tag(sync=True, echo_update=False)


class _WholeSlider(widgets.IntSlider):
    value = CInt(0).tag(sync=True, echo_update=False)


class Control:
    """What all controls share. `label` is what the reader sees; the control's name unless given."""

    label: str | None

    def make(self, name: str) -> widgets.Widget:
        """The widget; its `value` trait is what the reader sets."""
        raise NotImplementedError

    def read(self, widget: widgets.Widget) -> Any:
        """The value that the figure's function receives."""
        return widget.value

    def check(self, value: Any) -> None:
        """Raise FigureError if value cannot be set."""

    def words(self, value: Any) -> str:
        """A value of `widget.value` as the reader sees it."""
        return str(value)

    def extremes(self) -> list[Any]:
        """Values that a test drives the control through: smallest, default and largest, or every option."""
        raise NotImplementedError

    def frames(self, count: int) -> list[Any]:
        """Values for the pre-rendered pictures of a static page; empty where a page without a kernel cannot help."""
        return []


@dataclass
class Slider(Control):
    """A real number in [min, max].

    Args:
        min, max: ends of the range, finite, min < max. With log=True both positive.
        value: the first value; min unless given.
        step: one press of an arrow key; a hundredth of the range unless given. With log=True: in decades.
        log: move in equal ratios.
    Raises:
        FigureError: the numbers do not fit together.
    """

    min: float
    max: float
    value: float | None = None
    step: float | None = None
    label: str | None = None
    log: bool = False
    format: str | None = None

    def __post_init__(self):
        _finite(min=self.min, max=self.max)
        if self.min >= self.max:
            raise FigureError(f"a slider goes from min to max: got min={self.min}, max={self.max}")
        if self.log and self.min <= 0:
            raise FigureError(f"a slider with log=True needs min > 0, got min={self.min}")
        self.value = self.min if self.value is None else self.value
        self.check(self.value)
        span = math.log10(self.max / self.min) if self.log else self.max - self.min
        self.step = span / 100 if self.step is None else self.step
        _finite(step=self.step)
        if self.log and self.value > self.min and self.step > 0:
            # The front end moves in whole steps from min: fit them so that the first value is one of them.
            decades = math.log10(self.value / self.min)
            self.step = decades / max(1, round(decades / self.step))
        if self.step <= 0:
            raise FigureError(f"step must be positive, got {self.step}")
        if self.format is None:
            self.format = ".3g" if self.log else f".{max(0, -math.floor(math.log10(self.step) + 1e-9))}f"
        try:
            self.words(self.value)
        except ValueError:
            raise FigureError(f"format must be as in Python's format(), such as '.2f', got {self.format!r}") from None

    def check(self, value):
        _finite(value=value)
        if not self.min <= value <= self.max:
            raise FigureError(f"value {value} lies outside the slider's range from {self.min} to {self.max}")

    def make(self, name):
        shared = {
            "description": self.label or name,
            "readout_format": self.format,
            "style": WIDE,
            "layout": {**LAYOUT, "width": "420px"},
        }
        if self.log:
            low, high = math.log10(self.min), math.log10(self.max)
            return _LogSlider(value=self.value, base=10, min=low, max=high, step=self.step, **shared)
        return _RealSlider(value=self.value, min=self.min, max=self.max, step=self.step, **shared)

    def words(self, value):
        return format(value, self.format)

    def read(self, widget):
        return min(max(widget.value, self.min), self.max)  # 10 ** log10(max) may exceed max by a rounding

    def extremes(self):
        return [self.min, self.value, self.max]

    def frames(self, count):
        if self.log:
            ratio = self.max / self.min
            return [self.min * ratio ** (i / (count - 1)) for i in range(count)]
        return [self.min + (self.max - self.min) * i / (count - 1) for i in range(count)]


@dataclass
class Integer(Control):
    """A whole number in [min, max]."""

    min: int
    max: int
    value: int | None = None
    step: int = 1
    label: str | None = None

    def __post_init__(self):
        self.value = self.min if self.value is None else self.value
        for name in ("min", "max", "value", "step"):
            if not isinstance(getattr(self, name), int):
                raise FigureError(f"{name} must be a whole number, got {getattr(self, name)!r}; for reals there is Slider")
        if self.min >= self.max or self.step < 1:
            raise FigureError(f"needs min < max and step >= 1: got min={self.min}, max={self.max}, step={self.step}")
        self.check(self.value)

    def check(self, value):
        if not isinstance(value, int) or not self.min <= value <= self.max:
            raise FigureError(f"value {value!r} is no whole number from {self.min} to {self.max}")

    def make(self, name):
        layout = {**LAYOUT, "width": "420px"}
        ends = {"min": self.min, "max": self.max, "step": self.step}
        return _WholeSlider(value=self.value, description=self.label or name, style=WIDE, layout=layout, **ends)

    def extremes(self):
        return [self.min, self.value, self.max]

    def frames(self, count):
        span = self.max - self.min
        return sorted({self.min + round(span * i / (count - 1) / self.step) * self.step for i in range(count)})


@dataclass
class Choice(Control):
    """One of several options, by name.

    Args:
        options: names, or a mapping from names to the values that the figure's function receives.
        value: the name chosen first; the first one unless given.
    """

    options: Sequence[str] | Mapping[str, Any]
    value: str | None = None
    label: str | None = None

    def __post_init__(self):
        names = list(self.options)
        if not names:
            raise FigureError("a choice needs at least one option")
        self.value = names[0] if self.value is None else self.value
        self.check(self.value)

    def check(self, value):
        if value not in list(self.options):
            raise FigureError(f"no option {value!r}.{did_you_mean(str(value), map(str, self.options))}")

    def make(self, name):
        shared = {"options": list(self.options), "value": self.value, "description": self.label or name, "style": WIDE}
        return widgets.Dropdown(layout=LAYOUT, **shared)

    def read(self, widget):
        return self.options[widget.value] if isinstance(self.options, Mapping) else widget.value

    def extremes(self):
        return list(self.options)

    def frames(self, count):
        return list(self.options)


@dataclass
class Switch(Control):
    """On or off."""

    value: bool = False
    label: str | None = None

    def check(self, value):
        if not isinstance(value, bool):
            raise FigureError(f"a switch is True or False, got {value!r}")

    def make(self, name):
        return widgets.Checkbox(value=self.value, description=self.label or name, indent=False, layout=LAYOUT)

    def extremes(self):
        return [False, True]

    def frames(self, count):
        return [False, True]


@dataclass
class Button(Control):
    """Something to press; the figure's function receives how often it was pressed."""

    label: str | None = None

    def make(self, name):
        return _CountingButton(description=self.label or name, layout={"width": "auto"})

    def check(self, value):
        if not isinstance(value, int) or value < 0:
            raise FigureError(f"a button counts its presses: 0, 1, 2, ..., got {value!r}")

    def read(self, widget):
        return widget.value

    def extremes(self):
        return [0, 1, 2]


class _CountingButton(widgets.Button):
    """A button with the `value` that every other control has."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.add_traits(value=Int(0))
        self.on_click(lambda _: setattr(self, "value", self.value + 1))


@dataclass
class Text(Control):
    """A line of text; the figure is redrawn when the reader leaves it or presses Enter."""

    value: str = ""
    label: str | None = None
    placeholder: str = ""

    def check(self, value):
        if not isinstance(value, str):
            raise FigureError(f"needs text, got {value!r}")

    def make(self, name):
        shared = {"value": self.value, "description": self.label or name, "placeholder": self.placeholder, "style": WIDE}
        return widgets.Text(continuous_update=False, layout={"width": "420px"}, **shared)

    def extremes(self):
        return [self.value]


@dataclass
class Function(Control):
    """The reader's own function, by its name in the notebook.

    The figure's function receives a `ReadersFunction`. While there is no such name, the field says so and the figure goes
    on without it; running the cell that defines it redraws the figure.

    Args:
        value: the name that is looked up first.
    """

    value: str
    label: str | None = None

    def check(self, value):
        if not isinstance(value, str) or not (value == "" or value.isidentifier()):
            raise FigureError(f"needs the name of a function, got {value!r}")

    def make(self, name):
        shared = {"value": self.value, "description": self.label or "your function:", "style": WIDE}
        return widgets.Text(continuous_update=False, layout={"width": "420px"}, **shared)

    def extremes(self):
        return ["", self.value]


class ReadersFunction:
    """A function that the reader may not have written yet, or may have written wrong.

    Call it inside `with own.shown(artists):`. What goes wrong there is told under the figure with the reader's line, the
    artists are hidden, and the rest of the figure goes on.
    """

    def __init__(self, name: str, function: Callable | None):
        self.name, self.function = name, function
        self.problem: str | None = None

    def __bool__(self) -> bool:
        return self.function is not None

    def __call__(self, *args, **kwargs):
        if self.function is None:
            raise NotThereError(f"There is no function {self.name!r} yet: run the cell that defines it.")
        try:
            got = self.function(*args, **kwargs)
        except Exception as error:
            raise ReadersError(f"{self.name}: {describe(error)}") from error
        if got is None:
            raise ReadersError(f"{self.name}() returned None: is its return statement missing?")
        return got

    def on(self, x: np.ndarray, *args) -> np.ndarray:
        """The reader's function on an array, checked: one real number for each of x's.

        Raises:
            TypeError, ValueError: it returned something else; the message says what was expected.
        """
        got = self(x, *args)
        try:
            values = np.asarray(got, dtype=float)
        except (TypeError, ValueError):
            raise TypeError(f"must return numbers, got {type(got).__name__}: {_shortened(got)}") from None
        if values.shape != np.shape(x):
            raise ValueError(f"must return one value for each x, shape {np.shape(x)}, got shape {values.shape}")
        return values

    @contextmanager
    def shown(self, *artists):
        """Draw with the reader's function: its mistakes hide these artists and stop nothing else."""
        for artist in artists:
            artist.set_visible(True)
        try:
            yield self
        except NotThereError:
            _hide(artists)
        except ReadersError as error:
            _hide(artists)
            self.problem = str(error)
        except Exception as error:  # what it returned may break the drawing in every way, and the figure must go on
            _hide(artists)
            self.problem = f"{self.name}: {describe(error)}"


def _shortened(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


class ReadersError(Exception):
    """The reader's function raised; the message names its line."""


class NotThereError(ReadersError):
    """There is no function of that name yet."""


def _hide(artists) -> None:
    for artist in artists:
        artist.set_visible(False)
