"""Figures that answer while the slider moves.

One matplotlib figure is drawn once; after that only its animated artists are drawn anew over the kept background, and the
picture goes to the browser as the bytes of an `ipywidgets.Image`. No figure per step, no front-end extension: the same in
JupyterLab, JupyterHub, Colab and VS Code.

    fig = LiveFigure("Where is down?", xlabel="weight w", ylabel="loss")
    fig.ax.plot(w, loss(w), color="black")
    skier = fig.animate(fig.ax.plot([], [], "o")[0])

    @fig.control(position=Slider(-3.5, 3.5, value=-1.0))
    def _(position):
        skier.set_data([position], [loss(position)])
        return f"slope {slope(position):+.2f}"

    fig
"""

from dlcourse.live.controls import Button, Choice, Function, Integer, Slider, Switch, Text
from dlcourse.live.errors import FigureError
from dlcourse.live.figure import LiveFigure, figures
from dlcourse.live.graph import GraphView
from dlcourse.live.plots import Trails, contours, outside
from dlcourse.live.style import OKABE_ITO, use_course_style

__all__ = [
    "OKABE_ITO",
    "Button",
    "Choice",
    "FigureError",
    "Function",
    "GraphView",
    "Integer",
    "LiveFigure",
    "Slider",
    "Switch",
    "Text",
    "Trails",
    "contours",
    "figures",
    "outside",
    "use_course_style",
]
