"""Lecture 05: each sentence that asserts something, each figure, and the engine against torch."""

import re

import numpy as np
import pytest
import torch

from coursebuild.text import read_source
from dlcourse import check
from tests.claims import claim
from tests.conftest import ROOT

SOURCE = ROOT / "lectures" / "src" / "05_backpropagation.py"


def numbers(text):
    return [float(number) for number in re.findall(r"[-+]?\d+\.?\d*(?:e[-+]?\d+)?", text)]


def leaf(value):
    return torch.tensor(value, dtype=torch.float64, requires_grad=True)


def judged(lecture, question, entry):
    """What a prediction says to an entry: whether it is right, and the words."""
    [asked] = [p for p in lecture.predictions if p.question.startswith(question)]
    asked.entry.unobserve_all()
    before, asked.entry.value = asked.entry.value, entry
    try:
        return asked.judge()
    finally:
        asked.entry.value = before


# A small change


def factors(figure):
    return [float(f) for f in figure.readout.split("way: ")[1].rstrip(".").split(" × ")]


def ratio(figure):
    return float(re.search(r"which is ([-+.\d]+) times", figure.readout)[1])


def test_a_small_change_tells_the_derivative(lecture):
    figure = lecture.figures["A change on its way"]
    for w_value in (-3.0, -0.4, 1.0, 2.5):
        figure.set(changed="w", by=1e-4, w=w_value)
        w = leaf(w_value)
        (0.5 * (1 - torch.sigmoid(2 * w - 0.5)) ** 2).backward()
        assert ratio(figure) == pytest.approx(w.grad.item(), abs=1e-4)
        assert np.prod(factors(figure)) == pytest.approx(ratio(figure), abs=2e-4)
    figure.set(by=2.0, w=1.0)
    w = leaf(1.0)
    (0.5 * (1 - torch.sigmoid(2 * w - 0.5)) ** 2).backward()
    assert ratio(figure) != pytest.approx(w.grad.item(), abs=0.01)


def test_the_last_three_factors_settle_at_the_local_derivatives_and_are_shared(lecture):
    figure, shared = lecture.figures["A change on its way"], []
    for name in ("w", "b", "x"):
        figure.set(changed=name, by=1e-4, w=1.0)
        shared.append(factors(figure)[-3:])
    a = 1 / (1 + np.exp(-1.5))
    for last in shared:
        assert last == pytest.approx([a * (1 - a), -1, -(1 - a) * -1], abs=2e-4)


@claim("A run does go through all layers, but it tells about the single weight that was changed.")
def test_one_changed_weight_tells_one_derivative(lecture):
    """The loss changes by that weight's derivative, whatever the derivatives of the other weights are."""
    names, rng = lecture.names, np.random.default_rng(0)
    arrays, X, y = names["new_params"]([3, 4, 1], rng), rng.normal(size=(5, 3)), rng.normal(size=(5, 1))

    def loss(arrays):
        return float(names["mean_squared_error"](names["mlp"]([names["Node"](a) for a in arrays], X), y).value)

    moved = [a.copy() for a in arrays]
    moved[0][1, 2] += 1e-6
    params = [names["Node"](a) for a in arrays]
    names["backward"](names["mean_squared_error"](names["mlp"](params, X), y))
    assert (loss(moved) - loss(arrays)) / 1e-6 == pytest.approx(params[0].grad[1, 2], rel=1e-3)


@claim(
    "y = x * x at x = 3.",
    "The graph has one node x, one node y, and two edges between them, each with the local derivative 3.",
    "3 + 3: along one path factors are multiplied, and different paths are added.",
)
def test_a_square_has_two_edges(lecture):
    x = lecture.names["Node"](3.0)
    y = x * x
    assert y.parents == (x, x) and lecture.names["RULES"]["*"](1.0, 9.0, 3.0, 3.0) == (3.0, 3.0)
    lecture.names["backward_numbers"](y)
    assert x.grad == 6.0 and judged(lecture, "y = x * x", "6")[0] and not judged(lecture, "y = x * x", "9")[0]


# By hand


def by_hand(lecture, wrong=False):
    """The graph of the section, its gradients set by the engine."""
    a, b = lecture.names["Node"](2.0), lecture.names["Node"](3.0)
    u = a * b
    v = u + a
    root = u * v
    lecture.names["backward_numbers"](root)
    return {"a": a, "b": b, "u": u, "v": v, "L": root}


@claim(
    "The program has two inputs and three lines, and $a$ and $u$ are both used twice:",
    "$a = 2$ and $b = 3$ give $u = 6$, $v = 8$ and $L = 48$.",
    "The gradient of $L$ is 1.",
    "The upstream gradient 1, times the local derivative u = 6.",
    "From L comes 1 × 8, and from v comes 6 × 1.",
    "The upstream gradient 14, times the local derivative a = 2.",
    "From u comes 14 × 3 = 42, and from v comes 6 × 1.",
    "That is 14 × 2 + 6: for a, the local derivative of u is the other factor, b.",
)
def test_the_graph_that_is_carried_back_by_hand(lecture):
    nodes = by_hand(lecture)
    assert {name: node.value for name, node in nodes.items()} == {"a": 2, "b": 3, "u": 6, "v": 8, "L": 48}
    grads = {name: node.grad for name, node in nodes.items()}
    assert grads == {"L": 1, "v": 1 * 6, "u": 1 * 8 + 6 * 1, "b": 14 * 2, "a": 14 * 3 + 6 * 1}
    uses = [parent for node in nodes.values() for parent in node.parents]
    assert {name: sum(p is node for p in uses) for name, node in nodes.items()} == {"a": 2, "b": 1, "u": 2, "v": 1, "L": 0}
    for name, question in (("v", "The gradient of v?"), ("u", "The gradient of u?"), ("b", "The gradient of b?")):
        assert judged(lecture, question, str(grads[name]))[0]
    assert judged(lecture, "The gradient of a?", "48")[0]
    assert "other factor, b" in judged(lecture, "The gradient of a?", str(14 * 2 + 6))[1]


@claim("L(2.001, 3) is 48.048.")
def test_the_difference_that_checks_the_hand(lecture):
    u = 2.001 * 3
    assert u * (u + 2.001) == pytest.approx(48.048, abs=5e-4)


@claim(
    "L has the gradient 1, and v is used by L alone, so v is next.",
    "The gradient of a needs the gradient of u, because u is made from a.",
    "Each node's gradient is, over all nodes that use it, the sum of *(the gradient of the user) × (the local derivative on the edge between them)*.",
    "If $y = p + q$ and $p$ grows by a little $h$, then $y$ grows by $h$: the local derivative is 1.",
    "An order in which every node comes before the nodes that use it is a **topological order**, such as $a, b, u, v, L$.",
)
def test_the_order_and_the_sum_over_users(lecture):
    nodes = by_hand(lecture)
    order = lecture.names["topological_order"](nodes["L"])
    names = [next(n for n, node in nodes.items() if node is found) for found in order]
    assert names == ["a", "b", "u", "v", "L"]
    for name, node in nodes.items():
        shares = 0.0
        for user in nodes.values():
            if user.parents:
                local = lecture.names["RULES"][user.op](1.0, user.value, *(p.value for p in user.parents))
                shares += sum(user.grad * d for p, d in zip(user.parents, local, strict=True) if p is node)
        assert name == "L" or shares == node.grad
    # with a before u: the share from u is the one of an unfinished gradient
    u_unfinished = 8.0
    assert nodes["a"] in nodes["u"].parents and u_unfinished * 3 + 6 != nodes["a"].grad
    assert lecture.names["RULES"]["+"](1.0, 5.0, 2.0, 3.0) == (1.0, 1.0)


# The machine


@claim("the output is there already: its rule is `return (g * y * (1 - y),)`.")
@pytest.mark.parametrize("op", ["+", "-", "*", "/", "neg", "tanh", "sigma"])
def test_each_rule_is_the_derivative(lecture, op):
    made = {
        "+": lambda a, b: a + b,
        "-": lambda a, b: a - b,
        "*": lambda a, b: a * b,
        "/": lambda a, b: a / b,
        "neg": lambda a, b: -a,
        "tanh": lambda a, b: torch.tanh(a) if isinstance(a, torch.Tensor) else lecture.names["tanh"](a),
        "sigma": lambda a, b: torch.sigmoid(a) if isinstance(a, torch.Tensor) else lecture.names["sigma"](a),
    }[op]
    rng = np.random.default_rng(0)
    for _ in range(5):
        values, g = rng.normal(size=2), rng.normal()
        theirs = [leaf(v) for v in values]
        out = made(*theirs)
        out.backward(torch.tensor(g, dtype=torch.float64))
        ours = [lecture.names["Node"](v) for v in values]
        root = made(*ours)
        assert root.op == op
        shares = lecture.names["RULES"][op](g, root.value, *(p.value for p in root.parents))
        assert shares == pytest.approx([t.grad.item() for t in theirs if t.grad is not None], rel=1e-9)
        if op == "sigma":
            y = root.value
            assert shares == (g * y * (1 - y),)


@claim(
    "The backward pass then is: all gradients to zero, a 1 at the root, and share out from the last node to the first.",
    "Our `backward` begins with `node.grad = 0.0` for all nodes.",
)
def test_a_second_backward_starts_anew(lecture):
    names = lecture.names
    nodes = by_hand(lecture)
    before = {name: node.grad for name, node in nodes.items()}
    names["backward_numbers"](nodes["L"])
    assert {name: node.grad for name, node in nodes.items()} == before and nodes["L"].grad == 1
    x = names["Node"](np.array([1.0, 2.0]))
    root = (x * x).sum()
    for _ in range(2):
        names["backward"](root)
        assert x.grad == pytest.approx([2.0, 4.0])


