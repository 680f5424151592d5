"""Answers to question 3: check a gradient."""

import math

import numpy as np

from tests.answers import right, wrong


@wrong(hint="before you add h")
def steps_in_the_dtype_of_x():
    """h is added to x in the dtype of x; only the result is float64."""

    def numeric_gradient(f, x, h=1e-5):
        x = np.asarray(x)
        slopes = np.zeros(x.shape)
        for i in np.ndindex(x.shape):
            up, down = x.copy(), x.copy()
            up[i] += h
            down[i] -= h
            slopes[i] = (f(up.astype(np.float64)) - f(down.astype(np.float64))) / (2 * h)
        return slopes


@wrong(hint="do not convert it back")
def result_in_the_dtype_of_x():
    """A gradient has the dtype of x, so it is cast back at the end."""

    def numeric_gradient(f, x, h=1e-5):
        slopes = np.zeros_like(x)
        for i in np.ndindex(x.shape):
            up, down = x.astype(np.float64), x.astype(np.float64)
            up[i] += h
            down[i] -= h
            slopes[i] = (f(up) - f(down)) / (2 * h)
        return slopes


@wrong(hint="move a copy, never x itself")
def x_moved_and_put_back():
    """x may be changed as long as it is put back; asarray makes float64 of it."""

    def numeric_gradient(f, x, h=1e-5):
        x = np.asarray(x, dtype=np.float64)
        slopes = np.zeros(x.shape)
        for i in np.ndindex(x.shape):
            kept = x[i]
            x[i] = kept + h
            up = f(x.copy())
            x[i] = kept - h
            slopes[i] = (up - f(x.copy())) / (2 * h)
            x[i] = kept
        return slopes


@wrong(hint="array of its own")
def one_copy_for_all_calls():
    """One copy is made, moved and put back for each coordinate."""

    def numeric_gradient(f, x, h=1e-5):
        point = np.array(x, dtype=np.float64)
        slopes = np.zeros(point.shape)
        for i in np.ndindex(point.shape):
            kept = point[i]
            point[i] = kept + h
            up = f(point)
            point[i] = kept - h
            slopes[i] = (up - f(point)) / (2 * h)
            point[i] = kept
        return slopes


@wrong(hint="array of its own")
def one_copy_for_each_coordinate():
    """The two calls of a coordinate share one copy, which goes up by h and then down by 2h."""

    def numeric_gradient(f, x, h=1e-5):
        x = np.array(x, dtype=np.float64)
        slopes = np.zeros(x.shape)
        for i in np.ndindex(x.shape):
            point = x.copy()
            point[i] = x[i] + h
            up = f(point)
            point[i] = x[i] - h
            slopes[i] = (up - f(point)) / (2 * h)
        return slopes


@wrong(hint="one-sided")
def forward_difference():
    """The slope is (f(x + h) - f(x)) / h."""

    def numeric_gradient(f, x, h=1e-5):
        x = np.array(x, dtype=np.float64)
        slopes = np.zeros(x.shape)
        for i in np.ndindex(x.shape):
            point = x.copy()
            point[i] += h
            slopes[i] = (f(point) - f(x.copy())) / h
        return slopes


@wrong(hint="divide by 2 h")
def divided_by_h():
    """The difference is divided by h."""

    def numeric_gradient(f, x, h=1e-5):
        x = np.array(x, dtype=np.float64)
        slopes = np.zeros(x.shape)
        for i in np.ndindex(x.shape):
            up, down = x.copy(), x.copy()
            up[i] += h
            down[i] -= h
            slopes[i] = (f(up) - f(down)) / h
        return slopes


@wrong(hint="by h up or by h down")
def step_grows_with_x():
    """A large coordinate needs a larger h, as in many libraries."""

    def numeric_gradient(f, x, h=1e-5):
        x = np.array(x, dtype=np.float64)
        slopes = np.zeros(x.shape)
        for i in np.ndindex(x.shape):
            step = h * max(1.0, abs(x[i]))
            up, down = x.copy(), x.copy()
            up[i] += step
            down[i] -= step
            slopes[i] = (f(up) - f(down)) / (2 * step)
        return slopes


