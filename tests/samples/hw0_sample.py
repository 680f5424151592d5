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
# **Question 1.** The softmax of each row.

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
def test_rows_sum_to_one(softmax):
    total = softmax(np.ones((2, 3))).sum(axis=-1)
    assert (abs(total - 1) < 1e-12).all()


# %%
# HIDDEN
def test_is_stable(softmax):
    secret_probe = np.array([[1234.5, 1234.5]])
    assert abs(softmax(secret_probe)[0, 0] - 0.5) < 1e-12


# %%
""" # BEGIN TEST CONFIG
points: 1
hidden: true
"""  # END TEST CONFIG


def test_is_shift_invariant(softmax):
    shifted_by_seven_and_a_half = softmax(np.eye(3) + 7.5)
    assert (abs(shifted_by_seven_and_a_half - softmax(np.eye(3))) < 1e-12).all()


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
# **Question 2.** Why does subtracting the largest logit change nothing?

# %% [raw]
# # BEGIN SOLUTION

# %% [markdown]
# Numerator and denominator are both multiplied by exp(-max), which cancels.

# %% [raw]
# # END SOLUTION

# %% [raw]
# # END QUESTION
