"""Notebooks from text: py:percent in, .ipynb out, the same bytes for the same text.

jupytext reads the format. What it forgives is refused here with file and line, because a mistyped marker silently moves
text from one cell, or one audience, to another.
"""

import ast
import difflib
import hashlib
import json
import re
from dataclasses import dataclass
from pathlib import Path

import nbformat

MARKER = re.compile(r'# %%(?: \[(?P<kind>markdown|raw)\])?(?: tags=(?P<tags>\["[^]]*"\]))?')
LIKE_MARKER = re.compile(r"\s*#?\s*%%.*|\s*#?\s*%*\s*\[(markdown|md|raw)\].*|\s*#\s*%\s*(\[.*|tags\b.*)?", re.I)
MAGIC = re.compile(r"\s*[%!]")
KNOWN_MAGIC = re.compile(r"%%?(matplotlib|time|timeit|load_ext|autoreload|config|prun|capture)\b")

# What a cell may be tagged with, and what the tag does to its notebook cell.
TAGS = {
    "setup": {},
    "folded": {"jupyter": {"source_hidden": True}, "cellView": "form"},  # JupyterLab's word for it, and Colab's
}
METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}


class SourceError(Exception):
    """An authored source is not well formed."""

    def __init__(self, path: Path | str, line: int, message: str):
        super().__init__(f"{path}:{line}: {message}")
        self.path, self.line, self.message = path, line, message


@dataclass(frozen=True)
class Cell:
    """One cell of a source: kind is code, markdown or raw; line is where its text starts, counted from 1."""

    kind: str
    text: str
    line: int
    tags: tuple[str, ...] = ()


def suggestion(word: str, known) -> str:
    """' Did you mean ...?' when a known word is close, else nothing."""
    close = difflib.get_close_matches(word, list(known), n=1, cutoff=0.5)
    return f" Did you mean {close[0]!r}?" if close else ""


def split_front_matter(text: str, path: Path | str) -> tuple[dict[str, str], str, int]:
    """The `# name: value` lines between `# ---` lines at the top, the rest, and the number of lines before the rest.

    A value is everything after the first colon, as it stands: YAML would cut a title at ' #' and read 'Yes' as true.
    """
    lines = text.splitlines(keepends=True)
    if not lines or lines[0].strip() != "# ---":
        return {}, text, 0
    end = next((i for i, line in enumerate(lines[1:], 1) if line.strip() == "# ---"), None)
    if end is None:
        raise SourceError(path, 1, "the front matter is not closed by a second '# ---'")
    values: dict[str, str] = {}
    block = ""
    for number, line in enumerate(lines[1:end], 2):
        match = re.fullmatch(r"# (?P<nested> +)?(?P<name>[\w.-]+):(?P<value>.*)\n?", line)
        if match and match["nested"] and block == "jupyter":
            continue  # jupytext adds this block when an instructor saves from JupyterLab
        if not match or match["nested"]:
            raise SourceError(path, number, f"the front matter is made of lines '# name: value', got {line.strip()!r}")
        block = match["name"]
        if block == "jupyter":
            continue
        if block in values:
            raise SourceError(path, number, f"{block!r} stands twice in the front matter")
        values[block] = match["value"].strip()
    return values, "".join(lines[end + 1 :]), end + 1


