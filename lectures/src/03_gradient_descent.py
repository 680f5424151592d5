# ---
# title: Gradient descent
# question: How does a net find its weights?
# homework: hw1
# ---

# %% [markdown]
# After this lecture you can
#
# 1. say which way a weight moves, and how far, from one slope and a learning rate;
# 2. compute, from curvatures alone, which learning rates settle and how many steps one more digit takes;
# 3. write SGD, momentum and Adam from memory, and say what Nesterov, AdaGrad, RMSprop and AdaDelta change;
# 4. compute how far from the minimum the noise of mini-batches leaves you, and choose a learning rate or a schedule for it;
# 5. show a convex problem on which Adam walks away from the minimum.
#
# **You need** derivatives, eigenvalues of symmetric matrices, NumPy. For the last third it helps to have seen softmax
# regression (lecture 02). **Time**: two hours, and one more for the exercises; all cells together run in about 20
# seconds. Click a slider, then use the arrow keys.

# %% tags=["setup"]
import time
from functools import partial

import matplotlib as mpl
import numpy as np
import torch
from IPython.display import display, update_display

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
# ## A skier in fog
#
# Give a network a single weight $w$. Its loss $L(w)$ is then a curve, and training is a skier who looks for the lowest
# point in thick fog. The **slope** under the skis can be felt. Nothing else can be seen.
#
# Move the skier. Watch the sign of the slope, and the side on which the ground goes down.


# %%
def loss(w):
    return w**4 / 20 - w**2 / 2 + w / 5 + 1.5


def slope(w):
    return w**3 / 5 - w + 1 / 5


# %%
def where_figure():
    # Refutes: "the slope tells where the lowest point is". It is steep at -3.2 and at 3.2, and says nothing of the other valley.
    fig = LiveFigure("Where is down?", xlabel="weight w", ylabel="loss L(w)")
    w = np.linspace(-3.6, 3.6, 400)
    fig.ax.plot(w, loss(w), color="black")
    skier, tangent = fig.animate(fig.ax.plot([], [], "o", ms=14)[0], fig.ax.plot([], [], "--")[0])

    @fig.control(position=Slider(-3.5, 3.5, value=-1.0, step=0.1))
    def _(position):
        near = position + np.array([-0.7, 0.7])
        skier.set_data([position], [loss(position)])
        tangent.set_data(near, loss(position) + slope(position) * (near - position))
        side = "to the right" if slope(position) < 0 else "to the left"
        return f"At w = {position:.1f} the slope is {slope(position):+.3f}, so down is {side}."

    return fig


where = where_figure()
where

# %% [markdown]
# Where the slope is negative, down is to the right; where it is positive, down is to the left. Both are the same rule:
# **move against the slope**. How far? In proportion to it, times a number that we choose, the learning rate:
#
# $$w \leftarrow w - \mathrm{lr}\, L'(w)
# \qquad L(w) = \tfrac{1}{20}w^4 - \tfrac12 w^2 + \tfrac15 w + \tfrac32
# \qquad L'(w) = \tfrac15 w^3 - w + \tfrac15$$


# %%
def descend(w, slope, lr, num_steps):
    """Positions of gradient descent from w, (num_steps + 1,); one more axis for many w or lr."""
    path = [np.asarray(w, dtype=float) * np.ones_like(lr)]  # one skier for each learning rate
    for _ in range(num_steps):
        path.append(path[-1] - lr * slope(path[-1]))
    return np.array(path)


# %% tags=["folded"]
predict(
    "The skier starts at w = 1 with lr = 0.3 and takes 30 steps. Where does it come to rest?",
    choices={
        "at w = -2.33, the lowest point of all": "The slope at 1 is -0.6, so the first step goes right, and so do the next. Nothing "
        "ever pulls the skier back over the hill, which it cannot see.",
        "at w = 0.20, on top of the hill": "The slope is zero there, but the smallest push away from it grows with every step.",
        "at w = 2.13, in the nearer valley": True,
    },
    because="The loss there is 0.69. The other valley goes down to -0.21, and from inside the fog there is no sign of it.",
    then=lambda: float(descend(1.0, slope, lr=0.3, num_steps=30)[-1]),
)

# %% [markdown]
# Now the whole run. What matters besides the slope is how fast it changes, the **curvature**
# $L''(w) = \tfrac35 w^2 - 1$: it is 1.72 at the right-hand minimum and 2.26 at the left-hand one.
#
# On the left of the figure are the skier's steps. On the right is **where it ends, for every learning rate at once**: the last 60 of
# 400 positions, from the same start. One dot above a learning rate means that it settles there, two that it jumps to and
# fro for ever, many that it wanders, none that the numbers overflowed. Find three values before you read on:
#
# 1. at lr = 0.3, the start at which the skier first ends in the *other* valley;
# 2. from start 1, the learning rate from which it jumps from side to side of the valley while it settles;
# 3. from start 1, the learning rate above which it never settles.


# %%
def describe_end(path, loss=loss):
    """Where a run ends, in words."""
    last = path[-60:]
    if not (np.abs(last) < 1e6).all():
        return "The numbers overflow: the skier has left the mountains."
    places = np.unique(np.round(last, 2))
    if np.ptp(last) < 0.02:
        return f"It settles at w = {last[-1]:.2f}, where the loss is {loss(last[-1]):.2f}."
    if len(places) <= 8:
        listed = ", ".join(f"{place:.2f}" for place in places)
        return f"It never settles: it visits {len(places)} places in turn, {listed}."
    return f"It never settles: it wanders between {places.min():.2f} and {places.max():.2f}."


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

    @fig.control(start=Slider(-3.2, 3.2, value=1.0, step=0.05), lr=Slider(0.02, 2.0, value=0.3, step=0.02))
    def _(start, lr):
        with np.errstate(
            over="ignore", invalid="ignore"
        ):  # large learning rates overflow, and that is the lesson
            path = descend(start, slope, lr, 400)
            last = descend(start, slope, all_lrs, 400)[-60:]
        shown = path[:40]
        steps.set_data(shown, loss(np.clip(shown, -4, 4)))
        ends.set_data(np.broadcast_to(all_lrs, last.shape).ravel(), last.ravel())
        here.set_xdata([lr, lr])
        return describe_end(path)

    return fig


run = run_figure()
run

# %% [markdown]
# The three values are 0.20, the top of the hill; 0.58; and 1.16. The last two are $1/1.72$ and $2/1.72$. Why? Close to a
# minimum $w^*$ the slope is nearly $L''(w^*)\,(w - w^*)$, so one step multiplies the distance to the minimum by a fixed
# factor:
#
# $$w_{t+1} - w^* \approx \bigl(1 - \mathrm{lr}\,L''(w^*)\bigr)\,(w_t - w^*)$$
#
# The distance shrinks while that factor lies between $-1$ and $1$. Between 0 and 1 the skier slides down one side. Between
# $-1$ and 0 it lands on the other side each time. This is a statement about the neighbourhood of the minimum: further out
# the quartic is steeper, and lr = 1.1 from $w = 3$ throws the skier across into the left-hand valley, where the curvature is larger and
# it cannot settle.

# %% tags=["folded"]
predict_number(
    "In the left-hand valley the curvature is 2.26. Above which learning rate does the skier no longer settle there?",
    answer=2 / 2.26,
    tolerance=0.01,
    hints=[
        (
            0.43,
            0.455,
            "That is where it starts to overshoot, 1 over the curvature: it jumps from side to side and still settles.",
        ),
        (
            1.1,
            1.2,
            "That is the limit of the other valley. The limit depends on the curvature where you are.",
        ),
        (
            2.2,
            2.3,
            "That is the curvature itself. The steeper the bowl, the smaller the step must be.",
        ),
    ],
    because="It is 2 / 2.26 = 0.885. There the factor 1 - lr * curvature reaches -1.",
    then=lambda: " ".join(
        f"At lr {lr}: {describe_end(descend(-2.0, slope, lr, 2000))}" for lr in (0.88, 0.90)
    ),
)

