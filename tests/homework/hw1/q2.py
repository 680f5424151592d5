"""Answers to question 2: layers and their backward."""

import math

import numpy as np

from tests.answers import right, wrong


@wrong(hint="must replace dweight and dbias")
def gradients_pile_up():
    """backward adds to dweight and dbias, as torch does."""

    class Affine:
        def __init__(self, weight, bias):
            self.weight, self.bias = weight, bias
            self.dweight, self.dbias = np.zeros_like(weight), np.zeros_like(bias)

        def forward(self, x):
            if x.ndim != 2 or x.shape[1] != self.weight.shape[1]:
                raise ValueError(f"x must be (N, {self.weight.shape[1]}), got {x.shape}")
            self.x = x
            return x @ self.weight.T + self.bias

        def backward(self, dy):
            self.dweight = self.dweight + dy.T @ self.x
            self.dbias = self.dbias + dy.sum(axis=0)
            return dy @ self.weight


@wrong(hint="was divided by N")
def gradients_are_means():
    """The gradients of weight and bias are means over the batch."""

    class Affine:
        def __init__(self, weight, bias):
            self.weight, self.bias = weight, bias

        def forward(self, x):
            if x.ndim != 2 or x.shape[1] != self.weight.shape[1]:
                raise ValueError(f"x must be (N, {self.weight.shape[1]}), got {x.shape}")
            self.x = x
            return x @ self.weight.T + self.bias

        def backward(self, dy):
            self.dweight = dy.T @ self.x / len(dy)
            self.dbias = dy.mean(axis=0)
            return dy @ self.weight


@wrong(hint="and this is its mean")
def bias_gradient_is_a_mean():
    """The gradient of the bias is the mean of dy over the batch."""

    class Affine:
        def __init__(self, weight, bias):
            self.weight, self.bias = weight, bias

        def forward(self, x):
            if x.ndim != 2 or x.shape[1] != self.weight.shape[1]:
                raise ValueError(f"x must be (N, {self.weight.shape[1]}), got {x.shape}")
            self.x = x
            return x @ self.weight.T + self.bias

        def backward(self, dy):
            self.dweight = dy.T @ self.x
            self.dbias = dy.mean(axis=0)
            return dy @ self.weight


@wrong(hint="the summed axis was kept")
def bias_gradient_keeps_its_row():
    """The gradient of the bias is a row, (1, out), which broadcasts like the bias."""

    class Affine:
        def __init__(self, weight, bias):
            self.weight, self.bias = weight, bias

        def forward(self, x):
            if x.ndim != 2 or x.shape[1] != self.weight.shape[1]:
                raise ValueError(f"x must be (N, {self.weight.shape[1]}), got {x.shape}")
            self.x = x
            return x @ self.weight.T + self.bias

        def backward(self, dy):
            self.dweight = dy.T @ self.x
            self.dbias = dy.sum(axis=0, keepdims=True)
            return dy @ self.weight


@wrong(hint="float32 in, float32 out")
def bias_gradient_by_a_row_of_ones():
    """A row of ones times dy is the sum over the batch; its dtype looks after itself."""

    class Affine:
        def __init__(self, weight, bias):
            self.weight, self.bias = weight, bias

        def forward(self, x):
            if x.ndim != 2 or x.shape[1] != self.weight.shape[1]:
                raise ValueError(f"x must be (N, {self.weight.shape[1]}), got {x.shape}")
            self.x = x
            return x @ self.weight.T + self.bias

        def backward(self, dy):
            self.dweight = dy.T @ self.x
            self.dbias = np.ones(len(dy)) @ dy
            return dy @ self.weight


@wrong(hint="the weight that the attribute holds now")
def weight_transposed_once():
    """The weight is transposed once, at the start, to save time."""

    class Affine:
        def __init__(self, weight, bias):
            self.weight, self.bias = weight, bias
            self.weight_t = weight.T

        def forward(self, x):
            if x.ndim != 2 or x.shape[1] != self.weight.shape[1]:
                raise ValueError(f"x must be (N, {self.weight.shape[1]}), got {x.shape}")
            self.x = x
            return x @ self.weight_t + self.bias

        def backward(self, dy):
            self.dweight = dy.T @ self.x
            self.dbias = dy.sum(axis=0)
            return dy @ self.weight_t.T


