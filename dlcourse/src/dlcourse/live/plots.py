"""Drawing that several lectures share: contour maps, and the trails of things that move over them."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.contour import ContourSet

from dlcourse.live.style import OKABE_ITO

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from dlcourse.live.figure import LiveFigure

# Eight pairs that differ in colour and in line style.
LOOKS = [
    ("blue", "-", "o"),
    ("red", "--", "s"),
    ("green", "-.", "^"),
    ("purple", ":", "v"),
    ("orange", (0, (5, 1)), "D"),
    ("sky", (0, (3, 1, 1, 1)), "P"),
    ("black", "-", "X"),
    ("yellow", "-", "*"),
]


def contours(ax: "Axes", f: Callable, box: Sequence[float], count: int = 12) -> ContourSet:
    """Grey contour lines of f over a box, at heights that spread the lines evenly over the area.

    Args:
        f: takes points, (..., 2), returns heights, (...).
        box: xmin, xmax, ymin, ymax.
    Returns:
        the contour set; its remove() makes room for another.
    """
    x, y = np.linspace(box[0], box[1], 120), np.linspace(box[2], box[3], 120)
    z = f(np.stack(np.meshgrid(x, y), axis=-1))
    heights = np.unique(np.quantile(z, np.linspace(0.01, 0.97, count) ** 1.5))
    ax.set_xlim(box[0], box[1])
    ax.set_ylim(box[2], box[3])
    return ax.contour(x, y, z, levels=heights, colors="0.72", linewidths=1.0, linestyles="solid")


def outside(ax: "Axes", x: Sequence[float], y: Sequence[float]) -> str:
    """A sentence on the points that a picture does not show, for its readout; empty where it shows all.

    Args:
        x, y: the points' coordinates, of the same length. Infinite ones are outside.
    Raises:
        ValueError: they are of different lengths.
    """
    x, y = np.asarray(x, dtype=float), np.asarray(y, dtype=float)
    if x.shape != y.shape:
        raise ValueError(f"x and y must have the same length, got {x.shape} and {y.shape}")
    (left, right), (low, high) = sorted(ax.get_xlim()), sorted(ax.get_ylim())
    unknown = np.isnan(x) | np.isnan(y)
    beyond = int((~unknown & ((x < left) | (x > right) | (y < low) | (y > high))).sum())
    words = []
    if beyond:
        words.append(f"{beyond} point{'s are' if beyond > 1 else ' is'} outside of the axes")
    if unknown.any():
        words.append(f"{unknown.sum()} {'are no numbers' if unknown.sum() > 1 else 'is not a number'}")
    return ", ".join(words) + "." if words else ""


class Trails:
    """Lines with a marker at their heads, one for each name.

    Args:
        names: what the lines are called in the legend.
        among: all names of the lecture, at most eight, so that each looks the same in every figure; names unless given.
    """

    def __init__(self, fig: "LiveFigure", ax: "Axes", names: Sequence[str], among: Sequence[str] | None = None):
        self.lines, self.heads = {}, {}
        looks = dict(zip(among or names, LOOKS, strict=False))
        for name in names:
            colour, style, marker = looks[name]
            wide = 4.0 if colour == "yellow" else 2.2
            (self.lines[name],) = ax.plot([], [], color=OKABE_ITO[colour], linestyle=style, linewidth=wide, label=name)
            (self.heads[name],) = ax.plot(
                [], [], marker, color=OKABE_ITO[colour], markersize=10, markeredgecolor="black", label="_head"
            )
        fig.animate(list(self.lines.values()), list(self.heads.values()))

    def artists(self, name: str) -> tuple:
        return self.lines[name], self.heads[name]

    def show(self, name: str, x: np.ndarray, y: np.ndarray) -> None:
        """Draw one trail up to its last point; what is not finite is left out."""
        ok = np.isfinite(x) & np.isfinite(y)
        x, y = np.where(ok, x, np.nan), np.where(ok, y, np.nan)
        self.lines[name].set_data(x, y)
        self.heads[name].set_data(x[-1:], y[-1:])
