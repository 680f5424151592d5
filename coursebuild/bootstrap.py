"""Make .venv from nothing, or find that it is ready. Standard library only: it runs before anything is installed.

Run by make. The steps can be interrupted and repeated: .venv/ready is written last, and holds a digest of all that
the environment was made from.
"""

import argparse
import contextlib
import errno
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TextIO

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
STAMP = VENV / "ready"
INSTALLING = VENV / "installing"  # there while pip writes: found at the start, it tells of a pip that was killed
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
NO_INDEX = re.compile(
    r"NewConnectionError|Failed to establish a new connection|Name or service not known|Temporary failure in name resolution"
    r"|Connection refused|ProxyError|SSLError|ConnectTimeout|ReadTimeout|Could not fetch URL|Network is unreachable"
    r"|\(from versions: none\)",
    re.I,
)


CUDA_NOTE = (
    "  Note: this index gives the CUDA build of torch, several GB. The course needs the CPU build alone: to take that, press "
    "Ctrl-C and name an index of CPU builds, make TORCH_INDEX=ADDRESS\n"
)


class SetupError(Exception):
    """Set-up cannot go on; the text says why and what to do."""


def venv_python(venv: Path = VENV) -> Path:
    return venv / "bin" / "python"


def digest() -> str:
    """What .venv depends on. The root's path is part of it: editable installs point there."""
    parts = [(ROOT / name).read_bytes() if (ROOT / name).exists() else b"" for name in MADE_FROM]
    parts += [str(ROOT).encode(), sys.version.encode()]
    return hashlib.sha256(b"\0".join(parts)).hexdigest()


def is_ready() -> bool:
    return STAMP.exists() and STAMP.read_text() == digest() and venv_python().exists()


@contextlib.contextmanager
def one_at_a_time():
    """Two makes at once would install over each other: the second waits."""
    import fcntl

    lock = (ROOT / "build" / "setup.lock").open("w")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        print("Another set-up of this folder is running; waiting for it.", flush=True)
        fcntl.flock(lock, fcntl.LOCK_EX)
    with lock:
        yield


def check_space(needed_gb: float = NEEDED_GB) -> None:
    free_gb = shutil.disk_usage(ROOT).free / 1e9
    if free_gb < needed_gb:
        raise SetupError(
            f"Set-up needs about {needed_gb:.1f} GB in {ROOT}, and {free_gb:.1f} GB are free. "
            "Free some space (pip's cache is a good start: pip cache purge), or clone to a larger disk; then run the same command."
        )


def works(python: Path) -> bool:
    """Whether the interpreter of an earlier set-up is whole and of this version."""
    probe = "import sys, pip; print(sys.version_info[:2])"
    try:
        out = subprocess.run([python, "-I", "-c", probe], capture_output=True, text=True, timeout=60)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return out.returncode == 0 and out.stdout.strip() == str(sys.version_info[:2])


def make_venv(venv: Path = VENV) -> None:
    if works(venv_python(venv)) and not (venv / INSTALLING.name).exists():
        return
    if venv.exists() and any(venv.iterdir()) and not (venv / "pyvenv.cfg").exists():
        raise SetupError(f"{venv} is there and is not a virtual environment. Move it away, then run the same command.")
    print(f"Making {venv.name} with Python {sys.version.split()[0]}.", flush=True)
    made = subprocess.run([sys.executable, "-I", "-m", "venv", "--clear", venv], capture_output=True, text=True)
    if made.returncode == 0:
        return
    said = made.stdout + made.stderr
    if "ensurepip" in said:
        raise SetupError(
            f"{sys.executable} cannot make virtual environments with pip. On Debian or Ubuntu: apt install python3-venv. "
            "Or name another interpreter: make PYTHON=/path/to/python3.12"
        )
    if NO_SPACE.search(said):
        raise SetupError("The disk is full. Free some space, then run the same command.")
    raise SetupError(f"python -m venv failed:\n{said.strip()}")


def explain(log: str) -> str:
    """What a failed pip run means, and what to do."""
    if NO_SPACE.search(log):
        return (
            f"The disk filled up while packages were installed ({NEEDED_GB:.1f} GB are needed here, and about 1 GB in "
            f"{tempfile.gettempdir()}). Free some space, or set TMPDIR to a folder on a larger disk; then run the same command."
        )
    if NO_INDEX.search(log):
        return (
            "The package index could not be reached. Check the network; behind a proxy set HTTPS_PROXY; for a mirror set "
            "PIP_INDEX_URL; for torch alone set TORCH_INDEX. Then run the same command: what is installed already is kept."
        )
    if "No matching distribution" in log:
        return (
            f"The index has no such version for Python {sys.version.split()[0]} on this system (see the line above). "
            "The versions are those of Python 3.11: make PYTHON=python3.11"
        )
    return "pip failed; the lines above are its last."


