"""Grade what is not graded yet, and store each result as it comes."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from autograder.executor import Executor, Task
from autograder.intake import LARGEST, IntakeError, Received
from autograder.results import STATUSES, SubmissionResult
from autograder.store import Store, Submission


class AssignmentError(Exception):
    """There is no such assignment to grade by; the message says what to do."""


@dataclass(frozen=True)
class Assignment:
    """What a batch needs of manifest.json.

    Attributes:
        version: of the tests.
        points: of all questions.
        folder: holds manifest.json and tests/.
    """

    name: str
    version: str
    points: float
    folder: Path


def read_assignment(build: Path, name: str) -> Assignment:
    """The assignment that `make build` made.

    Raises:
        AssignmentError: it is not there, or is not whole.
    """
    homework = build / "homework"
    folder = homework / name
    if Path(name).name != name or not (folder / "manifest.json").is_file():
        there = ", ".join(sorted(path.parent.name for path in homework.glob("*/manifest.json"))) or "none"
        raise AssignmentError(
            f"no assignment {name!r} in {homework}, but {there}: run `make build`, or name its folder by --build"
        )
    try:
        manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
        made = Assignment(manifest["assignment"], manifest["version"], float(manifest["points"]), folder)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise AssignmentError(f"{folder / 'manifest.json'} cannot be read ({error!r}): run `make build` again") from error
    if made.name != name or not (folder / "tests").is_dir():
        raise AssignmentError(f"{folder} is no whole assignment {name!r}: run `make build` again")
    return made


@dataclass(frozen=True)
class Plan:
    """Which submissions have a result already, and which are to be graded."""

    done: list[Submission]
    open: list[tuple[Submission, Received]]


def plan(received: list[Received], assignment: Assignment, store: Store, quarantined: bool = False) -> Plan:
    """Register what came in, and split it.

    Args:
        quarantined: grade those in quarantine again too.
    Raises:
        StoreError: the store cannot be written.
    """
    registered = store.register(assignment.name, [(one.student, one.raw_hash, one.file_name) for one in received])
    made = Plan([], [])
    seen = set()
    for submission, one in zip(registered, received, strict=True):
        if submission.id in seen:
            continue  # the same bytes from the same student, in two places
        seen.add(submission.id)
        status = store.status(submission, assignment.version)
        if status is not None and (STATUSES[status].by_student or (status == "quarantine" and not quarantined)):
            made.done.append(submission)
        else:
            made.open.append((submission, one))
    return made


def grade_open(
    plan: Plan, assignment: Assignment, store: Store, executor: Executor
) -> Iterator[tuple[Submission, SubmissionResult]]:
    """Grade what the plan holds open. Each result is stored before it is yielded.

    Raises:
        StoreError: a result could not be stored; those before it are.
        PoolError: no worker can be started.
    """
    by_attempt = {(submission.student, submission.attempt): submission for submission, _ in plan.open}
    not_sent: list[tuple[Task, SubmissionResult]] = []

    def tasks() -> Iterator[Task]:
        for submission, received in plan.open:
            task, trouble = _task(submission, received, assignment)
            if trouble is None:
                yield task
            else:
                not_sent.append((task, trouble))

    def results() -> Iterator[tuple[Task, SubmissionResult]]:
        for finished in executor.run(tasks()):
            yield finished
            while not_sent:
                yield not_sent.pop()
        yield from not_sent

    for task, result in results():
        submission = by_attempt[task.student, task.attempt]
        store.put(submission, result)
        yield submission, result


def _task(submission: Submission, received: Received, assignment: Assignment) -> tuple[Task, SubmissionResult | None]:
    """The task, and its result already where the file cannot be sent to a worker."""
    trouble = None
    try:
        notebook = received.read() if received.size <= LARGEST else b""
    except IntakeError as error:
        notebook, trouble = b"", ("internal", str(error))
    if received.size > LARGEST:
        trouble = ("unreadable", f"The file has {received.size >> 20} MiB, and at most {LARGEST >> 20} are read.")
    task = Task(
        assignment=assignment.name,
        student=submission.student,
        attempt=submission.attempt,
        seed=submission.seed,
        tests_version=assignment.version,
        max_points=assignment.points,
        raw_hash=submission.raw_hash,
        notebook=notebook,
    )
    return task, trouble and task.without_score(*trouble)
