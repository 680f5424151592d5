"""What a check found, as text and as HTML."""

import html
from dataclasses import dataclass

from dlcourse.grader.questions import Public, Question

MARKS = {"passed": "✓", "failed": "✗", "open": "○", "missing": "○"}
COLOURS = {"passed": "#00664A", "failed": "#A33F00", "open": "#000", "missing": "#000"}
PLAIN = "background:#fff;color:#000"  # whatever the page's theme: the marks' colours are made for white
BOX = "border-left:4px solid {};padding:4px 12px;margin:4px 0;line-height:1.45;" + PLAIN
CALL = "The last call of the test:"


@dataclass(frozen=True)
class Outcome:
    """One public test: state is 'passed', 'failed', 'open' (not written yet) or 'missing' (a cell was not run)."""

    test: Public
    state: str
    message: str = ""
    hint: str = ""
    call: str | None = None


def listed(topics: list[str]) -> str:
    return ", ".join(topics)


def tests(count: int, kind: str) -> str:
    return f"{count} {kind} test{'' if count == 1 else 's'}"


@dataclass(frozen=True)
class Result:
    """A question's public tests and what came of them."""

    question: Question
    outcomes: list[Outcome]

    @property
    def passed(self) -> int:
        return sum(outcome.state == "passed" for outcome in self.outcomes)

    @property
    def all_passed(self) -> bool:
        return self.passed == len(self.outcomes)

    def summary(self) -> str:
        """'3 of 3 public tests passed; 2 hidden tests remain, on: broadcasting, empty input'."""
        if self.question.manual:
            worth = f"{self.question.points:g} point{'' if self.question.points == 1 else 's'}"
            return f"A person reads this answer, for {worth}: there is nothing to check here."
        total, hidden = len(self.outcomes), self.question.hidden_tests
        public = f"{self.passed} of {tests(total, 'public')} passed" if total else "No public tests"
        if not hidden:
            return f"{public}; no hidden tests remain"
        remain = "remains" if len(hidden) == 1 else "remain"
        return f"{public}; {tests(len(hidden), 'hidden')} {remain}, on: {listed([test.topic for test in hidden])}"

    def __repr__(self) -> str:
        lines = [f"{self.question.name} ({self.question.id})"]
        for outcome in self.outcomes:
            lines.append(
                f"{MARKS[outcome.state]} {outcome.test.topic}: {outcome.state if outcome.state != 'open' else 'not written yet'}"
            )
            lines += [f"    {line}" for line in _details(outcome)]
        return "\n".join([*lines, self.summary()])

    def _repr_html_(self) -> str:
        rows = []
        for outcome in self.outcomes:
            head = f'<b style="color:{COLOURS[outcome.state]}">{MARKS[outcome.state]} {html.escape(outcome.test.topic)}</b>'
            details = "".join(_html_parts(outcome))
            rows.append(f'<div style="margin:4px 0">{head}<div style="margin-left:1.5em">{details}</div></div>')
        colour = COLOURS["passed" if self.all_passed else "failed"]
        title = f"<div><b>{html.escape(self.question.name)}</b></div>"
        body = "".join(rows)
        return f'<div role="status" style="{BOX.format(colour)}">{title}{body}<div>{html.escape(self.summary())}</div></div>'


def _details(outcome: Outcome) -> list[str]:
    lines = [outcome.message] if outcome.message else []
    if outcome.call:
        lines += [CALL, *(f"    {line}" for line in outcome.call.splitlines())]
    if outcome.hint:
        lines.append(f"Hint: {outcome.hint}")
    return lines


def _html_parts(outcome: Outcome) -> list[str]:
    parts = [f"<div>{html.escape(outcome.message)}</div>"] if outcome.message else []
    if outcome.call:
        parts.append(f'<div>{CALL}</div><pre style="margin:2px 0 2px 1.5em;{PLAIN}">{html.escape(outcome.call)}</pre>')
    if outcome.hint:
        parts.append(f"<div>Hint: {html.escape(outcome.hint)}</div>")
    return parts


@dataclass(frozen=True)
class Results:
    """Every question's result."""

    results: list[Result]

    def __repr__(self) -> str:
        return "\n\n".join(repr(result) for result in self.results)

    def _repr_html_(self) -> str:
        rows = "".join(
            f'<li><b style="color:{COLOURS["passed" if result.all_passed else "failed"]}">{result.question.id}</b> '
            f"{html.escape(result.summary())}</li>"
            for result in self.results
        )
        failing = "".join(result._repr_html_() for result in self.results if not result.all_passed)
        return f'<ul style="line-height:1.45">{rows}</ul>{failing}'
