"""What a student sees of a grade: one page, and Gradescope's results.json.

What a result says in detail is for instructors, and is not shown. Names are still written by students, so every text goes
through `autograder.escaping`. The page holds no script, loads nothing, and forbids both by its Content-Security-Policy.
"""

import base64
import json
import os
import tempfile
from hashlib import sha256
from pathlib import Path

from autograder.escaping import for_html, visible
from autograder.results import STATUSES, QuestionResult, SubmissionResult, TestResult

STYLE = """
:root { --ink: #1c1f23; --soft: #5a626b; --line: #d8dde3; --page: #f6f7f9; --card: #fff; --good: #00664a; --bad: #a33f00;
  --code: #f0f2f5; --note: #fff6dd; color-scheme: light dark; }
@media (prefers-color-scheme: dark) { :root { --ink: #e8eaed; --soft: #a5adb6; --line: #3a4149; --page: #16181b;
  --card: #1f2226; --good: #5fd0ab; --bad: #ff9f68; --code: #2a2e33; --note: #3a3220; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--ink); font: 16px/1.5 system-ui, "Segoe UI", Roboto, sans-serif; }
main { max-width: 50rem; margin: 0 auto; padding: 2rem 1rem 4rem; overflow-wrap: anywhere; }
h1 { font-size: 1.5rem; margin: 0; } h2 { font-size: 1.1rem; margin: 0; } h3 { font-size: 1rem; margin: 0 0 .3rem; }
p { margin: .3rem 0; } .foot { margin-top: 1rem; font-size: .85rem; } .soft { color: var(--soft); } .good { color: var(--good); } .bad { color: var(--bad); }
header { display: flex; gap: 1.5rem; justify-content: space-between; align-items: baseline; }
.score { font-size: 2rem; font-weight: 650; white-space: nowrap; } .score small { font-size: 1rem; font-weight: 400; }
section, .card { background: var(--card); border: 1px solid var(--line); border-radius: .5rem; padding: .9rem 1.1rem;
  margin-top: 1rem; }
.note { background: var(--note); } table { width: 100%; border-collapse: collapse; margin-top: .3rem; }
th { text-align: left; font-weight: 600; } td, th { padding: .25rem .5rem .25rem 0; border-bottom: 1px solid var(--line);
  vertical-align: top; } tr:last-child td { border-bottom: 0; } .number { text-align: right; white-space: nowrap; padding-right: 0; }
a { color: inherit; } .head { display: flex; justify-content: space-between; gap: 1rem; } .head b { white-space: nowrap; font-weight: 600; }
ul { list-style: none; margin: .5rem 0 0; padding: 0; } li { padding: .35rem 0 .35rem 1.6rem; position: relative; }
li > .mark { position: absolute; left: 0; font-weight: 700; } ol { margin: .3rem 0 0; padding-left: 1.4rem; }
ol li { padding: .15rem 0; } pre { background: var(--code); border-radius: .3rem; padding: .5rem .7rem; margin: .3rem 0;
  white-space: pre-wrap; font: .85rem/1.45 ui-monospace, Menlo, Consolas, monospace; max-height: 24rem; overflow: auto; }
.hint { border-left: 3px solid var(--bad); padding-left: .6rem; margin: .3rem 0; }
"""
_STYLE_HASH = base64.b64encode(sha256(STYLE.encode()).digest()).decode()
POLICY = f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; base-uri 'none'; form-action 'none'"
TO_MEND = {
    "timeout": "find the loop that does not end, or that NumPy can do in a single call",
    "memory": "find the array that is far larger than its data",
    "died": "find what ends Python",
    "protocol": "return arrays, tensors and plain numbers",
}
SEE = 'grader.check("{}") in your notebook shows what went in, what came out, and what was expected.'
TIMES = (1, 10, 60, 600)  # seconds
NEXT = 3  # so many things to do next: a longer list is not read


def points(value: float) -> str:
    """'2.5', '2' or '0.33'."""
    return f"{round(value, 2):g}"


def seconds(value: float) -> str:
    """A time as students see it: an exact one tells what a hidden test does, and could tell what it passed in."""
    return f"under {next((bound for bound in TIMES if value < bound), round(value) + 1)} s"


def _tests(count: int, kind: str) -> str:
    return f"{count} {kind} test{'' if count == 1 else 's'}"


def _hidden(question: QuestionResult) -> list[TestResult]:
    return [test for test in question.tests if test.hidden]


def _hinted(question: QuestionResult) -> list[TestResult]:
    """The hidden tests whose hint is told: of those that were run, and failed."""
    return [test for test in _hidden(question) if question.status == "graded" and not test.passed and test.hint]


