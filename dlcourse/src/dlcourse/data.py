"""Data that need no download."""

from functools import lru_cache
from importlib import resources
from pathlib import Path
from typing import NamedTuple

import matplotlib as mpl
import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image, ImageDraw, ImageFont


class Split(NamedTuple):
    """Inputs and labels, divided once: train to fit, validation to choose, test to report."""

    x_train: np.ndarray
    y_train: np.ndarray
    x_val: np.ndarray
    y_val: np.ndarray
    x_test: np.ndarray
    y_test: np.ndarray


def digits(seed: int = 0, train: float = 0.7, val: float = 0.15) -> Split:
    """Handwritten digits, 8x8 pixels, 1797 of them.

    Args:
        seed: of the shuffle before the split.
        train, val: shares of the examples; the rest is the test set.
    Returns:
        x: (N, 64) float64 in [0, 1], row by row from the top left; y: (N,) int64 in 0..9.
    Raises:
        ValueError: the shares leave no test set.
    Source: Alpaydin and Kaynak (1998), Optical Recognition of Handwritten Digits, UCI repository, CC BY 4.0; its test part,
        as scikit-learn ships it. The writers of train and test examples here are the same people.
    """
    if not (train > 0 and val >= 0 and train + val < 1):
        raise ValueError(f"shares must be positive and leave a test set, got train={train}, val={val}")
    from sklearn.datasets import load_digits

    x, y = load_digits(return_X_y=True)
    order = np.random.default_rng(seed).permutation(len(x))
    x, y = x[order] / 16, y[order].astype(np.int64)
    a, b = round(train * len(x)), round((train + val) * len(x))
    return Split(x[:a], y[:a], x[a:b], y[a:b], x[b:], y[b:])


MNIST_TEST = 2000  # of the 10,000 images; the other 8,000 are for training and validation


def mnist(seed: int = 0, val: int = 0) -> Split:
    """Handwritten digits of MNIST, 28x28 pixels: 10,000 of its 70,000, which come with dlcourse.

    Args:
        seed: of the shuffle before the split.
        val: how many of the 8,000 images that are not for the test are set apart for validation. The test set does not depend
            on it.
    Returns:
        x: (N, 1, 28, 28) float32 in [0, 1], bright on dark: the grey values 0 to 255, divided by 255; y: (N,) int64 in 0..9;
        2,000 for the test. The last splits asked for are kept in memory and shared, read-only.
    Raises:
        ValueError: val leaves nothing to train on.
    Source: LeCun, Cortes and Burges, The MNIST database of handwritten digits, made from NIST's data; LeCun, Bottou, Bengio and
        Haffner (1998), Gradient-based learning applied to document recognition, section III.
    Licence: CC BY-SA 3.0, other than the rest of dlcourse; datasets/NOTICE.txt says where the file is from, and what was changed.
    """
    if not 0 <= val < 8000:
        raise ValueError(f"val must leave images to train on: from 0 to 7999 of the 8000, got {val}")
    return _mnist(seed, val)


@lru_cache(maxsize=2)
def _mnist(seed: int, val: int) -> Split:
    with resources.files("dlcourse").joinpath("datasets", "mnist10k.npz").open("rb") as file, np.load(file) as stored:
        x, y = stored["x"], stored["y"]
    order = np.random.default_rng(seed).permutation(len(x))  # stored sorted by digit
    x, y = x[order, None].astype(np.float32) / 255, y[order].astype(np.int64)
    train = len(x) - MNIST_TEST - val
    ends = (slice(train), slice(train, train + val), slice(train + val, None))
    made = Split(*(part for end in ends for part in (x[end], y[end])))
    for array in (x, y, *made):
        array.flags.writeable = False
    return made


# matplotlib ships these. A held-out font shows what a random split of images hides: whether the shape of a letter was
# learned, or the fonts that it came in.
TRAIN_FONTS = (
    "DejaVuSans",
    "DejaVuSans-Bold",
    "DejaVuSans-Oblique",
    "DejaVuSans-BoldOblique",
    "DejaVuSansMono",
    "DejaVuSansMono-Bold",
    "DejaVuSansMono-Oblique",
    "DejaVuSerif",
    "DejaVuSerif-Bold",
    "DejaVuSerif-BoldItalic",
    "STIXGeneral",
    "STIXGeneralItalic",
    "STIXGeneralBolIta",
    "cmr10",
    "cmb10",
    "cmss10",
)
HELD_OUT_FONTS = ("DejaVuSansMono-BoldOblique", "DejaVuSerif-Italic", "STIXGeneralBol", "cmtt10", "cmmi10")
DIGITS = "0123456789"
LETTERS = "abcdefghijklmnopqrstuvwxyz"
SIDE = 28  # pixels
_LARGE = 56  # glyphs are drawn at twice the size and sampled down, so that their edges are smooth


class Glyphs(NamedTuple):
    """Pictures of characters.

    Attributes:
        x: (N, 1, 28, 28) float32 in [0, 1], bright on dark; read-only, since calls share it.
        y: (N,) int64, place of the character in `chars`.
        font: (N,) int64, place of the font in `fonts`.
    """

    x: np.ndarray
    y: np.ndarray
    font: np.ndarray


