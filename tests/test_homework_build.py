"""From a master to a release: what students get, what only the grader gets, and every rule for authors."""

import ast
import json
import re
import shutil
import subprocess
import sys
import time
import zipfile

import nbformat
import pytest

from coursebuild import assignment, build, homework
from coursebuild.execute import offline_environment
from coursebuild.text import SourceError
from tests.conftest import SAMPLE_MASTER

SAMPLE = SAMPLE_MASTER.read_text()
RELEASE = "homework/hw0_sample/hw0_sample.ipynb"


@pytest.fixture
def built(course):
    build.build(course)
    return course


@pytest.fixture
def release(built):
    return nbformat.read(built.root / RELEASE, as_version=4)


def master_of(course):
    return course.root / "solutions" / "hw0_sample" / "hw0_sample.py"


def test_the_release_holds_its_parts_in_their_order(release, built):
    kinds = [(cell.cell_type, cell.source.split("\n")[0]) for cell in release.cells]
    assert kinds == [
        ("markdown", "# Sample homework"),
        ("markdown", kinds[1][1]),
        ("code", "# Run this first. It installs what is missing, and leaves alone what is there."),
        ("code", homework.TESTS_HEAD),
        ("markdown", "## Question 1. Softmax"),
        ("code", "def softmax(logits):"),
        ("code", 'grader.check("q1")'),
        ("markdown", "## Question 2. Why it is stable"),
        ("markdown", "_Type your answer here, replacing this text._"),
        ("markdown", "## Submission"),
        ("code", "grader.export()"),
    ]
    assert built.colab_url(RELEASE) in kinds[1][1]
    setup, tests = release.cells[2:4]
    assert setup.metadata["tags"] == ["setup"] and tests.metadata["tags"] == ["folded"]
    assert built.wheel_url in setup.source and setup.source.endswith('import numpy as np\n\nfrom dlcourse.grader import Notebook\n\ngrader = Notebook("hw0")')  # fmt: skip
    assert "# Zeros, so that every entry must be the same." in tests.source, "public tests are shown as they were authored"
    assert all("otter" not in cell.source for cell in release.cells)
    assert release.metadata["course"]["homework"] == "hw0"


def test_stubs_say_what_is_to_be_done(release):
    stub = release.cells[5].source
    assert 'raise NotImplementedError("q1: softmax() is yours to write")' in stub
    assert "Probabilities of each row" in stub and "temperature_of_choice = ..." in stub


def stubbed(code, course):
    work = assignment.read(master_of(course))
    cells = homework.with_stubs([homework.Cell("code", code, 0), homework.Cell("code", 'grader.check("q1")', 0)], work)
    return cells[0].text


def test_stubs_in_methods_branches_and_classes(course):
    code = "class A:\n    def f(self, x):\n        if x:\n            ...\n        y = ...\n        return x[..., 0] + y\n\n    ...\n\n\n..."
    expected = code.replace("            ...", '            raise NotImplementedError("q1: A.f() is yours to write")', 1)
    assert stubbed(code, course) == expected, "only in functions: a class body or a cell that raises would stop what follows"


def test_a_cell_that_is_no_python_without_its_solution(course):
    path = master_of(course)
    path.write_text(
        SAMPLE.replace("    # BEGIN SOLUTION\n", "    # BEGIN SOLUTION NO PROMPT\n").replace(
            '    """Probabilities of each row, (N, K)."""\n', ""
        )
    )
    with pytest.raises(SourceError, match="without its solution this cell does not parse") as caught:
        build.build(course)
    assert path.read_text().splitlines()[caught.value.line - 1] == "def softmax(logits):"


def test_magics_in_a_question(course):
    assert stubbed("%matplotlib inline\ndef f():\n    ...", course).endswith(
        'raise NotImplementedError("q1: f() is yours to write")'
    )


def test_building_again_gives_the_same_bytes_also_from_nothing(built):
    before = (built.root / RELEASE).read_bytes()
    assert not build.build(built).changed
    shutil.rmtree(built.build)
    (built.root / RELEASE).unlink()
    start = time.monotonic()
    build.build(built)
    assert time.monotonic() - start < 60
    assert (built.root / RELEASE).read_bytes() == before
    assert build.differences(built) == []


