"""The picture of a live figure: a kept background, the moving artists over it, and the bytes of the result."""

import io

from matplotlib.artist import Artist
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.container import Container
from matplotlib.figure import Figure
from PIL import Image

from dlcourse.live.errors import FigureError
from dlcourse.live.style import course_style

JPEG_QUALITY = 85  # 2 ms for 600x400, where PNG takes 15 to 25 and lossless WebP more


def flatten(things) -> list[Artist]:
    """The artists in nested lists, tuples and matplotlib containers.

    Raises:
        FigureError: something else is among them.
    """
    if isinstance(things, Artist):
        return [things]
    if isinstance(things, list | tuple | Container):
        return [artist for thing in things for artist in flatten(thing)]
    raise FigureError(
        f"animate takes what matplotlib's drawing functions return, got {type(things).__name__}. "
        "Write fig.animate(ax.plot([], [])[0]), or fig.animate(ax.scatter([], []))"
    )


class Picture:
    """A matplotlib figure drawn once, whose animated artists are drawn anew for each frame.

    Whatever else changes (limits, titles, ticks, a static artist) is noticed by matplotlib's own `stale` flag, and costs
    one full drawing.

    Args:
        size: width and height in pixels.
    """

    def __init__(self, size: tuple[int, int]):
        self.size = size
        self.full_drawings = 0
        with course_style():
            self.figure = Figure(figsize=(size[0] / 100, size[1] / 100), dpi=100, layout="constrained")
        self.canvas = FigureCanvasAgg(self.figure)
        self.moving: list[Artist] = []
        self._background = None

    def animate(self, things) -> None:
        for artist in flatten(things):
            if artist.get_figure() is not self.figure:
                raise FigureError(
                    f"{type(artist).__name__} belongs to another figure, or to none: make it with this figure's axes, "
                    "for example fig.ax.plot(...)"
                )
            if artist not in self.moving:
                artist.set_animated(True)
                self.moving.append(artist)
        self.moving.sort(key=lambda artist: artist.get_zorder())
        self._background = None

    def draw(self) -> None:
        """Draw the current state of all artists onto the canvas."""
        if self._background is None or self.figure.stale:
            with course_style():
                self.canvas.draw()
            # The layout is settled once: axes that jump while a slider moves cannot be read.
            self.figure.set_layout_engine("none")
            self._background = self.canvas.copy_from_bbox(self.figure.bbox)
            self.figure.stale = False
            self.full_drawings += 1
        self.canvas.restore_region(self._background)
        for artist in self.moving:
            if artist.get_visible():
                (artist.axes or self.figure).draw_artist(artist)

    def encode(self, format: str) -> bytes:
        """The canvas as jpeg, png or webp bytes."""
        width, height = self.canvas.get_width_height()
        image = Image.frombuffer("RGBA", (width, height), self.canvas.buffer_rgba(), "raw", "RGBA", 0, 1).convert("RGB")
        options = {
            "jpeg": {"quality": JPEG_QUALITY, "subsampling": 0},
            "png": {"compress_level": 3},
            "webp": {"quality": 80, "method": 2},
        }
        out = io.BytesIO()
        image.save(out, format, **options[format])
        return out.getvalue()
