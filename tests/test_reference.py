"""The torch-backed twins of homework 1: values against torch's own modules, gradients against central differences."""

import numpy as np
import pytest
import torch

from dlcourse import check, reference

DTYPES = [np.float32, np.float64]
TOLERANCE = {np.float32: 1e-5, np.float64: 1e-10}


def normal(seed, *shape, dtype=np.float64):
    return np.random.default_rng(seed).standard_normal(shape).astype(dtype)


@pytest.mark.parametrize("dtype", DTYPES)
def test_softmax_and_cross_entropy(dtype):
    logits, labels = 3 * normal(0, 6, 4, dtype=dtype), np.array([0, 3, 1, 1, 2, 0])
    z = torch.tensor(logits, requires_grad=True)
    expected = torch.nn.CrossEntropyLoss()(z, torch.tensor(labels))
    expected.backward()
    with check.unchanged(logits=logits, labels=labels):
        loss, grad = reference.cross_entropy(logits, labels)
        probs = reference.softmax(logits)
    check.close(loss, expected.item(), rtol=TOLERANCE[dtype])
    check.close(grad, z.grad.numpy(), dtype=dtype, atol=TOLERANCE[dtype])
    check.close(probs.sum(axis=1), np.ones(6), dtype=None, rtol=1e-5)
    assert probs.dtype == dtype


def test_cross_entropy_gradient_by_central_differences():
    logits, labels = normal(1, 5, 3), np.array([0, 2, 1, 1, 2])
    _, grad = reference.cross_entropy(logits, labels)
    check.grad(grad, lambda z: reference.cross_entropy(z, labels)[0], logits)


def test_cross_entropy_of_large_logits():
    loss, grad = reference.cross_entropy(np.array([[0.0, 1000.0]]), np.array([0]))
    check.close(loss, 1000.0)
    check.close(grad, np.array([[-1.0, 1.0]]))


@pytest.mark.parametrize(
    ("logits", "labels"),
    [
        (np.zeros((2, 3)), np.array([0, 3])),
        (np.zeros((2, 3)), np.array([-1, 0])),
        (np.zeros((2, 3)), np.array([0])),
        (np.zeros(3), np.array([0, 1, 2])),
    ],
)
def test_cross_entropy_refuses(logits, labels):
    check.raises(ValueError, reference.cross_entropy, logits, labels)


@pytest.mark.parametrize("dtype", DTYPES)
def test_affine_equals_linear(dtype):
    weight, bias, x, dy = (normal(i, *size, dtype=dtype) for i, size in enumerate([(2, 3), (2,), (5, 3), (5, 2)]))
    linear = torch.nn.Linear(3, 2)
    linear.weight.data, linear.bias.data = torch.tensor(weight), torch.tensor(bias)
    z = torch.tensor(x, requires_grad=True)
    y = linear(z)
    y.backward(torch.tensor(dy))
    layer = reference.Affine(weight, bias)
    with check.unchanged(weight=weight, bias=bias, x=x, dy=dy):
        check.close(layer.forward(x), y.detach().numpy(), dtype=dtype, rtol=TOLERANCE[dtype], atol=TOLERANCE[dtype])
        for _ in range(2):  # the second backward replaces, and does not add
            dx = layer.backward(dy)
    for got, expected in [(dx, z.grad), (layer.dweight, linear.weight.grad), (layer.dbias, linear.bias.grad)]:
        check.close(got, expected.numpy(), dtype=dtype, rtol=TOLERANCE[dtype], atol=TOLERANCE[dtype])


def test_affine_uses_a_new_weight_and_refuses_a_wrong_width():
    layer = reference.Affine(np.ones((2, 3)), np.zeros(2))
    layer.weight = np.full((2, 3), 2.0)
    check.close(layer.forward(np.ones((1, 3))), np.full((1, 2), 6.0))
    check.raises(ValueError, layer.forward, np.ones((1, 4)))
    check.raises(ValueError, layer.forward, np.ones(3))


