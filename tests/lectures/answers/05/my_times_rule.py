"""Answers to the exercise `my_times_rule`: the rule of a product."""

import numpy as np

from tests.answers import right, wrong


@wrong(hint="other")
def factors_not_swapped():
    """The share of a is the gradient times a, and that of b is the gradient times b."""

    def my_times_rule(g, y, a, b):
        return g * a, g * b


@wrong(hint="upstream")
def upstream_gradient_left_out():
    """The share is the local derivative."""

    def my_times_rule(g, y, a, b):
        return b, a


@wrong(hint="The numbers differ")
def rule_of_the_sum():
    """A gradient is handed on to both inputs as it is."""

    def my_times_rule(g, y, a, b):
        return g, g


@wrong(hint="may be 0")
def divided_out_of_the_product():
    """The other factor is the product divided by this one."""

    def my_times_rule(g, y, a, b):
        with np.errstate(all="ignore"):
            return g * y / a, g * y / b


@wrong(hint="changed")
def gradient_multiplied_in_place():
    """The upstream gradient may be used up, since nobody needs it afterwards."""

    def my_times_rule(g, y, a, b):
        share_of_b = g * a
        g *= b
        return g, share_of_b


@wrong(hint="The numbers differ")
def added():
    """The gradient is added to the local derivative."""

    def my_times_rule(g, y, a, b):
        return g + b, g + a


@wrong(hint="The numbers differ")
def times_the_product():
    """Both shares are the gradient times the output."""

    def my_times_rule(g, y, a, b):
        return g * y, g * y


@wrong(hint="NumPy array")
def shares_summed():
    """A share is one number, the sum over all entries."""

    def my_times_rule(g, y, a, b):
        return np.sum(g * b), np.sum(g * a)


@wrong(hint="tuple")
def array_of_both():
    """Both shares stand in one array."""

    def my_times_rule(g, y, a, b):
        return np.array([g * b, g * a])


@wrong(hint="one share for each")
def only_the_share_of_a():
    """The product is symmetric, so one share is enough."""

    def my_times_rule(g, y, a, b):
        return (g * b,)


@wrong(hint="shape")
def matrix_product():
    """The product of arrays is that of matrices."""

    def my_times_rule(g, y, a, b):
        return np.dot(g, np.transpose(b)), np.dot(np.transpose(a), g)


@right
def with_numpy_functions():
    """np.multiply in place of the star."""

    def my_times_rule(g, y, a, b):
        return np.multiply(g, b), np.multiply(a, g)


@right
def by_comprehension():
    """A tuple made of the two local derivatives."""

    def my_times_rule(g, y, a, b):
        return tuple(g * local for local in (b, a))


@right
def by_einsum():
    """einsum with an ellipsis serves numbers and arrays."""

    def my_times_rule(g, y, a, b):
        return np.einsum("...,...->...", g, b), np.einsum("...,...->...", g, a)


@right
def negated_twice():
    """Names for the local derivatives, and two signs that cancel."""

    def my_times_rule(g, y, a, b):
        dy_da, dy_db = b, a
        share_a = -(dy_da * -g)
        return share_a, dy_db * g
