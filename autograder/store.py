"""Where submissions and grades are kept: one SQLite file behind a few methods.

A submission is registered once, when it is first seen, with its attempt number, the hash of its bytes, its seed and the
token that names its page. A grade is written once, in one transaction, under (assignment, student, attempt, notebook hash,
tests version), and is never changed. What ended without a score is no grade: it is kept as a fault, beside the grades.
"""

import fcntl
import secrets
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    ForeignKey,
    Integer,
    MetaData,
    Row,
    String,
    Table,
    Text,
    UniqueConstraint,
    create_engine,
    event,
    func,
    inspect,
    select,
)
from sqlalchemy.exc import DatabaseError, IntegrityError

from autograder.results import SubmissionResult, from_json, to_json

SCHEMA = 1  # raised when a table changes; a file of another schema is refused, not guessed at

tables = MetaData()
submissions = Table(
    "submissions",
    tables,
    Column("id", Integer, primary_key=True),
    Column("assignment", String, nullable=False),
    Column("student", String, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("raw_hash", String(64), nullable=False),
    Column("file_name", String, nullable=False),
    Column("seed", BigInteger, nullable=False),
    Column("token", String(32), nullable=False, unique=True),
    Column("received", String, nullable=False),
    UniqueConstraint("assignment", "student", "attempt"),
    UniqueConstraint("assignment", "student", "raw_hash"),
)
grades = Table(
    "grades",
    tables,
    Column("id", Integer, primary_key=True),
    Column("submission", ForeignKey("submissions.id"), nullable=False),
    Column("assignment", String, nullable=False),
    Column("student", String, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("notebook_hash", String(64), nullable=False),
    Column("tests_version", String, nullable=False),
    Column("status", String, nullable=False),
    Column("result", Text, nullable=False),
    Column("stored", String, nullable=False),
    UniqueConstraint("assignment", "student", "attempt", "notebook_hash", "tests_version"),
    UniqueConstraint("submission", "tests_version"),
)
faults = Table(
    "faults",
    tables,
    Column("id", Integer, primary_key=True),
    Column("submission", ForeignKey("submissions.id"), nullable=False, index=True),
    Column("tests_version", String, nullable=False),
    Column("status", String, nullable=False),
    Column("result", Text, nullable=False),
    Column("stored", String, nullable=False),
)


class StoreError(Exception):
    """The store cannot be used; the message says why, and what to do."""


@dataclass(frozen=True)
class Submission:
    """What the store knows of one submission before it is graded.

    Attributes:
        id: its row.
        attempt: counted from 1, for this student and assignment.
        raw_hash: SHA-256 of the file that came in, in hex.
        file_name: its name, as text; never a path.
        seed: from which the inputs of its tests are drawn, 0 <= seed < 2**48; the same whenever it is graded.
        token: 32 hex digits that nobody can guess; names its page.
    """

    id: int
    assignment: str
    student: str
    attempt: int
    raw_hash: str
    file_name: str
    seed: int
    token: str


class Store:
    """Submissions and grades in one file.

    Args:
        path: the SQLite file; it is made if it is missing, its folder too, readable by its owner alone.
    Raises:
        StoreError: the file is no store, or cannot be made.
    """

    def __init__(self, path: Path):
        self.path = Path(path)
        with self._explained():
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self.path.touch(mode=0o600)
            self._engine = create_engine(f"sqlite:///{self.path}", connect_args={"timeout": 30})
            event.listen(self._engine, "connect", _durable)
            event.listen(self._engine, "begin", _begin)
            self._prepare()

    def _prepare(self) -> None:
        with self._engine.begin() as connection:
            found = connection.exec_driver_sql("PRAGMA user_version").scalar_one()
            if found == SCHEMA:
                return
            if found or inspect(connection).get_table_names():
                raise StoreError(
                    f"{self.path} is a SQLite file, but no store of this version: name another file with --store, or use the "
                    "version of autograder that made it"
                )
            tables.create_all(connection)
            connection.exec_driver_sql(f"PRAGMA user_version = {SCHEMA}")

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except DatabaseError as error:
            raise StoreError(_why(error, self.path)) from error
        except OSError as error:
            raise StoreError(f"{self.path}: {error.strerror}. Name another file with --store, or mend this place") from error

    @contextmanager
    def exclusive(self) -> Iterator[None]:
        """For the time of a grading run: no second run grades into the same store, so nothing is graded twice.

        The lock goes with the process, so a run that was killed leaves none.
        Raises:
            StoreError: another run holds it.
        """
        with self._explained():
            lock = self.path.with_name(f"{self.path.name}.lock").open("a")
        with lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise StoreError(
                    f"another `autograder grade` writes to {self.path}: wait for it, or name another file with --store"
                ) from None
            yield

    def register(self, assignment: str, received: Iterable[tuple[str, str, str]]) -> list[Submission]:
        """The submissions with these bytes: each the one that is there, or a new attempt. All are written, or none.

        The same bytes from the same student are the same attempt, however often they come.

        Args:
            received: student, SHA-256 of the bytes in hex, and file name, of each; later ones are later attempts.
        Raises:
            StoreError: they could not be written.
        """
        with self._explained(), self._engine.begin() as connection:
            return [self._register(connection, assignment, *one) for one in received]

    @staticmethod
    def _register(connection: Connection, assignment: str, student: str, raw_hash: str, file_name: str) -> Submission:
        theirs = (submissions.c.assignment == assignment) & (submissions.c.student == student)
        query = select(submissions).where(theirs, submissions.c.raw_hash == raw_hash)
        row = connection.execute(query).one_or_none()
        if row is None:
            last = connection.execute(select(func.max(submissions.c.attempt)).where(theirs)).scalar() or 0
            made = {
                "assignment": assignment,
                "student": student,
                "attempt": last + 1,
                "raw_hash": raw_hash,
                "file_name": file_name,
                "seed": secrets.randbits(48),
                "token": secrets.token_hex(16),
                "received": _now(),
            }
            connection.execute(submissions.insert().values(made))
            row = connection.execute(query).one()
        return _submission(row)

    def put(self, submission: Submission, result: SubmissionResult) -> bool:
        """Keep a result, whole or not at all. Once this returns, neither a kill nor a power cut loses it.

        Returns:
            whether it is new: a grade that is there already stays as it was.
        Raises:
            StoreError: it could not be written, such as on a full disk; nothing of it is there then.
            ValueError: the result is not this submission's.
        """
        if (result.assignment, result.student, result.attempt) != (
            submission.assignment,
            submission.student,
            submission.attempt,
        ):
            raise ValueError(f"a result of {result.student!r}, attempt {result.attempt}, is not of {submission}")
        row = {
            "submission": submission.id,
            "tests_version": result.tests_version,
            "status": result.status,
            "result": to_json(result),
            "stored": _now(),
        }
        with self._explained(), self._engine.connect() as connection:
            if not result.counts:
                connection.execute(faults.insert().values(row))
                connection.commit()
                return True
            keys = {name: getattr(result, name) for name in ("assignment", "student", "attempt", "notebook_hash")}
            try:
                connection.execute(grades.insert().values(row | keys))
                connection.commit()
            except IntegrityError:
                connection.rollback()
                if self._grade(connection, submission, result.tests_version) is None:
                    raise  # not a second grade, so a fault in this module
                return False
            return True

    def get(self, submission: Submission, tests_version: str) -> SubmissionResult | None:
        """The grade of a submission by these tests; without one, the last fault; without one, None.

        Raises:
            StoreError: the file cannot be read.
        """
        with self._explained(), self._engine.connect() as connection:
            text = self._grade(connection, submission, tests_version)
            if text is None:
                mine = (faults.c.submission == submission.id) & (faults.c.tests_version == tests_version)
                query = select(faults.c.result).where(mine).order_by(faults.c.id.desc()).limit(1)
                text = connection.execute(query).scalar()
            return None if text is None else from_json(text)

    def status(self, submission: Submission, tests_version: str) -> str | None:
        """The status of what `get` returns, without reading all of it."""
        with self._explained(), self._engine.connect() as connection:
            for table in (grades, faults):
                mine = (table.c.submission == submission.id) & (table.c.tests_version == tests_version)
                query = select(table.c.status).where(mine).order_by(table.c.id.desc()).limit(1)
                if (found := connection.execute(query).scalar()) is not None:
                    return found
            return None

    @staticmethod
    def _grade(connection: Connection, submission: Submission, tests_version: str) -> str | None:
        mine = (grades.c.submission == submission.id) & (grades.c.tests_version == tests_version)
        return connection.execute(select(grades.c.result).where(mine)).scalar()

    def find(self, name: str, assignment: str | None = None) -> list[Submission]:
        """The submissions of a student, or the one whose token starts with these six or more digits; oldest first."""
        chosen = submissions.c.student == name
        if len(name) >= 6 and set(name) <= set("0123456789abcdef"):
            chosen |= submissions.c.token.startswith(name)
        query = select(submissions).where(chosen).order_by(submissions.c.id)
        if assignment is not None:
            query = query.where(submissions.c.assignment == assignment)
        with self._explained(), self._engine.connect() as connection:
            return [_submission(row) for row in connection.execute(query)]

    def results(self, submission: Submission) -> list[SubmissionResult]:
        """Every grade of a submission, by all versions of the tests, oldest first, then its last fault if it has no grade."""
        with self._explained(), self._engine.connect() as connection:
            mine = grades.c.submission == submission.id
            found = connection.execute(select(grades.c.result).where(mine).order_by(grades.c.id)).scalars().all()
            if not found:
                query = select(faults.c.result).where(faults.c.submission == submission.id).order_by(faults.c.id.desc())
                found = connection.execute(query.limit(1)).scalars().all()
            return [from_json(text) for text in found]

    def close(self) -> None:
        """Let go of the file."""
        self._engine.dispose()


def _durable(connection, _record) -> None:
    # A rollback journal in the same folder works on network file systems too, where SQLite's WAL does not; FULL waits for
    # the disk at each commit. Both are SQLite's defaults on most builds, and are not left to them.
    connection.isolation_level = None  # sqlite3 would begin transactions by itself, and not for every statement
    for pragma in ("journal_mode = DELETE", "synchronous = FULL", "foreign_keys = ON"):
        connection.execute(f"PRAGMA {pragma}").close()


def _begin(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN")


def _why(error: DatabaseError, path: Path) -> str:
    says = str(error.orig)
    if "full" in says or "disk I/O" in says:
        return f"{path} could not be written, most often because the disk is full ({says}). What was stored before is safe"
    if "not a database" in says or "malformed" in says:
        return f"{path} is no store ({says}): name another file with --store, or take this one from a backup"
    if "locked" in says:
        return f"{path} is in use by another program ({says}): try again when that is done"
    return f"{path} cannot be used: {says}. Name another file with --store, or mend this one"


def _submission(row: Row) -> Submission:
    return Submission(row.id, row.assignment, row.student, row.attempt, row.raw_hash, row.file_name, row.seed, row.token)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
