"""Many submissions at once, by processes of this machine.

An executor has two methods: `run`, which takes tasks and yields their results as they finish, and `close`. One that sends
its tasks to a cluster needs no more.
"""

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import traceback
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib import import_module
from multiprocessing import connection
from pathlib import Path
from threading import Event
from types import ModuleType
from typing import IO, Protocol

from autograder import folders
from autograder.containment import die_with_parent
from autograder.results import SubmissionResult, from_json, to_json, without_score

GRADE = "autograder.submission:grade"
WINDOW = 4  # tasks held for each worker: enough that none waits, and few notebooks in memory
TRIES = 2  # a submission that was running in so many killed workers is not tried again
STARTS = 3  # so many workers in a row that end before their first task: the fault lies in the machine
POLL = 0.2  # seconds until a request to stop is seen
START_SECONDS = 300  # for a worker to import torch, on a machine that is busy


@dataclass(frozen=True)
class Task:
    """One submission to be graded.

    Attributes:
        raw_hash, notebook: the bytes that came in, and their SHA-256 in hex.
        max_points: of the assignment, for a result that has no questions.
    """

    assignment: str
    student: str
    attempt: int
    seed: int
    tests_version: str
    max_points: float
    raw_hash: str
    notebook: bytes

    def without_score(self, status: str, detail: str) -> SubmissionResult:
        """The result if it is not graded."""
        return without_score(
            status,
            assignment=self.assignment,
            student=self.student,
            attempt=self.attempt,
            notebook_hash=self.raw_hash,
            tests_version=self.tests_version,
            max_points=self.max_points,
            detail=detail,
        )


class Executor(Protocol):
    """What grades many submissions."""

    def run(self, tasks: Iterable[Task]) -> Iterator[tuple[Task, SubmissionResult]]:
        """Grade each task once; results come as they finish. Tasks are taken from the iterable a window at a time."""
        ...

    def close(self) -> None:
        """End the workers, whatever they are at."""
        ...


class PoolError(Exception):
    """No worker can be started; the message says why."""


class LocalPool:
    """Worker processes on this machine. Each owns its zygote, and grades one submission after the other.

    A worker that is killed takes only its running submission with it: that one is tried once more by a new worker, and is
    in quarantine if that worker is killed too.

    Args:
        folder: the assignment's, with manifest.json and tests/.
        jobs: number of workers, 1 or more.
        patience: seconds after which a worker with a task counts as hung and is killed: beyond the submission's own
            deadline, which the worker keeps.
        stop: once it is set, `run` yields what is finished, and ends.
        grade: 'module:function' like `autograder.submission.grade`; the module has `Limits` and `start` too.
    """

    def __init__(self, folder: Path, jobs: int, patience: float, stop: Event | None = None, grade: str = GRADE):
        self._folder, self._jobs, self._patience, self._grade = folder, jobs, patience, grade
        self._stop = stop or Event()
        self._workers: list[_Worker] = []
        self._failed_starts = 0

    def run(self, tasks: Iterable[Task]) -> Iterator[tuple[Task, SubmissionResult]]:
        """See `Executor`.

        Raises:
            PoolError: workers end before they take a task.
        """
        source = iter(tasks)
        waiting: deque[tuple[Task, int]] = deque()  # the task, and how often it was tried
        while True:
            room = WINDOW * self._jobs - len(waiting) - sum(worker.task is not None for worker in self._workers)
            while room > 0 and not self._stop.is_set() and (task := next(source, None)) is not None:
                waiting.append((task, 0))
                room -= 1
            if not self._stop.is_set():
                self._hand_out(waiting)
            busy = [worker for worker in self._workers if worker.task is not None]
            if not busy and (not waiting or self._stop.is_set()):
                return
            timeout = 0 if self._stop.is_set() else POLL
            ready = connection.wait([worker.pipe for worker in self._workers], timeout)
            # A child of a killed worker may still hold its pipe, so the pipe's end alone does not tell.
            for worker in [worker for worker in self._workers if worker.pipe in ready or worker.exited]:
                yield from self._hear(worker, waiting)
            if self._stop.is_set() and not ready:
                return  # what is running now is not finished, and is graded by the next run
            self._kill_hung()

    def _hand_out(self, waiting: deque[tuple[Task, int]]) -> None:
        """Give tasks to the workers that are free, and start workers for the rest."""
        for worker in self._workers:
            if worker.ready and worker.task is None and waiting:
                worker.give(*waiting.popleft())
        starting = sum(not worker.ready for worker in self._workers)
        for _ in range(min(self._jobs - len(self._workers), len(waiting) - starting)):
            self._workers.append(_Worker(self._folder, self._grade))

    def _hear(self, worker: "_Worker", waiting: deque[tuple[Task, int]]) -> Iterator[tuple[Task, SubmissionResult]]:
        try:
            message = worker.pipe.recv_bytes() if worker.pipe.poll() else None
        except (EOFError, OSError):
            message = None
        if message is None:
            self._workers.remove(worker)
            how = worker.end()
            if worker.task is None:
                self._count_start(worker, how)
            elif worker.tries >= TRIES:
                yield worker.task, worker.task.without_score("quarantine", f"The last worker {how}. {worker.said}".strip())
            else:
                waiting.appendleft((worker.task, worker.tries))
            return
        if not worker.ready:  # its first message says that it is
            worker.ready, self._failed_starts = True, 0
            return
        task, worker.task = worker.task, None
        yield task, from_json(message.decode("ascii"))

    def _count_start(self, worker: "_Worker", how: str) -> None:
        self._failed_starts += not worker.ready
        if self._failed_starts >= STARTS:
            raise PoolError(f"no worker can be started: the last one {how}.\n{worker.said}".strip())

    def _kill_hung(self) -> None:
        now = time.monotonic()
        for worker in self._workers:
            limit = self._patience if worker.ready else START_SECONDS
            if (worker.task is not None or not worker.ready) and now - worker.since > limit:
                worker.kill()  # its pipe ends, and the rest follows from that

    def close(self) -> None:
        """End the workers, and all that they started and wrote."""
        while self._workers:
            self._workers.pop().stop()
        folders.sweep()


