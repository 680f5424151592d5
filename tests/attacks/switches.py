"""The layers, each with the switch that takes it away: for attacks to show that it is this layer that stops them."""

import contextlib
from typing import Any

from autograder import containment, student, trusted
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


def in_one_process(arena: Arena) -> None:
    """Run the cells where the tests run, on the objects themselves, as otter's own runner does."""
    names: dict[str, Any] = {"__name__": "__main__", "grader": student.Nothing()}

    def cells(self: trusted.Trusted, part: Any) -> list[str]:
        told = []
        for cell in part.cells:
            try:
                exec(compile(self.cells[cell], f"<cell {cell + 1}>", "exec"), names)
            except Exception as error:
                told.append(f"Code cell {cell + 1} failed: {type(error).__name__}: {error}.")
        return told

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
