"""Attacks that use up the machine: memory, disk, descriptors, time; in student code, or in who reads and grades it."""

import contextlib
import io
import os
import re
import tempfile
import zipfile
from pathlib import Path
from typing import Any

from autograder import notebook as notebooks
from autograder import student, submission, trusted, wire
from autograder.results import TestResult, to_json
from autograder.submission import Limits
from tests.attacks.arena import RIGHT, attack
from tests.attacks.switches import replaced, several, without
from tests.engine import notebook

HONEST = (RIGHT, 'grader.check("q1")')


@attack("exhaust", aims_at="limits", off=without("limits"))
def takes_memory(arena):
    """Fills 300 MB where 128 are allowed."""
    return arena.does("import numpy as np\nkept = np.ones(38_000_000)", limits=Limits(memory_mb=128, submission_s=30))


@attack("exhaust", aims_at="limits", off=without("limits"))
def writes_one_large_file(arena):
    """Makes a file of 100 MB with nothing in it, which takes no room before somebody copies it."""
    return arena.does("open('large', 'wb').truncate(100 << 20)")


@attack("exhaust", aims_at="limits", off=without("limits"))
def keeps_many_files_open(arena):
    """Opens 200 files and closes none."""
    return arena.does("kept = [open('/dev/null') for _ in range(200)]")


@attack("exhaust", aims_at="limits of the trusted side", off=replaced(trusted, "_limit", lambda memory_mb: None))
def lets_the_test_broadcast(arena):
    """Returns a column where a row is expected, so that the test's own difference has 128 MB, and its absolute value too."""
    arena.ask("def test_f(f):\n    import numpy as np\n    np.abs(f() - np.zeros(4000)).max()")
    limits = Limits(trusted_memory_mb=120, submission_s=30)
    return arena.submit("import numpy as np\ndef f(): return np.zeros((4000, 1))", limits=limits).gained


def unguarded(self: trusted.Trusted, test: dict, case: Any) -> TestResult:
    case.body.call_func(trusted.Names(self.link))
    return trusted._result(test, True)


@attack("exhaust", aims_at="a fault in a test costs the question", off=replaced(trusted.Trusted, "_one", unguarded))
def lets_the_test_run_out_of_memory(arena):
    """Returns a column on which the test's difference has 300 GB: the error is raised on the grader's side."""
    arena.ask("def test_f(f):\n    import numpy as np\n    f() - np.zeros(200_000)")
    return arena.submit("import numpy as np\ndef f(): return np.zeros((200_000, 1))").is_without_score


@attack("exhaust", aims_at="a reply's buffers have a bound", off=replaced(wire, "MAX_BYTES", 1 << 40))
def replies_with_a_large_array(arena):
    """Sends an array of 260 MB, with its own side's bound removed."""
    arena.ask("def test_f(f):\n    if f()[0] != 0: raise ValueError")
    code = (
        "import numpy as np\nfrom autograder import wire\nwire.MAX_BYTES = 1 << 40\ndef f(): return np.zeros(260 << 20, 'u1')"
    )
    return arena.submit(code).gained


@attack("exhaust", aims_at="a reply's tree has a bound", off=replaced(wire, "MAX_TREE", 1 << 30))
def replies_with_a_large_text(arena):
    """Sends 40 MB of JSON, with its own side's bound removed: read, it would take several times that."""
    arena.ask("def test_f(f):\n    if len(f()) < 10: raise ValueError")
    return arena.submit("from autograder import wire\nwire.MAX_TREE = 1 << 30\ndef f(): return 'a' * (40 << 20)").gained


@attack("exhaust", aims_at="a quota of all files together", off=replaced(submission, "is_overfull", lambda folder, most: False))
def writes_many_large_files(arena):
    """Writes twelve files of a megabyte, each of which it may write, where four are allowed together."""
    code = """
        import time
        for i in range(12):
            with open(f"{i}", "wb") as file: file.write(b"a" * (1 << 20))
        time.sleep(0.6)
    """
    return arena.does(code, limits=Limits(scratch_mb=4, submission_s=30))


@attack("exhaust", aims_at="a quota of all files together", off=replaced(submission, "MAX_FILES", 10**9))
def writes_many_empty_files(arena):
    """Makes 1,500 empty files, which have no size and still use up a file system."""
    return arena.does("import time\nfor i in range(1500): open(f'{i}', 'w').close()\ntime.sleep(0.6)")


def counted_where_it_can_be(folder: Path, most_mb: float) -> bool:
    size = 0
    for inside, _, names in os.walk(folder):
        for name in names:
            with contextlib.suppress(OSError):
                size += os.lstat(os.path.join(inside, name)).st_size  # noqa: PTH118
    return size > most_mb * (1 << 20)