def test_otter_runs_once_for_a_master(built, monkeypatch):
    monkeypatch.setattr(homework.subprocess, "run", lambda *args, **kwargs: pytest.fail("otter was run"))
    start = time.monotonic()
    assert not build.build(built).changed
    assert time.monotonic() - start < 2
    (homework.private_folder(assignment.read(master_of(built)), built) / "made_from").unlink()
    with pytest.raises(pytest.fail.Exception, match="otter was run"):
        build.build(built)


def test_a_changed_master_is_built_anew(built):
    path = master_of(built)
    path.write_text(path.read_text().replace("The softmax of each row, and", "The softmax of every row, and"))
    assert [stale.name for stale in build.differences(built)] == ["hw0_sample.ipynb"]
    assert built.root / RELEASE in build.build(built).written
    assert "every row" in (built.root / RELEASE).read_text()


def test_nothing_secret_lies_in_the_release(release, built):
    text = (built.root / RELEASE).read_text()
    for secret in ("shifted_for_safety", "secret_probe", "20391", "which cancels", "does exp give", "0.731", "test_is_stable"):
        assert secret not in text and secret in SAMPLE
    assert [path.name for path in (built.root / "homework").rglob("*") if path.is_file()] == ["hw0_sample.ipynb"]
    assert 'question.hidden("large logits", points=0.5)' in release.cells[3].source


def test_what_the_grader_gets(built):
    folder = built.build / "homework" / "hw0"
    manifest = json.loads((folder / "manifest.json").read_text())
    [first, second] = manifest["questions"]
    assert manifest["assignment"] == "hw0" and manifest["title"] == "Sample homework" and manifest["points"] == 3
    assert {name: first[name] for name in ("id", "number", "title", "points", "manual", "time_limit_s", "minutes")} == {
        "id": "q1", "number": 1, "title": "Softmax", "points": 2, "manual": False, "time_limit_s": 5, "minutes": 10,
    }  # fmt: skip
    assert second["manual"] and second["tests"] == []
    assert [(test["topic"], test["hidden"], test["points"]) for test in first["tests"]] == [
        ("rows sum to one", False, 0.5),
        ("large logits", True, 0.5),
        ("shape", False, 0.25),
        ("shift invariance", True, 0.75),
    ]
    assert first["tests"][3]["hints"] == ["a constant was added after exp"]
    assert first["tests"][3]["hint"] == "adding one number to every logit of a row changes nothing"
    tree = ast.parse((folder / "tests" / "q1.py").read_text())
    written = [node.name for node in tree.body if isinstance(node, ast.FunctionDef)]
    assert written == [test["function"] for test in first["tests"]], "an index is the place in otter's file"
    assert [test["index"] for test in first["tests"]] == [0, 1, 2, 3]
    with zipfile.ZipFile(folder / "autograder.zip") as packed:
        assert "secret_probe" in packed.read("tests/q1.py").decode()


def test_the_version_follows_the_tests_and_nothing_else(course):
    def version(change):
        path = master_of(course)
        path.write_text(change(SAMPLE))
        manifest = json.loads(homework.manifest(assignment.read(path)))
        return manifest["version"], manifest["seed"]

    same = version(lambda text: text)
    assert version(lambda text: text.replace("The softmax of each", "The softmax of every")) == same
    other = version(lambda text: text.replace("1234.5, 1234.5", "1234.6, 1234.6"))
    assert other[0] != same[0] and other[1] != same[1]


def test_the_week_table_links_the_homework(course):
    source = course.lectures / "src" / "01_sample.py"
    source.write_text(source.read_text().replace("# ---\n\n", "# homework: hw0\n# ---\n\n", 1))
    build.build(course)
    assert f"| [hw0]({RELEASE}) |" in (course.root / "README.md").read_text()
    source.write_text(source.read_text().replace("homework: hw0", "homework: hw7"))
    with pytest.raises(SourceError, match=r"01_sample\.py:4: there is no homework 'hw7' in solutions/: there are hw0"):
        build.build(course)


def test_a_release_edited_by_hand_is_set_aside_and_one_without_a_master_removed(built):
    path = built.root / RELEASE
    nb = nbformat.read(path, as_version=4)
    nb.cells[5].source = "my answer"
    nbformat.write(nb, path)
    [(edited, kept)] = build.build(built).kept_aside
    assert edited == path and "my answer" in kept.read_text()
    master_of(built).unlink()
    assert build.build(built).removed == [path]


