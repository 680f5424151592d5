"""A notebook file as text: its code cells, what each defines, and syntax that Python 3.11 does not have."""

import ast
import io
import json
import re
import sys
import tokenize
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

GRADER_PYTHON = (3, 11)
COMMAND = re.compile(r"\s*[%!?]|.*\?\s*$")


class UnreadableError(ValueError):
    """The file is no notebook that could be graded; the message says why, and what to do."""


@dataclass(frozen=True)
class Cell:
    """A code cell; number counts code cells from 1, as In[...] does after Restart and Run All."""

    number: int
    text: str

    @property
    def name(self) -> str:
        return f"code cell {self.number} ({first_line(self.text)})"


def first_line(text: str) -> str:
    """The first line that is no comment, by which a reader knows the cell."""
    first = next((line.strip() for line in text.splitlines() if line.strip() and not line.strip().startswith("#")), "")
    return first if len(first) <= 50 else first[:47] + "…"


def read(path: Path) -> list[Cell]:
    """The code cells of a notebook file, empty ones left out as a kernel leaves them out.

    Raises:
        UnreadableError: the file cannot be opened, is not JSON, or is not a notebook of format 4.
    """
    return cells(load(path), path)


def load(path: Path) -> dict:
    """The notebook's JSON."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UnreadableError(f"{path} cannot be opened: {error.strerror or error}") from None
    except UnicodeDecodeError:
        raise UnreadableError(f"{path.name} is not UTF-8 text: is it a notebook? Save it again from the menu") from None
    except ValueError as error:
        line = getattr(error, "lineno", 1)
        raise UnreadableError(
            f"{path.name} is not a notebook: line {line} is not JSON ({getattr(error, 'msg', error)}). A file that was cut off "
            "or merged looks like this: open it in Jupyter and save it again, or go back to an earlier version"
        ) from None
    if not isinstance(found, dict) or not isinstance(found.get("cells"), list) or found.get("nbformat") != 4:
        raise UnreadableError(f"{path.name} is not a notebook of format 4: open it in Jupyter and save it again")
    return found


def cells(notebook: dict, path: Path) -> list[Cell]:
    made = []
    for place, cell in enumerate(notebook["cells"], 1):
        text = cell.get("source") if isinstance(cell, dict) else None
        if isinstance(text, list) and all(isinstance(line, str) for line in text):
            text = "".join(text)
        if not isinstance(text, str):
            raise UnreadableError(f"{path.name} is damaged: its cell {place} has no text")
        if cell.get("cell_type") == "code" and text.strip():
            made.append(Cell(len(made) + 1, text))
    return made


def python_lines(text: str) -> str:
    """The cell without what only IPython reads, line for line; nothing where a cell magic takes it all."""
    if text.lstrip().startswith("%%"):
        return ""
    return "\n".join(re.sub(r"\S.*", "pass", line) if COMMAND.match(line) else line for line in text.splitlines())


def defined(text: str) -> set[str]:
    """The names that a cell defines at its top level."""
    try:
        tree = ast.parse(python_lines(text))
    except SyntaxError:
        return set()
    names = set()
    for node in _top_level(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            names |= {(alias.asname or alias.name).split(".")[0] for alias in node.names}
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.add(node.id)
    return names


def _top_level(node: ast.AST) -> Iterator[ast.AST]:
    for child in ast.iter_child_nodes(node):
        yield child
        if not isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Lambda):
            yield from _top_level(child)


def newer_syntax(text: str) -> tuple[int, str] | None:
    """Line and reason, where a cell is not Python 3.11, which the grader runs; None where it is.

    ast.parse with feature_version refuses type parameters, `type` statements and the like, but not what PEP 701 allows in
    f-strings: those are searched for by their tokens, which Python has from 3.12 on.
    """
    code = python_lines(text)
    try:
        compile(code, "<cell>", "exec", flags=ast.PyCF_ONLY_AST | ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
        if sys.version_info > GRADER_PYTHON and "await" not in code:  # feature_version knows no top-level await
            ast.parse(code, feature_version=GRADER_PYTHON)
    except SyntaxError as error:
        return error.lineno or 1, error.msg
    except ValueError as error:  # such as a null byte
        return 1, str(error)
    if not hasattr(tokenize, "FSTRING_START"):
        return None
    return in_f_strings(tokenize.generate_tokens(io.StringIO(code).readline))


def in_f_strings(tokens) -> tuple[int, str] | None:
    """What Python 3.11 refuses inside the braces of an f-string, given the tokens of Python 3.12 or newer."""
    quotes: list[str] = []
    braces: list[int] = []  # for each open f-string, how many braces of it are open
    for token in tokens:
        kind, text, line = tokenize.tok_name[token.type], token.string, token.start[0]
        if kind == "TSTRING_START":
            return line, "t-strings are of Python 3.14"
        inside = any(braces)
        if kind == "FSTRING_START":
            quote = re.sub(r"^[A-Za-z]*", "", text)
            if inside and any(outer in quote or quote in outer for outer in quotes):
                return line, f"the f-string's own quotes {quote} stand again inside its braces: use the other kind"
            quotes.append(quote)
            braces.append(0)
        elif kind == "FSTRING_END":
            quotes.pop()
            braces.pop()
        elif inside and (kind != "FSTRING_MIDDLE" or any(braces[:-1])):  # a format spec may hold what it likes
            if kind == "COMMENT":
                return line, "a comment inside the braces of an f-string"
            if "\\" in text:
                return line, "a backslash inside the braces of an f-string: give the text a name first"
            if kind == "STRING" and any(outer in text for outer in quotes):
                return line, f"the f-string's own quotes {quotes[-1]} stand again inside its braces: use the other kind"
            if kind == "NL" and any(count and len(quote) == 1 for quote, count in zip(quotes, braces, strict=True)):
                return line, "a line break inside the braces of an f-string"
        if quotes and kind == "OP" and text in "{}":
            braces[-1] += 1 if text == "{" else -1
    return None
