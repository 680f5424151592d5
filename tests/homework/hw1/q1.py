"""Answers to question 1: softmax and cross-entropy."""

import math

import numpy as np

from tests.answers import right, wrong


@wrong(hint="this is the sum over the batch")
def loss_is_summed():
    """The loss of a batch is the sum of its examples' losses."""

    def cross_entropy(logits, labels):
        if logits.ndim != 2 or labels.shape != (len(logits),):
            raise ValueError(f"expected (N, K) and (N,), got {logits.shape} and {labels.shape}")
        n, k = logits.shape
        if labels.min() < 0 or labels.max() >= k:
            raise ValueError(f"labels must lie in 0..{k - 1}")
        z = logits - logits.max(axis=1, keepdims=True)
        log_p = z - np.log(np.exp(z).sum(axis=1, keepdims=True))
        grad = np.exp(log_p)
        grad[np.arange(n), labels] -= 1
        return float(-log_p[np.arange(n), labels].sum()), grad / n


@wrong(hint="lacks the 1/N")
def gradient_without_one_over_n():
    """The 1/N belongs to the loss alone; the gradient is p minus the one-hot labels."""

    def cross_entropy(logits, labels):
        if logits.ndim != 2 or labels.shape != (len(logits),):
            raise ValueError(f"expected (N, K) and (N,), got {logits.shape} and {labels.shape}")
        n, k = logits.shape
        if labels.min() < 0 or labels.max() >= k:
            raise ValueError(f"labels must lie in 0..{k - 1}")
        z = logits - logits.max(axis=1, keepdims=True)
        log_p = z - np.log(np.exp(z).sum(axis=1, keepdims=True))
        grad = np.exp(log_p)
        grad[np.arange(n), labels] -= 1
        return float(-log_p[np.arange(n), labels].mean()), grad


@wrong(hint="not over all logits")
def gradient_divided_by_all_elements():
    """The mean is over everything in the array, so the gradient is divided by N times K."""

    def cross_entropy(logits, labels):
        if logits.ndim != 2 or labels.shape != (len(logits),):
            raise ValueError(f"expected (N, K) and (N,), got {logits.shape} and {labels.shape}")
        n, k = logits.shape
        if labels.min() < 0 or labels.max() >= k:
            raise ValueError(f"labels must lie in 0..{k - 1}")
        z = logits - logits.max(axis=1, keepdims=True)
        log_p = z - np.log(np.exp(z).sum(axis=1, keepdims=True))
        grad = np.exp(log_p)
        grad[np.arange(n), labels] -= 1
        return float(-log_p[np.arange(n), labels].mean()), grad / grad.size


@wrong(hint="take the largest logit of each row out before exp")
def softmax_without_the_max():
    """The exponentials of the logits, divided by their sum, as the formula has it."""

    def softmax(logits):
        exp = np.exp(logits)
        return exp / exp.sum(axis=1, keepdims=True)


@wrong(hint="each row's own maximum")
def one_max_for_the_whole_batch():
    """Subtracting the largest logit of all is as good as subtracting each row's."""

    def softmax(logits):
        exp = np.exp(logits - logits.max())
        return exp / exp.sum(axis=1, keepdims=True)


@wrong(hint="in the loss too, take out each row")
def one_max_in_the_loss():
    """The loss subtracts the largest logit of the batch, for a constant cancels anyway."""

    def cross_entropy(logits, labels):
        if logits.ndim != 2 or labels.shape != (len(logits),):
            raise ValueError(f"expected (N, K) and (N,), got {logits.shape} and {labels.shape}")
        n, k = logits.shape
        if labels.min() < 0 or labels.max() >= k:
            raise ValueError(f"labels must lie in 0..{k - 1}")
        z = logits - logits.max()
        log_p = z - np.log(np.exp(z).sum(axis=1, keepdims=True))
        grad = softmax(logits)
        grad[np.arange(n), labels] -= 1
        return float(-log_p[np.arange(n), labels].mean()), grad / n


