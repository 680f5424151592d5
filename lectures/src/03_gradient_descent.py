# ---
# title: Gradient descent
# question: How does a net find its weights?
# homework: hw1
# ---

# %% [markdown]
# After this lecture you can
#
# 1. carry out a step of gradient descent by hand, and compute from the curvature which learning rates converge;
# 2. compute a convergence rate from the condition number, with and without momentum;
# 3. write momentum, Adam and AdamW yourself, and say what AdaGrad and RMSprop do;
# 4. choose a learning rate, a batch size or a schedule for a wanted noise floor;
# 5. train a small net on mini-batches, and read its training curve beside its validation curve;
# 6. say on which of a family of convex problems Adam, at its default settings, finds the minimum, and on which it does
#    not.
#
# **You need** derivatives, eigenvalues of symmetric matrices, NumPy. It helps to have seen softmax and cross-entropy
# (lecture 02). **Time**: two hours of reading and playing, one more for the exercises at the end; what stands after the
# summary is optional. The whole notebook runs in about half a minute. Click a slider, then use the arrow keys.

# %% tags=["setup"]
import math
import time
from functools import partial

import matplotlib as mpl
import numpy as np
import torch

from dlcourse import check, data
from dlcourse.exercise import exercise
from dlcourse.live import (
    OKABE_ITO,
    Choice,
    Function,
    Integer,
    LiveFigure,
    Slider,
    Switch,
    Trails,
    contours,
)
from dlcourse.predict import predict, predict_number
from dlcourse.progress import progress

# %% [markdown]
# ## What has to be found
#
# The net of this lecture reads handwritten digits. There are 1,797 pictures of 8 by 8 pixels, cut at random into three
# parts: 1,258 to **train** on, 269 for **validation**, which means choosing among settings, and 270 for the **test** at
# the very end. Look at them first. Which digits would you confuse?

# %%
digits = data.digits(seed=0)
SPLITS = {
    "training": (digits.x_train, digits.y_train),
    "validation": (digits.x_val, digits.y_val),
    "test": (digits.x_test, digits.y_test),
}


def tiles(pictures, rows, columns):
    """One picture made of many: pictures (rows * columns, 8, 8), with a border of one pixel between them."""
    padded = np.pad(pictures.reshape(rows, columns, 8, 8), ((0, 0), (0, 0), (1, 0), (1, 0)))
    return padded.transpose(0, 2, 1, 3).reshape(rows * 9, columns * 9)


# %% tags=["folded"]
def data_figure():
    # Refutes: "all pictures of one digit look alike", and "the validation pictures are of another kind".
    fig = LiveFigure("The pictures", size=(700, 280))
    fig.ax.set(xticks=[], yticks=[])
    fig.ax.spines[:].set_visible(False)
    mosaic = fig.animate(fig.ax.imshow(np.zeros((27, 72)), cmap="gray_r", vmin=0, vmax=1))

    @fig.control(part=Choice(SPLITS, label="part"), digit=Integer(0, 9, value=0))
    def _(part, digit):
        x, y = part
        chosen = x[y == digit]
        shown = np.zeros((24, 64))
        shown[: len(chosen)] = chosen[:24]
        mosaic.set_data(tiles(shown, 3, 8))
        return f"{len(chosen)} of these {len(y)} pictures show a {digit}. Here are the first {min(24, len(chosen))}."

    return fig


pictures = data_figure()
pictures

# %% [markdown]
# The net has 64 inputs, one for each pixel, then 32 hidden units, then ten outputs, one for each digit:
#
# $$\mathbf{h} = \max(\mathbf{0},\; \mathbf{W}_1 \mathbf{x} + \mathbf{b}_1) \qquad
# \mathbf{z} = \mathbf{W}_2 \mathbf{h} + \mathbf{b}_2$$
#
# Unit $j$ of the hidden layer weighs the 64 pixels, adds a bias, and is set to zero where that is negative (**ReLU**).
# The outputs $\mathbf{z}$ are scores, and the largest score is the net's answer. Together that makes
# $64 \cdot 32 + 32 + 32 \cdot 10 + 10 = 2410$ numbers. All of them are called **weights** here, and we keep them in one
# long vector $\theta$. At first they are drawn at random.
#
# How wrong a net is on one picture is measured by the **loss** $L$, the cross-entropy of lecture 02: minus the
# logarithm of the probability that the net gives to the true digit. The **cost** $J(\theta)$ is the mean of the losses
# over all training pictures. A net that gives every digit a tenth has a cost of $\log 10 = 2.303$. **Training** means
# finding a $\theta$ of low cost.


# %%
SHAPES = [(32, 64), (32,), (10, 32), (10,)]


def layers(theta):
    """W1 (32, 64), b1 (32,), W2 (10, 32), b2 (10,), cut out of theta (2410,)."""
    parts, start = [], 0
    for shape in SHAPES:
        size = math.prod(shape)
        parts.append(theta[start : start + size].reshape(shape))
        start += size
    return parts


def random_weights(rng):
    """Normal numbers of variance 2 / inputs (He et al., 2015), biases 0."""
    W1, W2 = rng.normal(0, np.sqrt(2 / 64), (32, 64)), rng.normal(0, np.sqrt(2 / 32), (10, 32))
    return np.concatenate([W1.ravel(), np.zeros(32), W2.ravel(), np.zeros(10)])


def net_scores(theta, x):
    W1, b1, W2, b2 = layers(theta)
    hidden = np.maximum(x @ W1.T + b1, 0)  # (N, 32)
    return hidden @ W2.T + b2  # (N, 10)


def net_cost(theta, x, y):
    """Mean cross-entropy of the net on pictures x (N, 64) with labels y (N,)."""
    z = net_scores(theta, x)
    z -= z.max(axis=1, keepdims=True)
    return np.mean(np.log(np.exp(z).sum(axis=1)) - z[np.arange(len(y)), y])


def net_accuracy(theta, x, y):
    return np.mean(net_scores(theta, x).argmax(axis=1) == y)


theta_0 = random_weights(np.random.default_rng(0))
print(f"random weights: cost {net_cost(theta_0, digits.x_train, digits.y_train):.3f}, ", end="")
print(f"{net_accuracy(theta_0, digits.x_val, digits.y_val):.0%} of the validation pictures right")

# %% [markdown]
# Now train by hand. Pick one of the 2,410 weights and move it; the other 2,409 stay as they are. How low can you bring
# the cost? Try weights below 2,048, which belong to pixels, and some above 2,080, which belong to outputs. Is there a
# weight that changes nothing?


# %% tags=["folded"]
def one_weight_figure():
    # Refutes: "a net can be trained by setting one weight after the other", and "each weight matters".
    fig = LiveFigure("One weight of 2,410", xlabel="value of this weight", ylabel="cost")
    fig.ax.set(xlim=(-3.1, 3.1), ylim=(2.2, 2.6))
    values = np.linspace(-3, 3, 21)
    curve, before, now = fig.animate(
        fig.ax.plot([], [], color="black", ls="-")[0],
        fig.ax.plot([], [], "s", ms=9, label="the random value")[0],
        fig.ax.plot([], [], "o", ms=12, label="your value")[0],
    )
    fig.ax.legend(loc="upper center")
    drawn = {}

    def cost_at(weight, value):
        theta = theta_0.copy()
        theta[weight] = value
        return net_cost(theta, digits.x_train, digits.y_train)

    @fig.control(
        weight=Integer(0, 2409, value=1308, label="number of the weight"),
        value=Slider(-3, 3, value=0.5, step=0.05),
    )
    def _(weight, value):
        if drawn.get("weight") != weight:
            drawn.update(weight=weight, costs=[cost_at(weight, v) for v in values])
        cost, first = cost_at(weight, value), cost_at(weight, theta_0[weight])
        curve.set_data(values, drawn["costs"])
        before.set_data([theta_0[weight]], [first])
        now.set_data([value], [cost])
        above = " Part of the curve is above the picture." if max(drawn["costs"]) > 2.6 else ""
        return (
            f"Weight {weight} was {theta_0[weight]:+.3f}, with a cost of {first:.4f}; at {value:+.2f} the cost is {cost:.4f}, "
            f"a change of {cost - first:+.4f}.{above}"
        )

    return fig


one_weight = one_weight_figure()
one_weight

# %% [markdown]
# Weight 0 changes nothing: it belongs to the pixel at the top left, which is white in every training picture. Other
# weights change the cost a little. Each of them has a curve like the one in the figure, and at its present value that
# curve has a slope, which says in which direction the cost falls.
#
# ## One weight: slope and learning rate
#
# To see what to do with a slope, we take one weight and a curve that is simple enough to compute with. Imagine the
# weight as a skier in thick fog who looks for the lowest point. The slope under the skis can be felt, and nothing else
# can be seen.
#
# $$L(w) = \tfrac{1}{20}w^4 - \tfrac12 w^2 + \tfrac15 w + \tfrac32
# \qquad L'(w) = \tfrac15 w^3 - w + \tfrac15$$
#
# At $w = 2$ the slope is $L'(2) = 1.6 - 2 + 0.2 = -0.2$. It is negative, so the curve goes down to the right. At
# $w = 3$ it is $5.4 - 3 + 0.2 = 2.6$, and the curve goes down to the left. In both cases *down* is **against the
# slope**. The step of **gradient descent** is as long as the slope times a number that we choose, the **learning rate**
# lr:
#
# $$w \leftarrow w - \mathrm{lr}\, L'(w)$$
#
# With lr = 0.3 one step leads from 2 to $2 + 0.3 \cdot 0.2 = 2.06$, and from 3 to $3 - 0.3 \cdot 2.6 = 2.22$.


# %%
def loss(w):
    return w**4 / 20 - w**2 / 2 + w / 5 + 1.5


def slope(w):
    return w**3 / 5 - w + 1 / 5


def descend(w, slope, lr, num_steps):
    """Positions of gradient descent from w, (num_steps + 1,); one more axis for many w or lr."""
    path = [np.asarray(w, dtype=float) * np.ones_like(lr)]  # one skier for each learning rate
    for _ in range(num_steps):
        path.append(path[-1] - lr * slope(path[-1]))
    return np.array(path)


# %% tags=["folded"]
predict(
    "The curve has a high valley on the right, a hill at w = 0.20 and a lower valley on the left. The skier starts at w = 1 "
    "with lr = 0.3 and takes 30 steps. Where does it come to rest?",
    choices={
        "at w = -2.33, the lowest point of all": "The slope at 1 is -0.6, so the first step goes right, and so do the next. "
        "The skier feels the slope where it stands, and no slope on this side of the hill leads over it.",
        "at w = 0.20, on top of the hill": "The slope is zero there, but at w = 1 it points away from the hill.",
        "at w = 2.13, in the right-hand valley": True,
    },
    because="The loss there is 0.69, and in the other valley it would be -0.21. The slope at one place says nothing about other valleys.",
    then=lambda: float(descend(1.0, slope, lr=0.3, num_steps=30)[-1]),
)

# %% [markdown]
# Here is the whole run. On the left are the skier's first 40 steps. On the right is where it ends, **for every learning
# rate at once**: the last 60 of 400 positions, from the same start. One dot above a learning rate means that the run
# **converges**, two that it jumps to and fro between two places, many that it wanders, and none that it **diverges**:
# the numbers overflow. Find three values before you read on:
#
# 1. at lr = 0.3, the start at which the skier first ends in the *other* valley;
# 2. from start 1, the learning rate above which it steps over the minimum more than once on its way (the readout
#    counts);
# 3. from start 1, the learning rate above which it no longer converges.


# %%
def describe_end(path, loss=loss):
    """Where a run ends, in words."""
    last = path[-60:]
    if not (np.abs(last) < 1e6).all():
        return "It diverges: the numbers overflow."
    places = np.unique(np.round(last, 2))
    if np.ptp(last) < 0.02:
        return f"It converges to w = {last[-1]:.2f}, where the loss is {loss(last[-1]):.2f}."
    if len(places) <= 8:
        listed = ", ".join(f"{place:.2f}" for place in places)
        return f"It does not converge: it visits {len(places)} places in turn, {listed}."
    return f"It does not converge: it wanders between {places.min():.2f} and {places.max():.2f}."


def crossings(path):
    """How often a run steps over the place where it ends, in 20 steps; rounding errors do not count."""
    off = path[:21] - path[-1]
    side = np.sign(np.where(np.abs(off) > 1e-6, off, 0))
    return int((side[1:] * side[:-1] < 0).sum())


# %% tags=["folded"]
def run_figure():
    # Refutes: "a larger learning rate only gets there sooner".
    fig = LiveFigure("A whole run", size=(900, 400))
    w = np.linspace(-3.6, 3.6, 400)
    left, right = fig.subplots(1, 2)
    left.plot(w, loss(w), color="black")
    left.set(xlabel="weight w", ylabel="loss L(w)", ylim=(-0.6, 3.2))
    right.set(xlabel="learning rate lr", ylabel="where it ends, w", xlim=(0.02, 2.0), ylim=(-4, 4))
    all_lrs = np.linspace(0.02, 2.0, 300)
    steps, ends, here = fig.animate(
        left.plot([], [], "o-", lw=1.2)[0],
        right.plot([], [], ".", ms=2, color="black")[0],
        right.axvline(0, ls="-"),
    )

    @fig.control(
        start=Slider(-3.2, 3.2, value=-2.6, step=0.05),
        lr=Slider(0.02, 2.0, value=0.1, step=0.02, label="learning rate lr"),
    )
    def _(start, lr):
        with np.errstate(over="ignore", invalid="ignore"):  # large learning rates overflow
            path = descend(start, slope, lr, 400)
            last = descend(start, slope, all_lrs, 400)[-60:]
        shown = np.where(np.abs(path[:40]) < 3.6, path[:40], np.nan)
        steps.set_data(shown, loss(shown))
        ends.set_data(np.broadcast_to(all_lrs, last.shape).ravel(), last.ravel())
        here.set_xdata([lr, lr])
        text = describe_end(path)
        if "converges" in text:
            text += f" In 20 steps it steps over that place {crossings(path)} times."
        outside = int(np.isnan(shown).sum())
        return text + (f" {outside} of the first 40 positions are outside the picture." if outside else "")

    return fig