def hidden_summary(question: QuestionResult) -> str:
    """'3 of 5 hidden tests passed; 2 failed, on: broadcasting, empty input', by topic and never by name; '' if there are none."""
    hidden = _hidden(question)
    failed = [test.topic for test in hidden if not test.passed]
    if not hidden:
        return ""
    if not failed:
        return f"{_tests(len(hidden), 'hidden')} passed"
    if question.status == "graded":
        return f"{len(hidden) - len(failed)} of {_tests(len(hidden), 'hidden')} passed; {len(failed)} failed, on: {', '.join(failed)}"
    remain = "remains" if len(failed) == 1 else "remain"
    return f"{_tests(len(failed), 'hidden')} {remain}, on: {', '.join(failed)}"


def next_steps(result: SubmissionResult) -> list[str]:
    """What to do next, most useful first; at most three sentences, each about one question."""
    if not result.counts:
        return ["Nothing: you need not submit again. Your instructor sees to it."]
    if result.status == "unreadable":
        return ["Open the notebook where you work, save it, run its last cell, and submit the zip file that it writes."]
    steps = []
    lost = [question for question in result.questions if not question.manual and question.points < question.max_points]
    for question in sorted(lost, key=lambda question: question.points - question.max_points):
        name = f"{question.id}, {points(question.max_points - question.points)} points to win"
        public = [test for test in question.tests if not test.hidden and not test.passed]
        if question.status != "graded":
            steps.append(f"{name}: {TO_MEND[question.status]}.")
        elif public:
            steps.append(
                f'{name}: run grader.check("{question.id}") in your notebook; it shows the first public test that fails.'
            )
        else:
            hint = next((test.hint for test in _hinted(question)), None)
            steps.append(f"{name}: {hint}" if hint else f"{name}: test your code on {question.title} with inputs of your own.")
    if len(steps) > NEXT:
        rest = len(steps) - NEXT
        steps[NEXT:] = [f"Then look at the {'other question' if rest == 1 else f'{rest} other questions'} below."]
    return steps or ["Nothing is left to do here: every test passed."]


def page(result: SubmissionResult) -> str:
    """The page of one submission, as HTML."""
    title = f"{for_html(result.assignment)}: {_score_text(result)}"
    questions = [_question(number, question) for number, question in enumerate(result.questions, 1)]
    parts = [_head(result), _overview(result), _next(result), *questions, _foot(result)]
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="referrer" content="no-referrer">\n<meta name="robots" content="noindex">\n'
        f"<title>{title}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<main>\n"
        + "\n".join(parts)
        + "\n</main>\n</body>\n</html>\n"
    )


def _score_text(result: SubmissionResult) -> str:
    return "no score yet" if result.points is None else f"{points(result.points)} of {points(result.max_points)} points"


def _head(result: SubmissionResult) -> str:
    if result.points is None:
        score = '<div class="score"><small>no score yet</small></div>'
    else:
        score = f'<div class="score">{points(result.points)} <small>of {points(result.max_points)} points</small></div>'
    about, later = f"Submitted by {for_html(result.student)}, attempt {result.attempt}", ""
    if by_hand := sum(question.max_points for question in result.questions if question.manual):
        later = f'<p class="soft">{points(by_hand)} of the points are for answers that a person reads; they come later.</p>'
    says = result.message_student or STATUSES[result.status].student
    stopped = [question.id for question in result.questions if question.status == result.status != "graded"]
    says = f"{', '.join(stopped)}: {says}" if stopped else says
    tone = "" if result.status == "graded" else " note"
    return (
        f'<header><div><h1>{for_html(result.assignment)}</h1><p class="soft">{about}</p></div>{score}</header>\n{later}'
        f'<div class="card{tone}" role="status">{for_html(says)}</div>'
    )


def _overview(result: SubmissionResult) -> str:
    if not result.questions:
        return ""
    rows = []
    for number, question in enumerate(result.questions, 1):
        title = f'<a href="#question-{number}">{for_html(question.id)}</a> {for_html(question.title)}'
        rows.append(f'<tr><td>{title}</td><td class="number">{_question_points(question)}</td></tr>')
    head = '<tr><th scope="col">Question</th><th scope="col" class="number">Points</th></tr>'
    return f"<section><table>{head}{''.join(rows)}</table></section>"


def _question_points(question: QuestionResult) -> str:
    if question.manual:
        return f"– of {points(question.max_points)}"
    tone = "good" if question.points >= question.max_points else "bad"
    return f'<span class="{tone}">{points(question.points)} of {points(question.max_points)}</span>'


def _next(result: SubmissionResult) -> str:
    steps = "".join(f"<li>{for_html(step)}</li>" for step in next_steps(result))
    return f"<section><h2>What to do next</h2><ol>{steps}</ol></section>"


def _question(number: int, question: QuestionResult) -> str:
    name = f"{for_html(question.id)} {for_html(question.title)}"
    parts = [f'<div class="head"><h2>{name}</h2><b>{_question_points(question)}</b></div>']
    if question.status != "graded":
        parts.append(f'<p class="bad">{for_html(STATUSES[question.status].student)}</p>')
    if question.note:
        parts.append(f"<p>{for_html(question.note)}</p>")
    ran = question.status == "graded"  # else some tests were not run, and hints would be guesses
    items = [_public_test(test, ran) for test in question.tests if not test.hidden]
    if summary := hidden_summary(question):
        items.append(_hidden_tests(question, summary))
    if items:
        parts.append(f"<ul>{''.join(items)}</ul>")
    if ran and any(not test.hidden and not test.passed for test in question.tests):
        parts.append(f"<p>{for_html(SEE.format(question.id))}</p>")
    took = "A person reads this answer." if question.manual else f"Took {seconds(question.seconds)}."
    parts.append(f'<p class="soft">{took}</p>')
    return f'<section id="question-{number}">{"".join(parts)}</section>'


