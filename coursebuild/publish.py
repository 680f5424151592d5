"""Write the public repository: what students may have, as a commit on top of what is there, past the leak gate."""

import os
import shutil
import subprocess
import sys
import tempfile
from hashlib import sha256
from pathlib import Path
from string import Template

from coursebuild import build, homework, lectures
from coursebuild.leaks import PUBLIC_LINES, Gate, Leak
from coursebuild.settings import Settings

RECORD = ".course-files"  # in the public repository: the files that publishing put there
SOURCES = ["lectures", "homework", "dlcourse", "LICENSE", "pyproject.toml"]
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
    """Everything that would be published: path in the public repository -> bytes. Only committed files are.

    Raises:
        PublishError: a committed notebook differs from its source, or something to be published is not committed.
    """
    root, files = settings.root, {}
    stale = build.differences(settings)
    if stale:
        names = ", ".join(str(path.relative_to(root)) for path in stale)
        raise PublishError(f"these files differ from their sources: {names}. Run `make build` and look at what changed.")
    dirty = git(root, "status", "--porcelain", "--", *SOURCES).decode()
    if dirty:
        raise PublishError(f"not committed here, so not to be published:\n{dirty}Commit these files, or remove them.")
    for name in git(root, "ls-files", "-z", "--", "lectures", "homework").decode().split("\0"):
        if name and not name.startswith("lectures/src/"):
            files[name] = (root / name).read_bytes()
    wheel = build_wheel(settings, folder)
    files[f"dist/{wheel.name}"] = wheel.read_bytes()
    files["LICENSE"] = (root / "LICENSE").read_bytes()
    files["README.md"] = public_readme(settings).encode()
    return files


def public_readme(settings: Settings) -> str:
    name = settings.public_url.rsplit("/", 1)[-1]
    return Template(README.read_text(encoding="utf-8")).substitute(
        weeks=lectures.week_table(lectures.read_lectures(settings), settings, homework.links(homework.read_all(settings))),
        public_url=settings.public_url,
        branch=settings.public_branch,
        wheel_url=settings.wheel_url,
        name=name,
    )


def history(dest: Path) -> dict[str, bytes]:
    """Every file version and commit message that a clone of dest could show: a name -> its bytes."""
    listing = git(dest, "rev-list", "--objects", "--all").decode(errors="replace")
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
    """Raise PublishError unless dest is empty, missing, or a clean and complete clone on the public branch."""
    root = settings.root.resolve()
    if dest == root or root in dest.parents or dest in root.parents:
        raise PublishError(
            f"{dest} and this repository lie inside one another: name a folder outside, e.g. DEST=../public-course"
        )
    if dest.exists() and not dest.is_dir():
        raise PublishError(f"{dest} is not a folder")
    for who in ("AUTHOR", "COMMITTER"):
        git(root, "var", f"GIT_{who}_IDENT")
    if not dest.exists() or not any(dest.iterdir()):
        return
    if not (dest / ".git").exists():
        raise PublishError(
            f"{dest} holds files and is no git repository: name an empty folder or a clone of the public repository"
        )
    if git(dest, "status", "--porcelain"):
        raise PublishError(f"{dest} has uncommitted changes, which publishing could overwrite: commit or remove them first")
    if git(dest, "rev-parse", "--is-shallow-repository").strip() == b"true":
        raise PublishError(f"{dest} is a shallow clone, so its history cannot be searched: git -C '{dest}' fetch --unshallow")
    branch = git(dest, "branch", "--show-current").decode().strip()
    if branch != settings.public_branch:
        raise PublishError(
            f"{dest} is on {branch or 'no branch'}, and students see {settings.public_branch}: git switch {settings.public_branch}"
        )


def read_record(dest: Path) -> dict[str, str]:
    """What the last publication wrote: name -> digest."""
    record = dest / RECORD
    lines = record.read_text(encoding="utf-8").splitlines() if record.exists() else []
    earlier = {name: digest for digest, _, name in (line.partition("  ") for line in lines)}
    for name in earlier:
        if Path(name).is_absolute() or ".." in Path(name).parts:
            raise PublishError(
                f"{record} names a file outside the repository ({name}): it is not ours; restore it from history"
            )
    return earlier


def check_overwriting(dest: Path, files: dict[str, bytes], earlier: dict[str, str]) -> None:
    """Raise PublishError when a file of somebody else's would be replaced."""
    foreign = [name for name in files if (dest / name).exists() and name not in earlier]
    if foreign:
        raise PublishError(
            f"{dest} has files of these names that publishing did not make: {', '.join(foreign)}. Move or remove them first."
        )
    edited = [
        n for n, digest in earlier.items() if (dest / n).exists() and sha256((dest / n).read_bytes()).hexdigest() != digest
    ]
    if edited:
        raise PublishError(
            f"these files were edited in {dest} since they were published: {', '.join(edited)}. Carry the edits over to the "
            f"sources here, then take them back there: git -C '{dest}' rm the file, and commit"
        )


