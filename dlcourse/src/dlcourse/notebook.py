"""The reader's notebook, seen from a library: its names, its cells, and what is run in it."""

import weakref
from collections.abc import Callable
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


def cell_id() -> str | None:
    """The cell that is running, where the front end tells it."""
    running = shell()
    parent = running.get_parent() if hasattr(running, "get_parent") else None
    return (parent or {}).get("metadata", {}).get("cellId")


def watch(thing) -> None:
    """Call thing.cell_was_run() after each cell, as long as thing lives."""
    _watchers.add(thing)
    running = shell()
    if running is not None and not getattr(running, "_dlcourse_watches", False):
        running._dlcourse_watches = True
        running.events.register("post_run_cell", _after_cell)


def _after_cell(*_) -> None:
    for thing in list(_watchers):
        thing.cell_was_run()
