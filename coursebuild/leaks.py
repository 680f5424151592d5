"""The leak gate: what may never reach students, and where it hides.

A leak is defined once: a normalised line inside a solution or hidden span that occurs nowhere outside such spans in its
master. Normalising removes what quoting, escaping and indenting add, so that one search finds the line in a source, an
output, a JSON string or a wheel. Lines of fewer than ten normalised characters are too common to tell anything.
"""

import base64
import binascii
import gzip
import html
import io
import json
import re
import tarfile
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from coursebuild import master

MIN_LENGTH = 10
LONG = 20
MAX_DEPTH = 6
MAX_UNPACKED = 256 * 2**20  # bytes of one file, all its nested archives together
PRIVATE = ("solutions/", "autograder/", "tests/homework/")
BASE64 = re.compile(r"[A-Za-z0-9+/=\r\n]{64,}")
MARKER_LINE = re.compile(r"^[^\n#]*?#\s*((?:BEGIN|END|SOLUTION|HIDDEN|ASSIGNMENT)[^\n]*?)\s*$", re.M | re.I)


@dataclass(frozen=True)
class Secret:
    """A normalised line that only solutions or hidden tests of a master contain."""

    line: str
    kind: str
    origin: str


@dataclass(frozen=True)
class Leak:
    """Something that students must not see, and where it was found."""

    where: str
    what: str

    def __str__(self) -> str:
        return f"{self.where}: {self.what}"


def normalise(text: str) -> str:
    """Text without blanks, quotes and escapes, line breaks kept, escaped line breaks made real."""
    text = re.sub(r"(\x1b|\\u001b|\\x1b)\[[0-9;]*m", "", text)  # colours of a traceback
    text = re.sub(r"\\+r?\\*n", "\n", text)
    text = re.sub(r"[^\S\n]|[\"'\\]", "", text)
    return re.sub(r"#SOLUTION(NOPROMPT)?$", "", text, flags=re.M)


def secrets_of(path: Path) -> list[Secret]:
    """The secret lines of a master's source."""
    lines = master.read_master(path)
    public = {normalise(line.text) for line in lines if not line.secret}
    found = {}
    for line in lines:
        text = normalise(line.text)
        is_marker = master.resembles_marker(re.sub(r"^\W+", "", line.text.strip()))
        if line.secret and len(text) >= MIN_LENGTH and text not in public and not is_marker and re.search(r"[^\W\d_]{2}", text):
            found.setdefault(text, Secret(text, line.secret, f"{path.name}:{line.number}"))
    return list(found.values())


def views(data: bytes, depth: int = 0, budget: list[int] | None = None) -> Iterator[str]:
    """Every text that a reader of these bytes could get out of them: as they are, unpacked, decoded, unescaped.

    Raises:
        ValueError: archives inside are too deep or too large to be searched whole.
    """
    budget = [MAX_UNPACKED] if budget is None else budget
    budget[0] -= len(data)
    if budget[0] < 0 or depth > MAX_DEPTH:
        raise ValueError("too deep or too large to be searched: take it out, or unpack it")
    text = data.decode("utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8", errors="replace")
    yield text
    if "&" in text or "<" in text:
        yield html.unescape(re.sub(r"<[^<>]*>", "", text))
    for inner in _unpack(data):
        yield from views(inner, depth + 1, budget)
    strings = []
    if text.lstrip()[:1] in ("{", "["):
        try:
            strings = list(_strings(json.loads(text)))
        except (ValueError, RecursionError):
            strings = []  # not JSON after all: the text as it is has been shown already
        yield "\n".join(strings)
        for string in strings:
            if "<" in string:
                yield html.unescape(re.sub(r"<[^<>]*>", "", string))
    for string in [text, *strings]:
        for match in BASE64.finditer(string):
            try:
                inner = base64.b64decode(re.sub(r"\s", "", match[0]), validate=True)
            except binascii.Error:
                continue
            yield from views(inner, depth + 1, budget)


