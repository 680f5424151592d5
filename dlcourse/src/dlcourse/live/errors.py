"""Messages that name the reader's own line."""

import difflib
import linecache
import traceback
from pathlib import Path

from dlcourse import notebook

LIBRARIES = {Path(__file__).resolve().parent.parent, Path(linecache.__file__).resolve().parent}  # ours, and Python's own


class FigureError(ValueError):
    """A live figure is put together in a way that cannot work; the message says what to write instead."""


def did_you_mean(word: str, known) -> str:
    """' Did you mean ...?' with the closest known word, or the list of known words."""
    known = list(known)
    close = difflib.get_close_matches(word, known, n=1, cutoff=0.5)
    return f" Did you mean {close[0]!r}?" if close else f" There are: {', '.join(map(repr, known)) or 'none'}."


def message(error: BaseException) -> str:
    """What an exception says; nothing where its own class fails to say it."""
    try:
        return str(error)
    except Exception:
        return ""


def describe(error: BaseException) -> str:
    """One line for an exception: its type, its message, and the innermost line that is not a library's."""
    own = [frame for frame in traceback.extract_tb(error.__traceback__) if _is_readers(frame.filename)]
    said = message(error)
    text = f"{type(error).__name__}: {said}" if said else type(error).__name__
    if isinstance(error, SyntaxError) or not own:
        return text
    frame = own[-1]
    return text + place(frame.filename, frame.lineno or 0, frame.name, frame.line or "")


def blame(error: BaseException, name: str) -> None:
    """Note that the reader's function of this name raised it, so that a figure does not take it for its own."""
    if blamed(error) is None:  # of two that call each other the inner one
        error.dlcourse_blames = name


def blamed(error: BaseException) -> str | None:
    """The name of the reader's function that raised it, where that was noted."""
    return getattr(error, "dlcourse_blames", None)


def place(filename: str, lineno: int, function: str = "<module>", code: str = "") -> str:
    """' — line 2 of f(): return x / 0', or nothing where the line is a library's."""
    if not _is_readers(filename):
        return ""
    code = (code or linecache.getline(filename, lineno)).strip()
    where = f" — line {lineno}" + (f" of {function}()" if function != "<module>" else "")
    return f"{where}: {code}" if code else where


def missing_name(error: BaseException) -> str:
    """What to do about a name that is not there: which cell makes it, as far as that can be known. Empty for other errors."""
    if type(error) is not NameError or not error.name:
        return ""
    cell = notebook.cell_that_makes(error.name)
    where = f"run the cell that begins with {cell!r} first" if cell else "run the cells above first"
    return f"There is no name {error.name!r} yet: {where} (from the top: Run > Run All Above Selected Cell). "


def _is_readers(filename: str) -> bool:
    path = Path(filename)
    return LIBRARIES.isdisjoint(path.parents) and "site-packages" not in path.parts and not filename.startswith("<frozen")
