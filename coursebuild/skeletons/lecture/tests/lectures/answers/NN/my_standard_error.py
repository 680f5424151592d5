"""Answers to "Find the fault"."""

import math

import numpy as np

from tests.answers import right, wrong


@wrong(hint="not by its root")
def as_it_was():
    """Sees no fault."""

    def my_standard_error(x):
        return x.std(ddof=1) / len(x)


@wrong(hint="that of their mean is asked")
def not_divided():
    """Takes the standard deviation for the standard error."""

    def my_standard_error(x):
        return x.std(ddof=1)


@wrong(hint="n in its denominator")
def mended_in_the_wrong_place():
    """Takes ddof for the fault, too."""

    def my_standard_error(x):
        return x.std() / math.sqrt(len(x))


@wrong(hint="its root is asked")
def the_variance():
    """Divides the variance by n, and stops there."""

    def my_standard_error(x):
        return x.var(ddof=1) / len(x)


@wrong(hint="twice")
def one_less_twice():
    """Both counts are n - 1."""

    def my_standard_error(x):
        return x.std(ddof=1) / math.sqrt(len(x) - 1)


@wrong(hint="changes its argument")
def centred_in_place():
    """Subtracts the mean from the reader's own array."""

    def my_standard_error(x):
        x -= x.mean()
        return math.sqrt((x**2).sum() / (len(x) - 1) / len(x))


@wrong(hint="kind of thing")
def one_for_each():
    """Each measurement has an error of its own."""

    def my_standard_error(x):
        return np.full(len(x), x.std(ddof=1) / math.sqrt(len(x)))


@right
def from_the_variance():
    """The root of the mean's variance."""

    def my_standard_error(x):
        return math.sqrt(x.var(ddof=1) / len(x))


@right
def by_hand():
    """Writes the standard deviation out."""

    def my_standard_error(x):
        return math.sqrt(sum((value - x.mean()) ** 2 for value in x) / (len(x) - 1) / len(x))


@right
def the_two_denominators_swapped():
    """n in the standard deviation and n - 1 in the root give the same product."""

    def my_standard_error(x):
        return x.std() / math.sqrt(len(x) - 1)
