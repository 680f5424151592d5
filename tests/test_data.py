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


def test_mnist_is_what_it_says():
    split = data.mnist()
    assert split.x_train.shape == (8000, 1, 28, 28) and split.x_test.shape == (2000, 1, 28, 28) and len(split.x_val) == 0
    assert split.x_train.dtype == np.float32 and split.y_train.dtype == np.int64
    assert split.x_train.min() == 0 and split.x_train.max() == 1
    grey = split.x_test * 255
    assert np.abs(grey - grey.round()).max() < 1e-4 and len(np.unique(grey.round())) == 256, "whole grey values, all of them"
    counts = np.bincount(np.concatenate([split.y_train, split.y_test]))
    assert counts.tolist() == [1001, 1127, 991, 1032, 980, 863, 1014, 1070, 944, 978]
    for array in split:
        with pytest.raises(ValueError, match="read-only"):
            array[:] = 0
    corners = split.x_train[:, 0, [0, 0, -1, -1], [0, -1, 0, -1]]
    assert corners.max() == 0 and split.x_train.mean() < 0.2, "bright on dark"


def test_mnist_is_split_at_random_and_no_image_is_in_two_parts():
    split = data.mnist(seed=0, val=1000)
    parts = [{image.tobytes() for image in part} for part in (split.x_train, split.x_val, split.x_test)]
    assert [len(part) for part in parts] == [7000, 1000, 2000] and len(set.union(*parts)) == 10_000
    share = np.bincount(split.y_test) / np.bincount(np.concatenate([split.y_train, split.y_val, split.y_test]))
    assert share.min() > 0.15 and share.max() < 0.25, "sorted, the test set would hold the last two digits"
    without = data.mnist(seed=0)
    assert np.array_equal(without.x_test, split.x_test) and np.array_equal(without.x_train[7000:], split.x_val)
    assert data.mnist(seed=0, val=1000).x_train is split.x_train, "kept in memory"
    data._mnist.cache_clear()
    again = data.mnist(seed=0, val=1000)
    assert again.x_train is not split.x_train and all(np.array_equal(a, b) for a, b in zip(again, split, strict=True))
    assert not np.array_equal(data.mnist(seed=1).y_test, split.y_test)
    for val in (-1, 8000):
        with pytest.raises(ValueError, match="from 0 to 7999"):
            data.mnist(val=val)


def test_mnists_labels_are_those_of_its_images():
    """By the nearest training image; with shuffled labels a tenth would be right."""
    split = data.mnist()
    train, test = split.x_train.reshape(8000, -1), split.x_test[:500].reshape(500, -1)
    nearest = ((train**2).sum(axis=1) - 2 * test @ train.T).argmin(axis=1)
    assert np.mean(split.y_train[nearest] == split.y_test[:500]) > 0.9


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
