"""Answers to the exercise on a learning rate for a wanted floor."""

import numpy as np

from tests.answers import right, wrong


@wrong(hint="exact")
def small_lr():
    """Uses the approximation for small lr."""

    def my_lr_for_floor(floor, batch, variance):
        return 4 * floor * batch / variance


@wrong(hint="batch")
def batch_forgotten():
    """The variance of one example is the noise."""

    def my_lr_for_floor(floor, batch, variance):
        return 4 * floor / (variance + 2 * floor)


@wrong(hint="batch")
def batch_multiplied():
    """Noise grows with the batch."""

    def my_lr_for_floor(floor, batch, variance):
        v = variance * batch
        return 4 * floor / (v + 2 * floor)


@wrong(hint="The numbers differ")
def root_of_the_batch():
    """The noise falls with the root of the batch."""

    def my_lr_for_floor(floor, batch, variance):
        v = variance / np.sqrt(batch)
        return 4 * floor / (v + 2 * floor)


@wrong(hint="floor")
def floor_of_a_learning_rate():
    """Takes the wanted floor for a learning rate."""

    def my_lr_for_floor(floor, batch, variance):
        return floor * variance / batch / (2 * (2 - floor))


@wrong(hint="differ")
def factor_two_lost():
    """Loses a factor on the way: 2 floor - floor lr = lr v."""

    def my_lr_for_floor(floor, batch, variance):
        v = variance / batch
        return 2 * floor / (v + floor)


@wrong(hint="sign")
def sign_lost():
    """Loses a sign on the way."""

    def my_lr_for_floor(floor, batch, variance):
        v = variance / batch
        return 4 * floor / (v - 2 * floor)


@wrong(hint="The numbers differ")
def squares_the_variance():
    """Takes the variance for a standard deviation."""

    def my_lr_for_floor(floor, batch, variance):
        v = variance**2 / batch
        return 4 * floor / (v + 2 * floor)


@wrong(hint="The numbers differ")
def variance_is_one():
    """The variance is 1, as in the figure."""

    def my_lr_for_floor(floor, batch, variance):
        v = 1 / batch
        return 4 * floor / (v + 2 * floor)


@wrong(hint="The numbers differ")
def capped_at_one():
    """A learning rate is at most 1."""

    def my_lr_for_floor(floor, batch, variance):
        v = variance / batch
        return min(1.0, 4 * floor / (v + 2 * floor))


@wrong(hint="differ")
def found_on_a_grid():
    """The best of a hundred learning rates."""

    def my_lr_for_floor(floor, batch, variance):
        lrs = np.linspace(0.01, 1.99, 100)
        floors = lrs * variance / batch / (2 * (2 - lrs))
        return lrs[np.argmin(np.abs(floors - floor))]


@wrong(hint="differ")
def of_the_example():
    """The learning rate of the example."""

    def my_lr_for_floor(floor, batch, variance):
        return 0.1


@wrong(hint="The numbers differ")
def whole_division():
    """Batches are whole, so variance // batch."""

    def my_lr_for_floor(floor, batch, variance):
        v = variance // batch
        return 4 * floor / (v + 2 * floor)


@wrong(hint="The numbers differ")
def inverse():
    """Returns one over the learning rate."""

    def my_lr_for_floor(floor, batch, variance):
        v = variance / batch
        return (v + 2 * floor) / (4 * floor)


@right
def batch_on_the_other_side():
    """Multiplies by the batch throughout."""

    def my_lr_for_floor(floor, batch, variance):
        return 4 * floor * batch / (variance + 2 * floor * batch)


@right
def by_bisection():
    """Bisects the lecture's formula between 0 and 2."""

    def my_lr_for_floor(floor, batch, variance):
        low, high = 0.0, 2.0
        for _ in range(200):
            middle = (low + high) / 2
            if middle >= 2 or noise_floor(middle, batch, variance) > floor:
                high = middle
            else:
                low = middle
        return low


@right
def as_reciprocals():
    """1 / lr = 1/2 + v / (4 floor)."""

    def my_lr_for_floor(floor, batch, variance):
        return 1 / (0.5 + variance / batch / 4 / floor)


@right
def linear_system():
    """Solves the linear equation as a system of one."""

    def my_lr_for_floor(floor, batch, variance):
        A = np.array([[variance / batch + 2 * floor]])
        return float(np.linalg.solve(A, [4.0 * floor])[0])
