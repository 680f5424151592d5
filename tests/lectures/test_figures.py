"""Every live figure, prediction and exercise of every lecture, touched in every way that a reader can."""

import re
from itertools import pairwise

import pytest

from coursebuild.text import read_source
from dlcourse.live import Button, Choice, Function, Text
from dlcourse.predict import Choose, Estimate
from tests.conftest import ROOT
from tests.predictions import (
    asked_anew,
    commit,
    given_with_a_choice,
    names_the_answer,
    names_the_choice,
    right_entries,
    shown_around,
    wrong_entries,
)
from tests.session import source_of

pytestmark = pytest.mark.parametrize("source", sorted((ROOT / "lectures" / "src").glob("*.py")), ids=lambda path: path.stem)


def test_every_control_of_every_figure_changes_picture_and_words(source, lecture):
    assert lecture.figures, "a lecture without a live figure"
    for title, figure in lecture.figures.items():
        assert figure.errors == [], title
        for name, rows in lecture.drives[title].rows.items():
            control = figure.controls[name]
            if isinstance(control, Button | Text):
                continue
            if isinstance(control, Function) and figure.run is not None:
                continue  # whether a run uses it depends on another control: tested below
            first, last = rows[0], rows[-1]
            pairs = pairwise(rows) if isinstance(control, Choice) else [(first, last)]
            for (a, (picture_a, words_a)), (b, (picture_b, words_b)) in pairs:
                where = f"{title}, {name}: {a!r} and {b!r}"
                assert picture_a != picture_b, f"{where} give the same picture"
                assert words_a != words_b, f"{where} give the same words: {words_a}"
        assert figure.errors == [] and figure.readout.strip(), title


def test_controls_return_to_where_they_were(source, lecture):
    """The picture depends on the setting alone, not on the way there."""
    for title, driven in lecture.drives.items():
        assert driven.after == driven.before, title


def test_a_readers_function_that_raises_leaves_the_figure_standing(source, lecture):
    """While it is broken the figure says so, at its next drawing or its next tick; mended, all is well again."""
    for title, figure in lecture.figures.items():
        for control in figure.controls.values():
            if not isinstance(control, Function):
                continue
            good = lecture.names[control.value]
            lecture.run(f"def {control.value}(*args, **kwargs):\n    return undefined_name")
            notes = [figure.note]
            for name, choice in figure.controls.items() if figure.run else ():
                for option in choice.extremes() if isinstance(choice, Choice) else ():
                    figure.set(**{name: option})
                    figure.run.step()
                    notes.append(figure.note)
            assert any("NameError: name 'undefined_name' is not defined" in note for note in notes), title
            assert figure.errors == []
            lecture.names[control.value] = good
            if figure.run:
                figure.run.reset()
            figure.update()
            assert figure.note == "" and not figure.failed, title


def test_every_loop_steps_resets_and_repeats(source, lecture):
    for title, figure in lecture.figures.items():
        if figure.run is None:
            continue
        figure.run.reset()
        start = figure.picture.encode("png"), figure.readout
        for _ in range(3):
            figure.run.step()
        after = figure.picture.encode("png"), figure.readout
        assert after[0] != start[0] and after[1] != start[1], title
        figure.run.reset()
        assert (figure.picture.encode("png"), figure.readout) == start, title
        for _ in range(3):
            figure.run.step()
        assert (figure.picture.encode("png"), figure.readout) == after, f"{title}: the run does not repeat"
        figure.run.reset()
        assert figure.errors == []