def _strings(value) -> Iterator[str]:
    """Every string in a JSON value; a list of strings, as notebooks hold cells, is joined first."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield str(key)
            yield from _strings(inner)
    elif isinstance(value, list):
        if value and all(isinstance(item, str) for item in value):
            yield "".join(value)
        else:
            for inner in value:
                yield from _strings(inner)


def _unpack(data: bytes) -> Iterator[bytes]:
    """The members of an archive, or the text chunks of a PNG picture."""
    if data[:4] == b"PK\x03\x04":
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            for info in archive.infolist():
                yield info.filename.encode()
                if info.file_size > MAX_UNPACKED:
                    raise ValueError(f"{info.filename} unpacks to {info.file_size} bytes: too large to be searched")
                yield archive.read(info)
    elif data[:2] == b"\x1f\x8b":
        with gzip.open(io.BytesIO(data)) as packed:
            inner = packed.read(MAX_UNPACKED + 1)
        yield inner
        if inner[257:262] == b"ustar":
            with tarfile.open(fileobj=io.BytesIO(inner)) as archive:
                for member in archive.getmembers():
                    yield member.name.encode()
    elif data[:8] == b"\x89PNG\r\n\x1a\n":
        place = 8
        while place + 8 <= len(data):
            length, kind = int.from_bytes(data[place : place + 4], "big"), data[place + 4 : place + 8]
            chunk = data[place + 8 : place + 8 + length]
            if kind in (b"zTXt", b"iTXt"):
                packed = chunk.split(b"\0", 1)[-1].lstrip(b"\0\1")
                try:
                    yield zlib.decompress(packed)
                except zlib.error:
                    yield chunk
            place += 12 + length


class Gate:
    """Searches files for secrets.

    Args:
        secrets: what students must not see.
        private_blobs: contents of private files, which no public file may equal, with their names.
    """

    def __init__(self, secrets: Iterable[Secret], private_blobs: dict[bytes, str] | None = None):
        self.secrets = list(secrets)
        self.private_blobs = private_blobs or {}

    @classmethod
    def of_course(cls, root: Path) -> "Gate":
        """The gate of the repository at root: secrets of every master, and every file of the private folders."""
        secrets = [secret for path in sorted((root / "solutions").glob("*/*.py")) for secret in secrets_of(path)]
        blobs = {}
        for folder in PRIVATE:
            for path in sorted((root / folder).rglob("*")):
                # Files as small as an empty __init__.py are the same everywhere and tell nothing.
                if path.is_file() and "__pycache__" not in path.parts and path.stat().st_size > 40:
                    blobs[path.read_bytes()] = str(path.relative_to(root))
        return cls(secrets, blobs)

    def search(self, name: str, data: bytes) -> list[Leak]:
        """The leaks in one file. A file that cannot be searched whole counts as one."""
        leaks = {}
        if any(f"/{folder}" in f"/{name}" for folder in PRIVATE):
            leaks["path"] = Leak(name, "lies in a private folder")
        if data in self.private_blobs:
            leaks["blob"] = Leak(name, f"is the private file {self.private_blobs[data]}")
        try:
            for view in views(data):
                self._search_text(name, view, leaks)
        except (ValueError, OSError, zipfile.BadZipFile, tarfile.TarError, NotImplementedError, RuntimeError) as error:
            leaks["unreadable"] = Leak(name, f"could not be searched ({error})")
        return list(leaks.values())

    def _search_text(self, name: str, text: str, leaks: dict) -> None:
        flat = normalise(text)
        for secret in self.secrets:
            if secret.line not in flat:
                continue
            # A short line may be part of a longer name; a long one is found even where a word stands right before it.
            if len(secret.line) >= LONG or re.search(rf"(?<!\w){re.escape(secret.line)}(?!\w)", flat):
                leaks.setdefault(secret, Leak(name, f"a line of a {secret.kind} ({secret.origin})"))
        for match in MARKER_LINE.finditer(re.sub(r"\\n", "\n", text)):
            comment = re.sub(r"[\s\"',\\]+$", "", match[1])
            # Headings say "Solution"; markers shout.
            if comment.split()[0].isupper() and master.resembles_marker(comment):
                leaks.setdefault(comment, Leak(name, f"the marker '# {comment}'"))