# %% [markdown]
# **Your own mountain.** Write any loss you like below and run the cell. The figure takes your function by its name and
# measures the slope by a small difference, so you need no derivative. Can you build a valley that lr = 0.3 cannot settle in?


# %%
def my_loss(w):
    return 1 + 0.1 * w**2 + 0.3 * np.sin(3 * w)


# %% tags=["folded"]
def mountain_figure():
    # Refutes: "gradient descent finds the valley that it starts in". With a large step it leaps over narrow ones.
    fig = LiveFigure("Your mountain beside the skier's", xlabel="weight w", ylabel="loss")
    w = np.linspace(-3.6, 3.6, 400)
    fig.ax.plot(w, loss(w), color="0.6", label="the skier's")
    fig.ax.set_ylim(-0.6, 5)
    reference, mine, my_steps = fig.animate(
        fig.ax.plot([], [], "o-", color="0.6", lw=1)[0],
        fig.ax.plot([], [], color=OKABE_ITO["red"], ls="-", label="yours")[0],
        fig.ax.plot([], [], "s-", color=OKABE_ITO["red"], lw=1)[0],
    )
    fig.ax.legend(loc="upper center")

    @fig.control(
        start=Slider(-3.2, 3.2, value=-2.5, step=0.1),
        lr=Slider(0.02, 1.5, value=0.3, step=0.02),
        own=Function("my_loss"),
    )
    def _(start, lr, own):
        path = descend(start, slope, lr, 200)
        reference.set_data(path, loss(np.clip(path, -4, 4)))
        text = f"The skier's mountain: {describe_end(path)}"
        with own.shown(mine, my_steps), np.errstate(all="ignore"):
            mine.set_data(w, own.on(w))
            path = descend(start, lambda x: (own.on(x + 1e-5) - own.on(x - 1e-5)) / 2e-5, lr, 200)
            inside = np.where(np.abs(path) < 4, path, np.nan)
            my_steps.set_data(inside, own.on(inside))
            text += f" Yours: {describe_end(path, own.on)}"
        return text

    return fig


mountain = mountain_figure()
mountain

# %% [markdown]
# ## Many weights: seven rules for one step
#
# A net has millions of weights. The slope becomes a vector, the gradient $\mathbf{g} = \nabla L(\mathbf{w})$, with one slope
# for each weight. The rule stays: $\mathbf{w} \leftarrow \mathbf{w} - \mathrm{lr}\,\mathbf{g}$. Everything that carries another
# name changes one of two things: **which direction** is averaged over past steps, or **how large a step** each weight gets.
#
# Each rule below is one function: weights and gradient in, new weights out, memory in `state`.


# %%
def sgd(w, g, state, lr):
    return w - lr * g


def momentum(w, g, state, lr, beta=0.9):
    v = state["v"] = beta * state.get("v", 0) + g  # a fading sum: 10 times g while all agree
    return w - lr * v


def nesterov(w, g, state, lr, beta=0.9):
    v = state["v"] = beta * state.get("v", 0) + g
    return w - lr * (g + beta * v)  # the sum as it would be after one more gradient like this


# %% [markdown]
# Polyak (1964) gave the step a memory. Nesterov (1983) looks one step ahead: it moves by what the sum will be if the next
# gradient is like this one, so it slows down before the bottom instead of after it. The next three divide by the size of past gradients
# instead, for each weight on its own, so that a weight with small gradients moves as far as one with large ones. That has a
# price: the step no longer knows how long it should be. AdaDelta takes the length of its own past steps as the measure,
# which is why its learning rate is usually left at 1.


# %%
def adagrad(w, g, state, lr, eps=1e-10):
    s = state["s"] = state.get("s", 0) + g**2  # grows for ever, so steps shrink for ever
    return w - lr * g / (np.sqrt(s) + eps)


def rmsprop(w, g, state, lr, alpha=0.99, eps=1e-8):
    s = state["s"] = alpha * state.get("s", 0) + (1 - alpha) * g**2  # forgets, so steps need not shrink
    return w - lr * g / (np.sqrt(s) + eps)


def adadelta(w, g, state, lr, rho=0.9, eps=1e-6):
    s = state["s"] = rho * state.get("s", 0) + (1 - rho) * g**2
    u = state.get("u", 0)  # mean square of its own past steps
    step = np.sqrt(u + eps) / np.sqrt(s + eps) * g
    state["u"] = rho * u + (1 - rho) * step**2
    return w - lr * step


# %% [markdown]
# Duchi, Hazan and Singer (2011); Tieleman and Hinton (2012); Zeiler (2012). Adam (Kingma and Ba, 2015) does both, averages the
# direction and divides by the size. Both averages start at zero and are too small at first, so it divides by what is missing:


# %%
def adam(w, g, state, lr, beta1=0.9, beta2=0.999, eps=1e-8):
    t = state["t"] = state.get("t", 0) + 1
    m = state["m"] = beta1 * state.get("m", 0) + (1 - beta1) * g
    s = state["s"] = beta2 * state.get("s", 0) + (1 - beta2) * g**2
    return w - lr * (m / (1 - beta1**t)) / (np.sqrt(s / (1 - beta2**t)) + eps)


OPTIMIZERS = {f.__name__: f for f in (sgd, momentum, nesterov, adagrad, rmsprop, adadelta, adam)}


def optimize(step, grad, w, num_steps, lr):
    """Positions of an optimizer, (num_steps + 1, ...), from w of shape (...)."""
    state, path = {}, [np.asarray(w, dtype=float)]
    for _ in range(num_steps):
        path.append(np.array(step(path[-1].copy(), grad(path[-1]), state, lr)))  # in-place rules too
    return np.array(path)


# %% [markdown]
# Are these really the optimizers that everybody uses? Run each beside `torch.optim` for 100 steps in float64 on Rosenbrock's
# valley and look at the largest difference of any coordinate at any step.


# %%
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


TORCH = {
    "sgd": (1e-3, lambda p: torch.optim.SGD(p, lr=1e-3)),
    "momentum": (1e-3, lambda p: torch.optim.SGD(p, lr=1e-3, momentum=0.9)),
    "nesterov": (1e-3, lambda p: torch.optim.SGD(p, lr=1e-3, momentum=0.9, nesterov=True)),
    "adagrad": (0.5, lambda p: torch.optim.Adagrad(p, lr=0.5)),
    "rmsprop": (0.01, lambda p: torch.optim.RMSprop(p, lr=0.01)),
    "adadelta": (1.0, lambda p: torch.optim.Adadelta(p, lr=1.0)),
    "adam": (0.1, lambda p: torch.optim.Adam(p, lr=0.1)),
}
for name, (lr, make) in TORCH.items():
    ours = optimize(OPTIMIZERS[name], rosenbrock_grad, [-1.2, 1.0], 100, lr)
    theirs = torch_path(make, [-1.2, 1.0], 100)
    check.close(ours, theirs, rtol=1e-9, atol=1e-9, name=name)
    print(f"{name:9s} largest difference from torch over 100 steps: {np.abs(ours - theirs).max():.1e}")

# %% [markdown]
# ## A race
#
# Five surfaces, in two weights so that they can be drawn. The learning rate of each runner is **its own best** of 31 tried on
# that surface for 100 steps, because one learning rate for all would decide the race. Scrub through the steps; then switch to one learning
# rate for all and see the order change. The slider lr is that common rate, and always the rate of your own rule.
#
# Your rule runs along: change `my_optimizer` in the cell below, run that cell, and it starts beside the others. Two things to
# look for. On the narrow valley AdaGrad and RMSprop are far ahead: the valley lies along an axis, and dividing each coordinate by its
# own size makes it round. On Rosenbrock's bent valley nobody is.

