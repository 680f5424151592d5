"""Where attacks are fought: a small homework with a secret, and what an attack must leave as it was.

An attack is a function that takes an `Arena`, submits what it wants, and returns whether it got what it was after:

    @attack("read", aims_at="Landlock", off=without("landlock"))
    def reads_a_hidden_test_from_disk(arena):
        \"\"\"Opens the file of a hidden test by its path, and lets the question fail with its text.\"\"\"
        return arena.submit(f"raise ValueError(open({arena.test_file!r}).read())").had(arena.secret)

It is run twice. With every layer on it must return False, and nothing else may have come of it: see `Arena.unharmed`. With the
one layer that it aims at switched off it must return True: an attack that cannot succeed then proves nothing.
"""

import os
import signal
import tempfile
import textwrap
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from autograder import report, submission, trusted
from autograder.results import SubmissionResult, to_json
from autograder.submission import Limits
from tests.engine import QUICK, Work, close_all_but, notebook

KINDS = {
    "read": "reads what it may not",
    "patch": "changes what grades it",
    "impersonate": "poses as a value",
    "forge": "forges what is said",
    "leave": "leaves early or never",
    "exhaust": "uses up the machine",
    "escape": "gets out of its process",
    "talk": "talks on the way out",
    "carry": "carries hidden inputs out",
}
SECRET = "kestrel-7351"  # stands in the hidden test's text, and nowhere else
WATCHED = (Path("/dev/shm"), Path("/var/tmp"))  # besides the folder of temporary files; other programs write there too
Switch = Callable[["Arena"], None]


@dataclass(frozen=True)
class Attack:
    """One attack.

    Attributes:
        kind: one of KINDS.
        aims_at: the layer, in a few words, as the table names it.
        off: switches that one layer off, by patching this process; what it forks has it off then.
        fight: submits, and returns whether the attack succeeded.
    """

    kind: str
    aims_at: str
    off: Switch
    fight: Callable[["Arena"], bool]

    @property
    def name(self) -> str:
        return self.fight.__name__

    @property
    def what(self) -> str:
        return " ".join((self.fight.__doc__ or "").split())


ATTACKS: dict[str, Attack] = {}


def attack(kind: str, *, aims_at: str, off: Switch) -> Callable[[Callable], Callable]:
    """Put a function on the list of attacks."""

    def enlist(fight: Callable[["Arena"], bool]) -> Callable[["Arena"], bool]:
        made = Attack(kind, aims_at, off, fight)
        if kind not in KINDS or made.name in ATTACKS or not made.what:
            raise ValueError(f"{made.name}: a kind of its own, a name of its own and a docstring are needed")
        ATTACKS[made.name] = made
        return fight

    return enlist


@dataclass
class Outcome:
    """What came of one submission.

    Attributes:
        shown: all that its student can see: the page and results.json.
        honest: the points that this code deserves.
    """

    result: SubmissionResult
    shown: str
    seconds: float
    honest: float

    def shows(self, text: str) -> bool:
        """Whether the student sees this text."""
        return text in self.shown

    def had(self, text: str) -> bool:
        """Whether its process had this text to tell: it stands in what instructors, though not students, are told."""
        return text in to_json(self.result)

    @property
    def gained(self) -> bool:
        """Whether it has points that it does not deserve."""
        return (self.result.points or 0) > self.honest

    @property
    def is_without_score(self) -> bool:
        """Whether the grader gave up, as if the fault were its own."""
        return self.result.points is None


