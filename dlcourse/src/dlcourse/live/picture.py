"""The picture of a live figure: a kept background, the moving artists over it, and the bytes of the result."""

import io
from itertools import pairwise

from matplotlib.artist import Artist
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.container import Container
from matplotlib.figure import Figure
from PIL import Image

from dlcourse.live.errors import FigureError
from dlcourse.live.raster import Raster
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
        self.raster = Raster(self.canvas)
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
                self._draw_all()
            # The layout is settled once: axes that jump while a slider moves cannot be read.
            self.figure.set_layout_engine("none")
            self._background = self.canvas.copy_from_bbox(self.figure.bbox)
            self.figure.stale = False
            self.raster.forget()
            self.full_drawings += 1
        self.canvas.restore_region(self._background)
        for artist in self.moving:
            if artist.get_visible():
                self.raster.draw(artist)

    def _draw_all(self) -> None:
        try:
            self.canvas.draw()
        except (RuntimeError, OSError) as error:  # matplotlib says it deep inside, and names a file of its cache
            if "latex" not in str(error).lower():
                raise
            raise FigureError(
                "matplotlib is told to set text with LaTeX, which is missing here or fails: run "
                "plt.rcParams['text.usetex'] = False, then the cell of this figure again"
            ) from error

    def parts(self) -> list[tuple[int, int, int, int]]:
        """Parts that can stand below each other on a narrow page: columns of axes, and what stands above or below them all.

        Returns:
            left, top, right and bottom of each, in pixels from the top left; one part where the axes stand in one column.
        """
        stale = self.figure.stale
        try:
            return self._parts()
        finally:
            self.figure.stale = stale  # asking for places marks the axes as changed

    def _parts(self) -> list[tuple[int, int, int, int]]:
        width, height = self.size
        renderer = self.canvas.get_renderer()
        boxes = [box for ax in self.figure.axes if (box := ax.get_tightbbox(renderer)) is not None]
        if not boxes:
            return [(0, 0, width, height)]
        top, bottom = height - max(box.y1 for box in boxes), height - min(box.y0 for box in boxes)
        columns = [(box.x0, box.x1) for box in boxes]
        above, below = [], []
        more = [*self.figure.legends, *self.figure.texts]
        for box in (thing.get_window_extent(renderer) for thing in more if thing.get_visible()):
            if height - box.y0 <= top + 1:
                above.append(box)
            elif height - box.y1 >= bottom - 1:
                below.append(box)
            else:
                columns.append((box.x0, box.x1))
        for axes in self.figure.axes:  # a colour bar stays beside its picture
            parents = getattr(axes, "_colorbar_info", {}).get("parents", ())
            together = [box for ax in (axes, *parents) if (box := ax.get_tightbbox(renderer)) is not None]
            columns.append((min(box.x0 for box in together), max(box.x1 for box in together)))
        columns.sort()
        joined = [columns[0]]
        for left, right in columns[1:]:
            if left < joined[-1][1]:
                joined[-1] = joined[-1][0], max(joined[-1][1], right)
            else:
                joined.append((left, right))
        if len(joined) == 1:
            return [(0, 0, width, height)]
        first = max((height - box.y0 for box in above), default=0)
        last = min((height - box.y1 for box in below), default=height)
        first, last = (round((first + top) / 2) if above else 0), (round((last + bottom) / 2) if below else height)
        cuts = [0, *(round((a[1] + b[0]) / 2) for a, b in pairwise(joined)), width]
        found = [(left, first, right, last) for left, right in pairwise(cuts)]
        for band, y0, y1 in ((above, 0, first), (below, last, height)):
            if band:
                left, right = min(box.x0 for box in band), max(box.x1 for box in band)
                part = max(0, round(left) - 6), y0, min(width, round(right) + 6), y1
                found = [part, *found] if band is above else [*found, part]
        return found

    def encode(self, format: str) -> bytes:
        """The canvas as jpeg, png or webp bytes."""
        width, height = self.canvas.get_width_height()
        image = Image.frombuffer("RGBA", (width, height), self.canvas.buffer_rgba(), "raw", "RGBA", 0, 1).convert("RGB")
        options = {
            "jpeg": {"quality": JPEG_QUALITY, "subsampling": 2},
            "png": {"compress_level": 3},
            "webp": {"quality": 80, "method": 2},
        }
        out = io.BytesIO()
        image.save(out, format, **options[format])
        return out.getvalue()
