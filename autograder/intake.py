"""From the paths on the command line to the submissions that lie there."""

import os
import stat
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

SUFFIXES = (".ipynb", ".zip")
LARGEST = 64 << 20  # bytes; a notebook with all its figures has a few million
_PIECE = 1 << 20


class IntakeError(Exception):
    """A path that holds no submission; the message says why, and what to do."""


@dataclass(frozen=True)
class Received:
    """One file that came in.

    Attributes:
        student: who submitted it, as far as the file's name tells. A roster or the learning platform knows better.
        file_name: without its folder.
        raw_hash: SHA-256 of its bytes, in hex.
        size: in bytes.
    """

    path: Path
    student: str
    file_name: str
    raw_hash: str
    size: int

    def read(self) -> bytes:
        """Its bytes.

        Raises:
            IntakeError: it cannot be read, or is not what it was when it was found.
        """
        try:
            with self.path.open("rb") as file:
                data = file.read(LARGEST + 1)
        except OSError as error:
            raise IntakeError(f"{self.path} cannot be read: {error.strerror}") from error
        if sha256(data).hexdigest() != self.raw_hash:
            raise IntakeError(f"{self.path} changed while the grader ran: grade it again")
        return data


@dataclass
class Intake:
    """What was found.

    Attributes:
        received: the submissions, each file once, in the order of the paths, a folder's in the order of their names.
        left_out: what lies in a folder and is no submission, with the reason.
    """

    received: list[Received] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)


def text_of(name: str) -> str:
    """A file's name as text that can be stored: bytes that are no UTF-8 are written as escapes."""
    return unicodedata.normalize("NFC", name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace"))


def collect(paths: Iterable[Path]) -> Intake:
    """Find the notebooks and zip files: those named, and those that lie in a named folder, not in folders inside it.

    Raises:
        IntakeError: a path is missing, is no notebook, zip file or folder, or cannot be read; or there is none at all.
    """
    intake, seen = Intake(), set()
    for path in paths:
        for file in _files(path, intake.left_out):
            place = file.resolve()
            if place in seen:
                continue
            seen.add(place)
            try:
                intake.received.append(_received(file))
            except IntakeError as error:
                if file == path:
                    raise
                intake.left_out.append(str(error))  # one student's file must not stop the others
    if not intake.received:
        raise IntakeError("there is no notebook (.ipynb) and no zip file in what you named: name the files, or their folder")
    return intake


def _files(path: Path, left_out: list[str]) -> Iterator[Path]:
    try:
        mode = path.stat().st_mode
    except OSError as error:
        raise IntakeError(f"{path} cannot be read: {error.strerror}") from error
    if stat.S_ISDIR(mode):
        yield from _in_folder(path, left_out)
    elif stat.S_ISREG(mode) and path.suffix.lower() in SUFFIXES:
        yield path
    elif stat.S_ISREG(mode):
        raise IntakeError(f"{path} is no notebook (.ipynb) and no zip file: name one of these, or a folder that holds them")
    else:
        raise IntakeError(f"{path} is no file and no folder")


def _in_folder(folder: Path, left_out: list[str]) -> Iterator[Path]:
    try:
        inside = sorted(folder.iterdir())
    except OSError as error:
        raise IntakeError(f"{folder} cannot be read: {error.strerror}") from error
    for path in inside:
        if path.name.startswith("."):
            continue  # .ipynb_checkpoints, .DS_Store
        if path.is_symlink():  # an archive that was unpacked here may hold one that leads anywhere
            left_out.append(f"{path}: a link")
        elif path.is_dir():
            left_out.append(f"{path}: a folder inside a folder; name it too if it holds submissions")
        elif not path.is_file() or path.suffix.lower() not in SUFFIXES:
            left_out.append(f"{path}: no notebook and no zip file")
        else:
            yield path


def _received(path: Path) -> Received:
    digest, size = sha256(), 0
    try:
        with path.open("rb") as file:
            while size <= LARGEST and (piece := file.read(_PIECE)):
                digest.update(piece)
                size += len(piece)
            if size > LARGEST:
                size = os.fstat(file.fileno()).st_size  # never graded: its beginning is enough to know it by
    except OSError as error:
        raise IntakeError(f"{path} cannot be read: {error.strerror}") from error
    return Received(path, text_of(path.stem), text_of(path.name), digest.hexdigest(), size)
