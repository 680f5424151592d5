"""Predictions answered as readers answer them, and what is shown before they are."""

import re

from dlcourse import reading
from dlcourse.predict import Choose, Estimate

NUMBER = re.compile(r"(?<![\w.,])([-+−]?\d+(?:[.,]\d+)?(?:e[-+]?\d+)?)(?![\w^]|[.,]\d)( ?%)?")
NEAR = 0.01  # of the answer: a wide tolerance accepts many numbers, but they do not stand out as the answer


def asked_anew(question, then=None):
    """The same question, with nothing answered yet."""
    if isinstance(question, Choose):
        return Choose(question.question, question.choices, question.because, then)
    return Estimate(
        question.question, question.answer, question.tolerance, question.hints, question.because, then, question.unit
    )


def commit(question, entry):
    question.entry.value = entry
    question.button.click()


def typed(question, value):
    """A number as the reader types it."""
    return f"{value!r} %" if question.unit == "%" else repr(value)


def wrong_entries(question):
    """Every wrong entry that the question knows, with the reason that its reader must be told."""
    if isinstance(question, Choose):
        return [(choice, reason) for choice, reason in question.choices.items() if reason is not True]
    found = [(typed(question, (low + high) / 2), reason) for low, high, reason in question.hints]
    for edge, reason in ((-1.01, "Too small."), (1.01, "Too large.")):
        value = question.answer + edge * max(question.tolerance, 1e-6)
        hinted = [why for low, high, why in question.hints if low <= value <= high]
        if question.unit != "share" or 0 <= value <= 1:
            found.append((typed(question, value), (hinted or [reason])[0]))
    return found


def right_entries(question):
    """The answer, for a number written in several ways and at both edges of the tolerance."""
    if isinstance(question, Choose):
        return [question.answer]
    answer, tolerance = float(question.answer), question.tolerance
    sign = " %" if question.unit == "%" else ""
    ways = [
        typed(question, answer),
        f"~{answer:.12f}{sign}".replace(".", ",").replace("-", "−"),
        f"{answer / 2!r}{sign} * 2",
        f"{answer:.12e}{sign}".replace("e", " * 10^"),
        *[typed(question, answer + edge) for edge in (-tolerance, tolerance)],
    ]
    if question.unit == "share":
        ways.append(f"{100 * answer!r} %")
    return [way for way in ways if question.unit != "share" or 0 <= reading.number(way).value <= 1]


def names_the_answer(question, text):
    """The number in a text that a reader could take for the answer, if there is one.

    A small whole number stands everywhere, as a step, an index or a count. It counts where it is written with decimals or
    behind an equals sign.
    """
    small = question.answer == round(question.answer) and abs(question.answer) <= 20
    for found in NUMBER.finditer(text):
        number = found[1].replace(",", ".").replace("−", "-")
        value = float(number) / (100 if found[2] and question.unit != "%" else 1)
        telling = "." in number or text[: found.start()].rstrip().endswith("=")
        close = abs(value - question.answer) <= NEAR * abs(question.answer)
        if question._accepts(value) and close and (telling or not small):
            return found[0]
    return None


def numbers(text):
    return {float(found[1].replace(",", ".").replace("−", "-")) for found in NUMBER.finditer(text)}


def names_the_choice(question, text):
    """Whether a text holds the right choice. A choice of a single word may stand in a text that says nothing about it."""
    return len(question.answer.split()) > 1 and question.answer in text


def given_with_a_choice(cells, i, question):
    """Numbers that mark the right choice alone, stand nowhere above it, and are shown below it, with what shows them."""
    others = [choice for choice in question.choices if choice != question.answer]
    above = [text for each in cells[:i] for text in (*each.shown, each.printed, each.cell.text)]
    marks = numbers(question.answer) - numbers("\n".join([question.question, *others, *above]))
    return [(number, text) for where, text in shown_around(cells, i) if "below" in where for number in marks & numbers(text)]


def shown_around(cells, i):
    """What Run All shows near cell i, and where: above it the last figure and the text, below it all up to the second figure."""
    found = [("the figure above", text) for text in next((each.shown for each in reversed(cells[:i]) if each.shown), [])]
    if i and cells[i - 1].cell.kind == "markdown":
        found.append(("the text above", cells[i - 1].cell.text))
    figures = 0
    for each in cells[i:]:
        found += [("a figure below", text) for text in each.shown]
        found.append(("what a cell below prints", each.printed))
        figures += bool(each.shown)
        if figures == 2:
            break
    return found
