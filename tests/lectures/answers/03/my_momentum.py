"""Answers to the exercise on the momentum step."""

import numpy as np

from tests.answers import right, wrong


@wrong(hint="1 - beta")
def running_mean():
    """The velocity is a running mean, as in Adam."""

    def my_momentum(w, g, state, lr, beta=0.9):
        state["v"] = beta * state.get("v", 0) + (1 - beta) * g
        return w - lr * state["v"]


@wrong(hint="state")
def velocity_not_kept():
    """Reads the velocity, but does not write it back."""

    def my_momentum(w, g, state, lr, beta=0.9):
        v = beta * state.get("v", 0) + g
        return w - lr * v


@wrong(hint="The numbers differ")
def old_velocity_used():
    """Moves by the velocity from before this gradient."""

    def my_momentum(w, g, state, lr, beta=0.9):
        v = state.get("v", 0)
        state["v"] = beta * v + g
        return w - lr * v


@wrong(hint="zero")
def starts_from_the_gradient():
    """The velocity starts as the first gradient, and the first step adds it again."""

    def my_momentum(w, g, state, lr, beta=0.9):
        state["v"] = beta * state.get("v", g) + g
        return w - lr * state["v"]


@wrong(hint="changed")
def weights_in_place():
    """Moves the weights where they are."""

    def my_momentum(w, g, state, lr, beta=0.9):
        state["v"] = beta * state.get("v", 0) + g
        w -= lr * state["v"]
        return w


@wrong(hint="changed")
def first_gradient_is_the_velocity():
    """Keeps the first gradient itself as the velocity, and changes it in place at the second step."""

    def my_momentum(w, g, state, lr, beta=0.9):
        if "v" not in state:
            state["v"] = g
        else:
            state["v"] *= beta
            state["v"] += g
        return w - lr * state["v"]


@wrong(hint="changed")
def gradient_in_place():
    """Adds the old velocity to the gradient where it is."""

    def my_momentum(w, g, state, lr, beta=0.9):
        g += beta * state.get("v", 0)
        state["v"] = g
        return w - lr * g


@wrong(hint="subtract it")
def uphill():
    """The velocity is added."""

    def my_momentum(w, g, state, lr, beta=0.9):
        state["v"] = beta * state.get("v", 0) + g
        return w + lr * state["v"]


@wrong(hint="lr")
def learning_rate_in_the_velocity():
    """The velocity collects the steps, with lr inside."""

    def my_momentum(w, g, state, lr, beta=0.9):
        state["v"] = beta * state.get("v", 0) + lr * g
        return w - state["v"]


@wrong(hint="The numbers differ")
def beta_of_the_example():
    """beta is always 0.9."""

    def my_momentum(w, g, state, lr, beta=0.9):
        state["v"] = 0.9 * state.get("v", 0) + g
        return w - lr * state["v"]


@wrong(hint="weights")
def returns_both():
    """Returns the weights and the velocity."""

    def my_momentum(w, g, state, lr, beta=0.9):
        state["v"] = beta * state.get("v", 0) + g
        return w - lr * state["v"], state["v"]


@wrong(hint="The numbers differ")
def returns_the_step():
    """Returns the step in place of the new weights."""

    def my_momentum(w, g, state, lr, beta=0.9):
        state["v"] = beta * state.get("v", 0) + g
        return -lr * state["v"]


@wrong(hint='"v"')
def another_key():
    """Any name in the dictionary will do."""

    def my_momentum(w, g, state, lr, beta=0.9):
        state["velocity"] = beta * state.get("velocity", 0) + g
        return w - lr * state["velocity"]


@wrong(hint="The numbers differ")
def velocity_in_a_global():
    """Keeps the velocity in a global variable, which the next run finds, and copies it into the dictionary."""

    velocity = 0

    def my_momentum(w, g, state, lr, beta=0.9):
        global velocity
        velocity = beta * velocity + g
        state["v"] = velocity
        return w - lr * velocity


@wrong(hint="number")
def arrays_only():
    """The weights always have a shape."""

    def my_momentum(w, g, state, lr, beta=0.9):
        v = state.get("v", np.zeros(w.shape))
        state["v"] = beta * v + g
        return w - lr * state["v"]


@wrong(hint="ahead")
def nesterov_step():
    """Looks a step ahead, as Nesterov's rule does."""

    def my_momentum(w, g, state, lr, beta=0.9):
        state["v"] = beta * state.get("v", 0) + g
        return w - lr * (g + beta * state["v"])


@wrong(hint="beta")
def beta_on_the_gradient():
    """beta weighs the new gradient, too."""

    def my_momentum(w, g, state, lr, beta=0.9):
        state["v"] = beta * (state.get("v", 0) + g)
        return w - lr * state["v"]


@right
def setdefault_zero():
    """Sets the velocity to zero first."""

    def my_momentum(w, g, state, lr, beta=0.9):
        state.setdefault("v", 0.0)
        state["v"] = g + state["v"] * beta
        return w + (-lr) * state["v"]


@right
def zeros_like():
    """Branches on the first step, and changes its own array in place."""

    def my_momentum(w, g, state, lr, beta=0.9):
        if not state:
            state["v"] = np.zeros_like(np.asarray(g, dtype=float))
        v = np.multiply(state["v"], beta)
        v = np.add(v, g)
        state.update(v=v)
        return np.subtract(w, lr * v)


@right
def in_place_on_its_own_copy():
    """The velocity is its own array, changed in place."""

    def my_momentum(w, g, state, lr, beta=0.9):
        if "v" not in state:
            state["v"] = np.array(g, dtype=float)
        else:
            state["v"] *= beta
            state["v"] += g
        new = np.array(w, dtype=float)
        new -= lr * state["v"]
        return new
