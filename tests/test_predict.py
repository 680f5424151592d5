"""Predictions: nothing runs before the answer is earned, every wrong answer gets its reason, and there is a second try."""

import signal
import threading
from itertools import count

import ipywidgets as widgets
import pytest

from coursebuild.text import Cell
from dlcourse import predict as module
from dlcourse import trial
from dlcourse.live import FigureError
from dlcourse.predict import predict, predict_number
from tests.predictions import given_with_a_choice, names_the_answer, shown_around
from tests.session import Ran, source_of, state

CHOICES = {"left": "The slope is negative there.", "right": True, "nowhere": "The slope is not zero."}
BECAUSE = "It goes down there."


def enter(question, text):
    """Type a text and press Enter: a browser reports the key first, and then the new text."""
    before = question.entry.value
    question.entry._handle_custom_msg({"event": "submit"}, [])
    if text != before:
        question.entry.set_state({"value": text})


def choose(question, choice):
    question.entry.value = choice
    question.button.click()


@pytest.fixture
def ran():
    return []


@pytest.fixture
def which(ran):
    return predict("Which way?", CHOICES, BECAUSE, then=lambda: ran.append(1) or 2.128)


@pytest.fixture
def limit(ran):
    hints = [(0.57, 0.59, "That is half of it."), (1.4, 1.5, "That is a quarter more.")]
    return predict_number("The limit?", 1.163, 0.01, hints, "2 over the curvature.", then=lambda: ran.append(1) or 7.25)


# Choices


def test_nothing_runs_and_no_try_is_lost_before_there_is_an_answer(which, ran):
    which.button.click()
    assert "Choose an answer first" in which._answer.value and which.tried == [] and ran == []
    which.entry.value = "left"
    assert ran == [] and which._answer.value.count("role=") == 1, "a choice that is not committed says nothing"


def test_a_wrong_choice_gets_its_reason_and_a_second_try(which, ran):
    choose(which, "left")
    assert which.right is False and not which.committed and ran == []
    assert which.said == "The slope is negative there. You can try once more."
    assert not which.entry.disabled
    # ipywidgets 7 keeps the choice when labels change: there the tried one stays marked, and can be left for another.
    assert which.entry.value is None or (widgets.__version__.startswith("7.") and which.entry.value == "left")
    assert which.entry._options_labels == ("✗ left (tried)", "right", "nowhere")
    choose(which, "right")
    assert which.right and which.committed and ran == [1]
    assert "Right, at the second try." in which._answer.value and which.said == BECAUSE
    assert "The slope is negative there." in which._answer.value, "what was said of the first try stays"
    assert which._answer.value.count('role="status"') == 1 and which._answer.value.index("role=") > which._answer.value.index(
        "slope"
    )
    assert "2.128" in which._run.children[0].value


def test_two_wrong_choices_show_the_answer(which, ran):
    choose(which, "left")
    choose(which, "nowhere")
    assert which.right is False and which.committed and ran == [1]
    assert which.said == f"The slope is not zero. The answer: right. {BECAUSE}"
    assert which.entry.disabled and which.button.disabled
    which.button.click()
    which.reveal_button.click()
    assert ran == [1], "it runs once"


def test_a_choice_is_not_judged_twice(which):
    choose(which, "left")
    choose(which, "left")
    assert which.tried == ["left"] and "You have tried this already" in which._answer.value
    choose(which, "right")
    assert which.right


def test_a_right_choice_ends_it_at_once(which, ran):
    choose(which, "right")
    assert which.right and which.committed and ran == [1] and which.said == BECAUSE
    assert "✓ Right.</b>" in which._answer.value and which.reveal_button.layout.display == "none"


def test_the_answer_can_be_asked_for_after_a_try(which, ran):
    which.reveal()
    assert not which.committed and which.reveal_button.layout.display == "none"
    choose(which, "nowhere")
    assert which.reveal_button.layout.display is None
    which.reveal_button.click()
    assert which.committed and which.right is False and ran == [1]
    assert "The answer:</b> right. It goes down there." in which._answer.value


def test_of_two_choices_there_is_one_try():
    question = predict("Up?", {"yes": "No.", "no": True}, "So it is.")
    choose(question, "yes")
    assert question.committed and question.said == "No. The answer: no. So it is."


