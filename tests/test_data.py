"""Data sets: the same for the same seed, in their ranges, and as hard as lectures say."""

import numpy as np
import pytest

from dlcourse import data


def test_digits():
    split = data.digits(seed=0)
    assert split.x_train.shape == (1258, 64) and len(split.x_val) == 269 and len(split.x_test) == 270
    assert split.x_train.min() == 0 and split.x_train.max() == 1 and split.x_train.dtype == np.float64
    rows = {row.tobytes() for row in split.x_train} & {row.tobytes() for row in split.x_test}
    assert not rows, "no digit is in both"
    assert np.array_equal(split.y_test, data.digits(seed=0).y_test)
    assert not np.array_equal(split.y_test, data.digits(seed=1).y_test)
    with pytest.raises(ValueError, match="leave a test set"):
        data.digits(train=0.9, val=0.1)


def test_glyphs_are_what_they_say():
    made = data.glyphs(500, seed=3)
    assert made.x.shape == (500, 1, 28, 28) and made.x.dtype == np.float32
    assert made.x.min() >= 0 and made.x.max() <= 1
    assert set(made.y) == set(range(10)) and set(made.font) == set(range(len(data.TRAIN_FONTS)))
    assert made.y.dtype == np.int64
    with pytest.raises(ValueError, match="read-only"):
        made.x[0] = 0


def test_the_same_seed_gives_the_same_glyphs_and_another_seed_others():
    first = data.glyphs(50, seed=5)
    assert data.glyphs(50, seed=5).x is first.x, "kept in memory"
    data._glyphs.cache_clear()
    again = data.glyphs(50, seed=5)
    assert again.x is not first.x and np.array_equal(again.x, first.x) and np.array_equal(again.y, first.y)
    assert not np.array_equal(data.glyphs(50, seed=6).x, first.x)


def test_without_distortion_a_character_of_a_font_is_always_the_same():
    still = {"rotation": 0, "shear": 0, "scale": 0, "shift": 0, "elastic": 0, "noise": 0}
    made = data.glyphs(400, chars="ab", fonts=("cmr10",), seed=0, **still)
    a = made.x[made.y == 0]
    assert np.allclose(a / a.max(axis=(1, 2, 3), keepdims=True), a[0] / a[0].max(), atol=1e-5), "all but the ink"
    middle = (a[0, 0] * np.arange(28)).sum() / a[0, 0].sum()
    assert middle == pytest.approx(13.5, abs=1.5), "centred"


def test_every_character_of_every_font_is_drawn():
    masters = data._masters(data.DIGITS + data.LETTERS, data.TRAIN_FONTS + data.HELD_OUT_FONTS)
    ink = masters.sum(dim=(2, 3))
    assert ink.min() > 20, "no font lacks a character"
    flat = masters.flatten(2)
    for font in flat:
        assert len({row.numpy().tobytes() for row in font}) == len(data.DIGITS + data.LETTERS), "and no two look the same"
    assert not set(data.TRAIN_FONTS) & set(data.HELD_OUT_FONTS)


def test_held_out_fonts_are_harder_than_new_pictures_of_known_fonts():
    """Nearest neighbours: what a random split of the pictures would hide."""
    train = data.glyphs(4000, seed=0)
    known = train.x.reshape(len(train.x), -1)

    def accuracy(glyphs):
        x = glyphs.x.reshape(len(glyphs.x), -1)
        nearest = ((known**2).sum(axis=1) - 2 * x @ known.T).argmin(axis=1)
        return np.mean(train.y[nearest] == glyphs.y)

    same_fonts = [accuracy(data.glyphs(1000, seed=seed)) for seed in (1, 2, 3)]
    held_out = [accuracy(data.glyphs(1000, fonts=data.HELD_OUT_FONTS, seed=seed)) for seed in (1, 2, 3)]
    assert all(0.3 < b < a < 0.95 for a, b in zip(same_fonts, held_out, strict=True)), (same_fonts, held_out)
    assert np.mean(same_fonts) - np.mean(held_out) > 0.02


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"count": 0}, "at least 1"),
        ({"count": 5, "chars": "aba"}, "each class once"),
        ({"count": 5, "fonts": ("Comic Sans",)}, "TRAIN_FONTS"),
        ({"count": 5, "noise": -1}, "noise must be"),
        ({"count": 5, "scale": 1.0}, "scale must be"),
    ],
)
def test_wrong_settings_are_named(wrong, says):
    with pytest.raises(ValueError, match=says):
        data.glyphs(**wrong)
