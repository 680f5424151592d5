"""Answers to "Update a mean"."""

import numpy as np

from tests.answers import right, wrong


@wrong(hint="mean stands for n numbers and x for one")
def halfway():
    """The new mean is the mean of the two."""

    def my_update(mean, n, x):
        return (mean + x) / 2


@wrong(hint="there are n + 1 numbers now")
def divided_by_the_old_count():
    """The difference is shared among the numbers that were there."""

    def my_update(mean, n, x):
        return mean + (x - mean) / n if n else x


@wrong(hint="their mean is asked")
def the_sum():
    """Adds up all numbers, and forgets to divide."""

    def my_update(mean, n, x):
        return mean * n + x


@wrong(hint="x is one of the numbers now")
def the_old_mean():
    """One more number does not matter."""

    def my_update(mean, n, x):
        return mean


@wrong(hint="the n numbers before it count too")
def the_new_number():
    """The last measurement is the best."""

    def my_update(mean, n, x):
        return x


@wrong(hint="The shares are swapped")
def shares_swapped():
    """The new number gets n shares."""

    def my_update(mean, n, x):
        return (mean + n * x) / (n + 1)


@wrong(hint="ZeroDivisionError")
def no_first_number():
    """There is always a mean already."""

    def my_update(mean, n, x):
        total = mean / (1 / n)
        return (total + x) / (n + 1)


@right
def by_the_sum():
    """Goes back to the sum."""

    def my_update(mean, n, x):
        return (mean * n + x) / (n + 1)


@right
def by_weights():
    """A weighted mean of the two."""

    def my_update(mean, n, x):
        return float(np.average([mean, x], weights=[n, 1]))


@right
def with_n_copies():
    """n numbers of the old mean have the same sum."""

    def my_update(mean, n, x):
        return sum([mean] * n, x) / (n + 1)