@pytest.mark.parametrize(
    "choices", [{"a": "x", "b": "y"}, {"a": True, "b": True}, {"a": True, "b": ""}, {"a": True, "b": False}]
)
def test_choices_without_reasons_are_refused(choices):
    with pytest.raises(FigureError, match="needs the reason"):
        predict("?", choices)


# What the page holds


def test_the_page_holds_neither_reasons_nor_answer_before_they_are_earned(which, limit):
    secrets = [BECAUSE, CHOICES["left"], CHOICES["nowhere"], "2.128"]
    assert not [text for text in secrets if text in source_of(which.widget)]
    choose(which, "left")
    assert [text for text in secrets if text in source_of(which.widget)] == [CHOICES["left"]]
    choose(which, "right")
    assert [text for text in secrets if text in source_of(which.widget)] == [BECAUSE, CHOICES["left"], "2.128"]

    secrets = ["1.163", "2 over the curvature", "half of it", "a quarter more", "7.25"]
    assert not [text for text in secrets if text in source_of(limit.widget)]
    enter(limit, "0.58")
    assert [text for text in secrets if text in source_of(limit.widget)] == ["half of it"]
    limit.reveal()
    assert [text for text in secrets if text in source_of(limit.widget)] == [
        "1.163",
        "2 over the curvature",
        "half of it",
        "7.25",
    ]


def test_the_state_is_all_that_goes_to_the_page(which):
    """The test above sees every widget of the prediction, and what the radio buttons say."""
    seen = state(which.widget)
    assert len(seen) >= 8 and ("left", "right", "nowhere") in [each.get("_options_labels") for each in seen]


# Numbers


@pytest.mark.parametrize("entry", ["1.16", "1,16", "1.163", "~1.16", "2/1.72", "1.153", "1.173", "−1.163*-1"])
def test_right_numbers(limit, ran, entry):
    enter(limit, entry)
    assert limit.right and limit.committed and ran == [1] and "2 over the curvature." in limit.said


@pytest.mark.parametrize(
    ("entry", "says"),
    [
        ("0.58", "That is half of it. You can try once more."),
        ("0,58", "Read as 0.58. That is half of it. You can try once more."),
        ("1.4", "That is a quarter more."),
        ("9", "Too large."),
        ("-9", "Too small."),
        ("1.1529", "Too small."),
        ("1.1731", "Too large."),
    ],
)
def test_wrong_numbers_get_their_reason_and_a_second_try(limit, ran, entry, says):
    enter(limit, entry)
    assert limit.right is False and not limit.committed and ran == [] and limit.said.startswith(says)
    enter(limit, "1.16")
    assert limit.right and ran == [1] and "at the second try" in limit._answer.value


def test_two_wrong_numbers_show_the_answer(limit, ran):
    enter(limit, "9")
    enter(limit, "0.58")
    assert limit.right is False and limit.committed and ran == [1]
    assert limit.said == "That is half of it. The answer: 1.163. 2 over the curvature."


@pytest.mark.parametrize("entry", ["", "about one", "nan", "-inf", "1,163", "1.1-1.2", "9**9**9", "1.16 apples", "1/0"])
def test_what_is_no_number_costs_no_try(limit, entry):
    limit.entry.value = entry
    limit.button.click()
    assert limit.tried == [] and not limit.committed and limit.said in limit._answer.value.replace("&#x27;", "'")
    enter(limit, "1.16")
    assert limit.right and "✓ Right.</b>" in limit._answer.value


def test_the_same_number_is_not_judged_twice(limit):
    enter(limit, "0.58")
    limit.button.click()
    enter(limit, "0,580")
    assert len(limit.tried) == 1 and not limit.committed and "half of it" in limit._answer.value


def test_leaving_the_field_commits_nothing_and_enter_does(limit, monkeypatch):
    now = count(100.0, 10.0)
    monkeypatch.setattr(module.time, "monotonic", lambda: next(now))
    limit.entry.set_state({"value": "0.58"})
    assert limit.tried == [] and limit._answer.value == ""
    enter(limit, "0.58")
    assert limit.tried == [] and "Press Commit" in limit._answer.value, "Enter alone may come before a changed text"
    limit.button.click()
    assert limit.tried == [0.58]
    monkeypatch.setattr(module.time, "monotonic", lambda: 0.0)
    enter(limit, "1.16")
    assert limit.right


