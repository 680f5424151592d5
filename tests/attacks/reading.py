"""Attacks that read what they may not: hidden tests, other processes, the machine."""

import hashlib
import shutil
from contextlib import nullcontext
from pathlib import Path

import numpy as np
from otter.nbmeta_config import NBMetadataConfig
from otter.test_files import create_test_file

from autograder import proxies, student, trusted
from dlcourse import check
from tests.attacks import arena as arenas
from tests.attacks.arena import TEST, Arena, attack
from tests.attacks.switches import edited, in_one_process, replaced, without

OWN_PROCESS = "tests run in a process of their own"
FORK_FIRST = "no test is open when the student's side is forked"
SETTLED = "nothing is inherited"


def opened_before_the_fork(arena: Arena) -> None:
    """Open the tests before the student's side is forked, as an engine does that opens them once for all."""
    fork = trusted._fork_student

    def late(*args):
        arena.opened = create_test_file(arena.test_file, NBMetadataConfig())
        arena.version = hashlib.sha256(Path(arena.test_file).read_bytes()).hexdigest()
        return fork(*args)

    arena.patch.setattr(trusted, "_fork_student", late)


@attack("read", aims_at="Landlock", off=without("landlock"))
def opens_the_hidden_tests_file(arena):
    """Opens the file of a hidden test by its path, and lets its own cell fail with the text."""
    return arena.submit(f"raise ValueError(open({arena.test_file!r}).read())").had(arena.secret)


@attack("read", aims_at="Landlock", off=without("landlock"))
def lists_the_folders_above_its_own(arena):
    """Goes up from its working folder, and reads the file that another submission has in a folder beside."""
    other = arena.temporary / "grading-other" / "scratch"
    other.mkdir(parents=True)
    (other / "answer.txt").write_text("the answer of another")
    code = """
        from pathlib import Path
        found = [path for folder in list(Path.cwd().parents)[:3] for path in folder.rglob("answer.txt")]
        raise ValueError(found[0].read_text())
    """
    outcome = arena.submit(code)
    shutil.rmtree(other.parent)
    return outcome.had("the answer of another")


@attack("read", aims_at="Landlock", off=without("landlock"))
def reads_the_command_lines_of_the_processes_above(arena):
    """Goes from parent to parent through /proc, and tells how the grader was started, with all paths that it was given."""
    code = """
        import os
        from pathlib import Path
        pid, lines = os.getppid(), ""
        while pid > 1:
            lines += Path(f"/proc/{pid}/cmdline").read_text() + " "
            pid = int(Path(f"/proc/{pid}/stat").read_text().rsplit(")")[1].split()[1])
        raise ValueError("started by " + lines[:400])
    """
    return arena.submit(code).had("started by " + Path("/proc/self/cmdline").read_text().split("\0")[0])


@attack("read", aims_at=OWN_PROCESS, off=in_one_process)
def searches_the_garbage_collectors_lists(arena):
    """When it is called by a test, it goes through every object of the process for the test's function and its constants."""
    code = """
        import gc, types
        def f(x):
            codes = [o.__code__ for o in gc.get_objects() if type(o) is types.FunctionType and o.__name__ == "test_slope"]
            found = [c for code in codes for c in code.co_consts if type(c) is str and "-" in c]
            return 3 * x + len(found[0])
    """
    return arena.submit(code).gained


@attack("read", aims_at=OWN_PROCESS, off=in_one_process)
def walks_up_the_frames_of_its_caller(arena):
    """When it is called by a test, it goes from frame to frame until one has the test's variable."""
    code = """
        import sys
        def f(x):
            frame = sys._getframe(1)
            while "marked" not in frame.f_locals:
                frame = frame.f_back
            return 3 * x + len(frame.f_locals["marked"])
    """
    return arena.submit(code).gained


@attack("read", aims_at=OWN_PROCESS, off=in_one_process)
def opens_the_closure_of_a_tests_function(arena):
    """A test passes a function that says whether a guess is right: what it compares with stands in its closure."""
    arena.ask(f"""
        def test_guess(f):
            from dlcourse import check
            marked = "{arena.secret}"
            check.close(f(lambda guess: guess == marked), len(marked))
    """)
    code = """
        def f(is_right):
            found = [cell.cell_contents for cell in is_right.__closure__]
            return len(next(value for value in found if type(value) is str and is_right(value)))
    """
    return arena.submit(code).gained


@attack("read", aims_at=OWN_PROCESS, off=in_one_process)
def follows_the_traceback_of_a_tests_function(arena):
    """It makes a function of the test's fail, catches the error, and looks through the frames that its traceback keeps."""
    arena.ask(f"""
        def test_pick(f):
            from dlcourse import check
            def price(name):
                table = {{"{arena.secret}": 12}}
                return table[name]
            check.close(f(price), 12)
    """)
    code = """
        def f(price):
            try:
                price("unknown")
            except Exception as error:
                trace = error.__traceback__
            while trace:
                table = trace.tb_frame.f_locals.get("table", {})
                trace = trace.tb_next
            return price(list(table)[0])
    """
    return arena.submit(code).gained


SAYS_WHY = edited(
    proxies.Link, "_called_back", 'self._send({"op": "failed"})', 'self._send({"op": "failed", "text": str(error)})'
)


