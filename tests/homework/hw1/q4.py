"""Answers to question 4: a tensor that knows its gradient."""

import numpy as np

from tests.answers import right, wrong

TENSOR = """
class Tensor:
    __array_ufunc__ = None

    def __init__(self, data, parents=(), pulls=()):
        self.data = np.array(data, dtype=np.float64)
        self.grad = np.zeros_like(self.data)
        self.parents, self.pulls = parents, pulls

    def _fit(self, d):
        d = d.sum(axis=tuple(range(d.ndim - self.data.ndim)))
        ones = tuple(i for i, size in enumerate(self.data.shape) if size == 1)
        return d.sum(axis=ones, keepdims=True)

    def __add__(self, other):
        other = other if isinstance(other, Tensor) else Tensor(other)
        return Tensor(self.data + other.data, (self, other), (self._fit, other._fit))

    def __mul__(self, other):
        other = other if isinstance(other, Tensor) else Tensor(other)
        pulls = (lambda d: self._fit(d * other.data), lambda d: other._fit(d * self.data))
        return Tensor(self.data * other.data, (self, other), pulls)

    def __neg__(self):
        return self * -1.0

    def __sub__(self, other):
        return self + other * -1.0

    def __rsub__(self, other):
        return -self + other

    __radd__, __rmul__ = __add__, __mul__

    def __matmul__(self, other):
        other = other if isinstance(other, Tensor) else Tensor(other)
        if self.data.ndim != 2 or other.data.ndim != 2:
            raise ValueError(f"expected two matrices, got {self.data.shape} and {other.data.shape}")
        pulls = (lambda d: d @ other.data.T, lambda d: self.data.T @ d)
        return Tensor(self.data @ other.data, (self, other), pulls)

    def __rmatmul__(self, other):
        return Tensor(other) @ self

    def sum(self, axis=None, keepdims=False):
        kept = self.data.sum(axis=axis, keepdims=True).shape
        pull = lambda d: np.broadcast_to(d.reshape(kept), self.data.shape)
        return Tensor(self.data.sum(axis=axis, keepdims=keepdims), (self,), (pull,))

    def exp(self):
        value = np.exp(self.data)
        return Tensor(value, (self,), (lambda d: d * value,))

    def tanh(self):
        value = np.tanh(self.data)
        return Tensor(value, (self,), (lambda d: d * (1 - value**2),))

    def relu(self):
        return Tensor(np.maximum(self.data, 0), (self,), (lambda d: d * (self.data > 0),))

    def reshape(self, *shape):
        return Tensor(self.data.reshape(*shape), (self,), (lambda d: d.reshape(self.data.shape),))

    def backward(self):
        if self.data.size != 1:
            raise ValueError(f"expected exactly one element, got shape {self.data.shape}")
        order, seen, stack = [], set(), [(self, False)]
        while stack:
            tensor, done = stack.pop()
            if done:
                order.append(tensor)
            elif id(tensor) not in seen:
                seen.add(id(tensor))
                stack.append((tensor, True))
                stack.extend((parent, False) for parent in tensor.parents)
        flows = {id(self): np.ones_like(self.data)}
        for tensor in reversed(order):
            flow = flows.pop(id(tensor))
            tensor.grad = tensor.grad + flow
            for parent, pull in zip(tensor.parents, tensor.pulls, strict=True):
                flows[id(parent)] = flows.get(id(parent), 0.0) + pull(flow)
"""


@wrong(hint="add up the gradients of all uses", base=TENSOR)
def gradient_overwritten():
    """A parent receives its gradient from the one result that it was used for."""
    return """
    -                flows[id(parent)] = flows.get(id(parent), 0.0) + pull(flow)
    +                flows[id(parent)] = pull(flow)
    """


@wrong(hint="used twice receives both gradients", base=TENSOR)
def parents_in_a_dictionary():
    """The parents and their pulls are a dictionary, for each parent occurs once."""
    return """
    -        self.parents, self.pulls = parents, pulls
    +        rules = dict(zip(parents, pulls, strict=True))
    +        self.parents, self.pulls = tuple(rules), tuple(rules.values())
    """


@wrong(hint="sum over axes that broadcasting added", base=TENSOR)
def broadcast_copies_not_summed():
    """The gradient of a broadcast parent has the shape of the result."""
    return """
    -        d = d.sum(axis=tuple(range(d.ndim - self.data.ndim)))
    -        ones = tuple(i for i, size in enumerate(self.data.shape) if size == 1)
    -        return d.sum(axis=ones, keepdims=True)
    +        return d
    """


