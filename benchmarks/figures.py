"""Kernel time per slider step: reference figures against `interact` with `plt.show()`, and every figure of every lecture.

A step is one change of a slider's value, with everything that the kernel does for it: the function, the drawing, the
encoding. Times are medians over steps through the whole range, of one thread, in milliseconds.
"""

import asyncio
import io
import json
import statistics
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor
from contextlib import redirect_stdout
from multiprocessing import get_context

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import torch

from coursebuild.settings import Settings
from dlcourse.live import Integer, LiveFigure, Slider

STEPS = 40
LIMIT = {"1-D loss with tangent and trail": 16, "2-D contour with four trajectories": 16}
LIMIT |= {"200x200 heat map of a small MLP": 33, "8x8 mosaic of 28x28 images": 33}
TIMES = {name: 5 if "heat map" in name else 10 for name in LIMIT}


def loss(w):
    return w**4 / 20 - w**2 / 2 + w / 5 + 1.5


# Each reference figure is (make artists on a figure) -> (function of the slider); the same code serves both ways of showing.


def one_d(figure) -> tuple[list, Callable]:
    ax = figure.subplots()
    w = np.linspace(-3.6, 3.6, 400)
    ax.plot(w, loss(w))
    dot, tangent, trail = ax.plot([], [], "o")[0], ax.plot([], [], "--")[0], ax.plot([], [], ".-")[0]

    def update(x):
        slope = x**3 / 5 - x + 0.2
        path = [x]
        for _ in range(20):
            path.append(path[-1] - 0.1 * (path[-1] ** 3 / 5 - path[-1] + 0.2))
        near = np.array([x - 0.7, x + 0.7])
        dot.set_data([x], [loss(x)])
        tangent.set_data(near, loss(x) + slope * (near - x))
        trail.set_data(path, loss(np.array(path)))

    return [dot, tangent, trail], update


def two_d(figure) -> tuple[list, Callable]:
    ax = figure.subplots()
    x, y = np.meshgrid(np.linspace(-4, 4, 120), np.linspace(-3, 3, 120))
    ax.contour(x, y, x**2 + 10 * y**2, levels=20)
    lines = [ax.plot([], [], "-o", ms=3)[0] for _ in range(4)]

    def update(start):
        for line, lr in zip(lines, (0.01, 0.03, 0.06, 0.09), strict=True):
            path = [np.array([start, 2.0])]
            for _ in range(30):
                path.append(path[-1] - lr * path[-1] * [2, 20])
            line.set_data(*np.array(path).T)

    return lines, update


def heat(figure) -> tuple[list, Callable]:
    ax = figure.subplots()
    generator = torch.Generator().manual_seed(0)
    points = torch.randn(300, 2, generator=generator)
    hidden = [
        torch.randn(32, 2, generator=generator),
        torch.randn(32, 32, generator=generator) / 6,
        torch.randn(1, 32, generator=generator),
    ]
    grid = torch.stack(torch.meshgrid(torch.linspace(-3, 3, 200), torch.linspace(-3, 3, 200), indexing="xy"), -1).reshape(-1, 2)
    image = ax.imshow(np.zeros((200, 200)), extent=(-3, 3, -3, 3), origin="lower", vmin=0, vmax=1, interpolation="nearest")
    dots = ax.scatter(points[:, 0], points[:, 1], c=(points[:, 0] > 0).float(), s=12, cmap="coolwarm")

    def update(scale):
        with torch.no_grad():
            z = torch.tanh(torch.tanh(scale * grid @ hidden[0].T) @ hidden[1].T) @ hidden[2].T
            image.set_data(torch.sigmoid(z).reshape(200, 200).numpy())

    return [image, dots], update


def mosaic(figure) -> tuple[list, Callable]:
    ax = figure.subplots()
    x, y = np.meshgrid(np.linspace(-2, 2, 28), np.linspace(-2, 2, 28))
    centres = np.random.default_rng(0).uniform(-1, 1, size=(64, 2, 1, 1))
    images = np.exp(-2 * ((x - centres[:, 0]) ** 2 + (y - centres[:, 1]) ** 2))
    shown = ax.imshow(np.zeros((224, 224)), vmin=0, vmax=1, cmap="gray", interpolation="nearest")

    def update(power):
        shown.set_data((images**power).reshape(8, 8, 28, 28).transpose(0, 2, 1, 3).reshape(224, 224))

    return [shown], update


REFERENCE = dict(zip(LIMIT, [(one_d, -3.0, 3.0), (two_d, -3.5, 3.5), (heat, 0.2, 2.0), (mosaic, 0.5, 3.0)], strict=True))


