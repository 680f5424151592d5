"""Make .venv from nothing, or find that it is ready. Standard library only: it runs before anything is installed.

Run by make. The steps can be interrupted and repeated: .venv/ready is written last, and holds digests of all that
the environment was made from. What a killed set-up had started ends with it; if it cannot, the next one waits for it.
"""

import argparse
import contextlib
import errno
import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
STAMP = VENV / "ready"
# Lies in .venv while that is made or written to. Such a folder is ours, whatever else is in it, and is made anew.
UNFINISHED = "set-up-of-the-course-is-unfinished"
LOG = ROOT / "build" / "setup.log"
MADE_FROM = ["constraints.txt", "pyproject.toml", "dlcourse/pyproject.toml", "coursebuild/bootstrap.py"]
PROJECTS = ["-e", "./dlcourse", "-e", ".[dev]"]
HELD_BACK = ["soupsieve<3"]  # newer ones refuse Python 3.11.2, which is Debian 12's
NEEDED_GB = 2.5  # .venv takes 1.9 GB, pip unpacks torch beside it for a moment

# JupyterLab asks new users about news, and offers to install extensions from the network: a lecture needs neither.
LAB_SETTINGS = {
    "@jupyterlab/apputils-extension:notification": {"checkForUpdates": False, "doNotDisturbMode": True, "fetchNews": "false"},
    "@jupyterlab/extensionmanager-extension:plugin": {"enabled": False},
}

NO_SPACE = re.compile(r"No space left on device|Errno 28|Disk quota exceeded", re.I)
NO_CONNECTION = re.compile(
    r"NewConnectionError|Failed to establish a new connection|Name or service not known|Temporary failure in name resolution"
    r"|Connection refused|ProxyError|SSLError|ConnectTimeout|ReadTimeout|Could not fetch URL|Network is unreachable",
    re.I,
)
NO_VERSION = re.compile(r"No matching distribution|ResolutionImpossible")

# .venv/bin/python without pyvenv.cfg is the base interpreter, and pip would install there. So the process that becomes pip
# looks itself, last of all. Its thread ends its group when the pipe from set-up closes, which it does however set-up ends.
STRANGER = 117
INSIDE = f"""
import os, runpy, signal, sys, threading

pipe, venv, *words = sys.argv[1:]


def end_with_set_up():
    os.read(int(pipe), 1)
    os.killpg(0, signal.SIGKILL)


threading.Thread(target=end_with_set_up, daemon=True).start()
if sys.prefix == sys.base_prefix or not os.path.samefile(sys.prefix, venv):
    print(sys.prefix)
    sys.exit({STRANGER})
sys.argv = words
runpy.run_module(words[0], run_name="__main__", alter_sys=True)
"""
PROBE = """
import os, sys

if sys.prefix != sys.base_prefix and os.path.samefile(sys.prefix, sys.argv[1]):
    import pip

    print(sys.version_info[:2])
"""

CUDA_NOTE = (
    "  Note: this index gives the CUDA build of torch, several GB. The course needs the CPU build alone: to take that, press "
    "Ctrl-C and name an index of CPU builds, make TORCH_INDEX=ADDRESS\n"
)


class SetupError(Exception):
    """Set-up cannot go on; the text says why and what to do."""


def venv_python(venv: Path = VENV) -> Path:
    return venv / "bin" / "python"


def requirements(path: Path) -> str:
    """What pip reads of a pyproject.toml. The settings of other tools and the course's own change no package."""
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except tomllib.TOMLDecodeError as error:
        raise SetupError(f"{path} is not valid TOML: {error}") from None
    read = {
        "build-system": table.get("build-system"),
        "project": table.get("project"),
        "hatch": table.get("tool", {}).get("hatch"),
    }
    return json.dumps(read, sort_keys=True, default=str)


def made_from() -> dict[str, str]:
    """What .venv depends on, and a digest of each. The root's path is part of it: editable installs point there."""
    parts = {"the folder's path": str(ROOT), "Python": sys.version}
    for name in MADE_FROM:
        path = ROOT / name
        parts[name] = requirements(path) if path.suffix == ".toml" else path.read_text(encoding="utf-8")
    return {name: hashlib.sha256(text.encode()).hexdigest() for name, text in parts.items()}