@wrong(hint="axes of size 1 that it stretched", base=TENSOR)
def only_new_axes_summed():
    """Broadcasting adds axes in front, and these are summed; axes of size 1 are left."""
    return """
    -        d = d.sum(axis=tuple(range(d.ndim - self.data.ndim)))
    -        ones = tuple(i for i, size in enumerate(self.data.shape) if size == 1)
    -        return d.sum(axis=ones, keepdims=True)
    +        while d.ndim > self.data.ndim:
    +            d = d.sum(axis=0)
    +        return d
    """


@wrong(hint="has the shape of that side", base=TENSOR)
def axes_of_size_one_dropped():
    """Summing over the copies needs no keepdims."""
    return """
    -        return d.sum(axis=ones, keepdims=True)
    +        return d.sum(axis=ones)
    """


@wrong(hint="this is their mean", base=TENSOR)
def mean_over_the_copies():
    """A broadcast parent receives the mean of what its copies receive."""
    return """
    -        d = d.sum(axis=tuple(range(d.ndim - self.data.ndim)))
    +        d = d.mean(axis=tuple(range(d.ndim - self.data.ndim)))
    """


@wrong(hint="sum over axes that broadcasting added", base=TENSOR)
def second_operand_never_broadcast():
    """In a * b it is the second that is broadcast, so only its gradient is summed."""
    return """
    -        pulls = (lambda d: self._fit(d * other.data), lambda d: other._fit(d * self.data))
    +        pulls = (lambda d: d * other.data, lambda d: other._fit(d * self.data))
    """


@wrong(hint="earlier call", base=TENSOR)
def earlier_gradients_flow_again():
    """What flows down from a tensor is its .grad, with all that earlier calls have left there."""
    return """
    -        flows = {id(self): np.ones_like(self.data)}
    +        self.grad = self.grad + 1

    -            flow = flows.pop(id(tensor))
    -            tensor.grad = tensor.grad + flow

    -                flows[id(parent)] = flows.get(id(parent), 0.0) + pull(flow)
    +                parent.grad = parent.grad + pull(tensor.grad)
    """


@wrong(hint="in the tensors between", base=TENSOR)
def tensors_between_start_anew():
    """Before a backward the gradients of the tensors between are set to zero, so that only the leaves add up."""
    return """
    -        flows = {id(self): np.ones_like(self.data)}
    +        for tensor in order:
    +            if tensor.parents:
    +                tensor.grad = np.zeros_like(tensor.data)
    +        self.grad = np.ones_like(self.data)

    -            flow = flows.pop(id(tensor))
    -            tensor.grad = tensor.grad + flow

    -                flows[id(parent)] = flows.get(id(parent), 0.0) + pull(flow)
    +                parent.grad = parent.grad + pull(tensor.grad)
    """


@wrong(hint="adds", base=TENSOR)
def all_gradients_start_anew():
    """A backward sets the gradients of all tensors to zero first."""
    return """
    -            tensor.grad = tensor.grad + flow
    +            tensor.grad = np.zeros_like(tensor.data) + flow
    """


@wrong(hint="each backward adds 1 to the gradient of the result", base=TENSOR)
def seed_not_added():
    """The gradient of the result itself is 1, however often backward is called."""
    return """
    -            tensor.grad = tensor.grad + flow
    +            tensor.grad = flow if tensor is self else tensor.grad + flow
    """


@wrong(hint="in the tensors between", base=TENSOR)
def only_leaves_keep_gradients():
    """Only leaves have a gradient, as in torch."""
    return """
    -            tensor.grad = tensor.grad + flow
    +            if not tensor.parents:
    +                tensor.grad = tensor.grad + flow
    """


@wrong(hint="a second backward adds to .grad", base=TENSOR)
def visited_forever():
    """A tensor that has been visited is marked as such, once and for all."""
    return """
             self.parents, self.pulls = parents, pulls
    +        self.visited = False

    -        order, seen, stack = [], set(), [(self, False)]
    +        self.visited = False
    +        order, stack = [], [(self, False)]

    -            elif id(tensor) not in seen:
    -                seen.add(id(tensor))
    +            elif not tensor.visited:
    +                tensor.visited = True
    """