@wrong(hint="the bias that the attribute holds now")
def bias_of_the_start():
    """The bias that was passed at the start stays the bias."""

    class Affine:
        def __init__(self, weight, bias):
            self.weight, self.bias = weight, bias
            self._b = bias.reshape(1, -1)

        def forward(self, x):
            if x.ndim != 2 or x.shape[1] != self.weight.shape[1]:
                raise ValueError(f"x must be (N, {self.weight.shape[1]}), got {x.shape}")
            self.x = x
            return x @ self.weight.T + self._b

        def backward(self, dy):
            self.dweight = dy.T @ self.x
            self.dbias = dy.sum(axis=0)
            return dy @ self.weight


@wrong(hint="more than once after a forward")
def input_given_up_after_backward():
    """Once backward has run, the input is not needed any more and its memory can go."""

    class Affine:
        def __init__(self, weight, bias):
            self.weight, self.bias = weight, bias

        def forward(self, x):
            if x.ndim != 2 or x.shape[1] != self.weight.shape[1]:
                raise ValueError(f"x must be (N, {self.weight.shape[1]}), got {x.shape}")
            self.x = x
            return x @ self.weight.T + self.bias

        def backward(self, dy):
            self.dweight = dy.T @ self.x
            self.dbias = dy.sum(axis=0)
            self.x = None
            return dy @ self.weight


@wrong(hint="backward belongs to the last forward")
def first_input_remembered():
    """The input is kept at the first forward, when there is none yet."""

    class Affine:
        x = None

        def __init__(self, weight, bias):
            self.weight, self.bias = weight, bias

        def forward(self, x):
            if x.ndim != 2 or x.shape[1] != self.weight.shape[1]:
                raise ValueError(f"x must be (N, {self.weight.shape[1]}), got {x.shape}")
            if self.x is None:
                self.x = x
            return x @ self.weight.T + self.bias

        def backward(self, dy):
            self.dweight = dy.T @ self.x[: len(dy)]
            self.dbias = dy.sum(axis=0)
            return dy @ self.weight


@wrong(hint="the number of dimensions")
def only_the_last_axis_checked():
    """x fits if its last axis has the right size."""

    class Affine:
        def __init__(self, weight, bias):
            self.weight, self.bias = weight, bias

        def forward(self, x):
            if x.shape[-1] != self.weight.shape[1]:
                raise ValueError(f"x must be (N, {self.weight.shape[1]}), got {x.shape}")
            self.x = x
            return x @ self.weight.T + self.bias

        def backward(self, dy):
            self.dweight = dy.T @ self.x
            self.dbias = dy.sum(axis=0)
            return dy @ self.weight


@wrong(hint="the number of dimensions")
def single_example_made_a_batch():
    """An x of shape (in,) is a batch of one."""

    class Affine:
        def __init__(self, weight, bias):
            self.weight, self.bias = weight, bias

        def forward(self, x):
            x = np.atleast_2d(x)
            if x.ndim != 2 or x.shape[1] != self.weight.shape[1]:
                raise ValueError(f"x must be (N, {self.weight.shape[1]}), got {x.shape}")
            self.x = x
            return x @ self.weight.T + self.bias

        def backward(self, dy):
            self.dweight = dy.T @ self.x
            self.dbias = dy.sum(axis=0)
            return dy @ self.weight


@wrong(hint="the number of dimensions")
def images_flattened_for_you():
    """An x with more axes is flattened to rows, so that it has the right number of columns."""

    class Affine:
        def __init__(self, weight, bias):
            self.weight, self.bias = weight, bias

        def forward(self, x):
            if x.size % self.weight.shape[1]:
                raise ValueError(f"x must be (N, {self.weight.shape[1]}), got {x.shape}")
            self.x = x.reshape(-1, self.weight.shape[1])
            return self.x @ self.weight.T + self.bias

        def backward(self, dy):
            self.dweight = dy.T @ self.x
            self.dbias = dy.sum(axis=0)
            return dy @ self.weight


@wrong(hint="the number of columns")
def einsum_is_left_to_complain():
    """einsum raises an error itself where the columns do not fit."""

    class Affine:
        def __init__(self, weight, bias):
            self.weight, self.bias = weight, bias

        def forward(self, x):
            self.x = x
            return np.einsum("ni,oi->no", x, self.weight) + self.bias

        def backward(self, dy):
            self.dweight = np.einsum("no,ni->oi", dy, self.x)
            self.dbias = np.einsum("no->o", dy)
            return np.einsum("no,oi->ni", dy, self.weight)