@wrong(hint="max")
def largest_absolute_value_subtracted():
    """What must be taken off is the largest absolute value of the row."""

    def softmax(logits):
        exp = np.exp(logits - np.abs(logits).max(axis=1, keepdims=True))
        return exp / exp.sum(axis=1, keepdims=True)


@wrong(hint="cut nothing off")
def logits_clipped():
    """Clipping the logits to +-500 keeps exp from overflowing, and changes nothing that matters."""

    def cross_entropy(logits, labels):
        if logits.ndim != 2 or labels.shape != (len(logits),):
            raise ValueError(f"expected (N, K) and (N,), got {logits.shape} and {labels.shape}")
        n, k = logits.shape
        if labels.min() < 0 or labels.max() >= k:
            raise ValueError(f"labels must lie in 0..{k - 1}")
        z = np.clip(logits, -500, 500)
        z = z - z.max(axis=1, keepdims=True)
        log_p = z - np.log(np.exp(z).sum(axis=1, keepdims=True))
        grad = np.exp(log_p)
        grad[np.arange(n), labels] -= 1
        return float(-log_p[np.arange(n), labels].mean()), grad / n


@wrong(hint="beside a large number a small one is lost")
def log_sum_exp_put_together_first():
    """The max may be added to the log of the sum before that is taken off the logits."""

    def softmax(logits):
        top = logits.max(axis=1, keepdims=True)
        log_sum = top + np.log(np.exp(logits - top).sum(axis=1, keepdims=True))
        return np.exp(logits - log_sum)


@wrong(hint="make a new array")
def logits_shifted_in_place():
    """The logits may be shifted where they stand, since softmax does not see a shift."""

    def softmax(logits):
        logits -= logits.max(axis=1, keepdims=True)
        exp = np.exp(logits)
        return exp / exp.sum(axis=1, keepdims=True)


@wrong(hint="make a new array")
def loss_shifts_the_logits_in_place():
    """The loss may overwrite the logits with their logarithmic probabilities, which nobody needs afterwards."""

    def cross_entropy(logits, labels):
        if logits.ndim != 2 or labels.shape != (len(logits),):
            raise ValueError(f"expected (N, K) and (N,), got {logits.shape} and {labels.shape}")
        n, k = logits.shape
        if labels.min() < 0 or labels.max() >= k:
            raise ValueError(f"labels must lie in 0..{k - 1}")
        logits -= logits.max(axis=1, keepdims=True)
        log_p = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
        grad = np.exp(log_p)
        grad[np.arange(n), labels] -= 1
        return float(-log_p[np.arange(n), labels].mean()), grad / n


@wrong(hint="over each row, axis 1")
def normalised_over_the_batch():
    """The probabilities of each column sum to 1."""

    def softmax(logits):
        exp = np.exp(logits - logits.max(axis=0))
        return exp / exp.sum(axis=0)


@wrong(hint="compute the log from the logits, not from the probability")
def small_number_in_the_log():
    """Adding 1e-12 inside the logarithm makes it safe."""

    def cross_entropy(logits, labels):
        if logits.ndim != 2 or labels.shape != (len(logits),):
            raise ValueError(f"expected (N, K) and (N,), got {logits.shape} and {labels.shape}")
        n, k = logits.shape
        if labels.min() < 0 or labels.max() >= k:
            raise ValueError(f"labels must lie in 0..{k - 1}")
        exp = np.exp(logits - logits.max(axis=1, keepdims=True))
        grad = exp / exp.sum(axis=1, keepdims=True)
        loss = -np.log(grad[np.arange(n), labels] + 1e-12).mean()
        grad[np.arange(n), labels] -= 1
        return float(loss), grad / n


