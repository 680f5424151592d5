"""Lock a process down before it runs a student's code: irrevocably, and without any privilege.

Each layer is a function of its own in LAYERS, in the order in which they are put on. One that cannot be put on raises
`MissingLayerError`, and the submission is refused: student code never runs half contained.
"""

import ctypes
import functools
import json
import os
import resource
import signal
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from autograder import landlock, syscalls, wheels

PR_SET_PDEATHSIG, PR_SET_DUMPABLE, PR_CAPBSET_DROP, PR_SET_NO_NEW_PRIVS, PR_GET_NO_NEW_PRIVS = 1, 4, 24, 38, 39
CAPABILITY_VERSION = 0x20080522
DEVICES = ("/dev/null", "/dev/zero", "/dev/urandom", "/dev/random")
# Not /usr/share/fonts: copies of the fonts on which networks are examined may lie there.
SHARED = ("/usr/lib", "/usr/lib64", "/lib", "/lib64", "/usr/share/zoneinfo", "/etc/localtime")
PRIVATE = ("autograder", "coursebuild")  # packages that are no business of student code
WHAT_TO_DO = {
    "no_new_privs": "Linux 3.5 or newer is needed.",
    "capabilities": "Grade as an ordinary user, or as a root that may drop its capabilities.",
    "limits": "Raise the hard limits of the grading user: ulimit -H -a shows them.",
    "landlock": "Linux 5.13 or newer with Landlock is needed: lsm= on the kernel's command line must name it, and a container's "
    "seccomp profile must let its three system calls pass. macOS and gVisor lack it: grade in a Linux container or VM.",
    "seccomp": "A Linux kernel with CONFIG_SECCOMP_FILTER is needed, on x86_64 or aarch64.",
}

_libc = ctypes.CDLL(None, use_errno=True)


class MissingLayerError(Exception):
    """A layer of containment could not be put on; the text names it and says why."""


@dataclass(frozen=True)
class Bounds:
    """What a student's process may use.

    Attributes:
        scratch: the one folder that it may write to.
        memory_mb: address space beyond what the process has when it is locked, in MiB.
        cpu_s: CPU time, in seconds.
        file_mb: the size of one file, in MiB.
        files: open at the same time.
    """

    scratch: str
    memory_mb: int = 2048
    cpu_s: int = 600
    file_mb: int = 32
    files: int = 64


def readable() -> list[str]:
    """What student code may read, with all that lies below: the interpreter, installed packages and time zones.

    An editable install adds its project's folder to sys.path, tests and all. Such folders are left out; dlcourse is admitted
    by itself. The grader's own packages are left out wherever they lie.
    """
    return list(admitted()[0])


def listable() -> list[str]:
    """Folders of which student code may read the list of names, as imports do, and not all that lies below."""
    return list(admitted()[1])


def held_out() -> frozenset[Path]:
    """Files that only tests may draw from: fonts on which a network is examined are of no use if it was trained on them."""
    import matplotlib as mpl

    from dlcourse.data import HELD_OUT_FONTS

    folder = Path(mpl.get_data_path()).resolve() / "fonts" / "ttf"
    return frozenset(folder / f"{name}.ttf" for name in HELD_OUT_FONTS)


@functools.cache  # a process imports its packages from one place, and each submission's process asks again
def admitted(but: frozenset[Path] = frozenset()) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """What student code may read with all that lies below, and of which folders it may read the names, but for some files."""
    names = ("stdlib", "purelib", "platlib")  # platstdlib is a virtual environment's whole lib
    paths = {os.path.realpath(sysconfig.get_path(name)) for name in names}
    paths |= {os.path.realpath(f"{base}/lib") for base in {sys.base_prefix} if base != "/usr"}
    paths |= {*_packages("dlcourse")} | {path for path in SHARED if Path(path).exists()}
    holes = {Path(path) for path in _packages(*PRIVATE)} | but
    whole: list[str] = []
    listed: list[str] = []
    for path in sorted(paths):
        around(Path(path), holes, whole, listed)
    return tuple(whole), tuple(listed)


def _packages(*names: str) -> list[str]:
    specs = [find_spec(name) for name in names]
    return [os.path.realpath(path) for spec in specs if spec is not None for path in spec.submodule_search_locations or ()]


def around(folder: Path, holes: set[Path], whole: list[str], listed: list[str]) -> None:
    """Add what covers a folder but these holes in it: paths that are whole, and folders of which the names are needed."""
    if folder in holes:
        return
    if not any(folder in hole.parents for hole in holes):
        whole.append(str(folder))
        return
    listed.append(str(folder))
    for inside in sorted(folder.iterdir()):
        if not inside.is_symlink():  # it may lead anywhere; what it leads to in here is listed itself
            around(inside, holes, whole, listed)


