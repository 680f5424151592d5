"""New lectures and homeworks: what is written builds and passes all tests, and nothing that is there is overwritten."""

import os
import re
import subprocess
import sys
from dataclasses import replace

import pytest

from coursebuild import lectures, new, text
from coursebuild.__main__ import main
from tests.conftest import ROOT
from tests.receipts import files

LECTURE, HOMEWORK = "31_graph_networks", "hw2_scaling"


def names(paths, settings):
    return [path.relative_to(settings.root).as_posix() for path in paths]


@pytest.fixture
def empty(settings, tmp_path):
    """A course without anything."""
    (tmp_path / "lectures" / "src").mkdir(parents=True)
    (tmp_path / "solutions").mkdir()
    return replace(settings, root=tmp_path)


def test_a_lecture_and_a_homework_get_their_names(empty):
    assert names(new.lecture(empty, LECTURE), empty) == [
        "lectures/src/31_graph_networks.py",
        "tests/lectures/31_cited.txt",
        "tests/lectures/answers/31/my_count.py",
        "tests/lectures/answers/31/my_standard_error.py",
        "tests/lectures/answers/31/my_update.py",
        "tests/lectures/test_31.py",
    ]
    assert names(new.homework(empty, HOMEWORK), empty) == [
        "solutions/hw2_scaling/hw2_scaling.py",
        "tests/homework/hw2/__init__.py",
        "tests/homework/hw2/q1.py",
    ]
    written = {path.name: path.read_text() for path in empty.root.rglob("*.py")}
    assert lectures.read_lecture(empty.lectures / "src" / f"{LECTURE}.py").title == "Graph networks"
    assert "# name: hw2\n" in written["hw2_scaling.py"] and "# # Homework 2: Scaling\n" in written["hw2_scaling.py"]
    assert written["test_31.py"].startswith('"""Lecture 31: its sentences, proved."""')
    assert not [name for name, words in written.items() if re.search(r"\{\{|\}\}|\bNN\b|hwN", words)]


@pytest.mark.parametrize(
    "name",
    [
        "",
        "31",
        "31_",
        "3_topic",
        "31-topic",
        "31_Topic",
        "topic_31",
        "331_topic",
        "31_topic.py",
        "../31_topic",
        "31_topic\n",
        "hw2_topic",
    ],
)
def test_a_name_that_no_lecture_can_have_is_refused(empty, name):
    with pytest.raises(new.NameRefusedError, match=r"a lecture is named NN_topic, .* such as 31_graph_networks; got "):
        new.lecture(empty, name)
    assert not [path for path in empty.root.rglob("*") if path.is_file()]


@pytest.mark.parametrize(
    "name", ["", "hw2", "hw0_topic", "hw02_topic", "hw2-topic", "homework2_topic", "hw2_Topic", "2_topic", "hw2_"]
)
def test_a_name_that_no_homework_can_have_is_refused(empty, name):
    with pytest.raises(new.NameRefusedError, match=r"a homework is named hwN_topic, .* such as hw2_convolutions; got "):
        new.homework(empty, name)
    assert not [path for path in empty.root.rglob("*") if path.is_file()]


def test_a_number_that_is_taken_is_refused(empty):
    new.lecture(empty, LECTURE)
    new.homework(empty, HOMEWORK)
    before = {path: path.read_bytes() for path in empty.root.rglob("*") if path.is_file()}
    with pytest.raises(new.NameRefusedError, match=r"lecture 31 is there already: lectures/src/31_graph_networks\.py"):
        new.lecture(empty, "31_trees")
    with pytest.raises(new.NameRefusedError, match=r"homework 2 is there already: solutions/hw2_scaling/hw2_scaling\.py"):
        new.homework(empty, "hw2_trees")
    assert {path: path.read_bytes() for path in empty.root.rglob("*") if path.is_file()} == before


def test_nothing_is_overwritten_and_nothing_half_written(empty):
    mine = empty.root / "tests" / "lectures" / "answers" / "31" / "my_update.py"
    mine.parent.mkdir(parents=True)
    mine.write_text("mine")
    with pytest.raises(new.NameRefusedError, match=r"answers/31/my_update\.py is there already, and is not overwritten"):
        new.lecture(empty, LECTURE)
    assert [path for path in empty.root.rglob("*") if path.is_file()] == [mine] and mine.read_text() == "mine"