@wrong(hint="Another error was raised")
def input_asserted():
    """An assert is an error like any other."""

    class Affine:
        def __init__(self, weight, bias):
            self.weight, self.bias = weight, bias

        def forward(self, x):
            assert x.ndim == 2 and x.shape[1] == self.weight.shape[1], f"wrong shape {x.shape}"
            self.x = x
            return x @ self.weight.T + self.bias

        def backward(self, dy):
            self.dweight = dy.T @ self.x
            self.dbias = dy.sum(axis=0)
            return dy @ self.weight


@wrong(hint="make a new array")
def relu_in_place():
    """ReLU may write its result over its input."""

    class Relu:
        def forward(self, x):
            self.mask = x > 0
            x[~self.mask] = 0
            return x

        def backward(self, dy):
            return dy * self.mask


@wrong(hint="make a new array")
def dy_masked_in_place():
    """dy is not needed after backward, so that it can hold the result."""

    class Relu:
        def forward(self, x):
            self.mask = x > 0
            return np.where(self.mask, x, 0)

        def backward(self, dy):
            dy *= self.mask
            return dy


@wrong(hint="the derivative of ReLU at 0 is 0")
def relu_slope_one_at_zero():
    """The derivative of ReLU at 0 is 1."""

    class Relu:
        def forward(self, x):
            self.mask = x >= 0
            return np.maximum(x, 0)

        def backward(self, dy):
            return dy * self.mask


@wrong(hint="the derivative of ReLU at 0 is 0")
def relu_slope_half_at_zero():
    """The derivative of ReLU is (1 + sign x) / 2, so it is one half at 0."""

    class Relu:
        def forward(self, x):
            self.slope = (1 + np.sign(x)) / 2
            return np.maximum(x, 0)

        def backward(self, dy):
            return dy * self.slope


@wrong(hint="not on the sign of dy")
def relu_mask_of_dy():
    """ReLU's backward is ReLU once more: it lets the positive gradients through."""

    class Relu:
        def forward(self, x):
            self.mask = x > 0
            return np.maximum(x, 0)

        def backward(self, dy):
            return np.where(self.mask & (dy > 0), dy, 0)


@wrong(hint="in the dtype of x")
def relu_mask_of_floats():
    """The mask is made of floats, since it is multiplied by floats."""

    class Relu:
        def forward(self, x):
            self.mask = (x > 0).astype(float)
            return np.maximum(x, 0)

        def backward(self, dy):
            return dy * self.mask


@wrong(hint="keeps what backward needs in itself")
def one_mask_for_all_relus():
    """The mask is an attribute of the class, since all ReLUs do the same."""

    class Relu:
        def forward(self, x):
            Relu.mask = x > 0
            return np.maximum(x, 0)

        def backward(self, dy):
            return dy * Relu.mask


@wrong(hint="on any shape")
def relu_on_rows():
    """A layer's input is a batch of rows."""

    class Relu:
        def forward(self, x):
            x = x.reshape(len(x), -1)
            self.mask = x > 0
            return np.maximum(x, 0)

        def backward(self, dy):
            return dy.reshape(len(dy), -1) * self.mask


@wrong(hint="overflows, in tanh too")
def tanh_from_exponentials():
    """tanh is computed as its definition has it, from two exponentials."""

    class Tanh:
        def forward(self, x):
            self.y = (np.exp(x) - np.exp(-x)) / (np.exp(x) + np.exp(-x))
            return self.y

        def backward(self, dy):
            return dy * (1 - self.y**2)


@wrong(hint="must not change what forward has kept")
def tanh_overwrites_what_it_kept():
    """The kept result can be turned into the slope where it stands."""

    class Tanh:
        def forward(self, x):
            self.y = np.tanh(x)
            return self.y.copy()

        def backward(self, dy):
            self.y *= self.y
            return dy * (1 - self.y)


@wrong(hint="each derivative is a function of x or of y")
def tanh_slope_without_the_square():
    """The derivative of tanh is 1 - tanh."""

    class Tanh:
        def forward(self, x):
            self.y = np.tanh(x)
            return self.y

        def backward(self, dy):
            return dy * (1 - self.y)


