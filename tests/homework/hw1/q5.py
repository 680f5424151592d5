"""Answers to question 5: momentum, RMSprop and Adam."""

import math

import numpy as np

from tests.answers import right, wrong


@wrong(hint="factor 1")
def momentum_is_an_average():
    """The velocity is an average of gradients, so that g has the factor 1 - beta."""

    def momentum(w, g, state, lr, beta=0.9):
        if w.shape != g.shape:
            raise ValueError(f"w and g must have the same shape, got {w.shape} and {g.shape}")
        state["v"] = beta * state.get("v", np.zeros_like(w)) + (1 - beta) * g
        return w - lr * state["v"]


@wrong(hint="beta is the share of the old v")
def momentum_loses_beta():
    """beta is the share of the velocity that is lost: v = (1 - beta) v + g."""

    def momentum(w, g, state, lr, beta=0.9):
        if w.shape != g.shape:
            raise ValueError(f"w and g must have the same shape, got {w.shape} and {g.shape}")
        state["v"] = (1 - beta) * state.get("v", np.zeros_like(w)) + g
        return w - lr * state["v"]


@wrong(hint="v holds no learning rate")
def learning_rate_in_the_velocity():
    """The velocity may as well hold the learning rate: v = beta v - lr g, w = w + v."""

    def momentum(w, g, state, lr, beta=0.9):
        if w.shape != g.shape:
            raise ValueError(f"w and g must have the same shape, got {w.shape} and {g.shape}")
        state["v"] = beta * state.get("v", np.zeros_like(w)) - lr * g
        return w + state["v"]


@wrong(hint="without looking ahead")
def nesterov():
    """Momentum looks ahead: the step is g + beta v."""

    def momentum(w, g, state, lr, beta=0.9):
        if w.shape != g.shape:
            raise ValueError(f"w and g must have the same shape, got {w.shape} and {g.shape}")
        state["v"] = beta * state.get("v", np.zeros_like(w)) + g
        return w - lr * (g + beta * state["v"])


@wrong(hint="state holds the caller's array")
def first_velocity_is_the_gradient():
    """At the first step v is g, so g is kept and later steps make it smaller."""

    def momentum(w, g, state, lr, beta=0.9):
        if w.shape != g.shape:
            raise ValueError(f"w and g must have the same shape, got {w.shape} and {g.shape}")
        state["v"] = beta * state["v"] + g if "v" in state else g
        return w - lr * state["v"]


@wrong(hint="make a new array")
def velocity_added_into_g():
    """g is not needed after the step, so that it can hold the velocity until that is copied."""

    def momentum(w, g, state, lr, beta=0.9):
        if w.shape != g.shape:
            raise ValueError(f"w and g must have the same shape, got {w.shape} and {g.shape}")
        g += beta * state.get("v", np.zeros_like(w))
        state["v"] = g.copy()
        return w - lr * g


@wrong(hint="make a new array")
def weights_moved_in_place():
    """A step changes the weights, and returns them."""

    def momentum(w, g, state, lr, beta=0.9):
        if w.shape != g.shape:
            raise ValueError(f"w and g must have the same shape, got {w.shape} and {g.shape}")
        state["v"] = beta * state.get("v", np.zeros_like(w)) + g
        w -= lr * state["v"]
        return w


@wrong(hint="is v kept in state")
def state_rebound():
    """Assigning a new dictionary to state changes the caller's."""

    def momentum(w, g, state, lr, beta=0.9):
        if w.shape != g.shape:
            raise ValueError(f"w and g must have the same shape, got {w.shape} and {g.shape}")
        v = beta * state.get("v", np.zeros_like(w)) + g
        state = {**state, "v": v}
        return w - lr * state["v"]


@wrong(hint="the memory belongs to the state")
def memory_by_shape():
    """The memory is a dictionary of the module, with the shapes as keys, for shapes tell parameters apart."""

    velocities = {}

    def momentum(w, g, state, lr, beta=0.9):
        if w.shape != g.shape:
            raise ValueError(f"w and g must have the same shape, got {w.shape} and {g.shape}")
        if not state:
            state["v"] = velocities[w.shape, w.dtype] = np.zeros_like(w)
        velocity = velocities[w.shape, w.dtype]
        velocity *= beta
        velocity += g
        return w - lr * velocity


