"""Answers to the exercise `my_unbroadcast`: sum over what was repeated."""

import numpy as np

from tests.answers import right, wrong


@wrong(hint="sum")
def mean_for_sum():
    """An entry that was used n times gets the mean of its n gradients."""

    def my_unbroadcast(g, shape):
        axes = tuple(range(g.ndim - len(shape)))
        axes += tuple(i + g.ndim - len(shape) for i, n in enumerate(shape) if n == 1)
        return g.mean(axis=axes, keepdims=True).reshape(shape)


@wrong(hint="shape is wrong")
def only_the_axes_in_front():
    """Broadcasting puts axes in front, and that is all."""

    def my_unbroadcast(g, shape):
        while g.ndim > len(shape):
            g = g.sum(axis=0)
        return g


@wrong(hint="shape is wrong")
def only_the_axes_of_size_one():
    """Broadcasting repeats along axes of size 1, and that is all."""

    def my_unbroadcast(g, shape):
        for i, n in enumerate(shape):
            if n == 1:
                g = g.sum(axis=i, keepdims=True)
        return g


@wrong(hint="shape")
def always_over_the_rows():
    """A bias is repeated over the rows, so sum over axis 0."""

    def my_unbroadcast(g, shape):
        return g.sum(axis=0)


@wrong(hint="shape is wrong")
def one_axis_in_front():
    """At most one axis is put in front."""

    def my_unbroadcast(g, shape):
        if g.ndim > len(shape):
            g = g.sum(axis=0)
        for i, n in enumerate(shape):
            if n == 1:
                g = g.sum(axis=i, keepdims=True)
        return g


@wrong(hint="shape")
def axis_of_size_one_lost():
    """A sum over an axis takes the axis away."""

    def my_unbroadcast(g, shape):
        extra = g.ndim - len(shape)
        axes = tuple(range(extra)) + tuple(i + extra for i, n in enumerate(shape) if n == 1)
        return g.sum(axis=axes)


@wrong(hint="The numbers differ")
def first_entries_taken():
    """All the repeated entries are equal, so one of them is taken."""

    def my_unbroadcast(g, shape):
        return np.resize(g, shape)


@wrong(hint="The numbers differ")
def first_rows_taken():
    """One place for each entry is enough."""

    def my_unbroadcast(g, shape):
        g = g[(0,) * (g.ndim - len(shape))]
        return g[tuple(slice(0, n) for n in shape)]


@wrong(hint="The numbers differ")
def total_everywhere():
    """Where anything was repeated, all of g is summed."""

    def my_unbroadcast(g, shape):
        if g.shape == shape:
            return g
        return np.full(shape, g.sum())


@wrong(hint="changed")
def summed_in_place():
    """The first row of g is a good place for the sum."""

    def my_unbroadcast(g, shape):
        while g.ndim > len(shape):
            g[0] += g[1:].sum(axis=0)
            g = g[0]
        for i, n in enumerate(shape):
            if n == 1:
                g = g.sum(axis=i, keepdims=True)
        return g


@wrong(hint="shape is wrong")
def axes_matched_from_the_left():
    """Shapes are compared from their first axis."""

    def my_unbroadcast(g, shape):
        for i, n in enumerate(shape):
            if n == 1 and g.shape[i] > 1:
                g = g.sum(axis=i, keepdims=True)
        while g.ndim > len(shape):
            g = g.sum(axis=-1)
        return g


@wrong(hint="shape")
def same_size_returned_as_it_is():
    """If the number of entries is the same, nothing was repeated."""

    def my_unbroadcast(g, shape):
        if g.size == np.prod(shape):
            return g
        extra = g.ndim - len(shape)
        axes = tuple(range(extra)) + tuple(i + extra for i, n in enumerate(shape) if n == 1)
        return g.sum(axis=axes, keepdims=True).reshape(shape)


@wrong(hint="shape is wrong")
def the_first_repeated_axis_only():
    """One axis was repeated."""

    def my_unbroadcast(g, shape):
        while g.ndim > len(shape):
            g = g.sum(axis=0)
        for i, n in enumerate(shape):
            if n < g.shape[i]:
                return g.sum(axis=i, keepdims=True)
        return g


@wrong(hint="shape is wrong")
def number_left_as_it_is():
    """A shape without axes means that there is nothing to sum."""

    def my_unbroadcast(g, shape):
        if len(shape) == 0:
            return g
        extra = g.ndim - len(shape)
        axes = tuple(range(extra)) + tuple(i + extra for i, n in enumerate(shape) if n == 1)
        return g.sum(axis=axes, keepdims=True).reshape(shape)


@right
def all_axes_at_once():
    """One sum over all axes that were repeated, and a reshape."""

    def my_unbroadcast(g, shape):
        extra = g.ndim - len(shape)
        axes = tuple(i for i in range(g.ndim) if i < extra or shape[i - extra] == 1)
        return g.sum(axis=axes).reshape(shape)


@right
def axis_by_axis():
    """A loop while there are too many axes, then one over the others."""

    def my_unbroadcast(g, shape):
        g = np.asarray(g)
        while g.ndim > len(shape):
            g = g.sum(axis=0)
        for i in range(len(shape)):
            if g.shape[i] != shape[i]:
                g = np.sum(g, axis=i, keepdims=True)
        return g


@right
def place_by_place():
    """Adds each entry of g to the entry that was used there."""

    def my_unbroadcast(g, shape):
        total = np.zeros(shape)
        for place in np.ndindex(g.shape):
            own = place[len(place) - len(shape) :]
            total[tuple(i if n > 1 else 0 for i, n in zip(own, shape, strict=True))] += g[place]
        return total


@right
def numbers_broadcast_too():
    """Broadcasts the numbers of the entries, and counts with weights."""

    def my_unbroadcast(g, shape):
        size = int(np.prod(shape))
        numbers = np.broadcast_to(np.arange(size).reshape(shape), g.shape)
        return np.bincount(numbers.ravel(), weights=g.ravel(), minlength=size).reshape(shape)


@right
def by_einsum():
    """einsum, whose result leaves out the repeated axes."""

    def my_unbroadcast(g, shape):
        extra = g.ndim - len(shape)
        kept = [i for i in range(g.ndim) if i >= extra and shape[i - extra] > 1]
        return np.einsum(g, list(range(g.ndim)), kept).reshape(shape)
