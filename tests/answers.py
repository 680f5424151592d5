"""Answers that students could give: wrong ones, which the tests of a homework or the check of a lecture's exercise must
catch, and right ones, which they must accept.

One file a question, `tests/homework/hwN/qK.py`, or an exercise, `tests/lectures/answers/NN/FUNCTION.py`, holds decorated
functions. The body of each is what a student writes below the master's own answer, or in the exercise's cell, so it defines
anew only what it does differently:

    @wrong(hint="the cost is the mean")
    def summed_over_the_batch():
        \"\"\"Takes the cost of a batch for the sum of its examples' losses.\"\"\"

        def cross_entropy(logits, labels):
            ...

    @right
    def with_einsum():
        ...

An answer that differs from a long one in a line or two is written as a patch of it:

    @wrong(hint="adds up", base=TENSOR)
    def gradient_overwritten():
        \"\"\"A parent receives its gradient from the one result that it was used for.\"\"\"
        return \"\"\"
        -                flows[id(parent)] = flows.get(id(parent), 0.0) + pull(flow)
        +                flows[id(parent)] = pull(flow)
        \"\"\"
"""

import ast
import inspect
import re
import textwrap
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Answer:
    """One answer to one question.

    Attributes:
        question: such as 'q1', or the function that an exercise asks for; the name of its file.
        name: of the function that holds it.
        belief: the function's docstring, what this student believes or how the variant differs.
        source: the cell's text.
        is_right: whether it must keep full marks.
        hint: part of what a student with this wrong answer must be told; empty for right answers.
    """

    question: str
    name: str
    belief: str
    source: str
    is_right: bool
    hint: str = ""


def _body(function: Callable) -> str:
    """The text of a function's body, without its docstring."""
    text = textwrap.dedent(inspect.getsource(function))
    node = ast.parse(text).body[0]
    first = node.body[1] if ast.get_docstring(node) else node.body[0]
    start = min([first.lineno, *(line.lineno for line in getattr(first, "decorator_list", []))])
    return textwrap.dedent("\n".join(text.splitlines()[start - 1 :])) + "\n"


def patched(base: str, patch: str) -> str:
    """Apply a patch: hunks separated by empty lines, in each '-' before lines to take out, '+' to put in, ' ' to keep.

    Raises:
        ValueError: a hunk's old lines do not stand exactly once in the base.
    """
    text = "\n" + base.strip("\n") + "\n"
    for hunk in re.split(r"\n\s*\n", textwrap.dedent(patch).strip("\n")):
        lines = hunk.splitlines()
        old, new = ("".join(f"{line[1:]}\n" for line in lines if line[:1] in kinds) for kinds in ("- ", "+ "))
        if text.count("\n" + old) != 1:
            raise ValueError(f"these lines stand {text.count(old)} times in the base:\n{old}")
        text = text.replace("\n" + old, "\n" + new)
    return text.lstrip("\n")


def _answer(function: Callable, is_right: bool, hint: str, base: str | None = None) -> Answer:
    belief = inspect.getdoc(function) or ""
    if not belief:
        raise ValueError(f"{function.__name__} needs a docstring: what does this student believe?")
    question = Path(inspect.getfile(function)).stem
    source = _body(function) if base is None else patched(base, function())
    return Answer(question, function.__name__, belief, source, is_right, hint)


def wrong(hint: str, base: str | None = None) -> Callable[[Callable], Answer]:
    """Decorate a wrong answer; hint is part of what its student must be told. With a base the function returns a patch."""
    return lambda function: _answer(function, False, hint, base)


def right(function: Callable) -> Answer:
    """Decorate a right answer that differs from the master's."""
    return _answer(function, True, "")


def answers_in(module) -> list[Answer]:
    """All answers of a module, in the order in which they stand there."""
    return [value for value in vars(module).values() if isinstance(value, Answer)]