def publish(settings: Settings, dest: Path) -> str:
    """Commit the public files to dest.

    Args:
        dest: an empty or missing folder, or a clean clone of the public repository. Files there that publishing did not
            make are left alone, and searched all the same.
    Returns:
        a line that says what happened.
    Raises:
        PublishError: dest is not fit, something is out of date, or the leak gate is closed. dest is then as before.
    """
    try:
        return _publish(settings, dest.resolve())
    except OSError as error:
        raise PublishError(f"{error.strerror or error}: {error.filename or dest}") from error


def _publish(settings: Settings, dest: Path) -> str:
    check_dest(settings, dest)
    gate = Gate.of_course(settings.root)
    with tempfile.TemporaryDirectory() as tmp:
        files = stage(settings, Path(tmp))
    if not gate.secrets and any(name.startswith("homework/") for name in files):
        raise PublishError(
            "there is homework to publish and no master under solutions/ to know its answers by: is solutions/ checked out?"
        )
    is_used = (dest / ".git").exists()
    leaks = [leak for name, data in files.items() for leak in gate.search(name, data, readable_only=True)]
    leaks += [leak for name, data in (history(dest) if is_used else {}).items() for leak in gate.search(name, data)]
    if leaks:
        raise PublishError(describe(leaks))
    searched = f"{len(gate.secrets)} secret lines were searched for, and none found."
    earlier = read_record(dest)
    check_overwriting(dest, files, earlier)
    existed = dest.exists()
    if not is_used:
        dest.mkdir(parents=True, exist_ok=True)
        git(dest, "init", "-q", "-b", settings.public_branch)
    try:
        written = write(dest, files, earlier)
        git(dest, "add", "--force", "--", *written)  # a .gitignore there must not drop the wheel
        if not git(dest, "status", "--porcelain"):
            return f"{dest} is up to date: nothing to publish. {searched}"
        source = git(settings.root, "rev-parse", "--short", "HEAD").decode().strip()
        git(dest, "commit", "-q", "-m", f"Publish the course, version {settings.version} ({source})")
    except (PublishError, OSError):
        roll_back(dest, files, earlier, is_used, existed)
        raise
    return f"Published {len(files)} files to {dest}. {searched} Look at it (git -C '{dest}' show --stat), then push it."


def write(dest: Path, files: dict[str, bytes], earlier: dict[str, str]) -> list[str]:
    """Write the files, and remove those of an earlier publication that are no more. Wheels stay: older notebooks ask for them.

    Returns:
        the names that git must be told of.
    """
    kept = {name: digest for name, digest in earlier.items() if name.startswith("dist/")}
    gone = [name for name in earlier if name not in files and name not in kept and (dest / name).exists()]
    for name in gone:
        (dest / name).unlink()
    for name, data in files.items():
        path = dest / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    record = {**kept, **{name: sha256(data).hexdigest() for name, data in files.items()}}
    (dest / RECORD).write_text("".join(f"{digest}  {name}\n" for name, digest in sorted(record.items())), encoding="utf-8")
    return [*files, *gone, RECORD]


def roll_back(dest: Path, files: dict[str, bytes], earlier: dict[str, str], is_used: bool, existed: bool) -> None:
    """Leave dest as it was found; it was clean, so its last commit is what it held."""
    if (
        is_used
        and subprocess.run(["git", "-C", dest, "rev-parse", "-q", "--verify", "HEAD"], capture_output=True).returncode == 0
    ):
        git(dest, "reset", "-q", "--hard")
        return
    for name in [*files, RECORD]:
        (dest / name).unlink(missing_ok=True)
    if not is_used:
        shutil.rmtree(dest / ".git", ignore_errors=True)
    for folder in sorted(
        {parent for name in files for parent in (dest / name).parents if dest in parent.parents}, reverse=True
    ):
        if folder.is_dir() and not any(folder.iterdir()):
            folder.rmdir()
    if not existed:
        dest.rmdir()


def describe(leaks: list[Leak]) -> str:
    shown = "\n".join(f"  {leak}" for leak in leaks[:20])
    more = f"\n  and {len(leaks) - 20} more" if len(leaks) > 20 else ""
    return (
        f"The leak gate is closed:\n{shown}{more}\nNothing was published. Mend the source. A line that students may see all "
        f"the same, such as optimizer.step(), can be listed in {PUBLIC_LINES}. What was pushed to the public history stays "
        "there until that history is rewritten, and should be taken for known to students."
    )


def require_git() -> None:
    if shutil.which("git") is None:
        raise PublishError("git is not installed, and publishing makes a commit: install it first")
