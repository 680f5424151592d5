"""Answers to question 8: dropout."""

import numpy as np

from tests.answers import right, wrong


@wrong(hint="dropping")
def p_is_kept():
    """Takes p for the probability of keeping."""

    def dropout(x, p, rng, train):
        if not 0 <= p < 1:
            raise ValueError(f"p must be in [0, 1), got {p}")
        if not train:
            return x.copy(), np.ones_like(x)
        mask = ((rng.random(x.shape) < p) / max(p, 1e-12)).astype(x.dtype)
        return x * mask, mask


@wrong(hint="keep where the number is at least p")
def keeps_the_small_numbers():
    """Keeps an element where its number is below 1 - p, which is as probable."""

    def dropout(x, p, rng, train):
        if not 0 <= p < 1:
            raise ValueError(f"p must be in [0, 1), got {p}")
        if not train:
            return x.copy(), np.ones_like(x)
        mask = ((rng.random(x.shape) < 1 - p) / (1 - p)).astype(x.dtype)
        return x * mask, mask


@wrong(hint="where its number equals p")
def keeps_above_p_only():
    """Drops an element whose number is exactly p."""

    def dropout(x, p, rng, train):
        if not 0 <= p < 1:
            raise ValueError(f"p must be in [0, 1), got {p}")
        if not train:
            return x.copy(), np.ones_like(x)
        mask = ((rng.random(x.shape) > p) / (1 - p)).astype(x.dtype)
        return x * mask, mask


@wrong(hint="1 - p")
def not_inverted():
    """Drops and does not divide by 1 - p."""

    def dropout(x, p, rng, train):
        if not 0 <= p < 1:
            raise ValueError(f"p must be in [0, 1), got {p}")
        if not train:
            return x.copy(), np.ones_like(x)
        mask = (rng.random(x.shape) >= p).astype(x.dtype)
        return x * mask, mask


@wrong(hint="1 - p")
def divided_by_p():
    """Divides by p instead of 1 - p."""

    def dropout(x, p, rng, train):
        if not 0 <= p < 1:
            raise ValueError(f"p must be in [0, 1), got {p}")
        if not train:
            return x.copy(), np.ones_like(x)
        mask = ((rng.random(x.shape) >= p) / (p or 1)).astype(x.dtype)
        return x * mask, mask


@wrong(hint="not by the share that this draw has kept")
def divided_by_what_is_left():
    """Divides by the share that this draw has kept."""

    def dropout(x, p, rng, train):
        if not 0 <= p < 1:
            raise ValueError(f"p must be in [0, 1), got {p}")
        if not train:
            return x.copy(), np.ones_like(x)
        kept = rng.random(x.shape) >= p
        mask = (kept / max(kept.mean(), 1e-12)).astype(x.dtype)
        return x * mask, mask


@wrong(hint="evaluation")
def scaled_in_evaluation_too():
    """Multiplies by 1 - p in evaluation, as the first paper did."""

    def dropout(x, p, rng, train):
        if not 0 <= p < 1:
            raise ValueError(f"p must be in [0, 1), got {p}")
        if not train:
            return (x * (1 - p)).astype(x.dtype), np.ones_like(x)
        mask = ((rng.random(x.shape) >= p) / (1 - p)).astype(x.dtype)
        return x * mask, mask


@wrong(hint="ones")
def evaluation_mask_of_the_mean():
    """Fills the mask of evaluation with 1 / (1 - p), as for kept elements."""

    def dropout(x, p, rng, train):
        if not 0 <= p < 1:
            raise ValueError(f"p must be in [0, 1), got {p}")
        if not train:
            return x.copy(), np.full_like(x, 1 / (1 - p))
        mask = ((rng.random(x.shape) >= p) / (1 - p)).astype(x.dtype)
        return x * mask, mask


@wrong(hint="mask")
def mask_without_scale():
    """Divides y by 1 - p, and returns a mask of zeros and ones."""

    def dropout(x, p, rng, train):
        if not 0 <= p < 1:
            raise ValueError(f"p must be in [0, 1), got {p}")
        if not train:
            return x.copy(), np.ones_like(x)
        mask = (rng.random(x.shape) >= p).astype(x.dtype)
        return (x * mask / (1 - p)).astype(x.dtype), mask


