"""dlcourse.check: nothing wrong passes, nothing right fails, and the message says which."""

import numpy as np
import pytest
import torch

from dlcourse import check
from dlcourse.check import CheckError

A = np.array([[1.0, 2.0], [3.0, 4.0]])

WRONG = {
    "list": (A.tolist(), "type", "must be a NumPy array, got a value of type list"),
    "nothing": (None, "type", "is a return missing"),
    "tensor": (torch.tensor(A), "type", "got a torch tensor"),
    "number": (1.0, "type", "got a number"),
    "matrix": (np.asmatrix(A), "type", "got a value of type matrix"),
    "masked": (np.ma.masked_all((2, 2)), "type", "MaskedArray"),
    "empty": (np.empty((0, 2)), "shape", r"shape \(2, 2\), got \(0, 2\)"),
    "broadcastable": (A[:1], "shape", r"got \(1, 2\)"),
    "one axis more": (A[None], "shape", r"got \(1, 2, 2\)"),
    "integers": (A.astype(int), "dtype", "must hold numbers like float64, got int64"),
    "objects": (A.astype(object), "dtype", "got object"),
    "nan": (np.where(A == 3, np.nan, A), "finite", r"is nan at index \(1, 0\) where 3 is expected"),
    "inf": (np.where(A == 3, np.inf, A), "finite", "is inf"),
    "value": (
        A + np.array([[0, 0], [0, 0.1]]),
        "value",
        r"is 4.1 at index \(1, 1\) where 4 is expected \(1 of 4 elements differ\)",
    ),
    "transposed": (A.T, "value", "2 of 4"),
}


@pytest.mark.parametrize("kind", WRONG)
def test_what_is_wrong_is_told_apart(kind):
    got, expected_kind, says = WRONG[kind]
    with pytest.raises(CheckError, match=says) as error:
        check.close(got, A, name="f(x)")
    assert error.value.kind == expected_kind and str(error.value).startswith("f(x) ")


def test_what_is_right_passes():
    check.close(A + 1e-12, A)
    check.close(A.astype(np.float32), A, rtol=1e-5)
    check.close(np.float64(2.0), 2.0)
    check.close(torch.tensor([1.0, 2.0], requires_grad=True), torch.tensor([1.0, 2.0]))
    check.close(np.array([np.nan, np.inf]), np.array([np.nan, np.inf]))
    check.close(np.empty((0, 3)), np.empty((0, 3)))
    check.close(np.array([True, False]), np.array([True, False]))


def test_dtype_is_exact_when_asked_for():
    check.close(A.astype(np.float32), A, dtype=np.float32, rtol=1e-5)
    with pytest.raises(CheckError, match="dtype float32, got float64"):
        check.close(A, A, dtype=np.float32)


def test_tolerances_are_those_of_the_formula():
    check.close(np.array([1.0 + 0.99e-3]), np.array([1.0]), rtol=1e-3, atol=0)
    with pytest.raises(CheckError):
        check.close(np.array([1.0 + 1.01e-3]), np.array([1.0]), rtol=1e-3, atol=0)


def test_shape():
    check.shape(A, (2, 2))
    check.shape(3.0, ())
    with pytest.raises(CheckError, match=r"\(3,\), got \(2, 2\)"):
        check.shape(A, (3,))
    with pytest.raises(CheckError, match="list"):
        check.shape([1, 2], (2,))


def test_a_function_that_is_not_finite_has_no_gradient_that_passes():
    with pytest.raises(CheckError, match="not finite") as caught:
        check.grad(np.ones(2), lambda x: float("nan"), np.ones(2))
    assert caught.value.kind == "finite"


def test_grad_against_torch():
    x = np.array([0.3, -1.2, 2.0])

    def f(x):
        return float(np.sum(np.sin(x) * x**2))

    t = torch.tensor(x, requires_grad=True)
    (torch.sin(t) * t**2).sum().backward()
    check.grad(t.grad.numpy(), f, x)
    for wrong, kind in [
        (t.grad.numpy() * 1.01, "value"),
        (-t.grad.numpy(), "value"),
        (np.zeros(3), "value"),
        (np.full(3, np.nan), "finite"),
    ]:
        with pytest.raises(CheckError) as error:
            check.grad(wrong, f, x)
        assert error.value.kind == kind
    with pytest.raises(CheckError, match="shape"):
        check.grad(np.zeros((3, 1)), f, x)
    check.grad(2.0, lambda w: float(w) ** 2, 1.0)


