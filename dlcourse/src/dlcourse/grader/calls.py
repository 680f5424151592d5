"""What a test called, with what, and what came back: recorded while it runs, shown when it fails.

Only a public test's calls are recorded, in the student's own process. Functions are wrapped; a class keeps its identity, and
its methods are wrapped for the time of the test, so that isinstance and type() see what they always see.
"""

import functools
import inspect
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from dlcourse import check

LONGEST = 300  # letters of one value
LARGEST = 40  # elements of an array that is shown whole
# Python calls these by itself, some while a value is shown.
LEFT_ALONE = {
    "__repr__",
    "__str__",
    "__getattr__",
    "__getattribute__",
    "__setattr__",
    "__hash__",
    "__eq__",
    "__del__",
    "__new__",
}


def show(value: Any) -> str:
    """A value in one or a few lines: small arrays whole, large ones by shape and dtype."""
    try:
        shape = getattr(value, "shape", None)
        if shape is not None and not isinstance(value, type) and int(np.prod(tuple(shape))) > LARGEST:
            return f"<{type(value).__name__} of shape {tuple(shape)}, {value.dtype}>"
        if callable(value) and hasattr(value, "__name__"):
            return value.__name__
        text = repr(value) if type(value) is not np.ndarray else np.array_repr(value, precision=6)
    except Exception:  # a student's own class may fail to show itself
        return f"<{type(value).__name__}>"
    return text if len(text) <= LONGEST else f"{text[:LONGEST]} …"


def _copy(value: Any) -> Any:
    """Small arrays are copied, so that a change in place does not falsify what is shown."""
    return value.copy() if type(value) is np.ndarray and value.size <= LARGEST else value


def _followed(before: str, text: str) -> str:
    """Both, with the rows of a matrix below one another."""
    column = len(before.rsplit("\n", 1)[-1])
    return before + text.replace("\n", "\n" + " " * column)


def _within(values: Iterable[Any]) -> Iterator[Any]:
    """Every array and list among these values, nested ones too, but for what a dict holds: that is a function's memory."""
    for value in values:
        if type(value) in (np.ndarray, list):
            yield value
        if type(value) in (list, tuple):
            yield from _within(value)


def _held(value: Any) -> Any:
    """What an array or a list holds now."""
    return value.copy() if type(value) is np.ndarray else list(value)


def _is_as_before(value: Any, before: Any) -> bool:
    if type(value) is np.ndarray:
        return check.same(value, before)
    return len(value) == len(before) and all(new is old for new, old in zip(value, before, strict=True))


class Calls:
    """The last call that a test made to the student's code.

    Attributes:
        last: the call's name, arguments, and what it returned; None before the first.
    """

    def __init__(self) -> None:
        self.last: tuple[str, tuple, dict, Any] | None = None
        self.returned = False
        self._depth = 0

    def text(self) -> str | None:
        """'softmax(array([[0., 0.]])) returned None', or how far it came."""
        if self.last is None:
            return None
        name, args, kwargs, result = self.last
        parts = [("", value) for value in args] + [(f"{key}=", value) for key, value in kwargs.items()]
        call = f"{name}("
        for place, (key, value) in enumerate(parts):
            call = _followed(f"{call}{', ' if place else ''}{key}", show(value))
        return f"{call})\n" + (_followed("returned ", show(result)) if self.returned else "did not return")

    def wrap(self, function: Callable, name: str, skip: int = 0) -> Callable:
        """The function, recorded when it is called from outside; skip leaves out leading arguments such as self."""

        @functools.wraps(function)
        def recorded(*args, **kwargs):
            if self._depth:
                return function(*args, **kwargs)
            self.last = (name, tuple(_copy(value) for value in args[skip:]), {k: _copy(v) for k, v in kwargs.items()}, None)
            self.returned = False
            # As the grader has it: it brings no change back to the test, unless the test looks for one.
            given = (
                [] if check.is_in_place() else [(value, _held(value)) for value in _within([*args[skip:], *kwargs.values()])]
            )
            self._depth += 1
            try:
                result = function(*args, **kwargs)
            finally:
                self._depth -= 1
            self.last, self.returned = (*self.last[:3], _copy(result)), True
            if not all(_is_as_before(value, before) for value, before in given):
                raise check.CheckError(
                    "changed", "an argument was changed in place; make a new array, or copy it first", check.CHANGED
                )
            return result

        return recorded

    @contextmanager
    def recording(self, names: dict[str, Any]) -> Iterator[dict[str, Any]]:
        """The same names, with functions wrapped, and classes' methods while this lasts."""
        changed: list[tuple[type, str, Any]] = []
        wrapped = {}
        try:
            for name, value in names.items():
                wrapped[name] = self.wrap(value, name) if inspect.isfunction(value) else value
                if inspect.isclass(value) and value.__module__ == "__main__":
                    changed += self._record_methods(value)
            yield wrapped
        finally:
            for owner, name, method in changed:
                setattr(owner, name, method)

    def _record_methods(self, owner: type) -> Iterator[tuple[type, str, Any]]:
        for name, method in list(vars(owner).items()):
            if inspect.isfunction(method) and name not in LEFT_ALONE:
                shown = owner.__name__ if name == "__init__" else f"{owner.__name__}.{name}"
                setattr(owner, name, self.wrap(method, shown, skip=1))
                yield owner, name, method
