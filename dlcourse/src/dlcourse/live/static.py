"""A live figure for pages without a kernel: its present picture and readout, or every control's pictures beforehand."""

import base64
import html
import json
import uuid
from contextlib import AbstractContextManager
from typing import Any, Protocol

from dlcourse import without_kernel
from dlcourse.live.controls import Control
from dlcourse.live.loop import Loop
from dlcourse.live.picture import Picture

FRAMES = 25

SCRIPT = """
(function () {
  const root = document.getElementById("%(id)s"), strips = %(strips)s;
  const image = root.querySelector("img"), words = root.querySelector("[role=status]");
  const inputs = [...root.querySelectorAll("input")];
  inputs.forEach((input, i) => input.addEventListener("input", () => {
    const frame = strips[i].frames[input.value];
    image.src = frame.src; image.alt = frame.words; words.textContent = frame.words;
    inputs.forEach((other, j) => { if (i !== j) other.value = strips[j].start; });
    inputs.forEach((each, j) => { each.nextElementSibling.textContent = strips[j].frames[each.value].label; });
  }));
})();
"""


class Figure(Protocol):
    """What a page needs of the figure that it shows."""

    title: str
    readout: str
    lock: AbstractContextManager
    picture: Picture
    controls: dict[str, Control]
    widgets: dict[str, Any]
    run: Loop | None
    widget: without_kernel.LiveBox

    def set(self, **values: Any) -> None: ...


def _frame(figure: Figure, label: str) -> dict:
    source = "data:image/webp;base64," + base64.b64encode(figure.picture.encode("webp")).decode()
    return {"src": source, "words": figure.readout, "label": label}


def strips(figure: Figure) -> list[dict]:
    """Pictures and readouts along each control, the others at their present values, which are restored."""
    found = []
    for name, control in figure.controls.items():
        values = list(control.frames(FRAMES))
        if not values:
            continue
        before = figure.widgets[name].value
        close = [abs(v - before) if isinstance(before, int | float) else v != before for v in values]
        start = close.index(min(close))
        values[start] = before  # the page begins with the picture of this very value
        frames = []
        for value in values:
            figure.set(**{name: value})
            frames.append(_frame(figure, f"{value:.4g}" if isinstance(value, float) else str(value)))
        figure.set(**{name: before})
        found.append({"label": control.label or name, "start": start, "frames": frames})
    if figure.run is not None:
        frames = []
        figure.run.reset()
        for _ in range(FRAMES):
            frames.append(_frame(figure, f"step {figure.run.ticks}"))
            if not figure.run.advance(figure.run.speed.value):
                break
        figure.run.reset()
        found.append({"label": "run", "start": 0, "frames": frames})
    return found


def bundle(figure: Figure) -> dict[str, str]:
    """The figure for pages without a kernel, MIME type -> content: title, picture and readout as they are now.

    Where no page will ever have a kernel, the HTML moves: see `page`.
    """
    with figure.lock:
        png = base64.b64encode(figure.picture.encode("png")).decode()
        title, readout = html.escape(figure.title), html.escape(figure.readout)
        text = f"{figure.title}: {figure.readout}"
        if without_kernel.everywhere():
            body = page(figure)
        else:
            image = f'<img src="data:image/png;base64,{png}" alt="{title}" style="max-width:100%">'
            body = f"<p><b>{title}</b></p><p>{image}</p><p>{readout}</p>"
    return {"text/plain": text, "text/html": figure.widget.still(body, without_kernel.TO_MOVE), "image/png": png}


def page(figure: Figure) -> str:
    """HTML that needs nothing but a browser, and moves: one control at a time."""
    figure_id = f"live-{uuid.uuid4().hex[:12]}"
    with figure.lock:
        rows = strips(figure)
        default = _frame(figure, "")
    sliders = "".join(
        f'<label style="display:block">{html.escape(row["label"])} '
        f'<input type="range" min="0" max="{len(row["frames"]) - 1}" value="{row["start"]}"> '
        f"<output>{html.escape(row['frames'][row['start']]['label'])}</output></label>"
        for row in rows
    )
    # A closing tag inside a string would end the script.
    script = SCRIPT % {"id": figure_id, "strips": json.dumps(rows).replace("</", "<\\/")}
    words = html.escape(default["words"])
    return (
        f'<div id="{figure_id}"><b>{html.escape(figure.title)}</b>{sliders}'
        f'<img src="{default["src"]}" alt="{words}" style="max-width:100%"><div role="status" aria-live="polite">{words}</div>'
        f"<script>{script}</script></div>"
    )
