"""Run a question's public tests against the notebook's names, and leave everything else as it was."""

import copy
import inspect
import random
import sys
from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager
from typing import Any

import numpy as np

from dlcourse.check import CheckError
from dlcourse.grader.calls import Calls
from dlcourse.grader.questions import Public, Question
from dlcourse.grader.results import Outcome, Result
from dlcourse.live.errors import describe, message


@contextmanager
def undisturbed(names: MutableMapping[str, Any]) -> Iterator[None]:
    """Give back, whatever happens inside, the names and the states of the global random generators."""
    before = dict(names)
    states = np.random.get_state(), random.getstate()
    torch = sys.modules.get("torch")
    torch_state = torch.get_rng_state() if torch else None
    try:
        yield
    finally:
        for name in [name for name in names if name not in before]:
            del names[name]
        for name, value in before.items():
            if name not in names or names[name] is not value:
                names[name] = value
        np.random.set_state(states[0])
        random.setstate(states[1])
        if torch:
            torch.set_rng_state(torch_state)


def run(question: Question, questions: dict[str, Question], names: MutableMapping[str, Any]) -> Result:
    """The outcome of each public test.

    Raises:
        KeyboardInterrupt: the reader pressed stop; an exception of the answer is an outcome.
    """
    outcomes = []
    for test in question.tests:
        with undisturbed(names):
            outcomes.append(_outcome(test, questions, names))
    return Result(question, outcomes)


def _outcome(test: Public, questions: dict[str, Question], names: MutableMapping[str, Any]) -> Outcome:
    needed = list(inspect.signature(test.function).parameters)
    for name in needed:
        if name not in names:
            return Outcome(test, "missing", f"{name} is not there yet. {_which_cell(name, questions)}")
        if names[name] is ...:
            return Outcome(test, "open", f"{name} is not written yet: it is still `...`.")
        gaps = [key for key, value in names[name].items() if value is ...] if type(names[name]) is dict else []
        if gaps:
            return Outcome(test, "open", f"{name}[{gaps[0]!r}] is not written yet: it is still `...`.")
    calls = Calls()
    try:
        with calls.recording({name: _own_copy(names[name]) for name in needed}) as wrapped:
            test.function(**wrapped)
    except NotImplementedError as error:
        return Outcome(test, "open", f"Not written yet. {message(error)}".strip())
    except CheckError as error:
        return Outcome(test, "failed", f"{error}.", hint=error.hint or test.hint, call=calls.text())
    except (Exception, SystemExit) as error:  # the answer may fail in every way
        return Outcome(test, "failed", f"It raises. {describe(error)}", hint=test.hint, call=calls.text())
    return Outcome(test, "passed")


def _own_copy(value: Any) -> Any:
    """A test gets its own copy of data, so that it can change nothing; of functions and classes there is only one."""
    if inspect.isroutine(value) or inspect.isclass(value) or inspect.ismodule(value):
        return value
    try:
        return copy.deepcopy(value)
    except Exception:  # such as a tensor inside a graph, or an open file: the test then sees the object itself
        return value


def _which_cell(name: str, questions: dict[str, Question]) -> str:
    for question in questions.values():
        if name in question.defines:
            return f"Run the cell under “{question.name}” that defines it."
    return "Run the set-up cell, then the cells above this one."
