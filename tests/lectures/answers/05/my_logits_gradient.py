"""Answers to the exercise `my_logits_gradient`: the gradient of softmax and cross-entropy."""

import numpy as np
import torch

from dlcourse import reference
from tests.answers import right, wrong


@wrong(hint="mean")
def not_divided_by_n():
    """The gradient is p - y for each example."""

    def my_logits_gradient(Z, labels):
        return reference.softmax(Z) - np.eye(Z.shape[1])[labels]


@wrong(hint="divided by N and by K")
def divided_by_all_entries():
    """The mean is over all entries of the array."""

    def my_logits_gradient(Z, labels):
        return (reference.softmax(Z) - np.eye(Z.shape[1])[labels]) / Z.size


@wrong(hint="This is divided by K")
def divided_by_the_classes():
    """The mean is over the classes."""

    def my_logits_gradient(Z, labels):
        return (reference.softmax(Z) - np.eye(Z.shape[1])[labels]) / Z.shape[1]


@wrong(hint="sign")
def sign_turned():
    """The gradient is y - p, by which the logits should move."""

    def my_logits_gradient(Z, labels):
        return (np.eye(Z.shape[1])[labels] - reference.softmax(Z)) / len(Z)


@wrong(hint="the other classes")
def only_the_true_class():
    """The loss contains the true class alone, so the other logits get 0."""

    def my_logits_gradient(Z, labels):
        y = np.eye(Z.shape[1])[labels]
        return y * (reference.softmax(Z) - 1) / len(Z)


@wrong(hint="y is still to be subtracted")
def probabilities_only():
    """The gradient is p."""

    def my_logits_gradient(Z, labels):
        return reference.softmax(Z) / len(Z)


@wrong(hint="The numbers differ")
def columns_of_all_labels():
    """p[:, labels] are the probabilities of the true classes."""

    def my_logits_gradient(Z, labels):
        p = reference.softmax(Z)
        p[:, labels] -= 1
        return p / len(Z)


@wrong(hint="number of the class")
def labels_subtracted():
    """The labels are the y of the formula."""

    def my_logits_gradient(Z, labels):
        return (reference.softmax(Z) - labels[:, None]) / len(Z)


@wrong(hint="as many classes")
def classes_counted_in_the_batch():
    """The largest label says how many classes there are."""

    def my_logits_gradient(Z, labels):
        return (reference.softmax(Z) - np.eye(labels.max() + 1)[labels]) / len(Z)


@wrong(hint="large logit")
def exponentials_without_the_maximum():
    """The softmax as the formula has it."""

    def my_logits_gradient(Z, labels):
        with np.errstate(all="ignore"):
            p = np.exp(Z) / np.exp(Z).sum(axis=1, keepdims=True)
        return (p - np.eye(Z.shape[1])[labels]) / len(Z)


@wrong(hint="changed")
def logits_shifted_in_place():
    """The logits may be shifted where they stand, since softmax does not see it."""

    def my_logits_gradient(Z, labels):
        Z -= Z.max(axis=1, keepdims=True)
        p = np.exp(Z)
        p /= p.sum(axis=1, keepdims=True)
        p[np.arange(len(Z)), labels] -= 1
        return p / len(Z)


@wrong(hint="cancel")
def slope_of_softmax_kept():
    """p - y is still to be multiplied by the slope p (1 - p)."""

    def my_logits_gradient(Z, labels):
        p = reference.softmax(Z)
        return (p - np.eye(Z.shape[1])[labels]) * p * (1 - p) / len(Z)


@wrong(hint="row")
def softmax_over_the_batch():
    """The probabilities of each column add up to 1."""

    def my_logits_gradient(Z, labels):
        p = reference.softmax(Z.T).T
        return (p - np.eye(Z.shape[1])[labels]) / len(Z)


@wrong(hint="shape")
def mean_over_the_batch():
    """The gradient of the mean is the mean gradient, one row."""

    def my_logits_gradient(Z, labels):
        return (reference.softmax(Z) - np.eye(Z.shape[1])[labels]).mean(axis=0)


@wrong(hint="twice")
def softmax_of_the_softmax():
    """What arrives are probabilities' logits, so softmax is taken once more."""

    def my_logits_gradient(Z, labels):
        return (reference.softmax(reference.softmax(Z)) - np.eye(Z.shape[1])[labels]) / len(Z)


@wrong(hint="out of bounds")
def three_classes():
    """There are three classes."""

    def my_logits_gradient(Z, labels):
        return (reference.softmax(Z) - np.eye(3)[labels]) / len(Z)


@right
def one_hot():
    """The formula, with a one-hot matrix."""

    def my_logits_gradient(Z, labels):
        return (reference.softmax(Z) - np.eye(Z.shape[1])[labels]) / len(Z)


@right
def one_taken_away():
    """Takes 1 away at the true classes."""

    def my_logits_gradient(Z, labels):
        g = reference.softmax(Z).copy()
        g[np.arange(len(labels)), labels] -= 1
        return g / len(labels)


@right
def row_by_row():
    """Loops over rows and classes."""

    def my_logits_gradient(Z, labels):
        n, k = Z.shape
        g = np.empty((n, k))
        for i in range(n):
            e = [np.exp(z - max(Z[i])) for z in Z[i]]
            for j in range(k):
                g[i, j] = (e[j] / sum(e) - (1.0 if labels[i] == j else 0.0)) / n
        return g


@right
def by_torch():
    """Lets torch differentiate its own loss."""

    def my_logits_gradient(Z, labels):
        z = torch.tensor(Z, dtype=torch.float64, requires_grad=True)
        torch.nn.functional.cross_entropy(z, torch.tensor(labels, dtype=torch.int64)).backward()
        return z.grad.numpy()


@right
def compared_with_the_classes():
    """A mask in place of the one-hot matrix, and np.where."""

    def my_logits_gradient(Z, labels):
        p = reference.softmax(Z)
        return np.where(labels[:, None] == np.arange(Z.shape[1]), p - 1, p) / labels.size
