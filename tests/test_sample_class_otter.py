"""otter's own runner agrees with the engine on every honest submission of the sample class."""

import os
import sys
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import pytest

from tests.sample_class.roll import POINTS, ROLL, Entry

HONEST = [entry for entry in ROLL if entry.honest]
JOBS = 2


def prepare() -> None:
    """A worker of otter's: one thread, and `grader.export()` in a notebook does not run it once more."""
    os.environ.update(OMP_NUM_THREADS="1", DLCOURSE_EXPORT="1")


def run_by_otter(submission: Path, autograder: Path) -> dict[str, float]:
    """The points by question that `otter run` gives."""
    from otter.api import grade_submission

    os.chdir(submission.parent)  # otter goes back to where it was
    results = grade_submission(str(submission), str(autograder), quiet=True)
    return {name: file.score for name, file in results.results.items()}


def expected(entry: Entry) -> dict[str, float]:
    """What the roll says, but where it names another number for otter."""
    lost = entry.lost | {question: points for question, (points, _) in entry.otter.items()}
    return {question: best - lost.get(question, 0) for question, best in POINTS.items()}


def test_enough_submissions_are_honest():
    assert len(HONEST) >= 20
    for entry in HONEST:
        assert entry.status == "graded" and not entry.ended
        assert all(why for _, why in entry.otter.values())


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_otter_agrees(hw1, tmp_path, monkeypatch):
    # After other tests __main__ may be IPython's, which lacks what spawn asks for.
    monkeypatch.setattr(sys.modules["__main__"], "__spec__", None, raising=False)
    files = []
    for number, entry in enumerate(HONEST):
        files.append(tmp_path / f"{number}" / f"submission{entry.ending}")
        files[-1].parent.mkdir()
        files[-1].write_bytes(entry.file())
    with ProcessPoolExecutor(JOBS, mp_context=get_context("spawn"), initializer=prepare) as pool:
        given = list(pool.map(run_by_otter, files, [hw1.folder / "autograder.zip"] * len(files)))
    wrong = {
        entry.student: (points, expected(entry))
        for entry, points in zip(HONEST, given, strict=True)
        if points != pytest.approx(expected(entry))
    }
    assert wrong == {}