def stamped() -> dict[str, str]:
    """What the environment was made from, as far as an earlier set-up came to its end."""
    try:
        return dict(json.loads(STAMP.read_text()))
    except (FileNotFoundError, ValueError, TypeError):
        return {}


def is_ready(wanted: dict[str, str]) -> bool:
    whole = venv_python().exists() and (VENV / "pyvenv.cfg").exists() and not (VENV / UNFINISHED).exists()
    return whole and stamped() == wanted


@contextlib.contextmanager
def one_at_a_time():
    """Two makes at once would install over each other: the second waits.

    The lock is standard input meanwhile. What set-up starts inherits that, and so do the processes that ensurepip starts: whoever
    outlives a killed set-up holds the lock until it ends.
    """
    import fcntl

    with (ROOT / "build" / "setup.lock").open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print("Another set-up of this folder, or what a killed one has started, still runs; waiting for it.", flush=True)
            fcntl.flock(lock, fcntl.LOCK_EX)
        before = os.dup(0)
        os.dup2(lock.fileno(), 0)
        try:
            yield
        finally:
            os.dup2(before, 0)
            os.close(before)


def check_space(needed_gb: float = NEEDED_GB) -> None:
    free_gb = shutil.disk_usage(ROOT).free / 1e9
    if free_gb < needed_gb:
        raise SetupError(
            f"Set-up needs about {needed_gb:.1f} GB in {ROOT}, and {free_gb:.1f} GB are free. "
            "Free some space (pip's cache is a good start: pip cache purge), or clone to a larger disk; then run the same command."
        )


def works(venv: Path) -> bool:
    """Whether the environment's interpreter is its own and of this version, and has pip."""
    command = [venv_python(venv), "-I", "-c", PROBE, venv]
    try:
        out = subprocess.run(command, capture_output=True, text=True, timeout=60)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return out.returncode == 0 and out.stdout.strip() == str(sys.version_info[:2])


def run_inside(venv: Path, *words: str, show: Callable[[str], None] = lambda line: None) -> tuple[int, str]:
    """Run a module by the environment's interpreter, as long as that is its own. It ends when this process ends.

    Returns its exit status, negative for a signal, and all that it said; show gets each line as it comes.

    Raises:
        SetupError: the interpreter is another environment's or the base one. The module has not been run.
    """
    theirs, ours = os.pipe()
    command = [venv_python(venv), "-I", "-c", INSIDE, str(theirs), venv, *words]
    said = []
    try:
        with subprocess.Popen(
            command,
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            pass_fds=[theirs],
            start_new_session=True,
        ) as process:
            try:
                for line in process.stdout:
                    said.append(line)
                    show(line)
            except BaseException:  # Ctrl-C, or a disk too full for the log: pip must not go on alone
                os.killpg(process.pid, signal.SIGKILL)
                raise
    finally:
        os.close(theirs)
        os.close(ours)
    if process.returncode == STRANGER:
        raise SetupError(
            f"{venv_python(venv)} is not {venv.name}'s own interpreter, it would install into {said[-1].strip()}. Something has "
            f"changed {venv} while set-up ran. Nothing was installed there; run the same command again."
        )
    return process.returncode, "".join(said)


def clear(venv: Path) -> None:
    """Empty the folder, but for the mark. pyvenv.cfg goes last: without it, bin/python is the base interpreter."""
    for path in sorted(venv.iterdir(), key=lambda path: path.name == "pyvenv.cfg"):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        elif path.name != UNFINISHED:
            path.unlink()