@wrong(hint="no warning may be given")
def log_of_zero_repaired_afterwards():
    """A logarithm of zero does no harm if its result is replaced by the exact one."""

    def cross_entropy(logits, labels):
        if logits.ndim != 2 or labels.shape != (len(logits),):
            raise ValueError(f"expected (N, K) and (N,), got {logits.shape} and {labels.shape}")
        n, k = logits.shape
        if labels.min() < 0 or labels.max() >= k:
            raise ValueError(f"labels must lie in 0..{k - 1}")
        z = logits - logits.max(axis=1, keepdims=True)
        total = np.exp(z).sum(axis=1)
        grad = np.exp(z) / total[:, None]
        p = grad[np.arange(n), labels]
        losses = np.where(p > 0, -np.log(p), np.log(total) - z[np.arange(n), labels])
        grad[np.arange(n), labels] -= 1
        return float(losses.mean()), grad / n


@wrong(hint="the dtype of the logits")
def one_hot_in_float64():
    """np.eye makes the one-hot labels, and the difference takes care of its dtype."""

    def cross_entropy(logits, labels):
        if logits.ndim != 2 or labels.shape != (len(logits),):
            raise ValueError(f"expected (N, K) and (N,), got {logits.shape} and {labels.shape}")
        n, k = logits.shape
        if labels.min() < 0 or labels.max() >= k:
            raise ValueError(f"labels must lie in 0..{k - 1}")
        z = logits - logits.max(axis=1, keepdims=True)
        log_p = z - np.log(np.exp(z).sum(axis=1, keepdims=True))
        return float(-log_p[np.arange(n), labels].mean()), (np.exp(log_p) - np.eye(k)[labels]) / n


@wrong(hint="the dtype of the logits")
def probabilities_in_float64():
    """Probabilities are better computed, and returned, in double precision."""

    def softmax(logits):
        z = np.asarray(logits, dtype=np.float64)
        exp = np.exp(z - z.max(axis=1, keepdims=True))
        return exp / exp.sum(axis=1, keepdims=True)


@wrong(hint="the loss is a float")
def loss_in_an_array():
    """The loss is kept as an array, so that it has the dtype of the logits."""

    def cross_entropy(logits, labels):
        if logits.ndim != 2 or labels.shape != (len(logits),):
            raise ValueError(f"expected (N, K) and (N,), got {logits.shape} and {labels.shape}")
        n, k = logits.shape
        if labels.min() < 0 or labels.max() >= k:
            raise ValueError(f"labels must lie in 0..{k - 1}")
        z = logits - logits.max(axis=1, keepdims=True)
        log_p = z - np.log(np.exp(z).sum(axis=1, keepdims=True))
        grad = np.exp(log_p)
        grad[np.arange(n), labels] -= 1
        return -log_p[np.arange(n), labels].mean(keepdims=True), grad / n


@wrong(hint="a label of K or more must raise")
def label_k_let_through():
    """Labels may be as large as K."""

    def cross_entropy(logits, labels):
        if logits.ndim != 2 or labels.shape != (len(logits),):
            raise ValueError(f"expected (N, K) and (N,), got {logits.shape} and {labels.shape}")
        n, k = logits.shape
        if labels.min() < 0 or labels.max() > k:
            raise ValueError(f"labels must lie in 0..{k}")
        z = logits - logits.max(axis=1, keepdims=True)
        log_p = z - np.log(np.exp(z).sum(axis=1, keepdims=True))
        hot = labels[:, None] == np.arange(k)
        return float(-log_p[hot].sum() / n), ((np.exp(log_p) - hot) / n).astype(logits.dtype)