@attack("exhaust", aims_at="a quota of all files together", off=replaced(submission, "is_overfull", counted_where_it_can_be))
def hides_files_where_no_path_leads(arena):
    """Writes 20 MB, where 8 are allowed, in folders so deep that their path is longer than a path may be."""
    code = """
        import os, time
        for _ in range(60):
            os.mkdir('d' * 100)
            os.chdir('d' * 100)
        open('kept', 'wb').write(bytes(20 << 20))
        time.sleep(0.6)
    """
    return arena.does(code, limits=Limits(scratch_mb=8, submission_s=30))


@attack("exhaust", aims_at="threads are counted", off=replaced(submission, "MAX_THREADS", 10**9))
def starts_many_threads(arena):
    """Starts 500 threads with small stacks: with ten thousands, no process of the machine could start another one."""
    code = """
        import threading, time
        threading.stack_size(32768)
        for _ in range(500): threading.Thread(target=time.sleep, args=(100,), daemon=True).start()
        time.sleep(0.6)
    """
    return arena.does(code)


@attack("exhaust", aims_at="texts are cut on the trusted side", off=replaced(trusted, "TEXT", 10**9))
def raises_an_error_with_a_long_text(arena):
    """Raises an error with a text of 5 MB, with its own side's bound removed, to fill the store and the pages."""
    code = "from autograder import student\nstudent.TEXT = 10**9\nraise ValueError('a' * 5_000_000)"
    return len(to_json(arena.submit(code).result)) > 1_000_000


@attack("exhaust", aims_at="a notebook's size has a bound", off=replaced(notebooks, "MAX_BYTES", 1 << 40))
def hands_in_a_notebook_of_70_mb(arena):
    """A right answer, in a notebook whose metadata fill 70 MB."""
    data = notebook(*HONEST).replace(b'"metadata": {}, "cells"', b'"metadata": {"a": "%s"}, "cells"' % (b"a" * (70 << 20)))
    return arena.hand_in(data).gained


def zipped(files: dict[str, bytes]) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as made:
        for name, data in files.items():
            made.writestr(name, data)
    return packed.getvalue()


def read_whole(data: bytes) -> bytes:
    with zipfile.ZipFile(io.BytesIO(data)) as packed:
        return packed.read("hw.ipynb")[:-1].rstrip()


@attack("exhaust", aims_at="a zip file is unpacked up to a bound", off=replaced(notebooks, "_from_zip", read_whole))
def hands_in_a_zip_bomb(arena):
    """A zip file of 80 KB that becomes a notebook of 80 MB."""
    return arena.hand_in(zipped({"hw.ipynb": notebook(*HONEST) + b" " * (80 << 20)})).gained


def unpacked(data: bytes) -> bytes:
    folder = Path(tempfile.mkdtemp())
    with zipfile.ZipFile(io.BytesIO(data)) as packed:
        for entry in packed.infolist():
            (folder / entry.filename).write_bytes(packed.read(entry))
    return (folder / "hw.ipynb").read_bytes()


@attack("exhaust", aims_at="a zip file's entries are counted", off=replaced(notebooks, "MAX_ENTRIES", 10**9))
def hands_in_a_zip_of_many_files(arena):
    """A zip file with a right notebook and 3,000 empty files."""
    return arena.hand_in(zipped({"hw.ipynb": notebook(*HONEST)} | {f"{i}": b"" for i in range(3000)})).gained


@attack("exhaust", aims_at="cells are counted", off=replaced(notebooks, "MAX_CELLS", 10**9))
def hands_in_2001_cells(arena):
    """A right answer among 2,000 cells that do nothing."""
    return arena.grade(*["0"] * 1999, *HONEST).gained


@attack("exhaust", aims_at="code has a bound", off=replaced(notebooks, "MAX_CODE", 1 << 40))
def hands_in_5_mb_of_code(arena):
    """A right answer, and 5 MB of code that is one comment."""
    return arena.grade("#" + "a" * (5 << 20), *HONEST).gained


READS_ON = several(replaced(student, "READ_CPU_S", 1000), replaced(trusted, "READ_S", 1000))


@attack("exhaust", aims_at="a notebook is read within a time", off=READS_ON)
def writes_a_cell_that_takes_long_to_read(arena):
    """A line of 2,000 characters on which the search for newer syntax takes minutes, in the grader, before a clock runs."""
    if arena.is_off:
        arena.patch.setattr(submission, "START_S", 4.0)  # it would be a minute
    return arena.grade('f"{' * 700 + " $", *HONEST, honest=1).is_without_score


QUADRATIC = re.compile(r"""^(?!\s*#).*?\bgrader\.check\(\s*["'](?P<question>\w+)["']""", re.M)


@attack("exhaust", aims_at="patterns take time in proportion", off=replaced(notebooks, "CHECK", QUADRATIC))
def writes_many_empty_lines(arena):
    """A cell of 60,000 line breaks, on which a careless pattern for check cells takes seconds for each question."""
    return arena.grade("\n" * 60_000, *HONEST, honest=1).seconds > 2.5
