"""What a grade is: the data that crosses the borders between the engine's modules, its JSON, and the statuses."""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True)
class Status:
    """One way in which grading a question or a submission can end.

    Attributes:
        student: what the student is told.
        instructor: what the instructor is told.
        by_student: it is the student's doing, so the points stand as they are. Otherwise there is no score.
    """

    student: str
    instructor: str
    by_student: bool


# From best to worst: a submission shows the worst of its questions. The first five are a question's too.
STATUSES: dict[str, Status] = {
    "graded": Status(
        "Every test was run.",
        "Every test was run.",
        True,
    ),
    "timeout": Status(
        "Your code ran past its time limit and was stopped. Look for a loop that does not end, or for one that NumPy can do "
        "in a single call. What was graded before that counts.",
        "The student's code ran past its time limit and was stopped.",
        True,
    ),
    "memory": Status(
        "Your code asked for more memory than the grader gives. Look for an array that is far larger than its data, often by "
        "a broadcast that you did not mean. What was graded before that counts.",
        "The student's code, or a value that it returned, asked for more memory than the limit.",
        True,
    ),
    "died": Status(
        "Python itself ended while your code ran. Look for exit(), os._exit(), or a function that calls itself without end.",
        "The student's process ended by itself: an exit, a crash of an extension module, or a signal.",
        True,
    ),
    "protocol": Status(
        "Your code gave the grader something that it could not read. Return arrays, tensors and plain numbers, and leave "
        "the grader's own files and channels alone.",
        "The student's process sent what is no valid message. Objects that pose as others do this, and attempts to forge a "
        "reply; look at the submission.",
        True,
    ),
    "unreadable": Status(
        "The grader could not read your submission as a notebook, so nothing was run. Save the notebook, make the zip file "
        "with the last cell again, and submit that.",
        "The file is no notebook that can be run; nothing was run.",
        True,
    ),
    "quarantine": Status(
        "The grader could not finish with your submission. It has no score yet; your instructor looks at it.",
        "The process that graded this submission was killed twice, so it is not tried again. Memory of the whole machine "
        "used up is the usual reason. Look at the notebook before you grade it again, by itself.",
        False,
    ),
    "internal": Status(
        "Something went wrong in the grader, not in your notebook. You have no score yet, and you need not submit again.",
        "A fault of the grader. There is no score; grade it again once the fault is mended.",
        False,
    ),
    "refused": Status(
        "The grader's machine is not set up to run your notebook. You have no score yet, and you need not submit again.",
        "This machine cannot contain student code, so nothing was run. `autograder check-machine` says what is missing.",
        False,
    ),
}
QUESTION_STATUSES = ("graded", "timeout", "memory", "died", "protocol")


def worst(statuses: Iterable[str]) -> str:
    """The worst of these statuses; 'graded' if there are none."""
    order = list(STATUSES)
    return max(statuses, key=order.index, default="graded")


@dataclass(frozen=True)
class TestResult:
    """One test.

    Attributes:
        topic: what it is about; public, for a hidden test too.
        points, max_points: 0 <= points <= max_points.
        hint: what the test's author says to whoever makes this mistake; never text of the student's.
        message: what the grader says of a public test that failed; never text of the student's. None for a hidden test.
        detail: for instructors alone: what went in, what came out, what was expected. It may quote the student, so it is
            hostile text, and a hidden test, so it is secret.
    """

    __test__ = False  # or pytest collects it by its name

    topic: str
    points: float
    max_points: float
    hidden: bool
    passed: bool
    hint: str | None = None
    message: str | None = None
    detail: str = ""