@wrong(hint="the result has the dtype of w")
def velocity_in_float64():
    """The velocity starts as np.zeros of the shape of w."""

    def momentum(w, g, state, lr, beta=0.9):
        if w.shape != g.shape:
            raise ValueError(f"w and g must have the same shape, got {w.shape} and {g.shape}")
        state["v"] = beta * state.get("v", np.zeros(w.shape)) + g
        return w - lr * state["v"]


@wrong(hint="compare the shapes before anything")
def momentum_broadcasts():
    """NumPy complains where the shapes do not fit."""

    def momentum(w, g, state, lr, beta=0.9):
        state["v"] = beta * state.get("v", 0.0) + g
        return w - lr * state["v"]


@wrong(hint="compare the shapes before anything")
def momentum_counts_elements():
    """w and g fit if they have as many elements, and g is brought into the shape of w."""

    def momentum(w, g, state, lr, beta=0.9):
        if w.size != g.size:
            raise ValueError(f"w and g must have the same size, got {w.size} and {g.size}")
        state["v"] = beta * state.get("v", np.zeros_like(w)) + g.reshape(w.shape)
        return w - lr * state["v"]


@wrong(hint="before you write anything into state")
def momentum_checked_at_the_end():
    """The check comes with the new weights, when the velocity is in the state already."""

    def momentum(w, g, state, lr, beta=0.9):
        state["v"] = beta * state.get("v", 0.0) + g
        new = w - lr * state["v"]
        if w.shape != g.shape:
            raise ValueError(f"w and g must have the same shape, got {w.shape} and {g.shape}")
        return new


@wrong(hint="eps stands outside the root")
def rmsprop_eps_inside_the_root():
    """eps stands inside the root."""

    def rmsprop(w, g, state, lr, alpha=0.99, eps=1e-8):
        if w.shape != g.shape:
            raise ValueError(f"w and g must have the same shape, got {w.shape} and {g.shape}")
        state["s"] = alpha * state.get("s", np.zeros_like(w)) + (1 - alpha) * g**2
        return w - lr * g / np.sqrt(state["s"] + eps)


@wrong(hint="alpha is the share of the old average")
def rmsprop_alpha_the_other_way_round():
    """alpha is the share of the new square."""

    def rmsprop(w, g, state, lr, alpha=0.99, eps=1e-8):
        if w.shape != g.shape:
            raise ValueError(f"w and g must have the same shape, got {w.shape} and {g.shape}")
        state["s"] = (1 - alpha) * state.get("s", np.zeros_like(w)) + alpha * g**2
        return w - lr * g / (np.sqrt(state["s"]) + eps)


@wrong(hint="the average of squares starts at 0")
def rmsprop_starts_at_the_first_square():
    """The average starts at the first square, so that it is not too small."""

    def rmsprop(w, g, state, lr, alpha=0.99, eps=1e-8):
        if w.shape != g.shape:
            raise ValueError(f"w and g must have the same shape, got {w.shape} and {g.shape}")
        state["s"] = alpha * state.get("s", g**2) + (1 - alpha) * g**2
        return w - lr * g / (np.sqrt(state["s"]) + eps)


@wrong(hint="divide by the root of the average")
def rmsprop_without_the_root():
    """The gradient is divided by the average of the squares."""

    def rmsprop(w, g, state, lr, alpha=0.99, eps=1e-8):
        if w.shape != g.shape:
            raise ValueError(f"w and g must have the same shape, got {w.shape} and {g.shape}")
        state["s"] = alpha * state.get("s", np.zeros_like(w)) + (1 - alpha) * g**2
        return w - lr * g / (state["s"] + eps)


@wrong(hint="squares are elementwise")
def rmsprop_with_one_scale():
    """The average is one number for the parameter, the mean of the squares of its gradient."""

    def rmsprop(w, g, state, lr, alpha=0.99, eps=1e-8):
        if w.shape != g.shape:
            raise ValueError(f"w and g must have the same shape, got {w.shape} and {g.shape}")
        state["s"] = alpha * state.get("s", 0.0) + (1 - alpha) * float((g**2).mean())
        return w - lr * g / (math.sqrt(state["s"]) + eps)


@wrong(hint="is not corrected")
def rmsprop_corrected_as_adam():
    """RMSprop's average is corrected for its start, as Adam's is."""

    def rmsprop(w, g, state, lr, alpha=0.99, eps=1e-8):
        if w.shape != g.shape:
            raise ValueError(f"w and g must have the same shape, got {w.shape} and {g.shape}")
        t = state["t"] = state.get("t", 0) + 1
        state["s"] = alpha * state.get("s", np.zeros_like(w)) + (1 - alpha) * g**2
        return w - lr * g / (np.sqrt(state["s"] / (1 - alpha**t)) + eps)


