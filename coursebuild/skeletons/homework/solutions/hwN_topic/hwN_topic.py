# %% [raw]
# # ASSIGNMENT CONFIG
# name: {{name}}
# tests:
#     ok_format: false

# %% [markdown]
# # Homework {{number}}: {{title}}
#
# You write one function, and explain in words what it is for.
#
# **5 points, about half an hour.** `grader.check("q1")` runs the *public* test of question 1, which is worth 1 of its 4 points. The
# other points come from **hidden tests**, which run after you hand in, on inputs that you have not seen. Each check lists what
# they are on, and they ask for nothing that the prompt does not say. Question 2 is read by a person.
#
# **Rules.** Answer in NumPy and Python's standard library. No function changes the arrays that it is given. Where the prompt asks for a
# `ValueError`, the wording is yours.
#
# **Handing in.** Save, then run the last cell, `grader.export()`. It runs the notebook from top to bottom in a fresh kernel, tells
# you what would fail, and writes the file to upload.

# %% tags=["setup"]
import numpy as np

# %% [raw]
# # BEGIN QUESTION
# name: q1
# points: 4

# %% [markdown]
# ## Question 1. Scale by the training set
#
# *4 points · 20 minutes · difficulty 1 of 3 · draws on lecture 02, The learning problem*
#
# Features are often brought to a common scale before a model is fitted. `standardize(train, x)` does so with what the training set
# alone knows: from each column of `x` it subtracts the mean that the same column has in `train`, and divides by the standard
# deviation that it has there.
#
# - `train` has the shape (N, D), `x` the shape (M, D), with N, M and D at least 1. Both are float64 and finite.
# - The standard deviation has N in its denominator, not N - 1.
# - A column that has the same value in every row of `train` has a standard deviation of 0. It is not divided by anything; its mean
#   is subtracted all the same.
# - The result is a new array of shape (M, D), float64.
# - `standardize` raises `ValueError` if `train` and `x` have different numbers of columns.

# %% [raw]
# # BEGIN SOLUTION


# %%
def standardize(train, x):
    """Columns of x, shifted and scaled by the columns of train.

    Args:
        train: (N, D) float64, finite.
        x: (M, D) float64, finite.
    Returns:
        (M, D) float64.
    Raises:
        ValueError: the numbers of columns differ.
    """
    # BEGIN SOLUTION
    if train.shape[1] != x.shape[1]:
        raise ValueError(f"train has {train.shape[1]} columns, x has {x.shape[1]}")
    spread_there = train.std(axis=0)
    divisors = np.where(spread_there == 0, 1.0, spread_there)
    return (x - train.mean(axis=0)) / divisors
    # END SOLUTION


# %% [raw]
# # END SOLUTION

# %% [raw]
# # BEGIN TESTS


# %%
""" # BEGIN TEST CONFIG
name: scaled by the training set
points: 1
failure_message: mean and standard deviation of each column of train; then x minus the one, divided by the other
"""  # END TEST CONFIG


def test_scaled_by_the_training_set(standardize):
    import numpy as np

    from dlcourse import check

    train = np.array([[1.0, 10.0], [3.0, 10.0], [5.0, 40.0]])
    x = np.array([[3.0, 20.0], [1.0, 0.0]])
    scale = np.sqrt([8 / 3, 200.0])
    expected = (x - np.array([3.0, 20.0])) / scale
    mistakes = {
        "these are the mean and the standard deviation of x; a model may use those of train alone": (x - x.mean(axis=0))
        / x.std(axis=0),
        "the standard deviation has N in its denominator, not N - 1": expected * np.sqrt(2 / 3),
        "one mean and one standard deviation for all columns; each column has its own": (x - 11.5) / train.std(),
        "this is divided by the variance; its root is asked": expected / scale,
        "the mean is not subtracted": x / scale,
    }
    with check.unchanged(train=train, x=x):
        got = standardize(train, x)
    check.close(got, expected, mistakes=mistakes)


# %%
""" # BEGIN TEST CONFIG
name: other shapes
points: 1
hidden: true
failure_message: train and x have different numbers of rows, and one row is allowed in either
"""  # END TEST CONFIG


def test_other_shapes(standardize):
    from dlcourse import check

    rng = check.rng(40417)
    for rows, others, columns in [(6, 9, 3), (40, 1, 5), (7, 2, 1)]:
        drawn = rng.normal(3.0, 2.0, size=(rows, columns))
        wanted = rng.normal(1.0, 4.0, size=(others, columns))
        goal = (wanted - drawn.sum(axis=0) / rows) / ((drawn - drawn.sum(axis=0) / rows) ** 2).mean(axis=0) ** 0.5
        from_wanted = (wanted - wanted.mean(axis=0)) / (wanted.std(axis=0) + (others == 1))
        own = {"these are the mean and the standard deviation of x; a model may use those of train alone": from_wanted}
        with check.unchanged(train=drawn, x=wanted):
            outcome = standardize(drawn, wanted)
        check.close(outcome, goal, mistakes=own)


# %%
""" # BEGIN TEST CONFIG
name: columns with one value
points: 1
hidden: true
failure_message: where the standard deviation of a column is 0, subtract its mean and divide by nothing
"""  # END TEST CONFIG


def test_columns_with_one_value(standardize):
    import numpy as np

    from dlcourse import check

    rng = check.rng(40418)
    still = float(rng.integers(2, 9))
    flat = np.column_stack([np.full(4, still), [0.0, 2.0, 0.0, 2.0]])
    moved = np.array([[still + 3.0, 3.0], [still, 1.0]])
    goal = np.array([[3.0, 2.0], [0.0, 0.0]])
    dropped = {"the column with one value is 0 here, though x differs from it": goal * [0.0, 1.0]}
    check.close(standardize(flat, moved), goal, mistakes=dropped)
    one_row = np.array([[still, 1.0]])
    check.close(standardize(one_row, moved), moved - [still, 1.0], name="with one row to scale by, the result")


# %%
""" # BEGIN TEST CONFIG
name: numbers of columns
points: 1
hidden: true
failure_message: different numbers of columns are a ValueError, also where NumPy would stretch one of them
"""  # END TEST CONFIG


def test_numbers_of_columns(standardize):
    import numpy as np

    from dlcourse import check

    rng = check.rng(40419)
    for first, second in [((5, 3), (4, 2)), ((5, 1), (4, 3)), ((5, 3), (4, 1))]:
        check.raises(ValueError, standardize, rng.normal(size=first), rng.normal(size=second), name="standardize")
    check.shape(standardize(np.eye(3), np.ones((2, 3))), (2, 3))


# %% [raw]
# # END TESTS

# %% [raw]
# # END QUESTION

# %% [raw]
# # BEGIN QUESTION
# name: q2
# manual: true
# points: 1

# %% [markdown]
# ## Question 2. Why not all rows?
#
# *1 point · 10 minutes · difficulty 1 of 3 · draws on question 1*
#
# Someone computes mean and standard deviation from training and test rows together, scales both, and then measures the error on
# the test rows. What is wrong with that, and in which direction can the measured error be off? Two sentences are enough.

# %% [raw]
# # BEGIN SOLUTION

# %% [markdown]
# The fitted model has then used the test rows, so its error on them no longer stands for its error on rows that it has never met. It
# can come out too small.

# %% [raw]
# # END SOLUTION

# %% [raw]
# # END QUESTION
