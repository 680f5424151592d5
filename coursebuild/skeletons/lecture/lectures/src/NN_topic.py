# ---
# title: {{title}}
# question: How close does the mean of some measurements come to the true value?
# ---

# %% [markdown]
# After this lecture you can
#
# 1. say how far the mean of $n$ measurements lies from the true value;
# 2. take one more measurement into a mean, without keeping the earlier ones;
# 3. tell the standard deviation of measurements from the standard error of their mean, and say how many measurements a wanted
#    standard error takes.
#
# **You need** the mean, the standard deviation, and NumPy. **Time**: about twenty minutes, half of them for the exercises.

# %% tags=["setup"]
import math

import numpy as np

from dlcourse import check
from dlcourse.exercise import exercise
from dlcourse.live import OKABE_ITO, Integer, LiveFigure, Slider
from dlcourse.predict import predict, predict_number

# %% [markdown]
# ## A stone on a balance
#
# A stone weighs 50 g. A balance shows something else each time: the true value plus noise. The noise has the mean zero and the
# standard deviation $\sigma$, which is 2 g for this balance. These are the first five measurements of one person:

# %%
TRUTH = 50.0  # g
noise = np.random.default_rng(0).standard_normal((200, 400))  # (people, measurements), in units of sigma

(TRUTH + 2.0 * noise[0, :5]).round(1)

# %% tags=["folded"]
predict(
    "One measurement has a standard deviation of 2 g. How many measurements must a mean be taken of, so that the mean has one of 1 g?",
    choices={
        "2, since half the error takes twice as many": "The mean of 2 measurements has a standard deviation of 1.41 g.",
        "4, since the root of 4 is 2": True,
        "8, since the errors add up": "The mean of 8 measurements has a standard deviation of 0.71 g.",
    },
    because="The mean of n measurements has the standard deviation sigma / sqrt(n), and sqrt(4) is 2.",
)

# %% [markdown]
# Each of 200 people takes the mean of their own first $n$ measurements. A dot in the figure is one person's mean. The dashed lines
# stand at a distance of $\sigma / \sqrt n$ from the true value.
#
# Raise $n$ until the dashed lines are 1 g away from the true value. Then double $\sigma$, and bring the lines back to where they
# were.


# %% tags=["folded"]
def means_figure():
    # Refutes: "twice as many measurements halve the error".
    fig = LiveFigure("The means of 200 people", xlabel="mean of n measurements (g)", ylabel="person")
    fig.ax.set(xlim=(TRUTH - 13, TRUTH + 13), ylim=(0, 201))
    fig.ax.axvline(TRUTH, color="black", ls="-")
    dashed = {"color": OKABE_ITO["red"], "ls": "--"}
    dots, low, high = fig.animate(
        fig.ax.plot([], [], ".")[0], fig.ax.axvline(TRUTH, **dashed), fig.ax.axvline(TRUTH, **dashed)
    )

    @fig.control(
        n=Integer(1, 100, value=1, label="measurements n"),
        sigma=Slider(0.5, 4.0, value=2.0, step=0.5, label="sigma (g)"),
    )
    def _(n, sigma):
        means, distance = TRUTH + sigma * noise[:, :n].mean(axis=1), sigma / math.sqrt(n)
        dots.set_data(means, np.arange(1, len(means) + 1))
        low.set_xdata([TRUTH - distance, TRUTH - distance])
        high.set_xdata([TRUTH + distance, TRUTH + distance])
        inside = np.sum(np.abs(means - TRUTH) < distance)
        return (
            f"n = {n}, sigma = {sigma:.1f} g: the lines are {distance:.2f} g away, and {inside} of 200 means lie between them. "
            f"The standard deviation of the means is {means.std():.2f} g."
        )

    return fig


means = means_figure()
means

# %% [markdown]
# The lines are 1 g away at $n = 4$. With twice the $\sigma$ it takes 16 measurements.
#
# Why the root? The variances of independent errors add up, so the sum of $n$ measurements has the variance $n \sigma^2$. The mean
# is that sum divided by $n$, and dividing by $n$ divides the variance by $n^2$:
#
# $$\operatorname{Var}\Bigl(\frac1n \sum_{i=1}^n x_i\Bigr) = \frac{n \sigma^2}{n^2} = \frac{\sigma^2}{n}$$
#
# The root of this variance, $\sigma / \sqrt n$, is called the **standard error** of the mean. About two thirds of the means lie
# within one standard error of the true value.

