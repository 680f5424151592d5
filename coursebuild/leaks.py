"""The leak gate: what may never reach students, and where it hides.

A leak is defined once: a normalised line inside a solution or hidden span that occurs nowhere outside such spans in its
master. Normalising removes what quoting, escaping, indenting and wrapping add, so that one search finds the line in a
source, an output, a JSON string or a wheel. A line of fewer than ten normalised characters is too common to tell anything:
it is searched together with the lines after it.
"""

import base64
import binascii
import functools
import gzip
import hashlib
import html
import io
import json
import re
import subprocess
import tarfile
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from coursebuild import master
from coursebuild.text import SourceError, parse

MIN_LENGTH = 10
MAX_DEPTH = 6
MAX_UNPACKED = 256 * 2**20  # bytes of one file, all its nested archives together
PRIVATE = ("solutions/", "autograder/", "tests/homework/", "tests/sample_class/")
PUBLIC_LINES = "solutions/public_lines.txt"
# What the views below can read. Anything else may hide what it likes: a PDF packs its text, an .xz its files.
READABLE = {".ipynb", ".md", ".py", ".txt", ".csv", ".json", ".yml", ".toml", ".png", ".jpg", ".svg", ".whl", ".zip", ".gz", ""}
# Data that the course distributes, by the SHA-256 of the file. People have looked at what is in them, and searching them would
# take longer than all the rest. One changed byte, and the file is searched like any other.
LOOKED_AT = {
    "94e2480bb2d38e772966d2564f7818de27e5e7d95984370b0cfb33e5bb4a39df": "dlcourse/src/dlcourse/datasets/mnist10k.npz",
}
BASE64 = re.compile(r"[A-Za-z0-9+/]{40,}={0,2}(?:\r?\n[A-Za-z0-9+/]+={0,2})*")
COMMENT = re.compile(r"#+[ \t]*([A-Z][^\n#]{2,40})")


@dataclass(frozen=True)
class Secret:
    """A normalised line that only solutions or hidden tests of a master contain."""

    line: str
    kind: str
    origin: str

    @functools.cached_property
    def pattern(self) -> re.Pattern:
        """The line, not as a part of longer names."""
        before, after = (r"(?<!\w)" if self.line[0].isalnum() else ""), (r"(?!\w)" if self.line[-1].isalnum() else "")
        return re.compile(before + re.escape(self.line) + after)


@dataclass(frozen=True)
class Leak:
    """Something that students must not see, and where it was found."""

    where: str
    what: str

    def __str__(self) -> str:
        return f"{self.where}: {self.what}"


def normalise(text: str) -> str:
    """Text without quotes, escapes and colours, and with blanks and line breaks only where they part two words."""
    text = re.sub(r"(\x1b|\\u001b|\\x1b)\[[0-9;]*m", "", text)
    text = re.sub(r"\\+r?\\*n", "\n", text)
    text = re.sub(r"[\"'\\]", "", text)
    text = re.sub(r"[ \t]*#[ \t]*SOLUTION( NO PROMPT)?[ \t]*$", "", text, flags=re.M)
    text = re.sub(r"(?<=\w)\s+(?=\w)", " ", text)
    return re.sub(r"\s+(?!\w)|(?<!\w)\s+", "", text)


def secrets_of(path: Path) -> list[Secret]:
    """The secret lines of a master's source."""
    return secrets_in(master.read_master(path), path.name)


def secrets_in(lines: list[master.Line], name: str) -> list[Secret]:
    """The secrets among a master's lines.

    A trailing comment is no part of a secret: the line leaks without it too.
    """
    public = {normalise(_bare(line)) for line in lines if not line.secret}
    found = {}
    for place, line in enumerate(lines):
        if not line.secret or not _tells(line):
            continue
        text = ""
        for part in lines[place:]:
            if part.secret != line.secret:
                break
            if _tells(part):
                text = normalise(f"{text}\n{_bare(part)}")
            if len(text) >= MIN_LENGTH:
                break
        if len(text) >= MIN_LENGTH and text not in public and re.search(r"[^\W\d_]", text):
            found.setdefault(text, Secret(text, line.secret, f"{name}:{line.number}"))
    return list(found.values())


def _bare(line: master.Line) -> str:
    return re.sub(r"(?<=\S)\s+#\s.*$", "", line.text)


def _tells(line: master.Line) -> bool:
    """Whether a line says anything; markers and bare brackets do not."""
    return bool(re.search(r"\w", line.text)) and not master.resembles_marker(re.sub(r"^\W+", "", line.text.strip()))


