"""Lecture 05: each figure shows what the text says, and the engine's gradients are torch's."""

import re

import numpy as np
import pytest
import torch

from dlcourse import live
from tests.conftest import ROOT
from tests.session import run_lecture


@pytest.fixture(scope="module")
def lecture():
    yield run_lecture(ROOT / "lectures" / "src" / "05_backpropagation.py")
    for figure in live.figures():
        figure.close()


def numbers(text):
    return [float(number) for number in re.findall(r"[-+]?\d+\.?\d*(?:e[-+]?\d+)?", text)]


def test_a_small_change_tells_the_derivative(lecture):
    figure = lecture.figures["A change on its way"]
    figure.set(changed="w", by=1e-4, w=1.0)
    w = torch.tensor(1.0, dtype=torch.float64, requires_grad=True)
    (0.5 * (1 - torch.sigmoid(2 * w - 0.5)) ** 2).backward()
    ratio = float(re.search(r"which is ([-+.\d]+) times", figure.readout)[1])
    assert ratio == pytest.approx(w.grad.item(), abs=1e-4)
    factors = [float(f) for f in figure.readout.split("way: ")[1].rstrip(".").split(" × ")]
    assert np.prod(factors) == pytest.approx(ratio, abs=2e-4)
    figure.set(by=2.0)
    assert float(re.search(r"which is ([-+.\d]+) times", figure.readout)[1]) != pytest.approx(w.grad.item(), abs=0.01)
    shared = set()
    for name in ("w", "b", "x"):
        figure.set(changed=name, by=1e-4)
        shared.add(tuple(figure.readout.split("way: ")[1].rstrip(".").split(" × ")[-3:]))
    assert len(shared) == 1, "the last three factors are shared"


def test_walking_through_a_graph_in_both_orders(lecture):
    figure = lecture.figures["One node at a time"]
    figure.set(step=30, a=1.0, b=0.5, order="all children first")
    a, b = (torch.tensor(v, dtype=torch.float64, requires_grad=True) for v in (1.0, 0.5))
    u = a * b + a
    (u * torch.sigmoid(u)).backward()
    assert f"d/da: {a.grad:.4f}" in figure.readout and f"d/db: {b.grad:.4f}" in figure.readout
    assert "WRONG" not in figure.readout
    figure.set(order="as soon as reached")
    assert figure.readout.count("WRONG") == 2
    lecture.run("def my_expression(a, b):\n    return a * b - tanh(b)")
    assert "WRONG" not in figure.readout, "nothing is used twice on its way, so both orders agree"
    figure.set(step=0)
    assert figure.readout.startswith("Forward, 0 of 3")
    lecture.run("def my_expression(a, b):\n    return 3.0")
    assert "must return a Node made from a and b, got float" in figure.note and figure.errors == []
    lecture.run("def my_expression(a, b):\n    for _ in range(20):\n        a = a + b\n    return a")
    assert "make the expression shorter" in figure.note
    lecture.run("def my_expression(a, b):\n    u = a * b + a\n    return u * sigma(u)")
    assert figure.note == ""