# %% [markdown]
# ## A mean that is kept up to date

# %% tags=["folded"]
predict_number(
    "Nine measurements have the mean 50 g. The tenth is 60 g. What is the mean of all ten, in grams?",
    answer=51.0,
    tolerance=0.01,
    hints=[
        (54.9, 55.1, "That is halfway, but 50 g stand for nine measurements and 60 g for one."),
        (51.1, 51.12, "That divides the difference by nine, and now there are ten measurements."),
    ],
    because="The tenth measurement moves the mean by a tenth of the difference: 50 + (60 - 50) / 10 is 51.",
)

# %% [markdown]
# Whoever knows the mean of the first $n$ numbers, and $n$, needs none of the numbers themselves to take in the next one.
#
# **Your turn.** Write `my_update(mean, n, x)`. It gets `mean`, the mean of `n` numbers, the count `n` (an integer, 0 or larger) and
# `x`, one more number. It returns the mean of all `n + 1` numbers. For `n = 0` there is no mean yet: `mean` is 0.0 then, and the
# result is `x`.


# %%
def my_update(mean, n, x):
    """Mean of n + 1 numbers, from the mean of the first n and the last one."""
    raise NotImplementedError("replace this line")


# %% tags=["folded"]
def update_solution(mean, n, x):
    return mean + (x - mean) / (n + 1)


@exercise("Update a mean", uses="my_update", minutes=4, difficulty=1, solution=update_solution)
def update_turn(my_update):
    rng = np.random.default_rng(1)
    for n in (3, 1, 7, 30, 0):
        old, x = rng.normal(50.0, 2.0, size=n), float(rng.normal(50.0, 9.0))
        mean = float(old.mean()) if n else 0.0
        check.close(
            my_update(mean, n, x),
            float(np.mean([*old, x])),
            name=f"my_update({mean:.3g}, {n}, {x:.3g})",
            mistakes={
                "This is halfway, but mean stands for n numbers and x for one.": (mean + x) / 2,
                "This divides by n, and there are n + 1 numbers now.": mean + (x - mean) / max(n, 1),
                "This is the sum of all numbers; their mean is asked.": mean * n + x,
                "This is the old mean: x is one of the numbers now.": mean,
                "This is x alone: the n numbers before it count too.": x,
                "The shares are swapped: mean stands for n numbers, x for one.": (mean + n * x) / (n + 1),
            },
        )


update_turn

# %%
update = update_turn.function  # yours once it passes its check, the folded solution until then

# %% [markdown]
# Starting from nothing, it gives the mean after each measurement. The last line compares it with NumPy's mean of all measurements so
# far.


# %%
def running_means(numbers):
    """The mean after each of the numbers, (N,)."""
    mean, found = 0.0, []
    for n, x in enumerate(numbers):
        mean = update(mean, n, x)
        found.append(mean)
    return np.array(found)


measured = TRUTH + 2.0 * noise[0, :100]
np.abs(running_means(measured) - [measured[: n + 1].mean() for n in range(100)]).max()

# %% [markdown]
# ## Two spreads

# %% tags=["folded"]
predict(
    "Instead of 100 measurements you take 400. What becomes about half as large?",
    choices={
        "the standard deviation of the measurements": "It belongs to the balance, and that has not changed.",
        "the standard error of their mean": True,
        "both": "The standard deviation of the measurements stays about 2 g: it belongs to the balance.",
    },
    because="The standard error is sigma / sqrt(n), and sqrt(400) is twice sqrt(100).",
)


# %%
def spreads(x):
    """Standard deviation of measurements x (n,), and the standard error of their mean."""
    return x.std(ddof=1), x.std(ddof=1) / math.sqrt(len(x))


for n in (100, 400):
    deviation, error = spreads(TRUTH + 2.0 * noise[0, :n])
    print(f"{n} measurements: standard deviation {deviation:.2f} g, standard error {error:.3f} g")