@wrong(hint="overflows: use exp(-|x|)")
def sigmoid_of_the_formula():
    """The formula gives 0 even where the exponential overflows."""

    class Sigmoid:
        def forward(self, x):
            self.y = 1 / (1 + np.exp(-x))
            return self.y

        def backward(self, dy):
            return dy * self.y * (1 - self.y)


@wrong(hint="overflows: use exp(-|x|)")
def sigmoid_by_where():
    """np.where computes each of the two formulas only where it is needed."""

    class Sigmoid:
        def forward(self, x):
            self.y = np.where(x >= 0, 1 / (1 + np.exp(-x)), np.exp(x) / (1 + np.exp(x)))
            return self.y

        def backward(self, dy):
            return dy * self.y * (1 - self.y)


@wrong(hint="overflows: use exp(-|x|)")
def sigmoid_of_the_other_formula():
    """exp(x) / (1 + exp(x)) is the same function, with warnings switched off."""

    class Sigmoid:
        def forward(self, x):
            with np.errstate(all="ignore"):
                self.y = np.exp(x) / (1 + np.exp(x))
            return self.y

        def backward(self, dy):
            return dy * self.y * (1 - self.y)


@wrong(hint="cut x off nowhere")
def sigmoid_clipped_at_ten():
    """Beyond 10 the sigmoid is flat, so x is clipped there."""

    class Sigmoid:
        def forward(self, x):
            self.y = 1 / (1 + np.exp(-np.clip(x, -10, 10)))
            return self.y

        def backward(self, dy):
            return dy * self.y * (1 - self.y)


@wrong(hint="in the dtype of x")
def sigmoid_into_zeros():
    """np.zeros of the shape of x holds the result of either sign."""

    class Sigmoid:
        def forward(self, x):
            self.y = np.zeros(x.shape)
            self.y[x >= 0] = 1 / (1 + np.exp(-x[x >= 0]))
            self.y[x < 0] = np.exp(x[x < 0]) / (1 + np.exp(x[x < 0]))
            return self.y.astype(x.dtype)

        def backward(self, dy):
            return dy * self.y * (1 - self.y)


@wrong(hint="overflows: use exp(-|x|)")
def sigmoid_backward_from_exponentials():
    """The derivative is exp(-x) / (1 + exp(-x))^2, and only the forward needs to be stable."""

    class Sigmoid:
        def forward(self, x):
            self.x = x
            return np.exp(-np.logaddexp(0, -x))

        def backward(self, dy):
            exp = np.exp(-self.x)
            return dy * exp / (1 + exp) ** 2


@right
def loops_and_copies():
    """Loops over examples and outputs, and keeps a copy of all that it needs."""

    class Affine:
        def __init__(self, weight, bias):
            self.weight, self.bias = weight, bias
            self.dweight = self.dbias = None

        def forward(self, x):
            rows, columns = self.weight.shape
            if x.ndim != 2 or x.shape[1] != columns:
                raise ValueError(f"expected (N, {columns}), got {x.shape}")
            self._kept = x.copy(), self.weight.copy()
            y = np.empty((len(x), rows), dtype=x.dtype)
            for n in range(len(x)):
                for o in range(rows):
                    y[n, o] = (x[n] * self.weight[o]).sum() + self.bias[o]
            return y

        def backward(self, dy):
            x, weight = self._kept
            dx, self.dweight, self.dbias = np.zeros_like(x), np.zeros_like(weight), np.zeros_like(self.bias)
            for d, row, out in zip(dy, x, dx, strict=True):
                self.dbias += d
                for o, value in enumerate(d):
                    self.dweight[o] += value * row
                    out += value * weight[o]
            return dx

    class Relu:
        def forward(self, x):
            self._x = x.copy()
            y = x.copy()
            y[y < 0] = 0
            return y

        def backward(self, dy):
            dx = np.zeros_like(dy)
            dx[self._x > 0] = dy[self._x > 0]
            return dx