@wrong(hint="a negative label must be refused")
def negative_labels_let_through():
    """Only labels that are too large need a check, for NumPy indexes with the others."""

    def cross_entropy(logits, labels):
        if logits.ndim != 2 or labels.shape != (len(logits),):
            raise ValueError(f"expected (N, K) and (N,), got {logits.shape} and {labels.shape}")
        n, k = logits.shape
        if labels.max() >= k:
            raise ValueError(f"labels must lie in 0..{k - 1}")
        z = logits - logits.max(axis=1, keepdims=True)
        log_p = z - np.log(np.exp(z).sum(axis=1, keepdims=True))
        grad = np.exp(log_p)
        grad[np.arange(n), labels] -= 1
        return float(-log_p[np.arange(n), labels].mean()), grad / n


@wrong(hint="the smallest and the largest label")
def error_only_if_all_labels_are_bad():
    """Asks whether all labels are out of range, where any one is enough."""

    def cross_entropy(logits, labels):
        if logits.ndim != 2 or labels.shape != (len(logits),):
            raise ValueError(f"expected (N, K) and (N,), got {logits.shape} and {labels.shape}")
        n, k = logits.shape
        if ((labels < 0) | (labels >= k)).all():
            raise ValueError(f"labels must lie in 0..{k - 1}")
        z = logits - logits.max(axis=1, keepdims=True)
        log_p = z - np.log(np.exp(z).sum(axis=1, keepdims=True))
        hot = labels[:, None] == np.arange(k)
        return float(-log_p[hot].sum() / n), ((np.exp(log_p) - hot) / n).astype(logits.dtype)


@wrong(hint="Another error was raised")
def numpy_complains_about_labels():
    """A label that is too large raises an error anyhow, when NumPy indexes with it."""

    def cross_entropy(logits, labels):
        if logits.ndim != 2 or labels.shape != (len(logits),):
            raise ValueError(f"expected (N, K) and (N,), got {logits.shape} and {labels.shape}")
        if labels.min() < 0:
            raise ValueError(f"labels must not be negative, got {labels.min()}")
        n = len(logits)
        z = logits - logits.max(axis=1, keepdims=True)
        log_p = z - np.log(np.exp(z).sum(axis=1, keepdims=True))
        grad = np.exp(log_p)
        grad[np.arange(n), labels] -= 1
        return float(-log_p[np.arange(n), labels].mean()), grad / n


@wrong(hint="compare both shapes")
def only_the_length_of_labels_checked():
    """Labels fit if there are as many rows of them as of logits."""

    def cross_entropy(logits, labels):
        if logits.ndim != 2 or len(labels) != len(logits):
            raise ValueError(f"expected (N, K) and (N,), got {logits.shape} and {labels.shape}")
        n, k = logits.shape
        if labels.min() < 0 or labels.max() >= k:
            raise ValueError(f"labels must lie in 0..{k - 1}")
        z = logits - logits.max(axis=1, keepdims=True)
        log_p = z - np.log(np.exp(z).sum(axis=1, keepdims=True))
        grad = np.exp(log_p)
        grad[np.arange(n), labels] -= 1
        return float(-log_p[np.arange(n), labels].mean()), grad / n


@wrong(hint="Another error was raised")
def only_the_axes_of_labels_counted():
    """Labels fit if they have one axis; a single label serves all rows."""

    def cross_entropy(logits, labels):
        if logits.ndim != 2 or labels.ndim != 1:
            raise ValueError(f"expected (N, K) and (N,), got {logits.shape} and {labels.shape}")
        n, k = logits.shape
        if labels.min() < 0 or labels.max() >= k:
            raise ValueError(f"labels must lie in 0..{k - 1}")
        z = logits - logits.max(axis=1, keepdims=True)
        log_p = z - np.log(np.exp(z).sum(axis=1, keepdims=True))
        grad = np.exp(log_p)
        grad[np.arange(n), labels] -= 1
        return float(-log_p[np.arange(n), labels].mean()), grad / n


