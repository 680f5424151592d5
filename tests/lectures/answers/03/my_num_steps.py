"""Answers to the exercise on the number of steps to a tenth."""

import math

import numpy as np

from tests.answers import right, wrong


@wrong(hint="momentum")
def momentum_ignored():
    """The rate is the same with momentum."""

    def my_num_steps(kappa, with_momentum):
        return np.log(0.1) / np.log((kappa - 1) / (kappa + 1))


@wrong(hint="momentum")
def always_with_momentum():
    """The root is always taken."""

    def my_num_steps(kappa, with_momentum):
        k = np.sqrt(kappa)
        return np.log(0.1) / np.log((k - 1) / (k + 1))


@wrong(hint="momentum")
def swapped():
    """The root belongs to the rule without momentum."""

    def my_num_steps(kappa, with_momentum):
        k = kappa if with_momentum else np.sqrt(kappa)
        return np.log(0.1) / np.log((k - 1) / (k + 1))


@wrong(hint="number")
def returns_the_rate():
    """The rate is asked for."""

    def my_num_steps(kappa, with_momentum):
        k = np.sqrt(kappa) if with_momentum else kappa
        return (k - 1) / (k + 1)


@wrong(hint="whole")
def rounded_up():
    """A number of steps is whole."""

    def my_num_steps(kappa, with_momentum):
        k = np.sqrt(kappa) if with_momentum else kappa
        return math.ceil(np.log(0.1) / np.log((k - 1) / (k + 1)))


@wrong(hint="negative")
def negative_number():
    """Drops the sign of log 0.1."""

    def my_num_steps(kappa, with_momentum):
        k = np.sqrt(kappa) if with_momentum else kappa
        return np.log(10) / np.log((k - 1) / (k + 1))


@wrong(hint="tenth")
def e_folding():
    """The distance falls to 1/e."""

    def my_num_steps(kappa, with_momentum):
        k = np.sqrt(kappa) if with_momentum else kappa
        return -1 / np.log((k - 1) / (k + 1))


@wrong(hint="The numbers differ")
def falls_by_a_tenth():
    """The distance falls by a tenth, to 0.9."""

    def my_num_steps(kappa, with_momentum):
        k = np.sqrt(kappa) if with_momentum else kappa
        return np.log(0.9) / np.log((k - 1) / (k + 1))


@wrong(hint="differ")
def root_of_the_steps():
    """Momentum needs the root of the number of steps."""

    def my_num_steps(kappa, with_momentum):
        n = np.log(0.1) / np.log((kappa - 1) / (kappa + 1))
        return np.sqrt(n) if with_momentum else n


@wrong(hint="The numbers differ")
def root_of_the_rate():
    """Momentum takes the root of the rate."""

    def my_num_steps(kappa, with_momentum):
        r = (kappa - 1) / (kappa + 1)
        return np.log(0.1) / np.log(np.sqrt(r) if with_momentum else r)


@wrong(hint="approx")
def for_large_kappa():
    """log 10 * kappa / 2, which holds for large condition numbers only."""

    def my_num_steps(kappa, with_momentum):
        return np.log(10) * (np.sqrt(kappa) if with_momentum else kappa) / 2


@wrong(hint="The numbers differ")
def simpler_rate():
    """The rate is 1 - 1 / kappa."""

    def my_num_steps(kappa, with_momentum):
        k = np.sqrt(kappa) if with_momentum else kappa
        return np.log(0.1) / np.log(1 - 1 / k)


@wrong(hint="differ")
def of_the_example():
    """58 steps, as in the text."""

    def my_num_steps(kappa, with_momentum):
        return 17.0 if with_momentum else 58.0


@wrong(hint="The numbers differ")
def tenth_over_the_rate():
    """Forgets the logarithms."""

    def my_num_steps(kappa, with_momentum):
        k = np.sqrt(kappa) if with_momentum else kappa
        return 0.1 / ((k - 1) / (k + 1))


@wrong(hint="The numbers differ")
def the_loss_falls():
    """The loss falls to a tenth; it goes with the square of the distance."""

    def my_num_steps(kappa, with_momentum):
        k = np.sqrt(kappa) if with_momentum else kappa
        return np.log(0.1) / (2 * np.log((k - 1) / (k + 1)))


@right
def decadic_logarithm():
    """-1 / log10 of the rate."""

    def my_num_steps(kappa, with_momentum):
        if with_momentum:
            kappa = kappa**0.5
        return -1 / math.log10((kappa - 1) / (kappa + 1))


@right
def by_artanh():
    """log((k + 1) / (k - 1)) is twice the artanh of 1 / k."""

    def my_num_steps(kappa, with_momentum):
        return math.log(10) / (2 * math.atanh(kappa ** (-0.5 if with_momentum else -1)))


@right
def difference_of_logarithms():
    """A NumPy number from a difference of logarithms."""

    def my_num_steps(kappa, with_momentum):
        k = np.where(with_momentum, np.sqrt(kappa), kappa)
        return np.log(10) / (np.log(k + 1) - np.log(k - 1))


@right
def with_the_lecture():
    """Uses the lecture's function."""

    def my_num_steps(kappa, with_momentum):
        k = [kappa, math.sqrt(kappa)][with_momentum]
        return steps_to_tenth((k - 1) / (k + 1))
