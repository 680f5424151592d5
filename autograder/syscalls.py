"""seccomp: the list of system calls that a process may still make. Written as BPF here, so that no library is needed.

What is not on the list fails with EPERM: renaming, sockets, new processes, exec, ptrace, memfd, mounts, namespaces, chmod, links,
keys, shared memory, and whatever a future kernel adds. Nor is there what two submissions that are graded at the same time
could whisper by: locks of files, free space and free memory, the page cache, a futex that lies in a file. Deleting is said to
have worked, and is not done: a file that is deleted while it is open or mapped goes on taking room, where nobody who counts
can see it.
Source: linux/seccomp.h, linux/filter.h, and the kernel's tables of system calls.
"""

import ctypes
import errno
import os
import platform
import struct
from collections.abc import Iterable

# name: (number on x86_64, number on aarch64), None where an architecture has no such call
NUMBERS: dict[str, tuple[int | None, int | None]] = {
    # files; Landlock says which
    "read": (0, 63), "write": (1, 64), "readv": (19, 65), "writev": (20, 66), "pread64": (17, 67), "pwrite64": (18, 68),
    "preadv": (295, 69), "pwritev": (296, 70), "close": (3, 57),
    "close_range": (436, 436), "lseek": (8, 62), "stat": (4, None), "fstat": (5, 80), "lstat": (6, None),
    "newfstatat": (262, 79), "statx": (332, 291), "access": (21, None),
    "faccessat": (269, 48), "faccessat2": (439, 439), "readlink": (89, None), "readlinkat": (267, 78), "getdents": (78, None),
    "getdents64": (217, 61), "getcwd": (79, 17), "chdir": (80, 49), "fchdir": (81, 50), "mkdir": (83, None),
    "mkdirat": (258, 34), "ftruncate": (77, 46), "fsync": (74, 82), "fdatasync": (75, 83),
    "umask": (95, 166), "dup": (32, 23), "dup2": (33, None), "dup3": (292, 24),
    "pipe": (22, None), "pipe2": (293, 59), "eventfd2": (290, 19),
    # memory
    "mmap": (9, 222), "mprotect": (10, 226), "munmap": (11, 215), "mremap": (25, 216), "madvise": (28, 233),
    "brk": (12, 214), "membarrier": (324, 283),
    # waiting, threads
    "poll": (7, None), "ppoll": (271, 73), "select": (23, None), "pselect6": (270, 72), "epoll_create": (213, None),
    "epoll_create1": (291, 20), "epoll_ctl": (233, 21), "epoll_wait": (232, None), "epoll_pwait": (281, 22),
    "set_robust_list": (273, 99), "get_robust_list": (274, 100), "rseq": (334, 293),
    "set_tid_address": (218, 96), "arch_prctl": (158, None), "sched_yield": (24, 124), "sched_getaffinity": (204, 123),
    "sched_getparam": (143, 121), "sched_getscheduler": (145, 120), "sched_get_priority_max": (146, 125),
    "sched_get_priority_min": (147, 126), "getpriority": (140, 141), "getcpu": (309, 168), "exit": (60, 93),
    "exit_group": (231, 94),
    # signals to itself
    "rt_sigaction": (13, 134), "rt_sigprocmask": (14, 135), "rt_sigreturn": (15, 139), "rt_sigpending": (127, 136),
    "rt_sigtimedwait": (128, 137), "rt_sigsuspend": (130, 133), "sigaltstack": (131, 132), "pause": (34, None),
    "alarm": (37, None), "getitimer": (36, 102), "setitimer": (38, 103), "restart_syscall": (219, 128),
    # clocks, and who am I
    "nanosleep": (35, 101), "clock_nanosleep": (230, 115), "clock_gettime": (228, 113), "clock_getres": (229, 114),
    "gettimeofday": (96, 169), "time": (201, None), "times": (100, 153), "getrandom": (318, 278), "uname": (63, 160),
    "getrusage": (98, 165), "getrlimit": (97, None), "getpid": (39, 172), "getppid": (110, 173),
    "gettid": (186, 178), "getuid": (102, 174), "geteuid": (107, 175), "getgid": (104, 176), "getegid": (108, 177),
    "getgroups": (115, 158), "getresuid": (118, 148), "getresgid": (120, 150), "getpgrp": (111, None), "getpgid": (121, 155),
    "getsid": (124, 156),
}  # fmt: skip
NOT_DONE = {"rmdir": (84, None), "unlink": (87, None), "unlinkat": (263, 35)}
O_TMPFILE = 0x400000  # a file without a name, which nobody who counts can see
OPEN: dict[str, tuple[tuple[int | None, int | None], int]] = {"open": ((2, None), 1), "openat": ((257, 56), 2)}  # its flags
CLONE, CLONE3 = (56, 220), (435, 435)
# Allowed with some values of one argument: (numbers, which argument, its values). None stands for the process itself.
CHECKED: dict[str, tuple[tuple[int, int], int, tuple[int | None, ...]]] = {
    "kill": ((62, 129), 0, (None,)),
    "tgkill": ((234, 131), 0, (None,)),
    "prlimit64": ((302, 261), 0, (0,)),
    "prctl": ((157, 167), 0, (15, 16)),  # the thread's name; not the signal at the parent's death
    "ioctl": ((16, 29), 1, (0x5401, 0x5413, 0x541B, 0x5421, 0x5450, 0x5451)),  # is it a terminal, how much is to be read
    "fcntl": ((72, 25), 1, (0, 1, 2, 3, 4, 1030)),  # no locks, and not F_SETOWN, which sends signals to others
}
CLONE_THREAD = 0x00010000
FUTEX, FUTEX_PRIVATE = (202, 98), 128
ARCHITECTURES = {"x86_64": (0, 0xC000003E), "aarch64": (1, 0xC00000B7)}
ALLOW, ERRNO = 0x7FFF0000, 0x00050000
LOAD, EQUAL, ANY_BIT, RETURN = 0x20, 0x15, 0x45, 0x06  # of 32-bit words: BPF_LD|W|ABS, BPF_JMP|JEQ|K, JSET, BPF_RET|K
AT_NUMBER, AT_ARCHITECTURE, AT_ARGUMENTS = 0, 4, 16
PR_SET_SECCOMP, FILTER = 22, 2

