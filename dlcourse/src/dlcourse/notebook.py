"""The reader's notebook, seen from a library: its names, its cells, and what is run in it."""

import ast
import json
import os
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

_watchers: "weakref.WeakSet" = weakref.WeakSet()


def shell():
    """The running IPython, or None in a plain script."""
    try:
        from IPython import get_ipython
    except ImportError:
        return None
    return get_ipython()


def namespace() -> dict[str, Any]:
    """The names of the notebook, or of the running script."""
    running = shell()
    if running is not None:
        return running.user_ns
    import __main__

    return vars(__main__)


def lookup(name: str) -> Callable | None:
    """The reader's function of this name, if there is one."""
    found = namespace().get(name) if name else None
    return found if callable(found) else None


def cell_that_makes(name: str) -> str | None:
    """The first line of the first cell that defines, imports or assigns a name, where the notebook's file can be found."""
    path = Path(os.environ.get("JPY_SESSION_NAME") or namespace().get("__vsc_ipynb_file__") or "")
    try:
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    except (OSError, ValueError, KeyError, TypeError):  # no notebook's file: a script, or a front end that keeps it to itself
        return None
    for cell in cells:
        text = "".join(cell.get("source", ""))
        if cell.get("cell_type") == "code" and name in _names_made(text):
            return next((line.strip() for line in text.splitlines() if line.strip()), None)
    return None


def _names_made(text: str) -> set[str]:
    """The names that a cell leaves behind."""
    from IPython.core.inputtransformer2 import TransformerManager  # here, because a plain script may have no IPython

    try:
        statements = ast.parse(TransformerManager().transform_cell(text)).body
    except SyntaxError:
        return set()
    made = set()
    for statement in statements:
        if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            made.add(statement.name)
            continue
        for node in ast.walk(statement):
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                made.add(node.id)
            elif isinstance(node, ast.alias):
                made.add((node.asname or node.name).split(".")[0])
    return made


def cell_id() -> str | None:
    """The cell that is running, where the front end tells it."""
    running = shell()
    parent = running.get_parent() if hasattr(running, "get_parent") else None
    return (parent or {}).get("metadata", {}).get("cellId")


def execution() -> int | None:
    """Number of the present run of a cell; another one for each, of the same cell too."""
    running = shell()
    return running.execution_count if running is not None else None


def watch(thing) -> None:
    """Call thing.cell_was_run() after each cell, as long as thing lives."""
    _watchers.add(thing)
    running = shell()
    if running is not None and not getattr(running, "_dlcourse_watches", False):
        running._dlcourse_watches = True
        running.events.register("post_run_cell", _after_cell)


def unwatch(thing) -> None:
    """No longer call it."""
    _watchers.discard(thing)


def _after_cell(*_) -> None:
    for thing in list(_watchers):
        thing.cell_was_run()
