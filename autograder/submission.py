"""One submission, from its bytes to its result: attempts, deadlines, the quota of files, and the end of all its processes.

An attempt is a pair of processes, the trusted side and the student's. When a question stops the student's side, its points
are lost, and a fresh pair runs the notebook again and goes on behind it: without the cell that stopped it, if a cell did.
"""

import contextlib
import functools
import hashlib
import json
import os
import platform
import secrets
import select
import signal
import socket
import stat
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from autograder import containment, folders, wire
from autograder.results import STATUSES, QuestionResult, SubmissionResult, TestResult, without_score, worst
from autograder.zygote import Zygote

START_S = 60.0  # until the notebook is read and the student's side locked
SLACK_S = 2.0  # between the trusted side's own alarm and its end
WATCH_S = 0.02  # between two looks at the student's files
END_S = 10.0  # for a killed process to be gone
MAX_FILES = 1000
MAX_THREADS = 256  # of the student's process; a machine has some ten thousand for all


@dataclass(frozen=True)
class Limits:
    """What one submission may use.

    Attributes:
        submission_s: wall time for all questions together, replays included.
        factor: multiplies each question's own time limit.
        grace_s: between the interrupt and the kill of code that has run out of time.
        memory_mb: of the student's process, beyond what it starts with.
        trusted_memory_mb: the same for the trusted side.
        scratch_mb: of all files that the student's code writes. It is looked at every WATCH_S seconds, so what a disk takes
            in that time, and until the process is dead, may be written beyond it.
    """

    submission_s: float = 600.0
    factor: float = 1.0
    grace_s: float = 1.0
    memory_mb: int = 2048
    trusted_memory_mb: int = 3072
    scratch_mb: int = 64


class _EndedError(Exception):
    """The submission ends with this status, whatever was graded."""

    def __init__(self, status: str, detail: str):
        super().__init__(detail)
        self.status, self.detail = status, detail


_warm: Zygote | None = None


def start() -> socket.socket:
    """A trusted side forked from this process's warm one, which is started when there is none."""
    global _warm
    if _warm is None or not _warm.is_alive():
        folders.sweep()
        _warm = Zygote()
    try:
        return _warm.start()
    except OSError:
        _warm = Zygote()
        return _warm.start()


def close() -> None:
    """End the warm process, if there is one."""
    global _warm
    if _warm is not None and _warm.pid == os.getpid():
        _warm.close()
    _warm = None


def grade(
    notebook_bytes: bytes,
    assignment_folder: Path,
    *,
    student: str,
    attempt: int,
    limits: Limits = Limits(),
    seed: int,
    start: Callable[[], socket.socket] = start,
) -> SubmissionResult:
    """Grade one submission.

    Args:
        notebook_bytes: a notebook or an export's zip file, as it was handed in.
        assignment_folder: build/homework/<name>/, with manifest.json and tests/.
        student, attempt: who handed it in, and which time.
        seed: of the tests' inputs; another one for each submission.
        start: makes a trusted side, and gives the socket to it.
    """
    with folders.own() as folder:
        copy = folders.copied(Path(assignment_folder), folder)
        manifest = json.loads((copy / "manifest.json").read_text())
        facts = _facts(manifest, notebook_bytes, student, attempt)
        reachable = containment.exposed(Path(assignment_folder), folder)
        if reachable:
            return without_score("refused", **facts, detail=f"{reachable[0]} lies where student code may read.")
        return _graded(_Grading(notebook_bytes, folder, copy, manifest, limits, seed, start), facts)


def _facts(manifest: dict[str, Any], data: bytes, student: str, attempt: int) -> dict[str, Any]:
    return {
        "assignment": manifest["assignment"],
        "student": student,
        "attempt": attempt,
        "notebook_hash": hashlib.sha256(data).hexdigest(),
        "tests_version": manifest["version"],
        "max_points": manifest["points"],
    }


def _graded(grading: "_Grading", facts: dict[str, Any]) -> SubmissionResult:
    began = time.monotonic()
    try:
        grading.run()
    except _EndedError as end:
        return without_score(end.status, **facts, detail=end.detail)
    questions = grading.questions()
    status = worst(question.status for question in questions)
    return SubmissionResult(
        **facts,
        status=status,
        points=round(sum(question.points for question in questions), 6),
        questions=questions,
        seconds=float(round(time.monotonic() - began)),
        cpu_seconds=round(grading.cpu_s, 2),
        peak_memory_mb=round(grading.peak_mb),
        versions=dict(versions()),
        message_student=STATUSES[status].student,
        message_instructor=STATUSES[status].instructor,
    )


