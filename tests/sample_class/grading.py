"""Write the class's files, grade them by the command line, and compare what came with the roll."""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from hashlib import sha256
from pathlib import Path

from autograder.batch import Assignment, read_assignment
from autograder.results import SubmissionResult
from autograder.store import Store
from tests.homework.particulars import ROOT
from tests.sample_class.making import NAME
from tests.sample_class.roll import MARKUP, ROLL, Entry

SUBMISSIONS, GRADES = "submissions", "grades"  # folders inside the class's own
STORE = "grades.sqlite"


def write(roll: list[Entry], folder: Path) -> list[Path]:
    """The files of the class, in the order of the roll; whatever lay in their folder goes."""
    place = folder / SUBMISSIONS
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(parents=True)
    paths = []
    for entry in roll:
        path = place / entry.file_name
        path.write_bytes(entry.file())
        paths.append(path)
    return paths


def grade(paths: list[Path], folder: Path, build: Path, jobs: int) -> int:
    """The exit code of `autograder grade` on these files, in this order."""
    command = [Path(sys.executable).with_name("autograder"), "grade", *paths, "--assignment", NAME, "--jobs", str(jobs)]
    places = ["--out", folder / GRADES, "--store", folder / GRADES / STORE, "--build", build]
    return subprocess.run([*command, *places]).returncode


def differences(roll: list[Entry], folder: Path, build: Path) -> list[str]:
    """What is not as the roll says, one line each."""
    assignment = read_assignment(build, NAME)
    with closing(Store(folder / GRADES / STORE)) as store:
        return [
            f"{entry.student!r}, {entry.about}: {line}"
            for entry in roll
            for line in _of_entry(entry, store, assignment, folder / GRADES / "pages")
        ]


def _of_entry(entry: Entry, store: Store, assignment: Assignment, pages: Path) -> Iterator[str]:
    digest = sha256(entry.file()).hexdigest()
    found = [one for one in store.find(entry.student, NAME) if one.student == entry.student and one.raw_hash == digest]
    result = store.get(found[0], assignment.version) if found else None
    if result is None:
        yield "not graded"
        return
    page = pages / found[0].token / "index.html"
    if not page.is_file():
        yield "has no page"
    elif MARKUP in page.read_text(encoding="utf-8"):
        yield "the page holds markup of the student's"
    yield from compared(entry, result)


def compared(entry: Entry, result: SubmissionResult) -> Iterator[str]:
    """What is not as the roll says about a result."""
    if (result.status, result.points) != (entry.status, entry.points):
        yield f"{result.points} points, {result.status}; the roll says {entry.points}, {entry.status}"
    for question in result.questions:
        lost = 0 if question.manual else question.max_points - question.points
        status = entry.ended.get(question.id, "graded")
        if (lost, question.status) != (entry.lost.get(question.id, 0), status):
            yield f"{question.id} lost {lost:g}, {question.status}; the roll says {entry.lost.get(question.id, 0):g}, {status}"


def main(jobs: int) -> int:
    """Grade the class into build/sample_class, say what differs from the roll; 0 if nothing does."""
    build = ROOT / "build"
    folder = build / "sample_class"
    code = grade(write(ROLL, folder), folder, build, jobs)
    if code:
        print(f"`autograder grade` ended with exit code {code}", file=sys.stderr)
        return code
    wrong = differences(ROLL, folder, build)
    for line in wrong:
        print(f"not as it must be: {line}", file=sys.stderr)
    if not wrong:
        print(f"All {len(ROLL)} submissions have the score and the status that they must get.")
    print(f"Pages to open in a browser: {folder / GRADES / 'pages'}/*/index.html")
    print(f"The grades are stored, and not graded again. To grade anew, delete {folder}")
    return 1 if wrong else 0
