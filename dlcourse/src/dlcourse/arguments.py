"""Which of its arguments a call has changed in place, and their contents given back.

Looked at are arrays, tensors and lists, also inside lists and tuples. What a dict or an object holds is not: that is a
function's memory, such as an optimizer's state.
"""

import inspect
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from dlcourse import check


def _is_tensor(value: Any) -> bool:
    """Whether it is a tensor whose numbers can be looked at here."""
    if check.is_from_scratch() or not type(value).__module__.startswith("torch") or not hasattr(value, "detach"):
        return False
    return str(value.layout) == "torch.strided" and not value.is_quantized and not value.is_meta


def _within(value: Any) -> Iterator[Any]:
    """The arrays, tensors and lists of an argument."""
    if type(value) in (list, tuple):
        for part in value:
            yield from _within(part)
    if type(value) is list or (isinstance(value, np.ndarray) and not value.dtype.hasobject) or _is_tensor(value):
        yield value


def _held(value: Any) -> Any:
    """What it holds now."""
    if type(value) is list:
        return list(value)
    return value.copy() if isinstance(value, np.ndarray) else value.detach().clone()


def _is_as_before(value: Any, before: Any) -> bool:
    if type(value) is list:
        return len(value) == len(before) and all(new is old for new, old in zip(value, before, strict=True))
    now = value if isinstance(value, np.ndarray) else value.detach()
    return now.shape == before.shape and bool(((now == before) | ((now != now) & (before != before))).all())


def _give_back(value: Any, before: Any) -> None:
    if type(value) is list:
        value[:] = before
    elif isinstance(value, np.ndarray):
        if value.shape != before.shape:
            value.resize(before.shape, refcheck=False)
        value[...] = before
    else:
        value.data = before


def _named(function: Callable, args: tuple, kwargs: dict[str, Any]) -> dict[str, Any]:
    """The arguments by their parameters' names; by their number where the function has no signature that fits."""
    try:
        signature = inspect.signature(function)
        found = signature.bind(*args, **kwargs).arguments
    except (TypeError, ValueError):
        return {**{f"argument {i}": value for i, value in enumerate(args, 1)}, **kwargs}
    more = [name for name, parameter in signature.parameters.items() if parameter.kind is parameter.VAR_KEYWORD]
    return {**found, **{key: value for name in more for key, value in found.pop(name, {}).items()}}


class Kept:
    """The arguments of one call as they are before it."""

    def __init__(self, function: Callable, args: tuple, kwargs: dict[str, Any]):
        named = _named(function, args, kwargs)
        self._kept = [(name, part, _held(part)) for name, value in named.items() for part in _within(value)]

    def give_back(self) -> list[str]:
        """Restore what is no longer as it was; the names of those arguments."""
        changed = [(name, part, before) for name, part, before in self._kept if not _is_as_before(part, before)]
        for _, part, before in changed:
            _give_back(part, before)
        return list(dict.fromkeys(name for name, _, _ in changed))