@wrong(hint="y may hold zeros of x")
def mask_read_off_the_result():
    """Takes the mask from the zeros of y, where x may hold zeros of its own."""

    def dropout(x, p, rng, train):
        if not 0 <= p < 1:
            raise ValueError(f"p must be in [0, 1), got {p}")
        if not train:
            return x.copy(), np.ones_like(x)
        y = np.where(rng.random(x.shape) >= p, x / (1 - p), 0).astype(x.dtype)
        return y, ((y != 0) / (1 - p)).astype(x.dtype)


@wrong(hint="shape and dtype of x")
def mask_is_boolean():
    """Returns a mask of True and False."""

    def dropout(x, p, rng, train):
        if not 0 <= p < 1:
            raise ValueError(f"p must be in [0, 1), got {p}")
        if not train:
            return x.copy(), np.ones_like(x)
        mask = rng.random(x.shape) >= p
        return (x * mask / (1 - p)).astype(x.dtype), mask


@wrong(hint="dtype")
def mask_in_double():
    """Casts y to the dtype of x, and leaves the mask in float64."""

    def dropout(x, p, rng, train):
        if not 0 <= p < 1:
            raise ValueError(f"p must be in [0, 1), got {p}")
        if not train:
            return x.copy(), np.ones_like(x)
        mask = (rng.random(x.shape) >= p) / (1 - p)
        return (x * mask).astype(x.dtype), mask


@wrong(hint="dtype")
def result_in_double():
    """Casts the mask that it returns, and leaves y in float64."""

    def dropout(x, p, rng, train):
        if not 0 <= p < 1:
            raise ValueError(f"p must be in [0, 1), got {p}")
        if not train:
            return x.copy(), np.ones_like(x)
        mask = (rng.random(x.shape) >= p) / (1 - p)
        return x * mask, mask.astype(x.dtype)


@wrong(hint="dtype")
def evaluation_mask_in_double():
    """Makes the mask of evaluation with np.ones, which is float64."""

    def dropout(x, p, rng, train):
        if not 0 <= p < 1:
            raise ValueError(f"p must be in [0, 1), got {p}")
        if not train:
            return x.copy(), np.ones(x.shape)
        mask = ((rng.random(x.shape) >= p) / (1 - p)).astype(x.dtype)
        return x * mask, mask


@wrong(hint="both results have the shape")
def evaluation_mask_is_a_number():
    """Returns 1 for the mask of evaluation, which broadcasts."""

    def dropout(x, p, rng, train):
        if not 0 <= p < 1:
            raise ValueError(f"p must be in [0, 1), got {p}")
        if not train:
            return x.copy(), x.dtype.type(1)
        mask = ((rng.random(x.shape) >= p) / (1 - p)).astype(x.dtype)
        return x * mask, mask


@wrong(hint="copy")
def evaluation_returns_x():
    """Returns x itself in evaluation."""

    def dropout(x, p, rng, train):
        if not 0 <= p < 1:
            raise ValueError(f"p must be in [0, 1), got {p}")
        if not train:
            return x, np.ones_like(x)
        mask = ((rng.random(x.shape) >= p) / (1 - p)).astype(x.dtype)
        return x * mask, mask


@wrong(hint="copy")
def evaluation_returns_a_slice():
    """Takes x[:] for a copy, as with lists."""

    def dropout(x, p, rng, train):
        if not 0 <= p < 1:
            raise ValueError(f"p must be in [0, 1), got {p}")
        if not train:
            return x[:], np.ones_like(x)
        mask = ((rng.random(x.shape) >= p) / (1 - p)).astype(x.dtype)
        return x * mask, mask


@wrong(hint="p = 0")
def nothing_drawn_for_zero():
    """Draws nothing for p = 0, where nothing is dropped."""

    def dropout(x, p, rng, train):
        if not 0 <= p < 1:
            raise ValueError(f"p must be in [0, 1), got {p}")
        if not train or p == 0:
            return x.copy(), np.ones_like(x)
        mask = ((rng.random(x.shape) >= p) / (1 - p)).astype(x.dtype)
        return x * mask, mask


@wrong(hint="evaluation")
def drawn_in_evaluation():
    """Draws before it looks at the mode."""

    def dropout(x, p, rng, train):
        if not 0 <= p < 1:
            raise ValueError(f"p must be in [0, 1), got {p}")
        numbers = rng.random(x.shape)
        if not train:
            return x.copy(), np.ones_like(x)
        mask = ((numbers >= p) / (1 - p)).astype(x.dtype)
        return x * mask, mask


