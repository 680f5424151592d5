"""Lecture {{number}}: its sentences, proved."""

import math

import numpy as np
import pytest

from dlcourse.check import CheckError
from tests.claims import claim

FIGURE = "The means of 200 people"
SEEDS = range(5)


def deviation_of_means(n, seed, people=4000):
    """Standard deviation of the means of n measurements, in units of sigma."""
    return np.random.default_rng(seed).standard_normal((people, n)).mean(axis=1).std()


@claim(
    "A stone weighs 50 g.", "The noise has the mean zero and the standard deviation $\\sigma$, which is 2 g for this balance."
)
def test_the_stone_and_its_balance(lecture):
    noise = lecture.names["noise"]
    assert lecture.names["TRUTH"] == 50 and lecture.figures[FIGURE].controls["sigma"].value == 2
    assert abs(noise.mean()) < 0.02 and noise.std() == pytest.approx(1, abs=0.02)


@claim(
    "One measurement has a standard deviation of 2 g. How many measurements must a mean be taken of, so that the mean has one of "
    "1 g?",
    "The mean of 2 measurements has a standard deviation of 1.41 g.",
    "4, since the root of 4 is 2",
    "The mean of 8 measurements has a standard deviation of 0.71 g.",
    "The mean of n measurements has the standard deviation sigma / sqrt(n), and sqrt(4) is 2.",
    "The mean of $n$ independent measurements has the standard deviation $\\sigma / \\sqrt n$, its standard error.",
    "Half the standard error takes four times as many measurements.",
)
@pytest.mark.parametrize("seed", SEEDS)
def test_the_standard_error(lecture, seed):
    assert lecture.predictions[0].answer.startswith("4") and math.sqrt(4) == 2
    assert (round(2 / math.sqrt(2), 2), round(2 / math.sqrt(8), 2)) == (1.41, 0.71)
    measured = {n: deviation_of_means(n, seed) for n in (2, 4, 8, 16, 32)}
    for n, deviation in measured.items():
        assert deviation == pytest.approx(1 / math.sqrt(n), rel=0.05)
    for n in (2, 4, 8):
        assert measured[n] / measured[4 * n] == pytest.approx(2, rel=0.05)


@claim("Each of 200 people takes the mean of their own first $n$ measurements.")
def test_whose_means_they_are(lecture):
    figure = lecture.figures[FIGURE]
    figure.set(n=3, sigma=1.0)
    [dots] = [line for line in figure.ax.lines if len(line.get_xdata()) == 200]
    assert dots.get_xdata() == pytest.approx(50 + lecture.names["noise"][:, :3].mean(axis=1))


@claim(
    "Raise $n$ until the dashed lines are 1 g away from the true value.",
    "Then double $\\sigma$, and bring the lines back to where they were.",
    "The lines are 1 g away at $n = 4$.",
    "With twice the $\\sigma$ it takes 16 measurements.",
)
def test_where_the_lines_stand(lecture):
    figure = lecture.figures[FIGURE]
    assert "the lines are 2.00 g away" in figure.readout, "the first view does not give the prediction's answer away"
    for sigma, wanted in ((2.0, 4), (4.0, 16)):
        figure.set(sigma=sigma)
        for n in range(1, 101):
            figure.set(n=n)
            if "the lines are 1.00 g away" in figure.readout:
                break
        assert n == wanted


@claim("The mean is that sum divided by $n$, and dividing by $n$ divides the variance by $n^2$:")
def test_the_variance_of_a_quotient():
    x = np.random.default_rng(0).normal(size=1000)
    assert (x / 7).var() == pytest.approx(x.var() / 49)


@claim(
    "About two thirds of the means lie within one standard error of the true value.",
    "Within one standard error of the true value lie about two thirds of the means.",
)
def test_how_many_means_lie_between_the_lines(lecture):
    figure = lecture.figures[FIGURE]
    for n in (1, 5, 30, 100):
        figure.set(n=n)
        inside = int(figure.readout.split(", and ")[1].split(" of 200")[0])
        assert inside / 200 == pytest.approx(2 / 3, abs=0.09)
    many = np.random.default_rng(0).standard_normal((20000, 9)).mean(axis=1)
    assert np.mean(np.abs(many) < 1 / 3) == pytest.approx(2 / 3, abs=0.03)


