"""Strict comparisons whose messages tell a wrong type from a wrong shape from a wrong value.

`numpy.allclose` broadcasts, takes an empty array for equal to anything, and says only False. These functions raise
`CheckError` with one sentence that names what was expected and what came.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import numpy as np


class CheckError(AssertionError):
    """An answer is not as it must be.

    Attributes:
        kind: 'type', 'shape', 'dtype', 'finite', 'value', 'changed', 'error' or 'torch'.
        hint: what the test's author says to whoever made this mistake, where it is one that the test knows. It names no
            input and no expected value, so that it may be shown for a hidden test too.
    """

    def __init__(self, kind: str, message: str, hint: str | None = None):
        super().__init__(message)
        self.kind, self.hint = kind, hint


_grading_seed: ContextVar[int] = ContextVar("grading_seed", default=0)
_from_scratch: ContextVar[bool] = ContextVar("from_scratch", default=False)
_in_place: ContextVar[bool] = ContextVar("in_place", default=False)
CHANGED = "What a function is given stays as it is: make a new array, or copy it first."
OTHER_ERROR = "Another error was raised than the one that the prompt names: look at the arguments first, and raise it yourself."
NO_TORCH = "This question is to be answered in NumPy: torch did the computing here."
STANDING_HINTS = (CHANGED, OTHER_ERROR, NO_TORCH)  # those that no test's author has to write


def rng(number: int) -> np.random.Generator:
    """A generator for one test's inputs, from the test's own number and the seed that the grader set, if it set one.

    A hidden test's number is not in the release, so its inputs cannot be computed from what students hold.
    """
    return np.random.default_rng([number, _grading_seed.get()])


@contextmanager
def grading_seed(seed: int) -> Iterator[None]:
    """Other inputs for every test that is run inside: a fresh set for each submission."""
    token = _grading_seed.set(seed)
    try:
        yield
    finally:
        _grading_seed.reset(token)


def same(a: Any, b: Any) -> bool:
    """Whether two things are arrays of one shape with the same numbers, NaN at the same places included.

    For a test's own decisions; to refuse an answer there is `close`, which says what is wrong.
    """
    if type(a) is not np.ndarray or type(b) is not np.ndarray or a.shape != b.shape:
        return False
    return bool(np.all((a == b) | ((a != a) & (b != b))))


def _is_tensor(value: Any) -> bool:
    return type(value).__module__.startswith("torch") and hasattr(value, "detach")


def _kind_of(value: Any) -> str:
    """'array', 'tensor', 'number' or the type's name."""
    if type(value) is np.ndarray:
        return "array"
    if _is_tensor(value):
        return "tensor"
    if isinstance(value, bool | int | float | complex | np.generic):
        return "number"
    return type(value).__name__


def _article(kind: str) -> str:
    names = {
        "array": "a NumPy array",
        "tensor": "a torch tensor",
        "number": "a number",
        "NoneType": "None (is a return missing?)",
        "ellipsis": "`...` (not written yet)",
    }
    return names.get(kind, f"a value of type {kind}")


def _array(value: Any) -> np.ndarray:
    return value.detach().cpu().numpy() if _is_tensor(value) else np.asarray(value)


def same_type(got: Any, expected: Any, name: str = "the result") -> None:
    """Raise unless both are arrays, both tensors or both numbers."""
    want, have = _kind_of(expected), _kind_of(got)
    if want != have:
        raise CheckError("type", f"{name} must be {_article(want)}, got {_article(have)}")


def shape(got: Any, expected: tuple[int, ...], name: str = "the result") -> None:
    """Raise unless got is an array, tensor or number of this shape.

    Args:
        got: array, tensor or number.
        expected: the shape, () for a number.
    Raises:
        CheckError: of kind 'type' or 'shape'.
    """
    if _kind_of(got) not in ("array", "tensor", "number"):
        raise CheckError("type", f"{name} must be an array of shape {tuple(expected)}, got {_article(_kind_of(got))}")
    have = tuple(_array(got).shape)
    if have != tuple(expected):
        raise CheckError("shape", f"{name} must have shape {tuple(expected)}, got {have}")