@claim(
    "No error is raised, and the gradient is simply wrong.",
    "An expression in which no inner node is used twice, such as `a * b - tanh(b)`, does not show it.",
    "The sum u is used twice.",
    "The first share is all that it will get.",
)
def test_walking_through_a_graph_in_both_orders(lecture):
    figure = lecture.figures["One node at a time"]
    figure.set(step=24, a=1.0, b=0.5, order="reverse topological")
    a, b = leaf(1.0), leaf(0.5)
    u = a * b + a
    (u * torch.sigmoid(u)).backward()
    assert f"d/da: {a.grad:.4f}" in figure.readout and f"d/db: {b.grad:.4f}" in figure.readout
    assert "WRONG" not in figure.readout and "The walk ends at step 9." in figure.readout
    figure.set(order="as soon as reached")
    assert figure.readout.count("WRONG") == 2 and figure.errors == [] and figure.note == ""
    inputs = [lecture.names["Node"](v) for v in (1.0, 0.5)]
    root = lecture.names["my_expression"](*inputs)
    [total, logistic] = root.parents
    order = lecture.names["topological_order"](root)
    users = {id(n): sum(p is n for m in order for p in m.parents) for n in order}
    assert total.op == "+" and logistic.op == "sigma" and (users[id(total)], users[id(logistic)]) == (2, 1)
    early = lecture.names["too_early"](root)
    assert early.index(total) < early.index(logistic)
    lecture.run("def my_expression(a, b):\n    return a * b - tanh(b)")
    for order in ("reverse topological", "as soon as reached"):
        for a_value in (-3.0, 0.7, 2.0):
            figure.set(order=order, a=a_value, step=24)
            assert "d/da" in figure.readout and "WRONG" not in figure.readout


@claim(
    "To check your work with the pencil, make `my_expression` the program of the section before, `u = a * b` and `return u * (u + a)`, and set `a` to 2 and `b` to 3."
)
def test_the_pencil_is_checked(lecture):
    figure = lecture.figures["One node at a time"]
    lecture.run("def my_expression(a, b):\n    u = a * b\n    return u * (u + a)")
    told = []
    for step in range(9):
        figure.set(a=2.0, b=3.0, step=step)
        told.append(figure.readout)
    assert "* gives 48" in told[3]
    assert "* held 1 and gave 8 to *, 6 to +; * now has 8, + now has 6" in told[5]
    assert "+ held 6 and gave 6 to *, 6 to a; * now has 14, a now has 6" in told[6]
    assert "* held 14 and gave 42 to a, 28 to b; a now has 48, b now has 28" in told[7]
    assert "d/da: 48.0000" in told[8] and "d/db: 28.0000" in told[8]
    view_texts = [t.get_text() for t in figure.figure.axes[0].texts if t.get_visible()]
    assert "a\n2\ngrad 48" in view_texts
    figure.set(step=6)
    on_edges = [t.get_text() for t in figure.figure.axes[0].texts if t.get_visible() and t.get_text().startswith("×")]
    assert on_edges == ["×1\n→6", "×1\n→6"], "local derivative and share"


def test_no_expression_blanks_the_picture(lecture):
    figure = lecture.figures["One node at a time"]

    def boxes():
        return sum(text.get_visible() for text in figure.figure.axes[0].texts)

    for body, node_count in [
        ("-a / b", 4),
        ("1 / (1 + a * a) - 2 * -b", None),
        ("a", None),
        ("3.0", None),
        ("a ** 2", None),
        ("a * a", 2),
    ]:
        lecture.run(f"def my_expression(a, b):\n    return {body}")
        for step in (0, 6, 24):
            figure.set(step=step)
            assert boxes() >= (node_count or 3), body
            assert figure.errors == [] and figure.readout
        if body in ("a", "3.0", "a ** 2"):
            assert figure.note and figure.readout.startswith("Shown is sigma(a * b) * a.")
            assert body != "3.0" or "must return a Node made from a and b, got float" in figure.note
        else:
            assert figure.note == "" and "WRONG" not in figure.readout
    lecture.run("def my_expression(a, b):\n    for _ in range(20):\n        a = a + b\n    return a")
    assert figure.note == "" and "The picture shows the last 8 of 22 nodes." in figure.readout and boxes() >= 8
    lecture.run("def my_expression(a, b):\n    return a * b")
    figure.set(step=24)
    assert figure.readout.startswith("The walk ends at step 3."), "a step beyond the end is said"


def expressions(lecture, rng, node, backward, shapes):
    """Random expressions with shared parts: leaves of ours and of torch's, after both backward passes."""
    names = lecture.names
    arrays = [rng.normal(size=shape) for shape in shapes]
    ours, theirs = [node(a) for a in arrays], [torch.tensor(a, requires_grad=True) for a in arrays]
    pool_a, pool_b = list(ours), list(theirs)
    for _ in range(12):
        i, j, kind = rng.integers(len(pool_a)), rng.integers(len(pool_a)), rng.integers(8)
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
                6: lambda a=a, b=b, c=c, d=d: (a / (2.0 + b * b), c / (2.0 + d * d)),
                7: lambda a=a, c=c: (-a, -c),
            }[int(kind)]()
        pool_a.append(names["tanh"](made[0]))
        pool_b.append(torch.tanh(made[1]))
    return ours, theirs, pool_a[5:], pool_b[5:]