@lru_cache(maxsize=8)
def _masters(chars: str, fonts: tuple[str, ...]) -> torch.Tensor:
    """Each character in each font, centred, (fonts, chars, 56, 56) in [0, 1]."""
    folder = Path(mpl.get_data_path()) / "fonts" / "ttf"
    drawn = np.zeros((len(fonts), len(chars), _LARGE, _LARGE), dtype=np.float32)
    for i, name in enumerate(fonts):
        font = ImageFont.truetype(str(folder / f"{name}.ttf"), 44)
        for j, char in enumerate(chars):
            image = Image.new("L", (_LARGE, _LARGE))
            pen = ImageDraw.Draw(image)
            left, top, right, bottom = pen.textbbox((0, 0), char, font=font)
            pen.text(((_LARGE - left - right) / 2, (_LARGE - top - bottom) / 2), char, font=font, fill=255)
            drawn[i, j] = np.asarray(image, dtype=np.float32) / 255
    return torch.from_numpy(drawn)


def glyphs(
    count: int,
    chars: str = DIGITS,
    fonts: tuple[str, ...] = TRAIN_FONTS,
    seed: int = 0,
    rotation: float = 0.35,
    shear: float = 0.3,
    scale: float = 0.25,
    shift: float = 0.12,
    elastic: float = 0.06,
    noise: float = 0.15,
) -> Glyphs:
    """Characters in matplotlib's own fonts, distorted and noisy: as many as wanted, 20,000 in about two seconds.

    Args:
        count: number of pictures, >= 1. Character and font of each are drawn at random.
        chars: the classes, each character once.
        fonts: names of fonts that matplotlib ships; TRAIN_FONTS and HELD_OUT_FONTS have none in common.
        seed: the same seed and settings give the same pictures.
        rotation: largest angle, radians.
        shear, scale: largest relative change.
        shift: largest displacement, as a share of half the side.
        elastic: largest displacement of a 5 by 5 grid of points, as a share of half the side; the rest is interpolated.
        noise: standard deviation of Gaussian noise, before clipping to [0, 1].
    Returns:
        the pictures with class and font. The last settings asked for are kept in memory and shared, read-only.
    Raises:
        ValueError: count, chars, fonts or a strength of distortion cannot be used.
    Licence: the DejaVu fonts (Bitstream Vera licence), STIX (SIL Open Font Licence) and Computer Modern (public domain), as
        matplotlib distributes them; pictures made with them are free to use.
    """
    if count < 1:
        raise ValueError(f"count must be at least 1, got {count}")
    if not chars or len(set(chars)) != len(chars):
        raise ValueError(f"chars must name each class once, got {chars!r}")
    unknown = [font for font in fonts if font not in TRAIN_FONTS + HELD_OUT_FONTS]
    if unknown or not fonts:
        raise ValueError(f"fonts must be some of data.TRAIN_FONTS and data.HELD_OUT_FONTS, got {unknown or fonts}")
    strengths = {"rotation": rotation, "shear": shear, "scale": scale, "shift": shift, "elastic": elastic, "noise": noise}
    for name, value in strengths.items():
        if not 0 <= value < 4 or (name == "scale" and value >= 1):
            raise ValueError(f"{name} must be 0 or more and moderate, got {value}")
    return _glyphs(count, chars, tuple(fonts), seed, **strengths)


@lru_cache(maxsize=4)
def _glyphs(count, chars, fonts, seed, rotation, shear, scale, shift, elastic, noise) -> Glyphs:
    generator = torch.Generator().manual_seed(seed)

    def uniform(*size):
        return 2 * torch.rand(*size, generator=generator) - 1

    masters = _masters(chars, fonts)
    font = torch.randint(len(fonts), (count,), generator=generator)
    y = torch.randint(len(chars), (count,), generator=generator)
    x = torch.empty(count, 1, SIDE, SIDE)
    for start in range(0, count, 2000):  # in parts: the enlarged pictures of all would take gigabytes
        part = slice(start, min(start + 2000, count))
        n = part.stop - part.start
        angle, skew = rotation * uniform(n), shear * uniform(n)
        # The map goes from the small picture to the large one: a factor above 1 makes the character smaller.
        wide, high = 1.15 * (1 + scale * uniform(n)), 1.15 * (1 + scale * uniform(n))
        cos, sin = angle.cos(), angle.sin()
        rows = [cos * wide, skew - sin * high, shift * uniform(n), sin * wide, cos * high, shift * uniform(n)]
        grid = F.affine_grid(torch.stack(rows, dim=1).reshape(n, 2, 3), (n, 1, SIDE, SIDE), align_corners=False)
        if elastic:
            bends = 2 * elastic * uniform(n, 2, 5, 5)
            grid = grid + F.interpolate(bends, size=(SIDE, SIDE), mode="bicubic", align_corners=True).permute(0, 2, 3, 1)
        ink = 0.6 + 0.4 * torch.rand(n, 1, 1, 1, generator=generator)
        x[part] = ink * F.grid_sample(masters[font[part], y[part]][:, None], grid, align_corners=False)
    x += noise * torch.randn(x.shape, generator=generator)
    made = Glyphs(x.clamp_(0, 1).numpy(), y.numpy(), font.numpy())
    for array in made:
        array.flags.writeable = False
    return made