@pytest.mark.parametrize("name", ["Relu", "Tanh", "Sigmoid"])
@pytest.mark.parametrize("shape", [(), (4,), (2, 3, 2)])
def test_activations_by_central_differences(name, shape):
    layer, x, weights = getattr(reference, name)(), normal(3, *shape) + 0.1, normal(4, *shape)
    layer.forward(x)
    got = np.asarray(layer.backward(np.asarray(weights)))
    twin = getattr(reference, name)()
    check.grad(got if shape else float(got), lambda x: float((twin.forward(x) * weights).sum()), x)


def test_relu_at_zero_and_sigmoid_far_out():
    relu, sigmoid = reference.Relu(), reference.Sigmoid()
    relu.forward(np.zeros(2))
    check.close(relu.backward(np.ones(2)), np.zeros(2))
    check.close(sigmoid.forward(np.array([-1000.0, 1000.0])), np.array([0.0, 1.0]))


OPTIMIZERS = {
    "momentum": lambda p: torch.optim.SGD(p, lr=0.05, momentum=0.9),
    "rmsprop": lambda p: torch.optim.RMSprop(p, lr=0.05),
    "adam": lambda p: torch.optim.Adam(p, lr=0.05),
}


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_optimizers_equal_torchs(name, dtype):
    step, state, w = getattr(reference, name), {}, normal(5, 2, 3, dtype=dtype)
    theirs = torch.tensor(w, requires_grad=True)
    optimizer = OPTIMIZERS[name]([theirs])
    for i in range(30):
        g = normal(100 + i, 2, 3, dtype=dtype)
        theirs.grad = torch.tensor(g)
        optimizer.step()
        with check.unchanged(w=w, g=g):
            new = step(w, g, state, 0.05)
        g.fill(np.nan)  # the state must not hold the caller's array
        w = new
    check.close(w, theirs.detach().numpy(), dtype=dtype, rtol=10 * TOLERANCE[dtype], atol=10 * TOLERANCE[dtype])


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_optimizers_refuse_a_gradient_of_another_shape(name):
    state = {}
    check.raises(ValueError, getattr(reference, name), np.zeros((2, 3)), np.zeros(3), state, 0.1)
    assert state == {}


def test_he_normal():
    weight = reference.he_normal(200, 500, np.random.default_rng(0))
    check.shape(weight, (500, 200))
    check.close(float(weight.std()), 0.1, rtol=0.02)
    check.close(reference.he_normal(3, 2, np.random.default_rng(1)), reference.he_normal(3, 2, np.random.default_rng(1)))
    check.raises(ValueError, reference.he_normal, 0, 2, np.random.default_rng(0))


@pytest.mark.parametrize("dtype", DTYPES)
def test_dropout(dtype):
    x, dy = normal(6, 3, 4, dtype=dtype), normal(7, 3, 4, dtype=dtype)
    kept = np.random.default_rng(8).random((3, 4)) >= 0.25
    with check.unchanged(x=x, dy=dy):
        y, mask = reference.dropout(x, 0.25, np.random.default_rng(8), True)
        dx = reference.dropout_backward(dy, mask)
    factor = (kept / 0.75).astype(dtype)
    check.close(mask, factor, dtype=dtype)
    check.close(y, x * factor, dtype=dtype)
    check.close(dx, dy * factor, dtype=dtype)


def test_dropout_in_evaluation_draws_nothing():
    rng, x = np.random.default_rng(0), normal(9, 2, 3)
    y, mask = reference.dropout(x, 0.9, rng, False)
    check.close(y, x)
    check.close(mask, np.ones((2, 3)))
    check.close(rng.random(), np.random.default_rng(0).random())


@pytest.mark.parametrize("p", [-0.1, 1.0, 1.5, float("nan")])
@pytest.mark.parametrize("train", [True, False])
def test_dropout_refuses(p, train):
    check.raises(ValueError, reference.dropout, np.ones(3), p, np.random.default_rng(0), train)


def test_read_only_and_reversed_arrays():
    x = np.arange(6.0).reshape(2, 3)
    x.flags.writeable = False
    check.close(reference.softmax(x[::-1]), reference.softmax(x)[::-1])