@wrong(hint="compare both shapes")
def logits_with_three_axes_let_through():
    """Logits need two axes at least, and more do no harm."""

    def cross_entropy(logits, labels):
        if logits.ndim < 2 or labels.shape != (len(logits),):
            raise ValueError(f"expected (N, K) and (N,), got {logits.shape} and {labels.shape}")
        n, k = logits.shape[:2]
        if labels.min() < 0 or labels.max() >= k:
            raise ValueError(f"labels must lie in 0..{k - 1}")
        z = logits - logits.max(axis=1, keepdims=True)
        log_p = z - np.log(np.exp(z).sum(axis=1, keepdims=True))
        grad = np.exp(log_p)
        grad[np.arange(n), labels] -= 1
        return float(-log_p[np.arange(n), labels].mean()), grad / n


@wrong(hint="compare both shapes")
def one_row_without_its_axis_let_through():
    """Logits of shape (K,) are one example, and are made into a batch of one."""

    def cross_entropy(logits, labels):
        logits = np.atleast_2d(logits)
        if logits.ndim != 2 or labels.shape != (len(logits),):
            raise ValueError(f"expected (N, K) and (N,), got {logits.shape} and {labels.shape}")
        n, k = logits.shape
        if labels.min() < 0 or labels.max() >= k:
            raise ValueError(f"labels must lie in 0..{k - 1}")
        z = logits - logits.max(axis=1, keepdims=True)
        log_p = z - np.log(np.exp(z).sum(axis=1, keepdims=True))
        grad = np.exp(log_p)
        grad[np.arange(n), labels] -= 1
        return float(-log_p[np.arange(n), labels].mean()), grad / n


@wrong(hint="Another error was raised")
def asserted():
    """An assert is an error like any other."""

    def cross_entropy(logits, labels):
        assert logits.ndim == 2 and labels.shape == (len(logits),), "logits must be (N, K) and labels (N,)"
        n, k = logits.shape
        assert labels.min() >= 0 and labels.max() < k, f"labels must lie in 0..{k - 1}"
        z = logits - logits.max(axis=1, keepdims=True)
        log_p = z - np.log(np.exp(z).sum(axis=1, keepdims=True))
        grad = np.exp(log_p)
        grad[np.arange(n), labels] -= 1
        return float(-log_p[np.arange(n), labels].mean()), grad / n


@right
def row_by_row():
    """Loops over the rows with math.exp and math.log, and Python's sums."""

    def softmax(logits):
        result = np.empty_like(logits)
        for i, row in enumerate(logits.tolist()):
            top = max(row)
            exp = [math.exp(z - top) for z in row]
            result[i] = [e / sum(exp) for e in exp]
        return result

    def cross_entropy(logits, labels):
        if np.ndim(logits) != 2 or np.shape(labels) != (np.shape(logits)[0],):
            raise ValueError(f"expected (N, K) and (N,), got {np.shape(logits)} and {np.shape(labels)}")
        n, k = logits.shape
        if not all(0 <= label < k for label in labels.tolist()):
            raise ValueError(f"labels must lie in 0..{k - 1}")
        loss, grad = 0.0, softmax(logits)
        for i, (row, label) in enumerate(zip(logits.tolist(), labels.tolist(), strict=True)):
            top = max(row)
            loss += (top - row[label] + math.log(sum(math.exp(z - top) for z in row))) / n
            grad[i, label] -= 1
        return loss, grad / n


@right
def one_hot_and_einsum():
    """A one-hot matrix, einsum over it, and float64 inside; the loss is a NumPy scalar of the logits' dtype."""

    def softmax(logits):
        z = logits.astype(np.float64)
        exp = np.exp(z - np.amax(z, axis=-1)[:, np.newaxis])
        return np.einsum("nk,n->nk", exp, 1 / np.einsum("nk->n", exp)).astype(logits.dtype)

    def cross_entropy(logits, labels):
        if logits.ndim != 2:
            raise ValueError(f"expected logits (N, K), got {logits.shape}")
        n, k = logits.shape
        if labels.shape != (n,):
            raise ValueError(f"expected labels ({n},), got {labels.shape}")
        if not np.isin(labels, np.arange(k)).all():
            raise ValueError(f"labels must lie in 0..{k - 1}")
        hot = np.eye(k)[labels]
        z = logits.astype(np.float64)
        z -= z.max(axis=1, keepdims=True)
        log_sum = np.log(np.exp(z).sum(axis=1))
        loss = (log_sum.sum() - np.einsum("nk,nk->", hot, z)) / n
        return logits.dtype.type(loss), ((np.exp(z - log_sum[:, None]) - hot) / n).astype(logits.dtype)


