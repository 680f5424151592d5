"""Answers to the exercise `my_tanh_rule`: the rule of tanh."""

import numpy as np

from tests.answers import right, wrong


@wrong(hint="square")
def square_forgotten():
    """The slope is 1 - y."""

    def my_tanh_rule(g, y, x):
        return (g * (1 - y),)


@wrong(hint="tuple")
def no_tuple():
    """One share needs no tuple."""

    def my_tanh_rule(g, y, x):
        return g * (1 - y**2)


@wrong(hint="square of x")
def square_of_the_input():
    """The slope is 1 - x squared."""

    def my_tanh_rule(g, y, x):
        return (g * (1 - x**2),)


@wrong(hint="logistic")
def slope_of_the_logistic_function():
    """Every such curve has the slope y (1 - y)."""

    def my_tanh_rule(g, y, x):
        return (g * y * (1 - y),)


@wrong(hint="upstream")
def upstream_gradient_left_out():
    """The share is the slope."""

    def my_tanh_rule(g, y, x):
        return (1 - y**2,)


@wrong(hint="once more")
def tanh_of_the_output():
    """The slope is 1 - tanh squared of what arrives as y."""

    def my_tanh_rule(g, y, x):
        return (g * (1 - np.tanh(y) ** 2),)


@wrong(hint="The numbers differ")
def series_near_zero():
    """A few terms of the series of the slope are enough."""

    def my_tanh_rule(g, y, x):
        return (g * (1 - x**2 + 2 * x**4 / 3),)


@wrong(hint="changed")
def output_squared_in_place():
    """y may be squared where it stands."""

    def my_tanh_rule(g, y, x):
        y *= y
        return (g * (1 - y),)


@wrong(hint="sign")
def sign_turned():
    """The slope is y squared less 1."""

    def my_tanh_rule(g, y, x):
        return (g * (y**2 - 1),)


@wrong(hint="one")
def a_share_for_the_output_too():
    """There is one share for each argument after g."""

    def my_tanh_rule(g, y, x):
        return g * (1 - y**2), 0 * g


@wrong(hint="The numbers differ")
def gradient_inside_the_square():
    """The gradient multiplies y before the square is taken."""

    def my_tanh_rule(g, y, x):
        return (g - (g * y) ** 2,)


@wrong(hint="slope of tanh is missing")
def slope_one():
    """Near zero tanh has the slope 1, and the gradient passes."""

    def my_tanh_rule(g, y, x):
        return (g,)


@right
def by_cosh():
    """The slope is 1 over cosh squared."""

    def my_tanh_rule(g, y, x):
        return (g / np.cosh(x) ** 2,)


@right
def third_binomial():
    """The difference of squares as a product."""

    def my_tanh_rule(g, y, x):
        return (g * (1 - y) * (1 + y),)


@right
def gradient_less_its_part():
    """Multiplied out."""

    def my_tanh_rule(g, y, x):
        return (np.subtract(g, g * np.square(y)),)


@right
def by_the_input():
    """Computes tanh once more."""

    def my_tanh_rule(g, y, x):
        t = np.tanh(x)
        share = g * (1 - t * t)
        return tuple([share])