def test_the_command_asks_for_one_name(capsys, monkeypatch, empty):
    monkeypatch.setattr("coursebuild.settings.load", lambda: empty)
    for words in (["new-lecture"], ["new-lecture", "31_a", "32_b"]):
        assert main(words) == 2 and "Name one lecture: make new-lecture 31_graph_networks" in capsys.readouterr().err
    assert main(["new-homework"]) == 2 and "make new-homework hw2_convolutions" in capsys.readouterr().err
    assert main(["new-lecture", "trees"]) == 1 and "got 'trees'" in capsys.readouterr().err
    assert main(["new-homework", HOMEWORK]) == 0
    assert "wrote   solutions/hw2_scaling/hw2_scaling.py\n" in capsys.readouterr().out


@pytest.fixture(scope="module")
def copy(tmp_path_factory):
    """This repository without its lectures and masters, and a function that runs a command there."""
    root = tmp_path_factory.mktemp("copy")
    own = re.compile(
        r"lectures/(src/)?\d|solutions/|homework/|tests/homework/hw\d|tests/lectures/(test_)?\d|tests/lectures/answers/"
    )
    for name in files(ROOT):
        if not own.match(name):
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_bytes((ROOT / name).read_bytes())
    (root / "solutions").mkdir()
    subprocess.run(["git", "init", "-q", root], check=True)
    path = os.pathsep.join([str(root), str(root / "dlcourse" / "src")])

    def run(*command):
        return subprocess.run(command, cwd=root, capture_output=True, text=True, env={**os.environ, "PYTHONPATH": path})

    return root, run


def make(run, *words):
    """Make, with this interpreter and no set-up."""
    return run("make", "--no-print-directory", "-o", "setup", f"PY={sys.executable}", *words)


@pytest.mark.timeout(300)
def test_a_new_lecture_and_a_new_homework_build_and_pass_all_their_tests(copy):
    root, run = copy
    for words in (["new-lecture", LECTURE], ["new-homework", f"NAME={HOMEWORK}"]):
        done = make(run, *words)
        assert done.returncode == 0 and "It builds and passes its tests as it is" in done.stdout, done.stdout + done.stderr
    again = make(run, "new-lecture", LECTURE)
    assert again.returncode != 0 and "lecture 31 is there already" in again.stderr
    done = make(run, "build")
    assert done.returncode == 0 and f"wrote   lectures/{LECTURE}.ipynb" in done.stdout, done.stdout + done.stderr
    tests = ["tests/lectures", "tests/homework/test_answers.py", "tests/test_repository.py", "tests/test_leaks.py"]
    chosen = "31 or hw2 or ruff or generated_files or no_outputs or public_sources"
    done = run(
        sys.executable, "-m", "pytest", "-n", "0", "-q", "-p", "no:cacheprovider", "-m", "not slow", "-k", chosen, *tests
    )
    assert done.returncode == 0, done.stdout[-6000:]
    count = int(re.search(r"(\d+) passed", done.stdout)[1])
    of_figures = len(re.findall(r"^def test_", (ROOT / "tests" / "lectures" / "test_figures.py").read_text(), re.M))
    of_answers = sum(
        path.read_text().count("\n@") for path in root.glob("tests/*/*/**/*.py") if path.parent.name in ("31", "hw2")
    )
    assert count > of_figures + of_answers and " skipped" not in done.stdout


@pytest.mark.parametrize(
    "words", [["new-lecture"], ["new-lecture", "test"], ["new-lecture", "31_a", "32_b"], ["new-homework", "2_x"]]
)
def test_make_stops_at_a_bad_name_and_does_nothing_else(copy, words):
    root, run = copy
    before = set(root.rglob("*"))
    done = make(run, *words)
    assert done.returncode != 0 and ("Name one lecture" in done.stderr or "is named" in done.stderr), done.stdout + done.stderr
    assert "pytest" not in done.stdout and set(root.rglob("*")) - before <= set(root.rglob("__pycache__/*"))


def test_the_skeletons_are_read_as_they_stand():
    """A template that an editor has broken is found here, and not by whoever starts from it."""
    for source in (new.SKELETONS / "lecture" / "lectures" / "src").glob("*.py"):
        _, cells = text.read_source(source)
        assert len(cells) > 20
    placeholders = {
        word for path in new.SKELETONS.rglob("*") if path.is_file() for word in re.findall(r"\{\{(\w+)\}\}", path.read_text())
    }
    assert placeholders <= {"title", "number", "name", "stem"}