@wrong(hint="exactly twice")
def tried_out_first():
    """One call more, to see whether f returns a number, does no harm."""

    def numeric_gradient(f, x, h=1e-5):
        x = np.array(x, dtype=np.float64)
        if np.ndim(f(x.copy())) != 0:
            raise ValueError("f must return a number")
        slopes = np.zeros(x.shape)
        for i in np.ndindex(x.shape):
            up, down = x.copy(), x.copy()
            up[i] += h
            down[i] -= h
            slopes[i] = (f(up) - f(down)) / (2 * h)
        return slopes


@wrong(hint="exactly twice")
def four_points():
    """More points make a better slope."""

    def numeric_gradient(f, x, h=1e-5):
        x = np.array(x, dtype=np.float64)
        slopes = np.zeros(x.shape)
        for i in np.ndindex(x.shape):
            values = []
            for factor in (1, -1, 2, -2):
                point = x.copy()
                point[i] += factor * h
                values.append(f(point))
            slopes[i] = (8 * (values[0] - values[1]) - (values[2] - values[3])) / (12 * h)
        return slopes


@wrong(hint="where x has no axis the gradient has none")
def at_least_one_axis():
    """An array has one axis at least."""

    def numeric_gradient(f, x, h=1e-5):
        x = np.atleast_1d(np.array(x, dtype=np.float64))
        slopes = np.zeros(x.shape)
        for i in np.ndindex(x.shape):
            up, down = x.copy(), x.copy()
            up[i] += h
            down[i] -= h
            slopes[i] = (f(up) - f(down)) / (2 * h)
        return slopes


@wrong(hint="where x has no axis the gradient has none")
def quotient_of_arrays():
    """All values are collected in two arrays, and their difference is an array, of shape () too."""

    def numeric_gradient(f, x, h=1e-5):
        x = np.array(x, dtype=np.float64)
        ups, downs = np.zeros(x.shape), np.zeros(x.shape)
        for i in np.ndindex(x.shape):
            up, down = x.copy(), x.copy()
            up[i] += h
            down[i] -= h
            ups[i], downs[i] = f(up), f(down)
        return (ups - downs) / (2 * h)


@wrong(hint="f takes an array, also where x has no axis")
def unit_vector_added():
    """x + h e is an array, whatever the shape of x."""

    def numeric_gradient(f, x, h=1e-5):
        x = np.array(x, dtype=np.float64)
        slopes = np.zeros(x.shape)
        for i in np.ndindex(x.shape):
            unit = np.zeros(x.shape)
            unit[i] = 1
            slopes[i] = (f(x + h * unit) - f(x - h * unit)) / (2 * h)
        return slopes


@wrong(hint="where x has no elements")
def nditer_over_x():
    """np.nditer goes through arrays of every shape and size."""

    def numeric_gradient(f, x, h=1e-5):
        x = np.array(x, dtype=np.float64)
        slopes = np.zeros(x.shape)
        places = np.nditer(x, flags=["multi_index"])
        for _ in places:
            up, down = x.copy(), x.copy()
            up[places.multi_index] += h
            down[places.multi_index] -= h
            slopes[places.multi_index] = (f(up) - f(down)) / (2 * h)
        return slopes


@wrong(hint="reshape and ravel may give a copy")
def flat_copy_moved():
    """reshape(-1) is a view, so that moving it moves the point."""

    def numeric_gradient(f, x, h=1e-5):
        slopes = np.zeros(x.shape)
        for i in range(x.size):
            up, down = x.astype(np.float64), x.astype(np.float64)
            up.reshape(-1)[i] += h
            down.reshape(-1)[i] -= h
            slopes.reshape(-1)[i] = (f(up) - f(down)) / (2 * h)
        return slopes


@wrong(hint="float64 copy")
def claimed_gradient_at_x_itself():
    """The claimed gradient is asked for at x, as it was passed."""

    def gradient_check(f, grad, x, h=1e-5):
        claimed = np.asarray(grad(x))
        if claimed.shape != x.shape:
            raise ValueError(f"expected a gradient of shape {x.shape}, got {claimed.shape}")
        numeric = numeric_gradient(f, x, h)
        if not (np.isfinite(claimed).all() and np.isfinite(numeric).all()):
            return math.inf
        scale = np.linalg.norm(claimed) + np.linalg.norm(numeric)
        return float(np.linalg.norm(claimed - numeric) / scale) if scale > 0 else 0.0


