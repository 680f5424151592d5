"""The trusted side of one attempt: forks the student's side, then opens the tests, and grades question by question.

It speaks with two others: with the student's side by requests (see proxies.py), and with whoever ordered the attempt (see
submission.py) by events. What a student is told is in words of the grader's or of a test's author: nothing that the student's
side sends is repeated. The notebook is read over there too: what brings a parser down brings down nothing here.
"""

import json
import os
import resource
import signal
import socket
import time
import traceback
import warnings
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from otter.nbmeta_config import NBMetadataConfig
from otter.test_files import create_test_file
from otter.test_files.exception_test import ExceptionTestFile

from autograder import containment, notebook, student, wire
from autograder.notebook import Segment
from autograder.proxies import Link, LostError, NotPlainError, NotSentError, TimeUpError, labelled
from autograder.results import TestResult
from dlcourse import check

TAIL_S = 20  # for the cells below the last check
LOCK_S = 25.0  # for the student's side to be forked and locked
READ_S = 15.0  # for the notebook to be read over there, which takes a second for a large one
LATE_S = 1.0  # after a question's last moment, for the trusted side itself
TEXT = 600  # characters of a message
MOST_TOLD = 3  # failed cells of a question
# What a student is told of a public test that failed. An error's text, or a value that came, could carry out what a hidden test
# has passed in: from this process, from an earlier one, or from one beside it, which can signal by its load on the machine.
PLAINLY = {
    "type": "what came is of another type than was asked for",
    "shape": "what came has another shape than was asked for",
    "dtype": "what came holds another kind of number than was asked for",
    "finite": "NaN or infinity came where a finite number is expected",
    "value": "another value came than was expected",
    "changed": "an argument was changed in place",
    "error": "another error was raised than was asked for, or none",
    "torch": check.NO_TORCH,
}


@dataclass
class Attempt:
    """What is to be done, beside the notebook: sent only after the student's side is on its own.

    Attributes:
        folder: the assignment's, with manifest.json and tests/.
        seed: of the inputs of all tests.
        done: questions whose cells are run, and which are not tested again.
        skipped: questions whose cells are not even run, because they stopped earlier attempts.
        left_out: cells that are not run, because each of them stopped an earlier attempt.
    """

    folder: str
    seed: int
    deadline_s: float
    factor: float = 1.0
    done: list[str] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    left_out: list[int] = field(default_factory=list)


class Names(dict):
    """What otter's test cases take their arguments from: the names of the notebook."""

    def __init__(self, link: Link):
        super().__init__()
        self.link = link
        self.missing: list[str] = []

    def get(self, name: str, default: Any = None) -> Any:
        reply = self.link.request("name", name=name)
        if reply.get("known") is not True:
            self.missing.append(name)
            return default
        return labelled(reply.get("value"), name)


