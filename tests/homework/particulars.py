"""The homeworks whose tests are tested, and what is particular to each.

A homework is found by its master in solutions/. What its tests need besides stands as constants in
tests/homework/hwN/__init__.py, beside the answers; each may be left out.
"""

import functools
import importlib
import pkgutil
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from coursebuild import master
from tests.answers import Answer, answers_in

ROOT = Path(__file__).resolve().parent.parent.parent


@dataclass(frozen=True, eq=False)
class Particulars:
    """One homework, to be marked.

    Attributes:
        name: such as 'hw1'. master: its source.
        costly: COSTLY, names whose assignment at the top of a cell takes seconds.
        training: TRAINING, topics of the tests that train a network.
        trained_by: TRAINED_BY, functions; an answer that defines one of them has a network trained.
        left_out: LEFT_OUT, functions of which no mutants are made.
        long: LONG, answers that take so long that only the slow tests mark them, such as 'q4-every_path_walked'.
        stand_ins: STAND_INS, for a question that trains a network: code that defines an untrained one, for graders' runs whose answer is
            not about it.
        hinted_otherwise: HINTED_OTHERWISE, wrong answers, such as 'q7.one_array_of_ones', that the engine tells another hint than
            marking in one process does, and why.
        still_accepted: STILL_ACCEPTED, wrong answers that the engine cannot tell from right ones yet, and why.
        at_least: AT_LEAST, how many wrong and how many right answers there are in all.
        first: FIRST, for each question how many of its wrong answers were caught at first, and how many there were.
    """

    name: str
    master: Path
    costly: tuple[str, ...] = ()
    training: tuple[str, ...] = ()
    trained_by: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()
    long: tuple[str, ...] = ()
    stand_ins: Mapping[str, str] = field(default_factory=dict)
    hinted_otherwise: Mapping[str, str] = field(default_factory=dict)
    still_accepted: Mapping[str, str] = field(default_factory=dict)
    at_least: tuple[int, int] = (0, 0)
    first: Mapping[str, tuple[int, int]] = field(default_factory=dict)

    @property
    def folder(self) -> Path:
        """Where its answers lie, and equivalent.txt."""
        return ROOT / "tests" / "homework" / self.name

    def trains(self, answer: Answer) -> bool:
        """Whether this answer has a network trained."""
        return any(f"def {name}(" in answer.source for name in self.trained_by)

    @functools.cached_property
    def answers(self) -> list[Answer]:
        """All answers to it."""
        package = importlib.import_module(f"tests.homework.{self.name}")
        names = [module.name for module in pkgutil.iter_modules(package.__path__)]
        return [
            answer for name in names for answer in answers_in(importlib.import_module(f"tests.homework.{self.name}.{name}"))
        ]


SETTINGS = {
    attribute.upper(): attribute for attribute in Particulars.__dataclass_fields__ if attribute not in ("name", "master")
}


def masters() -> dict[str, Path]:
    """The masters of this course by their homework's name, as the config at their top has it."""
    found = {}
    for path in master.find(ROOT):
        match = re.search(r"^# name: (\w+)$", path.read_text(encoding="utf-8"), re.M)
        if match:
            found[match[1]] = path
    return found


@functools.cache
def of(name: str) -> Particulars:
    """A homework and its particulars.

    Raises:
        ValueError: there is no such homework, no folder of answers to it, or a constant there is none that is known.
    """
    known = masters()
    if name not in known:
        raise ValueError(f"there is no homework {name!r}; solutions/ holds {', '.join(sorted(known))}")
    folder = ROOT / "tests" / "homework" / name
    if not (folder / "__init__.py").is_file():
        raise ValueError(f"there are no answers to {name}: they belong into {folder.relative_to(ROOT)}/, with an __init__.py")
    constants = {key: value for key, value in vars(importlib.import_module(f"tests.homework.{name}")).items() if key.isupper()}
    for key in constants:
        if key not in SETTINGS:
            raise ValueError(f"tests/homework/{name}/__init__.py: {key} is none of {', '.join(sorted(SETTINGS))}")
    return Particulars(name, known[name], **{SETTINGS[key]: value for key, value in constants.items()})