@wrong(hint="recurs", base=TENSOR)
def recursive_order():
    """The order of the tensors is found by a function that calls itself."""
    return """
    -        order, seen, stack = [], set(), [(self, False)]
    -        while stack:
    -            tensor, done = stack.pop()
    -            if done:
    +        order, seen = [], set()
    +
    +        def visit(tensor):
    +            if id(tensor) not in seen:
    +                seen.add(id(tensor))
    +                for parent in tensor.parents:
    +                    visit(parent)

    -            elif id(tensor) not in seen:
    -                seen.add(id(tensor))
    -                stack.append((tensor, True))
    -                stack.extend((parent, False) for parent in tensor.parents)
    +
    +        visit(self)
    """


@wrong(hint="once", base=TENSOR)
def every_path_walked():
    """Each path from the result to a leaf is walked, and its product added."""
    return """
    -        order, seen, stack = [], set(), [(self, False)]
    +        stack = [(self, np.ones_like(self.data))]

    -            tensor, done = stack.pop()
    -            if done:
    -                order.append(tensor)
    -            elif id(tensor) not in seen:
    -                seen.add(id(tensor))
    -                stack.append((tensor, True))
    -                stack.extend((parent, False) for parent in tensor.parents)
    -        flows = {id(self): np.ones_like(self.data)}
    -        for tensor in reversed(order):
    -            flow = flows.pop(id(tensor))
    +            tensor, flow = stack.pop()

    -                flows[id(parent)] = flows.get(id(parent), 0.0) + pull(flow)
    +                stack.append((parent, pull(flow)))
    """


@wrong(hint="only when all of its uses have delivered", base=TENSOR)
def nearest_first():
    """Tensors are visited by their distance from the result, nearest first."""
    return """
    -        order, seen, stack = [], set(), [(self, False)]
    -        while stack:
    -            tensor, done = stack.pop()
    -            if done:
    -                order.append(tensor)
    -            elif id(tensor) not in seen:
    -                seen.add(id(tensor))
    -                stack.append((tensor, True))
    -                stack.extend((parent, False) for parent in tensor.parents)
    +        order, seen = [self], {id(self)}
    +        for tensor in order:
    +            for parent in tensor.parents:
    +                if id(parent) not in seen:
    +                    seen.add(id(parent))
    +                    order.append(parent)
    +        order.reverse()

    -            flow = flows.pop(id(tensor))
    +            flow = flows.pop(id(tensor), np.zeros_like(tensor.data))
    """


@wrong(hint="only when all of its uses have delivered", base=TENSOR)
def first_found_first_visited():
    """A tensor may be visited as soon as it is found, depth first."""
    return """
    -        order, seen, stack = [], set(), [(self, False)]
    +        order, seen, stack = [], set(), [self]

    -            tensor, done = stack.pop()
    -            if done:
    +            tensor = stack.pop()
    +            if id(tensor) not in seen:
    +                seen.add(id(tensor))

    -            elif id(tensor) not in seen:
    -                seen.add(id(tensor))
    -                stack.append((tensor, True))
    -                stack.extend((parent, False) for parent in tensor.parents)
    +                stack.extend(tensor.parents)
    +        order.reverse()

    -            flow = flows.pop(id(tensor))
    +            flow = flows.pop(id(tensor), np.zeros_like(tensor.data))
    """


@wrong(hint="adding to it in place changes both", base=TENSOR)
def flows_added_in_place():
    """The first gradient that a parent receives is kept, and later ones are added to it in place."""
    return """
         def _fit(self, d):
    +        if d.shape == self.data.shape:
    +            return d

    -        pull = lambda d: np.broadcast_to(d.reshape(kept), self.data.shape)
    +        pull = lambda d: d.reshape(kept) * np.ones_like(self.data)

    -                flows[id(parent)] = flows.get(id(parent), 0.0) + pull(flow)
    +                if id(parent) in flows:
    +                    flows[id(parent)] += pull(flow)
    +                else:
    +                    flows[id(parent)] = pull(flow)
    """


@wrong(hint="no two tensors share one array", base=TENSOR)
def gradients_shared():
    """A gradient that is still zero is replaced by what arrives, without a copy."""
    return """
         def _fit(self, d):
    +        if d.shape == self.data.shape:
    +            return d

    -        pull = lambda d: np.broadcast_to(d.reshape(kept), self.data.shape)
    +        pull = lambda d: d.reshape(kept) * np.ones_like(self.data)

    -            tensor.grad = tensor.grad + flow
    +            tensor.grad = tensor.grad + flow if tensor.grad.any() else flow

    -                flows[id(parent)] = flows.get(id(parent), 0.0) + pull(flow)
    +                flows[id(parent)] = flows[id(parent)] + pull(flow) if id(parent) in flows else pull(flow)
    """