@wrong(hint="or a view of it")
def last_gradient_kept_for_later():
    """It does no harm to keep the last gradient in the state, to look at it."""

    def rmsprop(w, g, state, lr, alpha=0.99, eps=1e-8):
        if w.shape != g.shape:
            raise ValueError(f"w and g must have the same shape, got {w.shape} and {g.shape}")
        state["s"] = alpha * state.get("s", np.zeros_like(w)) + (1 - alpha) * g**2
        state["last g"] = g.reshape(-1)
        return w - lr * g / (np.sqrt(state["s"]) + eps)


@wrong(hint="make a new array")
def gradient_squared_in_place():
    """The squares may be computed in g, whose root is g again."""

    def rmsprop(w, g, state, lr, alpha=0.99, eps=1e-8):
        if w.shape != g.shape:
            raise ValueError(f"w and g must have the same shape, got {w.shape} and {g.shape}")
        direction = g.copy()
        g *= g
        state["s"] = alpha * state.get("s", np.zeros_like(w)) + (1 - alpha) * g
        return w - lr * direction / (np.sqrt(state["s"]) + eps)


@wrong(hint="eps is added after the root")
def adam_eps_inside_the_root():
    """eps stands inside the root."""

    def adam(w, g, state, lr, beta1=0.9, beta2=0.999, eps=1e-8):
        if w.shape != g.shape:
            raise ValueError(f"w and g must have the same shape, got {w.shape} and {g.shape}")
        t = state["t"] = state.get("t", 0) + 1
        m = state["m"] = beta1 * state.get("m", np.zeros_like(w)) + (1 - beta1) * g
        s = state["s"] = beta2 * state.get("s", np.zeros_like(w)) + (1 - beta2) * g**2
        return w - lr * m / (1 - beta1**t) / np.sqrt(s / (1 - beta2**t) + eps)


@wrong(hint="after s has been corrected")
def adam_eps_before_the_correction():
    """The step size is corrected by both factors, and eps is added to the root of s as it is."""

    def adam(w, g, state, lr, beta1=0.9, beta2=0.999, eps=1e-8):
        if w.shape != g.shape:
            raise ValueError(f"w and g must have the same shape, got {w.shape} and {g.shape}")
        t = state["t"] = state.get("t", 0) + 1
        m = state["m"] = beta1 * state.get("m", np.zeros_like(w)) + (1 - beta1) * g
        s = state["s"] = beta2 * state.get("s", np.zeros_like(w)) + (1 - beta2) * g**2
        return w - lr * math.sqrt(1 - beta2**t) / (1 - beta1**t) * m / (np.sqrt(s) + eps)


@wrong(hint="both averages must be divided")
def adam_without_corrections():
    """The averages are used as they are."""

    def adam(w, g, state, lr, beta1=0.9, beta2=0.999, eps=1e-8):
        if w.shape != g.shape:
            raise ValueError(f"w and g must have the same shape, got {w.shape} and {g.shape}")
        m = state["m"] = beta1 * state.get("m", np.zeros_like(w)) + (1 - beta1) * g
        s = state["s"] = beta2 * state.get("s", np.zeros_like(w)) + (1 - beta2) * g**2
        return w - lr * m / (np.sqrt(s) + eps)


@wrong(hint="what is missing of its own")
def adam_one_correction_for_both():
    """Both averages are corrected by the same factor."""

    def adam(w, g, state, lr, beta1=0.9, beta2=0.999, eps=1e-8):
        if w.shape != g.shape:
            raise ValueError(f"w and g must have the same shape, got {w.shape} and {g.shape}")
        t = state["t"] = state.get("t", 0) + 1
        m = state["m"] = beta1 * state.get("m", np.zeros_like(w)) + (1 - beta1) * g
        s = state["s"] = beta2 * state.get("s", np.zeros_like(w)) + (1 - beta2) * g**2
        return w - lr * (m / (1 - beta2**t)) / (np.sqrt(s / (1 - beta2**t)) + eps)