@dataclass(frozen=True)
class QuestionResult:
    """One question.

    Attributes:
        id, title: 'q1' and what stands in its heading.
        status: one of QUESTION_STATUSES.
        points, max_points: 0 <= points <= max_points.
        tests: in the order of the test file; none if a person reads the answer.
        seconds: wall time, rounded.
        manual: a person reads the answer, and gives its points.
        note: what the student should know besides, such as that the check cell is missing; '' for nothing.
        detail: for instructors alone: the errors of cells that failed, in the words of the student's process.
    """

    id: str
    title: str
    status: str
    points: float
    max_points: float
    tests: tuple[TestResult, ...] = ()
    seconds: float = 0.0
    manual: bool = False
    note: str = ""
    detail: str = ""

    def __post_init__(self):
        if self.status not in QUESTION_STATUSES:
            raise ValueError(f"{self.status!r} is no status of a question")


@dataclass(frozen=True)
class SubmissionResult:
    """One submission.

    Attributes:
        assignment, student, attempt: 'hw1', who submitted, and which time, counted from 1.
        notebook_hash: SHA-256 of the bytes that were graded, in hex.
        tests_version: the manifest's version.
        status: the worst of its questions', or one of the submission's own.
        points: None where the status is not the student's doing: then there is no score.
        max_points: of all questions, those that a person reads included.
        seconds, cpu_seconds: wall and CPU time of all processes of this submission.
        peak_memory_mb: of the student's process, in MiB.
        versions: what it was graded with, such as {'python': '3.12.1', 'torch': '2.13.0'}.
        message_student, message_instructor: one or two sentences each.
    """

    assignment: str
    student: str
    attempt: int
    notebook_hash: str
    tests_version: str
    status: str
    points: float | None
    max_points: float
    questions: tuple[QuestionResult, ...] = ()
    seconds: float = 0.0
    cpu_seconds: float = 0.0
    peak_memory_mb: float = 0.0
    versions: dict[str, str] = field(default_factory=dict)
    message_student: str = ""
    message_instructor: str = ""

    def __post_init__(self):
        if self.status not in STATUSES:
            raise ValueError(f"{self.status!r} is no status of a submission")
        if (self.points is not None) != STATUSES[self.status].by_student:
            raise ValueError(f"a submission that is {self.status!r} cannot have the points {self.points!r}")

    @property
    def counts(self) -> bool:
        """Whether there is a score: the status is the student's doing."""
        return STATUSES[self.status].by_student


def without_score(
    status: str,
    *,
    assignment: str,
    student: str,
    attempt: int,
    notebook_hash: str,
    tests_version: str,
    max_points: float,
    detail: str = "",
) -> SubmissionResult:
    """The result of a submission that was not graded.

    Args:
        status: 'refused', 'quarantine' or 'internal': no points; 'unreadable': 0 points.
        detail: added to what the instructor is told, and for 'unreadable' the student, whose file it is about.
    """
    says = STATUSES[status]
    if detail:
        detail = f"{detail[0].upper()}{detail[1:]}" + ("" if detail.endswith((".", "\n")) else ".")
    return SubmissionResult(
        assignment=assignment,
        student=student,
        attempt=attempt,
        notebook_hash=notebook_hash,
        tests_version=tests_version,
        status=status,
        points=0.0 if says.by_student else None,
        max_points=max_points,
        message_student=f"{says.student} {detail}".strip() if says.by_student else says.student,
        message_instructor=f"{says.instructor} {detail}".strip(),
    )


def to_json(result: SubmissionResult) -> str:
    """The result as JSON in ASCII, the same for the same result.

    Raises:
        ValueError: a number is not finite.
    """
    return json.dumps(asdict(result), sort_keys=True, allow_nan=False)


def from_json(text: str) -> SubmissionResult:
    """The result that `to_json` wrote.

    Raises:
        ValueError: it is none.
    """
    try:
        made = json.loads(text)
        return SubmissionResult(**made | {"questions": tuple(_question(question) for question in made["questions"])})
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"this is no grade: {error!r}") from error


def _question(made: dict[str, Any]) -> QuestionResult:
    return QuestionResult(**made | {"tests": tuple(TestResult(**test) for test in made["tests"])})
