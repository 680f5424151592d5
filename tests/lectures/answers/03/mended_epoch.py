"""Answers to the exercise on the faults in an epoch."""

import numpy as np

from tests.answers import right, wrong

MENDED = """
def mended_epoch(w, x, y, gradient, batch, rule, state, lr, rng):
    order = rng.permutation(len(x))
    x, y = x[order], y[order]
    for i in range(0, len(x), batch):
        g = gradient(w, x[i : i + batch], y[i : i + batch])
        w = rule(w, g, state, lr)
    return w
"""


@wrong(hint="label", base=MENDED)
def as_given():
    """Nothing is wrong."""
    return """
    -    x, y = x[order], y[order]
    -    for i in range(0, len(x), batch):
    +    x = x[order]
    +    for i in range(0, len(x) - batch, batch):
    """


@wrong(hint="last", base=MENDED)
def only_the_labels():
    """Only the labels are mended."""
    return """
    -    for i in range(0, len(x), batch):
    +    for i in range(0, len(x) - batch, batch):
    """


@wrong(hint="label", base=MENDED)
def only_the_end():
    """Only the end is mended."""
    return """
    -    x, y = x[order], y[order]
    +    x = x[order]
    """


@wrong(hint="last", base=MENDED)
def whole_batches_only():
    """The examples that are left over make no batch."""
    return """
    -    for i in range(0, len(x), batch):
    +    for i in range(0, len(x) - batch + 1, batch):
    """


@wrong(hint="last", base=MENDED)
def one_example_left_out():
    """The range ends one too early, which shows when one example is left over."""
    return """
    -    for i in range(0, len(x), batch):
    +    for i in range(0, len(x) - 1, batch):
    """


@wrong(hint="0]", base=MENDED)
def one_batch_too_many():
    """Goes one batch too far."""
    return """
    -    for i in range(0, len(x), batch):
    +    for i in range(0, len(x) + batch, batch):
    """


@wrong(hint="0]", base=MENDED)
def end_included():
    """Includes the end, which is an empty batch when the batches come out even."""
    return """
    -    for i in range(0, len(x), batch):
    +    for i in range(0, len(x) + 1, batch):
    """


@wrong(hint="changed", base=MENDED)
def shuffled_in_place():
    """Shuffles the caller's arrays."""
    return """
    -    x, y = x[order], y[order]
    +    x[:], y[:] = x[order], y[order]
    """


@wrong(hint="label", base=MENDED)
def two_orders():
    """Inputs and labels are each shuffled."""
    return """
    -    x, y = x[order], y[order]
    +    x, y = x[order], y[rng.permutation(len(y))]
    """


@wrong(hint="order", base=MENDED)
def never_shuffled():
    """Inputs and labels agree when neither is shuffled."""
    return """
    -    order = rng.permutation(len(x))
    -    x, y = x[order], y[order]
    """


@wrong(hint="order", base=MENDED)
def always_the_same_order():
    """A fixed seed makes the run repeatable."""
    return """
    -    order = rng.permutation(len(x))
    +    order = np.random.default_rng(0).permutation(len(x))
    """


@wrong(hint="once", base=MENDED)
def drawn_with_replacement():
    """Draws each example by itself, so some come twice and others never."""
    return """
    -    order = rng.permutation(len(x))
    +    order = rng.integers(0, len(x), len(x))
    """


@wrong(hint="once", base=MENDED)
def last_batch_filled_up():
    """Fills the last batch up with examples from the front."""
    return """
    -    order = rng.permutation(len(x))
    +    order = rng.permutation(len(x))
    +    order = np.resize(order, -(-len(x) // batch) * batch)
    """


@wrong(hint="step", base=MENDED)
def one_step_for_the_epoch():
    """Adds the gradients up and takes one step."""
    return """
    -    for i in range(0, len(x), batch):
    -        g = gradient(w, x[i : i + batch], y[i : i + batch])
    -        w = rule(w, g, state, lr)
    -    return w
    +    g = sum(gradient(w, x[i : i + batch], y[i : i + batch]) for i in range(0, len(x), batch))
    +    return rule(w, g, state, lr)
    """


@wrong(hint="weights", base=MENDED)
def old_weights():
    """All gradients are taken at the first weights."""
    return """
    -    for i in range(0, len(x), batch):
    -        g = gradient(w, x[i : i + batch], y[i : i + batch])
    +    start = w
    +    for i in range(0, len(x), batch):
    +        g = gradient(start, x[i : i + batch], y[i : i + batch])
    """


@wrong(hint="state", base=MENDED)
def state_forgotten():
    """Each step gets an empty state."""
    return """
    -        w = rule(w, g, state, lr)
    +        w = rule(w, g, {}, lr)
    """


@wrong(hint="order", base=MENDED)
def only_batches_shuffled():
    """Shuffles the batches, which always hold the same examples."""
    return """
    -    order = rng.permutation(len(x))
    -    x, y = x[order], y[order]
    -    for i in range(0, len(x), batch):
    +    for i in batch * rng.permutation(-(-len(x) // batch)):
    """


@wrong(hint="used once", base=MENDED)
def last_batch_overlaps():
    """The last batch is moved to the front until it is full."""
    return """
    -    for i in range(0, len(x), batch):
    +    for i in range(0, len(x), batch):
    +        i = max(0, min(i, len(x) - batch))
    """


@wrong(hint="batch", base=MENDED)
def windows():
    """A step for each example, with the batch that begins there."""
    return """
    -    for i in range(0, len(x), batch):
    +    for i in range(len(x)):
    """


@wrong(hint="weights after the epoch", base=MENDED)
def weights_not_returned():
    """The rule changes the weights."""
    return """
    -        w = rule(w, g, state, lr)
    +        rule(w, g, state, lr)
    """


@right
def rows_of_the_order():
    """Cuts the order into batches, and leaves the arrays as they are."""

    def mended_epoch(w, x, y, gradient, batch, rule, state, lr, rng):
        order = rng.permutation(len(x))
        for rows in np.split(order, range(batch, len(x), batch)):
            w = rule(w, gradient(w, x[rows], y[rows]), state, lr)
        return w


@right
def popped_from_a_list():
    """Takes rows off a shuffled list while there are any."""

    def mended_epoch(w, x, y, gradient, batch, rule, state, lr, rng):
        left = list(range(len(x)))
        rng.shuffle(left)
        while left:
            rows, left = left[:batch], left[batch:]
            w = rule(w, gradient(w, x[rows], y[rows]), state, lr)
        return w


@right
def sorted_by_random_numbers():
    """The order comes from random numbers."""

    def mended_epoch(w, x, y, gradient, batch, rule, state, lr, rng):
        order = rng.random(len(x)).argsort()
        x, y = np.take(x, order, axis=0), np.take(y, order, axis=0)
        for k in range(-(-len(x) // batch)):
            rows = slice(k * batch, min((k + 1) * batch, len(x)))
            w = rule(w, gradient(w, x[rows], y[rows]), state, lr)
        return w


@right
def order_read_backwards():
    """Copies are shuffled, and the short batch comes first."""

    import itertools

    def mended_epoch(w, x, y, gradient, batch, rule, state, lr, rng):
        order = rng.permutation(len(x))
        first = len(x) % batch or batch
        edges = [0, *range(first, len(x) + 1, batch)]
        for begin, end in itertools.pairwise(edges):
            g = gradient(w, x[order[begin:end]], y[order[begin:end]])
            w = rule(w, g, state, lr)
        return w