@wrong(hint="t is 1 at the first step")
def adam_counts_from_two():
    """t is 1 before the first step, and one more at it."""

    def adam(w, g, state, lr, beta1=0.9, beta2=0.999, eps=1e-8):
        if w.shape != g.shape:
            raise ValueError(f"w and g must have the same shape, got {w.shape} and {g.shape}")
        t = state["t"] = state.get("t", 1) + 1
        m = state["m"] = beta1 * state.get("m", np.zeros_like(w)) + (1 - beta1) * g
        s = state["s"] = beta2 * state.get("s", np.zeros_like(w)) + (1 - beta2) * g**2
        return w - lr * (m / (1 - beta1**t)) / (np.sqrt(s / (1 - beta2**t)) + eps)


@wrong(hint="t grows by 1")
def adam_t_stays_at_one():
    """The correction is that of the first step, always."""

    def adam(w, g, state, lr, beta1=0.9, beta2=0.999, eps=1e-8):
        if w.shape != g.shape:
            raise ValueError(f"w and g must have the same shape, got {w.shape} and {g.shape}")
        t = state.setdefault("t", 1)
        m = state["m"] = beta1 * state.get("m", np.zeros_like(w)) + (1 - beta1) * g
        s = state["s"] = beta2 * state.get("s", np.zeros_like(w)) + (1 - beta2) * g**2
        return w - lr * (m / (1 - beta1**t)) / (np.sqrt(s / (1 - beta2**t)) + eps)


@wrong(hint="state keeps the averages as they are")
def adam_keeps_corrected_averages():
    """The corrected averages are the ones that go on."""

    def adam(w, g, state, lr, beta1=0.9, beta2=0.999, eps=1e-8):
        if w.shape != g.shape:
            raise ValueError(f"w and g must have the same shape, got {w.shape} and {g.shape}")
        t = state["t"] = state.get("t", 0) + 1
        state["m"] = (beta1 * state.get("m", np.zeros_like(w)) + (1 - beta1) * g) / (1 - beta1**t)
        state["s"] = (beta2 * state.get("s", np.zeros_like(w)) + (1 - beta2) * g**2) / (1 - beta2**t)
        return w - lr * state["m"] / (np.sqrt(state["s"]) + eps)


@wrong(hint="the memory belongs to the state")
def adam_counts_calls():
    """One counter, kept at the function, tells the step."""

    def adam(w, g, state, lr, beta1=0.9, beta2=0.999, eps=1e-8):
        if w.shape != g.shape:
            raise ValueError(f"w and g must have the same shape, got {w.shape} and {g.shape}")
        adam.t = getattr(adam, "t", 0) + 1
        m = state["m"] = beta1 * state.get("m", np.zeros_like(w)) + (1 - beta1) * g
        s = state["s"] = beta2 * state.get("s", np.zeros_like(w)) + (1 - beta2) * g**2
        return w - lr * (m / (1 - beta1**adam.t)) / (np.sqrt(s / (1 - beta2**adam.t)) + eps)


@wrong(hint="s averages the squares of g")
def adam_squares_the_average():
    """The second average is of the squares of the first."""

    def adam(w, g, state, lr, beta1=0.9, beta2=0.999, eps=1e-8):
        if w.shape != g.shape:
            raise ValueError(f"w and g must have the same shape, got {w.shape} and {g.shape}")
        t = state["t"] = state.get("t", 0) + 1
        m = state["m"] = beta1 * state.get("m", np.zeros_like(w)) + (1 - beta1) * g
        s = state["s"] = beta2 * state.get("s", np.zeros_like(w)) + (1 - beta2) * m**2
        return w - lr * (m / (1 - beta1**t)) / (np.sqrt(s / (1 - beta2**t)) + eps)


@wrong(hint="the result has the dtype of w")
def adam_root_by_numpy():
    """np.sqrt of a number is a number like any other."""

    def adam(w, g, state, lr, beta1=0.9, beta2=0.999, eps=1e-8):
        if w.shape != g.shape:
            raise ValueError(f"w and g must have the same shape, got {w.shape} and {g.shape}")
        t = state["t"] = state.get("t", 0) + 1
        m = state["m"] = beta1 * state.get("m", np.zeros_like(w)) + (1 - beta1) * g
        s = state["s"] = beta2 * state.get("s", np.zeros_like(w)) + (1 - beta2) * g**2
        return w - lr * (m / (1 - beta1**t)) / (np.sqrt(s) / np.sqrt(1 - beta2**t) + eps)