@pytest.mark.parametrize("seed", range(5))
def test_the_engine_equals_torch_on_random_expressions(lecture, seed):
    """Expressions of random shape and order, with broadcasting, every operation, and shared parts."""
    names, rng = lecture.names, np.random.default_rng(seed)
    for _ in range(20):
        shapes = [(3, 4), (4,), (3, 1), (), (1, 4)]
        ours, theirs, made_a, made_b = expressions(lecture, rng, names["Node"], names["backward"], shapes)
        root, reference = made_a[0].sum(), made_b[0].sum()
        for a, c in zip(made_a[1:], made_b[1:], strict=True):
            root, reference = root + a.sum(), reference + c.sum()
        names["backward"](root)
        reference.backward()
        assert float(root.value) == pytest.approx(reference.item(), rel=1e-12)
        for a, c in zip(ours, theirs, strict=True):
            expected = np.zeros(a.value.shape) if c.grad is None else c.grad.numpy()
            assert np.shape(a.grad) == expected.shape or c.grad is None
            assert a.grad == pytest.approx(expected, rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("seed", range(3))
def test_the_engine_of_numbers_equals_torch_on_random_expressions(lecture, seed):
    names, rng = lecture.names, np.random.default_rng(seed)
    for _ in range(10):
        ours, theirs, made_a, made_b = expressions(lecture, rng, names["Node"], names["backward_numbers"], [()] * 5)
        root, reference = made_a[0], made_b[0]
        for a, c in zip(made_a[1:], made_b[1:], strict=True):
            root, reference = root + a, reference + c
        names["backward_numbers"](root)
        reference.backward()
        for a, c in zip(ours, theirs, strict=True):
            assert float(a.grad) == pytest.approx(0.0 if c.grad is None else c.grad.item(), rel=1e-9, abs=1e-12)


def test_running_any_cell_again_changes_nothing(lecture):
    """No later meaning of a name is lost: after each cell of the body run once more, engine and figures are as before."""
    names = lecture.names
    rng = np.random.default_rng(0)
    arrays, X, y = names["new_params"]([3, 4, 2], rng), rng.normal(size=(5, 3)), rng.normal(size=(5, 2))
    theirs = [torch.tensor(a, requires_grad=True) for a in arrays]
    torch.nn.functional.mse_loss(names["torch_mlp"](theirs, X), torch.tensor(y)).backward()
    figures = [lecture.figures[title] for title in ("One node at a time", "Plant a fault", "The gradient on its way back")]
    for figure in figures:
        figure.update()
    said = [figure.readout for figure in figures]
    cells = [cell for cell in read_source(SOURCE)[1] if cell.kind == "code" and "setup" not in cell.tags]
    last = next(i for i, cell in enumerate(cells) if "def my_activation" in cell.text)
    again = [c for c in cells[: last + 1] if not re.search(r"_figure\(\)|@exercise|predict(_number)?\(|for width in", c.text)]
    assert len(again) > 20
    for cell in again:
        lecture.run(cell.text)
        params = [names["Node"](a) for a in arrays]
        names["backward"](names["mean_squared_error"](names["mlp"](params, X), y))
        for node, tensor in zip(params, theirs, strict=True):
            assert node.grad == pytest.approx(tensor.grad.numpy(), rel=1e-10), cell.text[:80]
        for figure, words in zip(figures, said, strict=True):
            figure.update()
            assert (figure.readout, figure.errors, figure.note) == (words, [], ""), cell.text[:80]


def test_the_engine_uses_the_readers_rule_once_it_passes(lecture):
    """And not before: until then the folded solution computes."""
    names, calls = lecture.names, []
    names["calls"] = calls
    for body, used in (("(g * a, g * b)", False), ("(g * b, g * a)", True)):
        lecture.run(f"def my_times_rule(g, y, a, b):\n    calls.append(1)\n    return {body}")
        assert lecture.exercises["my_times_rule"].state == ("passed" if used else "failed")
        calls.clear()
        x, z = names["Node"](3.0), names["Node"](5.0)
        names["backward"](x * z)
        assert (x.grad, z.grad) == (5.0, 3.0) and bool(calls) is used


# Arrays


@claim(
    "NumPy **broadcasts**: in `X @ W.T + b` a bias of shape (4,) is added to each of 3 rows.",
    "Y = A + b, with A of shape (3, 2) and b of shape (2,).",
    "The upstream gradient of Y is [[1, 2], [3, 4], [5, 9]].",
    "1 + 3 + 5: it was used in three rows, and the shares are added.",
    "That is the mean of 1, 3 and 5.",
    "The entry is used three times, and shares are added.",
    "That is the sum of all entries.",
)
def test_a_bias_hears_from_each_row(lecture):
    names = lecture.names
    A, b, g = names["Node"](np.zeros((3, 2))), names["Node"](np.zeros(2)), np.array([[1.0, 2], [3, 4], [5, 9]])
    names["backward"](A + b, g)
    assert b.grad == pytest.approx([1 + 3 + 5, 2 + 4 + 9])
    assert "mean of 1, 3 and 5" in judged(lecture, "Y = A + b", str(np.mean([1, 3, 5])))[1]
    assert "sum of all entries" in judged(lecture, "Y = A + b", str(g.sum()))[1]
    Y = np.ones((3, 5)) @ np.ones((4, 5)).T + np.arange(4)
    assert (np.arange(4) == Y - 5).all() and Y.shape == (3, 4)


@claim(
    "The same holds for each axis along which an array was repeated: one that NumPy put in front because the array has fewer axes, and one where the array has size 1 and the result more.",
    "New are the matrix product, the transpose and the sum of all entries.",
)
def test_broadcasting_collects_what_was_repeated(lecture):
    rng = np.random.default_rng(0)
    for shape in ((), (4,), (1, 4), (3, 1), (2, 1, 4), (1, 3, 1), (2, 3, 4)):
        small, g = torch.zeros(shape, dtype=torch.float64, requires_grad=True), rng.normal(size=(2, 3, 4))
        (small + torch.zeros(2, 3, 4)).backward(torch.tensor(g))
        assert lecture.names["unbroadcast"](g, shape) == pytest.approx(small.grad.numpy())
        assert np.shape(lecture.names["unbroadcast"](g, shape)) == shape
    assert lecture.names["ARRAY_RULES"].keys() - lecture.names["RULES"].keys() == {"@", "T", "sum"}


@claim("`g` lets the backward pass start with something other than 1.")
def test_the_backward_pass_starts_with_g(lecture):
    names, rng = lecture.names, np.random.default_rng(1)
    x, g = rng.normal(size=(2, 3)), rng.normal(size=(2, 3))
    ours, theirs = names["Node"](x), torch.tensor(x, requires_grad=True)
    names["backward"](names["tanh"](ours) * ours, g)
    (torch.tanh(theirs) * theirs).backward(torch.tensor(g))
    assert ours.grad == pytest.approx(theirs.grad.numpy(), rel=1e-12)


@claim(
    "Let $\\mathbf{y} = f(\\mathbf{x})$ have 1000 inputs and 1000 outputs.",
    "All its local derivatives together are the **Jacobian** $\\mathbf{J}$, a million numbers.",
    "For tanh that takes a few thousand operations in place of a million, because all of $\\mathbf{J}$ but its diagonal is zero.",
)
def test_a_rule_is_a_vector_jacobian_product(lecture):
    x, g = np.random.default_rng(0).normal(size=(2, 1000))
    J = torch.autograd.functional.jacobian(torch.tanh, torch.tensor(x)).numpy()
    assert J.size == 10**6 and np.count_nonzero(J - np.diag(np.diag(J))) == 0
    assert lecture.names["ARRAY_RULES"]["tanh"](g, np.tanh(x), x)[0] == pytest.approx(g @ J, rel=1e-10)

    class Counted(float):
        done = 0

    def operation(name):
        def call(self, other):
            Counted.done += 1
            return Counted(getattr(float, name)(self, float(other)))

        return call

    for name in ("__mul__", "__sub__", "__rsub__", "__pow__"):
        setattr(Counted, name, operation(name))
    lecture.names["tanh_rule"](Counted(0.3), Counted(0.2), Counted(0.2))
    assert 3 <= Counted.done <= 4, "so for 1000 entries a few thousand"


# The delta rule


@claim(
    "$\\partial E/\\partial a_k = -(T_k - a_k)$, where the ½ has cancelled the 2 of the square.",
    "$\\mathit{net}_j = \\sum_i w_{ji} a_i$, so $-\\partial E/\\partial w_{ji} = \\delta_j\\,a_i$, and the plus sign in the rule is gradient *descent* all the same.",
)
def test_delta_rules_for_other_nets(lecture):
    """The deck's rules against torch: delta is minus the derivative of half the summed squared error by net."""
    rng = np.random.default_rng(7)
    for _ in range(10):
        W, V = rng.normal(size=(5, 4)), rng.normal(size=(3, 5))
        x, T = rng.normal(size=4), rng.integers(0, 2, size=3).astype(float)
        weights = torch.tensor(W, requires_grad=True)
        net_j = weights @ torch.tensor(x)
        net_j.retain_grad()
        net_k = torch.tensor(V) @ torch.sigmoid(net_j)
        net_k.retain_grad()
        a_k = torch.sigmoid(net_k)
        a_k.retain_grad()
        (0.5 * (torch.tensor(T) - a_k) ** 2).sum().backward()
        delta_j, delta_k = lecture.names["deltas"](x, W, V, T)
        assert a_k.grad.numpy() == pytest.approx(-(T - a_k.detach().numpy()), rel=1e-12)
        assert delta_j == pytest.approx(-net_j.grad.numpy(), rel=1e-10)
        assert delta_k == pytest.approx(-net_k.grad.numpy(), rel=1e-10)
        assert np.outer(delta_j, x) == pytest.approx(-weights.grad.numpy(), rel=1e-10)


@claim(
    "constant | $E$ has a ½ and a **sum** over outputs | torch's `mse_loss` has no ½ and a **mean** over outputs and examples: for one example its gradients w.r.t. the K net inputs are $-2\\delta/K$",
)
@pytest.mark.parametrize("K", [1, 3, 4])
def test_the_constant_of_torchs_squared_error(lecture, K):
    """With K = 2 the factor is 1 and would show nothing."""
    assert lecture.names["K"] == 3
    rng = np.random.default_rng(K)
    x, W, V, T = rng.normal(size=2), rng.normal(size=(4, 2)), rng.normal(size=(K, 4)), rng.uniform(size=K)
    net_k = torch.tensor(V @ lecture.names["logistic"](W @ x), requires_grad=True)
    torch.nn.functional.mse_loss(torch.sigmoid(net_k), torch.tensor(T)).backward()
    _, delta_k = lecture.names["deltas"](x, W, V, T)
    assert net_k.grad.numpy() == pytest.approx(-2 * delta_k / K, rel=1e-10)


@claim(
    "A logistic output unit should say 1.",
    "Its net input is -6, so it says 0.0025: it could hardly be more wrong.",
    "The rule multiplies it with a (1 - a), and that is small where the curve is flat.",
    "The slope is 0.25 at net = 0.",
    "about 0.0025",
    "0.9975 * 0.0025 * 0.9975 = 0.0025.",
    "With the cross-entropy of lecture 02, $-T \\log a - (1 - T)\\log(1 - a)$, the factor $a(1-a)$ cancels, and $\\delta = T - a$: the same unit gets a delta of 0.9975.",
)
def test_a_saturated_unit_learns_little(lecture):
    def deltas_at(value, target=1.0):
        found = []
        for loss in (
            lambda a: 0.5 * (target - a) ** 2,
            lambda a: -target * torch.log(a) - (1 - target) * torch.log(1 - a),
        ):
            net = leaf(value)
            loss(torch.sigmoid(net)).backward()
            found.append(-net.grad.item())
        return found

    squared, entropy = deltas_at(-6.0)
    assert torch.sigmoid(torch.tensor(-6.0)).item() == pytest.approx(0.0025, abs=5e-5)
    assert squared == pytest.approx(0.0025, abs=5e-5) and entropy == pytest.approx(0.9975, abs=5e-5)
    assert pytest.approx(0.0025, abs=5e-5) == 0.9975 * 0.0025 * 0.9975
    slope = lambda z: np.exp(-z) / (1 + np.exp(-z)) ** 2  # noqa: E731
    z = np.linspace(-8, 8, 1601)
    assert slope(0) == 0.25 == slope(z).max() and slope(-6) < 0.003
    for target in (0.0, 0.3, 1.0):
        for value in (-3.0, 0.5, 4.0):
            assert deltas_at(value, target)[1] == pytest.approx(target - 1 / (1 + np.exp(-value)), abs=1e-9)
    [asked] = [p for p in lecture.predictions if p.question.startswith("A logistic output unit")]
    assert asked.then() == pytest.approx(squared, rel=1e-9)


@claim("The engine knows nothing of layers.")
def test_the_engine_is_given_operations_alone(lecture):
    order = lecture.names["topological_order"](lecture.names["net_k"])
    assert {node.op for node in order} == {"", "@", "T", "sigma"}
    assert -lecture.names["net_j"].grad[0] == pytest.approx(lecture.names["delta_j"], rel=1e-12)


# Softmax and cross-entropy


@claim(
    "Take $K = 3$, logits $(1, 2, 0)$ and the true class 0.",
    "The probabilities are about $(0.24, 0.67, 0.09)$ and $L = 1.41$.",
    "The first term, $-z_c$, gives $-1$ for the true class and 0 for the others.",
    "The three add up to 0, since both the $p_k$ and the $y_k$ add up to 1.",
    "With $\\mathbf{y}$ the **one-hot** vector of the true class (1 there, 0 elsewhere):",
)
def test_softmax_and_cross_entropy_by_hand(lecture):
    z = leaf([1.0, 2.0, 0.0])
    loss = torch.nn.functional.cross_entropy(z[None], torch.tensor([0]))
    loss.backward()
    p = torch.softmax(z.detach(), 0).numpy()
    assert p == pytest.approx([0.24, 0.67, 0.09], abs=0.006) and loss.item() == pytest.approx(1.41, abs=0.005)
    assert z.grad.numpy() == pytest.approx([-0.76, 0.67, 0.09], abs=0.006)
    assert z.grad.numpy() == pytest.approx(p - [1, 0, 0], rel=1e-12) and z.grad.sum().item() == pytest.approx(0, abs=1e-12)
    first = leaf([1.0, 2.0, 0.0])
    (-first[0]).backward()
    assert first.grad.tolist() == [-1, 0, 0]
    second = leaf([1.0, 2.0, 0.0])
    torch.logsumexp(second, 0).backward()
    assert second.grad.numpy() == pytest.approx(p, rel=1e-12)


@claim("`reference.softmax(Z)` gives the probabilities of each row, also for logits of 1000.")
def test_large_logits_have_a_gradient(lecture):
    rng = np.random.default_rng(0)
    for size in (1.0, 1000.0):
        Z, labels = size * rng.normal(size=(6, 4)), rng.integers(4, size=6)
        z = torch.tensor(Z, requires_grad=True)
        torch.nn.functional.cross_entropy(z, torch.tensor(labels)).backward()
        assert lecture.names["logits_gradient"](Z, labels) == pytest.approx(z.grad.numpy(), rel=1e-9, abs=1e-15)
        assert lecture.names["reference"].softmax(Z).sum(axis=1) == pytest.approx(np.ones(6))


@claim(
    "A net for 10 classes ends in a softmax, and its author hands the probabilities to torch's cross_entropy, which takes a softmax once more.",
    "near 1.46",
    "They differ by at most 1, and softmax makes no certainty of that.",
    "At best the first softmax gives 1 for the true class and 0 for the 9 others.",
    "The second makes e / (e + 9) = 0.232 of it, and -log 0.232 = 1.461.",
)
def test_two_softmaxes_stop_early(lecture):
    probs = torch.softmax(1e4 * torch.eye(10, dtype=torch.float64), dim=1)
    assert torch.equal(probs, torch.eye(10, dtype=torch.float64))
    best = torch.nn.functional.cross_entropy(probs, torch.arange(10)).item()
    assert best == pytest.approx(1.461, abs=5e-4) == -np.log(0.232) and np.e / (np.e + 9) == pytest.approx(0.232, abs=5e-4)
    generator = torch.Generator().manual_seed(0)
    for size in (0.1, 1.0, 10.0, 1000.0):
        p = torch.softmax(size * torch.randn(200, 10, generator=generator, dtype=torch.float64), dim=1)
        assert (p.max(1).values - p.min(1).values).max() <= 1
        losses = torch.nn.functional.cross_entropy(p, torch.randint(10, (200,), generator=generator), reduction="none")
        assert losses.min() >= best - 1e-12
    [asked] = [p for p in lecture.predictions if p.question.startswith("A net for 10 classes")]
    assert asked.then() == pytest.approx(best, abs=1e-6)


# Costs


@claim(
    "One pass with $\\mathbf{v}$ along one input gives one **column** of $\\mathbf{J}$: how all outputs depend on this input.",
    "One pass of reverse mode with $\\mathbf{g}$ along one output gives one **row**: how this output depends on all inputs.",
)
def test_both_modes_equal_torchs_jacobian(lecture):
    names = lecture.names
    arrays = names["new_params"]([5, 7, 4], np.random.default_rng(0))
    params, x = [names["Node"](a) for a in arrays], np.linspace(-1, 1, 5)
    W1, b1, W2, b2 = (torch.tensor(a) for a in arrays)
    expected = torch.autograd.functional.jacobian(lambda x: W2 @ torch.tanh(W1 @ x + b1) + b2, torch.tensor(x)).numpy()
    for way in ("jacobian_forward", "jacobian_backward"):
        assert names[way](lambda leaf: names["mlp"](params, leaf), x) == pytest.approx(expected, rel=1e-10)
    node = names["Node"](x[None])
    root = names["mlp"](params, node)
    for i, column in enumerate(np.eye(5)):
        assert names["forward_mode"](root, {node: column[None]})[0] == pytest.approx(expected[:, i], rel=1e-10)
    for k, row in enumerate(np.eye(4)):
        names["backward"](root, row[None])
        assert node.grad[0] == pytest.approx(expected[k], rel=1e-10)


def test_forward_mode_of_every_operation_equals_torch(lecture):
    names, rng = lecture.names, np.random.default_rng(5)
    a, b, da, db = rng.uniform(0.5, 2, size=(4, 3, 3))

    def f(a, b, tanh, sigma):
        return (sigma(a @ b.T) / (2.0 + b * b) - tanh(-a)).sum()

    ours = names["Node"](a), names["Node"](b)
    got = names["forward_mode"](f(*ours, names["tanh"], names["sigma"]), dict(zip(ours, (da, db), strict=True)))
    _, expected = torch.autograd.functional.jvp(
        lambda a, b: f(a, b, torch.tanh, torch.sigmoid), tuple(map(torch.tensor, (a, b))), tuple(map(torch.tensor, (da, db)))
    )
    assert float(got) == pytest.approx(expected.item(), rel=1e-10)


@claim(
    "A function has 3 inputs (a robot's joint angles) and 500 outputs (points on its hull).",
    "Here reverse mode would need 500 passes.",
    "But one pass gives one column, the other one row, and there are 3 columns and 500 rows.",
    "3 passes give the 3 columns.",
)
def test_the_number_of_passes_decides(lecture):
    """Times are not compared here; how often the rules are asked is counted."""
    names = lecture.names
    asked = {"backward": 0, "forward": 0}
    tanh_back, tanh_change = names["ARRAY_RULES"]["tanh"], names["CHANGE"]["tanh"]

    def counted(way, rule):
        def call(*args):
            asked[way] += 1
            return rule(*args)

        return call

    try:
        names["ARRAY_RULES"]["tanh"] = counted("backward", tanh_back)
        names["CHANGE"]["tanh"] = counted("forward", tanh_change)
        for n, m in ((6, 2), (3, 500)):
            params = [names["Node"](a) for a in names["new_params"]([n, 4, m], np.random.default_rng(0))]
            asked.update(backward=0, forward=0)
            J = names["jacobian_backward"](lambda leaf, params=params: names["mlp"](params, leaf), np.ones(n))
            names["jacobian_forward"](lambda leaf, params=params: names["mlp"](params, leaf), np.ones(n))
            assert asked == {"backward": m, "forward": n} and J.shape == (m, n)
    finally:
        names["ARRAY_RULES"]["tanh"], names["CHANGE"]["tanh"] = tanh_back, tanh_change


class Counting(np.ndarray):
    """An array whose matrix products count their multiplications, whatever else is done to it."""

    matrix, other = 0, 0

    def __array_ufunc__(self, ufunc, method, *inputs, out=None, **kwargs):
        plain = [np.asarray(x) if isinstance(x, Counting) else x for x in inputs]
        result = getattr(ufunc, method)(*plain, **kwargs)
        if ufunc is np.matmul:
            Counting.matrix += plain[0].size * plain[1].shape[-1]
        else:
            Counting.other += np.size(result)
        return result.view(Counting) if isinstance(result, np.ndarray) else result


def operations(names, sizes, examples):
    """Multiplications in matrix products, and other operations: of the loss, and of its backward pass."""
    params = [names["Node"](a.view(Counting)) for a in names["new_params"](sizes, np.random.default_rng(0))]
    X = np.random.default_rng(1).normal(size=(examples, sizes[0])).view(Counting)
    Counting.matrix = Counting.other = 0
    root = names["mean_squared_error"](names["mlp"](params, X), np.zeros((examples, sizes[-1])).view(Counting))
    there = Counting.matrix, Counting.other
    Counting.matrix = Counting.other = 0
    names["backward"](root)
    return there, (Counting.matrix, Counting.other), root


@claim(
    "For nets most operations are in the matrix products.",
    "Three times the multiplications of the loss, with a thousand weights and with a million.",
    "three times the multiplications, from a thousand weights to a million",
)
def test_a_gradient_takes_twice_the_multiplications_of_the_loss(lecture):
    names = lecture.names
    for width in (16, 64, 256):
        (matrix, other), (matrix_back, other_back), root = operations(names, [64, width, width, 1], 64)
        assert matrix > other and matrix_back > other_back
        assert names["multiplications"](root) == (matrix, matrix_back) == (matrix, 2 * matrix)
    counts = [int(text.replace(",", "")) for text in re.findall(r"([\d,]+) weights: loss", lecture.printed)]
    assert 1000 < counts[0] < 2000 and 1e6 < counts[-1] < 1.1e6
    assert re.findall(r"loss and gradient (\d) times that", lecture.printed) == ["3"] * 4


def test_nothing_is_summed_where_shapes_agree(lecture):
    """The unbroadcast of the solution: it is this that once made a backward pass cost four forward ones."""
    g = np.ones((3, 4))
    assert lecture.names["unbroadcast_solution"](g, (3, 4)) is g


@claim("One difference for each weight would cost a million times the loss.")
def test_differences_ask_for_the_loss_again_and_again(lecture):
    calls = []
    lecture.names["numeric_grad"](lambda x: calls.append(1) or 0.0, np.zeros((7, 3)))
    assert len(calls) == 2 * 21, "a million weights: at least a million"


@claim(
    "The rules of `+`, `-`, `T` and `sum` read no value.",
    "For layers of width 1024, batches of 1024 and single precision, each of those has about 4 MB, as large as the layer's weights; with larger batches the activations are the larger part.",
)
def test_what_is_kept_for_the_backward_pass(lecture):
    rules, g = lecture.names["ARRAY_RULES"], np.ones((2, 3))
    for op, count in (("+", 2), ("-", 2), ("T", 1)):
        shares = rules[op](g, None, *[None] * count)
        assert len(shares) == count
    assert rules["sum"](2.0, None, np.full((2, 3), np.nan))[0] == pytest.approx(np.full((2, 3), 2.0)), "the shape alone"
    for op, inputs in (("tanh", 1), ("sigma", 1)):
        with pytest.raises(TypeError):
            rules[op](g, None, *[g] * inputs)
        rules[op](g, g, *[None] * inputs)
    assert pytest.approx(4, abs=0.3) == 1024 * 1024 * 4 / 1e6
    # torch keeps the same: the input and the output of each layer, and the weights
    kept, L = {}, 8
    weights = [torch.randn(16, 16, requires_grad=True) for _ in range(L)]
    with torch.autograd.graph.saved_tensors_hooks(lambda t: kept.setdefault(t.data_ptr(), t), lambda t: t):
        h = torch.randn(5, 16)
        for W in weights:
            h = torch.tanh(h @ W)
    activations = [t for t in kept.values() if tuple(t.shape) == (5, 16)]
    assert len(activations) == L + 1
    names = lecture.names
    ours = names["run_layers"]([w.detach().numpy() for w in weights], names["Node"](np.zeros((5, 16))))
    assert len(names["kept_arrays"](ours)) == L + 1


# torch's .grad


@claim(
    "w = torch.tensor(3.0, requires_grad=True).",
    "Twice in a row you run (w * w).backward().",
    "6 from each call.",
    "w itself does not change: no step was made.",
)
def test_two_backward_calls_add_up(lecture):
    assert lecture.names["two_calls"](3.0) == 12.0
    w = torch.tensor(3.0, requires_grad=True)
    (w * w).backward()
    assert (w.grad.item(), w.item()) == (6.0, 3.0)
    [asked] = [p for p in lecture.predictions if p.question.startswith("w = torch.tensor")]
    assert asked.then() == asked.answer


@claim("With `zero_grad` the loss falls at every step.")
def test_old_gradients_make_the_loss_go_up_and_down(lecture):
    printed = {zeroed: lecture.printed.split(f"{zeroed} zero_grad:")[1].splitlines()[0] for zeroed in ("with", "without")}
    falls = numbers(printed["with"])
    assert (np.diff(falls) <= 0).all() and falls[-1] < falls[0] / 1.5
    steps = np.diff(numbers(printed["without"]))
    assert (steps > 0).sum() >= 2 and (steps < 0).sum() >= 2
    rng = np.random.default_rng(3)
    X, y = torch.tensor(rng.normal(size=(8, 3))), torch.tensor(rng.normal(size=(8, 1)))
    w, losses = torch.zeros(3, 1, dtype=torch.float64, requires_grad=True), []
    optimizer = torch.optim.SGD([w], lr=0.022)
    for _ in range(30):
        optimizer.zero_grad()
        loss = ((X @ w - y) ** 2).sum()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert (np.diff(losses) < 0).all() and losses[::4] == pytest.approx(falls, abs=0.006)


@claim("The nodes between need no zeroing, in torch as little as here: each forward pass makes new ones.")
def test_inner_nodes_are_new_and_one_graph_is_walked_once(lecture):
    w = torch.tensor(2.0, requires_grad=True)
    inner = []
    for _ in range(2):
        w.grad = None
        u = w * w
        u.retain_grad()
        inner.append(u)
        (u * u).backward()
        assert w.grad.item() == 4 * 2.0**3 and u.grad.item() == 2 * 4.0
    assert inner[0] is not inner[1]
    root = (w * w) * w
    root.backward()
    with pytest.raises(RuntimeError):
        root.backward()
    w.grad, root = None, (w * w) * w
    root.backward(retain_graph=True)
    root.backward()
    assert w.grad.item() == 2 * 3 * 4.0


# Checking gradients


def errors_at(figure, h):
    figure.set(h=h)
    found = re.search(r"off by (\S+), the central one by (\S+), the complex step by (\S+)\.(?: |$)", figure.readout)
    return [float(found[i]) for i in (1, 2, 3)]


@claim(
    "You check a derivative of about 1 in float64 by central differences.",
    "about 1e-5",
    "f(x + h) and f(x - h) then agree in nearly all of their 16 digits, and what is left of the difference is noise.",
    "That is the best h of the forward difference.",
    "There the curve itself bends: an error of about h squared, 1e-4.",
    "The error is about h² from the bend of the curve, and 1e-16 / h from rounding.",
    "The two are equal at the cube root of 1e-16, about 5e-6.",
    "A float64 carries 16 digits.",
)
def test_which_step_is_best(lecture):
    """Over many points and functions: the best h, as the median error of each h is smallest there."""
    figure = lecture.figures["Error against h"]
    figure.set(x=0.7, dtype="float64")
    errors = {h: errors_at(figure, h) for h in (1e-15, 1e-13, 1e-8, 1e-5, 1e-2, 1e-1)}
    assert errors[1e-5][1] < 1e-9 < 1e-5 < min(errors[1e-13][1], errors[1e-1][1])
    assert min(errors, key=lambda h: errors[h][1]) == 1e-5 and min(errors, key=lambda h: errors[h][0]) == 1e-8
    assert errors[1e-15][1] > 1e-3 and 1e-5 < errors[1e-2][1] < 1e-3
    hs = 10.0 ** np.arange(-15, 0, 0.25)
    x = np.random.default_rng(0).uniform(-2, 2, size=400)
    for f, slope in ((np.tanh, lambda x: 1 - np.tanh(x) ** 2), (np.sin, np.cos), (np.exp, np.exp)):
        central = [np.median(np.abs((f(x + h) - f(x - h)) / (2 * h) - slope(x))) for h in hs]
        forward = [np.median(np.abs((f(x + h) - f(x)) / h - slope(x))) for h in hs]
        assert 1e-6 < hs[np.argmin(central)] < 4e-5 and 1e-9 < hs[np.argmin(forward)] < 1e-7
        agree = np.median(np.abs(f(x + 1e-15) - f(x - 1e-15)) / np.abs(f(x)))
        assert agree < 1e-14
    assert pytest.approx(5e-6, rel=0.1) == (1e-16) ** (1 / 3) and np.finfo(float).precision in (15, 16)


@claim(
    "From the right, each curve falls along a straight line: of slope 1 for the forward difference, whose error is about $h\\,|f''|/2$, and of slope 2 for the central one, $h^2\\,|f'''|/6$.",
    "Choose float32, which carries 7 digits: here at $x = 0.7$ no $h$ brings the central difference below an error of $10^{-6}$.",
    "$\\operatorname{Im} f(x + ih)/h$ subtracts nothing (Squire and Trapp, 1998).",
)
def test_the_error_falls_and_turns_up_again(lecture):
    figure = lecture.figures["Error against h"]
    figure.set(x=0.7, dtype="float64")
    x = torch.tensor(0.7, dtype=torch.float64, requires_grad=True)
    f = torch.tanh(x) * torch.sigmoid(3 * x)
    derivatives = []
    for _ in range(3):
        (f,) = torch.autograd.grad(f, x, create_graph=True)
        derivatives.append(f.item())
    for h in (1e-2, 1e-3):
        forward, central, _ = errors_at(figure, h)
        assert forward == pytest.approx(h * abs(derivatives[1]) / 2, rel=0.6)
        assert central == pytest.approx(h**2 * abs(derivatives[2]) / 6, rel=0.6)
    errors = {h: errors_at(figure, h) for h in (1e-3, 1e-4, 1e-7, 1e-10, 1e-13, 1e-15)}
    assert errors[1e-3][0] / errors[1e-4][0] == pytest.approx(10, rel=0.4)
    assert errors[1e-3][1] / errors[1e-4][1] == pytest.approx(100, rel=0.4)
    for which in (0, 1):  # around each of these steps, since single ones scatter
        rising = [
            np.mean([errors_at(figure, h * f)[which] for f in (1, 1.3, 1.7, 2.2, 3)]) for h in (1e-9, 1e-11, 1e-13, 1e-15)
        ]
        assert (np.diff(rising) > 0).all()
    assert max(errors[h][2] for h in (1e-10, 1e-13, 1e-15)) < 1e-14, "the complex step does not turn up"
    figure.set(dtype="float32")
    widget = figure.widgets["h"]
    grid = [10 ** (widget.min + k * widget.step) for k in range(round((widget.max - widget.min) / widget.step) + 1)]
    assert len(grid) > 100 and min(errors_at(figure, h)[1] for h in grid) > 1e-6


def test_the_default_view_does_not_show_the_answer(lecture):
    """Each curve is drawn from the right as far as h has come."""
    figure = lecture.figures["Error against h"]
    figure.update()
    lines = figure.figure.axes[0].get_lines()[:3]
    assert all(np.min(line.get_xdata()) > 0.05 for line in lines)
    figure.set(h=1e-9)
    assert all(np.min(line.get_xdata()) < 2e-9 for line in lines)


@claim(
    "Then make the size of the point at which the check is made smaller, down to 0, and find the faults that **hide** there.",
    "At size 0 the wrong tanh is invisible: $y = 0$ there, and $1 - y = 1 - y^2$.",
    "A factor of 1.001 is caught, and shows as 0.0005: the relative error divides by the sum of two norms.",
)
def test_every_planted_fault_is_found_and_named(lecture):
    figure, faults = lecture.figures["Plant a fault"], lecture.names["FAULTS"]
    for fault in faults:
        for size in (0.1, 0.75, 1.5):
            figure.set(fault=fault, size=size)
            said = figure.readout.split(": ", 1)[1].split(" Your tanh")[0]
            if fault == "no fault":
                assert said == "nothing is above 1e-6."
            else:
                assert said.startswith(f"{fault.split(':')[0]} (") and "," not in said, "it alone"
    hidden = set()
    for fault in faults:
        figure.set(fault=fault, size=0.0)
        if "nothing is above" in figure.readout:
            hidden.add(fault)
    assert hidden == {"no fault", "tanh: 1 - y for 1 - y²", "*: factors not swapped", "@: g transposed"}
    figure.set(fault="sigma: one part in a thousand", size=0.75)
    assert "sigma (5e-04)" in figure.readout


@claim("The series of $1 - \\tanh^2 x$ passes up to size 0.05, and fails from 0.1 on.")
def test_my_own_rule_is_judged(lecture):
    figure = lecture.figures["Plant a fault"]

    def error():
        return float(re.search(r"Your tanh rule: (\S+)\.", figure.readout)[1])

    figure.set(fault="no fault")
    for size in np.arange(0, 1.51, 0.05):
        figure.set(size=float(round(size, 2)))
        assert (error() <= 1e-6) == (size < 0.06), size
    assert error() > 0.1
    lecture.run("def my_suspect_rule(g, y, x):\n    return (g * (1 - y**2),)")
    assert error() < 1e-9
    lecture.run("def my_suspect_rule(g, y, x):\n    return g * (1 - y**2)")
    assert figure.note and figure.errors == [], "a rule that returns no tuple is told of, and the figure stands"


def test_the_wrong_product_passes_on_a_square_and_the_wrong_at_is_silent_where_the_output_is_square(lecture):
    names = lecture.names
    wrong = {**names["ARRAY_RULES"], **names["FAULTS"]["*: factors not swapped"]}
    assert names["check_operation"](lambda a: a * a, [(2, 3)], 0.75, wrong, names["unbroadcast"]) < 1e-8
    wrong = {**names["ARRAY_RULES"], **names["FAULTS"]["@: g transposed"]}
    error = names["check_operation"](lambda a, b: a @ b, [(3, 2), (2, 3)], 0.75, wrong, names["unbroadcast"])
    assert error > 0.05
    with pytest.raises(ValueError):
        names["check_operation"](lambda a, b: a @ b, [(2, 3), (3, 4)], 0.75, wrong, names["unbroadcast"])


# A deep chain


@claim(
    "The slope of the logistic function is a (1 - a).",
    "A chain of 10 such units, all weights 1.",
    "That is 2 to the power of -10.",
    "The slope is at most 1/4, at a = 1/2.",
    "The slope is at most a quarter, not a tenth.",
    "(1/4)^10 is about 1e-6.",
    "For all ten slopes to be 1/4, all ten units would have to sit at 1/2.",
)
def test_a_chain_of_logistic_units(lecture):
    a = np.linspace(0, 1, 100001)
    slopes = a * (1 - a)
    assert slopes.max() == 0.25 and a[slopes.argmax()] == 0.5 and np.sum(slopes >= 0.25 - 1e-12) == 1
    assert np.log10(0.25**10) == pytest.approx(-6.02, abs=0.01) and np.log10(2.0**-10) == pytest.approx(-3, abs=0.02)
    for value in ("-6", "-6.02", "-6.1", "-5.9"):
        assert judged(lecture, "The slope of the logistic", value)[0]
    for x in np.linspace(-5, 5, 41):
        node = start = lecture.names["Node"](x)
        for _ in range(10):
            node = lecture.names["sigma"](node)
        lecture.names["backward_numbers"](node)
        assert 0 < start.grad < 0.25**10


def kept_by_chain(figure, **settings):
    figure.set(**settings)
    return float(re.search(r"gradient is (\S+) of", figure.readout)[1])


@claim(
    "Logistic units lose the gradient everywhere: small weights leave slopes near 1/4, and large ones push the units to their flat ends.",
    "For tanh a gain of 1.2 keeps it within a factor of 4 over 30 layers.",
    "Without any activation the factor a layer is about the gain itself, so that 0.9 and 1.1 differ by a factor of 400 after 30 layers.",
    "The rules can all be right and the gradient useless.",
)
def test_a_deep_chain_loses_or_explodes(lecture):
    figure = lecture.figures["The gradient on its way back"]
    names = lecture.names
    for seed in range(5):
        for gain in (0.5, 0.7, 1.0, 1.4, 2.0, 3.0):
            assert kept_by_chain(figure, activation="logistic", gain=gain, depth=30, seed=seed) < 1e-6
        assert 0.25 < kept_by_chain(figure, activation="tanh", gain=1.2, seed=seed) < 4
        up, down = (kept_by_chain(figure, activation="none (linear)", gain=gain, seed=seed) for gain in (1.1, 0.9))
        assert up / down == pytest.approx(400, rel=0.1)
        assert up ** (1 / 30) == pytest.approx(1.1, rel=0.06) and down ** (1 / 30) == pytest.approx(0.9, rel=0.06)
    slopes = {}
    for gain in (0.5, 3.0):
        rng = np.random.default_rng(0)
        weights, x, found = rng.normal(size=(30, 32, 32)) / np.sqrt(32), rng.normal(size=(4, 32)), []
        for W in weights:
            x = names["logistic"](x @ (gain * W))
            found.append(x * (1 - x))
        slopes[gain] = np.median(found)
    assert slopes[0.5] > 0.23 and slopes[3.0] < 0.2


@claim(
    "The net below has layers of 32 units with random weights of variance $\\mathrm{gain}^2/32$.",
    "The gradient of its output is measured at every layer, by our engine.",
)
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
    figure = lecture.figures["The gradient on its way back"]
    figure.set(activation="tanh", gain=1.2, depth=25, seed=2)
    assert len(figure.figure.axes[0].get_lines()[1].get_ydata()) == 26
    rng = np.random.default_rng(2)
    weights = rng.normal(size=(40, 32, 32)) / np.sqrt(32)
    assert np.var(1.2 * weights) == pytest.approx(1.2**2 / 32, rel=0.02)
    X, g = rng.normal(size=(4, 32)), rng.normal(size=(4, 32))
    sizes = names["gradient_by_layer"](names["tanh"], 1.2, 25, weights, X, g)
    assert f"is {sizes[0] / sizes[-1]:.1e} of" in figure.readout


# Digits


@claim(
    "The data are 1797 handwritten digits of 8 x 8 pixels; 1258 are for training and 269 for validation.",
    "The net has 64 inputs, a layer of 32 tanh units and 10 logits, and its gradients come from the engine alone.",
    "First comes a check: over 100 steps with momentum, in float64, its weights are torch's.",
)
def test_weights_equal_torchs_over_100_steps(lecture):
    names = lecture.names
    digits = names["digits"]
    assert (len(digits.x_train), len(digits.x_val)) == (1258, 269)
    assert len(digits.x_train) + len(digits.x_val) + len(digits.x_test) == 1797 and digits.x_train.shape[1] == 8 * 8
    assert names["largest"] < 1e-9
    assert [a.shape for a in names["run_start"](0)["arrays"]] == [(32, 64), (32,), (10, 32), (10,)]
    state = names["run_start"](1)
    g = names["classifier_gradients"](state["arrays"], digits.x_train[:50], digits.y_train[:50])
    theirs = [torch.tensor(a, requires_grad=True) for a in state["arrays"]]
    logits = names["torch_mlp"](theirs, digits.x_train[:50])
    torch.nn.functional.cross_entropy(logits, torch.tensor(digits.y_train[:50])).backward()
    for ours, tensor in zip(g, theirs, strict=True):
        assert ours == pytest.approx(tensor.grad.numpy(), rel=1e-9, abs=1e-14)


def trained(names, seed, kind, lr=0.3, num_steps=600):
    state = names["run_start"](seed)
    (start, _), _ = names["run_losses"](state, kind)
    while state["steps"] < num_steps:
        names["run_step"](state, lr, kind)
    (train, _), (val, said) = names["run_losses"](state, kind)
    return start, train, val, int(np.sum(said != names["digits"].y_val))


@claim(
    "Someone writes the rule of tanh as `return (g,)`: the slope 1 - y² is forgotten.",
    "With the learning rate at 0.3, after 600 steps, the right gradient leaves about 5 to 10 of the 269 validation digits wrong, depending on the seed.",
    "Without the slope of tanh it is about 5 to 14, and with the mean in place of the sum for the biases about as many as with the right gradient.",
    "The loss falls in all three.",
    "Two other faults show in the loss: when old gradients stay in the sum it ends above that of guessing, and with softmax twice it stays above 1.46.",
)
def test_a_wrong_gradient_trains_too(lecture):
    names = lecture.names
    wrong = {kind: [] for kind in names["GRADIENTS"]}
    for seed in range(5):
        for kind, counts in wrong.items():
            start, train, val, count = trained(names, seed, kind)
            counts.append(count)
            if kind in ("right", "tanh without its slope", "bias: mean for sum"):
                assert train < start / 10 and val < start / 10
            elif kind == "softmax twice":
                assert train > 1.461
            else:
                assert train > np.log(10)
    assert all(4 <= count <= 11 for count in wrong["right"] + wrong["bias: mean for sum"])
    assert all(4 <= count <= 15 for count in wrong["tanh without its slope"])
    assert np.abs(np.subtract(wrong["right"], wrong["bias: mean for sum"])).max() <= 4
    figure = lecture.figures["Digits, by our engine"]
    figure.set(kind="right", seed=0, lr=0.3)
    while not figure.run.finished:
        figure.run.step()
    assert f"{wrong['right'][0]} of 269 validation digits wrong" in figure.readout and "Step 600 of 600" in figure.readout
    figure.run.reset()


@claim(
    "All shapes are right, so no operation can notice.",
    "The slopes lie between 0 and 1, so each share points the same way as before and is larger.",
)
def test_a_gradient_without_the_slope_has_mostly_the_right_signs(lecture):
    """At the start and while it trains; that of the last layer is right."""
    names, digits = lecture.names, lecture.names["digits"]
    bare = {**names["ARRAY_RULES"], "tanh": lambda g, y, x: (g,)}
    y, g = np.tanh(np.linspace(-4, 4, 101)), np.random.default_rng(0).normal(size=101)
    right, without = names["tanh_rule"](g, y, None)[0], g
    assert (np.sign(right) == np.sign(without)).all() and (np.abs(without) >= np.abs(right)).all()
    for seed in range(5):
        state = names["run_start"](seed)
        for _ in range(3):
            X, labels = digits.x_train[:200], digits.y_train[:200]
            right = names["classifier_gradients"](state["arrays"], X, labels)
            wrong = names["classifier_gradients"](state["arrays"], X, labels, rules=bare)
            assert [a.shape for a in right] == [a.shape for a in wrong]
            assert wrong[2] == pytest.approx(right[2], rel=1e-12) and wrong[3] == pytest.approx(right[3], rel=1e-12)
            used = right[0] != 0
            assert np.mean(np.sign(right[0]) == np.sign(wrong[0]), where=used) > 0.6
            for _ in range(100):
                names["run_step"](state, 0.3, "tanh without its slope")


def test_the_check_by_differences_finds_both_quiet_faults(lecture):
    names = lecture.names
    errors = names["check_engine"](0.75, {**names["ARRAY_RULES"], "tanh": lambda g, y, x: (g,)})
    assert errors["tanh"] > 1e-3
    assert names["check_engine"](0.75, names["ARRAY_RULES"], names["mean_for_sum"])["broadcast"] > 1e-3


def test_two_softmaxes_in_the_run_have_torchs_gradient(lecture):
    names, digits = lecture.names, lecture.names["digits"]
    state = names["run_start"](0)
    rows = np.random.default_rng(0)
    rows.normal(size=(32, 64)), rows.normal(size=(10, 32))  # what run_start draws
    rows = rows.integers(len(digits.x_train), size=64)
    theirs = [torch.tensor(a, requires_grad=True) for a in state["arrays"]]
    probs = torch.softmax(names["torch_mlp"](theirs, digits.x_train[rows]), dim=1)
    torch.nn.functional.cross_entropy(probs, torch.tensor(digits.y_train[rows])).backward()
    names["run_step"](state, 0.5, "softmax twice")
    for array, tensor in zip(state["arrays"], theirs, strict=True):
        assert array == pytest.approx((tensor - 0.5 * tensor.grad).detach().numpy(), rel=1e-9, abs=1e-12)


# The appendix


@claim(
    "While it is in a piece, there are at most the inputs of the pieces not yet done, about $L/k$, and the $k$ outputs inside this piece.",
    "With pieces of 8 layers 16 arrays are there at once in place of 65, the gradient is the same, and each layer was computed twice.",
    "Both ends are bad: pieces of one layer keep the input of each, and one piece of all layers keeps everything.",
)
def test_checkpointing_keeps_what_the_rules_read(lecture):
    names = lecture.names
    for L, ks in ((24, (1, 3, 4, 6, 24)), (64, (1, 2, 4, 8, 16, 32, 64))):
        weights = [np.random.default_rng(i).normal(size=(8, 8)) / 3 for i in range(L)]
        x, counts = np.random.default_rng(0).normal(size=(5, 8)), {}
        node = names["Node"](x)
        root = names["run_layers"](weights, node)
        names["backward"](root)
        assert len(names["kept_arrays"](root)) == L + 1
        for k in ks:
            g, counts[k] = names["backward_in_pieces"](weights, x, k)
            assert g == pytest.approx(node.grad, rel=1e-9)
            assert counts[k] == L // k + k
        assert counts[1] == counts[L] == L + 1
    assert counts[8] == 16 == min(counts.values()) and np.sqrt(64) == 8
    computed = []
    original = names["tanh"]
    try:
        names["tanh"] = lambda x: computed.append(1) or original(x)
        names["backward_in_pieces"](weights, x, 8)
    finally:
        names["tanh"] = original
    assert len(computed) == 2 * 64


@claim(
    "With seed 1 the run ends at the solution that the paper draws.",
    "Mirrored weights are equal and opposite, so that a symmetric pattern cancels in both hidden units; and their sizes stand as 1 : 2 : 4, so that no other pattern cancels.",
    "4 that oppose each other | the same solution with seed 1;",
)
def test_the_net_of_1986_finds_one_two_four(lecture):
    figure = lecture.figures["Is the pattern symmetric?"]
    assert figure.readout.startswith("Seed 1, lr 0.1, momentum 0.9, start within ±0.3")
    while not figure.run.finished:
        figure.run.step()
    assert figure.run.state["sweeps"] == 3000
    found = figure.readout.split("ratio: ")[1].rstrip(".").split(" : ")
    assert [float(r) for r in found] == pytest.approx([1, 2, 4], abs=0.1)
    assert "64 of 64 right" in figure.readout
    W = figure.run.state["arrays"][0]
    assert pytest.approx(-W[:, ::-1], abs=0.1) == W, "mirrored inputs oppose each other"
    patterns, symmetric = lecture.names["PATTERNS"], lecture.names["SYMMETRIC"][:, 0] == 1
    sums = np.abs(patterns @ W.T)
    assert sums[symmetric].max() < 0.3 < sums[~symmetric].min()
    figure.run.reset()


def runs(names, lr, spread, seeds, cap):
    """For each seed the state when all are right, or at the cap."""
    found = {}
    for seed in seeds:
        state = names["symmetry_start"](seed, spread)
        while state["sweeps"] < cap and state["right"][-1:] != [64]:
            names["sweep"](state, lr)
        found[seed] = state
    return found


@claim(
    "Five of the 12 seeds are still at $E = 4$ after the 3000 sweeps of the figure, where the output says no to everything.",
    "With a learning rate of 0.03 all 8 seeds arrive within 2000 sweeps, and with 0.1 three of them do.",
    "So $E = 4$ is no local minimum.",
    "It is a plateau: the steps of the larger learning rate have thrown the output unit to the flat end of its curve, where $a(1-a)$ is nearly 0, as for the saturated unit of the delta rule.",
    "How many sweeps it takes, and whether it arrives in 3000, depends on the seed and on the learning rate",
    "local minima are rare in their experience | 8 of 8 seeds arrive when the step is small enough",
)
def test_the_plateau_is_a_matter_of_the_step(lecture):
    names, outcome = lecture.names, lecture.names["outcome"]
    arrived = {lr: [seed for (rate, seed), count in outcome.items() if rate == lr and count] for lr in (0.1, 0.03)}
    assert len(arrived[0.03]) == 8 and len(arrived[0.1]) == 3
    stuck = runs(names, 0.1, 0.3, range(12), 3000)
    stuck = {seed: state for seed, state in stuck.items() if state["right"][-1] < 64}
    assert len(stuck) == 5
    logistic, patterns = names["logistic"], names["PATTERNS"]
    for state in stuck.values():
        assert state["error"][-1] == pytest.approx(4, abs=0.05) and state["right"][-1] == 56
        W1, b1, W2, b2 = state["arrays"]
        a = logistic(logistic(patterns @ W1.T + b1) @ W2.T + b2)
        assert (a * (1 - a)).max() < 1e-3
    small = runs(names, 0.03, 0.3, range(12), 2000)
    assert all(state["right"][-1] == 64 for state in small.values()), "the cause taken away, the effect goes"
    assert len({len(state["error"]) for state in small.values()}) > 5


@claim("Even there the runs go on, slowly: with 0.1, seed 2 arrives after about 15,600 sweeps.")
def test_a_run_leaves_the_plateau_by_itself(lecture):
    [state] = runs(lecture.names, 0.1, 0.3, [2], 20000).values()
    assert state["right"][-1] == 64 and 14000 < state["sweeps"] < 17000
    assert state["error"][3000] == pytest.approx(4, abs=0.05)


@claim(
    "A smaller step is no cure for all: with start weights within ±1 and a learning rate of 0.03, 5 of the 12 seeds have not arrived after 3000 sweeps.",
)
def test_large_starts_are_another_matter(lecture):
    late = [state for state in runs(lecture.names, 0.03, 1.0, range(12), 3000).values() if state["right"][-1] < 64]
    assert len(late) == 5


@claim("seeds 3 and 9 find 1 : 1.5 : 2, which tells all patterns apart too.")
def test_some_seeds_find_another_solution(lecture):
    names = lecture.names
    for seed in (3, 9):
        state = names["symmetry_start"](seed, 0.3)
        while state["sweeps"] < 4000:
            names["sweep"](state)
        W = state["arrays"][0]
        sizes = np.sort(np.abs(W[0][:3]))
        assert state["right"][-1] == 64 and sizes / sizes[0] == pytest.approx([1, 1.5, 2], abs=0.1)
        sums, symmetric = np.abs(names["PATTERNS"] @ W.T).max(axis=1), names["SYMMETRIC"][:, 0] == 1
        assert sums[symmetric].max() < 0.5 < sums[~symmetric].min()


# Exercises


@claim(
    "At a tie there is no derivative.",
    "Sharing equally is what torch's `amax` does; `max` with indices gives all to one of them.",
)
def test_a_tie_in_torch(lecture):
    x = torch.tensor([[5.0, 5.0, -1.0]], requires_grad=True)
    x.amax(dim=1).sum().backward()
    assert x.grad.tolist() == [[0.5, 0.5, 0.0]]
    x.grad = None
    x.max(dim=1).values.sum().backward()
    assert sorted(x.grad[0].tolist()) == [0.0, 0.0, 1.0]
    up, down = (max(5.0 + h, 5.0) - 5.0 for h in (1e-3, -1e-3))
    assert up > 0 and down == 0, "the slopes of the two sides differ"


@claim(
    "`X @ w` has the shape (N, 1) and `y` had (N,), so each prediction was compared with each target.",
    "And `w.grad` kept the sum over all steps.",
)
def test_the_two_faults_of_the_training_loop(lecture):
    names, rng = lecture.names, np.random.default_rng(0)
    X, y, w = rng.normal(size=(6, 2)), rng.normal(size=6), rng.normal(size=(2, 1))
    assert (X @ w - y).shape == (6, 6)
    weights, losses = names["mended_training"](X, y, w, 0.1, 4)
    wrong, wrong_losses = names["descent"](X, y, w, 0.1, 4, keeps=True, spreads=True)
    assert weights == pytest.approx(wrong, rel=1e-9) and losses == pytest.approx(wrong_losses, rel=1e-9)
    theirs, mean = torch.tensor(w, requires_grad=True), []
    for _ in range(4):
        loss = torch.nn.functional.mse_loss(torch.tensor(X) @ theirs, torch.tensor(y)[:, None])
        (g,) = torch.autograd.grad(loss, theirs)
        mean.append(loss.item())
        theirs = (theirs - 0.1 * g).detach().requires_grad_()
    right, right_losses = names["descent"](X, y, w, 0.1, 4)
    assert right == pytest.approx(theirs.detach().numpy(), rel=1e-9) and right_losses == pytest.approx(mean, rel=1e-9)


def kind_of_message(lecture, uses, code):
    """The state of an exercise and the hint that its author is given, once a cell with this answer is run."""
    lecture.run(code)
    task = lecture.exercises[uses]
    task.run()
    try:
        task.check(lecture.names[uses])
    except check.CheckError as error:
        return task.state, error.hint or ""
    except Exception as error:
        return task.state, str(error)
    return task.state, ""


WRONG = [
    ("my_times_rule", "return g * a, g * b", "swapped"),
    ("my_times_rule", "return b, a", "upstream gradient"),
    ("my_times_rule", "return [g * b, g * a]", ""),
    ("my_division_rule", "return g / b, g * a / b**2", "sign"),
    ("my_division_rule", "return 1 / b, -a / b**2", "upstream gradient"),
    ("my_tanh_rule", "return g * (1 - y**2)", "comma"),
    ("my_tanh_rule", "return (g * (1 - x**2),)", "square of x"),
    ("my_tanh_rule", "return (g * (1 - np.tanh(y) ** 2),)", "once more"),
    ("my_tanh_rule", "return (g * y * (1 - y),)", "logistic"),
    ("my_tanh_rule", "g *= 1 - y**2\n    return (g,)", "stays as it is"),
    ("my_unbroadcast", "n = g.size / max(np.prod(shape), 1)\n    return unbroadcast_solution(g, shape) / n", "mean"),
    ("my_unbroadcast", "return g.sum(axis=0)", ""),
    ("my_unbroadcast", "return g.sum(axis=tuple(range(g.ndim - len(shape))))", ""),
    ("my_logits_gradient", "return (reference.softmax(Z) - np.eye(Z.shape[1])[labels])", "sum over the batch"),
    ("my_logits_gradient", "return (np.eye(Z.shape[1])[labels] - reference.softmax(Z)) / len(Z)", "turned round"),
    ("my_logits_gradient", "return reference.softmax(Z) / len(Z)", "subtracted"),
    (
        "my_logits_gradient",
        "p = np.exp(Z) / np.exp(Z).sum(1, keepdims=True)\n    return (p - np.eye(Z.shape[1])[labels]) / len(Z)",
        "",
    ),
    ("max_rule", "near = x > y - 0.5\n    return (g * near / near.sum(1, keepdims=True),)", ""),
    ("max_rule", "return (g * (x == y),)", "share it equally"),
    ("entropy_deltas", "return deltas(x, W, V, T)", "squared error"),
    (
        "entropy_deltas",
        "a = logistic(W @ x)\n    k = logistic(V @ a)\n    d = np.where(T > 0.5, 1 - k, -k)\n    return (V.T @ d) * a * (1 - a), d",
        "rounded",
    ),
    ("entropy_deltas", "a = logistic(W @ x)\n    d = T - logistic(V @ a)\n    return V.T @ d, d", "slope"),
    (
        "entropy_deltas",
        "a = logistic(W @ x)\n    d = T - logistic(V @ a)\n    return d, (V.T @ d) * a * (1 - a)",
        "First the hidden",
    ),
    (
        "hessian_times",
        "h = 1e-5\n    a, b = Node(x + h), Node(x - h)\n    backward(f(a))\n    backward(f(b))\n    return v * (a.grad - b.grad) / (2 * h)",
        "not along all ones",
    ),
    (
        "hessian_times",
        "n = x.shape[1]\n    a, b = Node(x + 1e-5 * np.eye(n)), Node(x - 1e-5 * np.eye(n))\n    backward(f(a))\n    backward(f(b))\n"
        "    return v @ ((a.grad - b.grad) / 2e-5)",
        "One point at a time",
    ),
    (
        "hessian_times",
        "rows = []\n    for e in np.eye(x.shape[1]):\n        a, b = Node(x + 1e-5 * e), Node(x - 1e-5 * e)\n        backward(f(a))\n"
        "        backward(f(b))\n        rows.append((a.grad - b.grad)[0] / 2e-5)\n    return v @ np.array(rows)",
        "",
    ),
]
SIGNATURES = {
    "my_times_rule": "g, y, a, b",
    "my_division_rule": "g, y, a, b",
    "my_tanh_rule": "g, y, x",
    "my_unbroadcast": "g, shape",
    "my_logits_gradient": "Z, labels",
    "max_rule": "g, y, x",
    "entropy_deltas": "x, W, V, T",
    "hessian_times": "f, x, v",
    "my_share_out": "node, rules",
    "mended_backward": "root",
    "mended_training": "X, y, w, lr, num_steps",
}


@pytest.mark.parametrize(("uses", "body", "hint"), WRONG, ids=[f"{w[0]}-{i}" for i, w in enumerate(WRONG)])
def test_wrong_answers_fail_and_are_told_why(lecture, uses, body, hint):
    state, said = kind_of_message(lecture, uses, f"def {uses}({SIGNATURES[uses]}):\n    {body}")
    assert state == "failed" and hint in said, said


SHARE = """def my_share_out(node, rules):
    values = [p.value for p in node.parents]
    shares = rules[node.op]({g}, node.value, *values)
    for parent, share in zip(node.parents, shares):
        parent.grad {to} share
"""


@pytest.mark.parametrize(
    ("g", "to", "hint"), [("node.grad", "=", "replaces"), ("1.0", "+=", "not 1"), ("node.grad", "+=", None)]
)
def test_accumulation_is_checked(lecture, g, to, hint):
    state, said = kind_of_message(lecture, "my_share_out", SHARE.format(g=g, to=to))
    assert (state == "passed") is (hint is None) and (hint or "") in said, said


LOOP = """def mended_training(X, y, w, lr, num_steps):
    X, y = torch.tensor(X), torch.tensor(y){reshaped}
    w = torch.tensor(w, requires_grad=True)
    losses = []
    for _ in range(num_steps):
        loss = ((X @ w - y) ** 2).mean()
        {zeroed}
        loss.backward()
        with torch.no_grad():
            w -= lr * w.grad
        losses.append({loss})
    return w.detach().numpy(), losses
"""


@pytest.mark.parametrize(
    ("reshaped", "zeroed", "loss", "hint"),
    [
        ("", "pass", "loss.item()", "Both faults"),
        ("[:, None]", "pass", "loss.item()", "earlier steps"),
        ("", "w.grad = None", "loss.item()", "(N, N)"),
        ("[:, None]", "w.grad = None", "loss", "loss.item()"),
        ("[:, None]", "w.grad = None", "loss.item()", None),
    ],
)
def test_the_mended_loop_is_checked(lecture, reshaped, zeroed, loss, hint):
    code = LOOP.format(reshaped=reshaped, zeroed=zeroed, loss=loss)
    state, said = kind_of_message(lecture, "mended_training", code)
    assert (state == "passed") is (hint is None) and (hint or "") in said, said


ENGINE = """def mended_backward(root):
    order = {order}
    for node in order:
        {zero}
    root.grad = 1.0
    for node in order:
        values = [parent.value for parent in node.parents]
        if node.parents:
            for parent, share in zip(node.parents, RULES[node.op](node.grad, node.value, *values), strict=True):
                parent.grad = {sum}
"""


@pytest.mark.parametrize(
    ("order", "zero", "sum", "hint"),
    [
        (
            "topological_order(root)[::-1]",
            "node.grad = 0.0",
            "parent.grad + share if parent.parents else share",
            "last share alone",
        ),
        ("too_early(root)", "node.grad = 0.0", "parent.grad + share", "before all of its users"),
        ("topological_order(root)[::-1]", "pass", "parent.grad + share", "second call"),
        ("topological_order(root)[::-1]", "node.grad = 0.0", "parent.grad + share", None),
    ],
)
def test_the_mended_engine_is_checked(lecture, order, zero, sum, hint):
    state, said = kind_of_message(lecture, "mended_backward", ENGINE.format(order=order, zero=zero, sum=sum))
    assert (state == "passed") is (hint is None) and (hint or "") in said, said


def test_exercises_do_not_depend_on_what_the_reader_may_change(lecture):
    """my_expression is the reader's: whatever it is, the check of the engine accepts the right answer and refuses a wrong one."""
    lecture.run("def my_expression(a, b):\n    return 3.0")
    good = ENGINE.format(order="topological_order(root)[::-1]", zero="node.grad = 0.0", sum="parent.grad + share")
    assert kind_of_message(lecture, "mended_backward", good)[0] == "passed"
    lecture.run("my_function = my_activation = my_suspect_rule = None")
    assert kind_of_message(lecture, "mended_backward", good)[0] == "passed"


# Summary


@claim(
    "The backward pass goes in reverse topological order: a node shares out its gradient when all of its users have given theirs, and shares accumulate.",
    "Check each rule by central differences, in float64, with h near 1e-5, at random points.",
)
def test_the_summary_names_what_was_shown(lecture):
    nodes = by_hand(lecture)
    order = lecture.names["topological_order"](nodes["L"])
    for i, node in enumerate(order):
        assert all(order.index(parent) < i for parent in node.parents)
    assert lecture.names["numeric_grad"].__defaults__ == (1e-5,)
    assert max(lecture.names["check_engine"](0.75).values()) < 1e-8
