# ---
# title: Live figures
# ---

# %% [markdown]
# A small notebook with a figure, a prediction or an exercise of each kind, for tests/test_browser_figures.py.

# %% tags=["setup"]
# ruff: noqa: B018  # a cell ends in an expression that is shown
import numpy as np

from dlcourse import check
from dlcourse.exercise import exercise
from dlcourse.live import Choice, Function, LiveFigure, Slider, Switch
from dlcourse.predict import predict, predict_number

CURVES = {"square": lambda x: x**2 / 4, "cosine": lambda x: 1 + np.cos(2 * x)}
x_values = np.linspace(-3.5, 3.5, 200)


# %% tags=["folded"]
def point_figure():
    fig = LiveFigure("A point on a curve", xlabel="x", ylabel="y")
    fig.ax.set(xlim=(-3.6, 3.6), ylim=(-0.2, 3.4))
    line, point = fig.animate(fig.ax.plot([], [], color="black")[0], fig.ax.plot([], [], "o")[0])

    @fig.control(
        x=Slider(-3.5, 3.5, value=-1.0, step=0.1),
        size=Slider(1, 30, value=10, log=True, label="marker size"),
        curve=Choice(CURVES),
    )
    def _(x, size, curve):
        line.set_data(x_values, curve(x_values))
        point.set_data([x], [curve(x)])
        point.set_markersize(size)
        return f"At x = {x:.1f} the height is {curve(x):+.3f}."

    return fig


point = point_figure()
point


# %% tags=["folded"]
def descent_figure():
    fig = LiveFigure("A run in two panels", size=(900, 420))
    left, right = fig.subplots(1, 2)
    left.plot(x_values, x_values**2 / 4, color="black", label="the curve")
    left.set(xlabel="weight w", ylabel="loss", xlim=(-3.6, 3.6), ylim=(-0.2, 3.4))
    right.set(xlabel="step", ylabel="loss", yscale="log", xlim=(0, 3000), ylim=(1e-6, 10))
    place = fig.animate(left.plot([], [], "o", label="the weight")[0])
    losses = fig.animate(right.plot([], [], label="its loss")[0])
    fig.figure.legend(loc="outside lower center", ncols=3)

    def begin(start):
        return {"w": start, "v": 0.0, "losses": [start**2 / 4], "rng": np.random.default_rng(0)}

    def tick(state, lr, batch, rule, own):
        """Ten steps on noisy slopes; with `with my function` the slope is the reader's."""
        if len(state["losses"]) > 3000:
            raise StopIteration
        for _ in range(10):
            slope = state["w"] / 2 if rule != "with my function" else own(state["w"])
            slope += state["rng"].normal() / np.sqrt(batch)
            state["v"] = slope + (0.9 * state["v"] if rule == "momentum" else 0)
            state["w"] -= 0.01 * lr * state["v"]
            state["losses"].append(state["w"] ** 2 / 4)

    fig.loop(begin, tick, steer=("lr", "batch", "rule", "own"), steps=10)

    @fig.control(
        start=Slider(-3, 3, value=2, step=0.5),
        lr=Slider(0.01, 10, value=0.3, log=True),
        batch=Choice({"1": 1, "32": 32}),
        rule=Choice(["sgd", "momentum", "with my function"]),
        own=Function("my_slope"),
    )
    def _(state, lr, batch, rule):
        place.set_data([state["w"]], [state["losses"][-1]])
        losses.set_data(range(len(state["losses"])), np.maximum(state["losses"], 1e-6))
        steps = len(state["losses"]) - 1
        now = f"loss {state['losses'][-1]:.4f}" if steps else "not started"
        return f"Step {steps}, {now}; the next steps: {rule}, lr {lr:.3g}, batches of {batch}."

    return fig


descent = descent_figure()
descent


# %% tags=["folded"]
def readers_figure():
    fig = LiveFigure("Your curve beside ours", xlabel="x", ylabel="y")
    fig.ax.set(xlim=(-3.6, 3.6), ylim=(-0.2, 3.4))
    ours, yours = fig.animate(
        fig.ax.plot([], [], color="black", label="ours")[0],
        fig.ax.plot([], [], ls="--", label="yours")[0],
    )
    fig.ax.legend(loc="upper center")

    @fig.control(turned=Switch(False, label="turned over"), own=Function("my_curve"))
    def _(turned, own):
        height = 3 - x_values**2 / 4 if turned else x_values**2 / 4
        ours.set_data(x_values, height)
        text = f"Ours: its mean height is {height.mean():.2f}."
        with own.shown(yours):
            values = own(x_values)
            yours.set_data(x_values, values)
            text += f" Yours: its mean height is {values.mean():.2f}."
        return text

    return fig


readers = readers_figure()
readers

# %% tags=["folded"]
predict(
    "What is left of 1 after ten halvings?",
    choices={
        "nothing": "Half of a positive number is positive, however often it is halved.",
        "about a tenth": "That is left after three halvings and a little.",
        "about a thousandth": True,
    },
    because="The tenth power of 2 is 1024.",
    then=lambda: 0.5**10,
)

# %% tags=["folded"]
predict_number(
    "The curvature is 2.26. Above which learning rate does gradient descent no longer converge?",
    answer=2 / 2.26,
    tolerance=0.01,
    hints=[(0.43, 0.455, "That is where it starts to overshoot, 1 / 2.26.")],
    because="It is 2 / 2.26.",
)


# %% tags=["folded"]
def clip_solution(g, max_norm):
    return g * min(1, max_norm / max(1e-12, np.linalg.norm(g)))


@exercise("Clip a gradient by its norm", uses="clip", minutes=5, difficulty=1, solution=clip_solution)
def clip_task(clip):
    check.close(clip(np.array([3.0, 4.0]), 1.0), np.array([0.6, 0.8]), name="clip([3, 4], 1)")
    check.close(clip(np.array([0.3, 0.4]), 1.0), np.array([0.3, 0.4]), name="clip([0.3, 0.4], 1)")


clip_task

# %%
clipped = clip_task.function
print(f"clipped to {clipped(np.array([3.0, 4.0]), 1.0)}")


# %%
def largest_lr(curvatures):
    raise NotImplementedError("replace this line")


# %% tags=["folded"]
@exercise("The limit for many weights", uses="largest_lr", minutes=5, difficulty=2)
def limit_task(largest_lr):
    check.close(largest_lr(np.array([0.5, 1.72, 1.0])), 2 / 1.72, name="largest_lr([0.5, 1.72, 1])")


limit_task
