"""Answers to "How many measurements"."""

import math

import numpy as np

from tests.answers import right, wrong


@wrong(hint="not its square")
def no_square():
    """Half the error takes twice as many."""

    def my_count(sigma, error):
        return math.ceil(sigma / error)


@wrong(hint="round up")
def rounded_down():
    """Takes the integer part."""

    def my_count(sigma, error):
        return int((sigma / error) ** 2)


@wrong(hint="round up")
def rounded():
    """Takes the nearest integer."""

    def my_count(sigma, error):
        return round((sigma / error) ** 2)


@wrong(hint="one more than it takes")
def one_too_many():
    """Adds one to be on the safe side."""

    def my_count(sigma, error):
        return math.floor((sigma / error) ** 2) + 1


@wrong(hint="must hold numbers like int")
def a_float():
    """NumPy rounds up to a float."""

    def my_count(sigma, error):
        return np.ceil((sigma / error) ** 2)


@wrong(hint="Only error is squared")
def only_the_error_squared():
    """Squares what stands next to the sign."""

    def my_count(sigma, error):
        return math.ceil(sigma / error**2)


@wrong(hint="the wrong way round")
def upside_down():
    """Divides the wanted error by sigma."""

    def my_count(sigma, error):
        return math.ceil((error / sigma) ** 2)


@right
def counted():
    """Tries one count after the other."""

    def my_count(sigma, error):
        n = 1
        while sigma / math.sqrt(n) > error:
            n += 1
        return n


@right
def by_whole_division():
    """Rounds up by rounding the negative down."""

    def my_count(sigma, error):
        return int(-(-(sigma**2) // error**2))


@right
def an_integer_of_numpy():
    """Rounds up with NumPy, and makes an integer of it."""

    def my_count(sigma, error):
        return int(np.ceil((sigma / error) ** 2))