@wrong(hint="make a new array, or copy it first")
def claimed_gradient_without_a_copy():
    """asarray makes the float64 array that grad gets."""

    def gradient_check(f, grad, x, h=1e-5):
        claimed = np.asarray(grad(np.asarray(x, dtype=np.float64)))
        if claimed.shape != x.shape:
            raise ValueError(f"expected a gradient of shape {x.shape}, got {claimed.shape}")
        numeric = numeric_gradient(f, x, h)
        if not (np.isfinite(claimed).all() and np.isfinite(numeric).all()):
            return math.inf
        scale = np.linalg.norm(claimed) + np.linalg.norm(numeric)
        return float(np.linalg.norm(claimed - numeric) / scale) if scale > 0 else 0.0


@wrong(hint="not around what grad has made of its copy")
def one_copy_for_grad_and_f():
    """One float64 copy of x serves grad first and the numeric gradient afterwards."""

    def gradient_check(f, grad, x, h=1e-5):
        point = np.array(x, dtype=np.float64)
        claimed = np.asarray(grad(point))
        if claimed.shape != x.shape:
            raise ValueError(f"expected a gradient of shape {x.shape}, got {claimed.shape}")
        numeric = numeric_gradient(f, point, h)
        if not (np.isfinite(claimed).all() and np.isfinite(numeric).all()):
            return math.inf
        scale = np.linalg.norm(claimed) + np.linalg.norm(numeric)
        return float(np.linalg.norm(claimed - numeric) / scale) if scale > 0 else 0.0


@wrong(hint="passes its h on")
def h_not_passed_on():
    """The numeric gradient knows its h."""

    def gradient_check(f, grad, x, h=1e-5):
        claimed = np.asarray(grad(np.array(x, dtype=np.float64)))
        if claimed.shape != x.shape:
            raise ValueError(f"expected a gradient of shape {x.shape}, got {claimed.shape}")
        numeric = numeric_gradient(f, x)
        if not (np.isfinite(claimed).all() and np.isfinite(numeric).all()):
            return math.inf
        scale = np.linalg.norm(claimed) + np.linalg.norm(numeric)
        return float(np.linalg.norm(claimed - numeric) / scale) if scale > 0 else 0.0


@wrong(hint="the sum of the two norms")
def divided_by_the_larger_norm():
    """The error is relative to the larger of the two norms."""

    def gradient_check(f, grad, x, h=1e-5):
        claimed = np.asarray(grad(np.array(x, dtype=np.float64)))
        if claimed.shape != x.shape:
            raise ValueError(f"expected a gradient of shape {x.shape}, got {claimed.shape}")
        numeric = numeric_gradient(f, x, h)
        if not (np.isfinite(claimed).all() and np.isfinite(numeric).all()):
            return math.inf
        scale = max(np.linalg.norm(claimed), np.linalg.norm(numeric))
        return float(np.linalg.norm(claimed - numeric) / scale) if scale > 0 else 0.0


@wrong(hint="the largest error of an element")
def largest_error_of_an_element():
    """The error is the largest relative error of any element."""

    def gradient_check(f, grad, x, h=1e-5):
        claimed = np.asarray(grad(np.array(x, dtype=np.float64)))
        if claimed.shape != x.shape:
            raise ValueError(f"expected a gradient of shape {x.shape}, got {claimed.shape}")
        numeric = numeric_gradient(f, x, h)
        if not (np.isfinite(claimed).all() and np.isfinite(numeric).all()):
            return math.inf
        scale = np.abs(claimed) + np.abs(numeric)
        errors = np.abs(claimed - numeric) / np.where(scale > 0, scale, 1)
        return float(errors.max(initial=0.0))