class _Worker:
    """One worker process, seen from the driver."""

    def __init__(self, folder: Path, grade: str):
        mine, theirs = socket.socketpair()
        # What it says on its way out; on the terminal it would run across the progress bar. Closed by _gone.
        self._log: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115
        # In a session of its own: Ctrl-C in the terminal is for the driver, and one signal ends it with all its children.
        self._process = subprocess.Popen(
            [*_COMMAND, str(theirs.fileno()), str(os.getpid()), str(folder), grade],
            pass_fds=[theirs.fileno()],
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=self._log,
            start_new_session=True,
        )
        theirs.close()
        self.pipe = connection.Connection(mine.detach())
        self.task: Task | None = None
        self.tries = 0
        self.ready = False
        self.since = time.monotonic()
        self.said = ""

    def give(self, task: Task, tries: int) -> None:
        self.task, self.tries, self.since = task, tries + 1, time.monotonic()
        about = {name: value for name, value in vars(task).items() if name != "notebook"}
        try:
            self.pipe.send_bytes(json.dumps(about).encode("ascii"))
            self.pipe.send_bytes(task.notebook)
        except OSError:
            return  # it is dead, which the next look at its pipe finds

    def kill(self) -> None:
        # Its number is not given away before it is waited for, so this cannot hit a stranger.
        if self._process.returncode is None:
            try:
                os.killpg(self._process.pid, signal.SIGKILL)
            except ProcessLookupError:
                self._process.kill()  # killed before it had its own session

    def end(self) -> str:
        """Kill it and what it started. Returns how it ended, such as 'was killed by SIGKILL'."""
        for _ in range(100):  # its pipe may end a moment before the process does
            if self.exited:
                break
            time.sleep(0.01)
        self.kill()
        return self._gone()

    @property
    def exited(self) -> bool:
        """Whether the process ended. It is not waited for here, so that its number stays its own until `kill`."""
        return os.waitid(os.P_PID, self._process.pid, os.WEXITED | os.WNOWAIT | os.WNOHANG) is not None

    def _gone(self) -> str:
        self.pipe.close()
        code = self._process.wait()
        self._log.seek(max(0, self._log.seek(0, os.SEEK_END) - 2000))
        self.said = self._log.read().decode("utf-8", "replace")
        self._log.close()
        return f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"

    def stop(self) -> None:
        """Kill it and what it started, at once."""
        self.kill()
        self._gone()


# -P: the folder that one works in may hold submissions, and one named json.py must not be imported.
_COMMAND = [sys.executable, "-P", "-c", "import sys; from autograder.executor import work; work(*sys.argv[1:])"]


def work(pipe: str, driver: str, folder: str, grade: str) -> None:
    """What a worker does: grade what comes, one after the other, until the driver is gone.

    Args:
        pipe: number of its end of the pipe.
        driver: process id of the driver, with which it dies.
        folder, grade: as in `LocalPool`.
    """
    os.set_inheritable(int(pipe), False)
    die_with_parent(int(driver))
    module, name = grade.split(":")
    grading = import_module(module)
    grading.start().close()  # the zygote is warm before the first submission, whose time it would cost
    link = connection.Connection(int(pipe))
    link.send_bytes(b"ready")
    while True:
        try:
            about, notebook = json.loads(link.recv_bytes()), link.recv_bytes()
        except EOFError:
            return
        link.send_bytes(_graded(Task(**about, notebook=notebook), Path(folder), grading, name).encode("ascii"))


def _graded(task: Task, folder: Path, grading: ModuleType, name: str) -> str:
    try:
        result = getattr(grading, name)(
            task.notebook,
            folder,
            student=task.student,
            attempt=task.attempt,
            limits=grading.Limits(),
            seed=task.seed,
        )
        for field in ("assignment", "student", "attempt", "tests_version"):
            if getattr(result, field) != getattr(task, field):
                raise ValueError(f"the grade's {field} is {getattr(result, field)!r}, and the task's {getattr(task, field)!r}")
        return to_json(result)
    except Exception:  # whatever it is: it must cost no other submission its grade, and the instructor reads it
        return to_json(task.without_score("internal", traceback.format_exc()[-2000:]))