_libc = ctypes.CDLL(None, use_errno=True)


def _step(code: int, value: int, if_true: int = 0, if_false: int = 0) -> bytes:
    return struct.pack("=HBBI", code, if_true, if_false, value)


def _head() -> tuple[int, list[bytes]]:
    """Which column of the tables holds, and the steps that refuse calls by another architecture's numbers."""
    machine = platform.machine()
    if machine not in ARCHITECTURES:
        raise OSError(errno.ENOSYS, f"seccomp: no table of system calls for {machine}")
    column, mark = ARCHITECTURES[machine]
    return column, [
        _step(LOAD, AT_ARCHITECTURE),
        _step(EQUAL, mark, 1, 0),
        _step(RETURN, ERRNO | errno.EPERM),
        _step(LOAD, AT_NUMBER),
    ]


def _argument(place: int) -> bytes:
    return _step(LOAD, AT_ARGUMENTS + 8 * place)  # the low word: all that the kernel reads of these arguments


def _case(number: int, steps: list[bytes]) -> list[bytes]:
    return [_step(EQUAL, number, 0, len(steps)), *steps]


def allowed(pid: int) -> list[bytes]:
    """The program of a student's process.

    Args:
        pid: its own, the only one that it may send signals to.
    """
    column, program = _head()
    refused = _step(RETURN, ERRNO | errno.EPERM)
    for numbers in NUMBERS.values():
        if numbers[column] is not None:
            program += _case(numbers[column], [_step(RETURN, ALLOW)])
    for numbers in NOT_DONE.values():
        if numbers[column] is not None:
            program += _case(numbers[column], [_step(RETURN, ERRNO)])
    for numbers, place in OPEN.values():
        if numbers[column] is not None:
            named = [_argument(place), _step(ANY_BIT, O_TMPFILE, 1, 0), _step(RETURN, ALLOW), refused]
            program += _case(numbers[column], named)
    for numbers, place, values in CHECKED.values():
        tests = []
        for value in values:
            tests += [_step(EQUAL, pid if value is None else value, 0, 1), _step(RETURN, ALLOW)]
        program += _case(numbers[column], [_argument(place), *tests, refused])
    threads = [_argument(0), _step(ANY_BIT, CLONE_THREAD, 0, 1), _step(RETURN, ALLOW), refused]
    program += _case(CLONE[column], threads)
    # A futex of this process alone. For one in shared memory the call says 'try again', with which pthread_join goes on to wait.
    private = [_argument(1), _step(ANY_BIT, FUTEX_PRIVATE, 0, 1), _step(RETURN, ALLOW), _step(RETURN, ERRNO | errno.EAGAIN)]
    program += _case(FUTEX[column], private)
    # glibc then falls back to clone, whose flags a filter can see.
    program += _case(CLONE3[column], [_step(RETURN, ERRNO | errno.ENOSYS)])
    return [*program, refused]


def denied(numbers: Iterable[int], error: int = errno.EPERM) -> list[bytes]:
    """A program that refuses these calls of this machine and lets all others pass: what a container's profile does."""
    _, program = _head()
    for number in numbers:
        program += _case(number, [_step(RETURN, ERRNO | error)])
    return [*program, _step(RETURN, ALLOW)]


def install(program: list[bytes]) -> None:
    """From now on this process, and all that it starts, runs under this program. no_new_privs must be set.

    Raises:
        OSError: the kernel refused.
    """
    code = ctypes.create_string_buffer(b"".join(program))

    class Program(ctypes.Structure):
        _fields_ = [("length", ctypes.c_ushort), ("code", ctypes.c_void_p)]

    made = Program(len(program), ctypes.addressof(code))
    if _libc.prctl(PR_SET_SECCOMP, FILTER, ctypes.byref(made), 0, 0) != 0:
        raise OSError(ctypes.get_errno(), f"seccomp: {os.strerror(ctypes.get_errno())}")
