"""Two kinds of artists drawn faster than matplotlib draws them, and the same but for the rounding of half-covered pixels.

An image with nearest interpolation needs a colour for each of its values, not for each pixel of the screen; and points that
did not change since the last frame need no drawing, only copying.
"""

import copy
from typing import Any

import numpy as np
from matplotlib.artist import Artist
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import PathCollection
from matplotlib.image import AxesImage

MANY = 50  # points; below, drawing is as fast as copying


class Raster:
    """Draws the artists of one canvas; `forget` after its background was drawn anew.

    Args:
        canvas: the canvas; its renderer keeps its size.
    """

    def __init__(self, canvas: FigureCanvasAgg):
        self.canvas = canvas
        self._places: dict[AxesImage, tuple[Any, tuple | None]] = {}
        self._layers: dict[PathCollection, tuple[bytes, tuple]] = {}

    def forget(self) -> None:
        self._places.clear()
        self._layers.clear()

    def draw(self, artist: Artist) -> None:
        """Draw a visible artist onto the canvas."""
        if type(artist) is PathCollection and len(artist.get_offsets()) >= MANY:
            self._draw_points(artist)
        elif type(artist) is not AxesImage or not self._draw_image(artist):
            artist.draw(self.canvas.get_renderer())

    def _pixels(self) -> np.ndarray:
        return np.asarray(self.canvas.buffer_rgba())

    def _alone(self, artist: Artist) -> np.ndarray:
        """What an artist draws on an empty canvas, (H, W, 4); the canvas is as before then."""
        pixels = self._pixels()
        before = pixels.copy()
        self.canvas.get_renderer().clear()
        artist.draw(self.canvas.get_renderer())
        found = pixels.copy()
        pixels[:] = before
        return found

    # Images

    def _draw_image(self, image: AxesImage) -> bool:
        data = image.get_array()
        if data is None or data.ndim != 2 or image.get_alpha() not in (None, 1) or not _is_nearest(image):
            return False
        key = (data.shape, image.get_extent(), image.origin, image.get_interpolation())
        if image not in self._places or self._places[image][0] != key:
            self._places[image] = key, self._place(image, data.shape)
        place = self._places[image][1]
        if place is None:
            return False
        where, rows, columns = place
        colours = np.ascontiguousarray(image.to_rgba(data, bytes=True))
        if (colours[..., 3] < 255).any():  # what is not a number shows what lies below
            return False
        colours = colours.view(np.uint32)[..., 0]
        self._pixels().view(np.uint32)[..., 0][where] = colours[rows[:, None], columns]
        image.stale = False
        return True

    def _place(self, image: AxesImage, shape: tuple[int, int]) -> tuple | None:
        """Where matplotlib puts which value: the canvas's rows and columns, and the data's row and column for each of them.

        matplotlib draws a picture of the numbers of rows and columns, so that all its roundings are its own. None where its
        picture is no grid of values, as on logarithmic axes.
        """
        numbers = np.full((*shape, 4), 255, dtype=np.uint8)
        found = []
        for axis, count in enumerate(shape):
            index = np.arange(count).reshape((-1, 1) if axis == 0 else (1, -1))
            numbers[..., 0], numbers[..., 1] = index & 255, index >> 8
            clone = copy.copy(image)
            clone.stale_callback = None
            clone.set_data(numbers)
            alone = self._alone(clone)
            found.append(alone[..., 0].astype(int) + 256 * alone[..., 1].astype(int))
        covered = alone[..., 3] > 0
        if not covered.any() or not (alone[..., 3][covered] == 255).all():
            return None
        down, across = np.flatnonzero(covered.any(axis=1)), np.flatnonzero(covered.any(axis=0))
        where = slice(down[0], down[-1] + 1), slice(across[0], across[-1] + 1)
        rows, columns = found[0][where][:, 0], found[1][where][0]
        exact = covered[where].all() and (found[0][where] == rows[:, None]).all() and (found[1][where] == columns).all()
        return (where, rows, columns) if exact else None

    # Points

    def _draw_points(self, points: PathCollection) -> None:
        """Copy them from the frame before where nothing has changed since.

        The first drawing is copied too: the same setting then gives the same picture, to the last bit.
        """
        values = points.get_array()
        key = np.ma.getdata(points.get_offsets()).tobytes() + (b"" if values is None else np.ma.getdata(values).tobytes())
        if points.stale or points not in self._layers or self._layers[points][0] != key:
            alone = self._alone(points).reshape(-1, 4)
            at = np.flatnonzero(alone[:, 3])
            inked = alone[at].astype(np.int32)
            self._layers[points] = key, (at, inked[:, :3], inked[:, 3:])
        at, colours, alpha = self._layers[points][1]
        flat = self._pixels().reshape(-1, 4)
        below = flat[at, :3].astype(np.int32)
        flat[at, :3] = below + ((colours - below) * alpha + 127) // 255


def _is_nearest(image: AxesImage) -> bool:
    """Whether each pixel shows one value: matplotlib's rule, in which 'auto' smoothes unless it enlarges more than 3 times."""
    kind = image.get_interpolation()
    if kind in ("auto", "antialiased"):
        box, (rows, columns) = image.get_window_extent(), image.get_array().shape
        return box.width > 3 * columns and box.height > 3 * rows
    return kind in ("nearest", "none")
