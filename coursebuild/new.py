"""A new lecture or homework, from a skeleton that builds and passes all tests.

The skeletons lie in coursebuild/skeletons/, as files at the places that they get. In their names NN_topic, NN, hwN_topic and hwN
stand for those of the new one; in their text {{title}}, {{number}}, {{name}} and {{stem}} do.
"""

import re
from collections.abc import Iterable
from pathlib import Path

from coursebuild import lectures, master
from coursebuild.settings import Settings

SKELETONS = Path(__file__).parent / "skeletons"
HOMEWORK = re.compile(r"hw(?P<number>[1-9]\d*)_[a-z0-9_]+")


class NameRefusedError(Exception):
    """Nothing was written; the text says why."""


def lecture(settings: Settings, name: str) -> list[Path]:
    """Write a lecture, its tests, and answers to its exercises.

    Args:
        name: such as '31_graph_networks'.
    Returns:
        the files that were written.
    Raises:
        NameRefusedError: no lecture can have this name, or one has its number already.
    """
    match = lectures.NAME.fullmatch(name)
    if not match:
        raise NameRefusedError(
            f"a lecture is named NN_topic, two digits and its topic in small letters, such as 31_graph_networks; got {name!r}"
        )
    _refuse_if_taken("lecture", match["number"], (settings.lectures / "src").glob(f"{match['number']}_*.py"), settings)
    return _write(settings, "lecture", {"NN_topic": name, "NN": match["number"]}, name, match["number"])


def homework(settings: Settings, name: str) -> list[Path]:
    """Write a homework's master, and answers to its questions.

    Args:
        name: such as 'hw2_convolutions'.
    Returns:
        the files that were written.
    Raises:
        NameRefusedError: no homework can have this name, or one has its number already.
    """
    match = HOMEWORK.fullmatch(name)
    if not match:
        raise NameRefusedError(
            f"a homework is named hwN_topic, its number and its topic in small letters, such as hw2_convolutions; got {name!r}"
        )
    taken = [path for path in master.find(settings.root) if path.stem.startswith(f"hw{match['number']}_")]
    _refuse_if_taken("homework", match["number"], taken, settings)
    return _write(settings, "homework", {"hwN_topic": name, "hwN": f"hw{match['number']}"}, name, match["number"])


def _refuse_if_taken(kind: str, number: str, paths: Iterable[Path], settings: Settings) -> None:
    taken = ", ".join(str(path.relative_to(settings.root)) for path in sorted(paths))
    if taken:
        raise NameRefusedError(f"{kind} {number} is there already: {taken}. Take another number")


def _write(settings: Settings, kind: str, names: dict[str, str], stem: str, number: str) -> list[Path]:
    title = stem.split("_", 1)[1].strip("_").replace("_", " ").capitalize()
    words = {"title": title or stem, "number": number, "name": stem.split("_", 1)[0], "stem": stem}
    made: dict[Path, str] = {}
    for source in sorted(path for path in (SKELETONS / kind).rglob("*") if path.is_file() and "__pycache__" not in path.parts):
        place = source.relative_to(SKELETONS / kind).as_posix()
        for placeholder, given in names.items():
            place = place.replace(placeholder, given)
        text = source.read_text(encoding="utf-8")
        made[settings.root / place] = re.sub(r"\{\{(\w+)\}\}", lambda match: words[match[1]], text)
    for path in made:
        if path.exists():
            raise NameRefusedError(
                f"{path.relative_to(settings.root)} is there already, and is not overwritten: move it, or take another name"
            )
    for path, text in made.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return list(made)
