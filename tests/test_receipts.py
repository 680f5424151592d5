"""Receipts: a good one saves a repetition, and one changed byte of anything that was read refuses it."""

import re
import shutil
import subprocess
import sys

import pytest

from tests import receipts
from tests.conftest import ROOT

PROJECT = {
    "pyproject.toml": "[tool.pytest.ini_options]\naddopts = '-p tests.receipts'\nmarkers = ['slow: slow']\n",
    "constraints.txt": "numpy==2\n",
    "tests/conftest.py": "",
    "tests/__init__.py": "",
    "engine/core.py": "ANSWER = 42\n",
    "tests/test_it.py": """
import pytest
from pathlib import Path
from engine.core import ANSWER

@pytest.mark.receipt("engine/**")
@pytest.mark.parametrize("number", [1, 2])
def test_it(number, record_property):
    record_property("came out", f"the answer is {ANSWER} of {number}")
    Path("ran").write_text("yes")

def test_another():
    assert True
""",
}


@pytest.fixture
def project(tmp_path):
    """A small repository whose test has a receipt."""
    for name, text in PROJECT.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    shutil.copy(ROOT / "tests" / "receipts.py", tmp_path / "tests" / "receipts.py")
    (tmp_path / ".gitignore").write_text("__pycache__\n.pytest_cache\nran\n")
    subprocess.run(["git", "init", "-q", tmp_path], check=True)
    commit(tmp_path)
    run(tmp_path, "write")
    commit(tmp_path)
    return tmp_path


def commit(project):
    subprocess.run(["git", "add", "-A"], cwd=project, check=True)
    subprocess.run(["git", "commit", "-q", "--allow-empty", "-m", "x"], cwd=project, check=True)


def run(project, mode, *more):
    """Exit code, what was printed, and whether the test with a receipt ran."""
    (project / "ran").unlink(missing_ok=True)
    words = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"--receipts={mode}", "tests", *more]
    done = subprocess.run(words, cwd=project, capture_output=True, text=True)
    return done.returncode, done.stdout + done.stderr, (project / "ran").exists()


def until(project, chosen):
    """Commit until the receipt is, or is not, among those that the commit's hash chooses."""
    name = "tests/test_it.py::test_it"
    for _ in range(300):
        if receipts.is_tried_anyway(name, receipts.commit(project)) is chosen:
            return
        subprocess.run(["git", "commit", "-q", "--allow-empty", "-m", "again"], cwd=project, check=True)
    raise AssertionError("no commit chooses it")


def test_a_good_receipt_saves_the_run(project):
    line = (project / receipts.BOOK).read_text()
    assert re.fullmatch(
        r"[0-9a-f]{24}  tests/test_it.py::test_it  2 passed; the answer is 42 of 1; the answer is 42 of 2\n", line
    )
    until(project, chosen=False)
    code, said, ran = run(project, "keep")
    assert code == 0 and not ran and "1 passed, 2 deselected" in said
    assert run(project, "ignore")[::2] == (0, True)


def test_a_tenth_is_tried_all_the_same_and_must_come_out_as_written(project):
    until(project, chosen=True)
    assert run(project, "keep")[::2] == (0, True)
    book = project / receipts.BOOK
    book.write_text(book.read_text().replace("is 42 of 1", "is 41 of 1"))
    code, said, ran = run(project, "keep")
    assert code == 1 and ran and "and its receipt says 2 passed; the answer is 41 of 1" in said


def test_one_changed_byte_refuses_the_receipt(project):
    until(project, chosen=False)
    for name in ("engine/core.py", "tests/test_it.py", "tests/conftest.py", "constraints.txt", "pyproject.toml"):
        path, kept = project / name, (project / name).read_text()
        path.write_text(kept + "\n")
        code, said, ran = run(project, "keep")
        assert code == 1 and ran and "its receipt is of other inputs. Run `make verify`" in said, name
        path.write_text(kept)
    assert run(project, "keep")[::2] == (0, False)
    (project / "engine" / "core.py").write_text("ANSWER = 43\n")
    assert run(project, "renew")[::2] == (0, True)
    assert run(project, "keep")[::2] == (0, False)


def test_a_missing_receipt_fails_the_run_and_a_broken_line_is_named(project):
    (project / receipts.BOOK).write_text("")
    code, said, ran = run(project, "keep")
    assert code == 1 and ran and "its receipt is missing" in said
    (project / receipts.BOOK).write_text("abc\n")
    code, said, _ = run(project, "keep")
    assert code != 0 and "receipts.txt:1: no receipt: 'abc'" in said


def test_a_test_that_fails_gets_no_receipt(project):
    path = project / "tests" / "test_it.py"
    path.write_text(path.read_text().replace('write_text("yes")', 'write_text("yes")\n    assert number == 1'))
    assert run(project, "renew")[0] == 1
    assert (project / receipts.BOOK).read_text() == ""


def test_a_test_that_opens_what_it_does_not_name_fails(project):
    (project / "engine" / "data.txt").write_text("1")
    (project / "other.txt").write_text("1")
    path = project / "tests" / "test_it.py"
    path.write_text(path.read_text().replace('    Path("ran")', '    Path("engine/data.txt").read_text()\n    Path("ran")'))
    assert run(project, "renew")[0] == 0
    path.write_text(path.read_text().replace('    Path("ran")', '    Path("other.txt").read_text()\n    Path("ran")'))
    code, said, _ = run(project, "renew")
    assert code == 1 and "it reads what its receipt does not name: other.txt" in said


def test_a_part_of_the_tests_neither_uses_nor_writes_receipts(project):
    before = (project / receipts.BOOK).read_text()
    assert run(project, "write", "-k", "test_it and 1")[::2] == (0, True)
    assert (project / receipts.BOOK).read_text() == before


def test_every_receipt_of_the_course_is_refused_after_a_change_of_each_kind_of_input(tmp_path):
    """On a copy of the repository: for every set of inputs, one byte more in one file of it gives another digest."""
    sources = {"lecture": "03_gradient_descent", "homework": "hw1_neural_networks"}
    kinds = {name: tuple(glob.format(lecture=sources.get(name)) for glob in globs) for name, globs in receipts.SETS.items()}
    kinds["always"] = tuple(glob.format(test="tests/test_receipts.py") for glob in receipts.ALWAYS)
    for name in sorted({name for globs in kinds.values() for name in receipts.named_by(globs, ROOT)}):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    subprocess.run(["git", "init", "-q", tmp_path], check=True)
    for kind, globs in kinds.items():
        before = receipts.digest(globs, tmp_path)
        for glob in globs:
            name = sorted(receipts.named_by((glob,), tmp_path))[0]
            path = tmp_path / name
            kept = path.read_bytes()
            path.write_bytes(kept + b" ")
            assert receipts.digest(globs, tmp_path) != before, (kind, name)
            path.write_bytes(kept)
        assert receipts.digest(globs, tmp_path) == before
