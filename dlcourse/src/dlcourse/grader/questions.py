"""A homework's questions, as the notebook's folded cell registers them."""

from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Public:
    """A test that stands in the notebook: a function of names of the notebook, which raises when an answer is wrong."""

    topic: str
    points: float
    hint: str
    function: Callable


@dataclass(frozen=True)
class Hidden:
    """A test that only the grader has."""

    topic: str
    points: float


@dataclass
class Question:
    """One question.

    Attributes:
        seconds: how long its cells and tests may take together.
        defines: the names that its cells define.
        manual: whether a person reads the answer.
    """

    id: str
    title: str
    points: float
    seconds: float = 20
    defines: tuple[str, ...] = ()
    manual: bool = False
    tests: list[Public] = field(default_factory=list)
    hidden_tests: list[Hidden] = field(default_factory=list)

    def public(self, topic: str, points: float, hint: str) -> Callable[[Callable], Callable]:
        """Decorate a test's function to register it."""

        def register(function: Callable) -> Callable:
            self.tests.append(Public(topic, points, hint, function))
            return function

        return register

    def hidden(self, topic: str, points: float) -> None:
        """Register that there is a hidden test."""
        self.hidden_tests.append(Hidden(topic, points))

    @property
    def name(self) -> str:
        """'Question 3. Gradient check', as its heading in the notebook."""
        return f"Question {self.id.removeprefix('q')}. {self.title}"