@wrong(hint="data is a copy", base=TENSOR)
def data_not_copied():
    """asarray makes the array that .data needs."""
    return """
    -        self.data = np.array(data, dtype=np.float64)
    +        self.data = np.asarray(data, dtype=np.float64)
    """


@wrong(hint="data is float64", base=TENSOR)
def dtype_of_the_data_kept():
    """np.array gives the data the dtype that they have."""
    return """
    -        self.data = np.array(data, dtype=np.float64)
    +        self.data = np.array(data)
    """


@wrong(hint="number - tensor is not tensor - number", base=TENSOR)
def reversed_difference():
    """number - tensor is tensor - number."""
    return """
    -        return -self + other
    +        return self - other
    """


@wrong(hint="on the left and on the right", base=TENSOR)
def reversed_product_of_matrices():
    """array @ tensor is tensor @ array."""
    return """
    -        return Tensor(other) @ self
    +        return self @ other
    """


@wrong(hint="two-dimensional", base=TENSOR)
def one_side_of_matmul_checked():
    """The left side is two-dimensional, and matmul complains about the right."""
    return """
    -        if self.data.ndim != 2 or other.data.ndim != 2:
    +        if self.data.ndim != 2:
    """


@wrong(hint="two-dimensional", base=TENSOR)
def stacks_of_matrices_let_through():
    """matmul needs two axes at least, and stacks of matrices work too."""
    return """
    -        if self.data.ndim != 2 or other.data.ndim != 2:
    +        if self.data.ndim < 2 or other.data.ndim < 2:
    """


@wrong(hint="axis", base=TENSOR)
def sum_axis_forgotten_in_the_pull():
    """broadcast_to spreads the gradient of a sum, whatever its axis."""
    return """
    -        kept = self.data.sum(axis=axis, keepdims=True).shape
    -        pull = lambda d: np.broadcast_to(d.reshape(kept), self.data.shape)
    +        pull = lambda d: np.broadcast_to(d, self.data.shape)
    """


@wrong(hint="get the summed axis back", base=TENSOR)
def sum_pull_for_one_axis():
    """expand_dims puts the axis back, and a tuple is a list of axes from the front."""
    return """
    -        kept = self.data.sum(axis=axis, keepdims=True).shape
    +        kept = list(self.data.shape)
    +        for i in range(len(kept)) if axis is None else np.atleast_1d(axis):
    +            kept[max(i, 0)] = 1
    """


@wrong(hint="keepdims", base=TENSOR)
def keepdims_ignored_for_the_whole():
    """A sum over everything is a number, so keepdims does not matter."""
    return """
             pull = lambda d: np.broadcast_to(d.reshape(kept), self.data.shape)
    +        if axis is None:
    +            return Tensor(self.data.sum(), (self,), (pull,))
    """


@wrong(hint="at 0", base=TENSOR)
def relu_slope_one_at_zero():
    """The derivative of ReLU at 0 is 1."""
    return """
    -        return Tensor(np.maximum(self.data, 0), (self,), (lambda d: d * (self.data > 0),))
    +        return Tensor(np.maximum(self.data, 0), (self,), (lambda d: d * (self.data >= 0),))
    """


@wrong(hint="no method changes the .data", base=TENSOR)
def relu_in_place():
    """ReLU may set the negative numbers to zero where they stand."""
    return """
    -        return Tensor(np.maximum(self.data, 0), (self,), (lambda d: d * (self.data > 0),))
    +        mask = self.data > 0
    +        self.data *= mask
    +        return Tensor(self.data, (self,), (lambda d: d * mask,))
    """


@wrong(hint="derivative", base=TENSOR)
def exp_pull_of_the_input():
    """The derivative of exp is its input times what arrives."""
    return """
    -        return Tensor(value, (self,), (lambda d: d * value,))
    +        return Tensor(value, (self,), (lambda d: d * self.data,))
    """


@wrong(hint="may be -1", base=TENSOR)
def product_without_minus_one():
    """The new shape is worked out from its entries, none of which is -1."""
    return """
    -        return Tensor(self.data.reshape(*shape), (self,), (lambda d: d.reshape(self.data.shape),))
    +        return Tensor(np.resize(self.data, [abs(size) for size in shape]), (self,), (lambda d: d.reshape(self.data.shape),))
    """


@wrong(hint="row by row", base=TENSOR)
def reshaped_gradient_in_another_order():
    """The gradient of reshape goes back column by column."""
    return """
    -        return Tensor(self.data.reshape(*shape), (self,), (lambda d: d.reshape(self.data.shape),))
    +        return Tensor(self.data.reshape(*shape), (self,), (lambda d: d.reshape(self.data.shape, order="F"),))
    """