def test_enter_counts_in_whichever_order_the_page_reports_it(limit):
    limit.entry.set_state({"value": "1.16"})
    limit.entry._handle_custom_msg({"event": "submit"}, [])
    assert limit.right


@pytest.mark.parametrize(
    ("unit", "answer", "entry", "right", "says"),
    [
        ("%", 62, "62", True, ""),
        ("%", 62, "62 %", True, ""),
        ("%", 62, "62,0%", True, "Read as 62 %."),
        ("%", 62, "1/2", None, "Is that 0.5 % or 50 %? Write it with the sign."),
        ("%", 62, "0.62", None, "Is that 0.62 % or 62 %? Write it with the sign."),
        ("%", 0.5, "0.5 %", True, ""),
        ("%", 62, "6200", False, "Too large."),
        ("share", 0.62, "0.62", True, ""),
        ("share", 0.62, "62%", True, "Read as 0.62."),
        ("share", 0.62, "62", True, "Read as 62 %, that is 0.62."),
        ("share", 0.62, "50", False, "Read as 50 %, that is 0.5. Too small."),
        ("share", 0.62, "620", None, "620 is no share"),
        ("share", 0.62, "-0.1", None, "-0.1 is no share"),
        ("", 0.62, "62 %", True, "Read as 0.62."),
        ("", 0.62, "62", None, "Read as 62. If you mean 62 %, write it with the sign."),
        ("", 0.62, "50", False, "Too large."),
        ("", 62, "62 %", False, "Read as 0.62. Too small."),
        ("s", 0.9, "0.9 s", True, ""),
        ("s", 0.9, "0,9 seconds", True, "Read as 0.9 s."),
        ("s", 0.9, "900 ms", None, "write the number alone, in s"),
    ],
)
def test_units(unit, answer, entry, right, says):
    question = predict_number("About how many steps?", answer, answer * 0.01, because="Because.", unit=unit)
    enter(question, entry)
    assert question.right is right and says in question.said
    assert bool(says) == ("Read as" in question.said or right is not True)


@pytest.mark.parametrize(("unit", "says"), [("", "62."), ("%", "62 %."), ("s", "62 s.")])
def test_the_answer_is_shown_with_its_unit(unit, says):
    question = predict_number("How long?", 62, 1, because="", unit=unit)
    enter(question, "1")
    question.reveal()
    assert question.said == says


@pytest.mark.parametrize(
    ("answer", "tolerance", "entry"),
    [
        (0.885, 0.005, "0.88"),
        (0.885, 0.005, "0.89"),
        (0.1, 0.2, "0.3"),
        (2 / 3, 0, "2/3"),
        (0.3, 0, "0.1+0.2"),
        (1e6, 0.1, "1000000.1"),
    ],
)
def test_the_edge_of_the_tolerance_belongs_to_it(answer, tolerance, entry):
    question = predict_number("?", answer, tolerance)
    enter(question, entry)
    assert question.right


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ((float("nan"), 1), "finite answer"),
        ((1.0, -1), "tolerance"),
        ((1.0, 0.1, [(2, 1, "No.")]), "low <= high"),
        ((1.0, 0.1, [(1, 2, " ")]), "a reason"),
        ((62, 1, [], "", None, "share"), "between 0 and 1"),
    ],
)
def test_questions_that_cannot_be_judged_are_refused(arguments, says):
    with pytest.raises(FigureError, match=says):
        predict_number("?", *arguments)


def test_a_question_in_percent_says_so():
    with pytest.raises(FigureError, match="unit='%'"):
        predict_number("How many percent are right?", 62, 1)
    assert predict_number("With 10 % of noise, which loss?", 0.3, 0.1).unit == ""


# The run