def test_plain_otter_grades_the_public_tests(built, tmp_path):
    """otter's own Notebook, in a process of its own, on the release alone."""
    folder = tmp_path / "alone"
    folder.mkdir()
    shutil.copy(built.root / RELEASE, folder)
    script = (
        "import numpy as np, otter\n"
        "grader = otter.Notebook('hw0_sample.ipynb')\n"
        "wrong = grader.check('q1', global_env={'softmax': lambda x: np.exp(x) / np.exp(x).sum(0)})\n"
        "right = grader.check('q1', global_env={'softmax': lambda x: np.exp(x) / np.exp(x).sum(-1, keepdims=True)})\n"
        "for result in (wrong, right):\n"
        "    print(result.passed_all, [case.passed for case in result.test_case_results])\n"
        "print(repr(wrong))\n"
    )
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, env=offline_environment())
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[:2] == ["False [False, True]", "True [True, True]"]
    assert "what do you divide by, and along which axis?" in done.stdout


@pytest.mark.receipt("kit", "build", "tests/samples/**")
def test_plain_otter_runs_the_autograder(built, tmp_path):
    """As on Gradescope: otter run, with autograder.zip, on a right answer and on the untouched release."""
    release = (built.root / RELEASE).read_text()
    stub = r"raise NotImplementedError(\"q1: softmax() is yours to write\")"
    right = "e = np.exp(logits - logits.max(-1, keepdims=True)); return e / e.sum(-1, keepdims=True)"
    assert stub in release
    scores = {}
    for name, text in (("right", release.replace(stub, right)), ("untouched", release)):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "submission.ipynb").write_text(text)
        shutil.copy(built.build / "homework" / "hw0" / "autograder.zip", folder)
        command = [sys.executable, "-m", "otter", "run", "--no-logo", "submission.ipynb"]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, env=offline_environment())
        assert done.returncode == 0, done.stdout + done.stderr
        results = json.loads((folder / "results.json").read_text())["tests"]
        [scores[name]] = [(test["score"], test["max_score"]) for test in results if test["name"] == "q1"]
    assert scores == {"right": (2, 2), "untouched": (0, 2)}


def test_what_stands_above_a_heading_is_no_answer(course):
    work = assignment.read(master_of(course))
    cells = [("code", "given = 1"), ("markdown", "## Question 1. Softmax"), ("code", "x = 1\nclass A:\n    pass")]
    cells = [homework.Cell(kind, text, 0) for kind, text in [*cells, ("code", 'grader.check("q1")')]]
    assert homework.names_by_question(cells, work)["q1"] == ["x", "A"]


