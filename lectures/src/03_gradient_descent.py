# ---
# title: Gradient descent
# question: How does a net find its weights?
# homework: hw1
# ---

# %% [markdown]
# After this lecture you can
#
# 1. say which way a weight must move from the sign of one slope, and compute the step;
# 2. tell, from the curvature at a minimum, which learning rates settle there and which do not.
#
# You need: derivatives of polynomials, NumPy arrays. Reading takes about 10 minutes, running a few seconds.

# %% tags=["setup"]
import matplotlib.pyplot as plt
import numpy as np

# %% [markdown]
# ## 1. A skier in fog
#
# Give a network a single weight $w$. Its loss $L(w)$ is then a curve, and training is a skier who looks for the lowest
# point in thick fog. The **slope** under the skis can be felt. Nothing else can be seen: not the valley floor, and not
# whether there is a second valley behind the hill.
#
# $$L(w) = \tfrac{1}{20}w^4 - \tfrac12 w^2 + \tfrac15 w + \tfrac32
# \qquad L'(w) = \tfrac15 w^3 - w + \tfrac15$$


# %%
def loss(w):
    return w**4 / 20 - w**2 / 2 + w / 5 + 1.5


def slope(w):
    return w**3 / 5 - w + 1 / 5


# %% [markdown]
# At $w = 1$ the slope is $-0.6$: going right leads down. At $w = -1$ it is $+1$: going left leads down. Both are the same
# rule, **move against the slope**. The step is the slope times a number that we choose, the learning rate:
#
# $$w \leftarrow w - \mathrm{lr}\, L'(w)$$


# %%
def descend(w, slope, lr, num_steps):
    """Positions of gradient descent from w, (num_steps + 1,)."""
    path = [np.float64(w)]  # overflows to inf, where a Python float would raise
    for _ in range(num_steps):
        w = path[-1]
        path.append(w - lr * slope(w))
    return np.array(path)


path = descend(1.0, slope, lr=0.3, num_steps=30)
print(f"after {len(path) - 1} steps: w = {path[-1]:.3f}, loss {loss(path[-1]):.3f}")

# %% [markdown]
# Look at two things in the picture. The dots crowd together towards the end, although the learning rate never changes: the
# slope shrinks, and the step with it. And the skier rests at $w = 2.13$ with loss $0.69$, while the other valley, at
# $w = -2.33$, goes down to $-0.21$. From inside the fog there is no sign of it.

# %%
w = np.linspace(-3.4, 3.4, 400)
fig, ax = plt.subplots(figsize=(8, 4.5), layout="constrained")
ax.plot(w, loss(w), color="black")
ax.plot(path, loss(path), "o-", color="#0072B2", markersize=7, label="30 steps from w = 1, lr = 0.3")
ax.plot(path[-1], loss(path[-1]), "*", color="#D55E00", markersize=20, label="where the skier rests")
ax.set_xlabel("weight w", fontsize=13)
ax.set_ylabel("loss L(w)", fontsize=13)
ax.tick_params(labelsize=12)
ax.legend(fontsize=12)
plt.show()

# %% [markdown]
# How large may the learning rate be? Near a minimum $w^*$ the slope is close to $L''(w^*)\,(w - w^*)$, so one step multiplies
# the distance to the minimum by $1 - \mathrm{lr}\,L''(w^*)$. It shrinks while that factor lies between $-1$ and $1$, that is
# for $\mathrm{lr} < 2 / L''(w^*)$. Here $L''(w) = \tfrac35 w^2 - 1$ is $1.72$ at the right-hand minimum, so the limit is
# $1.16$.

# %%
for lr in [0.3, 1.1, 1.3, 2.0]:
    with np.errstate(over="ignore", invalid="ignore"):  # at lr = 2 the numbers leave the range of floats
        last = descend(1.0, slope, lr, num_steps=1000)[-4:]
    print(f"lr = {lr}: the last four positions are {np.round(last, 3)}")

# %% [markdown]
# At 0.3 and 1.1 the skier settles. At 1.3 it jumps between two points for ever. At 2.0 it has left the mountains: `nan` is
# what remains when an overflow is subtracted from an overflow.
#
# ## In short
#
# - The gradient is local. It tells which way is down here, and nothing about the next valley.
# - A step is the slope times the learning rate, so steps shrink by themselves as the ground levels out.
# - Near a minimum of curvature $c$, learning rates below $2/c$ settle and larger ones do not.
#
# Source: Goodfellow, Bengio and Courville (2016), *Deep Learning*, section 4.3. The skier is from George Chen's lecture
# on learning a deep net (CMU 95-865).
