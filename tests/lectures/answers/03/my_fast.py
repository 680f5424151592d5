"""Answers to the exercise on a rule that beats Rosenbrock's valley."""

import numpy as np

from tests.answers import right, wrong


@wrong(hint="loss")
def gradient_descent():
    """Small steps arrive in the end."""

    def my_fast(w, g, state, lr):
        return w - lr * g

    my_lr = 0.001


@wrong(hint="diverge")
def large_steps():
    """A large learning rate is fast."""

    def my_fast(w, g, state, lr):
        return w - lr * g

    my_lr = 0.1


@wrong(hint="loss")
def momentum_as_it_is():
    """Momentum at the lecture's settings."""

    def my_fast(w, g, state, lr):
        return momentum(w, g, state, lr)

    my_lr = 0.001


@wrong(hint="loss")
def adam_as_it_is():
    """Adam at the lecture's learning rate."""

    def my_fast(w, g, state, lr):
        return adam(w, g, state, lr)

    my_lr = 0.1


@wrong(hint="where")
def knows_the_minimum():
    """The minimum is at (1, 1)."""

    def my_fast(w, g, state, lr):
        return np.array([1.0, 1.0])


@wrong(hint="start")
def knows_the_way():
    """From the start the minimum is 2.2 to the right, wherever the valley lies."""

    def my_fast(w, g, state, lr):
        if "arrived" in state:
            return w
        state["arrived"] = True
        return w + np.array([2.2, 0.0])


@wrong(hint="moved")
def own_gradients():
    """Runs Newton's method on the lecture's own gradient, which does not move with the valley."""

    def my_fast(w, g, state, lr):
        for _ in range(50):
            h = 1e-6 * np.eye(2)
            slopes = rosenbrock_grad(w)
            H = (rosenbrock_grad(w + h) - slopes) / 1e-6
            w = w - np.linalg.solve(H + 1e-9 * np.eye(2), slopes)
        return w


@wrong(hint="loss")
def sign_of_the_slope():
    """Only the sign of each slope counts."""

    def my_fast(w, g, state, lr):
        return w - lr * np.sign(g)

    my_lr = 0.01


@wrong(hint="shape")
def one_number():
    """Returns one number for both weights."""

    def my_fast(w, g, state, lr):
        return float(np.mean(w - lr * g))


@wrong(hint="array")
def nothing_returned():
    """The weights change where they are."""

    def my_fast(w, g, state, lr):
        w -= lr * g


@wrong(hint="finite")
def not_a_number():
    """Divides by what may be zero, and goes on with nan."""

    def my_fast(w, g, state, lr):
        return w * np.nan


@wrong(hint="loss")
def restart_of_accelerated_descent():
    """Nesterov's rule with a restart is enough."""

    def my_fast(w, g, state, lr):
        v, k = state.get("v", np.zeros(2)), state.get("k", 0)
        if g @ v > 0:
            v, k = np.zeros(2), 0
        z = w - lr * g
        move = z - state.get("z", w)
        state.update(z=z, v=move, k=k + 1)
        return z + k / (k + 3) * move

    my_lr = 0.001


@wrong(hint="loss")
def good_rule_without_its_lr():
    """Momentum with beta = 0.98 and the learning rate of the cell: near to it, but not there in 300 steps."""

    def my_fast(w, g, state, lr):
        return momentum(w, g, state, lr, beta=0.98)

    my_lr = 0.0003


@right
def barzilai_borwein():
    """Divides by the curvature along the last step, with a bound on the step."""

    def my_fast(w, g, state, lr):
        step = -lr * g / (1 + lr * np.linalg.norm(g))
        if state:
            s, y = w - state["w"], g - state["g"]
            step = -g * abs(s @ y) / max(y @ y, 1e-300)
        length = np.linalg.norm(step)
        state["w"], state["g"] = w.copy(), g.copy()
        return w + step * min(1, 0.5 / max(length, 1e-300))

    my_lr = 0.001


@right
def bfgs():
    """Learns the inverse Hessian from differences of gradients (BFGS), with a bound on the step."""

    def my_fast(w, g, state, lr):
        H = state.get("H", lr * np.eye(2))
        if "w" in state:
            s, y = w - state["w"], g - state["g"]
            if s @ y > 1e-10 * np.linalg.norm(s) * np.linalg.norm(y):
                r = 1 / (s @ y)
                V = np.eye(2) - r * np.outer(s, y)
                H = V @ H @ V.T + r * np.outer(s, s)
        d = -H @ g
        state.update(H=H, w=w.copy(), g=g.copy())
        return w + d * min(1, 0.2 / max(np.linalg.norm(d), 1e-300))

    my_lr = 0.001


@right
def newton_by_differences():
    """Two small steps measure the Hessian, the third is Newton's, no longer than lr."""

    def my_fast(w, g, state, lr):
        h = 1e-5
        k = state["k"] = state.get("k", -1) + 1
        if k % 3 == 0:
            state["w"], state["g"] = w.copy(), g.copy()
            return w + np.array([h, 0])
        if k % 3 == 1:
            state["hx"] = (g - state["g"]) / h
            return state["w"] + np.array([0, h])
        H = np.stack([state["hx"], (g - state["g"]) / h])
        lam, U = np.linalg.eigh((H + H.T) / 2)
        d = -U @ ((U.T @ state["g"]) / np.maximum(np.abs(lam), 1e-3))
        return state["w"] + d * min(1, lr / max(np.linalg.norm(d), 1e-300))

    my_lr = 0.3


@right
def knows_the_formula():
    """Solves the formula of Rosenbrock's gradient for the place in the valley; it does not know where the valley lies."""

    def my_fast(w, g, state, lr):
        x = (g[0] + 2) / (2 - 2 * g[1])
        y = g[1] / 200 + x**2
        return w - np.array([x, y]) + 1