@wrong(hint="of whatever shape", base=TENSOR)
def only_shape_of_a_number():
    """backward needs a result of shape ()."""
    return """
    -        if self.data.size != 1:
    +        if self.data.shape != ():
    """


@wrong(hint="backward starts from one element", base=TENSOR)
def empty_result_let_through():
    """backward complains if there is more than one element."""
    return """
    -        if self.data.size != 1:
    +        if self.data.size > 1:
    """


@wrong(hint="backward starts from one element", base=TENSOR)
def backward_from_many_elements():
    """backward of an array starts with ones everywhere."""
    return """
    -        if self.data.size != 1:
    -            raise ValueError(f"expected exactly one element, got shape {self.data.shape}")
    """


@wrong(hint="backward starts from one element", base=TENSOR)
def only_one_row_looked_at():
    """len tells how many elements there are."""
    return """
    -        if self.data.size != 1:
    +        if self.data.ndim and len(self.data) != 1:
    """


@wrong(hint="the gradient has that shape", base=TENSOR)
def seed_of_shape_nothing():
    """The first gradient is the number 1, whatever the shape of the result."""
    return """
    -        flows = {id(self): np.ones_like(self.data)}
    +        flows = {id(self): np.array(1.0)}

    -            tensor.grad = tensor.grad + flow
    +            tensor.grad = flow if not tensor.grad.any() else tensor.grad + flow
    """


@right
def numbered_and_heaped():
    """Tensors are numbered as they are made, and backward takes the youngest from a heap."""

    import heapq
    import itertools

    tensor_numbers = itertools.count()

    class Tensor:
        __array_ufunc__ = None

        def __init__(self, data, inputs=()):
            self.data = np.array(data, dtype=np.float64)
            self.grad = np.zeros(self.data.shape)
            self.inputs, self.number = inputs, next(tensor_numbers)

        @staticmethod
        def _wrap(value):
            return value if isinstance(value, Tensor) else Tensor(value)

        def _elementwise(self, other, value, mine, others):
            left = (self, lambda d: shrink(d * mine, self.data.shape))
            return Tensor(value, [left, (other, lambda d: shrink(d * others, other.data.shape))])

        def __add__(self, other):
            other = Tensor._wrap(other)
            return self._elementwise(other, self.data + other.data, 1, 1)

        def __sub__(self, other):
            other = Tensor._wrap(other)
            return self._elementwise(other, self.data - other.data, 1, -1)

        def __mul__(self, other):
            other = Tensor._wrap(other)
            return self._elementwise(other, self.data * other.data, other.data, self.data)

        def __neg__(self):
            return Tensor(np.negative(self.data), [(self, np.negative)])

        def __radd__(self, other):
            return Tensor(other) + self

        def __rsub__(self, other):
            return Tensor(other) - self

        def __rmul__(self, other):
            return Tensor(other) * self

        def __matmul__(self, other):
            other = Tensor._wrap(other)
            if not self.data.ndim == other.data.ndim == 2:
                raise ValueError(f"expected two matrices, got {self.data.shape} and {other.data.shape}")
            left = (self, lambda d: np.einsum("ik,jk->ij", d, other.data))
            return Tensor(self.data.dot(other.data), [left, (other, lambda d: np.einsum("ij,ik->jk", self.data, d))])

        def __rmatmul__(self, other):
            return Tensor(other) @ self

        def sum(self, axis=None, keepdims=False):
            def spread(d):
                if axis is not None and not keepdims:
                    d = np.expand_dims(d, axis)
                return np.zeros_like(self.data) + d

            return Tensor(np.sum(self.data, axis, keepdims=keepdims), [(self, spread)])

        def exp(self):
            result = Tensor(np.exp(self.data))
            result.inputs = [(self, lambda d: d * np.exp(self.data))]
            return result

        def tanh(self):
            result = Tensor(np.tanh(self.data))
            result.inputs = [(self, lambda d: d / np.cosh(np.clip(self.data, -300, 300)) ** 2)]
            return result

        def relu(self):
            return Tensor(np.where(self.data > 0, self.data, 0), [(self, lambda d: np.where(self.data > 0, d, 0))])

        def reshape(self, *shape):
            return Tensor(np.reshape(self.data, shape), [(self, lambda d: d.reshape(self.data.shape))])

        def backward(self):
            if self.data.size != 1:
                raise ValueError(f"expected one element, got {self.data.size}")
            heap, flows = [(-self.number, self)], {self.number: np.ones(self.data.shape)}
            while heap:
                _, tensor = heapq.heappop(heap)
                flow = flows[tensor.number]
                tensor.grad += flow
                for parent, pull in tensor.inputs:
                    if parent.number not in flows:
                        heapq.heappush(heap, (-parent.number, parent))
                        flows[parent.number] = np.zeros(parent.data.shape)
                    flows[parent.number] += pull(flow)

    def shrink(d, shape):
        while d.ndim > len(shape):
            d = d.sum(axis=0)
        for axis, size in enumerate(shape):
            if size == 1:
                d = d.sum(axis=axis, keepdims=True)
        return d