@right
def columns_first():
    """Works on the transpose, so that no axis needs keepdims, and returns arrays that are views in Fortran order."""

    def _log_softmax(z):
        z = z.T - np.maximum.reduce(z.T)
        return z - np.log(np.add.reduce(np.exp(z)))

    def softmax(logits):
        return np.exp(_log_softmax(logits)).T

    def cross_entropy(logits, labels):
        if logits.ndim != 2 or labels.ndim != 1 or len(labels) != len(logits):
            raise ValueError(f"expected (N, K) and (N,), got {logits.shape} and {labels.shape}")
        if not set(labels.tolist()) <= set(range(logits.shape[1])):
            raise ValueError(f"labels must lie in 0..{logits.shape[1] - 1}")
        log_p = _log_softmax(logits)
        grad = np.exp(log_p)
        grad[labels, np.arange(len(labels))] -= 1
        grad /= len(labels)
        return -np.mean(log_p[labels, np.arange(len(labels))]), grad.T


@right
def differences_to_the_label():
    """The loss is the log of the sum of the exponentials of all differences to the label's logit, by logaddexp."""

    def softmax(logits):
        exp = np.exp(np.subtract(logits, logits.max(axis=1, keepdims=True)))
        exp /= exp.sum(axis=1, keepdims=True)
        return exp

    def cross_entropy(logits, labels):
        if logits.ndim != 2 or labels.shape != logits.shape[:1]:
            raise ValueError(f"expected (N, K) and (N,), got {logits.shape} and {labels.shape}")
        if np.any((labels < 0) | (labels > logits.shape[1] - 1)):
            raise ValueError(f"labels must lie in 0..{logits.shape[1] - 1}")
        places = labels.astype(np.int64)[:, None]
        z = np.float64(logits)
        losses = np.logaddexp.reduce(z - np.take_along_axis(z, places, axis=1), axis=1)
        grad = softmax(logits) / len(logits)
        hot = np.zeros_like(grad)
        np.put_along_axis(hot, places, 1 / len(logits), axis=1)
        return np.average(losses), grad - hot


@right
def subtracts_one_by_add_at():
    """np.subtract.at on the flat gradient, warnings switched off for what cannot happen anyway, loss by a generator."""

    def softmax(logits):
        with np.errstate(all="ignore"):
            odds = np.exp(logits - logits.max(1).reshape(-1, 1))
            return odds / odds.sum(1).reshape(-1, 1)

    def cross_entropy(logits, labels):
        if len(logits.shape) != 2:
            raise ValueError(f"expected logits with two axes, got {logits.shape}")
        if labels.shape != logits.shape[:-1]:
            raise ValueError(f"expected labels {logits.shape[:-1]}, got {labels.shape}")
        n, k = logits.shape
        if min(labels) < 0 or max(labels) > k - 1:
            raise ValueError(f"labels must lie in 0..{k - 1}, got {min(labels)}..{max(labels)}")
        shifted = (row - row.max() for row in logits)
        loss = math.fsum(float(np.log(np.sum(np.exp(z))) - z[label]) for z, label in zip(shifted, labels, strict=True)) / n
        grad = softmax(logits).ravel()
        np.subtract.at(grad, np.arange(n) * k + labels.astype(np.int64), 1)
        return loss, np.divide(grad, n).reshape(n, k)
