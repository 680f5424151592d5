"""Working versions of what homework 1 asks for, computed by torch: arrays in, arrays out.

A question that builds on an earlier one takes its parts from here, so that a mistake made earlier costs no points later.
Signatures and conventions are those of the questions.
"""

import math

import numpy as np
import torch
import torch.nn.functional as F


def _tensor(array: np.ndarray) -> torch.Tensor:
    """A tensor with a copy of the array's values: read-only and reversed arrays are welcome, later changes go unseen."""
    return torch.from_numpy(np.array(array))


def softmax(logits: np.ndarray) -> np.ndarray:
    """Probabilities of each row, (N, K) -> (N, K), in the logits' dtype."""
    return F.softmax(_tensor(logits), dim=1).numpy()


def cross_entropy(logits: np.ndarray, labels: np.ndarray) -> tuple[float, np.ndarray]:
    """Mean cross-entropy and its gradient by the logits.

    Args:
        logits: (N, K), float32 or float64.
        labels: (N,), integers in 0..K-1.
    Returns:
        the loss, and its gradient, (N, K) in the logits' dtype.
    Raises:
        ValueError: the shapes do not fit, or a label is out of range.
    """
    if logits.ndim != 2 or labels.shape != logits.shape[:1]:
        raise ValueError(f"logits must be (N, K) and labels (N,), got {logits.shape} and {labels.shape}")
    if labels.min() < 0 or labels.max() >= logits.shape[1]:
        raise ValueError(f"labels must lie in 0..{logits.shape[1] - 1}, got {labels.min()}..{labels.max()}")
    z = _tensor(logits).requires_grad_()
    loss = F.cross_entropy(z, _tensor(labels.astype(np.int64)))
    loss.backward()
    return loss.item(), z.grad.numpy()


class _Layer:
    """A function of one array whose backward is torch's."""

    def forward(self, x: np.ndarray) -> np.ndarray:
        with torch.enable_grad():
            self._x = _tensor(x).requires_grad_()
            self._y = self._compute(self._x)
        return self._y.detach().numpy()

    def backward(self, dy: np.ndarray) -> np.ndarray:
        return torch.autograd.grad(self._y, self._x, _tensor(dy), retain_graph=True)[0].numpy()


class Relu(_Layer):
    """max(x, 0), with derivative 0 at 0."""

    def _compute(self, x):
        return F.relu(x)


class Tanh(_Layer):
    """The hyperbolic tangent."""

    def _compute(self, x):
        return torch.tanh(x)


class Sigmoid(_Layer):
    """1 / (1 + exp(-x))."""

    def _compute(self, x):
        return torch.sigmoid(x)


class Affine:
    """y = x W^T + b.

    Attributes:
        weight: (out, in); bias: (out,). The caller may assign new ones between two forward calls.
        dweight, dbias: gradients, shaped like them, replaced by each backward.
    """

    def __init__(self, weight: np.ndarray, bias: np.ndarray):
        self.weight, self.bias = weight, bias

    def forward(self, x: np.ndarray) -> np.ndarray:
        """(N, in) -> (N, out). Raises ValueError when the number of inputs is another."""
        if x.ndim != 2 or x.shape[1] != self.weight.shape[1]:
            raise ValueError(f"x must be (N, {self.weight.shape[1]}), got {x.shape}")
        self._x, self._weight = _tensor(x), _tensor(self.weight)
        return F.linear(self._x, self._weight, _tensor(self.bias)).numpy()

    def backward(self, dy: np.ndarray) -> np.ndarray:
        """dL/dy (N, out) -> dL/dx (N, in), for the last forward; sets dweight and dbias."""
        d = _tensor(dy)
        self.dweight, self.dbias = torch.mm(d.t(), self._x).numpy(), d.sum(dim=0).numpy()
        return torch.mm(d, self._weight).numpy()


def _pair(w: np.ndarray, g: np.ndarray) -> tuple[torch.Tensor, torch.Tensor]:
    weights, gradient = _tensor(w), _tensor(g)
    if weights.shape != gradient.shape:
        raise ValueError(f"w and g must have the same shape, got {w.shape} and {g.shape}")
    return weights, gradient


def momentum(w: np.ndarray, g: np.ndarray, state: dict, lr: float, beta: float = 0.9) -> np.ndarray:
    """One step with momentum, v = beta v + g: the new weights, shaped like w. The memory is kept in state.

    Raises ValueError when w and g differ in shape.
    """
    weights, gradient = _pair(w, g)
    state["v"] = torch.add(gradient, state.get("v", torch.zeros_like(gradient)), alpha=beta)
    return torch.sub(weights, state["v"], alpha=lr).numpy()


def rmsprop(w: np.ndarray, g: np.ndarray, state: dict, lr: float, alpha: float = 0.99, eps: float = 1e-8) -> np.ndarray:
    """One step of RMSprop, with eps outside the root: the new weights, shaped like w. The memory is kept in state.

    Raises ValueError when w and g differ in shape.
    """
    weights, gradient = _pair(w, g)
    state["s"] = torch.lerp(state.get("s", torch.zeros_like(gradient)), gradient.square(), 1 - alpha)
    return torch.addcdiv(weights, gradient, state["s"].sqrt().add_(eps), value=-lr).numpy()


def adam(
    w: np.ndarray, g: np.ndarray, state: dict, lr: float, beta1: float = 0.9, beta2: float = 0.999, eps: float = 1e-8
) -> np.ndarray:
    """One step of Adam, with both corrections and eps outside the root: the new weights. The memory is kept in state.

    Raises ValueError when w and g differ in shape.
    """
    weights, gradient = _pair(w, g)
    t = 1 + state.get("t", 0)
    zero = torch.zeros_like(gradient)
    first = torch.lerp(state.get("first", zero), gradient, 1 - beta1)
    second = torch.lerp(state.get("second", zero), gradient.square(), 1 - beta2)
    state.update(t=t, first=first, second=second)
    size = second.div(1 - beta2**t).sqrt_().add_(eps)
    return torch.addcdiv(weights, first, size, value=-lr / (1 - beta1**t)).numpy()


def he_normal(fan_in: int, fan_out: int, rng: np.random.Generator) -> np.ndarray:
    """Normal weights of variance 2 / fan_in, (fan_out, fan_in) float64. Raises ValueError for a size below 1."""
    if fan_in < 1 or fan_out < 1:
        raise ValueError(f"fan_in and fan_out must be at least 1, got {fan_in} and {fan_out}")
    return torch.from_numpy(rng.standard_normal((fan_out, fan_in))).mul(math.sqrt(2 / fan_in)).numpy()


def dropout(x: np.ndarray, p: float, rng: np.random.Generator, train: bool) -> tuple[np.ndarray, np.ndarray]:
    """Inverted dropout: what is kept, divided by 1 - p, and the mask that did it, both shaped like x.

    Args:
        p: probability that an element is dropped, in [0, 1).
        train: False leaves x as it is, with a mask of ones, and draws nothing.
    Raises:
        ValueError: p is not in [0, 1).
    """
    if math.isnan(p) or p < 0 or p >= 1:
        raise ValueError(f"p must be in [0, 1), got {p}")
    values = _tensor(x)
    mask = torch.ones_like(values)
    if train:
        mask = torch.from_numpy(rng.random(x.shape)).ge(p).to(values.dtype).div(1 - p)
    return values.mul(mask).numpy(), mask.numpy()


def dropout_backward(dy: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """dL/dx of dropout, from dL/dy and the mask."""
    return _tensor(dy).mul(_tensor(mask)).numpy()