@functools.cache
def versions() -> tuple[tuple[str, str], ...]:
    """What the tests and the notebooks run on."""
    names = ("numpy", "torch", "otter-grader", "dlcourse")
    return ("python", platform.python_version()), *((name, metadata.version(name)) for name in names)


class _Grading:
    """The attempts at one submission, and what came of them."""

    def __init__(self, data: bytes, folder: Path, assignment: Path, manifest: dict, limits: Limits, seed: int, start: Callable):
        self.data, self.folder, self.assignment, self.manifest = data, folder, assignment, manifest
        self.limits, self.seed, self.start = limits, seed, start
        self.asked = [question["id"] for question in manifest["questions"] if not question["manual"]]
        self.told: dict[str, dict[str, Any]] = {}  # by question, the event
        self.left_out: list[int] = []  # cells
        self.warned: list[str] = []  # questions that a cell was left out of
        self.skipped: list[str] = []  # questions, all of their cells
        self.cpu_s = self.peak_mb = 0.0
        self.end = time.monotonic() + limits.submission_s

    def run(self) -> None:
        # Each attempt ends a question or a cell for good, so this ends too.
        while True:
            before = self._ended()
            is_whole = self._attempt()
            if is_whole or self._ended() == before or time.monotonic() > self.end:
                break
        for question in self.asked:
            self.told.setdefault(question, _untested("timeout"))

    def _ended(self) -> int:
        return len(self.told) + len(self.left_out) + len(self.skipped)

    def _attempt(self) -> bool:
        """One pair of processes, to its end. True when every question was reached."""
        scratch = self.folder / f"scratch-{secrets.token_hex(4)}"
        scratch.mkdir(mode=0o700)
        pair = _Pair(self.start(), scratch, self.limits)
        try:
            return self._follow(pair, scratch)
        finally:
            pair.close()
            folders.remove(scratch)

    def _follow(self, pair: "_Pair", scratch: Path) -> bool:
        bounds = containment.Bounds(str(scratch), memory_mb=self.limits.memory_mb, cpu_s=int(self.limits.submission_s) + 10)
        ready = self._prepare(pair, bounds)
        pair.watch(ready["pid"])
        left = max(0.0, self.end - time.monotonic())
        order = {
            "folder": str(self.assignment),
            "seed": self.seed,
            "deadline_s": left,
            "factor": self.limits.factor,
            "done": [question for question in self.told if question not in self.skipped],
            "skipped": self.skipped,
            "left_out": self.left_out,
        }
        pair.tell({"attempt": order, "grace_s": self.limits.grace_s})
        current, whole = [], False
        while True:
            event = pair.next()
            name = event["event"]
            if name == "begin":
                current = event["questions"]
                pair.until = time.monotonic() + event["seconds"] + SLACK_S
            elif name == "question":
                self.told.setdefault(event["question"], event)
                pair.until = time.monotonic() + START_S
            elif name == "lost":
                self._note(event["questions"], pair.excess)
                self._avoid(event["questions"], event["cell"])
            elif name == "finished":
                whole = True
            elif name == "ended":
                self.cpu_s += event["cpu_s"]
                self.peak_mb = max(self.peak_mb, event["peak_mb"])
                return whole
            elif name == "internal":
                raise _EndedError("internal", event["detail"])
            elif name == "gone":  # the trusted side was brought down by what it had to compute with
                is_known = all(question in self.told for question in current)
                for question in current:
                    self.told.setdefault(question, _untested(event["status"]))
                self._note(current, pair.excess)
                if is_known:  # then it was not by tests, which run once
                    self._skip(current)
                return False

    def _prepare(self, pair: "_Pair", bounds: containment.Bounds) -> dict[str, Any]:
        """Hand the notebook over, and wait until the student's side stands locked."""
        hello = pair.next()
        if hello["event"] == "hello":
            pair.trust(hello["pid"])
            pair.tell({"notebook": self.data, "bounds": asdict(bounds), "memory_mb": self.limits.trusted_memory_mb})
            ready = pair.next()
            if ready["event"] == "ready":
                return ready
            if ready["event"] in ("unreadable", "refused", "internal"):
                raise _EndedError(ready["event"], ready["detail"])
        raise _EndedError("internal", "The trusted side ended before it began.")

    def _avoid(self, questions: list[str], cell: int | None) -> None:
        """See to it that the next attempt is not stopped by the same cell. Tests run once: they need no care."""
        if cell is None:
            self._skip([question for question in questions if question not in self.told])
        elif any(question in self.warned for question in questions):
            self._skip(questions)  # a second one would take a third attempt, and the time of the other questions
        else:
            self.left_out.append(cell)
            self.warned += questions

    def _skip(self, questions: list[str]) -> None:
        self.skipped += [question for question in questions if question not in self.skipped]

    def _note(self, questions: list[str], excess: str) -> None:
        for question in questions:
            if excess and question in self.told:
                self.told[question]["note"] = excess

    def questions(self) -> tuple[QuestionResult, ...]:
        """The result of each question, in the homework's order."""
        found = []
        for facts in self.manifest["questions"]:
            head = {"id": facts["id"], "title": facts["title"], "max_points": facts["points"], "manual": facts["manual"]}
            if facts["manual"]:
                found.append(QuestionResult(**head, status="graded", points=0))
                continue
            event = self.told[facts["id"]]
            tests = tuple(TestResult(**test) for test in event["tests"]) or tuple(
                TestResult(test["topic"], 0, test["points"], test["hidden"], False) for test in facts["tests"]
            )
            points = round(sum(test.points for test in tests), 6)
            seconds = float(round(event["seconds"]))
            says = {"note": event["note"], "detail": event["detail"]}
            found.append(QuestionResult(**head, status=event["status"], points=points, tests=tests, seconds=seconds, **says))
        return tuple(found)