@right
def operations_as_classes():
    """Each operation is an object with its own backward, and the uses of each tensor are counted down."""

    class Operation:
        def __init__(self, *inputs):
            self.inputs = inputs

        def reduce_to(self, tensor, d):
            shape = (1,) * (d.ndim - tensor.data.ndim) + tensor.data.shape
            axes = tuple(i for i in range(d.ndim) if shape[i] == 1)
            return np.add.reduce(d, axis=axes, keepdims=True).reshape(tensor.data.shape) if axes else d

    class Add(Operation):
        def value(self):
            return np.add(self.inputs[0].data, self.inputs[1].data)

        def gradients(self, d):
            return [self.reduce_to(tensor, d) for tensor in self.inputs]

    class Multiply(Operation):
        def value(self):
            return np.multiply(self.inputs[0].data, self.inputs[1].data)

        def gradients(self, d):
            a, b = self.inputs
            return [self.reduce_to(a, d * b.data), self.reduce_to(b, d * a.data)]

    class MatMul(Operation):
        def value(self):
            if [tensor.data.ndim for tensor in self.inputs] != [2, 2]:
                raise ValueError(f"expected matrices, got {[tensor.data.shape for tensor in self.inputs]}")
            return np.matmul(self.inputs[0].data, self.inputs[1].data)

        def gradients(self, d):
            a, b = self.inputs
            return [np.inner(d, b.data), (d.T @ a.data).T]

    class Elementwise(Operation):
        def __init__(self, tensor, function, slope):
            super().__init__(tensor)
            self.function, self.slope = function, slope

        def value(self):
            self.result = self.function(self.inputs[0].data)
            return self.result

        def gradients(self, d):
            return [d * self.slope(self.inputs[0].data, self.result)]

    class Sum(Operation):
        def __init__(self, tensor, axis, keepdims):
            super().__init__(tensor)
            self.axis, self.keepdims = axis, keepdims

        def value(self):
            return self.inputs[0].data.sum(axis=self.axis, keepdims=self.keepdims)

        def gradients(self, d):
            shape = self.inputs[0].data.shape
            axes = range(len(shape)) if self.axis is None else np.atleast_1d(self.axis) % max(len(shape), 1)
            kept = [1 if i in axes else size for i, size in enumerate(shape)]
            return [d.reshape(kept) * np.ones(shape)]

    class Reshape(Operation):
        def __init__(self, tensor, shape):
            super().__init__(tensor)
            self.shape = shape

        def value(self):
            return self.inputs[0].data.reshape(self.shape)

        def gradients(self, d):
            return [d.reshape(self.inputs[0].data.shape)]

    class Tensor:
        __array_ufunc__ = None
        __slots__ = ("__weakref__", "data", "grad", "operation")

        def __init__(self, data, operation=None):
            self.data = np.array(data, dtype=np.float64)
            self.grad = np.zeros_like(self.data)
            self.operation = operation

        @classmethod
        def of(cls, operation):
            return cls(operation.value(), operation)

        @classmethod
        def constant(cls, value):
            return value if isinstance(value, cls) else cls(value)

        def __add__(self, other):
            return Tensor.of(Add(self, Tensor.constant(other)))

        def __mul__(self, other):
            return Tensor.of(Multiply(self, Tensor.constant(other)))

        def __neg__(self):
            return Tensor.of(Elementwise(self, lambda x: -x, lambda x, y: -1.0))

        def __sub__(self, other):
            return self + -Tensor.constant(other)

        def __radd__(self, other):
            return self + other

        def __rmul__(self, other):
            return self * other

        def __rsub__(self, other):
            return -(self - other)

        def __matmul__(self, other):
            return Tensor.of(MatMul(self, Tensor.constant(other)))

        def __rmatmul__(self, other):
            return Tensor.of(MatMul(Tensor.constant(other), self))

        def sum(self, axis=None, keepdims=False):
            return Tensor.of(Sum(self, axis, keepdims))

        def exp(self):
            return Tensor.of(Elementwise(self, np.exp, lambda x, y: y))

        def tanh(self):
            return Tensor.of(Elementwise(self, np.tanh, lambda x, y: (1 - y) * (1 + y)))

        def relu(self):
            return Tensor.of(Elementwise(self, lambda x: x * (x > 0), lambda x, y: np.heaviside(x, 0.0)))

        def reshape(self, *shape):
            return Tensor.of(Reshape(self, shape))

        def backward(self):
            if self.data.size != 1:
                raise ValueError(f"expected one element, got shape {self.data.shape}")
            uses, found = {self: 0}, [self]
            for tensor in found:
                for parent in tensor.operation.inputs if tensor.operation else ():
                    if parent not in uses:
                        uses[parent] = 0
                        found.append(parent)
                    uses[parent] += 1
            flows, ready = {tensor: np.zeros_like(tensor.data) for tensor in found}, [self]
            flows[self] = np.ones_like(self.data)
            while ready:
                tensor = ready.pop()
                tensor.grad = tensor.grad + flows[tensor]
                if tensor.operation:
                    for parent, d in zip(tensor.operation.inputs, tensor.operation.gradients(flows[tensor]), strict=True):
                        flows[parent] += d
                        uses[parent] -= 1
                        if uses[parent] == 0:
                            ready.append(parent)


