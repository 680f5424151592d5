"""What processes cost: CPU time and private memory, from /proc."""

import contextlib
import os
import resource
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

TICK = os.sysconf("SC_CLK_TCK")
ZYGOTE = b"autograder.zygote"
ENDING_S = 60.0


@dataclass(frozen=True)
class Process:
    """One process; cpu_s is its own, and that of its children that it has waited for."""

    pid: int
    parent: int
    cpu_s: float
    command: bytes


def descendants(root: int) -> list[Process]:
    """This process and all below it, parents first."""
    found, known = [], {}
    for process in _all():
        known.setdefault(process.parent, []).append(process)
        if process.pid == root:
            found.append(process)
    for process in found:
        found += known.get(process.pid, [])
    return found


def _all() -> Iterator[Process]:
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
            command = (folder / "cmdline").read_bytes()
        except (FileNotFoundError, ProcessLookupError):
            continue  # it ended since the folder was listed
        yield Process(int(folder.name), int(fields[1]), sum(map(int, fields[11:15])) / TICK, command)


def sides(root: int) -> list[tuple[str, int]]:
    """The trusted sides and the students' below a process: 'trusted' or 'student', and the process's number."""
    found, role = [], {}
    for process in descendants(root):
        above = role.get(process.parent)
        if above is not None:
            role[process.pid] = "trusted" if above == "zygote" else "student"
            found.append((role[process.pid], process.pid))
        elif ZYGOTE in process.command:
            role[process.pid] = "zygote"
    return found


def cpu_s(without: int | None = None) -> float:
    """CPU seconds of this process and all below it, ended ones included, once no attempt at a submission is under way.

    Args:
        without: a process below this one that does not count, nor do those below it.

    Raises:
        TimeoutError: one is, and does not end.
    """
    until = time.monotonic() + ENDING_S
    while sides(os.getpid()):  # what has not been waited for is not in its parent's account yet
        if time.monotonic() > until:
            raise TimeoutError("a process of an attempt does not end")
        time.sleep(0.01)
    left_out = set() if without is None else {process.pid for process in descendants(without)}
    return sum(process.cpu_s for process in descendants(os.getpid()) if process.pid not in left_out)


@contextlib.contextmanager
def on_one_core() -> Iterator[None]:
    """This process and all below it share one core, so that whatever slows one of them slows all alike."""
    allowed = {process.pid: os.sched_getaffinity(process.pid) for process in descendants(os.getpid())}
    core = {min(allowed[os.getpid()])}
    for pid in allowed:
        os.sched_setaffinity(pid, core)
    try:
        yield
    finally:
        for pid, cores in allowed.items():
            os.sched_setaffinity(pid, cores)


def children_cpu_s() -> float:
    """CPU seconds of all children that this process has waited for, and of theirs."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def private_mb(pid: int) -> float:
    """Memory that a process shares with no other, in MiB; 0 once it has ended."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except (FileNotFoundError, ProcessLookupError):
        return 0.0
    return sum(int(line.split()[1]) for line in lines if line.startswith("Private_")) / 1024
