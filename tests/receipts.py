"""Receipts: what depends on nothing but its inputs, and takes long, is not repeated while the inputs are the same.

    @pytest.mark.receipt("engine", "hw1", "tests/sample_class/**")
    def test_the_engine_grades_every_answer(...): ...

names what a slow test reads, by globs or by names of SETS, besides what every test reads (ALWAYS). A file of the repository that
the test's own process opens and that is not named fails it; what other processes read is the author's to name. tests/receipts.txt, committed, holds a line for each such
test: the digest of all that it read, its name, and what came out. Where the digest is the same, `make test-slow` leaves the
test out, except for a tenth that the commit's hash chooses; those must come out as written. Where it differs, the test runs, and
the run fails until `make verify` has written the line anew.

A test with a parameter `source` or `path` has a line for each lecture or homework, and {lecture} in what it reads is the
name of that one's source.
`-k` and single tests run as if there were no receipts.
"""

import fnmatch
import hashlib
import os
import re
import subprocess
import sys
from collections import defaultdict
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
BOOK = "tests/receipts.txt"
ALWAYS = ("constraints.txt", "pyproject.toml", "tests/conftest.py", "{test}")
SETS = {
    "kit": ("dlcourse/**",),
    "build": ("coursebuild/**", "Makefile", "LICENSE"),
    "engine": ("autograder/**", "dlcourse/**", "coursebuild/**", "tests/engine.py", "tests/samples/**"),
    "hw1": ("solutions/hw1_neural_networks/**", "solutions/public_lines.txt", "tests/homework/**", "tests/answers.py"),
    "homework": ("solutions/{lecture}/**", "solutions/public_lines.txt", "tests/homework/**", "tests/answers.py"),
    "lecture": ("lectures/src/{lecture}.py", "lectures/{lecture}.ipynb"),
    "browser": ("tests/browser.py", "dlcourse/**", "coursebuild/**"),
}
SHARE = 10  # one in so many good receipts is tried all the same
MODES = ("keep", "ignore", "renew", "write")


def pytest_addoption(parser):
    words = "keep: leave out what has a good receipt; ignore: run all; renew: run what has none, and write; write: run all, and write"
    parser.addoption("--receipts", choices=MODES, default="ignore", help=words)


def pytest_configure(config):
    config.addinivalue_line("markers", "receipt(*globs): slow, and not repeated while what the globs name is the same")
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(Outcomes(config))


@lru_cache(maxsize=4)
def files(root: Path) -> tuple[str, ...]:
    """What a fresh clone of this tree would hold: tracked files, and new ones that are not ignored."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=root, capture_output=True, check=True
    )
    return tuple(sorted(name for name in set(listed.stdout.decode().split("\0")) if name and (root / name).is_file()))


@cache
def _file_digest(path: Path, modified_ns: int) -> bytes:
    return hashlib.sha256(path.read_bytes()).digest()


@cache
def named_by(globs: tuple[str, ...], root: Path = ROOT) -> frozenset[str]:
    """The files that the globs name, from the root.

    Args:
        globs: as fnmatch reads them on paths from the root; '*' goes through folders.
    Raises:
        ValueError: one of them names no file.
    """
    found = set()
    for glob in globs:
        named = fnmatch.filter(files(root), glob.replace("**", "*"))
        if not named:
            raise ValueError(f"a receipt reads {glob!r}, and there is no such file")
        found |= set(named)
    return frozenset(found - {BOOK})


def digest(globs: tuple[str, ...], root: Path = ROOT) -> str:
    """A digest of the names and contents of all files that the globs name, and of the Python that runs."""
    found = named_by(globs, root)
    whole = hashlib.sha256(f"{sys.implementation.name} {sys.version_info[:2]}".encode())
    for name in sorted(found):
        path = root / name
        whole.update(name.encode() + b"\0" + _file_digest(path, path.stat().st_mtime_ns))
    return whole.hexdigest()[:24]


@dataclass(frozen=True)
class Receipt:
    """One line of the book."""

    digest: str
    name: str
    outcome: str

    def __str__(self) -> str:
        return f"{self.digest}  {self.name}  {self.outcome}"


def read_book(path: Path) -> dict[str, Receipt]:
    """The receipts by the names of their tests.

    Raises:
        ValueError: a line is none.
    """
    found = {}
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines() if path.exists() else [], 1):
        parts = line.split("  ", 2)
        if len(parts) != 3 or not re.fullmatch(r"[0-9a-f]{24}", parts[0]):
            raise ValueError(f"{path.name}:{number}: no receipt: {line!r}. Take the line out, and run `make verify`")
        found[parts[1]] = Receipt(*parts)
    return found


def name_of(item) -> str:
    """The name of a test's receipt: its file and function, and its lecture where it is about one."""
    name = f"{item.path.relative_to(item.config.rootpath).as_posix()}::{getattr(item, 'originalname', item.name)}"
    lecture = lecture_of(item)
    return f"{name}[{lecture}]" if lecture else name


def lecture_of(item) -> str | None:
    params = item.callspec.params if hasattr(item, "callspec") else {}
    path = params.get("source", params.get("path"))
    return path.stem if isinstance(path, Path) else None