@wrong(hint="each element")
def one_draw_for_all_examples():
    """Draws one row, and drops the same units for all examples."""

    def dropout(x, p, rng, train):
        if not 0 <= p < 1:
            raise ValueError(f"p must be in [0, 1), got {p}")
        if not train:
            return x.copy(), np.ones_like(x)
        mask = ((np.broadcast_to(rng.random(x.shape[1:]), x.shape) >= p) / (1 - p)).astype(x.dtype)
        return x * mask, mask


@wrong(hint="each element")
def one_draw_for_an_example():
    """Draws one number for each row, and drops whole examples."""

    def dropout(x, p, rng, train):
        if not 0 <= p < 1:
            raise ValueError(f"p must be in [0, 1), got {p}")
        if not train:
            return x.copy(), np.ones_like(x)
        mask = ((np.broadcast_to(rng.random((len(x),) + (1,) * (x.ndim - 1)), x.shape) >= p) / (1 - p)).astype(x.dtype)
        return x * mask, mask


@wrong(hint="draws float64 numbers")
def drawn_in_the_precision_of_x():
    """Draws numbers in the dtype of x."""

    def dropout(x, p, rng, train):
        if not 0 <= p < 1:
            raise ValueError(f"p must be in [0, 1), got {p}")
        if not train:
            return x.copy(), np.ones_like(x)
        mask = ((rng.random(x.shape, dtype=x.dtype) >= p) / (1 - p)).astype(x.dtype)
        return x * mask, mask


@wrong(hint="or another draw")
def drawn_as_coins():
    """Throws coins with rng.binomial."""

    def dropout(x, p, rng, train):
        if not 0 <= p < 1:
            raise ValueError(f"p must be in [0, 1), got {p}")
        if not train:
            return x.copy(), np.ones_like(x)
        mask = ((rng.binomial(1, 1 - p, x.shape)) / (1 - p)).astype(x.dtype)
        return x * mask, mask


@wrong(hint="drawn from the generator that is passed")
def drawn_from_the_global_generator():
    """Draws from NumPy's global generator."""

    def dropout(x, p, rng, train):
        if not 0 <= p < 1:
            raise ValueError(f"p must be in [0, 1), got {p}")
        if not train:
            return x.copy(), np.ones_like(x)
        mask = ((np.random.random(x.shape) >= p) / (1 - p)).astype(x.dtype)
        return x * mask, mask


@wrong(hint="p = 1 is refused")
def certain_drop_is_allowed():
    """Believes that p may be 1, where all is dropped."""

    def dropout(x, p, rng, train):
        if not 0 <= p <= 1:
            raise ValueError(f"p must be in [0, 1), got {p}")
        if not train:
            return x.copy(), np.ones_like(x)
        mask = ((rng.random(x.shape) >= p) / (1 - p if p < 1 else 1)).astype(x.dtype)
        return x * mask, mask


@wrong(hint="p = 0 is allowed")
def zero_is_refused():
    """Believes that p must be above 0."""

    def dropout(x, p, rng, train):
        if not 0 < p < 1:
            raise ValueError(f"p must be in [0, 1), got {p}")
        if not train:
            return x.copy(), np.ones_like(x)
        mask = ((rng.random(x.shape) >= p) / (1 - p)).astype(x.dtype)
        return x * mask, mask


@wrong(hint="NaN")
def nan_passes():
    """Asks whether p is below 0 or at least 1, and NaN is neither."""

    def dropout(x, p, rng, train):
        if p < 0 or p >= 1:
            raise ValueError(f"p must be in [0, 1), got {p}")
        if not train:
            return x.copy(), np.ones_like(x)
        mask = ((rng.random(x.shape) >= p) / (1 - p)).astype(x.dtype)
        return x * mask, mask


@wrong(hint="must be refused in evaluation too")
def checked_in_training_only():
    """Looks at p only where it is used."""

    def dropout(x, p, rng, train):
        if not train:
            return x.copy(), np.ones_like(x)
        if not 0 <= p < 1:
            raise ValueError(f"p must be in [0, 1), got {p}")
        mask = ((rng.random(x.shape) >= p) / (1 - p)).astype(x.dtype)
        return x * mask, mask


@wrong(hint="make a new array")
def x_is_dropped_in_place():
    """Multiplies x in place, to save memory."""

    def dropout(x, p, rng, train):
        if not 0 <= p < 1:
            raise ValueError(f"p must be in [0, 1), got {p}")
        if not train:
            return x.copy(), np.ones_like(x)
        mask = ((rng.random(x.shape) >= p) / (1 - p)).astype(x.dtype)
        x *= mask
        return x, mask


