"""Answers to question 6: initialisation."""

import math

import numpy as np

from tests.answers import right, wrong


@wrong(hint="variance")
def variance_as_standard_deviation():
    """Hands 2 / fan_in to rng.normal, which takes the standard deviation."""

    def he_normal(fan_in, fan_out, rng):
        if fan_in < 1 or fan_out < 1:
            raise ValueError(f"fans must be at least 1, got {fan_in} and {fan_out}")
        return rng.normal(0, 2 / fan_in, (fan_out, fan_in))


@wrong(hint="He's variance belongs to the number of inputs")
def he_by_fan_out():
    """Divides by the number of outputs, as the way back would have it."""

    def he_normal(fan_in, fan_out, rng):
        if fan_in < 1 or fan_out < 1:
            raise ValueError(f"fans must be at least 1, got {fan_in} and {fan_out}")
        return rng.normal(0, math.sqrt(2 / fan_out), (fan_out, fan_in))


@wrong(hint="variance")
def he_without_the_two():
    """Keeps the variance of a linear unit, 1 / fan_in, and forgets what ReLU takes away."""

    def he_normal(fan_in, fan_out, rng):
        if fan_in < 1 or fan_out < 1:
            raise ValueError(f"fans must be at least 1, got {fan_in} and {fan_out}")
        return rng.standard_normal((fan_out, fan_in)) / math.sqrt(fan_in)


@wrong(hint="normal")
def he_uniform():
    """Draws uniform numbers of the right variance, since only the variance counts."""

    def he_normal(fan_in, fan_out, rng):
        if fan_in < 1 or fan_out < 1:
            raise ValueError(f"fans must be at least 1, got {fan_in} and {fan_out}")
        a = math.sqrt(6 / fan_in)
        return rng.uniform(-a, a, (fan_out, fan_in))


@wrong(hint="the normal distribution is not truncated")
def he_truncated():
    """Cuts the normal numbers off at two standard deviations, as some libraries do."""

    def he_normal(fan_in, fan_out, rng):
        if fan_in < 1 or fan_out < 1:
            raise ValueError(f"fans must be at least 1, got {fan_in} and {fan_out}")
        std = math.sqrt(2 / fan_in)
        return np.clip(rng.normal(0, std, (fan_out, fan_in)), -2 * std, 2 * std)


@wrong(hint="leave them as drawn")
def he_standardised():
    """Shifts and scales what was drawn, so that mean and variance of this very matrix are exact."""

    def he_normal(fan_in, fan_out, rng):
        if fan_in < 1 or fan_out < 1:
            raise ValueError(f"fans must be at least 1, got {fan_in} and {fan_out}")
        w = rng.standard_normal((fan_out, fan_in))
        if w.size > 1:
            w = (w - w.mean()) / w.std()
        return w * math.sqrt(2 / fan_in)


@wrong(hint="draw one number for each weight")
def every_unit_the_same():
    """Draws the weights of one unit, and gives them to all units."""

    def he_normal(fan_in, fan_out, rng):
        if fan_in < 1 or fan_out < 1:
            raise ValueError(f"fans must be at least 1, got {fan_in} and {fan_out}")
        return np.tile(rng.normal(0, math.sqrt(2 / fan_in), fan_in), (fan_out, 1))


@wrong(hint="weights are (out, in)")
def inputs_first():
    """Believes that a weight has one row for each input."""

    def xavier_uniform(fan_in, fan_out, rng):
        if fan_in < 1 or fan_out < 1:
            raise ValueError(f"fans must be at least 1, got {fan_in} and {fan_out}")
        a = math.sqrt(6 / (fan_in + fan_out))
        return rng.uniform(-a, a, (fan_in, fan_out))

    def he_normal(fan_in, fan_out, rng):
        if fan_in < 1 or fan_out < 1:
            raise ValueError(f"fans must be at least 1, got {fan_in} and {fan_out}")
        return rng.normal(0, math.sqrt(2 / fan_in), (fan_in, fan_out))


@wrong(hint="the bound belongs to the sum of both fans")
def xavier_by_fan_in_alone():
    """Takes 3 / fan_in, the same for a square weight only."""

    def xavier_uniform(fan_in, fan_out, rng):
        if fan_in < 1 or fan_out < 1:
            raise ValueError(f"fans must be at least 1, got {fan_in} and {fan_out}")
        a = math.sqrt(3 / fan_in)
        return rng.uniform(-a, a, (fan_out, fan_in))