def follow(pip: subprocess.Popen, said: list[str], kept: TextIO) -> None:
    """Show what pip fetches, and keep all that it says."""
    for line in pip.stdout:
        said.append(line)
        kept.write(line)
        if re.match(r"\s*Downloading nvidia_", line) and CUDA_NOTE not in said:
            print(CUDA_NOTE, flush=True)
            said.append(CUDA_NOTE)
        shown = re.match(r"\s*(Downloading \S+ \(\S+ [MG]B\)|Installing collected packages)", line)
        if shown:
            print(f"  {shown.group(1)}", flush=True)


def pip_install(*args: str, venv: Path = VENV, log: Path = LOG) -> None:
    """Run pip in the environment, show what it fetches, keep all that it says in the log."""
    command = [
        str(venv_python(venv)),
        "-I",
        "-m",
        "pip",
        "install",
        "--progress-bar",
        "off",
        "--disable-pip-version-check",
        *args,
    ]
    said = []
    (venv / INSTALLING.name).touch()
    with log.open("a") as kept:
        kept.write(f"$ {' '.join(command)}\n")
        pip = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace")
        try:
            follow(pip, said, kept)
        except BaseException:  # Ctrl-C, or a disk too full for the log: pip must not go on alone
            pip.kill()
            raise
    failed = pip.wait() != 0
    if not (failed and NO_SPACE.search("".join(said))):
        (venv / INSTALLING.name).unlink()  # pip ended by itself, and cleans up after itself
    if failed:
        raise SetupError("".join(said[-8:]) + "\n" + explain("".join(said)) + f"\nAll that pip said: {log}")


def install(venv: Path = VENV, constraints: str = "constraints.txt") -> None:
    pinned = ["-c", constraints]
    torch_index = os.environ.get("TORCH_INDEX", "").strip()
    if torch_index:
        pip_install("--index-url", torch_index, *pinned, "torch", venv=venv)
    # The build backend is installed first and pinned too: an isolated build would fetch the newest.
    pip_install(*pinned, "hatchling", "editables", venv=venv)
    pip_install("--no-build-isolation", *pinned, *PROJECTS, venv=venv)


def settle_jupyter(venv: Path = VENV) -> None:
    """Register the kernel that the notebooks name, and switch JupyterLab's pop-ups off."""
    register = [venv_python(venv), "-m", "ipykernel", "install", "--sys-prefix", "--name", "python3"]
    done = subprocess.run([*register, "--display-name", "Python 3 (course)"], capture_output=True, text=True)
    if done.returncode != 0:
        raise SetupError(f"The kernel could not be registered:\n{done.stderr}")
    settings = venv / "share" / "jupyter" / "lab" / "settings" / "overrides.json"
    settings.parent.mkdir(parents=True, exist_ok=True)
    settings.write_text(json.dumps(LAB_SETTINGS, indent=1))


def set_up() -> None:
    with one_at_a_time():
        if is_ready():
            return
        if not venv_python().exists():
            check_space()
        LOG.write_text("")
        make_venv()
        print("Installing the course's packages; the first time takes some minutes.", flush=True)
        STAMP.unlink(missing_ok=True)
        install()
        settle_jupyter()
        STAMP.write_text(digest())
        print("Set-up is done.", flush=True)


def write_constraints() -> None:
    """Resolve everything anew in a throw-away environment, and write down what came out."""
    with tempfile.TemporaryDirectory() as tmp:
        venv = Path(tmp) / "venv"
        make_venv(venv)
        held = Path(tmp) / "held.txt"
        held.write_text("".join(f"{line}\n" for line in HELD_BACK))
        install(venv, constraints=str(held))
        freeze = [venv_python(venv), "-I", "-m", "pip", "freeze", "--exclude-editable"]
        frozen = subprocess.run(freeze, capture_output=True, text=True, check=True).stdout
    # A local version such as 2.13.0+cpu names one build; the pin must fit every index's build of that version.
    pins = sorted((re.sub(r"\+\S+$", "", line) for line in frozen.splitlines() if "==" in line), key=str.lower)
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