class Trusted:
    """One attempt at one submission.

    Args:
        events: to whoever ordered it.
        cells: the notebook's code.
        link: to the student's side.
        newer: place and sentence of a cell that this Python cannot read, if there is one.
    """

    def __init__(self, events: "Events", cells: list[str], link: Link, attempt: Attempt, grace_s: float, newer: tuple = ()):
        self.events, self.cells, self.link, self.attempt, self.grace_s = events, cells, link, attempt, grace_s
        self.newer = newer
        self.manifest = json.loads((Path(attempt.folder) / "manifest.json").read_text())
        self.questions = {question["id"]: question for question in self.manifest["questions"] if not question["manual"]}
        self.end = time.monotonic() + attempt.deadline_s
        self.at: list[str] = []  # the questions that it is at
        self.cell: int | None = None  # that is running
        signal.signal(signal.SIGALRM, self._late)

    def _late(self, number: int, frame: object) -> None:
        """The trusted side itself takes too long, with what the student's side made it compute."""
        self.link.lost = "timeout"
        raise LostError("timeout")

    def run(self) -> None:
        """Grade all that is to be graded. Ends early, after an event, when the student's side is lost."""
        parts = notebook.segments(self.cells, list(self.questions))
        found = {question for part in parts for question in part.questions}
        missing = [question for question in self.questions if question not in found]
        if missing and (not parts or parts[-1].questions):
            parts.append(Segment((), ()))
        for part in parts:
            is_tail = not part.questions
            if is_tail and not set(missing) - set(self.attempt.done) - set(self.attempt.skipped):
                continue
            self.at, self.cell = list(part.questions), None
            try:
                self._segment(part, missing if is_tail else list(part.questions), is_tail)
                self._stop_clock()
            except LostError as error:  # the alarm rang between two steps
                self.link.lost = error.status
            if self.link.lost:
                self.events.tell("lost", questions=self.at, cell=self.cell)
                return
        self.events.tell("finished")

    def _segment(self, part: Segment, questions: list[str], is_tail: bool) -> None:
        """The cells of a segment, then its tests."""
        if part.questions and set(part.questions) <= set(self.attempt.skipped):
            return
        notes = []
        if is_tail:
            notes.append("Its check cell is missing, so it was tested at the end of the notebook.")
        if any(notebook.has_skipped_lines(self.cells[cell]) for cell in part.cells):
            notes.append("Shell commands and installs were skipped.")
        if self.newer and self.newer[0] in part.cells:
            notes.append(self.newer[1])
        limits = {question: self.questions[question]["time_limit_s"] * self.attempt.factor for question in questions}
        started, detail, status = time.monotonic(), "", "graded"
        open_questions = [q for q in questions if q not in self.attempt.done and q not in self.attempt.skipped]
        self._begin(open_questions or questions, TAIL_S if is_tail else sum(limits.values()))
        try:
            told, detail = self._cells(part)
            notes += told
        except TimeUpError:
            status = "timeout"
        except LostError as error:
            status = error.status
        if not self.link.lost:
            self.cell = None
        is_tested = not self.link.lost and (is_tail or status == "graded")
        for question in open_questions:
            tests: list[TestResult] = []
            if is_tested and (is_tail or len(questions) > 1):  # the questions have cells in common, and nothing else
                if self.link.lost:
                    return  # by another question: this one is tested by the next attempt
                started = time.monotonic()
                self._begin([question], limits[question])
            if is_tested:
                self.at = [question]
                status = self._test(question, tests)
            seconds = time.monotonic() - started
            facts = {"note": " ".join(notes), "detail": detail, "seconds": seconds}
            self.events.tell("question", question=question, status=status, tests=[asdict(test) for test in tests], **facts)

    def _begin(self, questions: list[str], seconds: float) -> None:
        seconds = max(0.0, min(seconds, self.end - time.monotonic()))
        self.events.tell("begin", questions=questions, seconds=seconds + self.grace_s + LATE_S)
        self.link.begin(seconds)
        signal.setitimer(signal.ITIMER_REAL, seconds + self.grace_s + LATE_S)

    def _stop_clock(self) -> None:
        signal.setitimer(signal.ITIMER_REAL, 0)

    def _cells(self, part: Segment) -> tuple[list[str], str]:
        """Run the cells; what the student is told of those that failed, and what the instructor is told."""
        details = []
        for cell in part.cells:
            if cell in self.attempt.left_out:
                continue
            self.cell = cell
            try:
                self.link.request("run", cell=cell)
            except Exception as error:
                name, line = type(error).__name__, getattr(error, "line", 0)
                lines = self.cells[cell].count("\n") + 1
                place = f" in line {line}" if 0 < line <= lines else ""
                details.append(f"Code cell {cell + 1} failed: {name}: {str(error)[:TEXT]}{place}.")
        # Which cell fails, and how, is for the student's code to choose, and no part of the answer.
        told = ["A code cell of this question failed: run the notebook from the top to see it."] if details else []
        return told, "\n".join(details[:MOST_TOLD])

    def _test(self, question: str, tests: list[TestResult]) -> str:
        """Run a question's tests, adding what came of each; the question's status."""
        facts = self.questions[question]
        made = create_test_file(str(Path(self.attempt.folder) / "tests" / f"{question}.py"), NBMetadataConfig())
        if not isinstance(made, ExceptionTestFile) or len(made.test_cases) != len(facts["tests"]):
            raise ValueError(f"tests/{question}.py is not what the manifest describes")
        # Public tests first: no hidden input is known to what they call.
        pairs = list(zip(facts["tests"], made.test_cases, strict=True))
        results: dict[int, TestResult] = {}
        status = "graded"
        try:
            for test, case in sorted(pairs, key=lambda pair: pair[0]["hidden"]):
                results[test["index"]] = self._one(test, case)
        except TimeUpError:
            status = "timeout"
        except LostError as error:
            status = error.status
        if status == "graded" and self.link.memory_ran_out:
            status = "memory"
        for test, _ in pairs:
            tests.append(results.get(test["index"], _result(test, False)))
        return status

    def _one(self, test: dict[str, Any], case: Any) -> TestResult:
        names = Names(self.link)
        self.link.begin_test()
        try:
            with check.grading_seed(self.attempt.seed):
                case.body.call_func(names)
        except MemoryError as error:
            self.link.memory_ran_out = True
            return self._failed(test, error, names)
        except (Exception, NotPlainError, NotSentError) as error:
            return self._failed(test, error, names)
        return _result(test, True)

    def _failed(self, test: dict[str, Any], error: BaseException, names: Names) -> TestResult:
        hint = getattr(error, "hint", None)
        if not (type(hint) is str and (hint in test["hints"] or hint in check.STANDING_HINTS)):
            hint = test["hint"]
        return _result(test, False, hint, None if test["hidden"] else _message(error, names), self._detail(error))

    def _detail(self, error: BaseException) -> str:
        """What went in, what came out and what was expected, for the instructor."""
        try:
            text = str(error) if isinstance(error, check.CheckError) else f"{type(error).__name__}: {error}"
            call = f"{self.link.last_call}: " if self.link.last_call else ""
            return f"{call}{text}"[: 2 * TEXT]
        except Exception as other:  # Python writes no number of more than 4300 digits, and memory may be out
            return f"It cannot be put into words ({type(other).__name__})."