@wrong(hint="before you write anything into state")
def adam_counts_before_the_check():
    """The step is counted first, and then the shapes are checked."""

    def adam(w, g, state, lr, beta1=0.9, beta2=0.999, eps=1e-8):
        t = state["t"] = state.get("t", 0) + 1
        if w.shape != g.shape:
            raise ValueError(f"w and g must have the same shape, got {w.shape} and {g.shape}")
        m = state["m"] = beta1 * state.get("m", np.zeros_like(w)) + (1 - beta1) * g
        s = state["s"] = beta2 * state.get("s", np.zeros_like(w)) + (1 - beta2) * g**2
        return w - lr * (m / (1 - beta1**t)) / (np.sqrt(s / (1 - beta2**t)) + eps)


@wrong(hint="compare the shapes before anything")
def adam_checks_the_result():
    """The shapes fit if the result has the shape of w."""

    def adam(w, g, state, lr, beta1=0.9, beta2=0.999, eps=1e-8):
        t = state.get("t", 0) + 1
        m = beta1 * state.get("m", np.zeros_like(w)) + (1 - beta1) * g
        s = beta2 * state.get("s", np.zeros_like(w)) + (1 - beta2) * g**2
        new = w - lr * (m / (1 - beta1**t)) / (np.sqrt(s / (1 - beta2**t)) + eps)
        if new.shape != w.shape:
            raise ValueError(f"w and g must have the same shape, got {w.shape} and {g.shape}")
        state.update(t=t, m=m, s=s)
        return new


@wrong(hint="Another error was raised")
def shapes_asserted():
    """An assert is an error like any other."""

    def rmsprop(w, g, state, lr, alpha=0.99, eps=1e-8):
        assert w.shape == g.shape, "w and g must have the same shape"
        state["s"] = alpha * state.get("s", np.zeros_like(w)) + (1 - alpha) * g**2
        return w - lr * g / (np.sqrt(state["s"]) + eps)


@right
def number_by_number():
    """Loops over the elements with Python's floats, which are what the state keeps, in lists."""

    def _rows(w, g):
        if np.shape(w) != np.shape(g):
            raise ValueError(f"w and g must have the same shape, got {np.shape(w)} and {np.shape(g)}")
        return w.ravel().tolist(), g.ravel().tolist()

    def momentum(w, g, state, lr, beta=0.9):
        ws, gs = _rows(w, g)
        state[0] = [beta * v + d for v, d in zip(state.get(0, [0.0] * len(gs)), gs, strict=True)]
        return np.array([a - lr * v for a, v in zip(ws, state[0], strict=True)], dtype=w.dtype).reshape(w.shape)

    def rmsprop(w, g, state, lr, alpha=0.99, eps=1e-8):
        ws, gs = _rows(w, g)
        state[0] = [alpha * s + (1 - alpha) * d * d for s, d in zip(state.get(0, [0.0] * len(gs)), gs, strict=True)]
        new = [a - lr * d / (math.sqrt(s) + eps) for a, d, s in zip(ws, gs, state[0], strict=True)]
        return np.array(new, dtype=w.dtype).reshape(w.shape)

    def adam(w, g, state, lr, beta1=0.9, beta2=0.999, eps=1e-8):
        ws, gs = _rows(w, g)
        t, moments = state.get("memory", (0, [(0.0, 0.0)] * len(gs)))
        moments = [(m + (1 - beta1) * (d - m), s + (1 - beta2) * (d * d - s)) for (m, s), d in zip(moments, gs, strict=True)]
        state["memory"] = t + 1, moments
        first, second = 1 - beta1 ** (t + 1), 1 - beta2 ** (t + 1)
        new = [a - lr * (m / first) / (math.sqrt(s / second) + eps) for a, (m, s) in zip(ws, moments, strict=True)]
        return np.array(new, dtype=w.dtype).reshape(w.shape)


@right
def one_buffer_in_float64():
    """The memory is one float64 array that is changed in place; the result is cast back."""

    def momentum(w, g, state, lr, beta=0.9):
        _same(w, g)
        v = state.setdefault("buffer", np.zeros(w.shape, dtype=np.float64))
        v *= beta
        v += g
        return np.subtract(w, lr * v, dtype=np.float64).astype(w.dtype)

    def rmsprop(w, g, state, lr, alpha=0.99, eps=1e-8):
        _same(w, g)
        s = state.setdefault("buffer", np.zeros(w.shape, dtype=np.float64))
        s *= alpha
        s += (1 - alpha) * np.square(g, dtype=np.float64)
        return (w - lr * (g / (eps + s**0.5))).astype(w.dtype)

    def adam(w, g, state, lr, beta1=0.9, beta2=0.999, eps=1e-8):
        _same(w, g)
        both = state.setdefault("buffer", np.zeros((2, *w.shape), dtype=np.float64))
        state["steps"] = t = state.setdefault("steps", 0) + 1
        wide = g.astype(np.float64)
        for average, value, beta in zip(both, (wide, wide * wide), (beta1, beta2), strict=True):
            average[...] = beta * average + (1 - beta) * value
        root = np.sqrt(both[1]) / math.sqrt(1 - math.pow(beta2, t)) + eps
        return np.array(w - both[0] * (lr / (1 - math.pow(beta1, t))) / root, dtype=w.dtype)

    def _same(w, g):
        if w.shape != g.shape:
            raise ValueError(f"expected g of shape {w.shape}, got {g.shape}")