@pytest.mark.parametrize("seed", range(5))
def test_the_engine_equals_torch_on_random_expressions(lecture, seed):
    """Expressions of random shape and order, with broadcasting, every operation, and shared parts."""
    names, rng = lecture.names, np.random.default_rng(seed)
    node = names["Node"]
    for _ in range(20):
        shapes = [(3, 4), (4,), (3, 1), (), (1, 4)]
        arrays = [rng.normal(size=shape) for shape in shapes]
        ours, theirs = [node(a) for a in arrays], [torch.tensor(a, requires_grad=True) for a in arrays]
        pool_a, pool_b = list(ours), list(theirs)
        for _ in range(12):
            i, j, kind = rng.integers(len(pool_a)), rng.integers(len(pool_a)), rng.integers(6)
            a, b, c, d = pool_a[i], pool_a[j], pool_b[i], pool_b[j]
            if kind == 5 and c.ndim == 2 and d.ndim == 2 and c.shape == d.shape:
                made = a @ b.T @ a * 0.1, c @ d.T @ c * 0.1
            else:
                made = {
                    0: lambda a=a, b=b, c=c, d=d: (a + b, c + d),
                    1: lambda a=a, b=b, c=c, d=d: (a * b, c * d),
                    2: lambda a=a, b=b, c=c, d=d: (a - b, c - d),
                    3: lambda a=a, c=c: (names["tanh"](a), torch.tanh(c)),
                    4: lambda a=a, c=c: (names["sigma"](a), torch.sigmoid(c)),
                    5: lambda a=a, c=c: (2.0 - 3.0 * a, 2.0 - 3.0 * c),
                }[int(kind)]()
            pool_a.append(names["tanh"](made[0]))
            pool_b.append(torch.tanh(made[1]))
        root, reference = pool_a[-1].sum(), pool_b[-1].sum()
        for a, c in zip(pool_a[5:-1], pool_b[5:-1], strict=True):
            root, reference = root + a.sum(), reference + c.sum()
        names["backward"](root)
        reference.backward()
        assert float(root.value) == pytest.approx(reference.item(), rel=1e-12)
        for a, c in zip(ours, theirs, strict=True):
            expected = np.zeros(a.value.shape) if c.grad is None else c.grad.numpy()
            assert np.shape(a.grad) == expected.shape or c.grad is None
            assert a.grad == pytest.approx(expected, rel=1e-9, abs=1e-12)


def test_forward_mode_equals_torchs_jacobian(lecture):
    names = lecture.names
    arrays = names["new_params"]([5, 7, 4], np.random.default_rng(0))
    params, x = [names["Node"](a) for a in arrays], np.linspace(-1, 1, 5)
    W1, b1, W2, b2 = (torch.tensor(a) for a in arrays)
    expected = torch.autograd.functional.jacobian(lambda x: W2 @ torch.tanh(W1 @ x + b1) + b2, torch.tensor(x)).numpy()
    for way in ("jacobian_forward", "jacobian_backward"):
        assert names[way](lambda leaf: names["mlp"](params, leaf), x) == pytest.approx(expected, rel=1e-10)


def test_delta_rules_for_other_nets(lecture):
    """The deck's rules against torch: delta is minus the derivative of half the summed squared error by net."""
    rng = np.random.default_rng(7)
    for _ in range(10):
        W, V = rng.normal(size=(5, 4)), rng.normal(size=(3, 5))
        x, T = rng.normal(size=4), rng.integers(0, 2, size=3).astype(float)
        net_j = torch.tensor(W @ x, requires_grad=True)
        net_k = torch.tensor(V) @ torch.sigmoid(net_j)
        net_k.retain_grad()
        (0.5 * (torch.tensor(T) - torch.sigmoid(net_k)) ** 2).sum().backward()
        delta_j, delta_k = lecture.names["deltas"](x, W, V, T)
        assert delta_j == pytest.approx(-net_j.grad.numpy(), rel=1e-10)
        assert delta_k == pytest.approx(-net_k.grad.numpy(), rel=1e-10)


def test_a_wrong_unit_learns_little(lecture):
    figure = lecture.figures["How much a wrong unit learns"]
    figure.set(net=-6.0, target="1")
    assert "+0.0025 for the squared error and +0.9975 for the cross-entropy" in figure.readout
    a = np.linspace(0, 1, 100001)
    delta = (1 - a) * a * (1 - a)
    assert delta.max() == pytest.approx(4 / 27) and a[delta.argmax()] == pytest.approx(1 / 3, abs=1e-4)
    figure.set(net=6.0)
    assert "+0.0000" in figure.readout