def read_source(path: Path) -> tuple[dict, list[Cell]]:
    """Front matter and cells of a py:percent file.

    Raises:
        SourceError: a bad cell marker, an unknown tag, text outside cells, an uncommented line in a text cell, an empty
            cell, or code that does not parse; with file and line.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        line = path.read_bytes()[: error.start].count(b"\n") + 1
        raise SourceError(path, line, f"the file is not UTF-8 text ({error.reason}): save it as UTF-8") from None
    return parse(text, path)


def parse(text: str, path: Path | str = "<text>") -> tuple[dict, list[Cell]]:
    """What read_source does, for text at hand."""
    import jupytext

    front, body, skipped = split_front_matter(text, path)
    markers = _check_markers(body, path, skipped)
    nb = jupytext.reads(body.lstrip("\n"), fmt="py:percent")  # blank lines at the top would make a cell
    if len(nb.cells) != len(markers):
        raise SourceError(path, skipped + 1, f"{len(markers)} cell markers, but jupytext reads {len(nb.cells)} cells")
    cells, written = [], body.splitlines()
    for cell, (line, tags) in zip(nb.cells, markers, strict=True):
        if not cell.source.strip():
            raise SourceError(path, line, "the cell is empty")
        cells.append(Cell(cell.cell_type, cell.source, line + 1, tags))
        if cell.cell_type == "code":
            _check_comments(cells[-1], written[line - skipped :], path)
            _check_code(cells[-1], path)
    return front, cells


def _check_markers(body: str, path: Path | str, skipped: int) -> list[tuple[int, tuple[str, ...]]]:
    """Line and tags of each cell, after checking everything that jupytext would let pass."""
    markers, kind = [], None
    for number, line in enumerate(body.splitlines(), skipped + 1):
        match = MARKER.fullmatch(line)
        if match:
            try:
                tags = tuple(json.loads(match["tags"])) if match["tags"] else ()
            except ValueError:
                raise SourceError(path, number, f'tags are written ["one", "two"], got {match["tags"]}') from None
            for tag in tags:
                if tag not in TAGS:
                    raise SourceError(path, number, f"unknown tag {tag!r}.{suggestion(tag, TAGS)}")
            markers.append((number, tags))
            kind = match["kind"] or "code"
        elif LIKE_MARKER.fullmatch(line):
            forms = ["# %%", "# %% [markdown]", "# %% [raw]", '# %% tags=["setup"]']
            raise SourceError(path, number, f"bad cell marker {line.strip()!r}.{suggestion(line.strip(), forms)}")
        elif kind is None and line.strip():
            raise SourceError(path, number, "text before the first cell marker '# %%'")
        elif kind in ("markdown", "raw") and line.strip() and line != "#" and not line.startswith("# "):
            raise SourceError(path, number, f"a line of a {kind} cell does not start with '# ': {line.strip()[:40]!r}")
    return markers


def _check_comments(cell: Cell, written: list[str], path: Path | str) -> None:
    """jupytext makes commands of comments that look like them ('# ! note', '# cat'): only known magics may become one."""
    for offset, (now, before) in enumerate(zip(cell.text.splitlines(), written, strict=False)):
        if now != before and not KNOWN_MAGIC.match(now):
            raise SourceError(
                path, cell.line + offset, f"the comment {before.strip()!r} would become the command {now.strip()!r}: reword it"
            )


def without_magics(code: str) -> str:
    """A cell's code with IPython's own lines blanked out, which are checked when the notebook runs; the rest is Python."""
    return "\n".join("" if MAGIC.match(line) else line for line in code.splitlines())


def code_tree(code: str) -> ast.Module:
    """The syntax tree of a cell's code, in which `await` may stand outside of functions.

    Raises:
        SyntaxError: it is no Python.
    """
    return compile(without_magics(code), "cell", "exec", flags=ast.PyCF_ONLY_AST | ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)


def _check_code(cell: Cell, path: Path | str) -> None:
    try:
        code_tree(cell.text)
    except SyntaxError as error:
        raise SourceError(path, cell.line + (error.lineno or 1) - 1, f"the code does not parse: {error.msg}") from None


def notebook(cells: list[Cell]) -> nbformat.NotebookNode:
    """A notebook without outputs, its cell ids hashed from type, text and the count of equals before."""
    make = {"code": nbformat.v4.new_code_cell, "markdown": nbformat.v4.new_markdown_cell, "raw": nbformat.v4.new_raw_cell}
    seen: dict[tuple[str, str], int] = {}
    nb = nbformat.v4.new_notebook(metadata=json.loads(json.dumps(METADATA)))
    for cell in cells:
        count = seen[cell.kind, cell.text] = seen.get((cell.kind, cell.text), -1) + 1
        made = make[cell.kind](cell.text)
        made["id"] = hashlib.sha256(f"{cell.kind}\0{cell.text}\0{count}".encode()).hexdigest()[:12]
        for tag in cell.tags:
            made.metadata.update(TAGS[tag])
        if cell.tags:
            made.metadata["tags"] = list(cell.tags)
        nb.cells.append(made)
    nb.metadata["course"] = {"digest": cells_digest(nb)}
    return nb


def cells_digest(nb: nbformat.NotebookNode) -> str:
    """A digest of what an author makes (types, texts, tags, attachments), which running the notebook does not change."""
    texts = "".join(
        f"{cell.cell_type}\0{cell.source}\0{cell.metadata.get('tags', [])}\0{json.dumps(cell.get('attachments', {}))}\0"
        for cell in nb.cells
    )
    return hashlib.sha256(texts.encode()).hexdigest()[:16]


def is_edited(nb: nbformat.NotebookNode) -> bool:
    """Whether a generated notebook was changed by hand since it was built."""
    return nb.metadata.get("course", {}).get("digest") != cells_digest(nb)


def dumps(nb: nbformat.NotebookNode) -> str:
    nbformat.validate(nb)
    return nbformat.writes(nb, version=4, indent=1, ensure_ascii=False).rstrip("\n") + "\n"