def close(
    got: Any,
    expected: Any,
    rtol: float = 1e-6,
    atol: float = 1e-9,
    name: str = "the result",
    dtype: Any = None,
    mistakes: Mapping[str, Any] | None = None,
) -> None:
    """Raise unless got equals expected up to rounding: same kind of object, same shape, finite where expected is.

    Args:
        got, expected: arrays, tensors or numbers; nothing is broadcast.
        rtol, atol: |got - expected| <= atol + rtol |expected|, elementwise.
        dtype: the exact dtype that got must have; otherwise floats must be floats and integers integers.
        mistakes: a hint for each wrong result that is known; the first that got equals goes into the error.
    Raises:
        CheckError: of kind 'type', 'shape', 'dtype', 'finite' or 'value', checked in this order.
    """
    try:
        _close(got, expected, rtol, atol, name, dtype)
    except CheckError as error:
        error.hint = _recognised(got, mistakes or {}, rtol, atol)
        raise


def _recognised(got: Any, mistakes: Mapping[str, Any], rtol: float, atol: float) -> str | None:
    for hint, wrong in mistakes.items():
        try:
            _close(got, wrong, rtol, atol, "the result", None)
        except CheckError:
            continue
        return hint
    return None


def _close(got: Any, expected: Any, rtol: float, atol: float, name: str, dtype: Any) -> None:
    same_type(got, expected, name)
    want, have = _array(expected), _array(got)
    shape(got, want.shape, name)
    if dtype is not None and have.dtype != np.dtype(dtype):
        raise CheckError("dtype", f"{name} must have dtype {np.dtype(dtype)}, got {have.dtype}")
    if dtype is None and _CLASS.get(have.dtype.kind) != _CLASS.get(want.dtype.kind):
        raise CheckError("dtype", f"{name} must hold numbers like {want.dtype}, got {have.dtype}")
    bad = ~np.isfinite(have) & np.isfinite(want)
    if bad.any():
        place = _place(bad)
        raise CheckError("finite", f"{name} is {have[place]} {_at(place)}where {_short(want[place])} is expected")
    exact = have == want
    if want.dtype.kind == "b":
        want, have = want.astype(int), have.astype(int)
    with np.errstate(invalid="ignore"):
        # The difference of two integers can wrap around.
        a, b = (each.astype(np.longdouble) if each.dtype.kind in "iu" else each for each in (have, want))
        near = np.isfinite(b) & (np.abs(a - b) <= atol + rtol * np.abs(b))
    off = ~(near | exact | (np.isnan(have) & np.isnan(want)))
    if off.any():
        place = _place(off)
        count = f" ({int(off.sum())} of {off.size} elements differ)" if off.size > 1 else ""
        raise CheckError("value", f"{name} is {_short(have[place])} {_at(place)}where {_short(want[place])} is expected{count}")


_CLASS = {"b": "boolean", "i": "integer", "u": "integer", "f": "real", "c": "complex"}


def _place(mask: np.ndarray) -> tuple[int, ...]:
    return tuple(int(i) for i in np.argwhere(mask)[0])


def _at(place: tuple[int, ...]) -> str:
    return f"at index {place if len(place) > 1 else place[0]} " if place else ""


def _short(value: Any) -> str:
    return f"{value:.6g}" if np.issubdtype(np.asarray(value).dtype, np.floating) else str(value)