run = run_figure()
run

# %% [markdown]
# The three values are 0.20, the top of the hill; about 0.6; and 1.16. The last one follows from how fast the slope
# changes, the **curvature** $L''(w) = \tfrac35 w^2 - 1$, which is 1.72 at the right-hand minimum. Close to a minimum
# $w^*$ the slope is nearly $L''(w^*)\,(w - w^*)$. One step therefore multiplies the distance to the minimum by a fixed
# factor:
#
# $$w_{t+1} - w^* \approx \bigl(1 - \mathrm{lr}\,L''(w^*)\bigr)\,(w_t - w^*)$$
#
# The distance shrinks while that factor lies between $-1$ and $1$. It is negative above $\mathrm{lr} = 1/1.72 = 0.58$,
# and each step then lands on the other side. It falls below $-1$ above $\mathrm{lr} = 2/1.72 = 1.16$. The absolute
# value of the factor is the **convergence rate**: at a rate of 0.9, a tenth of the distance goes with each step.
#
# This holds near the minimum. Further out the curve is steeper: from $w = 3$ with lr = 1.1 the first step leads across
# the hill into the left-hand valley, and there the run does not converge.

# %% tags=["folded"]
predict_number(
    "In the left-hand valley the curvature is 2.26. Above which learning rate does the skier no longer converge there?",
    answer=2 / 2.26,
    tolerance=0.01,
    hints=[
        (
            0.43,
            0.455,
            "That is 1 / 2.26, where it starts to step over the minimum. It still converges there.",
        ),
        (1.1, 1.2, "That is the limit of the right-hand valley, with its curvature of 1.72."),
        (2.2, 2.3, "That is the curvature itself."),
    ],
    because="It is 2 / 2.26 = 0.885, where the factor 1 - lr * curvature reaches -1.",
    then=lambda: " ".join(
        f"At lr {lr}: {describe_end(descend(-2.0, slope, lr, 2000))}" for lr in (0.88, 0.90)
    ),
)

# %% [markdown]
# ## Many weights: the gradient
#
# A net has one such slope for each weight. The vector of all slopes is the **gradient**
# $\mathbf{g} = \nabla J(\theta)$, and the step is the same as before, for all weights at once:
# $\theta \leftarrow \theta - \mathrm{lr}\,\mathbf{g}$. Here we let torch compute the gradient; lecture 05 shows how
# that is done. (A cost is called **convex** when the straight line between two points of its graph is nowhere below the
# graph. A bowl is convex, the skier's curve is not.)


# %%
def net_gradient(theta, x, y):
    """Gradient of net_cost, (2410,), by torch's automatic differentiation."""
    t = torch.tensor(theta, requires_grad=True)
    W1, b1, W2, b2 = layers(t)
    z = torch.relu(torch.from_numpy(x) @ W1.T + b1) @ W2.T + b2
    torch.nn.functional.cross_entropy(z, torch.from_numpy(y)).backward()
    return t.grad.numpy()


gradient_0 = net_gradient(theta_0, digits.x_train, digits.y_train)  # by automatic differentiation
h = 1e-6 * np.eye(1, 2410, 1308)[0]  # and the slope of weight 1308 by two costs
slope_1308 = np.diff([net_cost(theta_0 + s * h, digits.x_train, digits.y_train) for s in (-1, 1)])[0] / 2e-6
print(f"slope of weight 1308: {gradient_0[1308]:.7f} in the gradient, {slope_1308:.7f} from two costs")

# %% tags=["folded"]
predict(
    "With random weights the cost is 2.321. Setting the best single weight to its best value between -3 and 3 brings it to 2.241. One step of gradient descent "
    "with lr = 0.5 may move all 2,410 weights, and moves none by more than 0.05. What does it reach?",
    choices={
        "about 2.32: moves that small change nothing": "Each move changes the cost a little, and none of these changes is upwards, so they add up.",
        "about 2.28, less than the best single weight does": "A single weight has one slope to use. The step uses all of them.",
        "about 2.19, more than the best single weight does": True,
    },
    because="The step moves each weight in the direction in which the cost falls, so the changes add up.",
    then=lambda: (
        f"after one step: {net_cost(theta_0 - 0.5 * gradient_0, digits.x_train, digits.y_train):.3f}, "
        f"largest move of a weight {np.abs(0.5 * gradient_0).max():.3f}"
    ),
)

# %% [markdown]
# Every rule of this lecture has the same form: weights and gradient in, new weights out, and a dictionary `state` in
# which it may remember things between steps.


# %%
def sgd(w, g, state, lr):
    return w - lr * g


def optimize(step, grad, w, num_steps, lr):
    """Positions of an optimizer, (num_steps + 1, ...), from w of shape (...)."""
    state, path = {}, [np.asarray(w, dtype=float)]
    for _ in range(num_steps):
        path.append(np.array(step(path[-1].copy(), grad(path[-1]), state, lr)))  # in-place rules too
    return np.array(path)


# %% [markdown]
# ## Which learning rates converge, and how fast?
#
# Near a minimum, a smooth cost is nearly a quadratic,
# $J(\mathbf{w}) = \tfrac12 \mathbf{w}^\top \mathbf{A}\,\mathbf{w}$, with a symmetric matrix $\mathbf{A}$ (the
# **Hessian**). Take an example in two weights, $J = \tfrac12 (w_1^2 + 50\,w_2^2)$. It is a narrow valley: along $w_1$
# the curvature is 1, across it, along $w_2$, it is 50. The gradient is $(w_1, 50\,w_2)$, so each weight moves by
# itself:
#
# $$w_1 \leftarrow (1 - \mathrm{lr})\, w_1 \qquad w_2 \leftarrow (1 - 50\,\mathrm{lr})\, w_2$$
#
# With lr = 0.03 the factors are 0.97 and $-0.5$. With lr = 0.05 they are 0.95 and $-1.5$: the second weight diverges.
# In general the eigenvectors of $\mathbf{A}$ take the place of $w_1$ and $w_2$, and the eigenvalues $\lambda_i$ are the
# curvatures. Each such direction is called a **mode**.
#
# **Your turn.** Write `my_largest_lr(curvatures)`. It gets the curvatures of all modes as an array of shape (N,), all
# positive and in any order. It returns, as a number, the learning rate below which gradient descent converges in every
# mode.


# %%
def my_largest_lr(curvatures):
    raise NotImplementedError("replace this line")


# %% tags=["folded"]
def largest_lr_solution(curvatures):
    return 2 / curvatures.max()