def _message(error: BaseException, names: Names) -> str:
    """What a student is told of a public test that failed."""
    if names.missing:
        return f"{', '.join(names.missing)}: not defined by the cells up to here"
    if isinstance(error, check.CheckError):
        return PLAINLY.get(error.kind, "the answer is not what was asked for")
    return "it is not written yet" if isinstance(error, NotImplementedError) else "an error was raised"


def _result(
    test: dict[str, Any], passed: bool, hint: str | None = None, message: str | None = None, detail: str = ""
) -> TestResult:
    points = test["points"] if passed else 0
    return TestResult(test["topic"], points, test["points"], test["hidden"], passed, hint, message, detail)


class Events:
    """What is told to whoever ordered the attempt."""

    def __init__(self, fd: int):
        self.pipe, self.codec = wire.Pipe(fd), wire.Codec()

    def tell(self, event: str, **facts: Any) -> None:
        self.pipe.send({"event": event, **facts}, self.codec)

    def take(self) -> dict[str, Any]:
        return self.pipe.receive(self.codec)


def serve(fd: int) -> None:
    """Take one attempt over this descriptor, and see it through. The caller then ends the process."""
    events = Events(fd)
    try:
        _attempt(events)
    except (wire.ClosedError, BrokenPipeError):
        return  # nobody waits for the result any more
    except BaseException as error:
        events.tell("internal", detail=f"{type(error).__name__}: {error}\n{traceback.format_exc()[-3000:]}")


def _attempt(events: Events) -> None:
    events.tell("hello", pid=os.getpid())
    order = events.take()
    bounds = containment.Bounds(**order["bounds"])
    _limit(order["memory_mb"])
    pid, mine = _fork_student(order["notebook"], bounds)
    del order
    warnings.showwarning = lambda *facts, **more: None  # it would print the hidden test's line that called the student's code
    try:
        try:
            cells, newer = _cells(mine)
        except containment.MissingLayerError as error:
            events.tell("refused", detail=str(error))
            return
        except notebook.UnreadableError as error:
            events.tell("unreadable", detail=str(error))
            return
        events.tell("ready", pid=pid)
        order = events.take()  # only now is there anything here that a student may not know
        link = Link(mine.fileno(), pid, order["grace_s"])
        Trusted(events, cells, link, Attempt(**order["attempt"]), order["grace_s"], newer).run()
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        os.kill(pid, signal.SIGKILL)
        used = os.wait4(pid, 0)[2]
    mine_used = resource.getrusage(resource.RUSAGE_SELF)
    cpu = used.ru_utime + used.ru_stime + mine_used.ru_utime + mine_used.ru_stime
    events.tell("ended", cpu_s=cpu, peak_mb=used.ru_maxrss / 1024)


def _limit(memory_mb: int) -> None:
    """The trusted side has limits of its own: what it computes with is of the student's making."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    size = pages * resource.getpagesize() + (memory_mb << 20)
    hard = resource.getrlimit(resource.RLIMIT_AS)[1]
    size = size if hard == resource.RLIM_INFINITY else min(size, hard)
    resource.setrlimit(resource.RLIMIT_AS, (size, hard))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _fork_student(data: bytes, bounds: containment.Bounds) -> tuple[int, socket.socket]:
    mine, theirs = socket.socketpair()
    parent = os.getpid()
    pid = os.fork()
    if pid == 0:
        student.run(theirs.fileno(), data, bounds, parent)
    theirs.close()
    mine.setblocking(False)
    return pid, mine


def _cells(mine: socket.socket) -> tuple[list[str], tuple]:
    """The notebook's code, as the student's side read it, before any of it ran; and what looks newer than this Python.

    Raises:
        MissingLayerError: that side cannot be contained.
        UnreadableError: there is no code to be had, and that is the file's doing.
    """
    pipe = wire.Pipe(mine.fileno(), time.monotonic() + LOCK_S)
    first = pipe.receive(wire.Codec())
    if first.get("locked") is not True:
        raise containment.MissingLayerError(str(first.get("missing")))
    pipe.deadline = time.monotonic() + READ_S
    try:
        told = pipe.receive(wire.Codec())
    except wire.LateError:
        raise notebook.UnreadableError(f"it took more than {READ_S:.0f} seconds to read the notebook") from None
    except (wire.ClosedError, wire.WireError):
        raise notebook.UnreadableError("reading the notebook brought Python down") from None
    if "unreadable" in told:
        raise notebook.UnreadableError(str(told["unreadable"]))
    return told["cells"], told["newer"]