def test_broadcasting_collects_what_was_repeated(lecture):
    figure = lecture.figures["Who was used how often?"]
    for shape, times in (("(4,)", 3), ("(3, 1)", 4), ("()", 12), ("(1, 4)", 3), ("(3, 4)", 1)):
        figure.set(shape=shape, entry=0)
        assert f"was used {times} times" in figure.readout
        terms, total = figure.readout.split("times: ")[1].rstrip(".").split(" = ")
        assert sum(numbers(terms)) == pytest.approx(float(total), abs=0.051)
    rng = np.random.default_rng(0)
    for shape in ((), (4,), (1, 4), (3, 1), (2, 1, 4), (1, 3, 1)):
        leaf, g = torch.zeros(shape, dtype=torch.float64, requires_grad=True), rng.normal(size=(2, 3, 4))
        (leaf + torch.zeros(2, 3, 4)).backward(torch.tensor(g))
        assert lecture.names["unbroadcast"](g, shape) == pytest.approx(leaf.grad.numpy())


def test_the_number_of_passes_decides(lecture):
    """Times are not compared here; how often the rules are asked is counted."""
    names = lecture.names
    figure = lecture.figures["All derivatives of a net, measured"]
    figure.set(n="256", m="1")
    assert "256 forward or 1 backward passes" in figure.readout
    params = [names["Node"](a) for a in names["new_params"]([6, 4, 2], np.random.default_rng(0))]
    asked = {"backward": 0, "forward": 0}
    tanh_back, tanh_change = names["BACKWARD"]["tanh"], names["CHANGE"]["tanh"]

    def counted(way, rule):
        def call(*args):
            asked[way] += 1
            return rule(*args)

        return call

    try:
        names["BACKWARD"]["tanh"], names["CHANGE"]["tanh"] = counted("backward", tanh_back), counted("forward", tanh_change)
        names["jacobian_backward"](lambda leaf: names["mlp"](params, leaf), np.ones(6))
        names["jacobian_forward"](lambda leaf: names["mlp"](params, leaf), np.ones(6))
    finally:
        names["BACKWARD"]["tanh"], names["CHANGE"]["tanh"] = tanh_back, tanh_change
    assert asked == {"backward": 2, "forward": 6}


def test_the_bill_is_what_the_engine_holds(lecture):
    names, figure = lecture.names, lecture.figures["The bill of a deep net"]
    weights = [np.random.default_rng(i).normal(size=(8, 8)) / 3 for i in range(24)]
    x = np.random.default_rng(0).normal(size=(5, 8))
    for k in (1, 3, 4, 7, 24):
        _, most = names["backward_in_pieces"](weights, x, k)
        arrays = most / x.nbytes
        assert arrays <= 2 * k + np.ceil(24 / k) and arrays >= 2 * k
        if 24 % k == 0:
            assert arrays == 2 * k + 24 // k
    figure.set(batch=1024.0, layers=64, k=8)
    assert "Least: pieces of 5" in figure.readout or "Least: pieces of 6" in figure.readout
    assert float(re.search(r"in pieces of 8 ([\d.]+) GB", figure.readout)[1]) == pytest.approx(24 * 1024**2 * 4 / 1e9, abs=1e-3)
    figure.set(batch=1.0)
    held = numbers(figure.readout.split("weights ")[1])
    assert held[0] > held[1], "with one example the weights are the larger part"


def test_the_error_turns_up_again(lecture):
    figure = lecture.figures["Error against h"]
    lecture.run("def my_function(x):\n    return tanh(x) * sigma(3 * x)")
    errors = {}
    for h in (1e-13, 1e-5, 1e-1):
        figure.set(h=h, x=0.7, dtype="float64")
        found = re.search(r"off by (\S+), central by (\S+), complex step by (\S+)\.", figure.readout)
        errors[h] = [float(found[i]) for i in (1, 2, 3)]
    assert errors[1e-5][1] < 1e-9 < 1e-5 < min(errors[1e-13][1], errors[1e-1][1])
    assert errors[1e-13][2] < 1e-14, "the complex step does not turn up"
    best = float(re.search(r"best near h = (\S+)\.", figure.readout)[1])
    assert 5e-7 < best < 5e-5
    figure.set(dtype="float32", h=1e-5)
    assert float(re.search(r"best near h = (\S+)\.", figure.readout)[1]) > 5e-4