@wrong(hint="ord=2 is another norm")
def spectral_norm():
    """np.linalg.norm with ord 2 is the root of the sum of the squares."""

    def gradient_check(f, grad, x, h=1e-5):
        def norm(values):
            return np.linalg.norm(values, 2) if values.ndim == 2 and values.size else np.sqrt((values**2).sum())

        claimed = np.asarray(grad(np.array(x, dtype=np.float64)))
        if claimed.shape != x.shape:
            raise ValueError(f"expected a gradient of shape {x.shape}, got {claimed.shape}")
        numeric = numeric_gradient(f, x, h)
        if not (np.isfinite(claimed).all() and np.isfinite(numeric).all()):
            return math.inf
        scale = norm(claimed) + norm(numeric)
        return float(norm(claimed - numeric) / scale) if scale > 0 else 0.0


@wrong(hint="add nothing to the sum of the norms")
def small_number_in_the_denominator():
    """Adding 1e-8 to the denominator takes care of two zero gradients."""

    def gradient_check(f, grad, x, h=1e-5):
        claimed = np.asarray(grad(np.array(x, dtype=np.float64)))
        if claimed.shape != x.shape:
            raise ValueError(f"expected a gradient of shape {x.shape}, got {claimed.shape}")
        numeric = numeric_gradient(f, x, h)
        if not (np.isfinite(claimed).all() and np.isfinite(numeric).all()):
            return math.inf
        scale = np.linalg.norm(claimed) + np.linalg.norm(numeric)
        return float(np.linalg.norm(claimed - numeric) / (scale + 1e-8))


@wrong(hint="the error is 0 only if both norms are 0")
def no_error_if_one_norm_is_zero():
    """A gradient of zeros cannot be compared, so its error is 0."""

    def gradient_check(f, grad, x, h=1e-5):
        claimed = np.asarray(grad(np.array(x, dtype=np.float64)))
        if claimed.shape != x.shape:
            raise ValueError(f"expected a gradient of shape {x.shape}, got {claimed.shape}")
        numeric = numeric_gradient(f, x, h)
        if not (np.isfinite(claimed).all() and np.isfinite(numeric).all()):
            return math.inf
        a, b = np.linalg.norm(claimed), np.linalg.norm(numeric)
        return float(np.linalg.norm(claimed - numeric) / (a + b)) if a > 0 and b > 0 else 0.0


@wrong(hint="two zero gradients agree")
def zero_by_zero():
    """Two gradients of zeros do not occur."""

    def gradient_check(f, grad, x, h=1e-5):
        claimed = np.asarray(grad(np.array(x, dtype=np.float64)))
        if claimed.shape != x.shape:
            raise ValueError(f"expected a gradient of shape {x.shape}, got {claimed.shape}")
        numeric = numeric_gradient(f, x, h)
        if not (np.isfinite(claimed).all() and np.isfinite(numeric).all()):
            return math.inf
        with np.errstate(invalid="ignore"):
            scale = np.linalg.norm(claimed) + np.linalg.norm(numeric)
            return float(np.linalg.norm(claimed - numeric) / scale)


@wrong(hint="a gradient that is not finite must give inf")
def nan_comes_through():
    """A NaN in a gradient shows as a NaN in the error."""

    def gradient_check(f, grad, x, h=1e-5):
        claimed = np.asarray(grad(np.array(x, dtype=np.float64)))
        if claimed.shape != x.shape:
            raise ValueError(f"expected a gradient of shape {x.shape}, got {claimed.shape}")
        numeric = numeric_gradient(f, x, h)
        with np.errstate(invalid="ignore"):
            scale = np.linalg.norm(claimed) + np.linalg.norm(numeric)
            return float(np.linalg.norm(claimed - numeric) / scale) if scale != 0 else 0.0


@wrong(hint="a gradient that is not finite must give inf")
def only_nan_looked_for():
    """NaN is the only value that spoils a comparison."""

    def gradient_check(f, grad, x, h=1e-5):
        claimed = np.asarray(grad(np.array(x, dtype=np.float64)))
        if claimed.shape != x.shape:
            raise ValueError(f"expected a gradient of shape {x.shape}, got {claimed.shape}")
        numeric = numeric_gradient(f, x, h)
        if np.isnan(claimed).any() or np.isnan(numeric).any():
            return math.inf
        with np.errstate(invalid="ignore"):
            scale = np.linalg.norm(claimed) + np.linalg.norm(numeric)
            return float(np.linalg.norm(claimed - numeric) / scale) if scale != 0 else 0.0


