"""The sample class: what is handed in is what its roll says, and what differs from the roll is found."""

import ast
import itertools
import json
import zipfile
from contextlib import closing
from dataclasses import replace
from hashlib import sha256

import pytest

from autograder import notebook
from autograder.intake import collect
from autograder.results import QUESTION_STATUSES, STATUSES, QuestionResult, SubmissionResult
from autograder.store import Store
from dlcourse.grader import export
from tests.sample_class import grading, making
from tests.sample_class.making import QUESTIONS, answer, code, drafted, exported, solve, split, train
from tests.sample_class.roll import MARKUP, POINTS, ROLL


def as_the_roll_says(entry, hw1):
    """The result that an entry must get."""
    manifest = json.loads((hw1.folder / "manifest.json").read_text())
    questions = tuple(
        QuestionResult(
            id=question["id"],
            title=question["title"],
            status=entry.ended.get(question["id"], "graded"),
            points=0 if question["manual"] else question["points"] - entry.lost.get(question["id"], 0),
            max_points=question["points"],
            manual=question["manual"],
        )
        for question in manifest["questions"]
        if entry.status != "unreadable"
    )
    return SubmissionResult(
        assignment="hw1",
        student=entry.student,
        attempt=1,
        notebook_hash=sha256(entry.file()).hexdigest(),
        tests_version=hw1.version,
        status=entry.status,
        points=entry.points,
        max_points=hw1.points,
        questions=questions,
        message_student="",
        message_instructor="",
    )


def test_forty_hand_in_and_the_grader_finds_them_all(tmp_path):
    paths = grading.write(ROLL, tmp_path)
    found = collect(paths).received
    assert [one.student for one in found] == [entry.student for entry in ROLL]
    assert len({one.student for one in found}) == len(found) == 40
    assert {entry.status for entry in ROLL} == {name for name, status in STATUSES.items() if status.by_student}
    before = [path.read_bytes() for path in paths]
    assert [path.read_bytes() for path in grading.write(ROLL, tmp_path)] == before, "the same bytes, so the same attempt"


@pytest.mark.parametrize("entry", ROLL, ids=lambda entry: repr(entry.student))
def test_lost_points_are_those_of_tests(entry, hw1):
    assert set(entry.ended.values()) <= set(QUESTION_STATUSES)
    manifest = json.loads((hw1.folder / "manifest.json").read_text())
    for question in manifest["questions"]:
        if question["manual"]:
            assert question["id"] not in entry.lost
            continue
        assert question["points"] == POINTS[question["id"]]
        points = [test["points"] for test in question["tests"]]
        sums = {sum(chosen) for count in range(len(points) + 1) for chosen in itertools.combinations(points, count)}
        assert entry.lost.get(question["id"], 0) in sums


def test_the_master_fills_the_release():
    cells = notebook.read(drafted(solve(*QUESTIONS), train(small=False)))
    text = "\n".join(cells)
    assert text.count("NotImplementedError") == 1, "of the network that is trained in a cell of its own"
    assert "SOLUTION" not in text
    assert [part.questions for part in notebook.segments(cells, list(QUESTIONS))] == [(q,) for q in QUESTIONS] + [()]
    assert notebook.read(exported(drafted(solve(*QUESTIONS), train(small=False)))) == cells


def test_answers_stand_below_the_masters():
    cells = notebook.read(drafted(solve("q1"), answer("q1.asserted"), code("q1", "x = 1")))
    check = cells.index('grader.check("q1")')
    assert cells[check - 1] == "x = 1"
    assert "assert" in cells[check - 2]
    assert "powers" in cells[check - 3]
    with pytest.raises(KeyError):
        answer("q1.no_such_answer")


def test_a_split_cell_holds_what_it_held():
    def bodies(*steps):
        cells = notebook.read(drafted(*steps))
        end = cells.index('grader.check("q2")')
        return cells[cells.index('grader.check("q1")') + 1 : end]

    whole, parts = bodies(solve("q2")), bodies(solve("q2"), split("q2"))
    assert (len(whole), len(parts)) == (1, 4)
    assert [ast.dump(node) for part in parts for node in ast.parse(part).body] == [
        ast.dump(node) for node in ast.parse(whole[0]).body
    ]


def test_an_export_is_what_the_notebooks_last_cell_writes(tmp_path):
    data = drafted()
    (tmp_path / "ours.zip").write_bytes(exported(data))
    theirs = export.write("hw1", making.RELEASE.name, data, [], {}, tmp_path)
    with zipfile.ZipFile(tmp_path / "ours.zip") as ours, zipfile.ZipFile(theirs) as made:
        assert ours.namelist() == made.namelist()
        assert ours.read(making.RELEASE.name) == made.read(making.RELEASE.name)
        assert json.loads(ours.read("submission.json")).keys() <= json.loads(made.read("submission.json")).keys()


@pytest.mark.parametrize("entry", ROLL, ids=lambda entry: repr(entry.student))
def test_every_difference_from_the_roll_is_found(entry, hw1):
    right = as_the_roll_says(entry, hw1)
    assert list(grading.compared(entry, right)) == []
    assert list(grading.compared(entry, replace(right, points=right.points + 0.5)))
    assert list(grading.compared(entry, replace(right, status="internal", points=None)))
    for place, question in enumerate(right.questions):
        if question.manual:
            continue
        for change in ({"points": question.points + 0.25}, {"status": "timeout" if question.status != "timeout" else "died"}):
            changed = (*right.questions[:place], replace(question, **change), *right.questions[place + 1 :])
            [line] = grading.compared(entry, replace(right, questions=changed))
            assert line.startswith(f"{question.id} lost")


def test_grades_and_pages_are_looked_at(hw1, tmp_path):
    entry = ROLL[0]
    store_file = tmp_path / grading.GRADES / grading.STORE
    with closing(Store(store_file)) as store:
        [submission] = store.register("hw1", [(entry.student, sha256(entry.file()).hexdigest(), entry.file_name)])
        build = hw1.folder.parent.parent
        head = f"{entry.student!r}, {entry.about}: "
        assert grading.differences([entry], tmp_path, build) == [f"{head}not graded"]
        store.put(submission, as_the_roll_says(entry, hw1))
        assert grading.differences([entry], tmp_path, build) == [f"{head}has no page"]
        page = tmp_path / grading.GRADES / "pages" / submission.token / "index.html"
        page.parent.mkdir(parents=True)
        page.write_text(f"<p>{MARKUP}</p>")
        assert grading.differences([entry], tmp_path, build) == [f"{head}the page holds markup of the student's"]
        page.write_text("<p>95 points</p>")
        assert grading.differences([entry], tmp_path, build) == []