def test_every_planted_fault_is_found_and_named(lecture):
    figure, faults = lecture.figures["Plant a fault"], lecture.names["FAULTS"]
    for fault in faults:
        figure.set(fault=fault, size=0.75)
        said = figure.readout.split(": ", 1)[1].split(" Your tanh")[0]
        if fault == "no fault":
            assert said == "nothing is above 1e-6."
        else:
            assert said.startswith(f"{fault.split(':')[0]} (") and "," not in said, "it alone"
    for fault in ("tanh: 1 - y for 1 - y²", "*: factors not swapped", "@: g not transposed"):
        figure.set(fault=fault, size=0.0)
        assert "nothing is above" in figure.readout, "at zero it hides"


def test_my_own_rule_is_judged(lecture):
    figure = lecture.figures["Plant a fault"]

    def error():
        return float(re.search(r"Your tanh rule: (\S+)\.", figure.readout)[1])

    figure.set(fault="no fault", size=0.0)
    assert error() < 1e-9
    figure.set(size=0.75)
    assert error() > 0.1, "the series fails away from zero"
    good = lecture.names["my_tanh_rule"]
    lecture.run("def my_tanh_rule(g, y, x):\n    return (g * (1 - y**2),)")
    assert error() < 1e-9
    lecture.run("def my_tanh_rule(g, y, x):\n    return g * (1 - y**2)")
    assert figure.note and figure.errors == [], "a rule that returns no tuple is told of, and the figure stands"
    lecture.names["my_tanh_rule"] = good
    figure.update()


def test_a_deep_chain_loses_or_explodes(lecture):
    figure = lecture.figures["The gradient on its way back"]

    def kept(activation, gain):
        figure.set(activation=activation, gain=gain, depth=30)
        return float(re.search(r"gradient is (\S+) of", figure.readout)[1])

    assert all(kept("logistic", gain) < 1e-6 for gain in (0.5, 1.0, 2.0, 3.0))
    assert 0.3 < kept("tanh", 1.2) < 3
    ratio = kept("none (linear)", 1.1) / kept("none (linear)", 0.9)
    assert ratio == pytest.approx((1.1 / 0.9) ** 30, rel=0.1)


def test_gradient_by_layer_against_torch(lecture):
    names, rng = lecture.names, np.random.default_rng(3)
    weights, X, g = rng.normal(size=(6, 5, 5)), rng.normal(size=(4, 5)), rng.normal(size=(4, 5))
    states = [torch.tensor(X, requires_grad=True)]
    for W in weights:
        states.append(torch.tanh(states[-1] @ torch.tensor(0.7 * W)))
        states[-1].retain_grad()
    states[-1].backward(torch.tensor(g))
    expected = [state.grad.square().mean().sqrt().item() for state in states]
    assert names["gradient_by_layer"](names["tanh"], 0.7, 6, weights, X, g) == pytest.approx(expected, rel=1e-10)


def test_losses_equal_torchs_over_100_steps(lecture):
    assert lecture.names["largest"] < 1e-6 and len(lecture.names["ours"]) == 100
    assert lecture.names["ours"][-1] < 0.1 < lecture.names["ours"][0]


def test_the_net_of_1986_finds_one_two_four(lecture):
    figure = lecture.figures["Is the pattern symmetric?"]
    assert figure.readout.startswith("Seed 1")
    for _ in range(200):
        figure.run.step()
    ratio = figure.readout.split("ratio: ")[1].rstrip(".").split(" : ")
    assert [float(r) for r in ratio] == pytest.approx([1, 2, 4], abs=0.1)
    assert "64 of 64 right" in figure.readout
    W = figure.run.state["arrays"][0]
    assert pytest.approx(-W[:, ::-1], abs=0.1) == W, "mirrored inputs oppose each other"
    figure.run.reset()


def test_about_half_of_the_seeds_get_stuck(lecture):
    solved = {spread: [c for (s, _), c in lecture.names["outcome"].items() if s == spread and c] for spread in (0.3, 1.0)}
    assert all(2 <= len(counts) <= 6 for counts in solved.values())
    assert min(solved[0.3]) > 300 and max(solved[0.3]) < 2500