@wrong(hint="a gradient that is not finite must give inf")
def only_the_claimed_gradient_looked_at():
    """The numeric gradient is finite, for f is."""

    def gradient_check(f, grad, x, h=1e-5):
        claimed = np.asarray(grad(np.array(x, dtype=np.float64)))
        if claimed.shape != x.shape:
            raise ValueError(f"expected a gradient of shape {x.shape}, got {claimed.shape}")
        numeric = numeric_gradient(f, x, h)
        if not np.isfinite(claimed).all():
            return math.inf
        with np.errstate(invalid="ignore"):
            scale = np.linalg.norm(claimed) + np.linalg.norm(numeric)
            return float(np.linalg.norm(claimed - numeric) / scale) if scale != 0 else 0.0


@wrong(hint="a gradient that is not finite must give inf")
def only_the_numeric_gradient_looked_at():
    """Only numbers computed by differences can go wrong."""

    def gradient_check(f, grad, x, h=1e-5):
        claimed = np.asarray(grad(np.array(x, dtype=np.float64)))
        if claimed.shape != x.shape:
            raise ValueError(f"expected a gradient of shape {x.shape}, got {claimed.shape}")
        numeric = numeric_gradient(f, x, h)
        if not np.isfinite(numeric).all():
            return math.inf
        with np.errstate(invalid="ignore"):
            scale = np.linalg.norm(claimed) + np.linalg.norm(numeric)
            return float(np.linalg.norm(claimed - numeric) / scale) if scale != 0 else 0.0


@wrong(hint="a gradient that is not finite must give inf")
def zero_unless_the_norms_are_positive():
    """The error is 0 unless the sum of the norms is positive, which a NaN is not."""

    def gradient_check(f, grad, x, h=1e-5):
        claimed = np.asarray(grad(np.array(x, dtype=np.float64)))
        if claimed.shape != x.shape:
            raise ValueError(f"expected a gradient of shape {x.shape}, got {claimed.shape}")
        numeric = numeric_gradient(f, x, h)
        scale = np.linalg.norm(claimed) + np.linalg.norm(numeric)
        error = float(np.linalg.norm(claimed - numeric) / scale) if scale > 0 else 0.0
        return math.inf if math.isnan(error) else error


@wrong(hint="broadcast")
def claimed_gradient_broadcast():
    """A gradient that broadcasts to the shape of x fits."""

    def gradient_check(f, grad, x, h=1e-5):
        claimed = np.asarray(grad(np.array(x, dtype=np.float64)))
        numeric = numeric_gradient(f, x, h)
        if not (np.isfinite(claimed).all() and np.isfinite(numeric).all()):
            return math.inf
        scale = np.linalg.norm(claimed) + np.linalg.norm(numeric)
        return float(np.linalg.norm(claimed - numeric) / scale) if scale > 0 else 0.0


@wrong(hint="shape")
def only_the_size_compared():
    """A gradient with as many elements as x fits, since norms do not see the shape."""

    def gradient_check(f, grad, x, h=1e-5):
        claimed = np.asarray(grad(np.array(x, dtype=np.float64)))
        if claimed.size != x.size:
            raise ValueError(f"expected a gradient of shape {x.shape}, got {claimed.shape}")
        numeric = numeric_gradient(f, x, h)
        if not (np.isfinite(claimed).all() and np.isfinite(numeric).all()):
            return math.inf
        scale = np.linalg.norm(claimed) + np.linalg.norm(numeric)
        return float(np.linalg.norm(claimed.ravel() - numeric.ravel()) / scale) if scale > 0 else 0.0