def test_every_prediction_accepts_every_answer(source, lecture):
    """Each wrong answer and then a right one, two wrong ones, and the answer asked for; none gives more away than it must."""
    assert len(lecture.predictions) >= 3
    for question in lecture.predictions:
        assert not question.committed and question.static_html()
        wrong, right = wrong_entries(question), right_entries(question)
        for entry, reason in wrong:
            ran = []
            asked = asked_anew(question, lambda ran=ran: ran.append(1))
            commit(asked, entry)
            assert asked.right is False and reason in asked.said, f"{question.question} {entry}: {asked.said}"
            if asked.tries > 1:
                assert not asked.committed and not ran
                hidden = {question.because, *[why for _, why in wrong]} - {reason, "", "Too small.", "Too large."}
                assert not [why for why in hidden if why in source_of(asked.widget)], question.question
                commit(asked, right[0])
                assert asked.right and asked.committed and ran == [1] and "at the second try" in asked._answer.value
        for (first, _), (second, reason) in pairwise([*wrong, wrong[0]]) if len(wrong) > 1 else []:
            asked = asked_anew(question)
            commit(asked, first)
            commit(asked, second)
            assert asked.right is False and asked.committed and asked.answer_text() in asked.said
            assert reason in asked.said and question.because in asked.said, f"{question.question} {first}, {second}"
        for entry in right:
            asked = asked_anew(question)
            commit(asked, entry)
            assert asked.right and len(asked.tried) == 1, f"{question.question} {entry}: {asked.said}"
        asked = asked_anew(question)
        commit(asked, wrong[0][0])
        asked.reveal()
        assert asked.committed and asked.right is False and question.because in asked.said
        commit(question, right[0])
        assert question.right and question.errors == [], question.question


def test_no_reason_gives_the_answer_away_before_the_second_try(source, lecture):
    given_away = [
        f"{question.question} {entry}: {reason}"
        for question in lecture.predictions
        if question.tries > 1
        for entry, reason in wrong_entries(question)
        if (names_the_choice(question, reason) if isinstance(question, Choose) else names_the_answer(question, reason))
    ]
    assert not given_away, "\n".join(given_away)


def test_no_number_is_given_away_before_it_is_asked_for(source, lecture):
    """After Run All neither the figure above a prediction nor what comes below it, up to its second figure, shows the answer.

    The text right above is looked at, too. What stands further away may hold the same number for another reason.
    """
    given_away = [
        f"{question.question}: {where} says {number}: {text.strip()[:300]}"
        for i, ran in enumerate(lecture.cells)
        for question in ran.predictions
        if isinstance(question, Estimate)
        for where, text in shown_around(lecture.cells, i)
        if (number := names_the_answer(question, text))
    ]
    assert not given_away, "\n".join(given_away)


def test_no_choice_is_given_away_by_its_number(source, lecture):
    """'at w = 2.13' is, when the figure below says 2.13, and no other choice nor anything above has that number."""
    given_away = [
        f"{question.question} {question.answer}: below stands {number:g}: {text.strip()[:300]}"
        for i, ran in enumerate(lecture.cells)
        for question in ran.predictions
        if isinstance(question, Choose)
        for number, text in given_with_a_choice(lecture.cells, i, question)
    ]
    assert not given_away, "\n".join(given_away)


def test_exercises_start_unsolved_and_their_solutions_pass(source, lecture):
    """The folded solution after each exercise, run as a cell, passes the exercise's own check."""
    text = "\n\n".join(cell.text for cell in read_source(source)[1])
    folded = re.findall(r"<details><summary>Solution</summary>\s*```python\n(.*?)```", text, re.S)
    later = [task for task in lecture.exercises.values() if task.solution is None]
    assert len(folded) == len(later) and len(lecture.exercises) >= 3
    assert not re.search(r"default_rng\(\s*\)", text), "a generator without a seed draws other numbers each time"
    for task in lecture.exercises.values():
        assert task.state in ("open", "failed"), f"{task.title} is solved before the reader has done anything"
        assert getattr(lecture.names.get(task.uses), "of_exercise", None) is None, f"a cell writes over {task.uses}"
        before = task.message
        task.run()
        assert task.message == before, "a check draws the same inputs each time"
        if task.solution is not None:
            lecture.names[task.uses] = task.solution
            task.run()
            assert task.state == "passed", f"{task.title}: {task.message}"
    for solution, task in zip(folded, later, strict=True):
        lecture.run(solution)
        task.run()
        assert task.state == "passed", f"{task.title}: {task.message}"