@dataclass
class Arena:
    """A homework of one question, whose hidden test holds a secret, and a grader for it.

    Attributes:
        folder: the homework's: manifest.json and tests/.
        patch: pytest's monkeypatch.
        is_off: a layer is switched off, so trusted sides are forked from this process, which is the one that is patched.
        private: a folder beside the homework, where a grader might keep its own files.
    """

    folder: Path
    patch: object
    is_off: bool = False
    secret: str = SECRET
    outcomes: list[Outcome] = field(default_factory=list)

    def __post_init__(self):
        self.private = self.folder.parent / "private"
        self.temporary = self.folder.parent / "temporary"
        for path in (self.folder, self.private, self.temporary):
            path.mkdir(parents=True)
        self.patch.setattr(tempfile, "tempdir", str(self.temporary))
        self.ask(TEST)
        self.before = self._left()

    @property
    def test_file(self) -> str:
        """The path of the first question's tests."""
        return str(self.folder / "tests" / "q1.py")

    def ask(self, *tests: str, **facts) -> None:
        """Put another homework in the place of the usual one; as `tests.engine.Work.ask`, one question."""
        self.work = Work(self.folder)
        self.work.ask(*tests, **facts)

    def ask_more(self, *tests: str, **facts) -> None:
        """Add a question."""
        self.work.ask(*tests, **facts)

    def submit(self, code: str, **settings) -> Outcome:
        """Grade a notebook of this cell and the check of question 1."""
        return self.grade(code, 'grader.check("q1")', **settings)

    def does(self, code: str, **settings) -> bool:
        """Whether a cell runs to its end: only then does it have the point of a test that wants x to be 7."""
        self.ask(DONE)
        return self.submit(textwrap.dedent(code) + "\nx = 7\n", **settings).gained

    def grade(self, *cells: str, **settings) -> Outcome:
        """Grade a notebook of these cells."""
        return self.hand_in(notebook(*cells), **settings)

    def hand_in(self, data: bytes, honest: float = 0, limits: Limits = QUICK, seed: int = 1) -> Outcome:
        """Grade a file of these bytes.

        Args:
            honest: the points that it deserves.
        """
        began = time.monotonic()
        start = fork_here if self.is_off else submission.start
        result = submission.grade(data, self.folder, student="someone", attempt=1, limits=limits, seed=seed, start=start)
        outcome = Outcome(result, report.page(result) + report.gradescope(result), time.monotonic() - began, honest)
        self.outcomes.append(outcome)
        return outcome

    @property
    def is_left_behind(self) -> bool:
        """Whether a file or a process is there that was not there before, even a little later."""
        deadline = time.monotonic() + 3
        while self._left() - self.before:
            if time.monotonic() > deadline:
                return True
            time.sleep(0.02)
        return False

    def _left(self) -> set[str]:
        """Files and processes that an attack could have left."""
        found = {str(path) for path in self.temporary.iterdir()} if self.temporary.is_dir() else set()
        found |= {str(path) for folder in WATCHED if folder.is_dir() for path in folder.glob("left-by-attack*")}
        parents = [psutil.Process()]
        if submission._warm is not None and submission._warm.is_alive():
            parents.append(psutil.Process(submission._warm._process.pid))
        for parent in parents:
            for child in parent.children(recursive=True):
                with suppress(psutil.NoSuchProcess):
                    if child.pid != parents[-1].pid and child.status() != psutil.STATUS_ZOMBIE:
                        found.add(str(child.pid))
        return found

    def unharmed(self) -> None:
        """What must hold after an attack that failed.

        Raises:
            AssertionError: points were gained, the secret was shown, a grade is missing that the student's own doing must
                not cost the grader, something was left behind, or the next submission is not graded as usual.
        """
        assert self.outcomes, "nothing was submitted"
        for outcome in self.outcomes:
            assert not outcome.gained, f"{outcome.result.points} points, and {outcome.honest} deserved"
            assert not outcome.shows(self.secret), "a part of the hidden test was shown"
            assert not outcome.had(self.secret), "a part of the hidden test was known"
            assert not outcome.is_without_score, outcome.result.message_instructor
        assert not self.is_left_behind, self._left() - self.before
        self.ask(TEST)
        usual = self.submit(RIGHT, honest=1).result
        assert (usual.status, usual.points) == ("graded", 1), "the next submission is not graded as usual"


# x is drawn anew for each submission, so an answer cannot be written down.
TEST = f"""
    def test_slope(f):
        from dlcourse import check
        marked = "{SECRET}"
        x = check.rng(41077).standard_normal(4)
        check.close(f(x), 3 * x + len(marked))
"""
DONE = """
    def test_x(x):
        from dlcourse import check
        check.close(x, 7)
"""
CALL = "def test_f(f):\n    f()"
RIGHT = f"def f(x): return 3 * x + {len(SECRET)}"
FORKED: list[int] = []
OPEN: list[int] = []  # descriptors that a grader had open at the fork


def fork_here() -> "submission.socket.socket":
    """A trusted side forked from this process, with all that is patched here."""
    mine, theirs = submission.socket.socketpair()
    pid = os.fork()
    if pid == 0:
        with suppress(BaseException):
            close_all_but(theirs.fileno(), *OPEN)
            trusted.serve(theirs.fileno())
        os._exit(0)
    FORKED.append(pid)
    theirs.close()
    return mine


def end_forked() -> None:
    """End what `fork_here` started and an attack, its layer off, may have kept alive."""
    while FORKED:
        pid = FORKED.pop()
        with suppress(psutil.NoSuchProcess):
            for child in psutil.Process(pid).children(recursive=True):
                with suppress(psutil.NoSuchProcess):
                    child.kill()
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        with suppress(ChildProcessError):
            os.waitpid(pid, 0)