@wrong(hint="took its standard deviation")
def xavier_standard_deviation_as_bound():
    """Takes the standard deviation for the end of the interval."""

    def xavier_uniform(fan_in, fan_out, rng):
        if fan_in < 1 or fan_out < 1:
            raise ValueError(f"fans must be at least 1, got {fan_in} and {fan_out}")
        a = math.sqrt(2 / (fan_in + fan_out))
        return rng.uniform(-a, a, (fan_out, fan_in))


@wrong(hint="both fans stand below the fraction")
def xavier_without_parentheses():
    """Writes 6 / fan_in + fan_out under the root."""

    def xavier_uniform(fan_in, fan_out, rng):
        if fan_in < 1 or fan_out < 1:
            raise ValueError(f"fans must be at least 1, got {fan_in} and {fan_out}")
        a = math.sqrt(6 / fan_in + fan_out)
        return rng.uniform(-a, a, (fan_out, fan_in))


@wrong(hint="weights lie on both sides of 0")
def xavier_positive():
    """Draws between 0 and a."""

    def xavier_uniform(fan_in, fan_out, rng):
        if fan_in < 1 or fan_out < 1:
            raise ValueError(f"fans must be at least 1, got {fan_in} and {fan_out}")
        return rng.random((fan_out, fan_in)) * math.sqrt(6 / (fan_in + fan_out))


@wrong(hint="no weight lies beyond the bound")
def xavier_normal():
    """Draws normal numbers of the right variance."""

    def xavier_uniform(fan_in, fan_out, rng):
        if fan_in < 1 or fan_out < 1:
            raise ValueError(f"fans must be at least 1, got {fan_in} and {fan_out}")
        return rng.normal(0, math.sqrt(2 / (fan_in + fan_out)), (fan_out, fan_in))


@wrong(hint="generator")
def global_generator():
    """Draws from NumPy's global generator, whatever is passed."""

    def he_normal(fan_in, fan_out, rng):
        if fan_in < 1 or fan_out < 1:
            raise ValueError(f"fans must be at least 1, got {fan_in} and {fan_out}")
        return np.random.randn(fan_out, fan_in) * np.sqrt(2 / fan_in)


@wrong(hint="draw from rng itself")
def generator_is_not_moved_on():
    """Draws from a copy of the generator, so that the caller's stays as it is."""

    import copy

    def xavier_uniform(fan_in, fan_out, rng):
        if fan_in < 1 or fan_out < 1:
            raise ValueError(f"fans must be at least 1, got {fan_in} and {fan_out}")
        a = math.sqrt(6 / (fan_in + fan_out))
        return copy.deepcopy(rng).uniform(-a, a, (fan_out, fan_in))


@wrong(hint="float64 here")
def single_precision():
    """Returns float32, since networks are float32."""

    def he_normal(fan_in, fan_out, rng):
        if fan_in < 1 or fan_out < 1:
            raise ValueError(f"fans must be at least 1, got {fan_in} and {fan_out}")
        return (rng.standard_normal((fan_out, fan_in)) * math.sqrt(2 / fan_in)).astype(np.float32)


@wrong(hint="look at both sizes")
def outputs_are_not_checked():
    """Checks only the fan by which it divides; no outputs make an empty weight."""

    def he_normal(fan_in, fan_out, rng):
        if fan_in < 1:
            raise ValueError(f"fan_in must be at least 1, got {fan_in}")
        return rng.normal(0, math.sqrt(2 / fan_in), (fan_out, fan_in))


@wrong(hint="look at both sizes")
def sum_of_the_fans_is_checked():
    """Checks what stands below the fraction, fan_in + fan_out."""

    def xavier_uniform(fan_in, fan_out, rng):
        if fan_in + fan_out < 1:
            raise ValueError(f"fan_in + fan_out must be at least 1, got {fan_in + fan_out}")
        a = math.sqrt(6 / (fan_in + fan_out))
        return rng.uniform(-a, a, (fan_out, fan_in))