@right
def one_primitive_and_a_property():
    """.grad is a property whose array is made when first asked for, and constants are no parents."""

    class Tensor:
        __array_ufunc__ = None

        def __init__(self, data):
            self.data = np.array(data).astype(np.float64)
            self._grad = None
            self._uses = []

        @property
        def grad(self):
            if self._grad is None:
                self._grad = np.zeros_like(self.data)
            return self._grad

        @grad.setter
        def grad(self, value):
            self._grad = value

        def _made(self, data, *uses):
            result = Tensor(data)
            result._uses = [(parent, pull) for parent, pull in uses if isinstance(parent, Tensor)]
            return result

        def _combine(self, other, a, b, forward, to_a, to_b):
            def back(like, pull):
                def folded(d):
                    d = np.asarray(pull(d))
                    extra = d.ndim - like.ndim
                    return d.sum(tuple(i for i in range(d.ndim) if i < extra or like.shape[i - extra] == 1)).reshape(like.shape)

                return folded

            return self._made(forward(a, b), (self, back(a, to_a)), (other, back(b, to_b)))

        def __add__(self, other):
            a, b = self.data, _values(other)
            return self._combine(other, a, b, np.add, lambda d: d, lambda d: d)

        __radd__ = __add__

        def __sub__(self, other):
            a, b = self.data, _values(other)
            return self._combine(other, a, b, np.subtract, lambda d: d, lambda d: -d)

        def __rsub__(self, other):
            return (-self).__add__(other)

        def __mul__(self, other):
            a, b = self.data, _values(other)
            return self._combine(other, a, b, np.multiply, lambda d: d * b, lambda d: d * a)

        __rmul__ = __mul__

        def __neg__(self):
            return self._made(-self.data, (self, lambda d: -d))

        def __matmul__(self, other):
            return _product(self, other)

        def __rmatmul__(self, other):
            return _product(other, self)

        def sum(self, axis=None, keepdims=False):
            rank = self.data.ndim
            axes = tuple(range(rank)) if axis is None else axis if isinstance(axis, tuple) else (axis,)
            axes = sorted(a % rank for a in axes)
            value = self.data
            for a in reversed(axes):
                value = value.sum(axis=a, keepdims=keepdims)

            def spread(d):
                for a in axes:
                    d = d if keepdims else np.expand_dims(d, a)
                    d = np.repeat(d, self.data.shape[a], axis=a)
                return d

            return self._made(value, (self, spread))

        def exp(self):
            result = self._made(np.exp(self.data), (self, lambda d: d * result.data))
            return result

        def tanh(self):
            result = self._made(np.tanh(self.data), (self, lambda d: d - d * np.square(result.data)))
            return result

        def relu(self):
            return self * (self.data > 0)

        def reshape(self, *shape):
            return self._made(self.data.reshape(shape), (self, lambda d: np.reshape(d, self.data.shape)))

        def backward(self):
            if self.data.shape not in [(1,) * rank for rank in range(self.data.ndim + 1)]:
                raise ValueError(f"expected one element, got shape {self.data.shape}")
            before, paths = {}, [(self, iter(self._uses))]
            while paths:
                tensor, uses = paths[-1]
                parent = next((parent for parent, _ in uses if parent not in before), None)
                if parent is None:
                    before.setdefault(tensor)
                    paths.pop()
                else:
                    paths.append((parent, iter(parent._uses)))
            for tensor in before:
                before[tensor] = np.zeros_like(tensor.data)
            before[self] += 1
            for tensor, flow in reversed(before.items()):
                for parent, pull in tensor._uses:
                    before[parent] += pull(flow)
            for tensor, flow in before.items():
                tensor.grad[...] += flow

    def _values(other):
        return other.data if isinstance(other, Tensor) else np.array(other, dtype=np.float64)

    def _product(left, right):
        a, b = _values(left), _values(right)
        if a.ndim != 2 or b.ndim != 2:
            raise ValueError(f"expected two matrices, got {a.shape} and {b.shape}")
        tensor = left if isinstance(left, Tensor) else right
        return tensor._made(a @ b, (left, lambda d: d @ b.T), (right, lambda d: a.T @ d))