@claim(
    "Nine measurements have the mean 50 g. The tenth is 60 g. What is the mean of all ten, in grams?",
    "That is halfway, but 50 g stand for nine measurements and 60 g for one.",
    "The tenth measurement moves the mean by a tenth of the difference: 50 + (60 - 50) / 10 is 51.",
)
def test_the_tenth_measurement(lecture):
    question = lecture.predictions[1]
    assert np.mean([50] * 9 + [60]) == 50 + (60 - 50) / 10 == 51 == question.answer
    assert question.hints[0][0] < (50 + 60) / 2 < question.hints[0][1]
    assert question.hints[1][0] < 50 + (60 - 50) / 9 < question.hints[1][1]


@claim(
    "It gets mean, the mean of n numbers, the count n (an integer, 0 or larger) and x, one more number.",
    "It returns the mean of all n + 1 numbers.",
    "For n = 0 there is no mean yet: mean is 0.0 then, and the result is x.",
    "A mean of $n$ numbers takes in one more by $n$ and its own value; the numbers themselves are not needed.",
    "Whoever knows the mean of the first $n$ numbers, and $n$, needs none of the numbers themselves to take in the next one.",
)
def test_updating_a_mean(lecture):
    update = lecture.names["update"]
    rng = np.random.default_rng(0)
    for n in (1, 5, 40):
        numbers = rng.normal(size=n + 1)
        assert update(numbers[:-1].mean(), n, numbers[-1]) == pytest.approx(numbers.mean())
    assert update(0.0, 0, 7.5) == 7.5
    lecture.names["my_update"] = lambda mean, n, x: mean + (x - mean) / max(n, 1)
    lecture.exercises["my_update"].run()
    assert lecture.exercises["my_update"].state == "failed"


@claim(
    "Starting from nothing, it gives the mean after each measurement.",
    "The last line compares it with NumPy's mean of all measurements so far.",
)
def test_running_means(lecture):
    measured = lecture.names["measured"]
    running = lecture.names["running_means"](measured)
    assert running == pytest.approx(np.cumsum(measured) / np.arange(1, 101), rel=1e-12)


@claim(
    "Instead of 100 measurements you take 400. What becomes about half as large?",
    "The standard deviation of the measurements stays about 2 g: it belongs to the balance.",
    "The standard error is sigma / sqrt(n), and sqrt(400) is twice sqrt(100).",
    "More measurements do not reduce the standard deviation of the measurements.",
)
@pytest.mark.parametrize("seed", SEEDS)
def test_two_spreads(lecture, seed):
    rng = np.random.default_rng(seed)
    (few, error_few), (many, error_many) = (lecture.names["spreads"](50 + 2 * rng.standard_normal(n)) for n in (100, 400))
    assert few == pytest.approx(2, abs=0.4) and many == pytest.approx(2, abs=0.2)
    assert error_few / error_many == pytest.approx(math.sqrt(400) / math.sqrt(100), rel=0.2)


@claim(
    "my_standard_error(x) gets measurements x, an array of shape (n,) with n at least 2.",
    "It should return the standard error of their mean, a number: their standard deviation, with n - 1 in the denominator, divided "
    "by the root of n.",
)
def test_the_standard_error_from_measurements(lecture):
    right = "def my_standard_error(x):\n    return math.sqrt(((x - x.mean()) ** 2).sum() / (len(x) - 1) / len(x))"
    lecture.run(right)
    assert lecture.exercises["my_standard_error"].state == "passed"


@claim(
    "It returns the smallest integer n, at least 1, for which the standard error of the mean of n measurements is at most error.",
)
def test_counting_measurements(lecture):
    task = lecture.exercises["my_count"]

    def first(sigma, error):
        return next(n for n in range(1, 1000) if sigma / math.sqrt(n) <= error)

    task.check(first)
    with pytest.raises(CheckError):
        task.check(lambda sigma, error: first(sigma, error) + 1)