def grad(
    got: Any, function: Callable[[np.ndarray], float], x: np.ndarray, rtol: float = 1e-5, name: str = "the gradient"
) -> None:
    """Raise unless got is the gradient of a scalar function at x, by central differences in float64.

    Args:
        got: the claimed gradient, of x's shape.
        function: takes an array like x, returns a number.
        x: where, float64, any shape.
        rtol: bound on the relative error ||got - numeric|| / (||got|| + ||numeric||); central differences with
            h = 1e-6 max(1, |x|) are good to about 1e-9.
    Raises:
        CheckError: of kind 'type', 'shape', 'finite' or 'value'.
    Source: Goodfellow et al. (2016), section 11.5.
    """
    x = np.array(x, dtype=np.float64)
    numeric = np.empty_like(x)
    for place in np.ndindex(x.shape):
        h = 1e-6 * max(1.0, abs(x[place]))
        ahead, behind = x.copy(), x.copy()
        ahead[place] += h
        behind[place] -= h
        numeric[place] = (float(function(ahead)) - float(function(behind))) / (2 * h)
    same_type(got, numeric if x.ndim else 0.0, name)
    shape(got, numeric.shape, name)
    have = np.asarray(got, dtype=np.float64)
    if not np.isfinite(have).all():
        raise CheckError("finite", f"{name} holds {have[_place(~np.isfinite(have))]}")
    if not np.isfinite(numeric).all():
        raise CheckError(
            "finite", f"the function has no slope {_at(_place(~np.isfinite(numeric)))}to compare with: it is not finite there"
        )
    error, size = np.linalg.norm(have - numeric), np.linalg.norm(have) + np.linalg.norm(numeric)
    if error > rtol * size:
        place = tuple(int(i) for i in np.unravel_index(np.argmax(np.abs(have - numeric)), x.shape))
        raise CheckError(
            "value", f"{name} is {_short(have[place])} {_at(place)}where the slope of the function is {_short(numeric[place])}"
        )


@contextmanager
def unchanged(**arrays: np.ndarray) -> Iterator[None]:
    """Raise if a function changes its arguments in place: with unchanged(w=w): step(w)."""
    before = {name: np.array(_array(array)) for name, array in arrays.items()}
    with in_place():
        yield
    for name, array in arrays.items():
        now = _array(array)
        if now.shape != before[name].shape or not np.array_equal(now, before[name], equal_nan=now.dtype.kind in "fc"):
            raise CheckError("changed", f"{name} was changed in place; make a new array, or copy it first", CHANGED)


@contextmanager
def in_place() -> Iterator[None]:
    """Say that what a function does to its arguments counts inside: with in_place(): step(w, g, state).

    In one process it always does. A grader that runs the calls elsewhere brings changes of arrays, dicts, lists and
    generators back only here and inside `unchanged`: elsewhere they would be a way to change what a test expects.
    """
    token = _in_place.set(True)
    try:
        yield
    finally:
        _in_place.reset(token)


def raises(error: type[BaseException], function: Callable, *args: Any, name: str = "the function", **kwargs: Any) -> None:
    """Raise unless the call raises this error."""
    try:
        function(*args, **kwargs)
    except error:
        return
    except NotImplementedError:  # not written yet, which is no wrong error
        raise
    except Exception as other:
        message = f"{name} must raise {error.__name__} here, and raised {type(other).__name__}: {other}"
        raise CheckError("error", message, OTHER_ERROR) from other
    raise CheckError("error", f"{name} must raise {error.__name__} here, and returned as if nothing were wrong")


@contextmanager
def from_scratch() -> Iterator[None]:
    """Raise if torch computes anything inside: with from_scratch(): softmax(logits).

    It finds whoever calls torch's functions or methods, dlcourse.reference included. Code that means to hide can switch it
    off; a grader that runs the calls elsewhere asks `is_from_scratch` and does the same there.
    Raises:
        CheckError: of kind 'torch', with a hint.
    """
    from torch.overrides import TorchFunctionMode

    used = []

    class Refuse(TorchFunctionMode):
        def __torch_function__(self, function, types, args=(), kwargs=None):
            used.append(getattr(function, "__name__", str(function)))
            raise CheckError("torch", f"torch.{used[-1]} was called", NO_TORCH)

    token = _from_scratch.set(True)
    try:
        with Refuse():
            yield
    finally:
        _from_scratch.reset(token)
    if used:  # the answer may have caught the error
        raise CheckError("torch", f"torch.{used[0]} was called", NO_TORCH)


def is_from_scratch() -> bool:
    """Whether a test that is running now forbids torch."""
    return _from_scratch.get()


def is_in_place() -> bool:
    """Whether a test that is running now looks at what happens to arguments."""
    return _in_place.get()
