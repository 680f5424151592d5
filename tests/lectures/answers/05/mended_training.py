"""Answers to the exercise `mended_training`: find two faults in a training loop."""

import numpy as np
import torch

from tests.answers import right, wrong


@wrong(hint="shape")
def only_the_gradient():
    """The old gradients were the fault, and the shapes fit."""

    def mended_training(X, y, w, lr, num_steps):
        X, y = torch.tensor(X), torch.tensor(y)
        w = torch.tensor(w, requires_grad=True)
        losses = []
        for _ in range(num_steps):
            w.grad = None
            loss = ((X @ w - y) ** 2).mean()
            loss.backward()
            with torch.no_grad():
                w -= lr * w.grad
            losses.append(loss.item())
        return w.detach().numpy(), losses


@wrong(hint="earlier steps")
def only_the_shape():
    """The shapes were the fault, and each backward pass begins anew."""

    def mended_training(X, y, w, lr, num_steps):
        X, y = torch.tensor(X), torch.tensor(y)[:, None]
        w = torch.tensor(w, requires_grad=True)
        losses = []
        for _ in range(num_steps):
            loss = ((X @ w - y) ** 2).mean()
            loss.backward()
            with torch.no_grad():
                w -= lr * w.grad
            losses.append(loss.item())
        return w.detach().numpy(), losses


@wrong(hint="zero")
def zero_between_backward_and_step():
    """The gradients are set to zero before the step."""

    def mended_training(X, y, w, lr, num_steps):
        X, y = torch.tensor(X), torch.tensor(y)[:, None]
        w = torch.tensor(w, requires_grad=True)
        losses = []
        for _ in range(num_steps):
            loss = ((X @ w - y) ** 2).mean()
            loss.backward()
            w.grad.zero_()
            with torch.no_grad():
                w -= lr * w.grad
            losses.append(loss.item())
        return w.detach().numpy(), losses


@wrong(hint="earlier steps")
def zero_once():
    """The gradient is set to zero before training."""

    def mended_training(X, y, w, lr, num_steps):
        X, y = torch.tensor(X), torch.tensor(y)[:, None]
        w = torch.tensor(w, requires_grad=True)
        w.grad = torch.zeros_like(w)
        losses = []
        for _ in range(num_steps):
            loss = ((X @ w - y) ** 2).mean()
            loss.backward()
            with torch.no_grad():
                w -= lr * w.grad
            losses.append(loss.item())
        return w.detach().numpy(), losses


@wrong(hint="sum of the squared errors")
def sum_for_mean():
    """The error is the sum over the examples."""

    def mended_training(X, y, w, lr, num_steps):
        X, y = torch.tensor(X), torch.tensor(y)[:, None]
        w = torch.tensor(w, requires_grad=True)
        losses = []
        for _ in range(num_steps):
            w.grad = None
            loss = ((X @ w - y) ** 2).sum()
            loss.backward()
            with torch.no_grad():
                w -= lr * w.grad
            losses.append(loss.item())
        return w.detach().numpy(), losses


@wrong(hint="shape")
def row_of_targets():
    """y is made a matrix of one row."""

    def mended_training(X, y, w, lr, num_steps):
        X, y = torch.tensor(X), torch.tensor(y)[None]
        w = torch.tensor(w, requires_grad=True)
        losses = []
        for _ in range(num_steps):
            w.grad = None
            loss = ((X @ w - y) ** 2).mean()
            loss.backward()
            with torch.no_grad():
                w -= lr * w.grad
            losses.append(loss.item())
        return w.detach().numpy(), losses


@wrong(hint="changed")
def weights_shared_with_numpy():
    """from_numpy saves a copy."""

    def mended_training(X, y, w, lr, num_steps):
        X, y = torch.tensor(X), torch.tensor(y)[:, None]
        w = torch.from_numpy(w).requires_grad_()
        losses = []
        for _ in range(num_steps):
            w.grad = None
            loss = ((X @ w - y) ** 2).mean()
            loss.backward()
            with torch.no_grad():
                w -= lr * w.grad
            losses.append(loss.item())
        return w.detach().numpy(), losses


@wrong(hint="changed")
def targets_reshaped_in_place():
    """The array y gets its second axis by its attribute."""

    def mended_training(X, y, w, lr, num_steps):
        y.shape = (-1, 1)
        X, y = torch.tensor(X), torch.tensor(y)
        w = torch.tensor(w, requires_grad=True)
        losses = []
        for _ in range(num_steps):
            w.grad = None
            loss = ((X @ w - y) ** 2).mean()
            loss.backward()
            with torch.no_grad():
                w -= lr * w.grad
            losses.append(loss.item())
        return w.detach().numpy(), losses


@wrong(hint="shape")
def weights_without_their_axis():
    """The weights become a vector, so that the shapes fit."""

    def mended_training(X, y, w, lr, num_steps):
        X, y = torch.tensor(X), torch.tensor(y)
        w = torch.tensor(w[:, 0], requires_grad=True)
        losses = []
        for _ in range(num_steps):
            w.grad = None
            loss = ((X @ w - y) ** 2).mean()
            loss.backward()
            with torch.no_grad():
                w -= lr * w.grad
            losses.append(loss.item())
        return w.detach().numpy(), losses


