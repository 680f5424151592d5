"""Answers to the exercise `max_rule`: a rule for the maximum."""

import numpy as np

from tests.answers import right, wrong


@wrong(hint="share it equally")
def each_gets_all():
    """Each of the largest entries gets the whole gradient."""

    def max_rule(g, y, x):
        return (g * (x == y),)


@wrong(hint="equal")
def first_of_the_largest():
    """The gradient goes to the entry that argmax names."""

    def max_rule(g, y, x):
        return (g * np.eye(x.shape[1])[x.argmax(axis=1)],)


@wrong(hint="over all rows")
def counted_over_all_rows():
    """The gradient is divided by the number of largest entries in the array."""

    def max_rule(g, y, x):
        largest = x == y
        return (g * largest / largest.sum(),)


@wrong(hint="tuple")
def no_tuple():
    """One share needs no tuple."""

    def max_rule(g, y, x):
        largest = x == y
        return g * largest / largest.sum(axis=1, keepdims=True)


@wrong(hint="The numbers differ")
def counted_along_the_columns():
    """The largest entries are counted with axis 0."""

    def max_rule(g, y, x):
        largest = x == y
        return (g * largest / np.maximum(largest.sum(axis=0, keepdims=True), 1),)


@wrong(hint="upstream")
def upstream_gradient_left_out():
    """The share is the local derivative."""

    def max_rule(g, y, x):
        largest = x == y
        return (largest / largest.sum(axis=1, keepdims=True),)


@wrong(hint="length of the row")
def divided_by_the_row():
    """The gradient is divided by the length of the row."""

    def max_rule(g, y, x):
        return (g * (x == y) / x.shape[1],)


@wrong(hint="changed")
def gradient_divided_in_place():
    """g may be divided where it stands."""

    def max_rule(g, y, x):
        largest = x == y
        g /= largest.sum(axis=1, keepdims=True)
        return (g * largest,)


@wrong(hint="The numbers differ")
def largest_of_all():
    """The largest entry of the array is meant."""

    def max_rule(g, y, x):
        largest = x == x.max()
        return (g * largest / largest.sum(),)


@wrong(hint="The numbers differ")
def spread_over_the_row():
    """All entries of a row take part in equal shares."""

    def max_rule(g, y, x):
        return (g * np.ones_like(x) / x.shape[1],)


@wrong(hint="The numbers differ")
def ratio_to_the_largest():
    """An entry is the largest if its ratio to y is 1."""

    def max_rule(g, y, x):
        with np.errstate(all="ignore"):
            largest = x / y == 1
            return (g * largest / np.maximum(largest.sum(axis=1, keepdims=True), 1),)


@wrong(hint="nearly equal")
def nearly_equal_entries():
    """Floating-point numbers are compared by isclose."""

    def max_rule(g, y, x):
        largest = np.isclose(x, y)
        return (g * largest / largest.sum(axis=1, keepdims=True),)


@wrong(hint="The numbers differ")
def times_the_maximum():
    """The share is the gradient times the output."""

    def max_rule(g, y, x):
        largest = x == y
        return (g * y * largest / largest.sum(axis=1, keepdims=True),)


@wrong(hint="The numbers differ")
def largest_halved_where_tied():
    """Where there is a tie, two entries share."""

    def max_rule(g, y, x):
        largest = x == y
        return (np.where(largest.sum(axis=1, keepdims=True) > 1, g / 2, g) * largest,)


@right
def mask_and_count():
    """A mask, divided by its count in each row."""

    def max_rule(g, y, x):
        largest = x == y
        return (largest * (g / largest.sum(axis=1, keepdims=True)),)


@right
def row_by_row():
    """A loop with flatnonzero."""

    def max_rule(g, y, x):
        share = np.zeros(x.shape)
        for i in range(len(x)):
            places = np.flatnonzero(x[i] == x[i].max())
            share[i, places] = g[i, 0] / len(places)
        return (share,)


@right
def by_where():
    """np.where, and a mean that serves as the count."""

    def max_rule(g, y, x):
        largest = np.equal(x, y)
        return (np.where(largest, g / (x.shape[1] * largest.mean(axis=1)[:, None]), 0.0),)


@right
def by_einsum():
    """einsum counts and multiplies."""

    def max_rule(g, y, x):
        hit = (x - y >= 0).astype(float)
        return (np.einsum("no,nm,n->nm", g, hit, 1 / np.einsum("nm->n", hit)),)
