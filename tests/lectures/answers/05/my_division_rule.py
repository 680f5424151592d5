"""Answers to the exercise `my_division_rule`: the rule of a quotient."""

import numpy as np

from tests.answers import right, wrong


@wrong(hint="sign")
def minus_forgotten():
    """The share of b is g a / b squared, without a sign."""

    def my_division_rule(g, y, a, b):
        return g / b, g * a / b**2


@wrong(hint="A square is missing")
def square_forgotten():
    """The derivative of 1 / b is -1 / b."""

    def my_division_rule(g, y, a, b):
        return g / b, -g * a / b


@wrong(hint="The numbers differ")
def numerator_forgotten():
    """The derivative w.r.t. b is that of 1 / b."""

    def my_division_rule(g, y, a, b):
        return g / b, -g / b**2


@wrong(hint="The numbers differ")
def rule_of_the_product():
    """Each share is the gradient times the other input."""

    def my_division_rule(g, y, a, b):
        return g * b, g * a


@wrong(hint="upstream")
def upstream_gradient_left_out():
    """The shares are the local derivatives."""

    def my_division_rule(g, y, a, b):
        return 1 / b, -a / b**2


@wrong(hint="may be 0")
def through_y_over_a():
    """The local derivative 1 / b is y / a."""

    def my_division_rule(g, y, a, b):
        with np.errstate(all="ignore"):
            return g * y / a, -g * y / b


@wrong(hint="changed")
def gradient_divided_in_place():
    """g may be divided where it stands."""

    def my_division_rule(g, y, a, b):
        g /= b
        return g, -g * y


@wrong(hint="The numbers differ")
def sign_on_the_wrong_share():
    """The minus belongs to the numerator's share."""

    def my_division_rule(g, y, a, b):
        return -g / b, g * y / b


@wrong(hint="exchanged")
def shares_in_the_wrong_order():
    """The share of b comes first."""

    def my_division_rule(g, y, a, b):
        return -g * y / b, g / b


@wrong(hint="upstream")
def gradient_only_in_the_first():
    """The upstream gradient enters the first share."""

    def my_division_rule(g, y, a, b):
        return g / b, -a / b**2


@wrong(hint="The numbers differ")
def square_of_the_denominator_in_both():
    """The quotient's rule has b squared below everything."""

    def my_division_rule(g, y, a, b):
        return g / b**2, -g * a / b**2


@wrong(hint="tuple")
def as_a_list():
    """A list of two is as good as a tuple."""

    def my_division_rule(g, y, a, b):
        return [g / b, -g * a / b**2]


@right
def by_the_output():
    """Uses y in place of a / b."""

    def my_division_rule(g, y, a, b):
        return g / b, -g * y / b


@right
def textbook():
    """The two derivatives as the quotient rule has them."""

    def my_division_rule(g, y, a, b):
        return g * (1 / b), g * (-a / b**2)


@right
def first_share_used_again():
    """The second share is made from the first."""

    def my_division_rule(g, y, a, b):
        share_a = np.divide(g, b)
        return share_a, np.negative(np.multiply(share_a, y))


@right
def as_a_product():
    """a times 1 / b: the product's rule, and the rule of the reciprocal."""

    def my_division_rule(g, y, a, b):
        r = 1 / b
        return g * r, (g * a) * (-r * r)
