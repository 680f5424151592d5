"""Groups of tests: what shares a lecture's run, or a homework's master, is run by one worker."""

import subprocess
import sys

import pytest

from tests.conftest import ROOT
from tests.groups import group_of

GROUPS = {
    "tests/lectures/test_03.py::test_the_data": "lecture 03",
    "tests/lectures/test_figures.py::test_every_control[03_gradient_descent]": "lecture 03",
    "tests/lectures/test_answers.py::test_a_wrong_answer[05-my_times_rule-sum_for_product]": "lecture 05",
    "tests/lectures/test_claims.py::test_the_gate_closes[a changed number]": "lectures/test_claims",
    "tests/homework/test_answers.py::test_a_right_answer[hw1-q7-by_hand-0]": "homework/test_answers hw1",
    "tests/homework/test_answers.py::test_the_master_has_full_marks[0-hw1_neural_networks]": "homework/test_answers hw1",
    "tests/test_live.py::test_a[1]": "test_live",
}


@pytest.mark.parametrize("nodeid", GROUPS)
def test_group(nodeid):
    assert group_of(nodeid) == GROUPS[nodeid]


def test_a_group_is_run_by_one_worker(tmp_path):
    """Two lectures' tests stand in turns in one file, and each worker sees the whole of one."""
    (tmp_path / "pyproject.toml").write_text("[tool.pytest.ini_options]\naddopts = '-p tests.groups'\n")
    folder = tmp_path / "tests" / "lectures"
    folder.mkdir(parents=True)
    tests = "".join(
        f"@pytest.mark.parametrize('name', ['02_x', '03_x'])\n"
        f"def test_{number}(name):\n    time.sleep(0.02)\n"
        f"    with Path('ran').open('a') as file:\n        print(name, os.getpid(), file=file)\n\n"
        for number in range(4)
    )
    (folder / "test_figures.py").write_text(f"import os, time\nfrom pathlib import Path\nimport pytest\n\n{tests}")
    words = [sys.executable, "-m", "pytest", "-q", "-n", "2", "--dist", "loadgroup", "-p", "no:cacheprovider", "tests"]
    done = subprocess.run(
        words, cwd=tmp_path, capture_output=True, text=True, env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"}
    )
    assert done.returncode == 0, done.stdout + done.stderr
    seen = {tuple(line.split()) for line in (tmp_path / "ran").read_text().splitlines()}
    assert {name for name, _ in seen} == {"02_x", "03_x"} and len(seen) == 2
