"""Answers to the exercise on clipping a gradient by its norm."""

import math

import numpy as np

from tests.answers import right, wrong


@wrong(hint="direction")
def each_element_clipped():
    """Clips each element."""

    def my_clip(g, max_norm):
        return np.clip(g, -max_norm, max_norm)


@wrong(hint="Short")
def always_rescaled():
    """Every gradient gets the norm max_norm, zeros aside."""

    def my_clip(g, max_norm):
        norm = np.linalg.norm(g)
        return g if norm == 0 else g * max_norm / norm


@wrong(hint="zero")
def zeros_divided():
    """Divides before it looks whether the norm is zero."""

    def my_clip(g, max_norm):
        norm = np.sqrt(np.sum(g**2))
        return g / norm * min(norm, max_norm)


@wrong(hint="norm")
def largest_element():
    """The norm is the largest absolute value."""

    def my_clip(g, max_norm):
        norm = np.abs(g).max()
        return g * max_norm / norm if norm > max_norm else g


@wrong(hint="absolute values")
def sum_of_absolute_values():
    """The norm is the sum of absolute values."""

    def my_clip(g, max_norm):
        norm = np.abs(g).sum()
        return g * max_norm / norm if norm > max_norm else g


@wrong(hint="root")
def root_forgotten():
    """The norm is the sum of squares."""

    def my_clip(g, max_norm):
        norm = np.sum(g**2)
        return g * max_norm / norm if norm > max_norm else g


@wrong(hint="changed")
def in_place():
    """Shortens the gradient where it is."""

    def my_clip(g, max_norm):
        norm = np.linalg.norm(g)
        if norm > max_norm:
            g *= max_norm / norm
        return g


@wrong(hint="row")
def each_row_by_itself():
    """Each row has its own norm."""

    def my_clip(g, max_norm):
        norm = np.linalg.norm(g, axis=-1, keepdims=True)
        return g * np.minimum(1, max_norm / np.maximum(norm, 1e-300))


@wrong(hint="shape")
def spectral_norm():
    """The 2 in norm(g, 2) means the Euclidean norm, of matrices as well."""

    def my_clip(g, max_norm):
        norm = np.linalg.norm(g, 2)
        return g * max_norm / norm if norm > max_norm else g


@wrong(hint="shape")
def flattened():
    """The norm is that of a vector, and a vector is returned."""

    def my_clip(g, max_norm):
        g = g.ravel()
        norm = np.sqrt(g @ g)
        return g * max_norm / norm if norm > max_norm else g


@wrong(hint="The numbers differ")
def not_divided_by_the_norm():
    """Multiplies by max_norm where the norm is too large."""

    def my_clip(g, max_norm):
        return g * max_norm if np.linalg.norm(g) > max_norm else g


@wrong(hint="norm")
def unit_length():
    """Where the norm is too large, the gradient gets the length 1."""

    def my_clip(g, max_norm):
        norm = np.linalg.norm(g)
        return g / norm if norm > max_norm else g


@wrong(hint="The numbers differ")
def dropped():
    """A gradient that is too large is left out."""

    def my_clip(g, max_norm):
        return np.zeros_like(g) if np.linalg.norm(g) > max_norm else g


@wrong(hint="The numbers differ")
def mean_of_squares():
    """The norm is the root of the mean of squares."""

    def my_clip(g, max_norm):
        norm = np.sqrt(np.mean(g**2))
        return g * max_norm / norm if norm > max_norm else g


@wrong(hint="The numbers differ")
def positive_elements():
    """Returns the sizes of the elements."""

    def my_clip(g, max_norm):
        norm = np.linalg.norm(g)
        return np.abs(g) * max_norm / norm if norm > max_norm else np.abs(g)


@wrong(hint="shape")
def vectors_and_matrices_only():
    """A gradient has one axis or two."""

    def my_clip(g, max_norm):
        norm = np.linalg.norm(g, "fro") if g.ndim > 1 else np.linalg.norm(g)
        return g * max_norm / norm if norm > max_norm else g


@right
def one_factor():
    """A factor of at most 1."""

    def my_clip(g, max_norm):
        norm = np.sqrt(np.einsum("i,i->", g.ravel(), g.ravel()))
        return g * (min(1.0, max_norm / norm) if norm else 1.0)


@right
def by_a_loop():
    """Adds the squares up in a loop, and returns a copy."""

    def my_clip(g, max_norm):
        total = 0.0
        for number in np.nditer(np.asarray(g)):
            total += float(number) ** 2
        norm = math.sqrt(total)
        if norm <= max_norm:
            return g.copy()
        return np.multiply(g, max_norm / norm)


@right
def divided_by_the_larger():
    """Divides by the larger of 1 and norm / max_norm."""

    def my_clip(g, max_norm):
        return g / np.maximum(1, np.linalg.norm(g) / max_norm)


@right
def larger_of_the_two():
    """No case is needed: norm and max_norm, the larger divides."""

    def my_clip(g, max_norm):
        norm = float(np.hypot.reduce(np.ravel(g), initial=0.0))
        return np.where(norm > max_norm, g / max(norm, max_norm) * max_norm, g)
