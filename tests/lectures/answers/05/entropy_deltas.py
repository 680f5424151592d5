"""Answers to the exercise `entropy_deltas`: delta for the cross-entropy."""

import numpy as np
import torch

from tests.answers import right, wrong


@wrong(hint="cancel")
def squared_error():
    """The delta of an output unit has the slope in it, as with the squared error."""

    def entropy_deltas(x, W, V, T):
        a_j = logistic(W @ x)
        a_k = logistic(V @ a_j)
        delta_k = (T - a_k) * a_k * (1 - a_k)
        return (V.T @ delta_k) * a_j * (1 - a_j), delta_k


@wrong(hint="minus")
def sign_turned():
    """Delta is the derivative of E."""

    def entropy_deltas(x, W, V, T):
        a_j = logistic(W @ x)
        delta_k = logistic(V @ a_j) - T
        return (V.T @ delta_k) * a_j * (1 - a_j), delta_k


@wrong(hint="own slope")
def no_slope_of_the_hidden_units():
    """With the cross-entropy all slopes cancel."""

    def entropy_deltas(x, W, V, T):
        a_j = logistic(W @ x)
        delta_k = T - logistic(V @ a_j)
        return V.T @ delta_k, delta_k


@wrong(hint="hidden delta of the squared error")
def slope_left_in_the_hidden_delta():
    """The output's slope cancels in its own delta, and is needed for the hidden units."""

    def entropy_deltas(x, W, V, T):
        a_j = logistic(W @ x)
        a_k = logistic(V @ a_j)
        return (V.T @ ((T - a_k) * a_k * (1 - a_k))) * a_j * (1 - a_j), T - a_k


@wrong(hint="The numbers differ")
def weights_reshaped():
    """The weights have to change their shape, and reshape does that."""

    def entropy_deltas(x, W, V, T):
        a_j = logistic(W @ x)
        delta_k = T - logistic(V @ a_j)
        return (V.reshape(V.shape[::-1]) @ delta_k) * a_j * (1 - a_j), delta_k


@wrong(hint="exchanged")
def output_first():
    """The output units come first, as in the backward pass."""

    def entropy_deltas(x, W, V, T):
        a_j = logistic(W @ x)
        delta_k = T - logistic(V @ a_j)
        return delta_k, (V.T @ delta_k) * a_j * (1 - a_j)


@wrong(hint="target")
def targets_rounded():
    """A target is 0 or 1."""

    def entropy_deltas(x, W, V, T):
        a_j = logistic(W @ x)
        delta_k = (T > 0.5) - logistic(V @ a_j)
        return (V.T @ delta_k) * a_j * (1 - a_j), delta_k


@wrong(hint="sum")
def mean_over_the_outputs():
    """The error is a mean over the outputs."""

    def entropy_deltas(x, W, V, T):
        a_j = logistic(W @ x)
        delta_k = (T - logistic(V @ a_j)) / len(T)
        return (V.T @ delta_k) * a_j * (1 - a_j), delta_k


@wrong(hint="net input")
def derivative_by_the_activation():
    """Delta is taken w.r.t. the activation."""

    def entropy_deltas(x, W, V, T):
        a_j = logistic(W @ x)
        a_k = logistic(V @ a_j)
        delta_k = (T - a_k) / (a_k * (1 - a_k))
        return V.T @ (T - a_k), delta_k


@wrong(hint="The numbers differ")
def first_term_only():
    """The error is -T log a."""

    def entropy_deltas(x, W, V, T):
        a_j = logistic(W @ x)
        delta_k = T * (1 - logistic(V @ a_j))
        return (V.T @ delta_k) * a_j * (1 - a_j), delta_k


@wrong(hint="The numbers differ")
def softmax_outputs():
    """Cross-entropy goes with a softmax."""

    def entropy_deltas(x, W, V, T):
        a_j = logistic(W @ x)
        e = np.exp(V @ a_j)
        delta_k = T - e / e.sum()
        return (V.T @ delta_k) * a_j * (1 - a_j), delta_k


@wrong(hint="The numbers differ")
def tanh_slope_of_the_hidden_units():
    """The slope of a hidden unit is 1 - a squared."""

    def entropy_deltas(x, W, V, T):
        a_j = logistic(W @ x)
        delta_k = T - logistic(V @ a_j)
        return (V.T @ delta_k) * (1 - a_j**2), delta_k


@wrong(hint="tuple")
def one_array():
    """Both deltas in one array."""

    def entropy_deltas(x, W, V, T):
        a_j = logistic(W @ x)
        delta_k = T - logistic(V @ a_j)
        return np.concatenate([(V.T @ delta_k) * a_j * (1 - a_j), delta_k])


@wrong(hint="The numbers differ")
def slope_at_the_inputs():
    """The slope of the hidden units is that at the start, 1/4."""

    def entropy_deltas(x, W, V, T):
        a_j = logistic(W @ x)
        delta_k = T - logistic(V @ a_j)
        return (V.T @ delta_k) / 4, delta_k


@right
def by_hand():
    """The delta rule, where the output's slope has cancelled."""

    def entropy_deltas(x, W, V, T):
        a_j = logistic(W @ x)
        delta_k = T - logistic(V @ a_j)
        return delta_k @ V * a_j * (1 - a_j), delta_k


@right
def unit_by_unit():
    """Loops over the units."""

    def entropy_deltas(x, W, V, T):
        a_j = [logistic(sum(w * a for w, a in zip(row, x, strict=True))) for row in W]
        a_k = [logistic(sum(w * a for w, a in zip(row, a_j, strict=True))) for row in V]
        delta_k = np.array([t - a for t, a in zip(T, a_k, strict=True)])
        delta_j = [sum(V[k][j] * delta_k[k] for k in range(len(V))) * a_j[j] * (1 - a_j[j]) for j in range(len(W))]
        return np.array(delta_j), delta_k


@right
def by_torch():
    """Lets torch differentiate the error w.r.t. the net inputs."""

    def entropy_deltas(x, W, V, T):
        net_j = torch.tensor(W @ x, dtype=torch.float64, requires_grad=True)
        net_k = torch.tensor(V, dtype=torch.float64) @ torch.sigmoid(net_j)
        targets = torch.tensor(T, dtype=torch.float64)
        error = torch.nn.functional.binary_cross_entropy_with_logits(net_k, targets, reduction="sum")
        return tuple(-d.numpy() for d in torch.autograd.grad(error, (net_j, net_k)))


@right
def by_the_engine():
    """The engine's backward pass begins at the output's net inputs."""

    def entropy_deltas(x, W, V, T):
        net_j = Node((W @ x)[None])
        net_k = sigma(net_j) @ Node(V).T
        delta_k = T - logistic(net_k.value[0])
        backward(net_k, -delta_k[None])
        return -net_j.grad[0], delta_k
