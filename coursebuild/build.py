"""Make every generated file from its source; the second time, change nothing."""

import json
import re
import shutil
from dataclasses import dataclass, field
from pathlib import Path

import nbformat

from coursebuild import homework, lectures, text
from coursebuild.settings import Settings

WEEKS = re.compile(r"(<!-- weeks: made by `make build` -->\n).*?(<!-- end of weeks -->)", re.S)


@dataclass
class Report:
    """What a build did: the files it wrote, removed, and set aside because somebody had edited them."""

    written: list[Path] = field(default_factory=list)
    removed: list[Path] = field(default_factory=list)
    kept_aside: list[tuple[Path, Path]] = field(default_factory=list)

    @property
    def changed(self) -> bool:
        return bool(self.written or self.removed)


def generate(settings: Settings) -> dict[Path, str]:
    """Every committed generated file and its text.

    Raises:
        coursebuild.text.SourceError: a source is not well formed.
    """
    course, works = lectures.read_lectures(settings), homework.read_all(settings)
    lectures.check_homeworks(course, {work.name for work in works})
    made = {}
    for lecture in course:
        nb = text.notebook(lectures.cells_of(lecture, course, settings))
        made[settings.lectures / lecture.notebook_name] = text.dumps(nb)
    for work in works:
        made[settings.root / homework.release_path(work)] = homework.release(work, settings)
    readme = settings.root / "README.md"
    table = lectures.week_table(course, settings, homework.links(works))
    made[readme] = with_weeks(readme.read_text(encoding="utf-8"), table)
    return made


def with_weeks(readme: str, table: str) -> str:
    """The README with its week table replaced.

    Raises:
        ValueError: the two comments that enclose the table are missing.
    """
    if not WEEKS.search(readme):
        raise ValueError(
            "README.md: the comments '<!-- weeks: made by `make build` -->' and '<!-- end of weeks -->' are missing"
        )
    return WEEKS.sub(lambda match: f"{match[1]}\n{table}\n\n{match[2]}", readme)


def private(settings: Settings) -> dict[Path, str]:
    """What only instructors and the grader may have, under build/: each master as a notebook, and each manifest."""
    made = {}
    for work in homework.read_all(settings):
        made[settings.build / "masters" / f"{work.path.stem}.ipynb"] = homework.master_notebook(work)
        made[homework.private_folder(work, settings) / "manifest.json"] = homework.manifest(work)
    return made


def differences(settings: Settings) -> list[Path]:
    """The committed files that differ from what their sources give."""
    wanted = generate(settings)
    stale = [path for path, content in wanted.items() if not path.exists() or path.read_text(encoding="utf-8") != content]
    return stale + orphans(settings, wanted)


def orphans(settings: Settings, wanted: dict[Path, str]) -> list[Path]:
    """Generated notebooks whose source is gone. A notebook that somebody made here by hand is not ours to judge."""
    there = [*sorted(settings.lectures.glob("*.ipynb")), *sorted((settings.root / "homework").glob("*/*.ipynb"))]
    return [path for path in there if path not in wanted and _is_generated(path)]


def _is_generated(path: Path) -> bool:
    try:
        return "digest" in json.loads(path.read_text(encoding="utf-8"))["metadata"]["course"]
    except (ValueError, KeyError, TypeError):
        return False


def build(settings: Settings) -> Report:
    """Write what differs. A notebook that was edited by hand is set aside under edited/, never lost."""
    report = Report()
    wanted = generate(settings)
    for path, content in {**wanted, **private(settings)}.items():
        if path.exists() and path.read_text(encoding="utf-8") == content:
            continue
        set_aside_edits(settings, path, report)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8")
        report.written.append(path)
    for path in orphans(settings, wanted):
        set_aside_edits(settings, path, report)
        path.unlink()
        report.removed.append(path)
    return report


def set_aside_edits(settings: Settings, path: Path, report: Report) -> None:
    if path.suffix != ".ipynb" or not path.exists():
        return
    try:
        edited = text.is_edited(nbformat.read(path, as_version=4))
    except Exception as error:  # any unreadable notebook is somebody's work, whatever is wrong with it
        print(f"{path.name} cannot be read ({type(error).__name__}); it is kept.")
        edited = True
    if not edited:
        return
    folder = settings.root / "edited"  # not under build/, which `make clean` removes
    folder.mkdir(parents=True, exist_ok=True)
    count = 1
    while (kept := folder / f"{path.stem}.{count}.ipynb").exists():
        count += 1
    shutil.copy2(path, kept)
    report.kept_aside.append((path, kept))