def make_venv(venv: Path = VENV) -> None:
    """Make the environment, unless there is a whole one."""
    unfinished = venv / UNFINISHED
    if works(venv) and not unfinished.exists():
        return
    if os.path.lexists(venv) and not venv.is_dir():
        raise SetupError(f"{venv} is there and is not a folder. Move it away, then run the same command.")
    if venv.exists() and any(venv.iterdir()) and not (venv / "pyvenv.cfg").exists() and not unfinished.exists():
        raise SetupError(f"{venv} is there and is not a virtual environment. Move it away, then run the same command.")
    no_pip = (
        f"{sys.executable} cannot make virtual environments with pip. On Debian or Ubuntu: apt install python3-venv. "
        "Or name another interpreter: make PYTHON=/path/to/python3.12"
    )
    print(f"Making {venv.name} with Python {sys.version.split()[0]}.", flush=True)
    try:
        from venv import EnvBuilder

        venv.mkdir(exist_ok=True)
        unfinished.touch()
        clear(venv)
        EnvBuilder(symlinks=True).create(venv.resolve())  # .venv may be a link to a larger disk, which venv refuses
    except ImportError:
        raise SetupError(no_pip) from None
    except (OSError, ValueError) as error:  # ValueError: a colon in the path
        if isinstance(error, OSError) and error.errno == errno.ENOSPC:
            raise
        raise SetupError(f"{venv} could not be made: {error}") from None
    failed, said = run_inside(venv, "ensurepip", "--upgrade", "--default-pip")
    if failed and NO_SPACE.search(said):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    if failed and re.search(r"No module named '?ensurepip|ensurepip is (not available|disabled)", said):
        raise SetupError(no_pip)
    if failed:
        raise SetupError(f"python -m ensurepip failed:\n{said.strip()}")
    unfinished.unlink()


def explain(log: str) -> str:
    """What a failed pip run means, and what to do."""
    if NO_SPACE.search(log):
        return (
            f"The disk filled up while packages were installed ({NEEDED_GB:.1f} GB are needed here, and about 1 GB in "
            f"{tempfile.gettempdir()}). Free some space, or set TMPDIR to a folder on a larger disk; then run the same command."
        )
    if NO_CONNECTION.search(log) or "(from versions: none)" in log:
        return (
            "The package index could not be reached. Check the network; behind a proxy set HTTPS_PROXY; for a mirror set "
            "PIP_INDEX_URL; for torch alone set TORCH_INDEX. Then run the same command: what is installed already is kept."
        )
    if NO_VERSION.search(log):
        return (
            f"The index gave no such version for Python {sys.version.split()[0]} on this system (see the lines above). "
            "The versions are those of Python 3.11: make PYTHON=python3.11. If that is yours, look at the index: PIP_INDEX_URL, "
            "or what `pip config list` shows."
        )
    return "pip failed; the lines above are its last."


def explain_torch(log: str, index: str) -> str:
    """What it means that torch alone did not come from TORCH_INDEX, and what to do."""
    without = "or leave TORCH_INDEX out: torch then comes from the ordinary index, on Linux as the CUDA build of several GB."
    if NO_CONNECTION.search(log):
        return f"TORCH_INDEX, {index}, could not be reached. Check its address and the network, {without}"
    if NO_VERSION.search(log):
        pins = re.findall(r"^torch==(\S+)", (ROOT / "constraints.txt").read_text(encoding="utf-8"), re.M)
        return (
            f"TORCH_INDEX, {index}, gave no torch {' '.join(pins)} for Python {sys.version.split()[0]} on this system: it has "
            f"none, is no package index, or did not answer. Check its address, {without}"
        )
    return f"torch could not be installed from TORCH_INDEX, {index}.\n{tail(log)}\n{explain(log)}"


def tail(log: str) -> str:
    return "\n".join(log.splitlines()[-8:])


def without_password(address: str) -> str:
    return re.sub(r"//[^/@\s]*@", "//****@", address)


def pip_install(*args: str, venv: Path = VENV, log: Path = LOG, explained: Callable[[str], str] | None = None) -> None:
    """Run pip in the environment, show what it fetches, keep all that it says in the log; explained says why it failed."""
    words = ["pip", "install", "--progress-bar", "off", "--no-input", "--disable-pip-version-check", *args]
    unfinished = venv / UNFINISHED
    noted = False
    unfinished.touch()
    with log.open("a") as kept:

        def show(line: str) -> None:
            nonlocal noted
            kept.write(line)
            if not noted and re.match(r"\s*Downloading nvidia_", line):
                noted = True
                print(CUDA_NOTE, flush=True)
            shown = re.match(r"\s*(Downloading \S+ \(\S+ [MG]B\)|Installing collected packages)", line)
            if shown:
                print(f"  {shown.group(1)}", flush=True)

        kept.write(without_password(f"$ {venv_python(venv)} -m {' '.join(words)}\n"))
        status, said = run_inside(venv, *words, show=show)
    if status >= 0 and not (status and NO_SPACE.search(said)):
        unfinished.unlink()  # pip ended by itself, and cleans up after itself
    if status < 0:
        raise SetupError(
            f"pip was ended by signal {-status}. If nobody did that, memory ran out: close what takes much of it. "
            "Then run the same command."
        )
    if status:
        why = explained(said) if explained else f"{tail(said)}\n\n{explain(said)}"
        raise SetupError(f"{why}\nAll that pip said: {log}")