def read_by(item) -> tuple[str, ...]:
    """The globs of all that a test with a receipt reads."""
    test = item.path.relative_to(item.config.rootpath).as_posix()
    given = [glob for mark in item.iter_markers("receipt") for glob in mark.args]
    globs = [glob for name in given for glob in SETS.get(name, (name,))]
    return tuple(glob.format(test=test, lecture=lecture_of(item)) for glob in (*ALWAYS, *globs))


def is_tried_anyway(name: str, commit: str) -> bool:
    """Whether this commit chooses this receipt to be tried again."""
    return int(hashlib.sha256(f"{commit} {name}".encode()).hexdigest(), 16) % SHARE == 0


def commit(root: Path) -> str:
    return subprocess.run(["git", "rev-parse", "HEAD"], cwd=root, capture_output=True, text=True).stdout.strip()


def mode_of(config) -> str:
    """What to do with receipts; nothing where only parts of the tests with one may run."""
    partial = config.option.keyword or any("::" in argument for argument in config.args)
    return "ignore" if partial else config.getoption("--receipts")


_opened: set[str] | None = None


def _watch(event: str, arguments: tuple) -> None:
    if event == "open" and _opened is not None and isinstance(arguments[0], str | bytes | os.PathLike):
        _opened.add(str(Path(os.fsdecode(arguments[0])).absolute()))


@lru_cache(maxsize=1)
def _watching() -> None:
    sys.addaudithook(_watch)  # it cannot be taken away again, so it is added once


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item):
    """Fail a test that opens a file of the repository which its receipt does not name."""
    global _opened
    if "receipt" not in dict(item.user_properties):
        return (yield)
    _watching()
    root, _opened = item.config.rootpath, set()
    try:
        result = yield
    finally:
        opened, _opened = _opened, None
    inside = {os.path.relpath(path, root) for path in opened if path.startswith(f"{root}{os.sep}")}
    unnamed = sorted((inside & set(files(root))) - named_by(read_by(item), root) - {BOOK})
    if unnamed:
        raise AssertionError(f"it reads what its receipt does not name: {', '.join(unnamed[:5])}")
    return result


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config, items):
    mode, root = mode_of(config), config.rootpath
    book, head = ({}, "") if mode == "ignore" else (read_book(root / BOOK), commit(root))
    left_out, kept = [], []
    for item in items:
        if not item.get_closest_marker("receipt"):
            kept.append(item)
            continue
        item.add_marker(pytest.mark.slow)
        if mode == "ignore":
            kept.append(item)
            continue
        name, now = name_of(item), digest(read_by(item), root)
        item.user_properties.append(("receipt", f"{now}  {name}"))
        is_good = name in book and book[name].digest == now
        skipped = is_good and (mode == "renew" or (mode == "keep" and not is_tried_anyway(name, head)))
        (left_out if skipped else kept).append(item)
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = kept


class Outcomes:
    """Hears what came out of each test with a receipt, holds it against the book, or writes the book."""

    def __init__(self, config):
        self.config, self.root = config, config.rootpath
        self.counts: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
        self.said: dict[str, list[str]] = defaultdict(list)
        self.digests: dict[str, str] = {}
        self.problems: list[str] = []
        self.written = 0

    def pytest_runtest_logreport(self, report):
        properties = dict(report.user_properties)
        if "receipt" not in properties:
            return
        now, name = properties["receipt"].split("  ", 1)
        self.digests[name] = now
        if report.when == "call" or report.outcome != "passed":
            self.counts[name][report.outcome] += 1
        if report.when == "call" and "came out" in properties:
            self.said[name].append(str(properties["came out"]))

    def outcome(self, name: str) -> str:
        """What came out, in one line."""
        counts = ", ".join(f"{count} {word}" for word, count in sorted(self.counts[name].items()))
        return "; ".join([counts, *sorted(self.said[name])])

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session):
        mode = mode_of(self.config)
        if mode == "ignore":
            return
        book = read_book(self.root / BOOK)
        if mode in ("write", "renew"):
            self.write(book)
            return
        for name, now in sorted(self.digests.items()):
            if name not in book or book[name].digest != now:
                what = "is missing" if name not in book else "is of other inputs"
                self.problems.append(f"{name}: its receipt {what}. Run `make verify`, and commit {BOOK}")
            elif book[name].outcome != self.outcome(name):
                self.problems.append(f"{name}: {self.outcome(name)} came out, and its receipt says {book[name].outcome}")
        if self.problems and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def write(self, book: dict[str, Receipt]) -> None:
        for name, now in self.digests.items():
            book.pop(name, None)
            if set(self.counts[name]) == {"passed"}:
                book[name] = Receipt(now, name, self.outcome(name))
                self.written += 1
        there = {name: receipt for name, receipt in book.items() if (self.root / name.split("::")[0]).exists()}
        text = "".join(f"{there[name]}\n" for name in sorted(there))
        (self.root / BOOK).write_text(text, encoding="utf-8")

    def pytest_terminal_summary(self, terminalreporter):
        if mode_of(self.config) in ("write", "renew"):
            terminalreporter.section("receipts")
            terminalreporter.write_line(f"{self.written} written to {BOOK}; a test that failed has none")
        if self.problems:
            terminalreporter.section("receipts")
            for problem in self.problems:
                terminalreporter.write_line(problem)