def views(data: bytes, depth: int = 0, budget: list[int] | None = None) -> Iterator[str]:
    """Every text that a reader of these bytes could get out of them: as they are, unpacked, decoded, unescaped.

    Raises:
        ValueError: archives inside are too deep or too large to be searched whole.
    """
    if hashlib.sha256(data).hexdigest() in LOOKED_AT:
        return
    budget = [MAX_UNPACKED] if budget is None else budget
    budget[0] -= len(data)
    if budget[0] < 0 or depth > MAX_DEPTH:
        raise ValueError("too deep or too large to be searched: take it out, or unpack it")
    text = _decode(data)
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
            for inner in _decode_base64(match[0].split()):
                yield from views(inner, depth + 1, budget)


def _decode(data: bytes) -> str:
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return data.decode("utf-16", errors="replace")
    start = data[:400]
    for order, zeros, letters in (("le", start[1::2], start[::2]), ("be", start[::2], start[1::2])):
        if zeros.count(0) > 0.8 * len(zeros) and letters.count(0) == 0:
            return data.decode(f"utf-16-{order}", errors="replace")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return data.decode("latin-1")


def _decode_base64(lines: list[str]) -> Iterator[bytes]:
    """What the lines decode to, and what they decode to without a last line that may be a word after them."""
    for some in (lines, lines[:-1]):
        text = "".join(some).rstrip("=")
        try:
            yield base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
        except binascii.Error:
            continue


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
                    if member.isfile():
                        yield archive.extractfile(member).read()
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
        """The gate of the repository at root: secrets of every master, now and in its history, and every private file.

        Lines that an instructor has found harmless, such as `optimizer.step()`, stand in solutions/public_lines.txt.
        """
        secrets, public = {}, set()
        for path in master.find(root):
            lines = master.read_master(path)
            public |= {normalise(_bare(line)) for line in lines if not line.secret}
            secrets |= {secret.line: secret for secret in secrets_in(lines, path.name)}
        for secret in _secrets_of_history(root):
            if secret.line not in public:
                secrets.setdefault(secret.line, secret)
        allowed = root / PUBLIC_LINES
        for line in allowed.read_text(encoding="utf-8").splitlines() if allowed.exists() else []:
            secrets.pop(normalise(line), None)
        blobs = {}
        for folder in PRIVATE:
            for path in sorted((root / folder).rglob("*")):
                # Files as small as an empty __init__.py are the same everywhere and tell nothing.
                if path.is_file() and "__pycache__" not in path.parts and path.stat().st_size > 40:
                    blobs[path.read_bytes()] = str(path.relative_to(root))
        return cls(secrets.values(), blobs)

    def search(self, name: str, data: bytes, readable_only: bool = False) -> list[Leak]:
        """The leaks in one file. A file that cannot be searched whole counts as one."""
        leaks = {}
        if any(f"/{folder}" in f"/{name}" for folder in PRIVATE):
            leaks["path"] = Leak(name, "lies in a private folder")
        if data in self.private_blobs:
            leaks["blob"] = Leak(name, f"is the private file {self.private_blobs[data]}")
        if readable_only and Path(name).suffix.lower() not in READABLE:
            leaks["type"] = Leak(
                name, f"is of a type that cannot be searched ({Path(name).suffix}): publish it by hand, or as another type"
            )
        try:
            for view in views(data):
                self._search_text(name, view, leaks)
        except (ValueError, OSError, zipfile.BadZipFile, tarfile.TarError, NotImplementedError, RuntimeError) as error:
            leaks["unreadable"] = Leak(name, f"could not be searched ({error})")
        return list(leaks.values())

    def _search_text(self, name: str, text: str, leaks: dict) -> None:
        flat = normalise(text)
        for secret in self.secrets:
            if secret.line in flat and secret.pattern.search(flat):
                leaks.setdefault(secret, Leak(name, f"a line of a {secret.kind} ({secret.origin}): {secret.line[:60]}"))
        for match in COMMENT.finditer(re.sub(r"\\n", "\n", text)):
            comment = re.sub(r"[\s\"',\\]+$", "", match[1])
            # Headings say "Solution"; markers shout.
            if comment.split()[0].isupper() and master.near_marker(comment):
                leaks.setdefault(comment, Leak(name, f"the marker '# {comment}'"))


def _secrets_of_history(root: Path) -> list[Secret]:
    """The secrets of every master that was ever committed: an old answer is still one."""
    listing = ["git", "-C", root, "rev-list", "--objects", "--all", "--", "solutions"]
    objects = subprocess.run(listing, capture_output=True, text=True)
    found = []
    for line in objects.stdout.splitlines() if objects.returncode == 0 else []:
        sha, _, name = line.partition(" ")
        if not name.endswith(".py"):
            continue
        blob = subprocess.run(["git", "-C", root, "cat-file", "blob", sha], capture_output=True, check=True).stdout
        try:
            _, cells = parse(blob.decode("utf-8"), name)
            found += secrets_in(master.check(cells, name), f"{Path(name).name} (earlier version {sha[:8]})")
        except (SourceError, UnicodeDecodeError):
            continue  # an earlier state that would not build today: its lines cannot be told apart
    return found
