"""The layers, each with the switch that takes it away: for attacks to show that it is this layer that stops them."""

import contextlib
import inspect
import sys
import textwrap
from types import FunctionType
from typing import Any

from autograder import containment, proxies, student, trusted
from tests.attacks.arena import Arena, Switch

LAYERS = dict(containment.LAYERS)


def without(*names: str) -> Switch:
    """Take layers of containment away."""

    def off(arena: Arena) -> None:
        arena.patch.setattr(containment, "LAYERS", {name: put for name, put in LAYERS.items() if name not in names})

    return off


def replaced(target: Any, name: str, value: Any) -> Switch:
    """Put something else in the place of a function or a bound of the engine."""

    def off(arena: Arena) -> None:
        arena.patch.setattr(target, name, value)

    return off


def shadowed(target: Any, name: str, value: Any) -> Switch:
    """Put something in the place of a built-in name that a module uses, such as an error that it catches."""

    def off(arena: Arena) -> None:
        arena.patch.setattr(target, name, value, raising=False)

    return off


def several(*switches: Switch) -> Switch:
    """Patches that together take one layer away."""

    def off(arena: Arena) -> None:
        for switch in switches:
            switch(arena)

    return off


def edited(target: Any, name: str, old: str, new: str = "") -> Switch:
    """Put other words in the place of a check in the text of one of the engine's functions.

    Raises:
        ValueError: the words do not stand there exactly once, so the engine was changed and the switch must follow.
    """

    def off(arena: Arena) -> None:
        function = getattr(target, name)
        text = textwrap.dedent(inspect.getsource(function))
        if text.count(old) != 1:
            raise ValueError(f"{name} does not say exactly once: {old}")
        made: dict[str, FunctionType] = {}
        exec(compile(text.replace(old, new), f"<{name} without a check>", "exec"), vars(sys.modules[function.__module__]), made)
        arena.patch.setattr(target, name, made[name])

    return off


def tests_say(old: str, new: str) -> Switch:
    """Let the tests break a rule that tests keep."""

    def off(arena: Arena) -> None:
        ask = arena.ask
        arena.patch.setattr(arena, "ask", lambda *tests, **facts: ask(*(test.replace(old, new) for test in tests), **facts))

    return off


def forwarded(*names: str) -> Switch:
    """Let the student's object answer for itself, as the proxies of most libraries for remote objects do."""

    def asks_there(name: str) -> Any:
        def asks(self: proxies.StudentObject, *args: Any, **kwargs: Any) -> Any:
            return self._student_link.call(self._student_attribute(f"__{name}__"), args, kwargs)

        return asks

    def off(arena: Arena) -> None:
        for name in names:
            arena.patch.setattr(proxies.StudentObject, f"__{name}__", asks_there(name))

    return off


def in_one_process(arena: Arena) -> None:
    """Run the cells where the tests run, on the objects themselves, as otter's own runner does."""
    names: dict[str, Any] = {"__name__": "__main__", "grader": student.Nothing()}

    def cells(self: trusted.Trusted, part: Any) -> tuple[list[str], str]:
        told = []
        for cell in part.cells:
            try:
                exec(compile(self.cells[cell], f"<cell {cell + 1}>", "exec"), names)
            except Exception as error:
                told.append(f"Code cell {cell + 1} failed: {type(error).__name__}: {error}.")
        return told, ""

    class Names(dict):
        def __init__(self, link: Any):
            super().__init__(names)
            self.missing: list[str] = []

    arena.patch.setattr(trusted.Trusted, "_cells", cells)
    arena.patch.setattr(trusted, "Names", Names)
    arena.patch.setattr(trusted.check, "grading_seed", lambda seed: contextlib.nullcontext())


def without_question_deadline(arena: Arena) -> None:
    """A question takes what time it wants, within that of the whole submission."""
    begin = trusted.Trusted._begin
    arena.patch.setattr(trusted.Trusted, "_begin", lambda self, questions, seconds: begin(self, questions, float("inf")))


def with_the_same_inputs(arena: Arena) -> None:
    """Each submission meets the inputs that the one before has met."""
    arena.patch.setattr(trusted.check, "grading_seed", lambda seed: contextlib.nullcontext())


# Students are told what a test or a cell raised, in its own words.
in_full = several(
    replaced(trusted, "_message", lambda error, names: f"{type(error).__name__}: {error}"),
    edited(trusted.Trusted, "_cells", "return told, ", "return details[:MOST_TOLD], "),
)
