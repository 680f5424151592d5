"""The dlcourse that student code imports: an installed one, never the checkout's, beside which the tests lie."""

import hashlib
import subprocess
import sys
import sysconfig
import tempfile
import zipfile
from importlib.util import find_spec
from pathlib import Path

# What every Python that is started here gets: nothing of the grader's own environment, such as PYTHONPATH or LD_PRELOAD.
ENVIRONMENT = {"LANG": "C.UTF-8", "PATH": "/usr/bin:/bin", "PYTHONNOUSERSITE": "1"}
CACHE = Path(sys.prefix) / "share" / "autograder"


def site() -> Path | None:
    """The folder to import dlcourse from, built from an editable one and kept for the same sources; None if it is installed.

    Raises:
        RuntimeError: there is no dlcourse, or it cannot be built.
    """
    spec = find_spec("dlcourse")
    if spec is None or not spec.submodule_search_locations:
        raise RuntimeError("dlcourse is not installed for this interpreter")
    package = Path(spec.submodule_search_locations[0]).resolve()
    installed = [Path(sysconfig.get_path(name)).resolve() for name in ("purelib", "platlib")]
    if any(folder in package.parents for folder in installed):
        return None
    project = next((folder for folder in package.parents if (folder / "pyproject.toml").is_file()), None)
    if project is None:
        raise RuntimeError(f"{package} belongs to no project and is not installed: install dlcourse")
    made = CACHE / digest(project)
    if not made.is_dir():
        _build(project, made)
    return made


def digest(project: Path) -> str:
    """Of all that a wheel is built from."""
    found = hashlib.sha256()
    for path in sorted(project.rglob("*")):
        if path.is_file() and not {"__pycache__", "dist", "build"} & set(path.relative_to(project).parts):
            found.update(f"{path.relative_to(project)}\0{path.stat().st_size}\0".encode() + path.read_bytes())
    return found.hexdigest()[:32]


def _build(project: Path, made: Path) -> None:
    try:
        CACHE.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix="building-", dir=CACHE) as folder:
            command = [sys.executable, "-P", "-m", "hatchling", "build", "-t", "wheel", "-d", folder]
            done = subprocess.run(command, cwd=project, env=ENVIRONMENT, capture_output=True, text=True, timeout=300)
            wheels = list(Path(folder).glob("*.whl"))
            if done.returncode != 0 or len(wheels) != 1:
                raise RuntimeError(f"the wheel of dlcourse could not be built:\n{(done.stdout + done.stderr)[-2000:]}")
            unpacked = Path(folder) / "site"
            with zipfile.ZipFile(wheels[0]) as wheel:
                wheel.extractall(unpacked)
            try:
                unpacked.rename(made)
            except OSError:
                if not made.is_dir():  # otherwise another worker was quicker, with the same sources
                    raise
    except OSError as error:
        raise RuntimeError(
            f"no wheel of dlcourse in {CACHE} ({error}): install dlcourse, or let this user write there"
        ) from error
