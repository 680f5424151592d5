# %% [raw]
# # ASSIGNMENT CONFIG
# name: hw0_training
# tests:
#     ok_format: false

# %% [markdown]
# # Sample homework that trains
#
# A master for benchmarks: its first question trains a network for some seconds.

# %%
import numpy as np
import torch
from torch import nn

rng = np.random.default_rng(0)
x = torch.from_numpy(rng.normal(size=(4000, 8)).astype(np.float32))
y = (x[:, 0] * x[:, 1] > 0).long()

# %% [raw]
# # BEGIN QUESTION
# name: q1
# points: 3

# %% [markdown]
# ## Question 1. A network that multiplies
# *3 points · 10 minutes · difficulty 1 of 3 · draws on lecture 03, Multilayer perceptrons*
# <!-- time limit: 60 s -->
#
# Train `network` until it tells whether the first two features of an example have the same sign.

# %% [raw]
# # BEGIN SOLUTION


# %%
def train(steps, batch_size=256):
    """A network after so many steps of SGD."""
    # BEGIN SOLUTION
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(8, 256), nn.ReLU(), nn.Linear(256, 128), nn.ReLU(), nn.Linear(128, 2))
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1, momentum=0.9)
    for _ in range(steps):
        batch = torch.randint(len(x), (batch_size,))
        loss = nn.functional.cross_entropy(network(x[batch]), y[batch])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return network
    # END SOLUTION


network = train(steps=1500)

# %% [raw]
# # END SOLUTION

# %% [raw]
# # BEGIN TESTS


# %%
""" # BEGIN TEST CONFIG
name: shape of the logits
points: 1
failure_message: one row of two logits for each example
"""  # END TEST CONFIG


def test_shape_of_the_logits(network):
    import torch

    from dlcourse import check

    check.shape(network(torch.zeros(5, 8)), (5, 2))


# %%
""" # BEGIN TEST CONFIG
name: examples never seen
points: 2
hidden: true
failure_message: does the loss still fall when you stop?
"""  # END TEST CONFIG


def test_examples_never_seen(network):
    import torch

    from dlcourse import check

    drawn = torch.from_numpy(check.rng(48131).normal(size=(2000, 8))).float()
    logits = network(drawn)
    check.shape(logits, (2000, 2))
    hits = (logits.argmax(dim=1) == (drawn[:, 0] * drawn[:, 1] > 0)).float().mean().item()
    if hits < 0.85:
        raise check.CheckError("value", f"the accuracy is {hits:.3f}, below 0.85")


# %% [raw]
# # END TESTS

# %% [raw]
# # END QUESTION
