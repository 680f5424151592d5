"""Data that need no download."""

from typing import NamedTuple

import numpy as np


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