@wrong(hint="nothing is drawn when a size is refused")
def checked_too_late():
    """Draws as many numbers as are asked for, in one row, and looks at the fans afterwards."""

    def he_normal(fan_in, fan_out, rng):
        w = rng.standard_normal(abs(fan_in) * max(fan_out, 1))
        if fan_in < 1 or fan_out < 1:
            raise ValueError(f"fans must be at least 1, got {fan_in} and {fan_out}")
        return math.sqrt(2 / fan_in) * w.reshape(fan_out, fan_in)


@right
def scaled_standard_numbers():
    """Stretches numbers of [0, 1) and of N(0, 1)."""

    def xavier_uniform(fan_in, fan_out, rng):
        if not (fan_in >= 1 and fan_out >= 1):
            raise ValueError(f"fans must be at least 1, got {fan_in} and {fan_out}")
        a = (6 / (fan_in + fan_out)) ** 0.5
        return a - 2 * a * rng.random((fan_out, fan_in))

    def he_normal(fan_in, fan_out, rng):
        if not (fan_in >= 1 and fan_out >= 1):
            raise ValueError(f"fans must be at least 1, got {fan_in} and {fan_out}")
        return rng.standard_normal((fan_out, fan_in)) / np.sqrt(fan_in / 2)


@right
def drawn_column_by_column():
    """Draws one row for each input and turns the matrix over, which leaves it in Fortran's order."""

    def xavier_uniform(fan_in, fan_out, rng):
        if min(fan_in, fan_out) < 1:
            raise ValueError(f"fans must be at least 1, got {fan_in} and {fan_out}")
        a = math.sqrt(3 / ((fan_in + fan_out) / 2))
        return rng.uniform(-a, a, (fan_in, fan_out)).T

    def he_normal(fan_in, fan_out, rng):
        if min(fan_in, fan_out) < 1:
            raise ValueError(f"fans must be at least 1, got {fan_in} and {fan_out}")
        return rng.normal(scale=math.sqrt(2 / fan_in), size=(fan_in, fan_out)).T


@right
def box_and_muller():
    """Makes normal numbers from pairs of uniform ones, and an error class of its own."""

    class FanError(ValueError):
        """A fan is below 1."""

    def check_fans(**fans):
        for name, value in fans.items():
            if value < 1:
                raise FanError(f"{name} must be at least 1, got {value}")

    def xavier_uniform(fan_in, fan_out, rng):
        check_fans(fan_in=fan_in, fan_out=fan_out)
        w = np.empty((fan_out, fan_in))
        rng.random(out=w)
        w -= 0.5
        w *= 2 * math.sqrt(6 / (fan_in + fan_out))
        return w

    def he_normal(fan_in, fan_out, rng):
        check_fans(fan_in=fan_in, fan_out=fan_out)
        radius = np.sqrt(-2 * np.log1p(-rng.random((fan_out, fan_in))))
        return math.sqrt(2 / fan_in) * radius * np.cos(2 * np.pi * rng.random((fan_out, fan_in)))


@right
def number_by_number():
    """Draws each weight by a call of its own, from the last to the first."""

    def xavier_uniform(fan_in, fan_out, rng):
        if fan_in < 1 or fan_out < 1:
            raise ValueError(f"fans must be at least 1, got {fan_in} and {fan_out}")
        a = math.sqrt(6) / math.sqrt(fan_in + fan_out)
        return np.array([[rng.uniform(-a, a) for _ in range(fan_in)] for _ in range(fan_out)])[::-1, ::-1]

    def he_normal(fan_in, fan_out, rng):
        if fan_in < 1 or fan_out < 1:
            raise ValueError(f"fans must be at least 1, got {fan_in} and {fan_out}")
        w = np.zeros((fan_out, fan_in))
        for o in reversed(range(fan_out)):
            for i in reversed(range(fan_in)):
                w[o, i] = rng.normal(0.0, math.sqrt(2.0 / fan_in))
        return w


@right
def by_the_inverse_of_the_distribution():
    """Sends uniform numbers through the quantiles of the normal distribution."""

    import statistics

    def he_normal(fan_in, fan_out, rng):
        if fan_in < 1 or fan_out < 1:
            raise ValueError(f"fans must be at least 1, got {fan_in} and {fan_out}")
        normal = statistics.NormalDist(0, math.sqrt(2 / fan_in))
        share = (rng.integers(0, 2**52, (fan_out, fan_in)) + 0.5) / 2**52
        return np.reshape([normal.inv_cdf(q) for q in share.ravel()], (fan_out, fan_in))