@right
def unit_vectors():
    """Rows of the identity, f at all the upper points before the lower ones, each value divided by 2h for itself."""

    def numeric_gradient(f, x, h=1e-5):
        flat = np.array(x, dtype=np.float64, order="C").reshape(-1)
        shape = np.shape(x)
        ups = [float(f((flat + h * unit).reshape(shape))) for unit in np.eye(flat.size)]
        downs = [float(f((flat - h * unit).reshape(shape))) for unit in np.eye(flat.size)]
        return np.array([(up - down) / h / 2 for up, down in zip(ups, downs, strict=True)], dtype=np.float64).reshape(shape)

    def gradient_check(f, grad, x, h=1e-5):
        numeric = numeric_gradient(f, x, h)
        claimed = grad(np.array(x, dtype=np.float64))
        if np.shape(claimed) != np.shape(x):
            raise ValueError(f"expected a gradient of shape {np.shape(x)}, got {np.shape(claimed)}")
        a, b = np.ravel(claimed).astype(np.float64), numeric.ravel()
        if not np.isfinite(np.concatenate([a, b])).all():
            return math.inf
        scale = math.hypot(*a) + math.hypot(*b)
        return math.dist(a, b) / scale if scale else 0.0


@right
def flat_places():
    """The flat iterator of a new copy for each call, lower point first."""

    def numeric_gradient(f, x, h=1e-5):
        def value(place, step):
            point = np.array(x, dtype=np.float64)
            point.flat[place] += step
            return np.float64(f(point))

        result = np.empty(x.shape)
        for place in range(x.size):
            minus = value(place, -h)
            result.flat[place] = (value(place, h) - minus) / (h + h)
        return result

    def gradient_check(f, grad, x, h=1e-5):
        claimed = np.array(grad(x.astype(np.float64)), dtype=np.float64)
        if claimed.shape != x.shape:
            raise ValueError(f"expected a gradient of shape {x.shape}, got {claimed.shape}")
        numeric = numeric_gradient(f, x, h)
        if any(not math.isfinite(value) for values in (claimed, numeric) for value in values.flat):
            return math.inf
        norms = [np.sqrt(np.vdot(values, values)) for values in (claimed - numeric, claimed, numeric)]
        return 0.0 if norms[1] == norms[2] == 0 else float(norms[0] / (norms[1] + norms[2]))


@right
def by_generators():
    """Generators of points, and an error that is infinite whatever the norms say."""

    def numeric_gradient(f, x, h=1e-5):
        x = np.array(x, dtype=np.float64)

        def points(i):
            for sign in (1, -1):
                point = np.copy(x)
                point[i] = x[i] + sign * h
                yield sign, point

        places = np.ndindex(*x.shape)
        values = (sum(sign * f(point) for sign, point in points(i)) / (2.0 * h) for i in places)
        return np.fromiter(values, dtype=np.float64, count=x.size).reshape(x.shape)

    def gradient_check(f, grad, x, h=1e-5):
        claimed, numeric = grad(np.array(x, dtype=float)), numeric_gradient(f, x, h=h)
        if claimed.shape != numeric.shape:
            raise ValueError(f"expected a gradient of shape {numeric.shape}, got {claimed.shape}")
        with np.errstate(all="ignore"):
            difference, a, b = (np.linalg.norm(np.ravel(v)) for v in (claimed - numeric, claimed, numeric))
            error = difference / (a + b) if a + b != 0 else 0.0
        return float(error) if np.isfinite(claimed).all() and np.isfinite(numeric).all() else float("inf")


@right
def norms_of_scaled_gradients():
    """Both gradients are first divided by their largest element, so that squares cannot underflow."""

    def gradient_check(f, grad, x, h=1e-5):
        point = np.empty(x.shape)
        point[...] = x
        claimed = np.asarray(grad(point), dtype=np.float64)
        if claimed.shape != np.shape(x):
            raise ValueError(f"expected a gradient of shape {np.shape(x)}, got {claimed.shape}")
        both = np.stack([claimed, numeric_gradient(f, x, h)]).reshape(2, -1)
        if not np.isfinite(both).all():
            return math.inf
        top = np.abs(both).max(initial=0.0)
        if top == 0:
            return 0.0
        a, b = both / top
        return math.sqrt(((a - b) ** 2).sum()) / (math.sqrt((a**2).sum()) + math.sqrt((b**2).sum()))