def _mark(passed: bool) -> str:
    return f'<span class="mark {"good" if passed else "bad"}" aria-hidden="true">{"✓" if passed else "✗"}</span>'


def _public_test(test: TestResult, ran: bool) -> str:
    says = (
        f"{'passed' if test.passed else 'failed' if ran else 'not passed'}, {points(test.points)} of {points(test.max_points)}"
    )
    parts = [f'{_mark(test.passed)}{for_html(test.topic)} <span class="soft">{says}</span>']
    if not test.passed and test.message:
        parts.append(f"<pre>{for_html(test.message, lines=True)}</pre>")
    if not test.passed and test.hint and ran:
        parts.append(f'<p class="hint">{for_html(test.hint)}</p>')
    return f"<li>{''.join(parts)}</li>"


def _hidden_tests(question: QuestionResult, summary: str) -> str:
    hidden = _hidden(question)
    got, best = sum(test.points for test in hidden), sum(test.max_points for test in hidden)
    says = f'{for_html(summary)} <span class="soft">{points(got)} of {points(best)}</span>'
    hints = [f'<p class="hint">{for_html(test.topic)}: {for_html(test.hint)}</p>' for test in _hinted(question)]
    return f"<li>{_mark(all(test.passed for test in hidden))}{says}{''.join(hints)}</li>"


def _foot(result: SubmissionResult) -> str:
    facts = f"Graded in {seconds(result.seconds)}, tests {for_html(result.tests_version)}, notebook {for_html(result.notebook_hash[:12])}."
    return f'<p class="soft foot">{facts}</p>'


def gradescope(result: SubmissionResult) -> str:
    """Gradescope's results.json. Public tests are visible; each hidden one is for instructors, and students see the summary.

    Without a score the file has none either, so that Gradescope reports a fault of the grader and not a zero.
    Source: https://gradescope-autograders.readthedocs.io/en/latest/specs/
    """
    made = {
        "output": _plain_summary(result),
        "output_format": "text",
        "visibility": "visible",
        "stdout_visibility": "hidden",
        "tests": [_gradescope_test(question, test) for question in result.questions for test in question.tests],
    }
    if result.points is not None:
        made["score"] = result.points
    else:
        made["tests"] = []
    return json.dumps(made, indent=1, allow_nan=False) + "\n"


def _gradescope_test(question: QuestionResult, test: TestResult) -> dict[str, object]:
    message = "" if test.hidden or test.passed else test.message or ""
    hint = f"Hint: {test.hint}" if test.hint and not test.passed and question.status == "graded" else ""
    return {
        "name": f"{visible(question.id)}: {visible(test.topic)}",
        "name_format": "text",
        "score": test.points,
        "max_score": test.max_points,
        "status": "passed" if test.passed else "failed",
        "visibility": "hidden" if test.hidden else "visible",
        "output": "\n".join(text for text in (visible(message, lines=True), visible(hint)) if text),
        "output_format": "text",
    }


def _plain_summary(result: SubmissionResult) -> str:
    lines = [visible(result.message_student or STATUSES[result.status].student)]
    for question in result.questions:
        if question.manual:
            lines.append(f"{visible(question.id)} {visible(question.title)}: read by a person")
            continue
        got = f"{points(question.points)} of {points(question.max_points)} points"
        lines.append(f"{visible(question.id)} {visible(question.title)}: {got}")
        if question.status != "graded":
            lines.append(f"    {STATUSES[question.status].student}")
        lines += [f"    {visible(text)}" for text in (question.note, hidden_summary(question)) if text]
        lines += [f"    {visible(f'{test.topic}: {test.hint}')}" for test in _hinted(question)]
    return "\n".join([*lines, "What to do next:", *(f"    {visible(step)}" for step in next_steps(result))])


def write(result: SubmissionResult, folder: Path) -> Path:
    """Write index.html and results.json into a folder, each whole or not at all. Returns the page's path.

    The folder is named by the submission's token: nothing that a student chose is part of a path.
    """
    folder.mkdir(parents=True, exist_ok=True)
    replace_text(folder / "results.json", gradescope(result))
    replace_text(folder / "index.html", page(result))
    return folder / "index.html"


def replace_text(path: Path, text: str, mode: int = 0o644) -> None:
    """Write a file so that a reader finds the old text or the new one, and never a part."""
    number, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(number, "w", encoding="utf-8", newline="") as file:
            os.fchmod(file.fileno(), mode)
            file.write(text)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
