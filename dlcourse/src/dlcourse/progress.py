"""A progress bar for training loops."""

import html
import time
from collections.abc import Iterable, Iterator
from typing import TypeVar

import ipywidgets as widgets

T = TypeVar("T")


def progress(things: Iterable[T], label: str = "", total: int | None = None) -> Iterator[T]:
    """Go through things and show how far, how fast and how long yet.

    Args:
        total: how many there are; len(things) unless given.
    """
    from IPython.display import display

    total = len(things) if total is None else total
    bar = widgets.IntProgress(min=0, max=total, description=label, style={"description_width": "auto"})
    words = widgets.HTML()
    display(widgets.HBox([bar, words]))
    start = shown = time.perf_counter()
    for count, thing in enumerate(things, 1):
        yield thing
        now = time.perf_counter()
        if now - shown > 0.1 or count == total:
            shown = now
            left = (now - start) / count * (total - count)
            bar.value = count
            words.value = html.escape(
                f"{count} of {total}, {now - start:.1f} s, {left:.0f} s to go"
                if count < total
                else f"{total} in {now - start:.1f} s"
            )