def install(venv: Path = VENV, constraints: str = "constraints.txt") -> None:
    pinned = ["-c", constraints]
    torch_index = os.environ.get("TORCH_INDEX", "").strip()
    if torch_index:
        # torch alone: an index of torch's builds need not have the pinned versions of what torch requires. Those come below with
        # all the rest from the ordinary index, and pip leaves a torch alone that is there and fits the pin.
        pip_install(
            *["--index-url", torch_index, "--no-deps", *pinned, "torch"],
            venv=venv,
            explained=lambda log: explain_torch(log, without_password(torch_index)),
        )
    # The build backend is installed first and pinned too: an isolated build would fetch the newest.
    pip_install(*pinned, "hatchling", "editables", venv=venv)
    pip_install("--no-build-isolation", *pinned, *PROJECTS, venv=venv)


def settle_jupyter(venv: Path = VENV) -> None:
    """Register the kernel that the notebooks name, and switch JupyterLab's pop-ups off."""
    name = ["--name", "python3", "--display-name", "Python 3 (course)"]
    failed, said = run_inside(venv, "ipykernel", "install", "--sys-prefix", *name)
    if failed:
        raise SetupError(f"The kernel could not be registered:\n{said}")
    settings = venv / "share" / "jupyter" / "lab" / "settings" / "overrides.json"
    settings.parent.mkdir(parents=True, exist_ok=True)
    settings.write_text(json.dumps(LAB_SETTINGS, indent=1))


def set_up() -> None:
    with one_at_a_time():
        wanted = made_from()  # before the work: what changes meanwhile is for the next set-up
        if is_ready(wanted):
            return
        if not venv_python().exists():
            check_space()
        LOG.write_text("")
        make_venv()
        before = stamped()
        changed = [name for name, digest in wanted.items() if before.get(name) != digest]
        if before:
            print(f"Bringing {VENV.name} up to date, because of a change in: {', '.join(changed)}.", flush=True)
        else:
            print("Installing the course's packages; the first time takes some minutes.", flush=True)
        STAMP.unlink(missing_ok=True)
        install()
        settle_jupyter()
        STAMP.write_text(json.dumps(wanted, indent=1))
        print("Set-up is done.", flush=True)


def write_constraints() -> None:
    """Resolve everything anew in a throw-away environment, and write down what came out."""
    with tempfile.TemporaryDirectory() as tmp:
        venv = Path(tmp) / "venv"
        make_venv(venv)
        held = Path(tmp) / "held.txt"
        held.write_text("".join(f"{line}\n" for line in HELD_BACK))
        install(venv, constraints=str(held))
        failed, frozen = run_inside(venv, "pip", "freeze", "--exclude-editable")
        if failed:
            raise SetupError(f"pip freeze failed:\n{frozen}")
    # A local version such as 2.13.0+cpu names one build; the pin must fit every index's build of that version.
    pins = sorted((re.sub(r"\+\S+$", "", line) for line in frozen.splitlines() if re.match(r"[\w.-]+==", line)), key=str.lower)
    head = "# Exact versions that CI and the grader run on. Made by `make constraints`; do not edit.\n"
    (ROOT / "constraints.txt").write_text(head + "\n".join(pins) + "\n")
    print(f"constraints.txt: {len(pins)} versions")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--constraints", action="store_true", help="write constraints.txt anew from the newest versions")
    LOG.parent.mkdir(exist_ok=True)
    try:
        write_constraints() if parser.parse_args().constraints else set_up()
    except SetupError as error:
        print(f"\n{error}", file=sys.stderr)
        return 1
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        print(f"\n{explain('No space left on device')}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nInterrupted. Run the same command again: it goes on from here.", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