# The rules for authors: what is written, what it is changed to, what the build says, and at which line's text.
PROMISE = "*2 points · 10 minutes · difficulty 1 of 3 · draws on lecture 02, Softmax regression*"
PROBE = "    secret_probe = np.array([[1234.5, 1234.5]])\n"
TOTAL = "    total = softmax(np.zeros((2, 3))).sum(axis=-1)\n"
RULES = {
    "points do not add up": ("points: 0.75", "points: 1", r"0.5 \+ 0.5 \+ 0.25 \+ 1 = 2.25 points, and the question 2"),
    "prompt and config differ": (PROMISE, PROMISE.replace("2 points", "3 points"), "promises 3 points, and its config gives 2"),
    "no line of facts": (PROMISE, "Two points.", "lacks its line of facts"),
    "no title": ("## Question 1. Softmax", "Softmax", r"starts with a line '## Question 1\. Title'"),
    "wrong number": ("## Question 1.", "## Question 3.", "this is question 1, and its title says 3"),
    "time limit": ("<!-- time limit: 5 s -->", "<!-- time limit: 5 min -->", "is written <!-- time limit: 60 s -->"),
    "no topic": ("name: large logits\n", "", "has no topic"),
    "facts without a source": (PROMISE, PROMISE.replace("lecture 02", "what you know"), "lacks its line of facts"),
    "topic in capitals": ("name: large logits", "name: Large logits", "lower case"),
    "topic twice": ("name: large logits", "name: shape", "the topic of q1 'shape' is there already, in line"),
    "no hint": ("failure_message: what does exp give for a large number?\n", "", "has no hint"),
    "quote in hint": ("failure_message: what does exp", 'failure_message: what does "exp"', "one line without"),
    "no config": (re.search(r'""" # BEGIN TEST CONFIG\nname: shape\n.*?CONFIG\n\n\n', SAMPLE, re.S)[0], "", "starts with its config"),
    "points missing": ("points: 0.25\n", "", "needs its points as a number, got None"),
    "function twice": ("def test_keeps_the_shape(", "def test_is_stable(", "test function of q1 'test_is_stable' is there already"),
    "two functions": ("def test_is_stable", "def helper():\n    pass\n\n\ndef test_is_stable", "one function test_"),
    "default": ("def test_is_stable(softmax)", "def test_is_stable(softmax, x=1)", "without defaults"),
    "a name from outside": (TOTAL, TOTAL.replace("np.zeros", "numpy.zeros"), "uses 'numpy': import it inside"),
    "bare assert": (PROBE, PROBE + "    assert softmax(secret_probe).sum() == 1\n", "a bare assert"),
    "allclose": (PROBE, PROBE + "    np.allclose(secret_probe, 1)\n", r"np\.allclose in a test takes an empty"),
    "allclose, renamed": (PROBE, "    from numpy import allclose as same\n\n" + PROBE + "    same(secret_probe, 1)\n", "same in a test"),
    "torch.allclose": (PROBE, "    import torch\n\n" + PROBE + "    torch.allclose(1, 1)\n", r"torch\.allclose in a test"),
    "assert_allclose": (PROBE, PROBE + "    np.testing.assert_allclose(1, 1)\n", "use check.close"),
    "np.random": (PROBE, PROBE + "    np.random.seed(1)\n", r"np\.random\.seed in a test is global random state"),
    "random": (PROBE, "    import random\n\n" + PROBE + "    random.random()\n", r"random\.random in a test is global"),
    "manual_seed": (PROBE, "    import torch\n\n" + PROBE + "    torch.manual_seed(1)\n", "pass a torch.Generator"),
    "number drawn twice": ("check.rng(20391)", "check.rng(1)", r"check\.rng\(1\) is drawn from by the test in line \d+ too"),
    "number computed": ("check.rng(20391)", "check.rng(20390 + 1)", "takes a number, written out"),
    "hint computed": ('mistakes={"a constant', 'mistakes={f"a constant', "string literals"),
    "question name": ("# name: q1", "# name: softmax", "named q1, q2 and so on"),
    "question twice": ("# name: q2", "# name: q1", "the question 'q1' is there already"),
    "no points": ("# name: q1\n# points: 2", "# name: q1", "needs its points as one number above 0, got None"),
    "doctest format": ("#     ok_format: false", "#     ok_format: true", "tests are functions inside the notebook"),
    "files": ("# tests:\n", "# files:\n#     - data.csv\n# tests:\n", "'files' has no place"),
    "no name": ("# name: hw0\n", "", "needs a short name"),
    "no set-up": ("# %%\nimport numpy as np\n\n", "", "the set-up cell is missing"),
    "no heading": ("# # Sample homework", "# Sample homework", "has no title"),
}  # fmt: skip


@pytest.mark.parametrize("rule", RULES)
def test_a_broken_rule_stops_the_build_and_names_the_line(rule, tmp_path):
    before, after, says = RULES[rule]
    assert SAMPLE.count(before) >= 1
    path = tmp_path / "hw0_sample.py"
    path.write_text(SAMPLE.replace(before, after, 1))
    with pytest.raises(SourceError, match=says) as caught:
        assignment.read(path)
    assert caught.value.path == path and 1 <= caught.value.line <= SAMPLE.count("\n") + 1


LINES = {
    "bare assert": "assert softmax",
    "np.random": "np.random.seed",
    "two functions": "def helper",
    "no topic": '""" # BEGIN',
}


@pytest.mark.parametrize("rule", LINES)
def test_the_line_named_is_the_authors(rule, tmp_path):
    before, after, _ = RULES[rule]
    path = tmp_path / "hw0_sample.py"
    path.write_text(SAMPLE.replace(before, after, 1))
    with pytest.raises(SourceError) as caught:
        assignment.read(path)
    assert LINES[rule] in path.read_text().splitlines()[caught.value.line - 1]


def test_two_masters_may_not_share_a_name(course):
    other = course.root / "solutions" / "hw0_other" / "hw0_other.py"
    other.parent.mkdir()
    other.write_text(SAMPLE)
    with pytest.raises(SourceError, match=r"the name 'hw0' is that of hw0_other\.py already"):
        homework.read_all(course)


def test_a_notebook_of_another_otter_is_refused(course):
    work = assignment.read(master_of(course))
    made = nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell(str(i)) for i in range(6)])
    with pytest.raises(SourceError, match="another form of notebook"):
        homework.release_cells(work, made, course)