def test_unchanged():
    w = np.ones(3)
    with check.unchanged(w=w):
        _ = w - 1
    with pytest.raises(CheckError, match="w was changed in place") as caught, check.unchanged(w=w):
        w -= 1
    assert caught.value.hint == check.CHANGED


def test_raises():
    check.raises(ValueError, int, "x")
    with pytest.raises(CheckError, match="returned as if nothing were wrong"):
        check.raises(ValueError, int, "1")
    with pytest.raises(CheckError, match="raised TypeError") as caught:
        check.raises(ValueError, int, [])
    assert caught.value.hint == check.OTHER_ERROR


def test_only_infinity_meets_infinity():
    check.close(np.inf, np.inf)
    check.close(np.array([-np.inf, 1.0]), np.array([-np.inf, 1.0]))
    for got, expected in [(1e300, np.inf), (-np.inf, np.inf), (0.0, -np.inf)]:
        with pytest.raises(CheckError):
            check.close(got, expected)


def test_a_known_mistake_brings_its_hint_and_others_none():
    known = {"You summed; take the mean.": np.array([4.0]), "The sign is wrong.": np.array([-2.0])}
    check.close(np.array([2.0]), np.array([2.0]), mistakes=known)
    for got, hint in [(4.0, "You summed; take the mean."), (-2.0, "The sign is wrong."), (3.0, None)]:
        with pytest.raises(check.CheckError) as caught:
            check.close(np.array([got]), np.array([2.0]), mistakes=known)
        assert caught.value.hint == hint
    with pytest.raises(check.CheckError) as caught:
        check.close(np.array([[4.0]]), np.array([2.0]), mistakes=known)
    assert caught.value.hint is None, "another shape is another mistake"
    assert check.CheckError("value", "no").hint is None


def test_inputs_of_a_test_follow_its_number_and_the_graders_seed():
    first = check.rng(5).normal(size=3)
    assert (check.rng(5).normal(size=3) == first).all()
    assert (check.rng(6).normal(size=3) != first).all()
    with check.grading_seed(9):
        other = check.rng(5).normal(size=3)
        assert (other != first).all() and (check.rng(5).normal(size=3) == other).all()
    assert (check.rng(5).normal(size=3) == first).all()


def test_torch_computing_the_answer_is_found():
    from dlcourse.check import NO_TORCH

    def by_torch(x):
        return torch.softmax(torch.from_numpy(x), dim=-1).numpy()

    def by_torch_hidden(x):
        try:
            return by_torch(x)
        except Exception:
            return np.exp(x) / np.exp(x).sum(axis=-1, keepdims=True)

    def by_hand(x):
        return np.exp(x) / np.exp(x).sum(axis=-1, keepdims=True)

    x = np.ones((2, 3))
    for cheat in (by_torch, by_torch_hidden):
        assert cheat(x).shape == (2, 3), "it works outside"
        with pytest.raises(CheckError, match="was called") as caught, check.from_scratch():
            cheat(x)
        assert caught.value.hint == NO_TORCH and caught.value.kind == "torch"
    with check.from_scratch():
        assert check.is_from_scratch()
        by_hand(x)
    assert not check.is_from_scratch() and by_torch(x).shape == (2, 3)


def test_same_broadcasts_nothing():
    nan = np.array([1.0, np.nan])
    assert check.same(A, A.copy()) and check.same(nan, nan.copy()) and check.same(np.arange(3), np.arange(3.0))
    others = (A[:1], A.T, A + 1, A.tolist(), np.empty((0, 2)), np.asmatrix(A), 1.0, None)
    assert not any(check.same(A, other) or check.same(other, A) for other in others)
    assert not check.same(nan, np.array([np.nan, 1.0]))


def test_raises_lets_what_is_not_written_yet_through():
    def stub():
        raise NotImplementedError("q1: stub() is yours to write")

    with pytest.raises(NotImplementedError, match="yours to write"):
        check.raises(ValueError, stub)
    check.raises(NotImplementedError, stub)


@pytest.mark.parametrize("dtype", [np.int64, np.uint64, np.int8])
def test_differences_of_integers_do_not_wrap_around(dtype):
    least, most = np.iinfo(dtype).min, np.iinfo(dtype).max
    for got, expected in [([least], [0]), ([least], [most]), ([most], [0]), ([most], [least])]:
        if got != expected:
            with pytest.raises(CheckError):
                check.close(np.array(got, dtype), np.array(expected, dtype))
    check.close(np.array([least, most], dtype), np.array([least, most], dtype))