@wrong(hint="the mask holds the factor already")
def backward_scales_twice():
    """Divides by 1 - p once more in backward, by multiplying with the mask twice."""

    def dropout_backward(dy, mask):
        return dy * mask * mask


@wrong(hint="the same factor as the result")
def backward_without_scale():
    """Passes dy where the mask is not zero, and forgets the factor."""

    def dropout_backward(dy, mask):
        return np.where(mask > 0, dy, 0).astype(dy.dtype)


@wrong(hint="what was dropped sends no gradient back")
def backward_passes_all():
    """Believes that dropout changes the forward only."""

    def dropout_backward(dy, mask):
        return dy.copy()


@wrong(hint="make a new array")
def backward_in_place():
    """Multiplies dy in place."""

    def dropout_backward(dy, mask):
        dy *= mask
        return dy


@wrong(hint="make a new array")
def backward_in_the_memory_of_the_mask():
    """Writes the product into the mask, which is not needed again."""

    def dropout_backward(dy, mask):
        return np.multiply(dy, mask, out=mask)


@wrong(hint="the dtype of dy")
def backward_in_double():
    """Returns float64, whatever dy is."""

    def dropout_backward(dy, mask):
        return dy * mask.astype(np.float64)


@right
def with_where():
    """Chooses between x / (1 - p) and zero, which rounds a little differently from the product."""

    def dropout(x, p, rng, train):
        if not (p >= 0 and p < 1):
            raise ValueError(f"p must be at least 0 and below 1, got {p}")
        if train:
            kept = rng.random(x.shape) >= p
            scale = x.dtype.type(1 - p)
            return np.where(kept, x / scale, np.zeros_like(x)), np.where(kept, 1 / scale, np.zeros_like(x))
        return np.array(x), np.ones(x.shape, dtype=x.dtype)

    def dropout_backward(dy, mask):
        return np.where(mask == 0, np.zeros_like(dy), dy * mask).astype(dy.dtype)


@right
def by_boolean_index():
    """Starts with zeros and fills in what is kept."""

    def dropout(x, p, rng, train):
        if np.isnan(p) or p < 0 or p >= 1:
            raise ValueError(f"p must be in [0, 1), got {p}")
        y, mask = np.zeros_like(x), np.zeros_like(x)
        kept = rng.random(x.shape) >= p if train else np.full(x.shape, True)
        mask[kept] = 1 / (1 - p) if train else 1
        y[kept] = x[kept] / (1 - p) if train else x[kept]
        return y, mask

    def dropout_backward(dy, mask):
        dx = np.zeros_like(dy)
        kept = mask != 0
        dx[kept] = dy[kept] * mask[kept]
        return dx


@right
def element_by_element():
    """Loops over the elements with Python's floats, and casts at the end."""

    class ProbabilityError(ValueError):
        """Not a probability below 1."""

    def dropout(x, p, rng, train):
        if not 0.0 <= p < 1.0:
            raise ProbabilityError(f"p must be in [0, 1), got {p!r}")
        values = [1.0] * x.size
        if train:
            values = [0.0 if number < p else 1.0 / (1.0 - p) for number in rng.random(x.shape).ravel().tolist()]
        products = [float(a) * m for a, m in zip(x.ravel(), values, strict=True)]
        return np.array(products, dtype=x.dtype).reshape(x.shape), np.array(values, dtype=x.dtype).reshape(x.shape)

    def dropout_backward(dy, mask):
        products = [float(a) * float(m) for a, m in zip(dy.flat, mask.flat, strict=True)]
        return np.array(products, dtype=dy.dtype).reshape(dy.shape)


@right
def double_inside():
    """Multiplies in float64 with the unrounded mask, casts both results, and zeroes by putmask."""

    def dropout(x, p, rng, train):
        if not p >= 0 or p >= 1:
            raise ValueError(f"p must be in [0, 1), got {p}")
        mask = np.ones(x.shape)
        if train:
            numbers = rng.random(x.shape)
            mask /= 1 - p
            np.putmask(mask, numbers < p, 0)
        y = np.multiply(x, mask, dtype=np.float64)
        return y.astype(x.dtype), mask.astype(x.dtype)

    def dropout_backward(dy, mask):
        return np.einsum("...,...->...", dy.astype(np.float64), mask.astype(np.float64)).astype(dy.dtype)