def test_a_run_that_raises_is_shown_and_recorded_and_can_be_run_again(ran):
    question = predict("Which way?", CHOICES, then=lambda: 1 / len(ran))
    choose(question, "right")
    assert "ZeroDivisionError" in question.errors[0] and "ZeroDivisionError" in question._run.children[0].value
    ran.append(1)
    question._run.children[-1].click()
    assert question.result == 1 and "The run gives: <b>1</b>" in question._run.children[0].value


def test_what_the_run_prints_stands_below_it(capsys):
    question = predict("Which way?", CHOICES, then=lambda: print("a < b"))
    choose(question, "right")
    assert question._run.children[0].value == "<pre>a &lt; b</pre>"
    assert "done" in question._run.children[1].value and capsys.readouterr().out == ""


def test_an_interrupt_ends_the_run_alone():
    question = predict("Which way?", CHOICES, then=lambda: signal.raise_signal(signal.SIGINT))
    before = signal.getsignal(signal.SIGINT)
    choose(question, "right")
    assert question.errors[0].startswith("Stopped: it was still running after 0 s, at line")
    assert signal.getsignal(signal.SIGINT) is before and question._run.children[-1].description == "Run again"


def test_a_long_run_says_how_to_stop_it(monkeypatch):
    monkeypatch.setattr(trial, "SLOW", 0.01)
    told = threading.Event()
    question = predict("Which way?", CHOICES, then=lambda: told.wait(30))
    question._run.observe(lambda change: change.new[0].observe(lambda _: told.set(), "value"), "children")
    choose(question, "right")
    assert question.result is True


def test_without_a_kernel_the_reasons_can_be_opened():
    page = predict("Which way?", CHOICES, BECAUSE).still()["text/html"]
    assert page.count("<details>") == 3 and 'title="Not so. The slope is negative there."' in page
    page = predict_number("The limit?", 0.5, 0.1, because='It is "half".').still()["text/html"]
    assert page.count("<details>") == 1 and 'title="0.5. It is &quot;half&quot;."' in page


# The gate over the lectures


@pytest.mark.parametrize(
    ("answer", "tolerance", "unit", "text", "found"),
    [
        (0.885, 0.01, "", "It settles up to lr = 0.88 here.", "0.88"),
        (0.885, 0.01, "", "It settles up to 0,8849.", "0,8849"),
        (0.885, 0.01, "", "It settles up to 0.91, in 885 steps, at w0.885.", None),
        (0.62, 0.035, "share", "The best of them is right in 62 % of the cases.", "62 %"),
        (0.62, 0.035, "share", "The nearest neighbour reaches 0.652.", None),
        (62, 3.5, "%", "The best of them is right in 62 % of the cases.", "62 %"),
        (-6.02, 0.06, "", "The exponent is −6.0 here.", "−6.0"),
        (6, 0.01, "", "Step 6 of 6: x = 3", None),
        (6, 0.01, "", "dy/dx = 6", "6"),
        (6, 0.01, "", "the slope 6.0 at x", "6.0"),
    ],
)
def test_a_number_that_gives_the_answer_away_is_found(answer, tolerance, unit, text, found):
    assert (names_the_answer(predict_number("?", answer, tolerance, unit=unit), text) or "").strip() == (found or "")


def test_what_stands_near_a_prediction_is_looked_at():
    cells = [
        Ran(Cell("markdown", "The noise is 0.09.", 1)),
        Ran(Cell("code", "", 2), shown=["At rest at 0.2."]),
        Ran(Cell("code", "", 3), shown=["the figure above"]),
        Ran(Cell("markdown", "the text above", 4)),
        Ran(Cell("code", "", 5), printed="its own"),
        Ran(Cell("code", "", 6), shown=["one: 2.13", "its title"]),
        Ran(Cell("code", "", 7), printed="between 0.09"),
        Ran(Cell("code", "", 8), shown=["two"]),
        Ran(Cell("code", "", 9), shown=["three"], printed="more"),
    ]
    seen = [text for _, text in shown_around(cells, 4) if text]
    assert seen == ["the figure above", "the text above", "its own", "one: 2.13", "its title", "between 0.09", "two"]
    question = predict("Where?", {"at 0.2": "No.", "at 2.13, in the noise of 0.09": True, "at 7": "No."})
    assert given_with_a_choice(cells, 4, question) == [(2.13, "one: 2.13")]