def _untested(status: str) -> dict[str, Any]:
    """What stands for the event of a question that no test was run of."""
    return {"status": status, "tests": [], "note": "", "detail": "", "seconds": 0.0}


class _Pair:
    """The two processes of an attempt, as seen from outside: what they tell, and how they are ended."""

    def __init__(self, connection: socket.socket, scratch: Path, limits: Limits):
        self.connection, self.scratch, self.limits = connection, scratch, limits
        self.pipe, self.codec = wire.Pipe(connection.fileno()), wire.Codec()
        self.until = time.monotonic() + START_S
        self.handles: list[int] = []
        self.student: int | None = None
        self.pid = 0
        self.excess = ""  # what the student's code made too much of, in a sentence

    def trust(self, pid: int) -> None:
        self.handles.append(os.pidfd_open(pid))

    def watch(self, pid: int) -> None:
        self.pid, self.student = pid, os.pidfd_open(pid)
        self.handles.append(self.student)

    def tell(self, message: dict[str, Any]) -> None:
        self.pipe.deadline = self.until
        with contextlib.suppress(wire.ClosedError):  # the next event says so
            self.pipe.send(message, self.codec)

    def next(self) -> dict[str, Any]:
        """The next event; 'gone' when the trusted side has ended or is late, and has been killed."""
        while not self.pipe.arrives(WATCH_S):
            if time.monotonic() > self.until:
                return {"event": "gone", "status": "timeout"}
            if self.student is not None and not self.excess:
                self.excess = self._excess()
                if self.excess:
                    _kill(self.student)
        try:
            self.pipe.deadline = self.until + START_S
            return self.pipe.receive(self.codec)
        except (wire.ClosedError, wire.WireError, wire.LateError):
            return {"event": "gone", "status": "memory"}

    def _excess(self) -> str:
        if is_overfull(self.scratch, self.limits.scratch_mb):
            return f"Its code wrote more than {self.limits.scratch_mb} MB or {MAX_FILES} files."
        return f"Its code started more than {MAX_THREADS} threads." if threads(self.pid) > MAX_THREADS else ""

    def close(self) -> None:
        """Nothing of the attempt runs on, or writes on."""
        for handle in self.handles:
            _kill(handle)
        for handle in self.handles:
            poll = select.poll()
            poll.register(handle, select.POLLIN)
            poll.poll(END_S * 1000)
            os.close(handle)
        self.connection.close()


def _kill(handle: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        signal.pidfd_send_signal(handle, signal.SIGKILL)


def threads(pid: int) -> int:
    """How many threads a process has; 0 once it is gone."""
    with contextlib.suppress(OSError):
        return len(os.listdir(f"/proc/{pid}/task"))  # noqa: PTH208
    return 0


def is_overfull(folder: Path, most_mb: float) -> bool:
    """Whether student code wrote more than it may, or hides what it wrote. No link is followed, and no file is opened.

    Student code cannot delete, rename or make nameless files, so all that it wrote is found here. Holes take no room.
    """
    size = count = 0
    inside = [str(folder)]
    while inside:
        try:
            with os.scandir(inside.pop()) as entries:
                for entry in entries:
                    count += 1
                    if count > MAX_FILES:
                        return True
                    facts = entry.stat(follow_symlinks=False)
                    size += facts.st_blocks * 512
                    if stat.S_ISDIR(facts.st_mode):
                        inside.append(entry.path)
        except OSError:  # a path that is too long, or a folder that may not be read
            return True
    return size > most_mb * (1 << 20)