@wrong(hint="float")
def losses_are_tensors():
    """The list keeps the losses as tensors."""

    def mended_training(X, y, w, lr, num_steps):
        X, y = torch.tensor(X), torch.tensor(y)[:, None]
        w = torch.tensor(w, requires_grad=True)
        losses = []
        for _ in range(num_steps):
            w.grad = None
            loss = ((X @ w - y) ** 2).mean()
            loss.backward()
            with torch.no_grad():
                w -= lr * w.grad
            losses.append(loss.detach())
        return w.detach().numpy(), losses


@wrong(hint="before")
def losses_after_the_step():
    """The loss is taken once the step is made."""

    def mended_training(X, y, w, lr, num_steps):
        X, y = torch.tensor(X), torch.tensor(y)[:, None]
        w = torch.tensor(w, requires_grad=True)
        losses = []
        for _ in range(num_steps):
            w.grad = None
            loss = ((X @ w - y) ** 2).mean()
            loss.backward()
            with torch.no_grad():
                w -= lr * w.grad
                losses.append(((X @ w - y) ** 2).mean().item())
        return w.detach().numpy(), losses


@wrong(hint="one half")
def half_the_error():
    """The error has a factor of one half, as in the delta rule."""

    def mended_training(X, y, w, lr, num_steps):
        X, y = torch.tensor(X), torch.tensor(y)[:, None]
        w = torch.tensor(w, requires_grad=True)
        losses = []
        for _ in range(num_steps):
            w.grad = None
            loss = 0.5 * ((X @ w - y) ** 2).mean()
            loss.backward()
            with torch.no_grad():
                w -= lr * w.grad
            losses.append(loss.item())
        return w.detach().numpy(), losses


@wrong(hint="The numbers differ")
def with_momentum():
    """A little momentum does no harm."""

    def mended_training(X, y, w, lr, num_steps):
        X, y = torch.tensor(X), torch.tensor(y)[:, None]
        w = torch.tensor(w, requires_grad=True)
        optimizer = torch.optim.SGD([w], lr=lr, momentum=0.5)
        losses = []
        for _ in range(num_steps):
            optimizer.zero_grad()
            loss = ((X @ w - y) ** 2).mean()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        return w.detach().numpy(), losses


@wrong(hint="array")
def weights_as_a_tensor():
    """The weights are returned as torch has them."""

    def mended_training(X, y, w, lr, num_steps):
        X, y = torch.tensor(X), torch.tensor(y)[:, None]
        w = torch.tensor(w, requires_grad=True)
        losses = []
        for _ in range(num_steps):
            w.grad = None
            loss = ((X @ w - y) ** 2).mean()
            loss.backward()
            with torch.no_grad():
                w -= lr * w.grad
            losses.append(loss.item())
        return w.detach(), losses


@right
def two_lines_mended():
    """A second axis for y, and the gradient set to zero after the step."""

    def mended_training(X, y, w, lr, num_steps):
        X, y = torch.tensor(X), torch.tensor(y).reshape(-1, 1)
        w = torch.tensor(w, requires_grad=True)
        losses = []
        for _ in range(num_steps):
            loss = ((X @ w - y) ** 2).mean()
            loss.backward()
            with torch.no_grad():
                w -= lr * w.grad
                w.grad.zero_()
            losses.append(loss.item())
        return w.detach().numpy(), losses


@right
def with_an_optimizer():
    """SGD and mse_loss, and the predictions without their axis."""

    def mended_training(X, y, w, lr, num_steps):
        X, y = torch.tensor(X), torch.tensor(y)
        w = torch.tensor(w, requires_grad=True)
        optimizer = torch.optim.SGD([w], lr=lr)
        losses = []
        for _ in range(num_steps):
            optimizer.zero_grad()
            loss = torch.nn.functional.mse_loss((X @ w)[:, 0], y)
            loss.backward()
            optimizer.step()
            losses.append(float(loss))
        return w.detach().numpy(), losses


@right
def by_hand():
    """The gradient of the squared error in NumPy."""

    def mended_training(X, y, w, lr, num_steps):
        losses = []
        for _ in range(num_steps):
            r = X @ w - y.reshape(-1, 1)
            losses.append(float(np.mean(r**2)))
            w = w - lr * 2 * X.T @ r / len(y)
        return w.copy(), losses


@right
def new_weights_each_step():
    """autograd.grad, which leaves no gradient behind."""

    def mended_training(X, y, w, lr, num_steps):
        X, y, w = (torch.as_tensor(array) for array in (X, y, w))
        losses = []
        for _ in range(num_steps):
            w = w.detach().requires_grad_()
            loss = (torch.einsum("nd,do->n", X, w) - y).square().mean()
            [g] = torch.autograd.grad(loss, [w])
            w = w - lr * g
            losses.append(loss.item())
        return w.detach().numpy().copy(), losses