@attack("read", aims_at="what a test's function raises is not told", off=SAYS_WHY)
def reads_the_text_of_an_error_in_a_tests_function(arena):
    """It makes a function of the test's fail, and looks in the message that brings the failure for the text of the error."""
    arena.ask("""
        def test_find(f):
            from dlcourse import check
            wanted = check.rng(41078).integers(10**9)
            def is_found(number):
                if number != wanted:
                    raise ValueError(f"{wanted} is wanted")
                return True
            check.close(f(is_found), wanted)
    """)
    code = """
        import re
        import numpy as np
        from autograder import wire
        received, receive = [], wire.Pipe.receive
        def keep(self, codec):
            received.append(receive(self, codec))
            return received[-1]
        wire.Pipe.receive = keep
        def f(is_found):
            try:
                is_found(0)
            except Exception:
                return np.int64(re.findall("[0-9]+ is wanted", str(received))[0].split()[0])
    """
    return arena.submit(code).gained


@attack("read", aims_at=FORK_FIRST, off=opened_before_the_fork)
def searches_for_tests_that_were_there_before_the_fork(arena):
    """It goes through every object of its own process for a function of the tests."""
    code = """
        import gc, types
        tests = [o for o in gc.get_objects() if type(o) is types.FunctionType and o.__name__ == "test_slope"]
        raise ValueError(tests[0].__code__.co_consts)
    """
    return arena.submit(code).had(arena.secret)


@attack("read", aims_at=FORK_FIRST, off=opened_before_the_fork)
def reads_all_memory_of_its_process(arena):
    """By address it reads the memory in which Python's objects lie, for a text that exists only where the test was compiled."""
    arena.ask(TEST.replace('"kestrel-7351"', '"falcon-" + 3 * "40"'))
    code = """
        import ctypes, gc, os, re
        libc = ctypes.CDLL(None)
        file = os.open("copy", os.O_RDWR | os.O_CREAT)
        found = set()
        for start in {id(value) >> 20 for value in gc.get_objects()}:
            for place in range(start << 20, start + 1 << 20, 1 << 16):
                # The kernel refuses to copy from where nothing is, and does not end the process for it.
                size = libc.pwrite(file, ctypes.c_void_p(place), ctypes.c_size_t(1 << 16), ctypes.c_long(0))
                found.update(re.findall(b"falcon-[0-9]+", ctypes.string_at(place, max(size, 0))))
        raise ValueError(found)
    """
    outcome = arena.submit(code)
    return outcome.had("-".join(["falcon", "404040"]))  # put together here, so that it lies in no memory before


@attack("read", aims_at=SETTLED, off=edited(student, "_settle", "os.environ.clear()", "pass"))
def looks_at_the_environment(arena):
    """It tells the variables of the environment, one of which may be a token of the grader's."""
    arena.patch.setenv("COURSE_TOKEN", arena.secret)
    return arena.submit("import os\nraise ValueError(os.environ.get('COURSE_TOKEN'))").had(arena.secret)


@attack("read", aims_at=SETTLED, off=edited(student, "_settle", 'sys.argv = [""]', "pass"))
def looks_at_the_arguments_of_the_command(arena):
    """It tells the arguments that the grader was started with."""
    arena.patch.setattr("sys.argv", ["autograder", "grade", f"--store={arena.secret}"])
    return arena.submit("import sys\nraise ValueError(sys.argv)").had(arena.secret)


@attack("read", aims_at=SETTLED, off=edited(student, "_settle", "os.chdir(scratch)", "pass"))
def looks_where_it_was_started(arena):
    """It tells the working folder that it was started in, which is the grader's: where to look for tests."""
    return arena.submit("import os\nraise ValueError(f'in {os.getcwd()}.')").had(f"in {Path.cwd()}.")


@attack("read", aims_at=SETTLED, off=edited(student, "_settle", "os.closerange(PIPE + 1, 65536)", "pass"))
def reads_files_that_were_open_before(arena):
    """It reads from every descriptor that it finds: what the grader had open at the fork, no rule on paths forbids."""
    code = """
        import os
        texts = []
        for fd in range(4, 64):
            try:
                texts.append(os.pread(fd, 2000, 0))
            except OSError:
                continue
        raise ValueError(b"".join(text for text in texts if b"marked" in text)[-500:])
    """
    with Path(arena.test_file).open("rb") as opened:
        arena.patch.setattr(arenas, "OPEN", [opened.fileno()])
        return arena.submit(code).had(arena.secret)


GUESS = """
    def test_guess(guess):
        from dlcourse import check
        drawn = check.rng(41079)
        check.close(guess(drawn.standard_normal(2)), drawn.standard_normal(2))
"""


@attack(
    "read", aims_at="each submission has a seed of its own", off=replaced(check, "grading_seed", lambda seed: nullcontext())
)
def recovers_the_seed_from_an_input(arena):
    """It is given a test's first random numbers, tries out all seeds that are likely, and then knows the next ones."""
    arena.ask(GUESS)
    code = """
        import numpy as np
        def guess(x):
            for seed in [*range(8), 42, 1234]:
                for number in range(41050, 41100):
                    drawn = np.random.default_rng([number, seed])
                    if drawn.standard_normal() == x[0]:
                        drawn.standard_normal()
                        return drawn.standard_normal(2)
    """
    return arena.submit(code, seed=0x7C6FD1E25A01).gained


@attack("read", aims_at="inputs come of no global state", off=replaced(check, "rng", lambda number: np.random))
def draws_what_the_test_will_draw(arena):
    """It draws from the global random state, which both sides inherit: what comes for it comes for the test."""
    arena.ask(GUESS)
    code = """
        import numpy as np
        first = np.random.standard_normal(5)
        def guess(x): return first[2:4]
    """
    return arena.submit(code).gained
