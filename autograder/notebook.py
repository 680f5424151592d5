"""Read a submission: a notebook, or the zip file that the notebook's last cell writes. Both are hostile input.

Nothing is unpacked to disk, every size has a bound, and names inside an archive are used for nothing but their suffix.
"""

import ast
import io
import json
import re
import sys
import warnings
import zipfile
from dataclasses import dataclass
from typing import Any

from IPython.core.inputtransformer2 import TransformerManager

MAX_BYTES = 64 << 20  # of a notebook, pictures in its outputs included
MAX_CODE = 1 << 20  # characters of all code cells; escaped, they still fit into a frame of wire.py
MAX_CELLS = 2000
MAX_ENTRIES = 1000
NOTEBOOK = re.compile(r"\.ipynb$")
LITTER = re.compile(r"checkpoints|(^|/)__MACOSX/|(^|/)\._[^/]*$")  # beside the notebook, from Jupyter and from macOS
# Both are searched by the trusted side, so their time must grow with the text alone: no two repetitions meet over one space.
CHECK = re.compile(r"""^(?![^\S\n]*#).*?\bgrader\.check\(\s*["'](?P<question>\w+)["']""", re.M)
SKIPPED = re.compile(
    r"^[^\S\n]*(?:[\w.,][\w.,\t ]*=[\t ]*)?(!|%{1,2}(?:pip|conda|bash|sh|script|system|writefile|run|sx)\b)", re.M
)
NEWER = [  # what a line shows of a syntax that older Pythons do not have, and the version that brought it
    (re.compile(r"^\s*type\s+\w+(\[.*\])?\s*="), "3.12"),
    (re.compile(r"^\s*(?:async\s+)?(?:def|class)\s+\w+\["), "3.12"),
    (re.compile(r"\b[rR]?[fF][rR]?(['\"]).*\{[^}]*\1[^}]*\}"), "3.12"),
    (re.compile(r"^\s*except\s+[\w.]+\s*,\s*[\w., ]+:"), "3.14"),
    (re.compile(r"(?<!\w)[tT][rR]?(['\"]).*\{.*\}.*\1"), "3.14"),
]


class UnreadableError(Exception):
    """The submission is no notebook that can be run; the text says why, and where."""


@dataclass(frozen=True)
class Segment:
    """The cells of one question, or of several whose checks stand in one cell.

    Attributes:
        questions: tested after the last of these cells; none for what stands after the last check.
        cells: places of the cells, in order.
    """

    questions: tuple[str, ...]
    cells: tuple[int, ...]


def read(data: bytes) -> list[str]:
    """The code cells of a notebook or of an export's zip file, in order.

    Raises:
        UnreadableError: it is neither, or too large.
    """
    if data[:4] == b"PK\x03\x04":
        data = _from_zip(data)
    if len(data) > MAX_BYTES:
        raise UnreadableError(f"the notebook has {len(data) >> 20} MB, and {MAX_BYTES >> 20} are the most: clear its outputs")
    try:
        made = json.loads(data.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise UnreadableError(f"the file is not text in UTF-8 (line {line})") from None
    except json.JSONDecodeError as error:
        what = error.msg.removesuffix(" at").removesuffix(" starting").lower()  # Python goes on with the place
        raise UnreadableError(f"the file is not a notebook: {what} in line {error.lineno}, column {error.colno}") from None
    except (ValueError, RecursionError):
        raise UnreadableError("the file is not a notebook") from None
    return _code_cells(made)


def _from_zip(data: bytes) -> bytes:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as packed:
            entries = packed.infolist()
            names = [entry for entry in entries if NOTEBOOK.search(entry.filename) and not LITTER.search(entry.filename)]
            if len(entries) > MAX_ENTRIES or len(names) != 1:
                raise UnreadableError(f"the zip file must hold one notebook, and holds {len(names)}")
            if names[0].compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                # Python's other decompressors give out gigabytes at once, whatever one asks for.
                raise UnreadableError("the zip file is packed in an unusual way: make it with the notebook's last cell")
            with packed.open(names[0]) as opened:
                return opened.read(MAX_BYTES + 1)  # what the archive says of its own sizes is no bound
    except UnreadableError:
        raise
    except Exception as error:  # zipfile raises what its decompressors raise
        raise UnreadableError(f"the zip file cannot be read ({type(error).__name__})") from None


def _code_cells(made: Any) -> list[str]:
    if type(made) is not dict or type(made.get("cells")) is not list:
        raise UnreadableError("the file is JSON, and not a notebook of version 4: it has no cells")
    if len(made["cells"]) > MAX_CELLS:
        raise UnreadableError(f"the notebook has {len(made['cells'])} cells, and {MAX_CELLS} are the most")
    found = []
    for number, cell in enumerate(made["cells"], 1):
        source = cell.get("source") if type(cell) is dict else None
        if type(source) is list and all(type(line) is str for line in source):
            source = "".join(source)
        if type(source) is not str or type(cell.get("cell_type")) is not str:
            raise UnreadableError(f"cell {number} is broken")
        if cell["cell_type"] == "code":
            found.append(source.encode("utf-8", "replace").decode())
    if sum(map(len, found)) > MAX_CODE:
        raise UnreadableError(f"the notebook has more than {MAX_CODE >> 20} million characters of code")
    return found


def newer_syntax(cells: list[str]) -> tuple[int, str] | None:
    """The place of the first cell that is written for a newer Python than this one, as far as a line can tell, and a sentence."""
    for number, source in enumerate(cells, 1):
        code = source
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                code = TransformerManager().transform_cell(source)
                ast.parse(code)
        except SyntaxError as error:
            lines = code.splitlines()
            line = lines[error.lineno - 1] if error.lineno and error.lineno <= len(lines) else ""
            version = next((since for pattern, since in NEWER if pattern.search(line)), None)
            if version:
                mine = f"{sys.version_info.major}.{sys.version_info.minor}"
                says = f"Code cell {number}, line {error.lineno}, cannot be read by Python {mine}, which grades: "
                return number - 1, f"{says}it may be written for Python {version} or newer."
        except UnreadableError:  # the time for a look is up
            raise
        except Exception:
            continue  # the cell will fail by itself: IPython's own errors for what it cannot read are of many kinds
    return None


def segments(cells: list[str], questions: list[str]) -> list[Segment]:
    """The cells by question: everything up to the cell whose text checks it, as Restart-and-Run-All sees it.

    A question that is checked twice ends at its last check, and a cell that checks several counts for those that no cell
    checks alone: it is a look at the whole at the end. One that is checked nowhere is in no segment.
    """
    checked = [{match["question"] for match in CHECK.finditer(source)} for source in cells]
    last = {question: place for place, names in enumerate(checked) for question in names}
    last |= {question: place for place, names in enumerate(checked) for question in names if len(names) == 1}
    ends: dict[int, list[str]] = {}
    for question in questions:
        if question in last:
            ends.setdefault(last[question], []).append(question)
    found, start = [], 0
    for end in sorted(ends):
        found.append(Segment(tuple(ends[end]), tuple(range(start, end + 1))))
        start = end + 1
    if start < len(cells):
        found.append(Segment((), tuple(range(start, len(cells)))))
    return found


def has_skipped_lines(source: str) -> bool:
    """Whether a cell has shell commands or installs, which the grader passes over."""
    return SKIPPED.search(source) is not None
