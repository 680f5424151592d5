"""Answers to the exercise on the limit of the learning rate."""

import numpy as np

from tests.answers import right, wrong


@wrong(hint="largest")
def limit_of_the_flattest_mode():
    """The flattest mode sets the limit."""

    def my_largest_lr(curvatures):
        return 2 / np.min(curvatures)


@wrong(hint="flattest")
def largest_of_the_limits():
    """Each mode has the limit 2 / curvature, and the largest of these is asked for."""

    def my_largest_lr(curvatures):
        return max(2 / c for c in curvatures)


@wrong(hint="1 over the curvature")
def one_over_the_largest():
    """The factor may not become negative."""

    def my_largest_lr(curvatures):
        return 1 / np.max(curvatures)


@wrong(hint="best")
def best_learning_rate():
    """The learning rate that serves both ends best is the largest."""

    def my_largest_lr(curvatures):
        return 2 / (np.max(curvatures) + np.min(curvatures))


@wrong(hint="order")
def last_is_the_largest():
    """The curvatures come sorted, as in the valley (1, 50)."""

    def my_largest_lr(curvatures):
        return 2 / curvatures[-1]


@wrong(hint="order")
def first_is_the_largest():
    """The curvatures come sorted from the steepest."""

    def my_largest_lr(curvatures):
        return 2 / curvatures[0]


@wrong(hint="must be a number")
def one_limit_for_each_mode():
    """Each mode has its own limit, so an array is returned."""

    def my_largest_lr(curvatures):
        return 2 / curvatures


@wrong(hint="number")
def array_of_one_number():
    """An array of shape (1,) is a number."""

    def my_largest_lr(curvatures):
        return np.array([2 / np.max(curvatures)])


@wrong(hint="mean")
def mean_curvature():
    """The mean curvature decides."""

    def my_largest_lr(curvatures):
        return 2 / np.mean(curvatures)


@wrong(hint="do not add up")
def sum_of_curvatures():
    """The curvatures of all modes add up."""

    def my_largest_lr(curvatures):
        return 2 / np.sum(curvatures)


@wrong(hint="differ")
def limit_of_the_example():
    """The limit is that of the narrow valley."""

    def my_largest_lr(curvatures):
        return 0.04


@wrong(hint="The numbers differ")
def two_times_the_curvature():
    """The limit grows with the curvature."""

    def my_largest_lr(curvatures):
        return 2 * np.max(curvatures)


@right
def least_of_the_limits():
    """The smallest of the modes' own limits."""

    def my_largest_lr(curvatures):
        return min(2 / c for c in curvatures)


@right
def sorted_first():
    """Sorts a copy."""

    def my_largest_lr(curvatures):
        return 2.0 / sorted(curvatures.tolist())[-1]


@right
def by_the_norm():
    """The maximum norm; an array without axes is a number to NumPy."""

    def my_largest_lr(curvatures):
        return np.asarray(2 / np.linalg.norm(curvatures, np.inf))


@right
def by_a_loop():
    """Keeps the steepest so far."""

    def my_largest_lr(curvatures):
        steepest = 0.0
        for c in curvatures:
            if c > steepest:
                steepest = c
        return float(2 / steepest)