# %% [markdown]
# ## Exercises
#
# **Find the fault.** `my_standard_error(x)` gets measurements `x`, an array of shape (n,) with n at least 2. It should return the
# standard error of their mean, a number: their standard deviation, with n - 1 in the denominator, divided by the root of n. It must not
# change `x`. The version below is wrong in one place.


# %%
def my_standard_error(x):
    return x.std(ddof=1) / len(x)


# %% tags=["folded"]
@exercise("Find the fault", uses="my_standard_error", minutes=3, difficulty=1)
def fault(my_standard_error):
    rng = np.random.default_rng(2)
    for n in (9, 50, 2):
        x = rng.normal(50.0, 2.0, size=n)
        deviation, root = float(x.std(ddof=1)), math.sqrt(n)
        expected = deviation / root
        mistakes = {
            "This divides by n, not by its root.": deviation / n,
            "This is the standard deviation of the measurements; that of their mean is asked.": deviation,
            "The standard deviation has n in its denominator here, not n - 1.": float(x.std()) / root,
            "This is the variance of the mean; its root is asked.": deviation**2 / n,
            "The n - 1 is there twice, in both denominators.": deviation / math.sqrt(n - 1),
        }
        with check.unchanged(x=x):
            got = my_standard_error(x)
        check.close(got, expected, name=f"the standard error of {n} measurements", mistakes=mistakes)


fault

# %% [markdown]
# <details><summary>Solution</summary>
#
# ```python
# def my_standard_error(x):
#     return x.std(ddof=1) / math.sqrt(len(x))
# ```
# </details>
#
# **How many measurements?** Write `my_count(sigma, error)`. It gets the standard deviation `sigma` of one measurement and a wanted
# standard error `error`, both positive. It returns the smallest integer n, at least 1, for which the standard error of the mean of n
# measurements is at most `error`.


# %%
def my_count(sigma, error):
    """Smallest number of measurements whose mean has at most this standard error."""
    raise NotImplementedError("replace this line")


# %% tags=["folded"]
@exercise("How many measurements", uses="my_count", minutes=3, difficulty=1)
def counting(my_count):
    rng = np.random.default_rng(3)
    drawn = [(2.0, 2.0 / math.sqrt(n - 0.5)) for n in rng.integers(5, 200, size=3)]
    for sigma, error in [(3.0, 1.25), (1.0, 0.375), (2.0, 1.0), (0.5, 1.0), *drawn]:
        ratio = sigma / error
        known = {
            "This is sigma / error, not its square.": ratio,
            "Only error is squared here; the ratio sigma / error must be.": sigma / error**2,
            "Only sigma is squared here; the ratio sigma / error must be.": sigma**2 / error,
            "This is the ratio the wrong way round: a smaller error takes more.": 1 / ratio**2,
        }
        mistakes = {hint: math.ceil(value) for hint, value in known.items()}
        mistakes["With so few the standard error is larger than wanted: round up."] = math.floor(ratio**2)
        mistakes["This is one more than it takes."] = math.floor(ratio**2) + 1
        name = f"my_count({sigma:.3g}, {error:.3g})"
        check.close(my_count(sigma, error), math.ceil(ratio**2), name=name, mistakes=mistakes)


counting

# %% [markdown]
# <details><summary>Solution</summary>
#
# ```python
# def my_count(sigma, error):
#     return math.ceil((sigma / error) ** 2)
# ```
# </details>
#
# ## In five lines
#
# - The mean of $n$ independent measurements has the standard deviation $\sigma / \sqrt n$, its standard error.
# - Half the standard error takes four times as many measurements.
# - Within one standard error of the true value lie about two thirds of the means.
# - A mean of $n$ numbers takes in one more by $n$ and its own value; the numbers themselves are not needed.
# - More measurements do not reduce the standard deviation of the measurements.
#
# **Words that were new**: standard error.
#
# **Sources**: Student (1908), *The probable error of a mean*, Biometrika. Welford (1962), *Note on a method for calculating
# corrected sums of squares and products*, Technometrics.
