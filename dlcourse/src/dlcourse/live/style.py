"""Colours, markers and sizes that everybody can read.

Source of the palette: Okabe and Ito (2008), Color Universal Design; eight colours that people with any common colour
vision tell apart. Line styles and markers say the same once more, for print and for those who see no colours.
"""

from contextlib import contextmanager

import matplotlib as mpl
from cycler import cycler

OKABE_ITO = {
    "black": "#000000",
    "orange": "#E69F00",
    "sky": "#56B4E9",
    "green": "#009E73",
    "yellow": "#F0E442",
    "blue": "#0072B2",
    "red": "#D55E00",
    "purple": "#CC79A7",
}
# Yellow is too light for lines on white, and black is for axes and references.
LINES = ["blue", "red", "green", "purple", "orange", "sky"]
STYLE = {
    "font.size": 13,
    "axes.titlesize": 14,
    "axes.labelsize": 13,
    "xtick.labelsize": 12,
    "ytick.labelsize": 12,
    "legend.fontsize": 12,
    "legend.framealpha": 0.9,
    "lines.linewidth": 2.0,
    "lines.markersize": 7,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.prop_cycle": cycler(color=[OKABE_ITO[name] for name in LINES])
    + cycler(linestyle=["-", "--", "-.", ":", (0, (5, 1)), (0, (3, 1, 1, 1))]),
    "image.cmap": "viridis",
    "figure.facecolor": "white",
    "figure.dpi": 100,
}


def use_course_style() -> None:
    """Make the course's sizes, colours and line styles the default of matplotlib in this session."""
    mpl.rcParams.update(STYLE)


@contextmanager
def course_style():
    """The same for the statements inside alone."""
    with mpl.rc_context(STYLE):
        yield