@exercise(
    "The limit of the learning rate",
    uses="my_largest_lr",
    minutes=3,
    difficulty=1,
    solution=largest_lr_solution,
)
def largest_lr_turn(my_largest_lr):
    rng = np.random.default_rng(1)
    for n in (1, 5, 6, 9):
        c = rng.uniform(2.0, 5.0, n)
        if n > 1:  # neither the first nor the last is the largest or smallest
            c[n // 3], c[n // 2] = rng.uniform(6.0, 9.0), rng.uniform(0.2, 0.9)
        expected = 2 / c.max()
        mistakes = {
            "1 over the curvature is where it starts to step over the minimum; it still converges there.": 1
            / c.max(),
            "The flattest mode bears large steps. Which mode diverges first?": 2 / c.min(),
            "The mean curvature sets no limit: the run diverges as soon as one mode does.": 2 / c.mean(),
            "The median sets no limit: the run diverges as soon as one mode does.": 2 / np.median(c),
            "The modes do not add up: each moves by itself.": 2 / c.sum(),
            "This takes one place of the array. The curvatures come in any order.": 2 / c[0],
            "This takes one place of the array; the curvatures come in any order.": 2 / c[-1],
            "This is the limit in terms of 1 / lr: turn it over.": c.max() / 2,
        }
        with check.unchanged(curvatures=c):
            got = my_largest_lr(c)
        check.close(got, expected, name=f"my_largest_lr of {n} curvatures", mistakes=mistakes)


largest_lr_turn

# %%
largest_lr = largest_lr_turn.function  # yours once it passes, the folded solution until then
valley_curvatures = np.array([1.0, 50.0])
print(f"narrow valley: gradient descent converges below lr = {largest_lr(valley_curvatures):.3f}")
for lr in (0.039, 0.041):
    last = optimize(sgd, lambda w: valley_curvatures * w, [-4.0, 1.0], 200, lr)[-1]
    print(f"lr {lr}: after 200 steps w1 = {last[0]:.2g}, w2 = {last[1]:.2g}")

# %% [markdown]
# So the steepest mode limits the learning rate, and the flattest mode then needs many steps. The ratio of the two
# curvatures, $\kappa = \lambda_{\max} / \lambda_{\min}$, is called the **condition number**; here it is 50. The
# learning rate that serves both ends best is $2 / (\lambda_{\max} + \lambda_{\min})$. Both ends then have the factor
# $\pm(\kappa - 1)/(\kappa + 1)$, and that is the convergence rate of the whole. At $\kappa = 50$ it is 0.961, so the
# distance to the minimum falls to a tenth in 58 steps.
#
# ## Momentum: a step with a memory
#
# In the narrow valley the gradients across point to and fro, while those along all point the same way. Polyak (1964)
# added past gradients up. The sum $\mathbf{v}$, the **velocity**, cancels what changes its sign and collects what does
# not; $\beta$ says how much of it is kept:
#
# $$\mathbf{v} \leftarrow \beta\,\mathbf{v} + \mathbf{g} \qquad \mathbf{w} \leftarrow \mathbf{w} - \mathrm{lr}\,\mathbf{v}$$
#
# With $\beta = 0.9$ and a gradient of 1 at each step, $v$ is 1, then 1.9, then 2.71, and it approaches 10. With
# gradients that alternate between 1 and $-1$ it stays between $-1$ and 1.
#
# **Your turn.** Write `my_momentum(w, g, state, lr, beta)`. `w` and `g` are arrays of the same shape, or two numbers.
# `state` is a dictionary, empty at the first step; keep the velocity in it under `"v"`, where it starts from zero.
# Return the new weights. Leave `w` and `g` as they are.


# %%
def my_momentum(w, g, state, lr, beta=0.9):
    raise NotImplementedError("replace this line")


# %% tags=["folded"]
def momentum_solution(w, g, state, lr, beta=0.9):
    v = state["v"] = beta * state.get("v", 0) + g
    return w - lr * v


def steps_of(step, w, gradients, lrs, **settings):
    """The weights after each step on given gradients; what a rule is given must stay as it is."""
    state, found = {}, []
    for g, lr in zip(gradients, lrs, strict=True):
        with check.unchanged(w=w, g=g):
            w = step(w, g, state, lr, **settings)
        check.shape(w, np.shape(g), name="the new weights")
        found.append(np.array(w))
    return found


@exercise("The momentum step", uses="my_momentum", minutes=5, difficulty=1, solution=momentum_solution)
def momentum_turn(my_momentum):
    rng = np.random.default_rng(2)
    for shape, beta in [((3,), 0.5), ((2, 2), 0.9), ((4,), 0.7)]:
        w, gs, lrs = rng.normal(size=shape), rng.normal(size=(3, *shape)), [0.1, 0.1, 0.05]
        v2, v3 = beta * gs[0] + gs[1], beta * (beta * gs[0] + gs[1]) + gs[2]
        expected = [w - 0.1 * gs[0]]
        expected += [expected[0] - 0.1 * v2]
        expected += [expected[1] - 0.05 * v3]
        first, second, third = expected
        mean = (1 - beta) * gs[0]
        inside = beta * (0.1 * v2) + 0.05 * gs[2]
        mistakes_1 = {
            "The step goes against the velocity: subtract it.": w + 0.1 * gs[0],
            "v is a sum here, not a mean: g has the factor 1, not 1 - beta.": w - 0.1 * mean,
            "This looks one step ahead, as Nesterov's rule does. The step is lr times v.": w
            - 0.1 * (1 + beta) * gs[0],
        }
        mistakes_2 = {
            "This step forgets the earlier ones: keep v in state.": first - 0.1 * gs[1],
            "The past has the factor beta. Here it counts in full.": first - 0.1 * (gs[0] + gs[1]),
            "The past has the factor beta, not 1 - beta.": first - 0.1 * ((1 - beta) * gs[0] + gs[1]),
        }
        mistakes_3 = {
            "v collects gradients alone: lr multiplies it at the end, so that a new lr holds for all of v.": second
            - inside,
            "The third step must build on the second: store the new v in state, not the gradient.": second
            - 0.05 * (beta * gs[1] + gs[2]),
        }
        path = steps_of(my_momentum, w.copy(), gs.copy(), lrs, beta=beta)
        check.close(path[0], first, name="w after one step", mistakes=mistakes_1)
        check.close(path[1], second, name="w after two steps", mistakes=mistakes_2)
        check.close(path[2], third, name="w after a third step with half the lr", mistakes=mistakes_3)


momentum_turn

# %%
momentum = momentum_turn.function  # yours once it passes, the folded solution until then

# %% [markdown]
# How fast is it? In a mode of curvature $\lambda$ the position $x$ and the velocity $v$ together go through a 2 by 2
# matrix at each step:
#
# $$\begin{pmatrix} x \\ v \end{pmatrix} \leftarrow
# \begin{pmatrix} 1 - \mathrm{lr}\,\lambda & -\mathrm{lr}\,\beta \\ \lambda & \beta \end{pmatrix}
# \begin{pmatrix} x \\ v \end{pmatrix}$$
#
# Many steps are a high power of that matrix. In the long run its largest eigenvalue, in absolute value, decides: it is
# the convergence rate of this mode. Where the eigenvalues are complex numbers, the mode swings to and fro while it
# shrinks.


# %%
def rate(lam, lr, beta):
    """Convergence rate of a mode of curvature lam: 0.9 means a tenth less distance a step. Broadcasts."""
    trace, det = 1 - lr * lam + beta, beta  # the matrix's eigenvalues solve z**2 - trace z + det = 0
    root = np.sqrt(trace**2 - 4 * det + 0j)
    return np.maximum(np.abs(trace + root), np.abs(trace - root)) / 2


def measured_rate(lr, beta):
    """Mean factor a step over steps 80 to 280; the largest of 20 steps smooths the swinging out."""
    rule = partial(momentum, beta=beta)
    path = optimize(rule, lambda w: valley_curvatures * w, [1.0, 1.0], 300, lr)
    return (np.abs(path[280:300]).max(0) / np.abs(path[80:100]).max(0)) ** (1 / 200)


for lr, beta in [(0.01, 0.0), (0.039, 0.0), (0.01, 0.9), (0.05, 0.6)]:
    predicted, measured = rate(valley_curvatures, lr, beta), measured_rate(lr, beta)
    print(f"lr {lr}, beta {beta}: predicted {predicted.round(3)}, measured {measured.round(3)}")

# %% tags=["folded"]
predict(
    "The condition number grows from 100 to 400, and you choose the best lr and beta anew. How many more steps does it now take to bring the distance down to a tenth?",
    choices={
        "four times as many, with momentum and without": "That holds without momentum. With it, the number of steps grows with "
        "the square root of the condition number.",
        "without momentum four times, with momentum twice as many": True,
        "without momentum twice as many, with momentum as many as before": "Without momentum the rate is (k - 1) / (k + 1), nearly 1 - 2 / k: "
        "with four times the k, the distance to 1 is a quarter.",
    },
    because="Without momentum the rate is (k - 1) / (k + 1), with it (s - 1) / (s + 1) with s = sqrt(k): 115 steps against 11 at k = 100, 461 against 23 at k = 400.",
    then=lambda: ", ".join(
        f"k = {k}: {np.log(0.1) / np.log((k - 1) / (k + 1)):.0f} and {np.log(0.1) / np.log((k**0.5 - 1) / (k**0.5 + 1)):.0f}"
        for k in (100, 400)
    ),
)

# %% [markdown]
# On the left of the figure, 60 steps on a valley of the condition number that you set, from the corner at (1, 1). On
# the right, the number of steps in which the slowest mode falls to a tenth, for **all pairs** of learning rate and
# $\beta$ at once: dark is fast, white does not converge. The cross is your pair, and the star is the best one.
#
# Three things to try. With $\beta = 0$, raise lr until the run diverges. With lr at 1.0, raise $\beta$ until the path
# begins to swing, then further. Then drive the cross to the star, and past it.


# %%
def best_pair(kappa):
    """Best lr (in units of 1 / steepest curvature) and beta: Polyak (1964)."""
    s = np.sqrt(kappa)
    return (2 * s / (s + 1)) ** 2, ((s - 1) / (s + 1)) ** 2


def steps_to_tenth(rate):
    """Steps until the distance is a tenth; infinitely many where it does not shrink."""
    return np.log(0.1) / np.log(np.minimum(rate, 1 - 1e-12))


# %% tags=["folded"]
def modes_figure():
    # Refutes: "momentum is a larger step", and "more momentum is always faster".
    # Rival: Distill's "Why Momentum Really Works". Here the condition number moves too, the star is drawn, and the rule is the reader's.
    fig = LiveFigure("Momentum: one run, and all pairs of lr and beta", size=(900, 420))
    left, right = fig.subplots(1, 2)
    left.set(xlabel="flattest mode", ylabel="steepest mode", xlim=(-1.25, 1.25), ylim=(-1.25, 1.25))
    right.set(xlabel="lr x steepest curvature", ylabel="momentum beta", xlim=(0, 4), ylim=(-0.04, 1))
    grid_lr, grid_beta = np.meshgrid(np.linspace(0.02, 4, 90), np.linspace(0, 0.99, 60))
    turn = np.append(np.linspace(0, 2 * np.pi, 100), np.nan)
    rings, path_line, head, heat, cross, star = fig.animate(
        left.plot([], [], color="0.75", lw=1, ls="-")[0],
        left.plot([], [], ".-", lw=1.2, ms=7)[0],
        left.plot([], [], "X", ms=12, color="white", mec="black")[0],
        right.imshow(
            np.zeros((60, 90)),
            extent=(0, 4, 0, 0.99),
            origin="lower",
            aspect="auto",
            vmin=0.3,  # log10 of the steps
            vmax=3.5,
            interpolation="bilinear",
            cmap=mpl.colormaps["viridis"].with_extremes(over="white"),
        ),
        right.plot([], [], "X", ms=13, color="white", mec="black", clip_on=False)[0],
        right.plot([], [], "*", ms=20, color=OKABE_ITO["orange"], mec="black")[0],
    )
    bar = fig.figure.colorbar(heat, ax=right, ticks=[1, 2, 3], label="steps to a tenth of the distance")
    bar.set_ticklabels(["10", "100", "1000"])

    @fig.control(
        kappa=Slider(2, 1000, value=50, log=True, label="condition number"),
        lr=Slider(0.02, 4, value=1.0, step=0.02, label="learning rate lr x steepest curvature"),
        beta=Slider(0, 0.99, value=0.0, step=0.01, label="momentum beta"),
    )
    def _(kappa, lr, beta):
        curvatures = np.array([1 / kappa, 1.0])  # the steepest curvature is 1
        path = optimize(partial(momentum, beta=beta), lambda w: curvatures * w, [1.0, 1.0], 60, lr)
        inside = np.where(np.abs(path).max(1, keepdims=True) < 1.25, path, np.nan)
        heights = np.array([0.1, 0.3, 0.6, 0.9, 1.2])[:, None]
        rings.set_data((np.sqrt(kappa) * heights * np.cos(turn)).ravel(), (heights * np.sin(turn)).ravel())
        path_line.set_data(*inside.T)
        head.set_data(*inside[-1:].T)
        all_rates = np.maximum(rate(1 / kappa, grid_lr, grid_beta), rate(1.0, grid_lr, grid_beta))
        heat.set_data(np.log10(steps_to_tenth(all_rates)))
        cross.set_data([lr], [beta])
        star_lr, star_beta = best_pair(kappa)
        star.set_data([star_lr], [star_beta])
        flat, steep = rate(curvatures, lr, beta)
        worst, s = max(flat, steep), np.sqrt(kappa)
        pace = (
            f"{steps_to_tenth(worst):.0f} steps to a tenth" if worst < 1 - 1e-9 else "it does not converge"
        )
        gone = int(np.isnan(inside[:, 0]).sum())
        return (
            f"Rate of the flattest mode {flat:.3f}, of the steepest {steep:.3f}: {pace}. Best without momentum: "
            f"{(kappa - 1) / (kappa + 1):.3f}; best of all, at the star: {(s - 1) / (s + 1):.3f}, "
            f"at lr {star_lr:.2f} and beta {star_beta:.2f}."
            + (f" {gone} positions are outside the picture." if gone else "")
        )

    return fig


modes = modes_figure()
modes

# %% [markdown]
# At the star both modes have the same rate, $(\sqrt\kappa - 1)/(\sqrt\kappa + 1)$. There is a best $\beta$ for each
# condition number: with more of it the path swings for longer, and with less the flattest mode needs more steps,
# whatever lr is. Momentum also moves the limit of the learning rate, from $2/\lambda_{\max}$ to
# $2(1 + \beta)/\lambda_{\max}$, which is the edge of the white region on the right.
#
# ## A step size for each weight
#
# In a net, some weights see large gradients and others small ones. A learning rate that suits the ones does not suit
# the others. The next rules divide the gradient of each weight by the size of that weight's own past gradients.
#
# **AdaGrad** (Duchi, Hazan and Singer, 2011) measures that size by the root of the sum of all its squares so far. Take
# a weight whose gradient is 100 at every step, and one whose gradient is 0.01. At the first step, $g/\sqrt{g^2} = 1$
# for both: both move by lr. At the second step, $g / \sqrt{2 g^2} = 0.71$ for both. The sum never shrinks, so the steps
# become shorter and shorter.
#
# **RMSprop** (Tieleman and Hinton, 2012) takes a running mean of the squares,
# $s \leftarrow \alpha s + (1 - \alpha) g^2$, which forgets old gradients. The steps need not shrink any more. But the
# mean starts at zero and is too small at first: with $\alpha = 0.99$ the first step is $g/\sqrt{0.01\,g^2} = 10$, ten
# times lr.


# %%
def adagrad(w, g, state, lr, eps=1e-10):
    s = state["s"] = state.get("s", 0) + g**2
    return w - lr * g / (np.sqrt(s) + eps)  # eps: nothing is divided by zero


def rmsprop(w, g, state, lr, alpha=0.99, eps=1e-8):
    s = state["s"] = alpha * state.get("s", 0) + (1 - alpha) * g**2
    return w - lr * g / (np.sqrt(s) + eps)


# %% [markdown]
# **Adam** (Kingma and Ba, 2015) takes running means of both, of the gradient and of its square, and corrects their
# start. After $t$ steps on a constant gradient $g$, the mean that started at zero is $(1 - \beta_1^t)\,g$. So it is
# divided by $1 - \beta_1^t$, and likewise the other one:
#
# $$\mathbf{m} \leftarrow \beta_1 \mathbf{m} + (1 - \beta_1)\,\mathbf{g} \qquad
# \mathbf{s} \leftarrow \beta_2 \mathbf{s} + (1 - \beta_2)\,\mathbf{g}^2$$
#
# $$\hat{\mathbf{m}} = \frac{\mathbf{m}}{1 - \beta_1^t} \qquad \hat{\mathbf{s}} = \frac{\mathbf{s}}{1 - \beta_2^t} \qquad
# \mathbf{w} \leftarrow \mathbf{w} - \mathrm{lr}\, \frac{\hat{\mathbf{m}}}{\sqrt{\hat{\mathbf{s}}} + \epsilon}$$
#
# By hand, with $\beta_1 = 0.9$, $\beta_2 = 0.999$ and a first gradient of 5: $m = 0.5$ and $s = 0.025$, then
# $\hat m = 5$ and $\hat s = 25$, so the weight moves by lr. Without the correction it would move by
# $0.5/\sqrt{0.025} = 3.2$ times lr.
#
# **Your turn.** Write `my_adam(w, g, state, lr, beta1, beta2, eps)`. `w` and `g` are arrays of the same shape, or two
# numbers; squares and roots are taken element by element. `state` is a dictionary, empty at the first step; keep in it
# what the next step needs. $t$ is 1 at the first step. Return the new weights, and leave `w` and `g` as they are.


# %%
def my_adam(w, g, state, lr, beta1=0.9, beta2=0.999, eps=1e-8):
    raise NotImplementedError("replace this line")


# %% tags=["folded"]
def adam_solution(w, g, state, lr, beta1=0.9, beta2=0.999, eps=1e-8):
    t = state["t"] = state.get("t", 0) + 1
    m = state["m"] = beta1 * state.get("m", 0) + (1 - beta1) * g
    s = state["s"] = beta2 * state.get("s", 0) + (1 - beta2) * g**2
    return w - lr * (m / (1 - beta1**t)) / (np.sqrt(s / (1 - beta2**t)) + eps)


def adam_variant(w, gradients, lr, b1, b2, eps, kind=""):
    """The weights after each step of an Adam with a known mistake."""
    m = s = 0.0
    found = []
    for t, g in enumerate(gradients, 1):
        t = 1 if kind == "t is stuck" else t + 1 if kind == "t is late" else t
        if kind == "swapped":
            m, s = b2 * m + (1 - b2) * g, b1 * s + (1 - b1) * g**2
        else:
            m = b1 * m + (1 - b1) * g
            square = {"abs": np.abs(g), "of m": m**2}.get(kind, g**2)
            s = b2 * s + (1 - b2) * square
        mh = (
            m
            if kind in ("uncorrected", "m uncorrected")
            else m / (1 - (b2 if kind == "swapped" else b1) ** t)
        )
        sh = (
            s
            if kind in ("uncorrected", "s uncorrected")
            else s / (1 - (b1 if kind == "swapped" else b2) ** t)
        )
        root = {"eps inside": np.sqrt(sh + eps), "no root": sh + eps, "no eps": np.sqrt(sh)}
        step = lr * mh / root.get(kind, np.sqrt(sh) + eps)
        w = w + step if kind == "uphill" else w - step
        if kind == "means corrected in state":
            m, s = mh, sh
        found.append(w)
    return found


ADAM_MISTAKES = {
    "uncorrected": "Both means start at zero and are too small at first: divide them by 1 - beta**t.",
    "m uncorrected": "m is not corrected: divide it by 1 - beta1**t.",
    "s uncorrected": "s is not corrected: divide it by 1 - beta2**t.",
    "abs": "s is the mean of the squares of g, not of its absolute values.",
    "of m": "s is the mean of the squares of g, not of m.",
    "no root": "m is divided by the square root of s.",
    "eps inside": "eps stands outside of the root.",
    "no eps": "eps is missing, or another number than the argument.",
    "t is stuck": "t is 1 at every step: count it up in state.",
    "t is late": "t is 1 at the first step, not 2.",
    "swapped": "beta1 belongs to m, beta2 to s.",
    "uphill": "The step goes against the mean gradient: subtract it.",
    "means corrected in state": "state keeps the means as they are. The corrected ones are for this step alone.",
}


@exercise("The Adam step", uses="my_adam", minutes=10, difficulty=2, solution=adam_solution)
def adam_turn(my_adam):
    rng = np.random.default_rng(3)
    for shape, b1, b2, eps in [((3,), 0.8, 0.95, 0.3), ((2, 2), 0.9, 0.999, 0.1), ((4,), 0.5, 0.9, 0.05)]:
        w, gs, lr = rng.normal(size=shape), rng.normal(size=(3, *shape)), 0.1
        expected = adam_variant(w, gs, lr, b1, b2, eps)
        wrong = {hint: adam_variant(w, gs, lr, b1, b2, eps, kind) for kind, hint in ADAM_MISTAKES.items()}
        got = steps_of(my_adam, w.copy(), gs.copy(), [lr] * 3, beta1=b1, beta2=b2, eps=eps)
        for i in range(3):
            mistakes = {hint: path[i] for hint, path in wrong.items()}
            check.close(got[i], expected[i], name=f"w after step {i + 1}", mistakes=mistakes)
    still = my_adam(np.array([1.0, 2.0]), np.zeros(2), {}, 0.1)
    check.close(still, np.array([1.0, 2.0]), name="w after a gradient of exactly zero")


adam_turn

# %% [markdown]
# Are these the rules that everybody uses? Each runs beside its namesake in `torch.optim` for 100 steps, in double
# precision, on **Rosenbrock's valley**, a narrow valley that is bent.

# %%
adam = adam_turn.function  # yours once it passes, the folded solution until then


def rosenbrock(w):
    return (1 - w[..., 0]) ** 2 + 100 * (w[..., 1] - w[..., 0] ** 2) ** 2


def rosenbrock_grad(w):
    x, y = w[..., 0], w[..., 1]
    return np.stack([-2 * (1 - x) - 400 * x * (y - x**2), 200 * (y - x**2)], axis=-1)


def torch_path(make, start, num_steps):
    """The same run by torch, with torch's own gradients."""
    w = torch.tensor(start, dtype=torch.float64, requires_grad=True)
    optimizer, path = make([w]), [w.detach().numpy().copy()]
    for _ in range(num_steps):
        optimizer.zero_grad()
        ((1 - w[0]) ** 2 + 100 * (w[1] - w[0] ** 2) ** 2).backward()
        optimizer.step()
        path.append(w.detach().numpy().copy())
    return np.array(path)


RULES = {"sgd": sgd, "momentum": momentum, "adagrad": adagrad, "rmsprop": rmsprop, "adam": adam}
TORCH = {
    "sgd": (1e-3, lambda p: torch.optim.SGD(p, lr=1e-3)),
    "momentum": (1e-3, lambda p: torch.optim.SGD(p, lr=1e-3, momentum=0.9)),
    "adagrad": (0.5, lambda p: torch.optim.Adagrad(p, lr=0.5)),
    "rmsprop": (0.01, lambda p: torch.optim.RMSprop(p, lr=0.01)),
    "adam": (0.1, lambda p: torch.optim.Adam(p, lr=0.1)),
}
for name, (lr, make) in TORCH.items():
    ours = optimize(RULES[name], rosenbrock_grad, [-1.2, 1.0], 100, lr)
    theirs = torch_path(make, [-1.2, 1.0], 100)
    check.close(ours, theirs, rtol=1e-9, atol=1e-9, name=name)
    print(f"{name:9s} largest difference from torch over 100 steps: {np.abs(ours - theirs).max():.1e}")

# %% [markdown]
# ## Turn the valley
#
# The narrow valley lies along the axes, so that one weight has the large gradients. What if it lies across them? In the
# next figure you turn it. Every rule runs at **its own best learning rate** for the angle that you set, found among 51
# from 0.0001 to 10; of several that bring the loss below $10^{-12}$, the smallest counts as the best. On the right is
# the loss that each rule reaches, for all these learning rates at once, with a marker at the best. On the left are the
# paths, drawn in the valley's own axes: a path that ignores the angle does not move.

# %% [markdown]
# Your own rule runs along, at the learning rate of the last slider. Change the line and run the cell; the figure then
# shows the new rule.


# %%
def my_optimizer(w, g, state, lr):
    return w - lr * np.sign(g)  # only the sign of each slope counts


# %%
EVERYBODY = [
    "sgd",
    "momentum",
    "nesterov",
    "adagrad",
    "rmsprop",
    "adadelta",
    "adam",
    "yours",
]  # colours in all figures
MANY_LRS = np.logspace(-4, 1, 51)


def valley(w):
    return (w**2 * valley_curvatures).sum(-1) / 2


def turned_path(step, degrees, lr, num_steps):
    """A run on the turned valley, seen from the valley's own axes; lr a number or (K, 1) for K runs at once."""
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    R = np.array([[c, -s], [s, c]])
    start = np.tile(R @ [-4.0, 1.0], (*np.shape(lr)[:1], 1))
    return optimize(step, lambda w: (w @ R * valley_curvatures) @ R.T, start, num_steps, lr) @ R


def best_lr(losses, lrs):
    """The learning rate of lowest loss; below 1e-12 losses count as equal, and the smallest learning rate wins."""
    return float(lrs[np.argmin(np.maximum(np.nan_to_num(losses, nan=np.inf), 1e-12))])


def best_loss(step, degrees, num_steps):
    """The lowest loss that a rule reaches on the turned valley, and the learning rate for it."""
    with np.errstate(all="ignore"):
        losses = valley(turned_path(step, degrees, MANY_LRS[:, None], num_steps)[-1])
    best = best_lr(losses, MANY_LRS)
    return float(losses[best == MANY_LRS][0]), best


def in_words(height):
    """A loss for the readout."""
    return "diverged" if not height < 1e6 else "below 1e-12" if height <= 1e-12 else f"{height:.2g}"


# %% tags=["folded"]
predict(
    "The valley is turned by 45 degrees, and each rule is tuned anew. Whose best loss becomes much worse?",
    choices={
        "that of AdaGrad and RMSprop": True,
        "that of Adam, AdaGrad and RMSprop": "All three divide each coordinate by its own size. Adam has momentum besides, and momentum sees no axes.",
        "that of momentum": "Momentum adds gradients up. Turn all gradients, and the whole path is turned with them.",
        "nobody's: each is tuned anew": "A learning rate multiplies all coordinates alike. It cannot make a turned valley round.",
    },
    because="Turned by 45 degrees, both coordinates see gradients of nearly the same size, and dividing by that size helps neither.",
    then=lambda: (
        "best loss after 100 steps, straight and turned: "
        + "; ".join(
            f"{name} {in_words(straight)} and {in_words(turned)}"
            for name, step in RULES.items()
            for straight, turned in [[best_loss(step, degrees, 100)[0] for degrees in (0, 45)]]
        )
    ),
)


# %% tags=["folded"]
def turn_figure():
    # Refutes: "rules that divide by the gradient's size need no tuning, and do not care how the axes lie".
    fig = LiveFigure("The same valley, turned", size=(900, 460))
    ground, losses = fig.subplots(1, 2)
    contours(ground, valley, (-4.5, 4.5, -1.8, 1.8))
    ground.set(xlabel="along the valley", ylabel="across the valley")
    losses.set(
        xscale="log",
        yscale="log",
        xlim=(1e-4, 10),
        ylim=(3e-13, 1e2),
        xlabel="learning rate lr",
        ylabel="loss after these steps",
    )
    names = [name for name in EVERYBODY if name in RULES or name == "yours"]
    trails, curves = Trails(fig, ground, names, EVERYBODY), Trails(fig, losses, names, EVERYBODY)
    fig.figure.legend(*losses.get_legend_handles_labels(), loc="outside lower center", ncols=6)

    @fig.control(
        degrees=Slider(0, 45, value=0, step=1, label="angle in degrees"),
        steps=Integer(20, 150, value=100, step=10, label="steps"),
        lr=Slider(1e-3, 3, value=0.03, log=True, step=0.1, label="learning rate lr of your rule"),
        own=Function("my_optimizer"),
    )
    def _(degrees, steps, lr, own):
        words = []
        with np.errstate(all="ignore"):
            for name, step in RULES.items():
                runs = turned_path(step, degrees, MANY_LRS[:, None], steps)  # (steps + 1, 51, 2)
                ends = np.nan_to_num(valley(runs[-1]), nan=np.inf)
                k = int(np.flatnonzero(best_lr(ends, MANY_LRS) == MANY_LRS)[0])
                trails.show(name, runs[:, k, 0], runs[:, k, 1])
                shown = np.where(ends < 1e3, np.maximum(ends, 1e-12), np.nan)
                curves.lines[name].set_data(MANY_LRS, shown)
                curves.heads[name].set_data([MANY_LRS[k]], [shown[k]])
                words.append(f"{name} {in_words(ends[k])} (lr {MANY_LRS[k]:.2g})")
            with own.shown(*trails.artists("yours"), *curves.artists("yours")):
                path = turned_path(own, degrees, lr, steps)
                trails.show("yours", path[:, 0], path[:, 1])
                curves.show("yours", np.array([lr]), np.clip(valley(path[-1:]), 1e-12, 1e2))
                words.append(f"yours {in_words(valley(path[-1]))} (lr {lr:.2g})")
        return f"Turned by {degrees:.0f} degrees, best loss after {steps} steps: {', '.join(words)}."

    return fig


turn = turn_figure()
turn

# %% [markdown]
# Straight, AdaGrad and RMSprop bring the loss below $10^{-12}$ in 100 steps. At 45 degrees their best is 0.04 and
# 0.008. Momentum reaches about 0.0001 at every angle, and Adam stays below 0.0003 at every angle. But the learning
# rates that suit Adam change: at lr = 0.1 its loss is 0.0005 when the valley is straight and 1.1 at 45 degrees, while
# at lr = 0.5 it is below 0.001 at every angle. Adam owes that to its momentum: with $\beta_1 = 0$ its best loss, too,
# rises from below $10^{-12}$ to 0.002.
#
# So dividing helps when large and small gradients belong to different weights. Duchi, Hazan and Singer had such a case
# in mind: features that occur rarely, such as rare words, have weights with rare gradients.
#
# ## Mini-batches: noise, and the floor that it leaves
#
# The gradient of the cost is a mean over all $N$ training pictures, and so every step costs $N$ pictures. **Stochastic
# gradient descent** takes one picture, drawn at random, for each step. A **mini-batch** of $B$ pictures lies between.
# Its gradient is right on average, with a variance $B$ times smaller than that of one picture. An **epoch** is one pass
# through all training pictures: with $N = 1258$ and $B = 32$ an epoch has 40 steps, the last with the 10 pictures that
# are left.
#
# What does the noise do? Take the simplest loss that has examples, $L_i(w) = \tfrac12 (w - x_i)^2$ with numbers $x_i$
# of variance 1. The minimum of its mean is the mean of the $x_i$, and its curvature is 1.


# %%
def skiers(lr, batch, factor, num_steps=400):
    """Loss above the minimum of 200 runs, (num_steps + 1, 200), for examples of variance 1.

    factor(t, T) is a factor on lr at step t of T; 1.0 means a constant lr.
    """
    w = np.empty((num_steps + 1, 200))
    w[0] = 4.0
    for t in range(num_steps):
        g = w[t] + kicks[t] / np.sqrt(batch)  # the mean of `batch` examples is off by this much
        w[t + 1] = w[t] - lr * factor(t, num_steps) * g
    return w**2 / 2


kicks = np.random.default_rng(0).standard_normal((400, 200))  # the same luck for every setting


# %% tags=["folded"]
predict(
    "One example at a time, lr = 0.1 at every step. After many steps, where is the weight?",
    choices={
        "at the minimum: the noise averages out": "With a constant lr the last few examples always have the same share in the weight.",
        "somewhere around the minimum, on average as far away as before": True,
        "further and further away": "Each step also pulls towards the mean, and lr = 0.1 is far below the limit of 2.",
    },
    because="The pull towards the mean and the push of the noise come to a balance.",
    then=lambda: (
        f"mean loss of 200 runs above the minimum: {skiers(0.1, 1, lambda t, T: 1.0)[100:250].mean():.4f} in steps 100 to 250, "
        f"{skiers(0.1, 1, lambda t, T: 1.0)[250:].mean():.4f} in steps 250 to 400"
    ),
)

# %% [markdown]
# Where is the balance? Write $w$ for the distance to the minimum. A step is
# $w \leftarrow (1 - \mathrm{lr})\,w - \mathrm{lr}\,\varepsilon$, where the noise $\varepsilon$ has the variance
# $\sigma^2 / B$. So the mean square of $w$ becomes $(1 - \mathrm{lr})^2\, \overline{w^2} + \mathrm{lr}^2 \sigma^2 / B$.
# In balance that is $\overline{w^2}$ again, and solving for the loss $\tfrac12 \overline{w^2}$ gives the **noise
# floor**
#
# $$\text{floor} = \frac{\mathrm{lr}\;\sigma^2 / B}{2\,(2 - \mathrm{lr})} \approx \frac{\mathrm{lr}\;\sigma^2}{4 B}
# \quad\text{for small lr.}$$
#
# With lr = 0.1, $\sigma = 1$ and $B = 1$ it is $0.1 / 3.8 = 0.026$. A **schedule** changes the learning rate during the
# run: $\mathrm{lr}_t$ is lr times a factor that depends on the step. In the figure, 200 runs start together, each with
# its own examples. The thick line is their mean loss; between the thin lines lie 160 of the 200. Your own schedule,
# `my_schedule`, runs along.
#
# At the smallest learning rate the run is still on its way. Raise lr to 0.2 and show the formula. Then try to halve the
# floor in two ways, and to make it sink for as long as the run lasts. What do small learning rates cost?


# %%
def noise_floor(lr, batch, variance):
    """Mean loss above the minimum where constant steps end: curvature 1, noise variance / batch."""
    return lr * variance / batch / (2 * (2 - lr))


SCHEDULES = {  # factor on the learning rate at step t of T
    "constant": lambda t, T: 1.0,
    "halved every 100 steps": lambda t, T: 0.5 ** (t // 100),
    "1 / t": lambda t, T: 1 / (1 + t / 20),
    "cosine to zero": lambda t, T: 0.5 * (1 + np.cos(np.pi * t / T)),
    "warm-up, then cosine": lambda t, T: min(1, t / 50) * 0.5 * (1 + np.cos(np.pi * t / T)),
}


def my_schedule(t, T):
    return 1 - t / T


# %% tags=["folded"]
def noise_figure():
    # Refutes: "stochastic gradient descent converges if you wait", and "noise is a matter of the batch alone".
    fig = LiveFigure("The noise floor", xlabel="step", ylabel="loss above the minimum", size=(700, 420))
    fig.ax.set(yscale="log", xlim=(0, 400), ylim=(5e-8, 50))
    low, high, mean, mine, floor = fig.animate(
        fig.ax.plot([], [], color="0.7", lw=1, ls="-", label="10 % and 90 % of the runs")[0],
        fig.ax.plot([], [], color="0.7", lw=1, ls="-")[0],
        fig.ax.plot([], [], lw=3, label="mean of 200 runs")[0],
        fig.ax.plot([], [], label="mean with your schedule")[0],
        fig.ax.plot([], [], color="black", ls=":", label="floor at constant lr")[0],
    )
    fig.figure.legend(loc="outside lower center", ncols=2)

    @fig.control(
        lr=Slider(0.01, 1.0, value=0.01, log=True, label="learning rate lr"),
        batch=Choice({"1": 1, "2": 2, "4": 4, "32": 32, "256": 256}, label="batch size B"),
        schedule=Choice(SCHEDULES),
        formula=Switch(False, label="show the floor by the formula"),
        own=Function("my_schedule"),
    )
    def _(lr, batch, schedule, formula, own):
        t, heights = np.arange(401), skiers(lr, batch, schedule)
        low.set_data(t, np.quantile(heights, 0.1, axis=1))
        high.set_data(t, np.quantile(heights, 0.9, axis=1))
        mean.set_data(t, heights.mean(1))
        level = noise_floor(lr, batch, 1.0)
        floor.set_data([0, 400], [level, level] if formula else [np.nan, np.nan])
        yours = "not shown"
        with own.shown(mine):
            with_mine = skiers(lr, batch, own).mean(1)
            mine.set_data(t, with_mine)
            yours = f"{with_mine[-50:].mean():.2g}"
        return (
            f"Mean loss after 20 steps: {heights[20].mean():.2g}; over the last 50: {heights[-50:].mean():.2g}, with your "
            f"schedule: {yours}."
            + (f" Floor at constant lr, by the formula: {level:.2g}." if formula else "")
        )

    return fig


noise = noise_figure()
noise

# %% [markdown]
# For small learning rates the floor depends on lr / B alone: half the learning rate or twice the batch, it is nearly
# the same. Small steps need longer to arrive, and large batches cost more pictures. Goyal et al. (2017) trained
# ResNet-50 on ImageNet with batches of 8,192 in one hour, as accurately as with batches of 256: they multiplied the
# learning rate by 32 too, and let it grow to that in the first epochs (**warm-up**).
#
# A schedule lowers the floor during the run. Robbins and Monro (1951) gave conditions under which it reaches zero:
# $\sum_t \mathrm{lr}_t = \infty$, so that the run can come from anywhere, and $\sum_t \mathrm{lr}_t^2 < \infty$, so
# that the noise dies out. The schedule $1/t$ fulfils both. Halving does not: its learning rates add up to a finite sum.
# Halving and the cosine are used nevertheless, when the number of steps is fixed in advance.
#
# ## Training the net
#
# Now we put this together: mini-batches of the digits, the gradient of the net, one of our rules. After each epoch we
# look at two numbers, the cost of the training pictures and the cost of the **validation** pictures, which no step has
# seen.


# %%
def train(theta, step, lr, batch, num_epochs, rng, each_epoch=lambda epoch, theta: None):
    """Mini-batch training on the digits, shuffled anew for each epoch. Returns the weights."""
    state = {}
    for epoch in range(1, num_epochs + 1):
        order = rng.permutation(len(digits.x_train))
        for i in range(0, len(order), batch):
            rows = order[i : i + batch]
            theta = step(theta, net_gradient(theta, digits.x_train[rows], digits.y_train[rows]), state, lr)
        each_epoch(epoch, theta)
    return theta


def costs(theta):
    """Cost of the training pictures, cost of the validation pictures."""
    return net_cost(theta, digits.x_train, digits.y_train), net_cost(theta, digits.x_val, digits.y_val)


reference_costs = [(0, *costs(theta_0))]  # (epoch, training cost, validation cost)
bar = iter(progress(range(60), "momentum, lr 0.1"))


def record(epoch, theta):
    next(bar)
    reference_costs.append((epoch, *costs(theta)))
    if epoch in (1, 5, 10, 20, 40, 60):
        right = net_accuracy(theta, digits.x_val, digits.y_val)
        training, validation = reference_costs[-1][1:]
        print(
            f"epoch {epoch:2d}: training cost {training:.4f}, validation cost {validation:.4f}, {right:.1%} of validation right"
        )


trained = train(theta_0, momentum, 0.1, 32, 60, np.random.default_rng(1), record)

# %% [markdown]
# The first epochs bring both costs down together. By the 60th epoch the training cost is down to about 0.0014, less
# than a quarter of what it was after the 20th. The validation cost ends at about 0.06, more than half of what it was
# after the 20th, and some 98 % of the validation pictures are right. So in the later epochs the net learns above all
# its training pictures. The training curve alone does not show this.
#
# Next you train yourself, and change the settings **while it trains**. One press of Step is two steps of gradient
# descent; the slider next to it sets the speed. On the right are the 32 hidden units: each picture shows the 64 weights
# of one unit, blue where a dark pixel raises it, red where it lowers it.

# %%
sgd_step_then_back = [(0.3, 400), (3.0, 60), (0.3, 400)]  # (lr, number of steps), one after the other


def follow(plan, seed=0):
    """Train with sgd on batches of 32 through a plan; returns the weights at the end of each part."""
    rng, theta, found = np.random.default_rng(seed), theta_0, []
    for lr, num_steps in plan:
        for _ in range(num_steps):
            rows = rng.integers(0, len(digits.x_train), size=32)
            theta = sgd(theta, net_gradient(theta, digits.x_train[rows], digits.y_train[rows]), {}, lr)
        found.append(theta)
    return found


def silent_units(theta):
    """How many of the 32 hidden units are zero on every training picture."""
    W1, b1, _, _ = layers(theta)
    return int(((digits.x_train @ W1.T + b1).max(axis=0) <= 0).sum())


# %% tags=["folded"]
predict(
    "You train with sgd at lr = 0.3 for 400 steps, raise lr to 3 for 60 steps, and bring it back to 0.3 for another 400. What is the training cost at the end?",
    choices={
        "lower than without the detour: the large steps went far": "They went far, and not to a good place.",
        "about as low as before the detour: the net learns again": "At the end of the detour hardly a unit is left that has a gradient to learn by.",
        "about 2.3, that of a net that knows nothing": True,
    },
    because="The large steps push units so far that they are zero on every training picture. Such a unit has a gradient of exactly zero, and no step can bring it back.",
    then=lambda: "; ".join(
        f"after {sum(n for _, n in sgd_step_then_back[: i + 1])} steps: training cost {costs(theta)[0]:.3f}, "
        f"{silent_units(theta)} of 32 units silent"
        for i, theta in enumerate(follow(sgd_step_then_back))
    ),
)


# %% tags=["folded"]
def drive_figure():
    # Refutes: "a run that has blown up recovers when lr is brought back", and "the training curve tells how good the net is".
    fig = LiveFigure("Train the net yourself", size=(900, 420))
    left, right = fig.subplots(1, 2, width_ratios=[3, 2])
    left.set(yscale="log", xlim=(0, 2400), ylim=(5e-4, 10), xlabel="step", ylabel="cost")
    right.set(xticks=[], yticks=[], title="the 32 hidden units")
    right.spines[:].set_visible(False)
    epochs, ref_train, ref_val = np.array(reference_costs).T
    left.plot(40 * epochs, ref_train, color="0.7", ls="-", lw=1.5, label="reference, training")
    left.plot(40 * epochs, ref_val, color="0.7", ls="--", lw=1.5, label="reference, validation")
    training, validation, units = fig.animate(
        left.plot([], [], ls="-", lw=1.5, label="training")[0],
        left.plot([], [], ls="--", lw=1.5, label="validation")[0],
        right.imshow(np.zeros((36, 72)), cmap="RdBu", vmin=-1, vmax=1),
    )
    fig.figure.legend(loc="outside lower center", ncols=4)

    def start():
        return {
            "theta": theta_0,
            "memory": {},
            "settings": None,
            "since": 0,
            "step": 0,
            "pictures": 0,
            "rng": np.random.default_rng(0),
            "costs": [(0, *costs(theta_0))],
        }

    def tick(state, lr, batch, rule, own):
        """Two steps; a new rule starts with an empty memory."""
        if state["step"] >= 2400:
            raise StopIteration
        settings = (lr, batch, rule)
        if state["settings"] != settings:
            if state["settings"] is not None and state["settings"][2] is not rule:
                state["memory"] = {}
            state.update(settings=settings, since=state["step"])
        with np.errstate(all="ignore"):
            for _ in range(2):
                rows = state["rng"].integers(0, len(digits.x_train), size=batch)
                g = net_gradient(state["theta"], digits.x_train[rows], digits.y_train[rows])
                state["theta"] = (own if rule is None else rule)(state["theta"], g, state["memory"], lr)
            state["step"] += 2
            state["pictures"] += 2 * batch
            state["costs"].append((state["step"], *costs(state["theta"])))

    fig.loop(start, tick, speed=1, steer=("lr", "batch", "rule", "own"), steps=10)

    @fig.control(
        rule=Choice({**RULES, "my_optimizer": None}, label="rule"),
        lr=Slider(1e-3, 10, value=0.3, log=True, label="learning rate lr"),
        batch=Choice({"32": 32, "1": 1, "256": 256}, label="batch size"),
        own=Function("my_optimizer"),
    )
    def _(state, lr, batch, rule, own):
        steps, train_cost, val_cost = np.array(state["costs"]).T
        training.set_data(steps, train_cost)
        validation.set_data(steps, val_cost)
        W1 = np.nan_to_num(layers(state["theta"])[0])
        units.set_data(tiles(W1, 4, 8) / max(np.abs(W1).max(), 1e-9))
        named = "my_optimizer" if rule is None else next(n for n, r in RULES.items() if r is rule)
        now = (
            f"training cost {train_cost[-1]:.4f}, validation cost {val_cost[-1]:.4f}"
            if train_cost[-1] < 1e6
            else "the numbers overflow"
        ) + (" (above the picture)" if train_cost[-1] > 10 else "")
        silent = silent_units(state["theta"])
        epoch = state["pictures"] / len(digits.x_train)
        since = (
            "The next steps" if state["settings"] != (lr, batch, rule) else f"Since step {state['since']}"
        )
        return (
            f"Step {state['step']}, epoch {epoch:.1f}: {now}, {silent} of 32 units silent. "
            f"{since}: {named}, lr {lr:.3g}, batches of {batch}."
        )

    return fig


drive = drive_figure()
drive

# %% [markdown]
# Two things to try. Train with sgd at lr = 0.3 for some 600 steps, then lower lr to 0.03: the jitter of the training
# curve, which is the noise of the batches, nearly vanishes, and the cost sinks a little. Reset, and raise lr to 3 after
# 400 steps as in the prediction: within ten steps most units are silent. A silent unit is called a **dead ReLU**.
#
# How large should a batch be? The next cell trains with sgd at lr = 0.3 in three ways. The seconds are those of your
# machine.

# %%
for words, batch, num_epochs in (
    ("batches of 32, 10 epochs", 32, 10),
    ("all 1258 at once, 10 epochs", 1258, 10),
    ("all 1258 at once, 400 epochs", 1258, 400),
):
    begin = time.perf_counter()
    theta = train(theta_0, sgd, 0.3, batch, num_epochs, np.random.default_rng(1))
    seconds = time.perf_counter() - begin
    steps = num_epochs * math.ceil(len(digits.x_train) / batch)
    print(f"{words:28s} {steps:4d} steps, training cost {costs(theta)[0]:.3f}, {seconds:.1f} s")

# %% [markdown]
# In the same number of **epochs**, batches of 32 bring the cost to about 0.1, and full batches to about 1.8, because
# these take one step where those take 40. In the same number of **steps**, full batches come somewhat lower, to about
# 0.08, but they look at more than 30 times as many pictures.
#
# And which rule? A comparison is fair when each rule has the same budget and its own tuned learning rate. Each is tuned
# on two seeds, for ten epochs, by its validation cost, and then run with five fresh seeds. Should the best learning
# rate be the first or the last of those tried, the search stops with an error: the true best might lie outside.

# %%
CANDIDATES = {
    "sgd": (0.1, 0.3, 0.6, 1.0, 1.5),
    "momentum": (0.01, 0.03, 0.1, 0.3),
    "adagrad": (0.01, 0.03, 0.1, 0.3),
    "rmsprop": (0.001, 0.003, 0.01, 0.03),
    "adam": (0.001, 0.003, 0.01, 0.03, 0.1),
}


def validation_costs(rule, lr, seeds):
    """Validation cost after ten epochs from fresh random weights, one for each seed."""
    found = []
    for seed in seeds:
        rng = np.random.default_rng(seed)
        with np.errstate(all="ignore"):
            found.append(costs(train(random_weights(rng), RULES[rule], lr, 32, 10, rng))[1])
    return np.nan_to_num(found, nan=np.inf)


def tuned(rule):
    """The candidate learning rate of lowest mean validation cost."""
    lrs = CANDIDATES[rule]
    best = min(lrs, key=lambda lr: validation_costs(rule, lr, (100, 101)).mean())
    if best in (lrs[0], lrs[-1]):
        raise ValueError(f"{rule}: lr {best} is at the edge of {lrs}; widen the search")
    return best


comparison = {}
for name in progress(list(CANDIDATES), "tuning"):
    comparison[name] = (tuned(name), validation_costs(name, tuned(name), range(5)))
    best, found = comparison[name]
    print(
        f"{name:9s} best lr {best:5.3f}   validation cost {found.mean():.3f}, standard deviation {found.std():.3f}"
    )

# %% [markdown]
# Momentum and Adam end at about 0.1, the others somewhat higher. The standard deviation between seeds is about 0.02,
# and so is the difference between one rule and the next. Five seeds on one small data set do not rank the rules. Others
# report:
#
# | who | on what | found |
# | --- | --- | --- |
# | Kingma and Ba (2015) | logistic regression on MNIST | Adam and SGD with Nesterov momentum converge alike, both faster than AdaGrad |
# | Wilson et al. (2017) | CIFAR-10, language models | adaptive rules train as fast and do worse on test data than tuned SGD |
#
# The procedure carries over: tune the learning rate of each rule before you compare, on validation data, and show the
# scatter between seeds. The **test** pictures are used once, for the 60 epochs with momentum from above:

# %%
test_accuracy = net_accuracy(trained, digits.x_test, digits.y_test)
error = 1.96 * np.sqrt(test_accuracy * (1 - test_accuracy) / len(digits.y_test))
print(f"test accuracy {test_accuracy:.3f} ± {error:.3f} on {len(digits.y_test)} pictures")

# %% [markdown]
# ## Weight decay
#
# One often wants small weights besides a low cost, to keep a net from fitting its training data too closely. **L2
# regularisation** adds $\tfrac{\lambda}{2} \lVert\theta\rVert^2$ to the cost, so that $\lambda\theta$ is added to the
# gradient. For plain gradient descent, this is the same as shrinking each weight by the factor
# $1 - \mathrm{lr}\,\lambda$ before the step, called **weight decay**:
#
# $$\theta - \mathrm{lr}\,(\mathbf{g} + \lambda\theta) = (1 - \mathrm{lr}\,\lambda)\,\theta - \mathrm{lr}\,\mathbf{g}$$
#
# For Adam it is not the same. It divides the decay, too, by $\sqrt{\hat s}$, as it does with whatever is added to the
# gradient. Loshchilov and Hutter (2019) proposed **AdamW**, which keeps the decay out of the gradient (**decoupled**
# weight decay).
#
# **Your turn.** Write `my_adamw(w, g, state, lr, decay)`. It first shrinks the weights by the factor
# $1 - \mathrm{lr}\cdot\mathrm{decay}$, and then takes a step of Adam from the shrunken weights, with the gradient `g`
# as it is. `adam(w, g, state, lr)` is there to be used. Return the new weights, and leave `w` and `g` as they are.


# %%
def my_adamw(w, g, state, lr, decay):
    raise NotImplementedError("replace this line")


# %% tags=["folded"]
def adamw_solution(w, g, state, lr, decay):
    return adam(w * (1 - lr * decay), g, state, lr)


@exercise("Decoupled weight decay", uses="my_adamw", minutes=4, difficulty=1, solution=adamw_solution)
def adamw_turn(my_adamw):
    rng = np.random.default_rng(4)
    plain = adam_solution
    known = {
        "This is L2 regularisation: the decay is in the gradient, and Adam divides it.": lambda w, g, s, lr, d: (
            plain(w, g + d * w, s, lr)
        ),
        "The factor is 1 - lr * decay, not 1 - decay.": lambda w, g, s, lr, d: plain(w * (1 - d), g, s, lr),
        "Shrink before the step: this shrinks the step too.": lambda w, g, s, lr, d: (
            plain(w, g, s, lr) * (1 - lr * d)
        ),
        "The weights do not decay.": lambda w, g, s, lr, d: plain(w, g, s, lr),
        "They decay, and the step is missing.": lambda w, g, s, lr, d: w * (1 - lr * d),
        "The weights grow: the factor is 1 minus lr * decay.": lambda w, g, s, lr, d: plain(
            w * (1 + lr * d), g, s, lr
        ),
        "Hand the same state to adam at every step.": lambda w, g, s, lr, d: plain(
            w * (1 - lr * d), g, {}, lr
        ),
    }

    def path_of(rule, w, gs, lr, decay):
        state, found = {}, []
        for g in gs:
            w = rule(w, g, state, lr, decay)
            found.append(w)
        return found

    for shape, lr, decay in [((3,), 0.1, 0.5), ((2, 2), 0.05, 2.0), ((4,), 0.2, 1.0)]:
        w, gs = rng.normal(size=shape), rng.normal(size=(3, *shape))
        right = path_of(lambda w, g, s, lr, d: plain(w * (1 - lr * d), g, s, lr), w, gs, lr, decay)
        wrong = {hint: path_of(rule, w, gs, lr, decay) for hint, rule in known.items()}
        got = steps_of(my_adamw, w.copy(), gs.copy(), [lr] * 3, decay=decay)
        for i in range(3):
            mistakes = {hint: path[i] for hint, path in wrong.items()}
            check.close(got[i], right[i], name=f"w after step {i + 1}", mistakes=mistakes)


adamw_turn

# %% [markdown]
# To see the difference, take two weights whose gradients are pure noise: nothing but the decay moves them in one
# direction. Both start at 1, and the gradients of the second are larger by a factor that you choose. In both rules lr =
# 0.001.

# %%
adamw = adamw_turn.function  # yours once it passes, the folded solution until then
DECAYS, FACTORS = (0.01, 0.1, 1.0, 3.0), (1, 10, 100)


def adam_l2(w, g, state, lr, decay):
    """What torch.optim.Adam does with weight_decay: the decay is part of the gradient."""
    return adam(w, g + decay * w, state, lr)


def decay_paths(rule, lr=0.001, num_steps=2000, seed=0):
    """Two weights for all decays and factors at once: (num_steps + 1, decays, factors, 2)."""
    rng, state = np.random.default_rng(seed), {}
    decay = np.array(DECAYS)[:, None, None]
    size = np.stack([np.ones(len(FACTORS)), FACTORS], axis=-1)  # (factors, 2)
    path = [np.ones((len(DECAYS), len(FACTORS), 2))]
    for _ in range(num_steps):
        g = size * rng.standard_normal((len(FACTORS), 2)) * np.ones_like(path[0])
        path.append(rule(path[-1], g, state, lr, decay))
    return np.array(path)


for name, rule, make in (("adam_l2", adam_l2, torch.optim.Adam), ("adamw", adamw, torch.optim.AdamW)):
    ours = optimize(partial(rule, decay=0.3), rosenbrock_grad, [-1.2, 1.0], 100, 0.1)
    theirs = torch_path(lambda p, make=make: make(p, lr=0.1, weight_decay=0.3), [-1.2, 1.0], 100)
    check.close(ours, theirs, rtol=1e-9, atol=1e-9, name=name)
    print(f"{name:7s} equals torch.optim.{make.__name__} with weight_decay, over 100 steps")

# %% tags=["folded"]
predict(
    "The decay is 1, lr is 0.001, and the gradients of the second weight are 100 times as large. Both weights start at 1. Where are they after 2000 steps of Adam with L2 regularisation?",
    choices={
        "both near 0.14, which is e to the power of -2": "That is what AdamW does. Here the decay is divided by the size of the gradients.",
        "the first near 0.2, the second still near 1": True,
        "the first near 1, the second near 0.2": "It is the other way round: large gradients make a large divisor, and what is left of the decay is small.",
    },
    because="Adam divides the gradient and the decay in it by about 100 for the second weight, so its decay is about 100 times slower.",
    then=lambda: (
        f"first {decay_paths(adam_l2)[-1, 2, 2, 0]:.2f}, second {decay_paths(adam_l2)[-1, 2, 2, 1]:.2f}; "
        f"with AdamW {decay_paths(adamw)[-1, 2, 2, 0]:.2f} and {decay_paths(adamw)[-1, 2, 2, 1]:.2f}"
    ),
)


# %% tags=["folded"]
def decay_figure():
    # Refutes: "L2 regularisation and weight decay are the same, whatever the optimizer".
    fig = LiveFigure("Two weights that decay", xlabel="step", ylabel="weight", size=(700, 420))
    fig.ax.set(xlim=(0, 2000), ylim=(-0.15, 1.25))
    fig.ax.axhline(0, color="black", lw=1, ls="-")
    runs = {"Adam with L2": decay_paths(adam_l2), "AdamW": decay_paths(adamw)}
    lines = {}
    for colour, method in zip(("red", "blue"), runs, strict=True):
        for style, which in (("-", "first"), ("--", "second")):
            (lines[method, which],) = fig.ax.plot(
                [], [], ls=style, color=OKABE_ITO[colour], label=f"{method}, {which} weight"
            )
    fig.animate(list(lines.values()))
    fig.figure.legend(loc="outside lower center", ncols=2)

    @fig.control(
        decay=Choice({f"{d:g}": i for i, d in enumerate(DECAYS)}, label="decay"),
        factor=Choice(
            {f"{f}": i for i, f in enumerate(FACTORS)},
            value="100",
            label="gradients of the second weight, times",
        ),
    )
    def _(decay, factor):
        words = []
        for method, paths in runs.items():
            path = paths[:, decay, factor]
            for i, which in enumerate(("first", "second")):
                lines[method, which].set_data(np.arange(len(path)), path[:, i])
            words.append(f"{method}: first {path[-1, 0]:.2f}, second {path[-1, 1]:.2f}")
        free = np.exp(-0.001 * DECAYS[decay] * 2000)
        return f"After 2000 steps at lr 0.001: {'; '.join(words)}. The decay alone would leave {free:.2f}."

    return fig


decays = decay_figure()
decays

# %% [markdown]
# With a decay of 0.01, which is the default of `torch.optim.AdamW`, 2,000 steps at lr = 0.001 shrink a weight by 2 %:
# you cannot see it here beside the noise. A decay of 1 shows.
#
# Does it help our net? The next cell trains it with AdamW for 20 epochs.

# %%
for decay in (0.0, 0.1, 1.0):
    theta = train(theta_0, partial(adamw, decay=decay), 0.01, 32, 20, np.random.default_rng(1))
    training, validation = costs(theta)
    length = np.linalg.norm(theta)
    print(
        f"decay {decay:3.1f}: training cost {training:.3f}, validation cost {validation:.3f}, length of theta {length:.1f}"
    )

# %% [markdown]
# Here it does not. The weights become smaller, the two costs move closer together, and both are higher. A net that fits
# its training pictures while its validation cost stays low has little to gain from decay.
#
# ## When it breaks: Adam on a convex problem
#
# Does Adam find the minimum of every convex problem? Try one. There is one weight, kept between $-1$ and 1. Once in 101
# steps the slope is 1010, at all other steps it is $-10$. Over a period the slopes add up to
# $1010 - 100 \cdot 10 = 10$, so the cost rises to the right, and its minimum is at $-1$.


# %%
def stream_slope(t, period=101):
    """Once in a period 10 * period, else -10: the sum over a period is 10."""
    return 10.0 * period if t % period == 0 else -10.0


def walk(step, lr, num_steps=100_000, period=101):
    """Every thousandth position on the stream of slopes, from 0, kept in [-1, 1]."""
    w, state, seen = 0.0, {}, [0.0]
    for t in range(num_steps):
        w = min(1.0, max(-1.0, step(w, stream_slope(t, period), state, lr)))
        if t % 1000 == 999:
            seen.append(float(w))
    return np.array(seen)


print(f"sgd with lr 0.0001, after 100,000 steps: {walk(sgd, 1e-4)[-1]:+.2f}")

# %% tags=["folded"]
predict(
    "Adam runs on the same slopes with its default settings, beta1 = 0.9 and beta2 = 0.999, and lr = 0.01. Where is it after 100,000 steps?",
    choices={
        "near -1, at the minimum": "Gradient descent is, and Adam with a longer memory too. But with these settings the rare large slope counts for too little.",
        "near 0, where it started": "It moves by about a hundredth of a unit in ten periods, and there are 990 periods.",
        "near +1, at the far end": True,
    },
    because="Adam divides the large slope by a root that it has just made large itself. When the small slopes come, the root has become smaller again, so that they count for more.",
    then=lambda: f"Adam is at {walk(adam, 0.01)[-1]:+.2f}",
)

# %% [markdown]
# Reddi, Kale and Kumar (2018), from whom this problem is, asked whether Adam always finds the minimum of a convex
# problem, and found that it does not. When does it fail, and when not? The slopes do not depend on the weight. So after
# some periods $\hat m$ and $\hat s$ repeat themselves, and the movement over one period can be computed by a formula.
# On the left of the figure is the weight at the end of each of 1000 periods, at lr = 0.01. On the right is the movement
# over a period, in units of lr, for **all** $\beta_2$ and all periods at once: orange where Adam moves the wrong way,
# violet where it moves the right way. The large slope is always 10 times the period, so that the sum over a period
# is 10. The cross is your setting.
#
# The figure starts with a shorter period, 51. Which way does Adam move when the period becomes longer? Which $\beta_2$
# mends it? And what does $\beta_1$ change?


# %%
def mean_of_stream(beta, period, usual, rare):
    """The running mean of a stream that is `rare` once in a period and else `usual`, once it repeats itself: (period,)."""
    t = np.arange(period)
    return usual + (rare - usual) * (1 - beta) * beta**t / (1 - beta**period)


def movement(beta1, beta2, period):
    """How far Adam moves in one period, in units of lr: above 0 is the wrong way."""
    m = mean_of_stream(beta1, period, -10.0, 10.0 * period)
    s = mean_of_stream(beta2, period, 100.0, 100.0 * period**2)
    return float(-np.sum(m / np.sqrt(s)))


for beta2 in (0.99, 0.999, 0.9995, 0.9999):
    print(f"beta1 0.9, beta2 {beta2}, period 101: {movement(0.9, beta2, 101):+.3f} lr a period")


# %% tags=["folded"]
def wrong_figure():
    # Refutes: "Adam finds the minimum of every convex problem", and "its default settings are safe".
    # Map of section 6 of the sources: each column turns orange for long periods (Reddi et al.), each row blue for large beta2 (Zhang et al.).
    fig = LiveFigure("Which way does Adam move?", size=(900, 420))
    left, right = fig.subplots(1, 2)
    left.set(xlabel="period", ylabel="weight w at its end", xlim=(0, 1000), ylim=(-1.1, 1.1))
    left.axhline(-1, color="black", lw=1, ls="-", label="the minimum")
    log_gaps, periods = np.linspace(-4, -1, 46), np.arange(3, 304, 6)  # log10 of 1 - beta2, and the period
    t, long = np.arange(periods[-1]), periods[:, None]
    inside = t < long
    beta2s = 1 - 10 ** log_gaps[:, None, None]
    fade = np.where(inside, (1 - beta2s) * beta2s**t / (1 - beta2s**long), 0)
    weight = inside / np.sqrt(100.0 + (100.0 * long**2 - 100.0) * fade)  # 1 / root of s: (46, 51, 303)

    def whole_map(beta1):
        m = -10 + (10.0 * long + 10) * (1 - beta1) * beta1**t / (1 - beta1**long)
        return -np.einsum("gpt,pt->pg", weight, m)  # movement over a period: (periods, gaps)

    path, image, cross = fig.animate(
        left.plot([], [], lw=3, ls="-", label="Adam")[0],
        right.imshow(
            np.zeros((51, 46)),
            extent=(-4, -1, 0, 306),
            origin="lower",
            aspect="auto",
            cmap="PuOr_r",
            vmin=-0.5,
            vmax=0.5,
        ),
        right.plot([], [], "X", ms=13, color="white", mec="black", clip_on=False)[0],
    )
    fig.figure.legend(loc="outside lower center", ncols=2)
    right.set(xlabel="1 - beta2", ylabel="period", xticks=[-4, -3, -2, -1])
    right.set_xticklabels(["0.0001", "0.001", "0.01", "0.1"])
    fig.figure.colorbar(image, ax=right, label="movement / lr in a period", extend="both")
    drawn = {}

    @fig.control(
        period=Integer(3, 303, value=51, step=2, label="period"),
        gap=Slider(1e-4, 0.1, value=1e-3, log=True, step=0.05, label="1 - beta2"),
        beta1=Slider(0, 0.99, value=0.9, step=0.01, label="beta1"),
    )
    def _(period, gap, beta1):
        drift = movement(beta1, 1 - gap, period)
        counted = np.arange(1001)
        path.set_data(counted, np.clip(0.01 * drift * counted, -1, 1))
        if drawn.get("beta1") != beta1:
            drawn.update(beta1=beta1, values=whole_map(beta1))
            image.set_data(drawn["values"])
        cross.set_data([np.log10(gap)], [period])
        way = "away from the minimum" if drift > 0 else "towards the minimum"
        share = (drawn["values"] > 0).mean()
        return (
            f"Period {period}, slopes {10 * period} and -10, beta1 {beta1:.2f}, beta2 {1 - gap:.5g}: {drift:+.3f} lr a period, "
            f"{way}. Adam moves the wrong way in {share:.0%} of the map."
        )

    return fig


wrong = wrong_figure()
wrong

# %% [markdown]
# With the default settings, Adam moves the right way up to a period of 73 and the wrong way from 74 on. At 101, it
# moves by +0.105 lr in each period; with $\beta_2 = 0.9995$ by +0.003 and with 0.9999 by $-0.079$, the right way. A
# larger $\beta_1$ helps too: with $\beta_1 = 0.99$ and $\beta_2 = 0.999$ it is $-0.057$.
#
# Read the map in two ways. In each column, that is for each $\beta_2$, some period is long enough to mislead Adam:
# Reddi et al. proved that there is such a problem whenever $\beta_1 < \sqrt{\beta_2}$. In each row, that is for each
# fixed problem, a large enough $\beta_2$ mends it: this is what Zhang et al. (2022) proved under conditions of their
# own. **AMSGrad**, from the first paper, keeps the largest $s$ so far instead of the present one, and moves the right
# way on this stream.
#
# ## Exercises
#
# Each has a statement, a cell for your function, and a check below it that runs as soon as you run your cell.
#
# **How many steps?** Write `my_num_steps(kappa, with_momentum)`. It gets a condition number above 1 and True or False.
# It returns, as a number that need not be whole, the number of steps in which the distance to the minimum falls to a
# tenth at the best setting: at the rate $(\kappa - 1)/(\kappa + 1)$ without momentum, and with $\sqrt\kappa$ in place
# of $\kappa$ with it.


# %%
def my_num_steps(kappa, with_momentum):
    raise NotImplementedError("replace this line")


# %% tags=["folded"]
@exercise("How many steps to a tenth?", uses="my_num_steps", minutes=5, difficulty=1)
def num_steps_task(my_num_steps):
    rng = np.random.default_rng(5)
    for kappa in [100.0, *rng.uniform(2, 900, 4)]:
        for with_momentum in (False, True):
            k = math.sqrt(kappa) if with_momentum else kappa
            n = math.log(0.1) / math.log((k - 1) / (k + 1))
            other = kappa if with_momentum else math.sqrt(kappa)
            mistakes = {
                "With momentum sqrt(kappa) counts, without it kappa: these are exchanged, or one is used for both.": math.log(
                    0.1
                )
                / math.log((other - 1) / (other + 1)),
                "This is the convergence rate. After how many steps is its power a tenth?": (k - 1)
                / (k + 1),
                "The number of steps is positive: log of a tenth is negative, and so is log of the rate.": -n,
                "Turn the quotient over: n * log(rate) = log(1 / 10).": 1 / n,
                "A tenth is asked: this is where the distance has fallen to 1 / e.": n / math.log(10),
                "This is the number for half the distance.": n * math.log(2) / math.log(10),
                "Momentum does not halve the condition number, it takes the root.": math.log(0.1)
                / math.log((kappa / 2 - 1) / (kappa / 2 + 1)),
                "This is the approximation for large kappa; the rate itself is asked.": k
                / 2
                * math.log(10),
            }
            got = my_num_steps(kappa, with_momentum)
            check.close(got, n, name=f"my_num_steps({kappa:.4g}, {with_momentum})", mistakes=mistakes)


num_steps_task

# %% [markdown]
# <details><summary>Solution</summary>
#
# ```python
# def my_num_steps(kappa, with_momentum):
#     k = np.sqrt(kappa) if with_momentum else kappa
#     return np.log(0.1) / np.log((k - 1) / (k + 1))
# ```
#
# After n steps the distance is multiplied by the n-th power of the rate, and that must be a tenth.
# </details>
#
# **A learning rate for a wanted floor.** Write `my_lr_for_floor(floor, batch, variance)`. All three are positive
# numbers; `variance` is that of one example. It returns the constant learning rate whose noise floor, by the exact
# formula $\mathrm{lr}\,v / (2\,(2 - \mathrm{lr}))$ with $v$ = variance / batch, has this height.


# %%
def my_lr_for_floor(floor, batch, variance):
    raise NotImplementedError("replace this line")


# %% tags=["folded"]
@exercise("A learning rate for a wanted floor", uses="my_lr_for_floor", minutes=8, difficulty=2)
def floor_task(my_lr_for_floor):
    rng = np.random.default_rng(6)
    for batch in (1, 4, 32, 7):
        floor, variance = float(rng.uniform(0.005, 0.4)), float(rng.uniform(0.5, 3.0))
        v = variance / batch
        lr = 4 * floor / (v + 2 * floor)
        mistakes = {
            "This is the approximation for small lr. The exact formula has lr in the denominator too.": 4
            * floor
            / v,
            "The batch is left out: the variance of its mean is variance / batch.": 4
            * floor
            / (variance + 2 * floor),
            "The variance of a mean is variance / batch, not variance * batch.": 4
            * floor
            / (variance * batch + 2 * floor),
            "This is the floor of that lr, the other way round.": v * floor / (2 * (2 - floor)),
            "A sign: 4 floor - 2 floor lr = lr v.": 4 * floor / (v - 2 * floor)
            if v != 2 * floor
            else math.nan,
            "A factor of 2 is lost: 2 (2 - lr) is 4 - 2 lr.": 4 * floor / (v + floor),
        }
        got = my_lr_for_floor(floor, batch, variance)
        check.close(
            got, lr, name=f"my_lr_for_floor({floor:.4g}, {batch}, {variance:.4g})", mistakes=mistakes
        )


floor_task

# %% [markdown]
# <details><summary>Solution</summary>
#
# ```python
# def my_lr_for_floor(floor, batch, variance):
#     return 4 * floor / (variance / batch + 2 * floor)
# ```
#
# Solve floor = lr v / (2 (2 - lr)) for lr, with v = variance / batch.
# </details>
#
# **Clip a gradient.** A single huge gradient can throw a net far away. **Gradient clipping** (Pascanu, Mikolov and
# Bengio, 2013) shortens it. Write `my_clip(g, max_norm)`. `g` is an array of any shape, `max_norm` a positive number.
# Where the Euclidean norm of `g`, the root of the sum of all squares, is above `max_norm`, it returns an array of the
# same direction and shape whose norm is `max_norm`; otherwise it returns the numbers of `g` unchanged. A gradient of
# zeros stays zero. `g` itself is left as it is.


# %%
def my_clip(g, max_norm):
    raise NotImplementedError("replace this line")


# %% tags=["folded"]
@exercise("Clip a gradient by its norm", uses="my_clip", minutes=5, difficulty=1)
def clip_task(my_clip):
    rng = np.random.default_rng(7)
    for shape, max_norm, size in [
        ((2, 2), 0.7, 5.0),
        ((5,), 3.0, 40.0),
        ((3, 4), 2.5, 1.0),
        ((6,), 0.5, 0.3),
        ((4,), 1.0, 9.0),
    ]:
        g = rng.normal(size=shape)
        g *= size / np.linalg.norm(g)
        norm = np.sqrt((g**2).sum())
        expected = g * min(1.0, max_norm / norm)
        entry = np.clip(g, -max_norm, max_norm)
        mistakes = {
            "Short gradients stay as they are: only what is longer than max_norm is scaled.": g
            * max_norm
            / norm,
            "This shortens to a norm of 1, whatever max_norm is.": g / norm,
            "Each entry is cut by itself, and the direction changes. Scale all of g by one number.": entry,
            "The norm is the root of the sum of squares; the root is missing.": g
            * min(1.0, max_norm / norm**2),
            "The norm is taken of each row, not of the whole array.": g
            * np.minimum(1.0, max_norm / np.sqrt((g**2).sum(axis=-1, keepdims=True))),
            "This is the sum of absolute values, not the Euclidean norm.": g
            * min(1.0, max_norm / np.abs(g).sum()),
            "This is the largest entry, not the Euclidean norm.": g * min(1.0, max_norm / np.abs(g).max()),
            "max_norm is the wanted norm, not its square.": g * min(1.0, max_norm**2 / norm),
            "This is g as it came; nothing is shortened.": g.copy(),
        }
        given = g.copy()
        with check.unchanged(g=given):
            got = my_clip(given, max_norm)
        check.close(
            got, expected, name=f"my_clip(g, {max_norm}) for a g of norm {norm:.3g}", mistakes=mistakes
        )
    with np.errstate(all="ignore"):
        zero = my_clip(np.zeros(3), 1.0)
    check.close(zero, np.zeros(3), name="my_clip of a gradient of zeros")


clip_task

# %% [markdown]
# <details><summary>Solution</summary>
#
# ```python
# def my_clip(g, max_norm):
#     norm = np.sqrt((g**2).sum())
#     return g * max_norm / norm if norm > max_norm else g.copy()
# ```
#
# One number scales all of g, so its direction stays. A norm of zero is never divided by.
# </details>
#
# **Find the faults.** `mended_epoch` should go through all examples once, in an order that is drawn anew, and take one
# step for each mini-batch. It gets the weights `w`; the inputs `x`, whose rows are the examples; the labels `y`; a
# function `gradient(w, x, y)`; the batch size; a `rule(w, g, state, lr)` with its `state` and `lr`; and a random
# generator `rng`. It returns the new weights. It runs, the cost even falls, and two lines are wrong. Mend them, and
# leave `x` and `y` as they are.


# %%
def mended_epoch(w, x, y, gradient, batch, rule, state, lr, rng):
    order = rng.permutation(len(x))
    x = x[order]
    for i in range(0, len(x) - batch, batch):
        g = gradient(w, x[i : i + batch], y[i : i + batch])
        w = rule(w, g, state, lr)
    return w


# %% tags=["folded"]
@exercise("Find the faults in an epoch", uses="mended_epoch", minutes=10, difficulty=2)
def epoch_task(mended_epoch):
    for n, batch, seed in [(10, 4, 0), (12, 4, 1), (7, 7, 2), (9, 1, 3), (5, 8, 4)]:
        x, y = np.arange(n, dtype=float)[:, None], 100 + np.arange(n)
        seen, memory = [], {}

        def gradient(w, x, y, seen=seen):
            seen.append((np.array(x)[:, 0], np.array(y)))
            return np.ones(2)

        def rule(w, g, state, lr):
            state["steps"] = state.get("steps", 0) + 1
            return w - lr * g

        with check.unchanged(x=x, y=y):
            w = mended_epoch(
                np.zeros(2), x, y, gradient, batch, rule, memory, 0.5, np.random.default_rng(seed)
            )
        sizes = [len(labels) for _, labels in seen]
        numbers = np.concatenate([inputs for inputs, _ in seen]) if seen else np.zeros(0)
        labels = np.concatenate([labels for _, labels in seen]) if seen else np.zeros(0)
        wanted = [min(batch, n - i) for i in range(0, n, batch)]
        if len(numbers) == len(labels) and not np.array_equal(numbers + 100, labels):
            raise check.CheckError(
                "value",
                "an input meets another example's label",
                "Inputs and labels must be put into the same order.",
            )
        if sizes != wanted:
            hint = (
                "The last batch may be smaller, and it is left out."
                if sum(sizes) < n
                else "Each example is used once."
            )
            raise check.CheckError(
                "value",
                f"with {n} examples and batches of {batch} the batches have the sizes {sizes}, not {wanted}",
                hint,
            )
        if sorted(numbers) != list(range(n)):
            raise check.CheckError(
                "value",
                "some examples come twice and others never",
                "The order is a permutation: each example once.",
            )
        if n > 5 and batch < n and np.array_equal(numbers, np.arange(n)):
            raise check.CheckError(
                "value",
                "the examples come in the order in which they stand",
                "Draw the order anew, with rng.",
            )
        if memory.get("steps") != len(wanted):
            raise check.CheckError(
                "value",
                "the rule's memory does not last through the epoch",
                "Hand the same state to the rule at each step.",
            )
        check.close(w, np.full(2, -0.5 * len(wanted)), name="the weights after the epoch")


epoch_task

# %% [markdown]
# <details><summary>Solution</summary>
#
# ```python
# def mended_epoch(w, x, y, gradient, batch, rule, state, lr, rng):
#     order = rng.permutation(len(x))
#     x, y = x[order], y[order]
#     for i in range(0, len(x), batch):
#         g = gradient(w, x[i : i + batch], y[i : i + batch])
#         w = rule(w, g, state, lr)
#     return w
# ```
#
# The labels stayed in their old order, so that most inputs had the label of another example. And the range ended too
# early: with 10 examples and batches of 4 the last two were never used, with 12 the last four.
# </details>
#
# **Beat the valley.** Write a rule `my_fast(w, g, state, lr)` and set `my_lr`, such that it brings Rosenbrock's valley
# below a loss of $10^{-15}$ at some step within 500, from $(-1.2, 1)$ and from three other starts near it, which the
# check draws. The whole valley is also moved, so that a rule that knows where the minimum lies does not pass. `w` and
# `g` are arrays of shape (2,).


# %%
def my_fast(w, g, state, lr):
    raise NotImplementedError("replace this line")


my_lr = 0.001


# %% tags=["folded"]
@exercise("Beat the valley", uses="my_fast", minutes=45, difficulty=3)
def fast_task(my_fast):
    rng = np.random.default_rng(8)
    for trial in range(4):
        start = np.array([-1.2, 1.0]) + (rng.uniform(-0.1, 0.1, 2) if trial else 0)
        move = rng.uniform(-0.5, 0.5, 2) if trial else np.zeros(2)
        with np.errstate(all="ignore"):  # a rule may diverge
            path = optimize(
                my_fast, lambda w, move=move: rosenbrock_grad(w - move), start + move, 500, my_lr
            )
            check.shape(path, (501, 2), name="the path")
            lowest = float(np.nanmin(rosenbrock(path - move)))
        if not lowest < 1e-15:
            hint = (
                "Without momentum the bent valley is too long."
                if lowest > 0.02
                else "What does momentum do when it has gone too far, and how could the rule notice?"
            )
            raise check.CheckError(
                "value", f"the lowest loss in 500 steps from {np.round(start, 2)} is {lowest:.2g}", hint
            )


fast_task

# %% [markdown]
# <details><summary>Solution</summary>
#
# ```python
# def my_fast(w, g, state, lr):
#     v = state.get("v", 0)
#     v = 0.99 * v + g if np.sum(v * g) >= 0 else g  # uphill: forget the past
#     state["v"] = v
#     return w - lr * v
#
#
# my_lr = 0.0013
# ```
#
# A long memory, thrown away whenever it leads uphill (O'Donoghue and Candès, 2015). There are others.
# </details>
#
# ## In five lines
#
# 1. The gradient is local: it tells in which direction the cost falls here, and nothing about other valleys.
# 2. Gradient descent converges below the learning rate 2 / (largest curvature), with momentum below $2(1 + \beta)$ /
#    (largest curvature). At the best setting the number of steps grows with $\kappa$ without momentum, and with
#    $\sqrt\kappa$ with it.
# 3. AdaGrad, RMSprop and Adam divide each weight's step by the size of its own gradients. How well AdaGrad and RMSprop
#    work depends on how the axes lie, and for Adam the learning rate that works does.
# 4. Mini-batches at a constant learning rate leave a noise floor of about $\mathrm{lr}\,\sigma^2 / 4B$. Smaller steps,
#    larger batches or a schedule lower it.
# 5. A net is trained by one of these rules on mini-batches, with its learning rate chosen on validation data, and
#    watched on both curves.
#
# **New words**: gradient descent, learning rate, converge, diverge, curvature, convergence rate, gradient, Hessian,
# mode, condition number, momentum, velocity, AdaGrad, RMSprop, Adam, AdamW, stochastic gradient descent, mini-batch,
# epoch, noise floor, schedule, warm-up, dead ReLU, L2 regularisation, weight decay, gradient clipping, AMSGrad.
#
# **Homework 1** asks for momentum, RMSprop and Adam, and for a training loop with shuffling and early stopping.
#
# ## Appendix (optional): two more rules, and a race
#
# **Nesterov's** rule (1983) is momentum that looks one step ahead: it moves by what the velocity would become after one
# more gradient like the present one. **AdaDelta** (Zeiler, 2012) divides by a running root mean square of past
# gradients, as RMSprop does, and multiplies by a running root mean square of its own past steps, so that its step has
# the unit of a weight. Its learning rate is a factor on that, and is usually 1.


# %%
def nesterov(w, g, state, lr, beta=0.9):
    v = state["v"] = beta * state.get("v", 0) + g
    return w - lr * (g + beta * v)


def adadelta(w, g, state, lr, rho=0.9, eps=1e-6):
    s = state["s"] = rho * state.get("s", 0) + (1 - rho) * g**2
    u = state.get("u", 0)  # mean square of its own past steps
    step = np.sqrt(u + eps) / np.sqrt(s + eps) * g
    state["u"] = rho * u + (1 - rho) * step**2
    return w - lr * step


ALL_RULES = {**RULES, "nesterov": nesterov, "adadelta": adadelta}
MORE_TORCH = {
    "nesterov": (1e-3, lambda p: torch.optim.SGD(p, lr=1e-3, momentum=0.9, nesterov=True)),
    "adadelta": (1.0, lambda p: torch.optim.Adadelta(p, lr=1.0)),
}
for name, (lr, make) in MORE_TORCH.items():
    ours = optimize(ALL_RULES[name], rosenbrock_grad, [-1.2, 1.0], 100, lr)
    theirs = torch_path(make, [-1.2, 1.0], 100)
    check.close(ours, theirs, rtol=1e-9, atol=1e-9, name=name)
    print(f"{name:9s} largest difference from torch over 100 steps: {np.abs(ours - theirs).max():.1e}")

# %% [markdown]
# Five surfaces, in two weights so that they can be drawn. Each rule runs at its own best of 46 learning rates from
# 0.0001 to 1000 for 100 steps on that surface; switch that off, and all run at the learning rate of the slider, which
# is also that of your own rule. One of the surfaces has a **saddle**: a point of zero gradient from which the ground
# falls to two sides and rises to the two others.

# %%
SURFACES = {  # f with lowest value 0, its gradient, start, box
    "narrow valley": (valley, lambda w: w * valley_curvatures, [-3.5, 1.0], [-4, 4, -1.6, 1.6]),
    "round bowl": (lambda w: (w**2).sum(-1) / 2, lambda w: w, [-3.0, 2.0], [-4, 4, -3, 3]),
    "saddle": (
        lambda w: w[..., 0] ** 2 / 2 - w[..., 1] ** 2 / 2 + w[..., 1] ** 4 / 16 + 1,
        lambda w: np.stack([w[..., 0], -w[..., 1] + w[..., 1] ** 3 / 4], axis=-1),
        [-3.0, 1e-3],
        [-3.5, 3.5, -3, 3],
    ),
    "Rosenbrock": (rosenbrock, rosenbrock_grad, [-1.2, 1.0], [-1.8, 1.8, -0.6, 2.2]),
    "two minima": (
        lambda w: loss(w[..., 0]) - loss(-2.33005874) + w[..., 1] ** 2 / 2,
        lambda w: np.stack([slope(w[..., 0]), w[..., 1]], axis=-1),
        [3.0, 2.0],
        [-3.6, 3.6, -2.6, 2.6],
    ),
}
RACE_LRS = np.logspace(-4, 3, 46)


def tuned_on(step, surface, num_steps=100):
    """The best of RACE_LRS after num_steps."""
    f, grad, start, _ = SURFACES[surface]
    with np.errstate(all="ignore"):
        runs = optimize(step, grad, np.tile(start, (len(RACE_LRS), 1)), num_steps, RACE_LRS[:, None])
        return best_lr(f(runs[-1]), RACE_LRS)


BEST = {
    (name, surface): tuned_on(step, surface) for name, step in ALL_RULES.items() for surface in SURFACES
}

# %% tags=["folded"]
predict(
    "On the saddle, put the start exactly on the ridge, w2 = 0, where the slope along w2 is zero. Who leaves the ridge?",
    choices={
        "adam and rmsprop, which enlarge small slopes": "They divide the slope by its own size, and 0 / 0 is 0 here, by eps. An exact zero stays zero.",
        "momentum and nesterov, by their velocity": "Along w2 there has never been a gradient, so the velocity is zero there.",
        "none of them": True,
    },
    because="Each rule multiplies, averages or divides the slope along w2, and that slope is exactly 0 at every step.",
    then=lambda: (
        "largest |w2| in 500 steps at lr 0.05: "
        + ", ".join(
            f"{name} {np.abs(optimize(step, SURFACES['saddle'][1], [-3.0, 0.0], 500, 0.05)[:, 1]).max():.0f}"
            for name, step in ALL_RULES.items()
        )
    ),
)


# %% tags=["folded"]
def race_figure():
    # Refutes: "there is a best optimizer", and "an adaptive rule needs no learning rate".
    fig = LiveFigure("The race", size=(900, 480))
    ground, losses = fig.subplots(1, 2)
    losses.set(yscale="log", xlim=(0, 104), ylim=(3e-13, 1e4), xlabel="step", ylabel="loss")
    trails, curves = Trails(fig, ground, EVERYBODY), Trails(fig, losses, EVERYBODY)
    fig.figure.legend(*losses.get_legend_handles_labels(), loc="outside lower center", ncols=4)
    drawn = {"surface": None, "contours": None, "key": None, "paths": {}}

    def show_ground(surface):
        """Replace the contour lines when the surface changes."""
        if drawn["surface"] != surface:
            if drawn["contours"] is not None:
                drawn["contours"].remove()
            f, _, _, box = SURFACES[surface]
            drawn.update(surface=surface, contours=contours(ground, f, box))
            ground.set(xlabel="weight w1", ylabel="weight w2", title=surface)

    def paths_of(surface, each_best, lr):
        """All runs on a surface, kept until a control other than the step changes."""
        if drawn["key"] != (surface, each_best, lr):
            _, grad, start, _ = SURFACES[surface]
            runs = {
                name: optimize(s, grad, start, 100, BEST[name, surface] if each_best else lr)
                for name, s in ALL_RULES.items()
            }
            drawn.update(key=(surface, each_best, lr), paths=runs)
        return dict(drawn["paths"])

    @fig.control(
        surface=Choice(list(SURFACES)),
        step=Integer(0, 100, value=20),
        each_best=Switch(True, label="each at its best learning rate"),
        lr=Slider(1e-4, 3, value=0.02, log=True, step=0.1, label="learning rate lr"),
        own=Function("my_optimizer"),
    )
    def _(surface, step, each_best, lr, own):
        f, grad, start, box = SURFACES[surface]
        show_ground(surface)
        with np.errstate(all="ignore"):
            runs = paths_of(surface, each_best, lr)
            with own.shown(*trails.artists("yours"), *curves.artists("yours")):
                runs["yours"] = optimize(own, grad, start, step, lr)
            heights = {name: np.maximum(f(path[: step + 1]), 1e-12) for name, path in runs.items()}
        outside = []
        for name, path in runs.items():
            x, y = path[: step + 1].T
            trails.show(name, x, y)
            curves.show(name, np.arange(step + 1), heights[name])
            if not (box[0] <= x[-1] <= box[1] and box[2] <= y[-1] <= box[3]):
                outside.append(name)
        now = {name: np.nan_to_num(height[-1], nan=np.inf) for name, height in heights.items()}
        rates = {name: BEST.get((name, surface), lr) if each_best else lr for name in now}
        order = ", ".join(f"{n} {in_words(now[n])} (lr {rates[n]:.2g})" for n in sorted(now, key=now.get))
        gone = f" Outside of the map: {', '.join(outside)}." if outside else ""
        return f"After {step} steps, best first: {order}.{gone}"

    return fig


race = race_figure()
race

# %% [markdown]
# No rule is first on all five surfaces. In a net, the noise of the data moves the weights off an exact ridge. What
# saddles do cost is time, for the slope around them is small; Dauphin et al. (2014) argue and measure that in high
# dimension most points of zero gradient and high cost are saddles.
#
# ## Sources
#
# The skier, batches and epochs: George Chen, CMU 95-865, wrap-up lecture. The list of optimizers: Stanford CS221,
# lecture 18 (2020). Robbins and Monro (1951), A stochastic approximation method. Polyak (1964), Some methods of
# speeding up the convergence of iteration methods. Nesterov (1983), A method of solving a convex programming problem
# with convergence rate O(1/k²). Duchi, Hazan and Singer (2011), Adaptive subgradient methods. Tieleman and Hinton
# (2012), Lecture 6.5: RMSprop. Zeiler (2012), ADADELTA. Pascanu, Mikolov and Bengio (2013), On the difficulty of
# training recurrent neural networks. Dauphin et al. (2014), Identifying and attacking the saddle point problem. Kingma
# and Ba (2015), Adam. He et al. (2015), Delving deep into rectifiers. O'Donoghue and Candès (2015), Adaptive restart
# for accelerated gradient schemes. Goyal et al. (2017), Accurate, large minibatch SGD. Wilson et al. (2017), The
# marginal value of adaptive gradient methods. Reddi, Kale and Kumar (2018), On the convergence of Adam and beyond.
# Loshchilov and Hutter (2019), Decoupled weight decay regularization. Zhang et al. (2022), Adam can converge without
# any modification on update rules. Goodfellow, Bengio and Courville (2016), *Deep Learning*, chapters 4 and 8.
#
# Goh (2017), [Why Momentum Really Works](https://distill.pub/2017/momentum) (Distill), is the treatment of momentum
# that our section on modes follows. There, too, the controls move a path. Here you can change the condition number, see
# the best pair of lr and $\beta$ for it, and write the rule that is drawn.