@right
def matmul_is_left_to_complain():
    """Checks the axes only, since matmul raises the ValueError for wrong columns itself; einsum in backward."""

    class Affine:
        def __init__(self, weight, bias):
            self.weight, self.bias = weight, bias

        def forward(self, x):
            if x.ndim != 2:
                raise ValueError(f"expected two axes, got {x.shape}")
            y = x.dot(self.weight.T)
            y += self.bias
            self.x = x
            return y

        def backward(self, dy):
            self.dweight = np.einsum("no,ni->oi", dy, self.x)
            self.dbias = np.add.reduce(dy)
            return np.einsum("no,oi->ni", dy, self.weight)

    class Sigmoid:
        def forward(self, x):
            self.x = x
            return (0.5 * (1 + np.tanh(0.5 * x))).astype(x.dtype)

        def backward(self, dy):
            y = self.forward(self.x)
            return dy * y * (1 - y)


@right
def closures():
    """forward makes the function that backward calls; nothing else is kept."""

    class Affine:
        def __init__(self, weight, bias):
            self.weight, self.bias = weight, bias

        def forward(self, x):
            weight = self.weight
            if x.shape != (len(x), weight.shape[1]):
                raise ValueError(f"expected {(len(x), weight.shape[1])}, got {x.shape}")

            def pull(dy):
                self.dweight, self.dbias = (x.T @ dy).T, np.ones(len(dy), dtype=dy.dtype) @ dy
                return (weight.T @ dy.T).T

            self.backward = pull
            return (weight @ x.T).T + self.bias

    class Elementwise:
        def forward(self, x):
            y, slope = self.value_and_slope(x)
            self.backward = lambda dy: np.multiply(dy, slope)
            return y

    class Relu(Elementwise):
        def value_and_slope(self, x):
            slope = np.heaviside(x, np.zeros_like(x))
            return x * slope, slope

    class Tanh(Elementwise):
        def value_and_slope(self, x):
            y = np.tanh(x)
            return y, (1 - y) * (1 + y)

    class Sigmoid(Elementwise):
        def value_and_slope(self, x):
            exp = np.exp(-np.abs(x))
            y = np.where(x < 0, exp, 1) / (1 + exp)
            return y, exp / (1 + exp) ** 2


@right
def in_float64():
    """Computes in float64, casts back, and keeps y itself, the array that it returned."""

    class Affine:
        def __init__(self, weight, bias):
            self.weight, self.bias = weight, bias

        def forward(self, x):
            if np.shape(x)[1:] != self.weight.shape[1:]:
                raise ValueError(f"expected (N, {self.weight.shape[1]}), got {np.shape(x)}")
            self.x = x.astype(np.float64)
            return (np.inner(self.x, self.weight.astype(np.float64)) + self.bias).astype(x.dtype)

        def backward(self, dy):
            self.dweight = np.tensordot(dy, self.x, axes=(0, 0)).astype(self.weight.dtype)
            self.dbias = sum(dy.astype(np.float64)).astype(self.bias.dtype)
            return np.dot(dy.astype(np.float64), self.weight).astype(dy.dtype)

    class Relu:
        def forward(self, x):
            self.y = np.clip(x, 0, None)
            return self.y

        def backward(self, dy):
            return np.where(self.y > 0, dy, np.zeros_like(dy))

    class Tanh:
        def forward(self, x):
            self.y = np.tanh(x.astype(np.float64)).astype(x.dtype)
            return self.y

        def backward(self, dy):
            return (dy * (1 - self.y.astype(np.float64) ** 2)).astype(dy.dtype)

    class Sigmoid:
        def forward(self, x):
            small = np.exp(-np.logaddexp(0, -x.astype(np.float64)))
            self.y = small.astype(x.dtype)
            return self.y

        def backward(self, dy):
            return dy * (self.y - self.y * self.y)


@right
def number_by_number():
    """Sigmoid and tanh with Python's math for each number; the sigmoid is clipped at +-40, where it is flat to 1e-17."""

    class Tanh:
        def forward(self, x):
            self.shape = x.shape
            self.values = [math.tanh(value) for value in x.ravel().tolist()]
            return np.array(self.values, dtype=x.dtype).reshape(x.shape)

        def backward(self, dy):
            slopes = np.array([1 - value**2 for value in self.values], dtype=dy.dtype)
            return slopes.reshape(self.shape) * dy

    class Sigmoid:
        def forward(self, x):
            self.shape = x.shape
            self.values = [1 / (1 + math.exp(-min(max(value, -40), 40))) for value in x.flat]
            return np.array(self.values, dtype=x.dtype).reshape(x.shape)

        def backward(self, dy):
            slopes = np.array([value * (1 - value) for value in self.values], dtype=dy.dtype)
            return slopes.reshape(self.shape) * dy