def timed(set_value: Callable[[float], None], values: Iterable[float]) -> list[float]:
    """Milliseconds of each step, after two to warm up."""
    values = list(values)
    for value in values[:2]:
        set_value(value)
    found = []
    for value in values[2:]:
        start = time.perf_counter()
        set_value(value)
        found.append(1e3 * (time.perf_counter() - start))
    return found


def live_figure(title: str, make: Callable, low: float, high: float) -> LiveFigure:
    fig = LiveFigure(title)
    artists, update = make(fig.figure)
    fig.animate(*artists)

    @fig.control(x=Slider(low, high))
    def _(x):
        update(x)
        return f"x = {x:.3f}"

    return fig


def live_times(make: Callable, low: float, high: float) -> list[float]:
    fig = live_figure(make.__name__, make, low, high)
    return timed(lambda value: setattr(fig.widgets["x"], "value", value), np.linspace(low, high, STEPS))


def interact_times(make: Callable, low: float, high: float) -> list[float]:
    """The same figure drawn anew for each step by `interact` and `plt.show()`; to be called in a kernel, inline backend on."""
    from ipywidgets import FloatSlider, interactive

    def redraw(x):
        figure = plt.figure(figsize=(6, 4), dpi=100)
        _, update = make(figure)
        update(x)
        plt.show()

    panel = interactive(redraw, x=FloatSlider(min=low, max=high, value=low))
    slider = panel.children[0]
    return timed(lambda value: setattr(slider, "value", value), np.linspace(low, high, STEPS // 4))


KERNEL_CELL = """
%matplotlib inline
import json, torch
from benchmarks import figures
torch.set_num_threads(1)
print("TIMES", json.dumps({name: figures.interact_times(*reference) for name, reference in figures.REFERENCE.items()}))
"""


def interact_in_a_kernel() -> dict[str, list[float]]:
    """Run interact_times for all reference figures in a real kernel, where plt.show() does what it does for readers."""
    import nbformat
    from nbclient import NotebookClient

    nb = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(KERNEL_CELL)])
    NotebookClient(nb, timeout=300, kernel_name="python3").execute()
    printed = "".join(output.get("text", "") for output in nb.cells[0].outputs)
    return json.loads(printed.split("TIMES ")[1].splitlines()[0])


def summary(times: list[float]) -> dict[str, float]:
    return {"median_ms": round(statistics.median(times), 1), "max_ms": round(max(times), 1)}


def lecture_rows() -> dict[str, dict]:
    """Median and maximum of every slider step of every figure of every lecture."""
    from coursebuild import settings as course_settings
    from tests.session import run_lecture

    rows = {}
    for source in sorted((course_settings.load().lectures / "src").glob("*.py")):
        with redirect_stdout(io.StringIO()):
            session = run_lecture(source)
        for title, figure in session.figures.items():
            for name, control in figure.controls.items():
                if not isinstance(control, Slider | Integer):
                    continue
                before = figure.widgets[name].value
                values = control.frames(STEPS)
                times = timed(lambda value, widget=figure.widgets[name]: setattr(widget, "value", value), values)
                figure.widgets[name].value = before
                rows[f"{source.stem[:2]} {title}: {name}"] = summary(times)
            if figure.run is not None:
                times = timed(lambda _, run=figure.run: run.step(), range(STEPS))
                figure.run.reset()
                rows[f"{source.stem[:2]} {title}: one tick"] = summary(times)
    return rows


def measure(settings: Settings) -> dict:
    """Print both tables; return them."""
    torch.set_num_threads(1)
    mpl.use("agg")
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:  # its event loop would disturb ours
        by_interact = pool.submit(interact_in_a_kernel).result()
    return asyncio.run(tables(by_interact))


async def tables(by_interact: dict[str, list[float]]) -> dict:
    """Inside an event loop, as in a kernel: without one, figures send every picture at rest, as PNG."""
    print(f"{'reference figure, 600x400':38s} {'live':>8s} {'max':>8s} {'interact':>9s} {'ratio':>6s}   allowed: ms, ratio")
    reference = {}
    for name, (make, low, high) in REFERENCE.items():
        live, redrawn = summary(live_times(make, low, high)), summary(by_interact[name])
        ratio = round(redrawn["median_ms"] / live["median_ms"], 1)
        reference[name] = {**live, "interact_median_ms": redrawn["median_ms"], "ratio": ratio}
        print(
            f"{name:38s} {live['median_ms']:8.1f} {live['max_ms']:8.1f} {redrawn['median_ms']:9.1f} {ratio:6.1f}   {LIMIT[name]}, {TIMES[name]}"
        )
    print(f"\n{'slider of a lecture':75s} {'median':>8s} {'max':>8s}")
    rows = lecture_rows()
    for name, row in rows.items():
        print(f"{name[:75]:75s} {row['median_ms']:8.1f} {row['max_ms']:8.1f}")
    return {"reference": reference, "lectures": rows}
