# %% [raw]
# # ASSIGNMENT CONFIG
# name: hw0
# tests:
#     ok_format: false

# %% [markdown]
# # Sample homework
#
# A master that the tests of the course's tools use.

# %%
import numpy as np

# %% [raw]
# # BEGIN QUESTION
# name: q1
# points: 2

# %% [markdown]
# ## Question 1. Softmax
# *2 points · 10 minutes · difficulty 1 of 3 · draws on lecture 02, Softmax regression*
# <!-- time limit: 5 s -->
#
# The softmax of each row, and the temperature that you would take.

# %% [raw]
# # BEGIN SOLUTION


# %%
def softmax(logits):
    """Probabilities of each row, (N, K)."""
    # BEGIN SOLUTION
    shifted_for_safety = logits - logits.max(axis=-1, keepdims=True)
    exponentials = np.exp(shifted_for_safety)
    return exponentials / exponentials.sum(axis=-1, keepdims=True)
    # END SOLUTION


temperature_of_choice = 0.731  # SOLUTION

# %% [raw]
# # END SOLUTION

# %% [raw]
# # BEGIN TESTS


# %%
""" # BEGIN TEST CONFIG
name: rows sum to one
points: 0.5
failure_message: what do you divide by, and along which axis?
"""  # END TEST CONFIG


def test_rows_sum_to_one(softmax):
    import numpy as np

    from dlcourse import check

    # Zeros, so that every entry must be the same.
    total = softmax(np.zeros((2, 3))).sum(axis=-1)
    check.close(total, np.ones(2), mistakes={"the columns sum to one, the rows do not": np.full(2, 1.5)})


# %%
""" # BEGIN TEST CONFIG
name: large logits
points: 0.5
hidden: true
failure_message: what does exp give for a large number?
"""  # END TEST CONFIG


def test_is_stable(softmax):
    import numpy as np

    from dlcourse import check

    secret_probe = np.array([[1234.5, 1234.5]])
    check.close(softmax(secret_probe), np.array([[0.5, 0.5]]))


# %%
""" # BEGIN TEST CONFIG
name: shape
points: 0.25
failure_message: one probability for each logit
"""  # END TEST CONFIG


def test_keeps_the_shape(softmax):
    from dlcourse import check

    check.shape(softmax(check.rng(1).normal(size=(4, 3))), (4, 3))


# %%
""" # BEGIN TEST CONFIG
name: shift invariance
points: 0.75
hidden: true
failure_message: adding one number to every logit of a row changes nothing
"""  # END TEST CONFIG


def test_is_shift_invariant(softmax):
    from dlcourse import check

    drawn = check.rng(20391).normal(size=(3, 3))
    shifted_by_seven_and_a_half = softmax(drawn + 7.5)
    check.close(shifted_by_seven_and_a_half, softmax(drawn), mistakes={"a constant was added after exp": softmax(drawn) + 7.5})


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
# ## Question 2. Why it is stable
# *1 point · 5 minutes · difficulty 2 of 3 · draws on lecture 02, Softmax regression*
#
# Why does subtracting the largest logit change nothing?

# %% [raw]
# # BEGIN SOLUTION

# %% [markdown]
# Numerator and denominator are both multiplied by exp(-max), which cancels.

# %% [raw]
# # END SOLUTION

# %% [raw]
# # END QUESTION
