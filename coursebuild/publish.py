"""Write the public repository: what students may have, as a commit on top of what is there, past the leak gate."""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from string import Template

from coursebuild import build, lectures
from coursebuild.leaks import Gate, Leak
from coursebuild.settings import Settings

RECORD = ".course-files"  # in the public repository: the files that publishing put there
README = Path(__file__).parent / "public_readme.md"


class PublishError(Exception):
    """Nothing was published; the text says why and what to do."""


def git(folder: Path, *args: str, stdin: bytes | None = None) -> bytes:
    done = subprocess.run(["git", "-C", folder, *args], input=stdin, capture_output=True)
    if done.returncode != 0:
        raise PublishError(f"git {' '.join(args)} in {folder} failed: {done.stderr.decode(errors='replace').strip()}")
    return done.stdout


def build_wheel(settings: Settings, folder: Path) -> Path:
    """Build the dlcourse wheel, the same bytes for the same sources.

    Raises:
        PublishError: the build failed, or gave a wheel of another name than the notebooks point to.
    """
    environment = {**os.environ, "SOURCE_DATE_EPOCH": "1700000000"}
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", folder, settings.root / "dlcourse"]
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    wheel = folder / settings.wheel_name
    if done.returncode != 0 or not wheel.exists():
        raise PublishError(f"the wheel {settings.wheel_name} could not be built:\n{(done.stdout + done.stderr)[-2000:]}")
    return wheel


def stage(settings: Settings, folder: Path) -> dict[str, bytes]:
    """Everything that would be published: path in the public repository -> bytes.

    Raises:
        PublishError: a committed notebook differs from its source.
    """
    stale = build.differences(settings)
    if stale:
        names = ", ".join(str(path.relative_to(settings.root)) for path in stale)
        raise PublishError(f"these files differ from their sources: {names}. Run `make build` and look at what changed.")
    root, files = settings.root, {}
    for path in [*sorted(settings.lectures.glob("*.ipynb")), *sorted((root / "homework").rglob("*"))]:
        if path.is_file() and ".ipynb_checkpoints" not in path.parts:
            files[path.relative_to(root).as_posix()] = path.read_bytes()
    wheel = build_wheel(settings, folder)
    files[f"dist/{wheel.name}"] = wheel.read_bytes()
    files["LICENSE"] = (root / "LICENSE").read_bytes()
    files["README.md"] = public_readme(settings).encode()
    return files


def public_readme(settings: Settings) -> str:
    name = settings.public_url.rsplit("/", 1)[-1]
    return Template(README.read_text(encoding="utf-8")).substitute(
        weeks=lectures.week_table(lectures.read_lectures(settings), settings),
        public_url=settings.public_url,
        branch=settings.public_branch,
        wheel_url=settings.wheel_url,
        name=name,
    )


def history(dest: Path) -> dict[str, bytes]:
    """Every file version and commit message that a clone of dest could show: a name -> its bytes."""
    listing = git(dest, "rev-list", "--objects", "--all", "--reflog").decode(errors="replace")
    names = dict(line.split(" ", 1) if " " in line else (line, "") for line in listing.splitlines())
    if not names:
        return {}
    batch = git(dest, "cat-file", "--batch", stdin="".join(f"{sha}\n" for sha in names).encode())
    found, place = {}, 0
    while place < len(batch):
        end = batch.index(b"\n", place)
        sha, kind, size = batch[place:end].decode().split()
        body = batch[end + 1 : end + 1 + int(size)]
        if kind == "blob":
            found[f"{names[sha]} (history, blob {sha[:10]})"] = body
        elif kind in ("commit", "tag"):
            found[f"({kind} {sha[:10]})"] = body
        place = end + 1 + int(size) + 1
    return found


def check_dest(settings: Settings, dest: Path) -> None:
    root = settings.root.resolve()
    if dest == root or root in dest.parents or dest in root.parents:
        raise PublishError(
            f"{dest} and this repository lie inside one another: name a folder outside, e.g. DEST=../public-course"
        )
    if dest.exists() and not dest.is_dir():
        raise PublishError(f"{dest} is not a folder")
    if not dest.exists() or not any(dest.iterdir()):
        return
    if not (dest / ".git").exists():
        raise PublishError(
            f"{dest} holds files and is no git repository: name an empty folder or a clone of the public repository"
        )
    if git(dest, "status", "--porcelain"):
        raise PublishError(f"{dest} has uncommitted changes, which publishing could overwrite: commit or remove them first")


def publish(settings: Settings, dest: Path) -> str:
    """Commit the public files to dest.

    Args:
        dest: an empty or missing folder, or a clean clone of the public repository. Files there that publishing did not
            make are left alone, and searched all the same.
    Returns:
        a line that says what happened.
    Raises:
        PublishError: dest is not fit, something is out of date, or the leak gate is closed. dest is then untouched.
    """
    dest = dest.resolve()
    check_dest(settings, dest)
    gate = Gate.of_course(settings.root)
    with tempfile.TemporaryDirectory() as tmp:
        files = stage(settings, Path(tmp))
    is_used = (dest / ".git").exists()
    searched = dict(files)
    if is_used:
        searched.update(history(dest))
    leaks = [leak for name, data in searched.items() for leak in gate.search(name, data)]
    if leaks:
        raise PublishError(describe(leaks))
    if not is_used:
        dest.mkdir(parents=True, exist_ok=True)
        git(dest, "init", "-q", "-b", settings.public_branch)
    write(dest, files)
    git(dest, "add", "--all")
    if not git(dest, "status", "--porcelain"):
        return f"{dest} is up to date: nothing to publish."
    source = subprocess.run(["git", "-C", settings.root, "rev-parse", "--short", "HEAD"], capture_output=True, text=True)
    git(
        dest,
        "commit",
        "-q",
        "-m",
        f"Publish the course, version {settings.version} ({source.stdout.strip() or 'not committed'})",
    )
    return f"Published {len(files)} files to {dest}. Look at it (git -C '{dest}' show --stat), then push it."


def write(dest: Path, files: dict[str, bytes]) -> None:
    """Write the files, and remove those of an earlier publication that are no more. Wheels stay: older notebooks ask for them."""
    record = dest / RECORD
    earlier = record.read_text(encoding="utf-8").splitlines() if record.exists() else []
    for name in earlier:
        if name not in files and not name.startswith("dist/"):
            (dest / name).unlink(missing_ok=True)
    for name, data in files.items():
        path = dest / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    record.write_text("".join(f"{name}\n" for name in sorted({*files, *(n for n in earlier if n.startswith("dist/"))})))


def describe(leaks: list[Leak]) -> str:
    shown = "\n".join(f"  {leak}" for leak in leaks[:20])
    more = f"\n  and {len(leaks) - 20} more" if len(leaks) > 20 else ""
    mend = "Nothing was published. Mend the source. What lies in the public history stays there until that history is rewritten"
    return f"The leak gate is closed:\n{shown}{more}\n{mend}, and should be taken for known to students."


def require_git() -> None:
    if shutil.which("git") is None:
        raise PublishError("git is not installed, and publishing makes a commit: install it first")