# %%
SURFACES = {  # f with lowest value 0, its gradient, start, box
    "round bowl": (lambda w: (w**2).sum(-1) / 2, lambda w: w, [-3.0, 2.0], [-4, 4, -3, 3]),
    "narrow valley": (
        lambda w: (w**2 * [1, 50]).sum(-1) / 2,
        lambda w: w * [1, 50],
        [-3.5, 1.0],
        [-4, 4, -1.6, 1.6],
    ),
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
LRS = np.logspace(-4, 2, 31)[:, None]  # (31, 1): one run of the formulas tries them all


def best_lr(step, surface, num_steps=100):
    """The learning rate with the smallest loss after num_steps."""
    f, grad, start, _ = SURFACES[surface]
    with np.errstate(all="ignore"):
        last = f(optimize(step, grad, np.tile(start, (len(LRS), 1)), num_steps, LRS)[-1])
    return float(LRS[np.nanargmin(np.where(np.isfinite(last), last, np.nan)), 0])


BEST = {
    (name, surface): best_lr(step, surface) for name, step in OPTIMIZERS.items() for surface in SURFACES
}


EVERYBODY = [*OPTIMIZERS, "yours"]  # in the order of their colours, the same in all figures


def in_words(height):
    """A loss for the readout."""
    return "diverged" if height > 1e6 else "0" if height <= 1e-12 else f"{height:.2g}"


# %%
def my_optimizer(w, g, state, lr):
    return w - lr * np.sign(g)  # only the sign of each slope counts: change this line


# %% tags=["folded"]
def race_figure():
    # Refutes: "there is a best optimizer", and "an adaptive method needs no learning rate".
    fig = LiveFigure("The race", size=(900, 460))
    ground, losses = fig.subplots(1, 2)
    losses.set(yscale="log", xlim=(0, 104), ylim=(1e-8, 1e4), xlabel="step", ylabel="loss")
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

    def paths_of(surface, each_best, lr, own):
        """All runs on a surface, kept until a control other than the step changes."""
        key = (surface, each_best, lr, own.function)
        if drawn["key"] != key:
            _, grad, start, _ = SURFACES[surface]
            runs = {
                name: optimize(s, grad, start, 100, BEST[name, surface] if each_best else lr)
                for name, s in OPTIMIZERS.items()
            }
            drawn.update(key=key, paths=runs)
        return dict(drawn["paths"])

    @fig.control(
        surface=Choice(list(SURFACES), value="narrow valley"),
        step=Integer(0, 100, value=20),
        each_best=Switch(True, label="each at its best learning rate"),
        lr=Slider(
            1e-4,
            3,
            value=0.02,
            log=True,
            step=0.1,
            label="lr",
        ),
        own=Function("my_optimizer"),
    )
    def _(surface, step, each_best, lr, own):
        f, grad, start, _ = SURFACES[surface]
        show_ground(surface)
        with np.errstate(all="ignore"):
            runs = paths_of(surface, each_best, lr, own)
            with own.shown(*trails.artists("yours"), *curves.artists("yours")):
                runs["yours"] = optimize(own, grad, start, step, lr)
            heights = {name: np.maximum(f(path[: step + 1]), 1e-12) for name, path in runs.items()}
        for name, path in runs.items():
            trails.show(name, path[: step + 1, 0], path[: step + 1, 1])
            curves.show(name, np.arange(step + 1), heights[name])
        now = {name: np.nan_to_num(height[-1], nan=np.inf) for name, height in heights.items()}
        order = ", ".join(f"{name} {in_words(now[name])}" for name in sorted(now, key=now.get))
        return f"After {step} steps, best first: {order}."

    return fig


race = race_figure()
race


# %%
def steps_to_leave(name):
    """Steps until a runner that starts next to the ridge of the saddle is far from it."""
    lr = 1.0 if name == "adadelta" else 0.05
    path = optimize(OPTIMIZERS[name], SURFACES["saddle"][1], [-3.0, 1e-6], 3000, lr)
    return int(np.argmax(np.abs(path[:, 1]) > 1))


# %% tags=["folded"]
predict(
    "On the saddle, put the start exactly on the ridge, w2 = 0, where all runners can go down only along w1. Who leaves the ridge?",
    choices={
        "adam and rmsprop, which enlarge small slopes": "They divide the slope by its own size, and 0 / 0 is 0 here (that is what "
        "eps is for). An exact zero stays zero.",
        "momentum and nesterov, by their inertia": "Inertia continues a movement. Along w2 there has never been one.",
        "nobody": True,
    },
    because="Each rule multiplies, averages or divides the slope along w2, and that slope is exactly 0. From w2 = 0.000001 "
    "everybody leaves, and the four that divide by the size of the slope leave first.",
    then=lambda: (
        "steps until |w2| > 1 from w2 = 0.000001, at lr 0.05 (AdaDelta: 1): "
        + ", ".join(f"{name} {steps_to_leave(name)}" for name in OPTIMIZERS)
    ),
)

# %% [markdown]
# In real nets the noise of the data takes the place of that 0.000001, so an exact ridge is not what stops training. What
# saddles do cost is time: the slope around them is small. In high dimension nearly all points of zero slope and high
# loss are saddles, not minima, as Dauphin et al. (2014) argue and measure.
#
# ## Why the narrow valley is slow
#
# Near a minimum a smooth loss is a quadratic, $L(\mathbf{w}) = \tfrac12 \mathbf{w}^\top \mathbf{A}\,\mathbf{w}$, with a symmetric
# $\mathbf{A}$. Its eigenvectors are orthogonal. Measure the weights along them, and each coordinate $x_i$ moves by itself, a
# skier in a parabola whose curvature is the eigenvalue $\lambda_i$:
#
# $$x_i \leftarrow (1 - \mathrm{lr}\,\lambda_i)\, x_i$$
#
# One learning rate must serve all of these **modes**. The steepest allows at most $2/\lambda_{\max}$, and the flattest then
# crawls. What counts is the **condition number** $\kappa = \lambda_{\max} / \lambda_{\min}$. With momentum a mode has a position
# $x_i$ and a velocity $v_i$, and a step is a 2 by 2 matrix:
#
# $$\begin{pmatrix} x_i \\ v_i \end{pmatrix} \leftarrow
# \begin{pmatrix} 1 - \mathrm{lr}\,\lambda_i & -\mathrm{lr}\,\beta \\ \lambda_i & \beta \end{pmatrix}
# \begin{pmatrix} x_i \\ v_i \end{pmatrix}$$
#
# Many steps are a high power of that matrix, and a high power is ruled by the eigenvalue of largest absolute value: in the long run the
# mode shrinks by that factor per step. When the two eigenvalues are complex, it swings to and fro while it shrinks.


# %%
def contraction(lam, lr, beta):
    """Factor by which a mode of curvature lam shrinks in a step, in the long run. Broadcasts."""
    trace, det = (
        1 - lr * lam + beta,
        beta,
    )  # the matrix's eigenvalues solve z**2 - trace z + det = 0
    root = np.sqrt(trace**2 - 4 * det + 0j)
    return np.maximum(np.abs(trace + root), np.abs(trace - root)) / 2


def slowest(lr, beta, kappa):
    """Factor of the slowest mode when curvatures go from 1 / kappa to 1: it is one of the two ends."""
    return np.maximum(contraction(1 / kappa, lr, beta), contraction(1.0, lr, beta))


def steps_per_digit(factor):
    """Steps until the distance is ten times smaller; infinitely many where it does not shrink."""
    return np.log(0.1) / np.log(np.minimum(factor, 1 - 1e-12))


def best_gd(lam_min, lam_max):
    """Best learning rate without momentum; the slowest mode shrinks by (kappa - 1) / (kappa + 1)."""
    return 2 / (lam_min + lam_max)


def best_momentum(lam_min, lam_max):
    """Best learning rate and beta (Polyak, 1964); factor (sqrt kappa - 1) / (sqrt kappa + 1)."""
    a, b = np.sqrt(lam_min), np.sqrt(lam_max)
    return (2 / (a + b)) ** 2, ((b - a) / (b + a)) ** 2


# %% [markdown]
# Does the formula tell the truth? Run momentum for 300 steps on curvatures 1 and 50, and compare the measured factor per step
# with the predicted one.

# %%
lam = np.array([1.0, 50.0])


def measured_factor(lr, beta):
    """Mean factor per step over steps 80 to 280; the largest of 20 steps smooths the oscillation out."""
    path = optimize(lambda w, g, s, lr: momentum(w, g, s, lr, beta), lambda w: lam * w, [1.0, 1.0], 300, lr)
    return (np.abs(path[280:300]).max(0) / np.abs(path[80:100]).max(0)) ** (1 / 200)


for lr, beta in [(0.01, 0.0), (0.039, 0.0), (0.01, 0.9), (0.05, 0.6)]:
    print(
        f"lr {lr}, beta {beta}: predicted {contraction(lam, lr, beta).round(3)}, measured {measured_factor(lr, beta).round(3)}"
    )

# %% [markdown]
# On the left, the factor per step for modes from the flattest, $1/\kappa$ of the steepest curvature, to the steepest. The highest
# point of the curve, the slowest mode, decides. On the right, the steps that the slowest mode takes for one more digit, over
# all pairs of learning rate and $\beta$: dark is fast, white does not converge. The star is the best pair, the cross is
# yours. Drive the cross towards the star and watch the curve: close to the star it is flat, **all modes are equally slow**. The
# star lies on the brink: a little more lr, and it diverges.


# %% tags=["folded"]
def modes_figure():
    # Refutes: "momentum is a larger step", "the steep direction is the slow one", and "more momentum is always faster".
    fig = LiveFigure("How much of each mode is left after one step", size=(900, 400))
    left, right = fig.subplots(1, 2)
    left.set(
        xlabel="curvature / steepest curvature",
        ylabel="factor per step",
        xscale="log",
        xlim=(1e-3, 1),
        ylim=(0, 1.5),
    )
    left.axhline(1, color="black", lw=1, ls="-")
    right.set(xlabel="lr x steepest curvature", ylabel="momentum beta", xlim=(0, 4), ylim=(-0.04, 1))
    grid_lr, grid_beta = np.meshgrid(np.linspace(0.02, 4, 90), np.linspace(0, 0.99, 60))
    plain, curve, heat, cross, star = fig.animate(
        left.plot([], [], color="0.6", ls="--")[0],
        left.plot([], [])[0],
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
    bar = fig.figure.colorbar(heat, ax=right, ticks=[1, 2, 3], label="steps for one more digit")
    bar.set_ticklabels(["10", "100", "1000"])
    left.legend([curve, plain], ["with your lr and beta", "best without momentum"], loc="upper left")

    @fig.control(
        kappa=Slider(2, 1000, value=50, log=True, label="condition number"),
        lr=Slider(0.02, 4, value=1.0, step=0.02, label="lr x steepest curvature"),
        beta=Slider(0, 0.99, value=0.0, step=0.01),
    )
    def _(kappa, lr, beta):
        lam = np.logspace(-np.log10(kappa), 0, 200)  # the steepest curvature is 1
        worst = slowest(lr, beta, kappa)
        alone, (star_lr, star_beta) = best_gd(1 / kappa, 1.0), best_momentum(1 / kappa, 1.0)
        curve.set_data(lam, contraction(lam, lr, beta))
        plain.set_data(lam, contraction(lam, alone, 0.0))
        heat.set_data(np.log10(steps_per_digit(slowest(grid_lr, grid_beta, kappa))))
        cross.set_data([lr], [beta])
        star.set_data([star_lr], [star_beta])
        best = (np.sqrt(kappa) - 1) / (np.sqrt(kappa) + 1)
        pace = f"{np.log(0.1) / np.log(worst):.0f} steps for one more digit" if worst < 1 else "it diverges"
        return (
            f"Slowest mode: factor {worst:.3f}, {pace}. Best without momentum: {(kappa - 1) / (kappa + 1):.3f}; "
            f"best of all, at the star: {best:.3f}, with lr just below {star_lr:.2f} and beta {star_beta:.2f}."
        )

    return fig


modes = modes_figure()
modes

# %% tags=["folded"]
predict(
    "The condition number grows from 100 to 400. How many more steps does each method need for one more digit, at its best setting?",
    choices={
        "both four times as many": "True without momentum. With momentum only the square root of the condition number counts.",
        "plain descent four times, momentum twice as many": True,
        "plain descent twice, momentum as many as before": "The factor without momentum is (k - 1) / (k + 1), close to 1 - 2 / k: "
        "four times the condition number, four times the steps.",
    },
    because="1 - 2 / k without momentum, 1 - 2 / sqrt(k) with it. At k = 100 that is 115 steps against 11, at k = 400 it is 461 against 23.",
    then=lambda: ", ".join(
        f"k = {k}: {np.log(0.1) / np.log((k - 1) / (k + 1)):.0f} and {np.log(0.1) / np.log((k**0.5 - 1) / (k**0.5 + 1)):.0f}"
        for k in (100, 400)
    ),
)

# %% [markdown]
# ## Turn the same valley
#
# Plain descent and momentum see only the shape of the valley. Adam, RMSprop and AdaGrad divide **each coordinate** by its own
# past gradients, which helps exactly when the valley lies along the axes. Turn it. Both pictures are drawn in the valley's
# own axes, so a path that ignores the angle does not move at all.


# %%
valley, valley_grad, _, _ = SURFACES["narrow valley"]


def turned_path(step, degrees, lr, num_steps=150):
    """A run on the valley turned by an angle, seen from the valley's own axes."""
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    R = np.array([[c, -s], [s, c]])
    return optimize(step, lambda w: R @ valley_grad(R.T @ w), R @ [-4.0, 1.0], num_steps, lr) @ R


# %% tags=["folded"]
def turn_figure():
    # Refutes: "an optimizer cannot know how the axes lie".
    fig = LiveFigure("The same valley, turned", size=(900, 420))
    ground, losses = fig.subplots(1, 2)
    contours(ground, valley, (-4.5, 4.5, -1.8, 1.8))
    ground.set(xlabel="along the valley", ylabel="across the valley")
    losses.set(yscale="log", xlim=(0, 156), ylim=(1e-7, 1e2), xlabel="step", ylabel="loss")
    runners = {"momentum": (momentum, 0.03), "adam": (adam, 0.1), "yours": (None, 0.02)}
    trails, curves = (
        Trails(fig, ground, list(runners), EVERYBODY),
        Trails(fig, losses, list(runners), EVERYBODY),
    )
    fig.figure.legend(*losses.get_legend_handles_labels(), loc="outside lower center", ncols=3)

    @fig.control(
        degrees=Slider(0, 45, value=0, step=1, label="angle in degrees"),
        adam_lr=Slider(0.01, 10, value=0.1, log=True, label="Adam's lr"),
        own=Function("my_optimizer"),
    )
    def _(degrees, adam_lr, own):
        words = []
        for name, (step, lr) in runners.items():
            with own.shown(*trails.artists(name), *curves.artists(name)):
                path = turned_path(step or own, degrees, adam_lr if name == "adam" else lr)
                trails.show(name, path[:, 0], path[:, 1])
                curves.show(name, np.arange(len(path)), np.maximum(valley(path), 1e-12))
                words.append(f"{name} {in_words(valley(path)[100])}")
        return f"Turned by {degrees:.0f} degrees, loss after 100 steps: {', '.join(words)}."

    return fig


turn = turn_figure()
turn

# %% [markdown]
# With its learning rate at 0.1, Adam's loss after 100 steps is 0.00045 when the valley is straight and 1.06 at 45 degrees. Both
# coordinates then see the same large gradients, so dividing each by its own size makes nothing rounder. Momentum's curve does not move
# by a pixel. Now raise Adam's learning rate to 0.5 at 45 degrees: it is quick again. So the angle does not put the minimum out of
# Adam's reach on this easy surface. It changes **which learning rate works**, and nobody tells you the angle. (Beyond 45
# degrees the two axes swap roles and all repeats.)
#
# Why do people use Adam then? Because the coordinates of a net are not turned at random: the weights of one layer, or the
# embedding of a rare word, share their scale. That is also where AdaGrad came from: sparse features, each with its own
# frequency.
#
# ## Many examples: the noise of a mini-batch
#
# The loss of a net is an average over examples, $J(\theta) = \tfrac1N \sum_i L_i(\theta)$, and so is its gradient. Averaging over
# all $N$ for one step is slow. **Stochastic** gradient descent takes one example at a time, a **mini-batch** of $B$ lies between:
# a noisy gradient, right on average, with a variance of $\sigma^2 / B$. An **epoch** is one pass through all examples, so it
# holds $N / B$ steps: a step is not an epoch.
#
# Take the simplest loss that has examples, $L_i(w) = \tfrac12 (w - x_i)^2$. Its minimum is the mean of the $x_i$, and its
# curvature is 1.

# %% tags=["folded"]
predict(
    "One example at a time, lr = 0.1 for ever. After many steps, where is the weight?",
    choices={
        "at the minimum: the noise averages out": "Only if the steps shrink. With a constant step the last few examples always "
        "count, however long you go on.",
        "around the minimum, at a distance that stays": True,
        "further and further away": "Each step still pulls towards the mean. lr = 0.1 is far below the limit of 2.",
    },
    because="The pull towards the mean and the push of the noise balance. The mean loss above the minimum stays at about lr * variance / (4 B).",
)

# %% [markdown]
# Where do pull and push balance? Write $w$ for the distance to the minimum. A step is $w \leftarrow (1 - \mathrm{lr})\,w -
# \mathrm{lr}\,\varepsilon$ with noise of variance $\sigma^2 / B$, so the mean square goes to $(1 - \mathrm{lr})^2\,
# \overline{w^2} + \mathrm{lr}^2 \sigma^2 / B$. At rest both sides are equal, and the loss $\tfrac12 \overline{w^2}$ is
#
# $$\text{floor} = \frac{\mathrm{lr}\;\sigma^2 / B}{2\,(2 - \mathrm{lr})} \approx \frac{\mathrm{lr}\;\sigma^2}{4 B}
# \quad\text{for small lr}$$
#
# Two hundred skiers start together, each with its own examples. The thick line is their mean loss, the thin one is one of them,
# the dotted one is the formula. Find out what halves the floor: half the learning rate, or twice the batch? And what makes it sink for
# ever? Your own schedule, `my_schedule`, runs along.


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


# %%
def skiers(lr, batch, factor, num_steps=400):
    """Loss above the minimum of 200 skiers, (num_steps + 1, 200), for examples of variance 1."""
    w = np.empty((num_steps + 1, 200))
    w[0] = 4.0
    for t in range(num_steps):
        g = w[t] + kicks[t] / np.sqrt(batch)  # the mean of `batch` examples is off by this much
        w[t + 1] = w[t] - lr * factor(t, num_steps) * g
    return w**2 / 2


kicks = np.random.default_rng(0).standard_normal((400, 200))  # the same luck for every setting


# %% tags=["folded"]
def noise_figure():
    # Refutes: "stochastic gradient descent converges if you wait", and "noise is a matter of the batch alone".
    fig = LiveFigure(
        "The floor that noise leaves",
        xlabel="step",
        ylabel="loss above the minimum",
        size=(700, 420),
    )
    fig.ax.set(yscale="log", xlim=(0, 400), ylim=(3e-10, 50))
    one, mean, mine, floor = fig.animate(
        fig.ax.plot([], [], color="0.75", lw=1, ls="-", label="one skier")[0],
        fig.ax.plot([], [], lw=3, label="mean of 200")[0],
        fig.ax.plot([], [], label="mean with your schedule")[0],
        fig.ax.plot([], [], color="black", ls=":", label="floor at constant lr")[0],
    )
    fig.ax.legend(loc="upper right", ncols=2)

    @fig.control(
        lr=Slider(0.01, 1.0, value=0.2, log=True),
        batch=Choice({"1 example": 1, "2": 2, "4": 4, "32": 32, "256": 256, "all": np.inf}),
        schedule=Choice(SCHEDULES),
        own=Function("my_schedule"),
    )
    def _(lr, batch, schedule, own):
        t, heights = np.arange(401), skiers(lr, batch, schedule)
        one.set_data(t, np.maximum(heights[:, 0], 1e-9))
        mean.set_data(t, np.maximum(heights.mean(1), 1e-9))
        floor.set_data([0, 400], [noise_floor(lr, batch, 1.0)] * 2)
        with own.shown(mine):
            mine.set_data(t, np.maximum(skiers(lr, batch, own).mean(1), 1e-9))
        soon, last, constant = (
            heights[20].mean(),
            heights[-50:].mean(),
            noise_floor(lr, batch, 1.0),
        )
        yours = f"{mine.get_ydata()[-50:].mean():.2g}" if mine.get_visible() else "not shown"
        return (
            f"Mean loss after 20 steps: {soon:.2g}; over the last 50: {last:.2g}, with your schedule: {yours}. "
            f"Formula for constant lr: {constant:.2g}."
        )

    return fig


noise = noise_figure()
noise

# %% [markdown]
# For small learning rates only the ratio lr / B matters: half the step or twice the batch, the floor is the same. (With another
# curvature $c$ write $2 - \mathrm{lr}\,c$ for $2 - \mathrm{lr}$: for small lr nothing changes.) Goyal et al. (2017) used this to train
# ResNet-50 on ImageNet with batches of 8192 in one hour, at the accuracy of batches of 256: they multiplied the learning rate
# by the same 32, after a warm-up.
#
# A schedule lowers the floor together with the steps. Robbins and Monro (1951) showed which schedules end at the minimum:
# $\sum_t \mathrm{lr}_t = \infty$, so that it can come from anywhere, and $\sum_t \mathrm{lr}_t^2 < \infty$, so that the noise dies out. $1/t$ is
# one. Halving and cosine are not, for they add up to a finite distance; they are used all the same, because training ends after a
# number of steps that is known before.
#
# ## The real run
#
# Now handwritten digits, 1797 pictures of 8 by 8 pixels, by softmax regression: 64 weights and a bias for each of ten
# classes. The loss is the cross-entropy; lecture 02 derives it, and here we
# only need that its gradient is (predicted probability − truth) times the input.

# %%
digits = data.digits(seed=0)


def cross_entropy(W, x, y):
    """Mean loss of softmax regression: W (65, 10) with the bias in the last row, x (N, 65), y (N,)."""
    logits = x @ W
    logits -= logits.max(axis=1, keepdims=True)
    return np.mean(np.log(np.exp(logits).sum(axis=1)) - logits[np.arange(len(y)), y])


def cross_entropy_grad(W, x, y):
    probs = x @ W
    probs = np.exp(probs - probs.max(axis=1, keepdims=True))
    probs /= probs.sum(axis=1, keepdims=True)
    probs[np.arange(len(y)), y] -= 1  # probabilities minus truth, (N, 10)
    return x.T @ probs / len(y)


def with_bias(x):
    return np.hstack([x, np.ones((len(x), 1))])


x_train, x_val, x_test = (
    with_bias(digits.x_train),
    with_bias(digits.x_val),
    with_bias(digits.x_test),
)

W = torch.zeros(65, 10, dtype=torch.float64, requires_grad=True)
reference = torch.nn.functional.cross_entropy(torch.tensor(x_train) @ W, torch.tensor(digits.y_train))
reference.backward()
check.close(cross_entropy(np.zeros((65, 10)), x_train, digits.y_train), reference.item(), name="loss")
check.close(
    cross_entropy_grad(np.zeros((65, 10)), x_train, digits.y_train),
    W.grad.numpy(),
    name="gradient",
)
print(f"loss before training {reference.item():.3f} = log 10; loss and gradient equal torch's")

# %% [markdown]
# Three runs over the same 20 epochs: one example at a time, batches of 32, all at once. First each gets the learning rate, of
# four, that gives it the lowest **validation** loss. Then watch the curves grow.


# %%
def train(W, x, y, batch, lr, num_epochs, rng, step=sgd, each_epoch=lambda epoch, loss, seconds: None):
    """Mini-batch training, a fresh shuffle for each epoch. Returns the weights."""
    state, seconds = {}, 0.0
    each_epoch(0, cross_entropy(W, x, y), seconds)
    for epoch in range(1, num_epochs + 1):
        start = time.perf_counter()
        order = rng.permutation(len(x))
        for i in range(0, len(x), batch):
            rows = order[i : i + batch]
            W = step(W, cross_entropy_grad(W, x[rows], y[rows]), state, lr)
        seconds += time.perf_counter() - start
        each_epoch(epoch, cross_entropy(W, x, y), seconds)
    return W


# %%
N, EPOCHS = len(x_train), 20
BATCHES = {"1 example": 1, "32 examples": 32, f"all {N}": N}
history = {name: [] for name in BATCHES}  # (epoch, loss, seconds, steps)
AXES = {
    "epochs": (0, "epochs", EPOCHS),
    "steps": (3, "steps", None),
    "seconds": (2, "seconds of computing", None),
}


# %% tags=["folded"]
def fit_figure():
    # Refutes: "the loss against epochs tells which is fastest".
    fig = LiveFigure(
        "Batch size: loss against epochs, steps or seconds",
        ylabel="training loss",
        size=(700, 420),
    )
    fig.ax.set(yscale="log", ylim=(0.02, 3))
    lines = dict(
        zip(
            BATCHES,
            fig.animate(
                *[fig.ax.plot([], [], marker=m, label=n)[0] for n, m in zip(BATCHES, "os^", strict=True)]
            ),
            strict=True,
        )
    )
    fig.ax.legend()

    @fig.control(against=Choice(AXES))
    def _(against):
        column, label, end = against
        seen = [row[column] for rows in history.values() for row in rows if row[column] > 0]
        ends = (0, end) if end else (min(seen, default=1) / 1.5, max(seen, default=1) * 1.5)
        fig.ax.set(
            xlabel=label,
            xscale="linear" if end else "log",
            xlim=ends,
            xticks=[0, 5, 10, 15, 20] if end else [],
        )
        if not end:
            fig.ax.xaxis.set_major_locator(mpl.ticker.LogLocator())
        for name, rows in history.items():
            table = np.array(rows).reshape(-1, 4)[0 if end else 1 :]  # a log axis has no zero
            lines[name].set_data(table[:, column], table[:, 1])
        done = [
            f"{name} {rows[-1][1]:.3f} after {rows[-1][column]:.3g}"
            for name, rows in history.items()
            if rows
        ]
        return f"Loss against {label}: {'; '.join(done) or 'not trained yet'}."

    return fig


fit = fit_figure()
display(fit, display_id="batch sizes")


def run_batches(name, lr, each_epoch=lambda *row: None):
    """Twenty epochs with the batch size of this name; returns the weights and the validation loss."""
    rng = np.random.default_rng(1)
    W = train(
        np.zeros((65, 10)), x_train, digits.y_train, BATCHES[name], lr, EPOCHS, rng, each_epoch=each_epoch
    )
    return W, cross_entropy(W, x_val, digits.y_val)


weights = {}
for name in progress(list(BATCHES), "training"):
    lr = min((0.1, 0.3, 1.0, 3.0), key=lambda lr, name=name: run_batches(name, lr)[1])

    def record(epoch, loss, seconds, name=name):
        history[name].append((epoch, loss, seconds, epoch * -(-N // BATCHES[name])))
        fit.update()

    weights[name], val_loss = run_batches(name, lr, record)
    print(
        f"batches of {name:12s} lr {lr}, training loss {history[name][-1][1]:.3f}, validation loss {val_loss:.3f}"
    )

update_display(fit, display_id="batch sizes")  # the picture for readers without a kernel

# %% [markdown]
# Go back to the figure and switch from epochs to steps and to seconds.
#
# - Against **epochs** small batches win: one epoch is 1258 steps for the first run, 40 for the second, one for the third. They also
#   jitter: at these learning rates the noise of the batches is in the picture.
# - Against **steps** the curves nearly continue one another: the gradient of 32 examples is almost as good a direction as that of
#   1258, at a fortieth of the work.
# - Against **seconds**, the only axis that you pay for, 32 is the first down to 0.1. A step with 32 examples costs about
#   three times as much as one with a single example, not 32 times: processors multiply matrices faster than vectors.
#
# Now drive it yourself. Play, and move the learning rate **while it trains**; one press of Step is ten steps. On the right are the
# ten columns of the weights as pictures, digits 0 to 4 above, 5 to 9 below: blue pixels speak for the digit, red ones
# against it. Three things to try. Raise lr to 30 until the loss jumps, and bring it back: nothing is lost, and it may end
# lower than the careful run, because large steps get far along the flat directions. That is what schedules live on. Take batches
# of 1, find the lr at which the loss stops falling, and lower it. Put your own optimizer in.


# %% tags=["folded"]
def drive_figure():
    # Refutes: "the learning rate is chosen once, before training", and "a run that has blown up is lost".
    fig = LiveFigure("Drive it yourself", size=(900, 400))
    left, right = fig.subplots(1, 2, width_ratios=[3, 2])
    left.set(yscale="log", xlim=(0, 3000), ylim=(0.01, 300), xlabel="step", ylabel="training loss")
    right.set(xticks=[], yticks=[], title="weights of 0 to 4, 5 to 9")
    right.spines[:].set_visible(False)
    (curve,) = left.plot([], [])
    templates = right.imshow(np.zeros((18, 45)), cmap="RdBu", vmin=-1, vmax=1)
    fig.animate(curve, templates)

    def start():
        return {
            "W": np.zeros((65, 10)),
            "memory": {},
            "rule": None,
            "step": 0,
            "rng": np.random.default_rng(0),
            "loss": [],
        }

    def tick(state, lr, batch, rule, own):
        """Ten steps; a new rule starts with an empty memory."""
        step = own if rule is None else rule
        if state["rule"] is not rule:
            state.update(rule=rule, memory={})
        with np.errstate(all="ignore"):
            for _ in range(10):
                rows = state["rng"].integers(0, N, size=batch)
                state["W"] = step(
                    state["W"],
                    cross_entropy_grad(state["W"], x_train[rows], digits.y_train[rows]),
                    state["memory"],
                    lr,
                )
        state["step"] += 10
        state["loss"].append((state["step"], cross_entropy(state["W"], x_train, digits.y_train)))
        if state["step"] >= 3000:
            raise StopIteration

    fig.loop(start, tick, speed=1)

    @fig.control(
        lr=Slider(1e-3, 30, value=0.3, log=True),
        batch=Choice({"32": 32, "1": 1, "256": 256}, label="batch"),
        rule=Choice({"sgd": sgd, "momentum": momentum, "adam": adam, "my_optimizer": None}, label="rule"),
        own=Function("my_optimizer"),
    )
    def _(state, lr, batch, rule, own):
        steps, losses = np.array(state["loss"]).reshape(-1, 2).T
        curve.set_data(steps, losses)
        W = np.nan_to_num(state["W"][:64]).T.reshape(2, 5, 8, 8)  # bias left out
        tiles = np.pad(W, ((0, 0), (0, 0), (0, 1), (0, 1)))
        templates.set_data(tiles.transpose(0, 2, 1, 3).reshape(18, 45) / max(np.abs(W).max(), 1e-9))
        named = "your rule" if rule is None else rule.__name__
        now = f"loss {losses[-1]:.3f}" if len(losses) else "not started"
        return f"Step {state['step']}, {now}; the next steps: {named}, lr {lr:.3g}, batches of {batch}."

    return fig


drive = drive_figure()
drive

# %% [markdown]
# And the seven rules? The same digits, batches of 32, ten epochs, each at the best of six learning rates on the validation set.


# %%
def tuned(step, candidates, num_epochs=10):
    """The candidate learning rate of lowest validation loss, and that loss."""
    scores = {}
    for lr in candidates:
        with np.errstate(all="ignore"):
            W = train(
                np.zeros((65, 10)),
                x_train,
                digits.y_train,
                32,
                lr,
                num_epochs,
                np.random.default_rng(1),
                step,
            )
        scores[lr] = cross_entropy(W, x_val, digits.y_val)
    best = min(scores, key=lambda lr: np.nan_to_num(scores[lr], nan=np.inf))
    return best, scores[best]


candidates = {
    "sgd": 1,
    "momentum": 0.3,
    "nesterov": 0.3,
    "adagrad": 0.3,
    "rmsprop": 0.03,
    "adadelta": 10,
    "adam": 0.03,
}
table = {}
for name in progress(list(OPTIMIZERS), "optimizers"):
    table[name] = tuned(OPTIMIZERS[name], candidates[name] * np.array([0.03, 0.1, 0.3, 1.0, 3.0, 10.0]))
    print(f"{name:9s} best lr {table[name][0]:7.4f}   validation loss {table[name][1]:.3f}")

# %% [markdown]
# | who | what they found | what this run shows |
# | --- | --- | --- |
# | Kingma and Ba (2015) | logistic regression on MNIST: Adam and SGD with Nesterov momentum converge alike, both faster than AdaGrad | on 8x8 digits the seven end within a factor of two of each other, and another split of the digits gives another order |
# | Wilson et al. (2017) | on CIFAR-10 and in language models adaptive methods train as fast and generalise worse than tuned SGD | nothing: this problem is convex and too easy to tell |
# | Bottou and Bousquet (2008) | with much data the noisiest method is the best use of computing time | small batches win per epoch, middling ones per second |
#
# So do not read a ranking out of our table. What carries over is the procedure: **tune the learning rate of each before you
# compare**, and choose on validation data. The test set is touched once, with that of our three runs whose validation loss is lowest:

# %%
handed_in = min(weights, key=lambda name: cross_entropy(weights[name], x_val, digits.y_val))
test_accuracy = np.mean((x_test @ weights[handed_in]).argmax(1) == digits.y_test)
error = 1.96 * np.sqrt(test_accuracy * (1 - test_accuracy) / len(x_test))
print(f"batches of {handed_in}: test accuracy {test_accuracy:.3f} ± {error:.3f} on {len(x_test)} digits")

# %% [markdown]
# ## When it breaks: a convex loss on which Adam walks the wrong way
#
# Reddi, Kale and Kumar (2018) made this one. The weight is kept in $[-1, 1]$. Every third example has slope $C$, the other two
# have slope $-1$ each. The average slope is $(C - 2)/3$, so for every $C > 2$ the best weight is $-1$. Plain descent goes there.
# Adam with a short memory divides the rare large slope by its own size, so that it counts no more than a small one, and the
# two small ones outvote it.


# %%
def stream(step, C, lr, num_steps=600):
    """Positions on the stream of slopes C, -1, -1, ..., kept in [-1, 1]: (num_steps + 1,)."""
    state, path = {}, [np.float64(0.0)]
    for t in range(num_steps):
        g = C if t % 3 == 0 else -1.0
        path.append(np.clip(step(path[-1], g, state, lr / np.sqrt(1 + t)), -1, 1))
    return np.array(path)


# %% tags=["folded"]
def wrong_figure():
    # Refutes: "Adam always finds the minimum of a convex loss".
    fig = LiveFigure(
        "Slopes C, -1, -1, C, ...: who finds the best weight?", xlabel="step", ylabel="weight w"
    )
    fig.ax.set(xlim=(0, 600), ylim=(-1.15, 1.15))
    down, astray = fig.animate(
        fig.ax.plot([], [], lw=1, label="sgd")[0], fig.ax.plot([], [], lw=1, ls="-", label="adam")[0]
    )
    fig.ax.legend(loc="center right")

    @fig.control(
        C=Slider(2.1, 12, value=4.0, step=0.1, label="large slope C"),
        beta2=Choice({"0.06": 0.06, "0.5": 0.5, "0.9": 0.9, "0.999": 0.999}, label="Adam's beta2"),
    )
    def _(C, beta2):
        sgd_path = stream(sgd, C, 0.5)
        adam_path = stream(lambda w, g, s, lr: adam(w, g, s, lr, beta1=0.0, beta2=beta2), C, 0.5)
        down.set_data(np.arange(601), sgd_path)
        astray.set_data(np.arange(601), adam_path)
        soon, late = adam_path[30], adam_path[-1]
        return f"After 600 steps sgd is at {sgd_path[-1]:+.2f}. Adam is at {soon:+.3f} after 30 steps, at {late:+.2f} after 600."

    return fig


wrong = wrong_figure()
wrong

# %% [markdown]
# A longer memory helps, because the large slope is still remembered when the small ones come: at C = 4 a $\beta_2$ of 0.5 is
# enough. The closer C is to 2, the longer it must be, and at C = 2.1 even 0.999, the default, has not arrived after 600 steps.
# AMSGrad, from the same paper, keeps the largest $s$ seen so far and so never forgets.
#
# ## Exercises
#
# Each has a cell for your function and a check below it that runs as soon as you run your cell.


# %%
def largest_lr(curvatures):
    """Gradient descent settles below this learning rate. curvatures: (N,), positive; returns a float."""
    raise NotImplementedError("replace this line")


# %% tags=["folded"]
@exercise("The limit for many weights", uses="largest_lr", minutes=2, difficulty=1)
def limit(largest_lr):
    check.close(largest_lr(np.array([1.72])), 2 / 1.72, name="largest_lr([1.72])")
    check.close(largest_lr(np.array([0.5, 8.0, 2.0])), 0.25, name="largest_lr([0.5, 8, 2])")


limit

# %% [markdown]
# <details><summary>Solution</summary>
#
# ```python
# def largest_lr(curvatures):
#     return 2 / curvatures.max()
# ```
#
# The steepest direction sets the limit for all.
# </details>


# %%
def num_steps(kappa, with_momentum):
    """Steps for one more digit at the best setting, a float; kappa > 1, with_momentum True or False."""
    raise NotImplementedError("replace this line")


# %% tags=["folded"]
@exercise("How many steps for one more digit", uses="num_steps", minutes=5, difficulty=1)
def digits_per_step(num_steps):
    check.close(num_steps(100.0, False), np.log(0.1) / np.log(99 / 101), name="num_steps(100, False)")
    check.close(num_steps(100.0, True), np.log(0.1) / np.log(9 / 11), name="num_steps(100, True)")


digits_per_step

# %% [markdown]
# <details><summary>Solution</summary>
#
# ```python
# def num_steps(kappa, with_momentum):
#     k = np.sqrt(kappa) if with_momentum else kappa
#     return np.log(0.1) / np.log((k - 1) / (k + 1))
# ```
#
# After n steps the factor is its n-th power, and that must be 0.1.
# </details>


# %%
def lr_for_floor(floor, batch, variance):
    """The constant lr, a float, whose noise floor is exactly this high, at curvature 1."""
    raise NotImplementedError("replace this line")


# %% tags=["folded"]
@exercise("A learning rate for a wanted floor", uses="lr_for_floor", minutes=8, difficulty=2)
def wanted_floor(lr_for_floor):
    for floor, batch, variance in [(0.01, 1, 1.0), (0.3, 4, 2.0)]:
        lr = lr_for_floor(floor, batch, variance)
        check.shape(lr, (), name="lr")
        check.close(
            noise_floor(lr, batch, variance),
            floor,
            name=f"the floor of lr_for_floor({floor}, {batch}, {variance})",
        )


wanted_floor

# %% [markdown]
# <details><summary>Solution</summary>
#
# ```python
# def lr_for_floor(floor, batch, variance):
#     return 4 * floor / (variance / batch + 2 * floor)
# ```
#
# Solve floor = lr v / (2 (2 - lr)) for lr, with v = variance / batch.
# </details>


# %%
def clip(g, max_norm):
    """g, of any shape, shortened to a Euclidean norm of at most max_norm; g itself stays as it is."""
    raise NotImplementedError("replace this line")


# %% tags=["folded"]
@exercise("Clip a gradient by its norm", uses="clip", minutes=5, difficulty=1)
def clipping(clip):
    g = np.array([[3.0, 0.0], [0.0, 4.0]])
    expected = g / 5
    with check.unchanged(g=g):
        got = clip(g, 1.0)
    check.close(got, expected, name="clip(g, 1) for a g of norm 5")
    check.close(clip(g, 10.0), g, name="clip(g, 10) for a g of norm 5")
    check.close(clip(np.zeros(3), 1.0), np.zeros(3), name="clip of a zero gradient")


clipping

# %% [markdown]
# <details><summary>Solution</summary>
#
# ```python
# def clip(g, max_norm):
#     norm = np.sqrt((g**2).sum())
#     return g * min(1.0, max_norm / norm) if norm > 0 else g.copy()
# ```
#
# The direction stays; only a step that would be too long is shortened. Pascanu, Mikolov and Bengio (2013) use it for
# recurrent nets.
# </details>
#
# **Find the bug.** The Adam below runs, learns, and is wrong: it leaves the path of `torch.optim.Adam` at its first step. Find the
# two things that differ from the formula and mend them.


# %%
def mended_adam(w, g, state, lr, beta1=0.9, beta2=0.999, eps=1e-8):
    t = state["t"] = state.get("t", 0) + 1
    m = state["m"] = beta1 * state.get("m", 0) + (1 - beta1) * g
    s = state["s"] = beta2 * state.get("s", 0) + (1 - beta2) * np.abs(g)
    return w - lr * m / (np.sqrt(s / (1 - beta2**t)) + eps)


# %% tags=["folded"]
@exercise("Find two bugs in Adam", uses="mended_adam", minutes=10, difficulty=2)
def bugs(mended_adam):
    theirs = torch_path(lambda p: torch.optim.Adam(p, lr=0.1), [-1.2, 1.0], 50)
    ours = optimize(mended_adam, rosenbrock_grad, [-1.2, 1.0], 50, 0.1)
    check.close(ours[1], theirs[1], rtol=1e-7, name="w after one step")
    check.close(ours[2], theirs[2], rtol=1e-7, name="w after two steps")
    check.close(ours, theirs, rtol=1e-7, atol=1e-7, name="the path over 50 steps")


bugs

# %% [markdown]
# <details><summary>Solution</summary>
#
# ```python
# def mended_adam(w, g, state, lr, beta1=0.9, beta2=0.999, eps=1e-8):
#     t = state["t"] = state.get("t", 0) + 1
#     m = state["m"] = beta1 * state.get("m", 0) + (1 - beta1) * g
#     s = state["s"] = beta2 * state.get("s", 0) + (1 - beta2) * g**2
#     return w - lr * (m / (1 - beta1**t)) / (np.sqrt(s / (1 - beta2**t)) + eps)
# ```
#
# The square had become an absolute value, and the first average was not divided by $1 - \beta_1^t$. Mend the square alone, and
# the first step is ten times too small.
# </details>


# %%
def fast(w, g, state, lr):
    """Your rule: a loss below 1e-8 on Rosenbrock's valley within 300 steps, wherever the valley lies."""
    raise NotImplementedError("replace this line")


my_lr = 0.001


# %% tags=["folded"]
@exercise("Beat the valley", uses="fast", minutes=45, difficulty=3)
def valley_race(fast):
    for shift in (np.zeros(2), np.array([0.37, -0.21])):
        moved = partial(lambda c, w: rosenbrock_grad(w - c), shift)
        path = optimize(fast, moved, np.array([-1.2, 1.0]) + shift, 300, my_lr)
        check.shape(path, (301, 2), name="the path")
        best = float(np.nanmin(rosenbrock(path - shift)))
        if not best < 1e-8:
            raise check.CheckError(
                "value",
                f"the lowest loss of your 300 steps is {best:.2g}; sgd at its best reaches 0.08, momentum 1e-5",
            )


valley_race

# %% [markdown]
# <details><summary>Solution</summary>
#
# ```python
# def fast(w, g, state, lr):
#     v = state.get("v", 0)
#     v = 0.97 * v + g if np.sum(v * g) >= 0 else g  # going uphill: forget the past
#     state["v"] = v
#     return w - lr * v
#
#
# my_lr = 0.001
# ```
#
# A long memory, thrown away whenever it leads uphill (O'Donoghue and Candès, 2015, Adaptive restart for accelerated gradient
# schemes). There are many others.
# </details>
#
# ## In five lines
#
# 1. The gradient is local: it tells which way is down here, and nothing about the next valley.
# 2. Constant steps settle only below 2 / (largest curvature), and the flattest direction then sets the time: $\kappa$ steps
#    without momentum, $\sqrt\kappa$ with it.
# 3. Momentum adds up the direction. AdaGrad, RMSprop, AdaDelta and Adam scale each coordinate, so the learning rate that works depends on how
#    the axes lie.
# 4. Mini-batches leave a floor of about lr · variance / 4B. Shrink the steps, or enlarge the batch, and it sinks.
# 5. Nobody wins everywhere. Tune the learning rate of each before you compare, on validation data.
#
# **Homework 1** asks for momentum, RMSprop and Adam, and for a training loop with shuffling and early stopping.
#
# ## Sources
#
# The skier, batches and epochs: George Chen, CMU 95-865, wrap-up lecture. The list of optimizers: Stanford CS221, lecture 18
# (2020). Robbins and Monro (1951), A stochastic approximation method. Polyak (1964), Some methods of speeding up the
# convergence of iteration methods. Nesterov (1983), A method of solving a convex programming problem with convergence rate
# O(1/k²). Bottou and Bousquet (2008), The tradeoffs of large scale learning. Duchi, Hazan and Singer (2011), Adaptive
# subgradient methods. Tieleman and Hinton (2012), Lecture 6.5: RMSprop. Zeiler (2012), ADADELTA. Pascanu, Mikolov and Bengio
# (2013), On the difficulty of training recurrent neural networks. Dauphin et al. (2014), Identifying and attacking the saddle
# point problem. Kingma and Ba (2015), Adam. Goyal et al. (2017), Accurate, large minibatch SGD. Wilson et al. (2017), The
# marginal value of adaptive gradient methods. Reddi, Kale and Kumar (2018), On the convergence of Adam and beyond. Goodfellow,
# Bengio and Courville (2016), *Deep Learning*, chapters 4 and 8.
#
# Goh (2017), [Why Momentum Really Works](https://distill.pub/2017/momentum) (Distill), is the best treatment of momentum that
# we know, and our section on modes follows it. What a reader of this notebook can do besides: race a rule of their own (The
# race), turn the surface under Adam (Turn the same valley), and measure the floor of mini-batches under their own schedule (The floor that
# noise leaves).