def exposed(*private: Path) -> list[str]:
    """Of these private paths, those that lie in a readable folder, or hold one: student code could reach them."""
    folders = [Path(path) for path in (*readable(), wheels.CACHE)]
    found = []
    for path in (Path(path).resolve() for path in private):
        if any(path == folder or folder in path.parents or path in folder.parents for folder in folders):
            found.append(str(path))
    return found


def _prctl(option: int, value: int) -> int:
    return _libc.prctl(option, ctypes.c_ulong(value), 0, 0, 0)


def _no_new_privs(bounds: Bounds) -> None:
    if _prctl(PR_SET_NO_NEW_PRIVS, 1) != 0 or _prctl(PR_GET_NO_NEW_PRIVS, 0) != 1:
        raise OSError(ctypes.get_errno(), "no_new_privs cannot be set")


def _drop_capabilities(bounds: Bounds) -> None:
    for capability in range(64):
        _prctl(PR_CAPBSET_DROP, capability)  # fails without CAP_SETPCAP, and then there is nothing to drop
    header = (ctypes.c_uint32 * 2)(CAPABILITY_VERSION, 0)
    if _libc.capset(header, (ctypes.c_uint32 * 6)()) != 0:
        raise OSError(ctypes.get_errno(), "capset failed")
    status = Path("/proc/self/status").read_text()
    for name in ("CapPrm", "CapEff", "CapInh", "CapAmb"):
        if f"{name}:\t{0:016x}" not in status:
            raise OSError(0, f"{name} is not empty")


def _limit(bounds: Bounds) -> None:
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    wanted = {
        resource.RLIMIT_AS: pages * resource.getpagesize() + (bounds.memory_mb << 20),
        resource.RLIMIT_CPU: bounds.cpu_s,
        resource.RLIMIT_FSIZE: bounds.file_mb << 20,
        resource.RLIMIT_NOFILE: bounds.files,
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_MEMLOCK: 0,
        resource.RLIMIT_MSGQUEUE: 0,
    }
    for kind, value in wanted.items():
        hard = resource.getrlimit(kind)[1]
        value = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(kind, (value, value))
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # a file that grows too large is an OSError
    _prctl(PR_SET_DUMPABLE, 0)


def _restrict_files(bounds: Bounds) -> None:
    whole, listed = admitted(held_out())
    landlock.restrict([*whole, *DEVICES], [bounds.scratch, "/dev/null"], listed)


def _filter_calls(bounds: Bounds) -> None:
    syscalls.install(syscalls.allowed(os.getpid()))


LAYERS: dict[str, Callable[[Bounds], None]] = {
    "no_new_privs": _no_new_privs,
    "capabilities": _drop_capabilities,
    "limits": _limit,
    "landlock": _restrict_files,
    "seccomp": _filter_calls,
}


def lock(bounds: Bounds) -> None:
    """Put on every layer. The process keeps the descriptors that it has.

    Raises:
        MissingLayerError: one could not be put on. The process must then end.
    """
    for name, put_on in LAYERS.items():
        try:
            put_on(bounds)
        except (OSError, ValueError) as error:
            raise MissingLayerError(f"{name}: {error}. {WHAT_TO_DO[name]}") from error


def die_with_parent(parent: int) -> None:
    """Be killed when the parent ends. The parent may have ended already: then end now."""
    _prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)


@dataclass(frozen=True)
class Layer:
    """What this machine says about one layer: present, and if not, why and what to do."""

    name: str
    present: bool
    detail: str


def layers() -> list[Layer]:
    """Each layer of containment, tried out in a process of its own."""
    with tempfile.TemporaryDirectory() as scratch:
        command = [sys.executable, "-P", "-m", "autograder.containment", scratch]  # -P: no module of the working folder
        done = subprocess.run(command, env=wheels.ENVIRONMENT, capture_output=True, text=True, timeout=120)
    try:
        return [Layer(**layer) for layer in json.loads(done.stdout)]
    except (ValueError, TypeError):
        return [Layer(name, False, f"The trial itself failed: {done.stderr.strip()[-300:]}") for name in LAYERS]


def _try_out(scratch: str) -> None:
    found = []
    for name, put_on in LAYERS.items():
        try:
            put_on(Bounds(scratch))
        except (OSError, ValueError) as error:
            found.append({"name": name, "present": False, "detail": f"{error}. {WHAT_TO_DO[name]}"})
        else:
            found.append({"name": name, "present": True, "detail": ""})
    print(json.dumps(found))


if __name__ == "__main__":
    _try_out(sys.argv[1])
