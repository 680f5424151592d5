"""Answers to the exercise `hessian_times`: curvature without the matrix."""

import numpy as np

from tests.answers import right, wrong


@wrong(hint="twice")
def factor_of_two():
    """A central difference is divided by h."""

    def hessian_times(f, x, v):
        def grad(at):
            leaf = Node(at)
            backward(f(leaf))
            return leaf.grad

        h = 1e-5 / max(np.linalg.norm(v), 1e-300)
        return (grad(x + h * v) - grad(x - h * v)) / h


@wrong(hint="moves so far")
def step_too_large():
    """A step of 0.1 is small enough."""

    def hessian_times(f, x, v):
        def grad(at):
            leaf = Node(at)
            backward(f(leaf))
            return leaf.grad

        h = 0.1 / max(np.linalg.norm(v), 1e-300)
        return (grad(x + h * v) - grad(x)) / h


@wrong(hint="moves so little")
def step_too_small():
    """The smaller the step, the better."""

    def hessian_times(f, x, v):
        def grad(at):
            leaf = Node(at)
            backward(f(leaf))
            return leaf.grad

        h = 1e-14 / max(np.linalg.norm(v), 1e-300)
        return (grad(x + h * v) - grad(x - h * v)) / (2 * h)


@wrong(hint="unit vector")
def direction_made_a_unit_vector():
    """Only the direction of v counts."""

    def hessian_times(f, x, v):
        def grad(at):
            leaf = Node(at)
            backward(f(leaf))
            return leaf.grad

        h, u = 1e-5, v / max(np.linalg.norm(v), 1e-300)
        return (grad(x + h * u) - grad(x - h * u)) / (2 * h)


@wrong(hint="does not fit the length of v")
def step_not_fitted_to_v():
    """h is 1e-5, whatever the length of v."""

    def hessian_times(f, x, v):
        def grad(at):
            leaf = Node(at)
            backward(f(leaf))
            return leaf.grad

        h = 1e-5
        return (grad(x + h * v) - grad(x - h * v)) / (2 * h)


@wrong(hint="may be zero")
def divided_by_a_zero_length():
    """v has a length by which one can divide."""

    def hessian_times(f, x, v):
        def grad(at):
            leaf = Node(at)
            backward(f(leaf))
            return leaf.grad

        with np.errstate(all="ignore"):
            h = 1e-5 / np.linalg.norm(v)
            return (grad(x + h * v) - grad(x - h * v)) / (2 * h)


@wrong(hint="four")
def builds_the_matrix():
    """The matrix is built from one pair of gradients for each input."""

    def hessian_times(f, x, v):
        def grad(at):
            leaf = Node(at)
            backward(f(leaf))
            return leaf.grad

        h = 1e-5
        H = np.concatenate([(grad(x + h * e) - grad(x - h * e)) / (2 * h) for e in np.eye(x.shape[1])])
        return v @ H


@wrong(hint="The numbers differ")
def curvature_along_v():
    """The second difference of f along v, times v."""

    def hessian_times(f, x, v):
        h = 1e-3 / max(np.linalg.norm(v), 1e-300)
        up, mid, down = (float(np.sum(f(Node(x + t * v)).value)) for t in (h, 0.0, -h))
        return (up - 2 * mid + down) / h**2 * v


@wrong(hint="changed")
def x_moved_in_place():
    """x may be moved and moved back."""

    def hessian_times(f, x, v):
        def grad(at):
            leaf = Node(at)
            backward(f(leaf))
            return leaf.grad

        h = 1e-5 / max(np.linalg.norm(v), 1e-300)
        x += h * v
        up = grad(x)
        x -= 2 * h * v
        down = grad(x)
        x += h * v
        return (up - down) / (2 * h)


@wrong(hint="changed")
def v_scaled_in_place():
    """v may be made a unit vector where it stands."""

    def hessian_times(f, x, v):
        def grad(at):
            leaf = Node(at)
            backward(f(leaf))
            return leaf.grad

        length = max(np.linalg.norm(v), 1e-300)
        v /= length
        return (grad(x + 1e-5 * v) - grad(x - 1e-5 * v)) / 2e-5 * length


@wrong(hint="The numbers differ")
def gradient_times_v():
    """The gradient is multiplied by v."""

    def hessian_times(f, x, v):
        leaf = Node(x)
        backward(f(leaf))
        return leaf.grad * v


@wrong(hint="shape")
def result_without_its_axis():
    """The result is a vector, (N,)."""

    def hessian_times(f, x, v):
        def grad(at):
            leaf = Node(at)
            backward(f(leaf))
            return leaf.grad

        h = 1e-5 / max(np.linalg.norm(v), 1e-300)
        return ((grad(x + h * v) - grad(x - h * v)) / (2 * h))[0]


@wrong(hint="shape")
def both_points_in_one_call():
    """Both points go through f as a batch of two rows."""

    def hessian_times(f, x, v):
        h = 1e-5 / max(np.linalg.norm(v), 1e-300)
        leaf = Node(np.concatenate([x + h * v, x - h * v]))
        backward(f(leaf))
        return (leaf.grad[:1] - leaf.grad[1:]) / (2 * h)


@wrong(hint="diagonal")
def diagonal_only():
    """The second derivatives w.r.t. two different inputs are 0."""

    def hessian_times(f, x, v):
        def grad(at):
            leaf = Node(at)
            backward(f(leaf))
            return leaf.grad

        h = 1e-5
        return (grad(x + h) - grad(x - h)) / (2 * h) * v


@wrong(hint="sign")
def sign_turned():
    """The difference is taken from down to up."""

    def hessian_times(f, x, v):
        def grad(at):
            leaf = Node(at)
            backward(f(leaf))
            return leaf.grad

        h = 1e-5 / max(np.linalg.norm(v), 1e-300)
        return (grad(x - h * v) - grad(x + h * v)) / (2 * h)


@right
def central_difference_of_gradients():
    """Two gradients, with a step that fits the length of v."""

    def hessian_times(f, x, v):
        def grad(at):
            leaf = Node(at)
            backward(f(leaf))
            return leaf.grad

        length = np.linalg.norm(v)
        if length == 0:
            return np.zeros_like(x)
        h = 1e-5 * (1 + np.linalg.norm(x)) / length
        return (grad(x + h * v) - grad(x - h * v)) / (2 * h)


@right
def complex_step():
    """One gradient at x + ihv: its imaginary part over h."""

    def hessian_times(f, x, v):
        h = 1e-30
        leaf = Node(x + 1j * h * v)
        backward(f(leaf))
        return np.imag(leaf.grad) / h


@right
def four_points():
    """Four gradients, and an error of fourth order."""

    def hessian_times(f, x, v):
        length = np.sqrt((v * v).sum())
        u = v / length if length else v
        total = np.zeros_like(x)
        for step, weight in ((1e-3, 8), (-1e-3, -8), (2e-3, -1), (-2e-3, 1)):
            leaf = Node(x + step * u)
            backward(f(leaf))
            total = total + weight * leaf.grad
        return length * total / 12e-3


@right
def forward_difference_of_gradients():
    """Two gradients, one of them at x itself."""

    def hessian_times(f, x, v):
        leaves = [Node(np.array(x)), Node(x + 1e-7 * v / (np.abs(v).max() or 1.0))]
        for leaf in leaves:
            backward(f(leaf))
        return (leaves[1].grad - leaves[0].grad) * (np.abs(v).max() / 1e-7)