@right
def closures_as_in_a_well_known_library():
    """Each result holds a closure that adds to a second array, which backward empties into .grad at its end."""

    class Tensor:
        __array_ufunc__ = None

        def __init__(self, data, parents=(), pulls=()):
            self.data = np.array(data, dtype=np.float64)
            self.grad = np.zeros_like(self.data)
            self.parents, self.pulls = list(parents), pulls
            self.flow = None

        def _fit(self, d):
            d = d.sum(axis=tuple(range(d.ndim - self.data.ndim)))
            ones = tuple(i for i, size in enumerate(self.data.shape) if size == 1)
            return d.sum(axis=ones, keepdims=True)

        def __add__(self, other):
            other = other if isinstance(other, Tensor) else Tensor(other)
            return Tensor(self.data + other.data, (self, other), (self._fit, other._fit))

        def __mul__(self, other):
            other = other if isinstance(other, Tensor) else Tensor(other)
            pulls = (lambda d: self._fit(d * other.data), lambda d: other._fit(d * self.data))
            return Tensor(self.data * other.data, (self, other), pulls)

        def __neg__(self):
            return self * -1.0

        def __sub__(self, other):
            return self + other * -1.0

        def __rsub__(self, other):
            return -self + other

        __radd__, __rmul__ = __add__, __mul__

        def __matmul__(self, other):
            other = other if isinstance(other, Tensor) else Tensor(other)
            if self.data.ndim != 2 or other.data.ndim != 2:
                raise ValueError(f"expected two matrices, got {self.data.shape} and {other.data.shape}")
            pulls = (lambda d: d @ other.data.T, lambda d: self.data.T @ d)
            return Tensor(self.data @ other.data, (self, other), pulls)

        def __rmatmul__(self, other):
            return Tensor(other) @ self

        def sum(self, axis=None, keepdims=False):
            kept = self.data.sum(axis=axis, keepdims=True).shape
            pull = lambda d: np.broadcast_to(d.reshape(kept), self.data.shape)
            return Tensor(self.data.sum(axis=axis, keepdims=keepdims), (self,), (pull,))

        def exp(self):
            value = np.exp(self.data)
            return Tensor(value, (self,), (lambda d: d * value,))

        def tanh(self):
            value = np.tanh(self.data)
            return Tensor(value, (self,), (lambda d: d * (1 - value**2),))

        def relu(self):
            return Tensor(np.maximum(self.data, 0), (self,), (lambda d: d * (self.data > 0),))

        def reshape(self, *shape):
            return Tensor(self.data.reshape(*shape), (self,), (lambda d: d.reshape(self.data.shape),))

        def backward(self):
            if self.data.size != 1:
                raise ValueError(f"expected exactly one element, got shape {self.data.shape}")
            order, seen, stack = [], set(), [(self, False)]
            while stack:
                tensor, done = stack.pop()
                if done:
                    order.append(tensor)
                elif id(tensor) not in seen:
                    seen.add(id(tensor))
                    stack.append((tensor, True))
                    stack.extend((parent, False) for parent in tensor.parents)
            for tensor in order:
                tensor.flow = np.zeros_like(tensor.data)
            self.flow += 1.0
            while order:
                tensor = order.pop()
                for parent, pull in zip(tensor.parents, tensor.pulls, strict=True):
                    parent.flow += pull(tensor.flow)
                tensor.grad, tensor.flow = np.add(tensor.grad, tensor.flow), None