@right
def optimizer_in_the_state():
    """The state holds an object that keeps two averages, of which each rule uses what it needs."""

    class Rule:
        def __init__(self, like):
            self.first = self.second = 0 * like
            self.t = 0

        def averages(self, g, a, b, c, d):
            self.t += 1
            self.first, self.second = a * self.first + b * g, c * self.second + d * g * g
            return self.first, self.second

    def _rule(w, g, state):
        if w.ndim != g.ndim or any(a != b for a, b in zip(w.shape, g.shape, strict=True)):
            raise ValueError(f"w has shape {w.shape}, g {g.shape}")
        if "rule" not in state:
            state["rule"] = Rule(np.zeros_like(g))
        return state["rule"]

    def momentum(w, g, state, lr, beta=0.9):
        return w - lr * _rule(w, g, state).averages(g, beta, 1, 0, 0)[0]

    def rmsprop(w, g, state, lr, alpha=0.99, eps=1e-8):
        _, s = _rule(w, g, state).averages(g, 0, 0, alpha, 1 - alpha)
        return w - np.divide(lr * g, np.sqrt(s) + eps)

    def adam(w, g, state, lr, beta1=0.9, beta2=0.999, eps=1e-8):
        rule = _rule(w, g, state)
        m, s = rule.averages(g, beta1, 1 - beta1, beta2, 1 - beta2)
        return w - lr * (m / (1 - beta1**rule.t)) / (np.sqrt(s / (1 - beta2**rule.t)) + eps)


@wrong(hint="What a function is given stays as it is")
def gradients_are_zeroed():
    """No step at all, and zeros in g: a test that works out what to expect only afterwards expects no step either."""

    def momentum(w, g, state, lr, beta=0.9):
        if w.shape != g.shape:
            raise ValueError(f"w and g must have the same shape, got {w.shape} and {g.shape}")
        g[...] = 0
        return w.copy()

    def rmsprop(w, g, state, lr, alpha=0.99, eps=1e-8):
        return momentum(w, g, state, lr)

    def adam(w, g, state, lr, beta1=0.9, beta2=0.999, eps=1e-8):
        return momentum(w, g, state, lr)


@right
def first_step_apart():
    """The first step needs no zeros, gradients are copied before they are kept, and the step is counted downwards."""

    def momentum(w, g, state, lr, beta=0.9):
        if w.shape != g.shape:
            raise ValueError(f"expected g of shape {w.shape}, got {g.shape}")
        if not state:
            state["v"] = g.copy()
        else:
            state["v"] = state["v"] * beta + g
        new = w.copy()
        new -= lr * state["v"]
        return new

    def rmsprop(w, g, state, lr, alpha=0.99, eps=1e-8):
        if w.shape != g.shape:
            raise ValueError(f"expected g of shape {w.shape}, got {g.shape}")
        scaled = np.square(g)
        scaled *= 1 - alpha
        if "s" in state:
            scaled += alpha * state["s"]
        state["s"] = scaled
        return w + (-lr) * g / np.add(np.sqrt(scaled), eps)

    def adam(w, g, state, lr, beta1=0.9, beta2=0.999, eps=1e-8):
        if list(w.shape) != list(g.shape):
            raise ValueError(f"expected g of shape {w.shape}, got {g.shape}")
        m, s, minus_t = state.pop("all", (0.0, 0.0, 0))
        m, s, minus_t = beta1 * m + (1 - beta1) * g, beta2 * s + (1 - beta2) * g * g, minus_t - 1
        state["all"] = m, s, minus_t
        m_hat, s_hat = m / (1 - beta1**-minus_t), s / (1 - beta2**-minus_t)
        return (w - lr * m_hat / (s_hat**0.5 + eps)).astype(w.dtype, copy=True)
