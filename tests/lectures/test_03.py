"""Lecture 03: each sentence that asserts something is proved, through the figures where the reader is told to use them."""

import inspect
import math
from functools import partial

import numpy as np
import pytest
import torch

from dlcourse import check
from tests.claims import claim

SEEDS = range(5)


def names(lecture, *wanted):
    return [lecture.names[name] for name in wanted]


def prediction(lecture, start):
    [found] = [question for question in lecture.predictions if question.question.startswith(start)]
    return found


def run_of(lecture, start):
    """What a prediction shows after the commit."""
    return prediction(lecture, start).then()


def losses_of(lecture, step, degrees, lr, num_steps=100):
    return float(lecture.names["valley"](lecture.names["turned_path"](step, degrees, lr, num_steps)[-1]))


# What has to be found


@claim(
    "There are 1,797 pictures of 8 by 8 pixels, cut at random into three parts:",
    "1,258 to train on, 269 for validation, which means choosing among settings, and 270 for the test at the very end.",
)
def test_the_data(lecture):
    digits = lecture.names["digits"]
    assert [len(y) for y in (digits.y_train, digits.y_val, digits.y_test)] == [1258, 269, 270]
    assert digits.x_train.shape[1] == 8 * 8 and 1258 + 269 + 270 == 1797
    figure = lecture.figures["The pictures"]
    figure.set(part="test", digit=9)
    assert figure.readout == f"{(digits.y_test == 9).sum()} of these 270 pictures show a 9. Here are the first 24."
    shown = figure.ax.images[0].get_array()
    assert np.array_equal(shown[1:9, 1:9], digits.x_test[digits.y_test == 9][0].reshape(8, 8))


@claim(
    "The net has 64 inputs, one for each pixel, then 32 hidden units, then ten outputs, one for each digit:",
    "Unit $j$ of the hidden layer weighs the 64 pixels, adds a bias, and is set to zero where that is negative (ReLU).",
    "A net that gives every digit a tenth has a cost of $\\log 10 = 2.303$.",
)
def test_the_net(lecture):
    layers, net_scores, net_cost, theta, digits = names(lecture, "layers", "net_scores", "net_cost", "theta_0", "digits")
    W1, b1, W2, b2 = layers(theta)
    assert (W1.shape, b1.shape, W2.shape, b2.shape) == ((32, 64), (32,), (10, 32), (10,))
    assert theta.size == 64 * 32 + 32 + 32 * 10 + 10 == 2410
    x, y = torch.from_numpy(digits.x_val), torch.from_numpy(digits.y_val)
    z = torch.relu(x @ torch.tensor(W1.T) + torch.tensor(b1)) @ torch.tensor(W2.T) + torch.tensor(b2)
    assert net_scores(theta, digits.x_val) == pytest.approx(z.numpy())
    assert net_cost(theta, digits.x_val, digits.y_val) == pytest.approx(torch.nn.functional.cross_entropy(z, y).item())
    assert net_cost(np.zeros(2410), digits.x_val, digits.y_val) == pytest.approx(math.log(10))
    assert round(math.log(10), 3) == 2.303


@claim(
    "Pick one of the 2,410 weights and move it; the other 2,409 stay as they are.",
    "Try weights below 2,048, which belong to pixels, and some above 2,080, which belong to outputs.",
    "Weight 0 changes nothing: it belongs to the pixel at the top left, which is white in every training picture.",
)
def test_one_weight(lecture):
    figure, digits = lecture.figures["One weight of 2,410"], lecture.names["digits"]
    layers, theta = names(lecture, "layers", "theta_0")
    number = layers(np.arange(2410))
    assert number[0].max() == 2047 and number[2].min() == 2080 and number[0][0, 0] == 0
    assert (digits.x_train[:, 0] == 0).all()
    for value in (-3.0, 0.0, 3.0):
        figure.set(weight=0, value=value)
        assert figure.readout.endswith("a change of +0.0000.")
    before = theta.copy()
    figure.set(weight=2200, value=3.0)
    moved = theta.copy()
    moved[2200] = 3.0
    change = lecture.names["net_cost"](moved, digits.x_train, digits.y_train) - lecture.names["net_cost"](
        theta, digits.x_train, digits.y_train
    )
    assert f"a change of {change:+.4f}" in figure.readout and abs(change) > 0.01
    assert np.array_equal(theta, before)


# One weight: slope and learning rate


@claim(
    "At $w = 2$ the slope is $L'(2) = 1.6 - 2 + 0.2 = -0.2$.",
    "At $w = 3$ it is $5.4 - 3 + 0.2 = 2.6$, and the curve goes down to the left.",
    "With lr = 0.3 one step leads from 2 to $2 + 0.3 \\cdot 0.2 = 2.06$, and from 3 to $3 - 0.3 \\cdot 2.6 = 2.22$.",
)
def test_slopes_and_steps_by_hand(lecture):
    loss, slope, descend = names(lecture, "loss", "slope", "descend")
    assert slope(2.0) == pytest.approx(-0.2) and slope(3.0) == pytest.approx(2.6)
    assert loss(2.99) < loss(3.0)
    assert descend(2.0, slope, 0.3, 1)[-1] == pytest.approx(2.06) and descend(3.0, slope, 0.3, 1)[-1] == pytest.approx(2.22)
    w, h = np.linspace(-3, 3, 50), 1e-6
    assert slope(w) == pytest.approx((loss(w + h) - loss(w - h)) / (2 * h), abs=1e-8)


@claim(
    "The curve has a high valley on the right, a hill at w = 0.20 and a lower valley on the left.",
    "The skier starts at w = 1 with lr = 0.3 and takes 30 steps.",
    "The slope at 1 is -0.6, so the first step goes right, and so do the next.",
    "The skier feels the slope where it stands, and no slope on this side of the hill leads over it.",
    "The slope is zero there, but at w = 1 it points away from the hill.",
    "at w = 2.13, in the right-hand valley",
    "The loss there is 0.69, and in the other valley it would be -0.21.",
    "The slope at one place says nothing about other valleys.",
    "The gradient is local: it tells in which direction the cost falls here, and nothing about other valleys.",
)
def test_where_the_skier_comes_to_rest(lecture):
    loss, slope, descend = names(lecture, "loss", "slope", "descend")
    zeros = np.sort(np.roots([1 / 5, 0, -1, 1 / 5]))
    assert zeros == pytest.approx([-2.33, 0.20, 2.13], abs=0.005)
    assert loss(zeros[[0, 2]]) == pytest.approx([-0.21, 0.69], abs=0.005)
    path = descend(1.0, slope, 0.3, 30)
    assert slope(1.0) == pytest.approx(-0.6) and (np.diff(path[:10]) > 0).all()
    assert run_of(lecture, "The curve has") == pytest.approx(2.13, abs=0.005)
    this_side = np.linspace(0.21, 3.6, 300)
    assert (this_side - 0.3 * slope(this_side) > zeros[1]).all()
    # Another landscape to the left of the hill, the same run.
    other = lambda w: np.where(w > 0.2, slope(w), -slope(w) + 7)  # noqa: E731
    assert np.array_equal(descend(1.0, other, 0.3, 30), path)


@claim(
    "On the left are the skier's first 40 steps.",
    "On the right is where it ends, for every learning rate at once: the last 60 of 400 positions, from the same start.",
    "One dot above a learning rate means that the run converges, two that it jumps to and fro between two places, many that it "
    "wanders, and none that it diverges: the numbers overflow.",
)
def test_all_learning_rates_at_once(lecture):
    figure, descend, slope = lecture.figures["A whole run"], *names(lecture, "descend", "slope")
    figure.set(start=1.0, lr=1.3)
    left, right = figure.figure.axes[:2]
    assert left.lines[1].get_xdata() == pytest.approx(descend(1.0, slope, 1.3, 400)[:40])
    x, y = right.lines[0].get_data()
    assert x.size == 60 * 300
    for lr, says, dots in (
        (0.3, "converges to w = 2.13", 1),
        (1.3, "visits 2 places", 2),
        (1.54, "wanders", 20),
        (2.0, "diverges", 0),
    ):
        figure.set(lr=lr)
        assert says in figure.readout
        column = y[x == x[np.abs(x - lr).argmin()]]
        places = len(np.unique(np.round(column[np.abs(column) < 4], 2)))
        assert places >= dots if dots > 2 else places == dots


@claim(
    "at lr = 0.3, the start at which the skier first ends in the other valley;",
    "from start 1, the learning rate above which it steps over the minimum more than once on its way (the readout counts);",
    "from start 1, the learning rate above which it no longer converges.",
    "The three values are 0.20, the top of the hill; about 0.6; and 1.16.",
)
def test_three_values(lecture):
    figure = lecture.figures["A whole run"]
    for start, end in ((0.25, "w = 2.13"), (0.2, "w = -2.33")):
        figure.set(start=start, lr=0.3)
        assert end in figure.readout
    for lr, times in ((0.3, 0), (0.56, 0), (0.58, 0), (0.6, 2), (0.7, 5)):
        figure.set(start=1.0, lr=lr)
        assert f"steps over that place {times} times" in figure.readout
    figure.set(lr=1.14)
    assert "converges to w = 2.13" in figure.readout
    figure.set(lr=1.18)
    assert "does not converge" in figure.readout
    path = lecture.names["descend"](1.0, lecture.names["slope"], 1.16, 20_000)
    assert path[-1] == pytest.approx(2.1284, abs=1e-3)


@claim(
    "The last one follows from how fast the slope changes, the curvature $L''(w) = \\tfrac35 w^2 - 1$, which is 1.72 at the "
    "right-hand minimum.",
    "The distance shrinks while that factor lies between $-1$ and $1$.",
    "It is negative above $\\mathrm{lr} = 1/1.72 = 0.58$, and each step then lands on the other side.",
    "It falls below $-1$ above $\\mathrm{lr} = 2/1.72 = 1.16$.",
    "The absolute value of the factor is the convergence rate: at a rate of 0.9, a tenth of the distance goes with each step.",
    "In the left-hand valley the curvature is 2.26.",
    "That is 1 / 2.26, where it starts to step over the minimum.",
    "That is the limit of the right-hand valley, with its curvature of 1.72.",
    "It is 2 / 2.26 = 0.885, where the factor 1 - lr * curvature reaches -1.",
)
def test_the_factor_near_a_minimum(lecture):
    slope, descend = names(lecture, "slope", "descend")
    zeros = np.sort(np.roots([1 / 5, 0, -1, 1 / 5]))
    for minimum, curvature in ((zeros[2], 1.72), (zeros[0], 2.26)):
        assert 3 / 5 * minimum**2 - 1 == pytest.approx(curvature, abs=0.005)
        for lr in (0.3, 0.1 / curvature, 0.9 / curvature, 1.1 / curvature, 1.9 / curvature, 2.1 / curvature):
            first, second = descend(minimum + 1e-5, slope, lr, 1) - minimum
            factor = 1 - lr * curvature
            assert second / first == pytest.approx(factor, abs=0.01)
            assert (abs(second) < abs(first)) == (-1 < factor < 1) and (second < 0) == (lr > 1 / curvature)
    assert pytest.approx((0.58, 1.16), abs=0.005) == (1 / 1.72, 2 / 1.72)
    question = prediction(lecture, "In the left-hand valley")
    assert question.answer == pytest.approx(0.885, abs=5e-4)
    assert question.then() == (
        "At lr 0.88: It converges to w = -2.33, where the loss is -0.21. "
        "At lr 0.9: It does not converge: it visits 2 places in turn, -2.47, -2.16."
    )
    assert question.hints[0][0] < 1 / 2.26 < question.hints[0][1] and question.hints[1][0] < 1.16 < question.hints[1][1]
    rate_09 = descend(1.0, lambda w: w, 0.1, 1)
    assert rate_09[1] / rate_09[0] == pytest.approx(0.9)


@claim(
    "Further out the curve is steeper: from $w = 3$ with lr = 1.1 the first step leads across the hill into the left-hand valley, "
    "and there the run does not converge."
)
def test_far_from_the_minimum(lecture):
    figure = lecture.figures["A whole run"]
    figure.set(start=3.0, lr=1.1)
    second = figure.figure.axes[0].lines[1].get_xdata()[1]
    assert second < 0.20 and "does not converge" in figure.readout
    figure.set(start=-3.0, lr=0.3)
    assert "converges to w = -2.33" in figure.readout
    figure.set(start=3.2, lr=2.0)
    assert "diverges" in figure.readout and "outside the picture" in figure.readout


# The gradient


def best_single_weight(lecture):
    """The lowest cost that one weight alone can bring, over values from -3 to 3."""
    layers, theta, digits = names(lecture, "layers", "theta_0", "digits")
    W1, b1, W2, b2 = layers(theta)
    x, y = digits.x_train, digits.y_train
    pre = x @ W1.T + b1
    hidden = np.maximum(pre, 0)
    z = hidden @ W2.T + b2

    def cost(z):
        top = z.max(axis=1, keepdims=True)
        return np.mean(np.log(np.exp(z - top).sum(axis=1)) + top[:, 0] - z[np.arange(len(y)), y])

    best = cost(z)
    for k in range(10):
        for j in range(33):  # 32 units and the bias
            column, weight = (hidden[:, j], W2[k, j]) if j < 32 else (np.ones(len(x)), b2[k])
            for value in (-3.0, -1.5, 0.0, 1.5, 2.5, 3.0):
                changed = z.copy()
                changed[:, k] += (value - weight) * column
                best = min(best, cost(changed))
    for j in range(32):
        for i in range(65):
            column, weight = (x[:, i], W1[j, i]) if i < 64 else (np.ones(len(x)), b1[j])
            for value in (-3.0, 0.0, 3.0):
                unit = np.maximum(pre[:, j] + (value - weight) * column, 0)
                best = min(best, cost(z + np.outer(unit - hidden[:, j], W2[:, j])))
    return best


@claim(
    "With random weights the cost is 2.321.",
    "Setting the best single weight to its best value between -3 and 3 brings it to 2.241.",
    "One step of gradient descent with lr = 0.5 may move all 2,410 weights, and moves none by more than 0.05.",
    "Each move changes the cost a little, and none of these changes is upwards, so they add up.",
    "The step uses all of them.",
    "about 2.19, more than the best single weight does",
)
def test_one_step_against_one_weight(lecture):
    theta, g, net_cost, digits = names(lecture, "theta_0", "gradient_0", "net_cost", "digits")
    cost = partial(net_cost, x=digits.x_train, y=digits.y_train)
    assert cost(theta) == pytest.approx(2.321, abs=5e-4)
    single = best_single_weight(lecture)
    assert single == pytest.approx(2.241, abs=5e-4)
    assert np.abs(0.5 * g).max() < 0.05 and (g != 0).sum() > 1500
    assert cost(theta - 0.5 * g) == pytest.approx(2.19, abs=0.005) and cost(theta - 0.5 * g) < single
    assert run_of(lecture, "With random weights") == "after one step: 2.188, largest move of a weight 0.041"
    for i in np.random.default_rng(0).choice(2410, 40, replace=False):
        moved = theta.copy()
        moved[i] -= 0.5 * g[i]
        assert cost(moved) - cost(theta) < 1e-12


def test_the_gradient_is_the_slope_of_every_weight(lecture):
    theta, net_cost, net_gradient, digits = names(lecture, "theta_0", "net_cost", "net_gradient", "digits")
    x, y = digits.x_val[:40], digits.y_val[:40]
    g = net_gradient(theta, x, y)
    for i in np.random.default_rng(1).choice(2410, 60, replace=False):
        ahead, behind = theta.copy(), theta.copy()
        ahead[i] += 1e-6
        behind[i] -= 1e-6
        assert g[i] == pytest.approx((net_cost(ahead, x, y) - net_cost(behind, x, y)) / 2e-6, abs=1e-7)


@claim(
    "Every rule of this lecture has the same form: weights and gradient in, new weights out, and a dictionary state in which it may "
    "remember things between steps."
)
def test_every_rule_has_the_same_form(lecture):
    for step in (*lecture.names["ALL_RULES"].values(), lecture.names["my_optimizer"]):
        w, state = np.array([1.0, -2.0]), {}
        new = step(w, np.array([0.5, 3.0]), state, 0.1)
        assert new.shape == (2,) and np.array_equal(w, [1.0, -2.0])
        assert list(inspect.signature(step).parameters)[:4] == ["w", "g", "state", "lr"]


# Which learning rates converge


@claim(
    "It is a narrow valley: along $w_1$ the curvature is 1, across it, along $w_2$, it is 50.",
    "With lr = 0.03 the factors are 0.97 and $-0.5$.",
    "With lr = 0.05 they are 0.95 and $-1.5$: the second weight diverges.",
    "The ratio of the two curvatures, $\\kappa = \\lambda_{\\max} / \\lambda_{\\min}$, is called the condition number; here it is 50.",
    "The learning rate that serves both ends best is $2 / (\\lambda_{\\max} + \\lambda_{\\min})$.",
    "At $\\kappa = 50$ it is 0.961, so the distance to the minimum falls to a tenth in 58 steps.",
    "In the narrow valley the gradients across point to and fro, while those along all point the same way.",
)
def test_the_narrow_valley(lecture):
    optimize, sgd, lam, rate = names(lecture, "optimize", "sgd", "valley_curvatures", "rate")
    assert list(lam) == [1.0, 50.0]
    for lr, factors in ((0.03, (0.97, -0.5)), (0.05, (0.95, -1.5))):
        path = optimize(sgd, lambda w: lam * w, [-4.0, 1.0], 60, lr)
        assert path[1] / path[0] == pytest.approx(np.array(factors))
    assert abs(path[-1, 1]) > 1e9
    path = optimize(sgd, lambda w: lam * w, [-4.0, 1.0], 30, 0.03)
    g = path * lam
    assert (g[1:, 1] * g[:-1, 1] < 0).all() and (g[1:, 0] * g[:-1, 0] > 0).all()
    lrs = np.linspace(0.001, 0.0399, 2000)
    slowest = rate(lam[:, None], lrs, 0.0).max(axis=0)
    assert lrs[slowest.argmin()] == pytest.approx(2 / 51, rel=1e-3) and slowest.min() == pytest.approx(49 / 51, abs=1e-4)
    assert pytest.approx(0.961, abs=5e-4) == 49 / 51
    assert math.ceil(math.log(0.1) / math.log(49 / 51)) == 58
    distance = np.abs(optimize(sgd, lambda w: lam * w, [1.0, 1.0], 58, 2 / 51))
    assert (distance[58] < 0.1).all() and (distance[57] > 0.1).all()


# Momentum


@claim(
    "With $\\beta = 0.9$ and a gradient of 1 at each step, $v$ is 1, then 1.9, then 2.71, and it approaches 10.",
    "With gradients that alternate between 1 and $-1$ it stays between $-1$ and 1.",
    "In a mode of curvature $\\lambda$ the position $x$ and the velocity $v$ together go through a 2 by 2 matrix at each step:",
)
def test_the_velocity(lecture):
    step = lecture.names["momentum"]
    state, same = {}, []
    for _ in range(200):
        step(np.zeros(1), np.ones(1), state, 0.1)
        same.append(state["v"][0])
    assert same[:3] == pytest.approx([1, 1.9, 2.71]) and same[-1] == pytest.approx(10) and max(same) <= 10
    state, other = {}, []
    for t in range(200):
        step(np.zeros(1), np.array([(-1.0) ** t]), state, 0.1)
        other.append(abs(state["v"][0]))
    assert max(other) <= 1
    rng = np.random.default_rng(0)
    for lam, lr, beta in rng.uniform([0.01, 0.01, 0], [1, 4, 0.99], size=(50, 3)):
        x, state = np.array([1.0]), {}
        expected = np.array([1.0, 0.0])
        for _ in range(4):
            x = step(x, lam * x, state, lr, beta)
            expected = np.array([[1 - lr * lam, -lr * beta], [lam, beta]]) @ expected
            assert [x[0], state["v"][0]] == pytest.approx(list(expected))


def test_the_rate_equals_the_matrix_eigenvalues_and_what_runs_measure(lecture):
    rate, measured = names(lecture, "rate", "measured_rate")
    rng = np.random.default_rng(0)
    for lam, lr, beta in rng.uniform([0.01, 0.01, 0], [1, 4, 0.99], size=(200, 3)):
        matrix = np.array([[1 - lr * lam, -lr * beta], [lam, beta]])
        expected = np.abs(np.linalg.eigvals(matrix)).max()
        assert rate(lam, lr, beta) == pytest.approx(expected, rel=1e-6)
    for lr, beta in [(0.01, 0.0), (0.039, 0.0), (0.01, 0.9), (0.05, 0.6), (0.03, 0.8)]:
        assert measured(lr, beta) == pytest.approx(rate(lecture.names["valley_curvatures"], lr, beta), abs=0.005)


@claim(
    "The condition number grows from 100 to 400, and you choose the best lr and beta anew.",
    "That holds without momentum. With it, the number of steps grows with the square root of the condition number.",
    "without momentum four times, with momentum twice as many",
    "Without momentum the rate is (k - 1) / (k + 1), nearly 1 - 2 / k: with four times the k, the distance to 1 is a quarter.",
    "Without momentum the rate is (k - 1) / (k + 1), with it (s - 1) / (s + 1) with s = sqrt(k): 115 steps against 11 at k = 100, "
    "461 against 23 at k = 400.",
    "At the best setting the number of steps grows with $\\kappa$ without momentum, and with $\\sqrt\\kappa$ with it.",
)
def test_steps_grow_with_kappa_or_its_root(lecture):
    rate, steps_to_tenth = names(lecture, "rate", "steps_to_tenth")
    found = {}
    for kappa in (100.0, 400.0):  # the best over a fine grid, not the formula
        lrs = np.linspace(0.5, 4, 1501)
        alone = np.maximum(rate(1 / kappa, lrs, 0.0), rate(1.0, lrs, 0.0)).min()
        lrs, betas = np.meshgrid(np.linspace(2.5, 4, 400), np.linspace(0.5, 0.97, 400))
        both = np.maximum(rate(1 / kappa, lrs, betas), rate(1.0, lrs, betas)).min()
        s = math.sqrt(kappa)
        assert alone == pytest.approx((kappa - 1) / (kappa + 1), abs=2e-4)
        assert (s - 1) / (s + 1) <= both + 1e-9 and both == pytest.approx((s - 1) / (s + 1), abs=0.01)
        found[kappa] = [float(steps_to_tenth(r)) for r in ((kappa - 1) / (kappa + 1), (s - 1) / (s + 1))]
    assert [round(n) for n in found[100.0] + found[400.0]] == [115, 11, 461, 23]
    assert found[400.0][0] / found[100.0][0] == pytest.approx(4, abs=0.05)
    assert found[400.0][1] / found[100.0][1] == pytest.approx(2, abs=0.05)
    assert pytest.approx(1 / 4, abs=0.01) == (1 - 399 / 401) / (1 - 99 / 101)
    assert run_of(lecture, "The condition number grows") == "k = 100: 115 and 11, k = 400: 461 and 23"


MODES = "Momentum: one run, and all pairs of lr and beta"


@claim(
    "On the left of the figure, 60 steps on a valley of the condition number that you set, from the corner at (1, 1).",
    "On the right, the number of steps in which the slowest mode falls to a tenth, for all pairs of learning rate and $\\beta$ at once: "
    "dark is fast, white does not converge.",
    "The cross is your pair, and the star is the best one.",
)
@pytest.mark.parametrize("kappa", [4.0, 50.0, 400.0])
def test_the_modes_figure(lecture, kappa):
    rate, best_pair = names(lecture, "rate", "best_pair")
    figure = lecture.figures[MODES]
    figure.set(kappa=kappa, lr=0.5, beta=0.3)
    left, right = figure.figure.axes[:2]
    run = np.array(left.lines[1].get_data()).T
    assert run.shape == (61, 2) and list(run[0]) == [1, 1]
    assert run[1] == pytest.approx(1 - 0.5 * np.array([1 / kappa, 1.0]))
    cross, star = right.lines
    assert (cross.get_xdata()[0], cross.get_ydata()[0]) == (0.5, 0.3)
    lr, beta = star.get_xdata()[0], star.get_ydata()[0]
    assert (lr, beta) == best_pair(kappa)
    best = max(rate(1 / kappa, lr, beta), rate(1.0, lr, beta))
    assert best == pytest.approx((np.sqrt(kappa) - 1) / (np.sqrt(kappa) + 1), rel=1e-4)
    lrs, betas = np.meshgrid(np.linspace(0.01, 4, 300), np.linspace(0, 0.99, 300))
    worst = np.maximum(rate(1 / kappa, lrs, betas), rate(1.0, lrs, betas))
    assert worst.min() >= best - 1e-6
    heat = right.images[0]
    values = np.asarray(heat.get_array())
    grid_lr, grid_beta = np.meshgrid(np.linspace(0.02, 4, 90), np.linspace(0, 0.99, 60))
    outside = grid_lr > 2 * (1 + grid_beta) + 0.03
    assert (values[outside] > heat.norm.vmax).all() and (values[grid_lr < 2 * (1 + grid_beta) - 0.1].min() < 1.5)
    assert tuple(heat.cmap(99.0)) == (1, 1, 1, 1) and sum(heat.cmap(0.0)[:3]) < sum(heat.cmap(1.0)[:3])


@claim(
    "With $\\beta = 0$, raise lr until the run diverges.",
    "With lr at 1.0, raise $\\beta$ until the path begins to swing, then further.",
    "Then drive the cross to the star, and past it.",
    "At the star both modes have the same rate, $(\\sqrt\\kappa - 1)/(\\sqrt\\kappa + 1)$.",
    "There is a best $\\beta$ for each condition number: with more of it the path swings for longer, and with less the flattest mode needs "
    "more steps, whatever lr is.",
    "Momentum also moves the limit of the learning rate, from $2/\\lambda_{\\max}$ to $2(1 + \\beta)/\\lambda_{\\max}$, which is the edge of "
    "the white region on the right.",
)
def test_what_to_try_with_momentum(lecture):
    figure, rate, best_pair = lecture.figures[MODES], *names(lecture, "rate", "best_pair")
    figure.set(kappa=50.0, beta=0.0, lr=1.9)
    assert "steps to a tenth" in figure.readout
    figure.set(lr=2.1)
    assert "does not converge" in figure.readout and "outside the picture" in figure.readout

    def swings():
        flattest = figure.figure.axes[0].lines[1].get_xdata()
        return int((flattest[1:] * flattest[:-1] < 0).sum())

    seen = []
    for beta in (0.0, 0.5, 0.7, 0.9, 0.97):
        figure.set(lr=1.0, beta=beta)
        seen.append(swings())
    assert seen[:2] == [0, 0] and seen[3] > 0 and seen[4] > 0
    figure.set(lr=3.06, beta=0.57)
    assert "Rate of the flattest mode 0.75" in figure.readout and "of the steepest 0.75" in figure.readout
    figure.set(lr=3.3)
    assert "does not converge" in figure.readout
    for kappa in (10.0, 50.0, 400.0):
        lr, beta = best_pair(kappa)
        assert rate(1 / kappa, lr, beta) == pytest.approx(rate(1.0, lr, beta), rel=1e-3)
        lrs, best = np.linspace(0.01, 4, 800), (np.sqrt(kappa) - 1) / (np.sqrt(kappa) + 1)
        more, less = min(0.99, beta + 0.08), beta - 0.08
        assert np.maximum(rate(1 / kappa, lrs, more), rate(1.0, lrs, more)).min() > best + 0.005
        stable = lrs < 2 * (1 + less)
        assert rate(1 / kappa, lrs[stable], less).min() > best + 0.002
        for b in (0.0, less, more):
            assert rate(1.0, 2 * (1 + b) - 1e-3, b) < 1 < rate(1.0, 2 * (1 + b) + 1e-3, b)


# A step size for each weight


@claim(
    "Take a weight whose gradient is 100 at every step, and one whose gradient is 0.01.",
    "At the first step, $g/\\sqrt{g^2} = 1$ for both: both move by lr.",
    "At the second step, $g / \\sqrt{2 g^2} = 0.71$ for both.",
    "The sum never shrinks, so the steps become shorter and shorter.",
    "But the mean starts at zero and is too small at first: with $\\alpha = 0.99$ the first step is $g/\\sqrt{0.01\\,g^2} = 10$, ten times "
    "lr.",
)
def test_adagrad_and_rmsprop_by_hand(lecture):
    adagrad, rmsprop = names(lecture, "adagrad", "rmsprop")
    g, state, w, moves = np.array([100.0, 0.01]), {}, np.zeros(2), []
    for _ in range(20):
        new = adagrad(w, g, state, 0.1)
        moves.append((w - new) / 0.1)
        w = new
    assert moves[0] == pytest.approx([1, 1]) and moves[1] == pytest.approx([0.71, 0.71], abs=0.005)
    assert (np.diff(moves, axis=0) < 0).all()
    assert -rmsprop(np.zeros(2), g, {}, 0.1) / 0.1 == pytest.approx([10, 10], rel=1e-4)


@claim(
    "By hand, with $\\beta_1 = 0.9$, $\\beta_2 = 0.999$ and a first gradient of 5:",
    "$m = 0.5$ and $s = 0.025$, then $\\hat m = 5$ and $\\hat s = 25$, so the weight moves by lr.",
    "Without the correction it would move by $0.5/\\sqrt{0.025} = 3.2$ times lr.",
)
def test_adam_by_hand(lecture):
    state = {}
    w = lecture.names["adam_solution"](np.array([1.0]), np.array([5.0]), state, 0.1)
    assert (state["m"][0], state["s"][0]) == pytest.approx((0.5, 0.025))
    assert pytest.approx((5, 25)) == (0.5 / (1 - 0.9), 0.025 / (1 - 0.999)) and w[0] == pytest.approx(1 - 0.1)
    [without] = lecture.names["adam_variant"](np.array([1.0]), [np.array([5.0])], 0.1, 0.9, 0.999, 1e-8, "uncorrected")
    assert (1 - without[0]) / 0.1 == pytest.approx(3.2, abs=0.05)


@claim(
    "Each runs beside its namesake in torch.optim for 100 steps, in double precision, on Rosenbrock's valley, a narrow valley that is bent."
)
def test_optimizers_equal_torch_and_so_do_their_gradients(lecture):
    """The notebook checks the path; here every optimizer from other starts and rates, against torch in float64."""
    make = {
        "sgd": lambda p, lr: torch.optim.SGD(p, lr=lr),
        "momentum": lambda p, lr: torch.optim.SGD(p, lr=lr, momentum=0.9),
        "nesterov": lambda p, lr: torch.optim.SGD(p, lr=lr, momentum=0.9, nesterov=True),
        "adagrad": lambda p, lr: torch.optim.Adagrad(p, lr=lr),
        "rmsprop": lambda p, lr: torch.optim.RMSprop(p, lr=lr),
        "adadelta": lambda p, lr: torch.optim.Adadelta(p, lr=lr),
        "adam": lambda p, lr: torch.optim.Adam(p, lr=lr),
    }
    assert set(make) == set(lecture.names["ALL_RULES"])
    assert lecture.printed.count("largest difference from torch over 100 steps") == 7
    rng = np.random.default_rng(0)
    for name, step in lecture.names["ALL_RULES"].items():
        for lr in (0.003, 0.05):
            start, scale = rng.normal(size=5), rng.uniform(0.5, 4, size=5)
            ours = lecture.names["optimize"](step, lambda w, scale=scale: scale * np.sinh(w), start, 100, lr)[-1]
            w = torch.tensor(start, requires_grad=True)
            optimizer = make[name]([w], lr)
            for _ in range(100):
                optimizer.zero_grad()
                (torch.tensor(scale) * torch.cosh(w)).sum().backward()
                optimizer.step()
            assert ours == pytest.approx(w.detach().numpy(), rel=1e-10, abs=1e-12), (name, lr)


@claim(
    "Every rule runs at its own best learning rate for the angle that you set, found among 51 from 0.0001 to 10; of several that bring the "
    "loss below $10^{-12}$, the smallest counts as the best.",
    "On the right is the loss that each rule reaches, for all these learning rates at once, with a marker at the best.",
    "The narrow valley lies along the axes, so that one weight has the large gradients.",
)
def test_tuned_at_every_angle_and_never_at_the_edge(lecture):
    rules, lrs, best_loss, best_lr = names(lecture, "RULES", "MANY_LRS", "best_loss", "best_lr")
    assert len(lrs) == 51 and (lrs[0], lrs[-1]) == pytest.approx((0.0001, 10))
    assert best_lr(np.array([1.0, 1e-15, 1e-40, np.nan]), np.array([1.0, 2.0, 3.0, 4.0])) == 2.0
    figure = lecture.figures["The same valley, turned"]
    for degrees in range(0, 46, 5):
        figure.set(degrees=float(degrees))
        curves = {line.get_label(): line for line in figure.figure.axes[1].lines if line.get_label() in rules}
        heads = [line for line in figure.figure.axes[1].lines if line.get_label() == "_head"]
        for (name, step), head in zip(rules.items(), heads, strict=False):
            best, lr = best_loss(step, degrees, 100)
            assert lrs[0] < lr < lrs[-1], (name, degrees)
            assert head.get_xdata()[0] == lr and head.get_ydata()[0] == pytest.approx(max(best, 1e-12))
            assert curves[name].get_ydata()[lrs == lr][0] == pytest.approx(max(best, 1e-12))
    path = lecture.names["turned_path"](lecture.names["sgd"], 0, 0.03, 10)
    assert np.abs(path[0] * lecture.names["valley_curvatures"]) == pytest.approx([4, 50])


@claim(
    "The valley is turned by 45 degrees, and each rule is tuned anew.",
    "All three divide each coordinate by its own size.",
    "Adam has momentum besides, and momentum sees no axes.",
    "Turn all gradients, and the whole path is turned with them.",
    "A learning rate multiplies all coordinates alike.",
    "Turned by 45 degrees, both coordinates see gradients of nearly the same size, and dividing by that size helps neither.",
    "Straight, AdaGrad and RMSprop bring the loss below $10^{-12}$ in 100 steps.",
    "At 45 degrees their best is 0.04 and 0.008.",
    "Momentum reaches about 0.0001 at every angle, and Adam stays below 0.0003 at every angle.",
    "But the learning rates that suit Adam change: at lr = 0.1 its loss is 0.0005 when the valley is straight and 1.1 at 45 degrees, while at "
    "lr = 0.5 it is below 0.001 at every angle.",
    "Adam owes that to its momentum: with $\\beta_1 = 0$ its best loss, too, rises from below $10^{-12}$ to 0.002.",
    "How well AdaGrad and RMSprop work depends on how the axes lie, and for Adam the learning rate that works does.",
)
def test_the_turned_valley(lecture):
    rules, best_loss, turned_path = names(lecture, "RULES", "best_loss", "turned_path")
    best = {(name, d): best_loss(step, d, 100)[0] for name, step in rules.items() for d in range(46)}
    assert best["adagrad", 0] < 1e-12 and best["rmsprop", 0] < 1e-12
    assert best["adagrad", 45] == pytest.approx(0.04, abs=0.005) and best["rmsprop", 45] == pytest.approx(0.008, abs=0.0006)
    for degrees in range(46):
        assert best["momentum", degrees] == pytest.approx(0.0001, abs=2e-5) and best["adam", degrees] < 0.0003
        assert losses_of(lecture, rules["adam"], degrees, 0.5) < 0.001
        for name in ("sgd", "momentum"):
            path = turned_path(rules[name], degrees, 0.03, 100)
            assert path == pytest.approx(turned_path(rules[name], 0, 0.03, 100), abs=1e-10)
    assert losses_of(lecture, rules["adam"], 0, 0.1) == pytest.approx(0.0005, abs=1e-4)
    assert losses_of(lecture, rules["adam"], 45, 0.1) == pytest.approx(1.1, abs=0.06)
    without = partial(rules["adam"], beta1=0.0)
    assert best_loss(without, 0, 100)[0] < 1e-12 and best_loss(without, 45, 100)[0] == pytest.approx(0.002, abs=5e-4)
    # The cause: gradients of nearly one size. Divide along the valley's own axes instead, and the angle costs nothing.
    lam = lecture.names["valley_curvatures"]
    c = np.sqrt(0.5)
    R = np.array([[c, -c], [c, c]])
    sizes = np.sqrt(((turned_path(rules["adagrad"], 45, 1.3, 100) * lam @ R.T) ** 2).sum(0))
    assert 0.8 < sizes[0] / sizes[1] < 1.3
    straight = np.sqrt(((turned_path(rules["adagrad"], 0, 1.3, 100) * lam) ** 2).sum(0))
    assert straight[1] / straight[0] > 3
    own_axes = lambda w, g, state, lr: rules["adagrad"](w @ R, g @ R, state, lr) @ R.T  # noqa: E731
    assert best_loss(own_axes, 45, 100)[0] < 1e-12
    figure = lecture.figures["The same valley, turned"]
    figure.set(degrees=45)
    assert "adagrad 0.04 (lr 1.3), rmsprop 0.0084 (lr 0.13), adam 7e-05 (lr 0.5)" in figure.readout
    shown = run_of(lecture, "The valley is turned")
    assert "adagrad below 1e-12 and 0.04; rmsprop below 1e-12 and 0.0084" in shown


# Mini-batches


@claim(
    "An epoch is one pass through all training pictures: with $N = 1258$ and $B = 32$ an epoch has 40 steps, the last with the 10 pictures "
    "that are left.",
    "Take the simplest loss that has examples, $L_i(w) = \\tfrac12 (w - x_i)^2$ with numbers $x_i$ of variance 1.",
    "The minimum of its mean is the mean of the $x_i$, and its curvature is 1.",
)
def test_epochs_and_the_simplest_loss(lecture):
    sizes = []
    step = lambda w, g, state, lr: w  # noqa: E731
    lecture.names["net_gradient"] = lambda theta, x, y: sizes.append(len(y))
    lecture.names["train"](lecture.names["theta_0"], step, 0.1, 32, 1, np.random.default_rng(0))
    assert len(sizes) == 40 and sizes[-1] == 10 and set(sizes[:-1]) == {32}
    x = np.random.default_rng(0).normal(size=50)
    cost = lambda w: np.mean((w - x) ** 2) / 2  # noqa: E731
    h = 1e-4
    assert (cost(x.mean() + h) + cost(x.mean() - h) - 2 * cost(x.mean())) / h**2 == pytest.approx(1, abs=1e-4)
    assert cost(x.mean()) < min(cost(x.mean() + h), cost(x.mean() - h))
    assert lecture.names["kicks"].var() == pytest.approx(1, abs=0.02)


@claim("Its gradient is right on average, with a variance $B$ times smaller than that of one picture.")
def test_the_variance_of_a_mini_batch(lecture):
    net_gradient, theta, digits = names(lecture, "net_gradient", "theta_0", "digits")
    rng = np.random.default_rng(0)

    def batches(size, count):
        rows = rng.integers(0, 1258, (count, size))
        return np.array([net_gradient(theta, digits.x_train[r], digits.y_train[r]) for r in rows])

    one, eight = batches(1, 1500), batches(8, 600)
    whole = net_gradient(theta, digits.x_train, digits.y_train)
    assert one.var(axis=0).sum() / eight.var(axis=0).sum() == pytest.approx(8, rel=0.1)
    assert np.linalg.norm(eight.mean(0) - whole) < 3 * np.sqrt(eight.var(axis=0).sum() / 600)


@claim(
    "One example at a time, lr = 0.1 at every step.",
    "With a constant lr the last few examples always have the same share in the weight.",
    "somewhere around the minimum, on average as far away as before",
    "Each step also pulls towards the mean, and lr = 0.1 is far below the limit of 2.",
    "With lr = 0.1, $\\sigma = 1$ and $B = 1$ it is $0.1 / 3.8 = 0.026$.",
)
def test_the_balance(lecture):
    skiers, floor = names(lecture, "skiers", "noise_floor")
    loss = skiers(0.1, 1, lambda t, T: 1.0)
    assert loss[100:250].mean() == pytest.approx(loss[250:].mean(), rel=0.1)
    assert loss[100:].mean() == pytest.approx(0.026, rel=0.1)
    assert floor(0.1, 1, 1.0) == pytest.approx(0.026, abs=5e-4)
    assert "0.0273 in steps 100 to 250, 0.0263 in steps 250 to 400" in run_of(lecture, "One example at a time")
    shares = 0.1 * 0.9 ** np.arange(300)
    for steps in (100, 300):  # the weight is the sum of share * example, whatever the number of steps
        x, w = np.random.default_rng(0).normal(size=steps), 0.0
        for value in x:
            w -= 0.1 * (w - value)
        assert w == pytest.approx(shares[:steps] @ x[::-1])


@claim(
    "In the figure, 200 runs start together, each with its own examples.",
    "The thick line is their mean loss; between the thin lines lie 160 of the 200.",
    "At the smallest learning rate the run is still on its way.",
    "Raise lr to 0.2 and show the formula.",
    "Then try to halve the floor in two ways, and to make it sink for as long as the run lasts.",
    "For small learning rates the floor depends on lr / B alone: half the learning rate or twice the batch, it is nearly the same.",
    "Small steps need longer to arrive, and large batches cost more pictures.",
    "Mini-batches at a constant learning rate leave a noise floor of about $\\mathrm{lr}\\,\\sigma^2 / 4B$.",
    "Smaller steps, larger batches or a schedule lower it.",
)
def test_the_noise_floor(lecture):
    skiers, floor, schedules = names(lecture, "skiers", "noise_floor", "SCHEDULES")
    constant = schedules["constant"]
    for lr, batch in ((0.1, 1), (0.2, 4), (0.5, 32)):
        assert skiers(lr, batch, constant)[200:].mean() == pytest.approx(floor(lr, batch, 1.0), rel=0.1)
    figure = lecture.figures["The noise floor"]

    def last():
        return float(figure.readout.split("over the last 50: ")[1].split(",")[0])

    def soon():
        return float(figure.readout.split("after 20 steps: ")[1].split(";")[0])

    assert "formula" not in figure.readout, "the default view does not answer the prediction above it"
    assert (np.diff(figure.ax.lines[2].get_ydata()[::50]) < 0).all() and figure.widgets["lr"].value == pytest.approx(0.01)
    figure.set(lr=0.2, batch="1", schedule="constant", formula=True)
    assert "Floor at constant lr, by the formula: 0.056." in figure.readout
    first, first_soon = last(), soon()
    low, high, mean = (line.get_ydata() for line in figure.ax.lines[:3])
    heights = skiers(0.2, 1, constant)
    inside = ((heights >= low[:, None]) & (heights <= high[:, None])).sum(axis=1)
    assert heights.shape == (401, 200) and (np.abs(inside[1:] - 160) <= 1).all() and mean == pytest.approx(heights.mean(1))
    assert (heights[0] == heights[0, 0]).all() and len(np.unique(heights[1])) == 200
    figure.set(batch="2")
    by_batch = last()
    figure.set(batch="1", lr=0.1)
    assert (by_batch / first, last() / first) == pytest.approx((0.5, 0.5), abs=0.06) and soon() > first_soon
    figure.set(lr=0.2, schedule="cosine to zero")
    assert last() < first / 5
    assert floor(0.01, 1, 1.0) == pytest.approx(0.01 / 4, rel=0.01) and floor(0.02, 2, 1.0) == pytest.approx(0.01 / 4, rel=0.02)


@claim("The schedule $1/t$ fulfils both.", "Halving does not: its learning rates add up to a finite sum.")
def test_schedules_and_their_sums(lecture):
    schedules = lecture.names["SCHEDULES"]
    t = np.arange(2_000_000)
    one_over_t = schedules["1 / t"](t, len(t))
    sums, squares = np.cumsum(one_over_t), np.cumsum(one_over_t**2)
    assert sums[-1] - sums[len(t) // 10] > 40 and squares[-1] - squares[len(t) // 10] < 0.01
    halved = np.array([schedules["halved every 100 steps"](k, 1) for k in range(20_000)])
    assert halved.sum() == pytest.approx(200) and halved[:10_000].sum() == pytest.approx(200)


# Training the net


@claim(
    "After each epoch we look at two numbers, the cost of the training pictures and the cost of the validation pictures, which no step has "
    "seen."
)
def test_no_step_sees_validation_pictures(lecture):
    train, theta, momentum, digits = names(lecture, "train", "theta_0", "momentum", "digits")
    before = train(theta, momentum, 0.1, 32, 1, np.random.default_rng(0))
    lecture.names["digits"] = digits._replace(x_val=digits.x_val * np.nan, x_test=digits.x_test * np.nan)
    assert np.array_equal(train(theta, momentum, 0.1, 32, 1, np.random.default_rng(0)), before)


@claim(
    "By the 60th epoch the training cost is down to about 0.0014, less than a quarter of what it was after the 20th.",
    "The validation cost ends at about 0.06, more than half of what it was after the 20th, and some 98 % of the validation pictures are right.",
    "So in the later epochs the net learns above all its training pictures.",
    "The training curve alone does not show this.",
)
def test_both_curves_over_seeds(lecture):
    train, random_weights, momentum, costs, accuracy, digits = names(
        lecture, "train", "random_weights", "momentum", "costs", "net_accuracy", "digits"
    )
    assert lecture.names["reference_costs"][-1][0] == 60
    last = [lecture.names["reference_costs"][i][1:] for i in (20, 60)]
    for seed in (None, *range(4)):
        if seed is not None:
            rng, last = np.random.default_rng(seed), []

            def keep(epoch, theta, last=last):
                if epoch in (20, 60):
                    last.append(costs(theta))

            theta = train(random_weights(rng), momentum, 0.1, 32, 60, rng, keep)
            assert 0.965 < accuracy(theta, digits.x_val, digits.y_val) < 0.995
        (train_20, val_20), (train_60, val_60) = last
        assert train_60 == pytest.approx(0.0014, abs=3e-4) and train_60 < train_20 / 4
        assert val_60 == pytest.approx(0.06, abs=0.02) and val_60 > val_20 / 2


@claim(
    "On the right are the 32 hidden units: each picture shows the 64 weights of one unit, blue where a dark pixel raises it, red where it "
    "lowers it.",
    "One press of Step is two steps of gradient descent; the slider next to it sets the speed.",
)
def test_what_the_training_figure_shows(lecture):
    figure = lecture.figures["Train the net yourself"]
    image = figure.figure.axes[1].images[0]
    W1 = lecture.names["layers"](lecture.names["theta_0"])[0]
    shown = np.asarray(image.get_array())
    assert shown[1:9, 10:18] == pytest.approx(W1[1].reshape(8, 8) / np.abs(W1).max()) and shown.shape == (4 * 9, 8 * 9)
    red, _, blue, _ = image.cmap(0.95)
    assert blue > red and image.cmap(0.05)[0] > image.cmap(0.05)[2]
    figure.run.step()
    assert figure.readout.startswith("Step 2, epoch 0.1:")


@claim(
    "You train with sgd at lr = 0.3 for 400 steps, raise lr to 3 for 60 steps, and bring it back to 0.3 for another 400.",
    "They went far, and not to a good place.",
    "At the end of the detour hardly a unit is left that has a gradient to learn by.",
    "about 2.3, that of a net that knows nothing",
    "The large steps push units so far that they are zero on every training picture.",
    "Such a unit has a gradient of exactly zero, and no step can bring it back.",
)
def test_a_net_that_is_lost(lecture):
    follow, plan, costs, silent, layers, net_gradient, digits = names(
        lecture, "follow", "sgd_step_then_back", "costs", "silent_units", "layers", "net_gradient", "digits"
    )
    assert plan == [(0.3, 400), (3.0, 60), (0.3, 400)]
    for seed in SEEDS:
        before, jumped, after = follow(plan, seed)
        assert costs(before)[0] < 0.15 and silent(before) <= 2 and silent(jumped) >= 31
        assert costs(after)[0] == pytest.approx(2.3, abs=0.02)
        g = net_gradient(jumped, digits.x_train, digits.y_train)
        dead = (digits.x_train @ layers(jumped)[0].T + layers(jumped)[1]).max(axis=0) <= 0
        assert dead.sum() == silent(jumped) and (layers(g)[0][dead] == 0).all() and (layers(g)[1][dead] == 0).all()
    # The cause: give the units their weights of before the detour, and the same steps bring the cost down.
    rng, theta = np.random.default_rng(0), after.copy()
    theta[:2080] = before[:2080]
    for _ in range(400):
        rows = rng.integers(0, 1258, 32)
        theta = theta - 0.1 * net_gradient(theta, digits.x_train[rows], digits.y_train[rows])
    assert costs(theta)[0] < 0.3


@claim(
    "Train with sgd at lr = 0.3 for some 600 steps, then lower lr to 0.03: the jitter of the training curve, which is the noise of the batches, "
    "nearly vanishes, and the cost sinks a little.",
    "Reset, and raise lr to 3 after 400 steps as in the prediction: within ten steps most units are silent.",
)
def test_drive_it_as_the_text_says(lecture):
    figure = lecture.figures["Train the net yourself"]
    figure.set(rule="sgd", lr=0.3, batch="32")
    figure.run.reset()

    def press(count):
        end = figure.run.ticks + count
        while figure.run.ticks < end:  # several presses to a drawing
            figure.run.advance(min(10, end - figure.run.ticks))
        return np.array(figure.run.state["costs"])[:, 1]

    rough = press(300)[200:]
    assert figure.readout.startswith("Step 600, ") and "Since step 0: sgd, lr 0.3" in figure.readout
    figure.set(lr=0.03)
    assert "The next steps: sgd, lr 0.03" in figure.readout
    smooth = press(100)[310:]
    assert "Since step 600: sgd, lr 0.03" in figure.readout
    jitter = lambda curve: np.abs(np.diff(curve)).mean()  # noqa: E731
    assert jitter(smooth) < jitter(rough) / 10 and 0.4 * rough.mean() < smooth.mean() < rough.mean()
    figure.run.reset()
    figure.set(lr=0.3)
    press(200)
    figure.set(lr=3.0)
    press(5)
    assert lecture.names["silent_units"](figure.run.state["theta"]) > 16
    press(25)
    figure.set(lr=0.3)
    press(200)
    assert "32 of 32 units silent" in figure.readout and figure.run.state["costs"][-1][1] == pytest.approx(2.3, abs=0.02)
    # The jitter is the batches': without them there is none.
    theta, costs, net_gradient, digits = names(lecture, "theta_0", "costs", "net_gradient", "digits")
    curve = []
    for _ in range(200):
        theta = theta - 0.3 * net_gradient(theta, digits.x_train, digits.y_train)
        curve.append(costs(theta)[0])
    assert (np.diff(curve) < 0).all()


@claim(
    "The next cell trains with sgd at lr = 0.3 in three ways.",
    "In the same number of epochs, batches of 32 bring the cost to about 0.1, and full batches to about 1.8, because these take one step where "
    "those take 40.",
    "In the same number of steps, full batches come somewhat lower, to about 0.08, but they look at more than 30 times as many pictures.",
)
def test_epochs_against_steps(lecture):
    train, random_weights, sgd, costs = names(lecture, "train", "random_weights", "sgd", "costs")
    assert "batches of 32, 10 epochs      400 steps" in lecture.printed
    assert "all 1258 at once, 10 epochs    10 steps" in lecture.printed
    found = []
    for seed in SEEDS:
        ends = []
        for batch, epochs in ((32, 10), (1258, 10), (1258, 400)):
            rng = np.random.default_rng(seed)
            ends.append(costs(train(random_weights(rng), sgd, 0.3, batch, epochs, rng))[0])
        found.append(ends)
    small, whole, as_many_steps = np.mean(found, axis=0)
    assert small == pytest.approx(0.1, abs=0.03) and whole == pytest.approx(1.8, abs=0.15)
    assert as_many_steps == pytest.approx(0.08, abs=0.015) and as_many_steps < small
    assert 400 * 1258 / (10 * 1258) > 30


@claim(
    "Should the best learning rate be the first or the last of those tried, the search stops with an error: the true best might lie outside.",
    "Each is tuned on two seeds, for ten epochs, by its validation cost, and then run with five fresh seeds.",
    "Momentum and Adam end at about 0.1, the others somewhat higher.",
    "The standard deviation between seeds is about 0.02, and so is the difference between one rule and the next.",
)
def test_the_comparison(lecture):
    comparison, candidates, tuned = names(lecture, "comparison", "CANDIDATES", "tuned")
    for name, (lr, found) in comparison.items():
        assert candidates[name][0] < lr < candidates[name][-1] and len(found) == 5
    mean = {name: found.mean() for name, (_, found) in comparison.items()}
    assert mean["momentum"] == pytest.approx(0.1, abs=0.015) and mean["adam"] == pytest.approx(0.1, abs=0.015)
    assert all(max(mean["momentum"], mean["adam"]) < mean[name] < 0.2 for name in ("sgd", "adagrad", "rmsprop"))
    assert np.mean([found.std() for _, found in comparison.values()]) == pytest.approx(0.02, abs=0.006)
    gaps = np.diff(sorted(mean.values()))
    assert gaps.max() < 0.03 and gaps.mean() == pytest.approx(0.015, abs=0.007)
    lecture.names["CANDIDATES"] = {**candidates, "momentum": (0.001, 0.003, 0.01)}
    with pytest.raises(ValueError, match="at the edge"):
        tuned("momentum")


@claim("The test pictures are used once, for the 60 epochs with momentum from above:")
def test_the_test_pictures_are_used_once(lecture):
    text = lecture.source.read_text(encoding="utf-8")
    assert text.count("digits.x_test") == 2, "shown in the first figure, and used once"
    assert "test_accuracy = net_accuracy(trained, digits.x_test, digits.y_test)" in text
    assert 0.96 < lecture.names["test_accuracy"] < 1


# Weight decay


@claim(
    "For plain gradient descent, this is the same as shrinking each weight by the factor $1 - \\mathrm{lr}\\,\\lambda$ before the step, called "
    "weight decay:",
    "It divides the decay, too, by $\\sqrt{\\hat s}$, as it does with whatever is added to the gradient.",
)
def test_decay_in_sgd_and_in_adam(lecture):
    sgd, adam_l2, adamw = names(lecture, "sgd", "adam_l2", "adamw")
    rng = np.random.default_rng(0)
    w, g = rng.normal(size=(2, 6))
    assert sgd(w, g + 0.7 * w, {}, 0.1) == pytest.approx(sgd(w * (1 - 0.1 * 0.7), g, {}, 0.1))
    assert np.abs(adam_l2(w, g, {}, 0.1, 0.7) - adamw(w, g, {}, 0.1, 0.7)).max() > 0.01
    assert adam_l2(w, 0 * g, {}, 0.1, 0.7) == pytest.approx(w - 0.1 * np.sign(w), abs=1e-6), (
        "a decay alone is divided by itself"
    )


@claim(
    "To see the difference, take two weights whose gradients are pure noise: nothing but the decay moves them in one direction.",
    "Both start at 1, and the gradients of the second are larger by a factor that you choose.",
    "In both rules lr = 0.001.",
    "The decay is 1, lr is 0.001, and the gradients of the second weight are 100 times as large.",
    "Both weights start at 1.",
    "That is what AdamW does.",
    "the first near 0.2, the second still near 1",
    "It is the other way round: large gradients make a large divisor, and what is left of the decay is small.",
    "Adam divides the gradient and the decay in it by about 100 for the second weight, so its decay is about 100 times slower.",
    "With a decay of 0.01, which is the default of torch.optim.AdamW, 2,000 steps at lr = 0.001 shrink a weight by 2 %: you cannot see it here "
    "beside the noise.",
    "A decay of 1 shows.",
)
def test_two_weights_that_decay(lecture):
    decay_paths, adam_l2, adamw, adam = names(lecture, "decay_paths", "adam_l2", "adamw", "adam")
    assert lecture.names["DECAYS"][2] == 1 and lecture.names["FACTORS"][2] == 100
    assert inspect.signature(decay_paths).parameters["lr"].default == 0.001
    free = lambda w, g, state, lr, decay: adam(w, g, state, lr)  # noqa: E731
    runs = {name: [] for name in ("l2", "decoupled", "free")}
    for seed in range(8):
        for name, rule in (("l2", adam_l2), ("decoupled", adamw), ("free", free)):
            runs[name].append(decay_paths(rule, seed=seed)[[0, -1]])
    runs = {name: np.array(found) for name, found in runs.items()}  # (seeds, 2, decays, factors, weights)
    assert (runs["l2"][:, 0] == 1).all()
    assert np.abs(runs["free"][:, -1].mean(axis=0) - 1).max() < 0.06
    l2, decoupled = (runs[name][:, -1, 2, 2].mean(axis=0) for name in ("l2", "decoupled"))
    assert l2[0] == pytest.approx(0.2, abs=0.03) and l2[1] == pytest.approx(1, abs=0.06)
    assert decoupled == pytest.approx([math.exp(-2)] * 2, abs=0.03) and math.exp(-2) == pytest.approx(0.14, abs=0.005)
    # Its decay is about 100 times slower: at a decay of 3, one hundredth of the decoupled rate is 6 %.
    assert runs["l2"][:, -1, 3, 2, 1].mean() / runs["free"][:, -1, 3, 2, 1].mean() == pytest.approx(math.exp(-0.06), abs=0.01)
    default = inspect.signature(torch.optim.AdamW.__init__).parameters["weight_decay"].default
    assert default == 0.01 and pytest.approx(0.98, abs=5e-4) == (1 - 0.001 * 0.01) ** 2000
    assert runs["free"][:, -1, 0].std(axis=0).min() > 0.02
    figure = lecture.figures["Two weights that decay"]
    assert "The decay alone would leave 0.98." in figure.readout
    figure.set(decay="1")
    assert "Adam with L2: first 0.18, second 0.92; AdamW: first 0.14, second 0.10." in figure.readout
    assert run_of(lecture, "The decay is 1") == "first 0.18, second 0.92; with AdamW 0.14 and 0.10"


@claim(
    "The next cell trains it with AdamW for 20 epochs.",
    "Here it does not.",
    "The weights become smaller, the two costs move closer together, and both are higher.",
    "A net that fits its training pictures while its validation cost stays low has little to gain from decay.",
)
def test_decay_in_the_net(lecture):
    train, random_weights, adamw, costs = names(lecture, "train", "random_weights", "adamw", "costs")
    rows = []
    for seed in SEEDS:
        for decay in (0.0, 0.1, 1.0):
            rng = np.random.default_rng(seed)
            theta = train(random_weights(rng), partial(adamw, decay=decay), 0.01, 32, 20, rng)
            rows.append((*costs(theta), np.linalg.norm(theta)))
    training, validation, length = np.array(rows).reshape(-1, 3, 3).mean(axis=0).T
    assert (np.diff(training) > 0).all() and (np.diff(validation) > 0).all()
    assert (np.diff(length) < 0).all() and (np.diff(validation - training) < 0).all()


# When it breaks


@claim(
    "Reddi, Kale and Kumar (2018), from whom this problem is, asked whether Adam always finds the minimum of a convex problem, and found that it does not.",
    "There is one weight, kept between $-1$ and 1.",
    "Once in 101 steps the slope is 1010, at all other steps it is $-10$.",
    "Over a period the slopes add up to $1010 - 100 \\cdot 10 = 10$, so the cost rises to the right, and its minimum is at $-1$.",
    "Adam runs on the same slopes with its default settings, beta1 = 0.9 and beta2 = 0.999, and lr = 0.01.",
    "Gradient descent is, and Adam with a longer memory too.",
    "It moves by about a hundredth of a unit in ten periods, and there are 990 periods.",
    "near +1, at the far end",
)
def test_adam_walks_the_wrong_way_at_its_default_settings(lecture):
    slope, walk, sgd, adam, movement = names(lecture, "stream_slope", "walk", "sgd", "adam", "movement")
    period = [slope(t) for t in range(101)]
    assert sorted(set(period)) == [-10, 1010] and period.count(1010) == 1 and sum(period) == 10
    assert inspect.signature(adam).parameters["beta1"].default == 0.9
    assert inspect.signature(adam).parameters["beta2"].default == 0.999
    for lr in (0.003, 0.01, 0.02):
        seen = walk(adam, lr)
        assert seen[-1] > 0.25 and (np.abs(seen) <= 1).all()
    assert walk(adam, 0.01)[-1] == pytest.approx(0.95, abs=0.01)
    assert run_of(lecture, "Adam runs on the same slopes") == "Adam is at +0.95"
    assert walk(sgd, 1e-4)[-1] < -0.9 and walk(partial(adam, beta2=0.9999), 0.01)[-1] < -0.7
    assert 10 * movement(0.9, 0.999, 101) * 0.01 == pytest.approx(0.01, abs=0.001) and 100_000 // 101 == 990


@claim(
    "Adam divides the large slope by a root that it has just made large itself. When the small slopes come, the root has become smaller again, so "
    "that they count for more."
)
def test_why_adam_walks_the_wrong_way(lecture):
    mean_of_stream, movement = names(lecture, "mean_of_stream", "movement")
    m, s = mean_of_stream(0.9, 101, -10.0, 1010.0), mean_of_stream(0.999, 101, 100.0, 1010.0**2)
    assert s.argmax() == 0 and (np.diff(s) < 0).all() and -np.sum(m / np.sqrt(s)) > 0
    assert movement(0.9, 0.999, 101) == pytest.approx(-np.sum(m / np.sqrt(s)))
    assert -np.sum(m / np.sqrt(s.mean())) < 0, "with a root that stays, the same slopes lead the right way"


@claim(
    "The slopes do not depend on the weight. So after some periods $\\hat m$ and $\\hat s$ repeat themselves, and the movement over one period can be "
    "computed by a formula.",
    "On the left of the figure is the weight at the end of each of 1000 periods, at lr = 0.01.",
    "On the right is the movement over a period, in units of lr, for all $\\beta_2$ and all periods at once: orange where Adam moves the wrong way, "
    "violet where it moves the right way.",
    "The large slope is always 10 times the period, so that the sum over a period is 10.",
    "The figure starts with a shorter period, 51.",
)
def test_the_map_of_adam(lecture):
    movement, adam, slope = names(lecture, "movement", "adam", "stream_slope")
    for beta1, beta2, period in ((0.9, 0.99, 101), (0.9, 0.999, 51), (0.0, 0.99, 21), (0.95, 0.995, 151)):
        assert sum(slope(t, period) for t in range(period)) == pytest.approx(10) and slope(0, period) == 10 * period
        w, state, ends = 0.0, {}, []
        for t in range(period * math.ceil(6000 / period)):
            w = adam(w, slope(t, period), state, 1.0, beta1, beta2)
            if t % period == period - 1:
                ends.append(w)
        assert ends[-1] - ends[-2] == pytest.approx(movement(beta1, beta2, period), abs=0.02 + 0.01 * abs(ends[-1] - ends[-2]))
    figure = lecture.figures["Which way does Adam move?"]
    assert figure.readout.startswith("Period 51, ")
    figure.set(period=101, gap=1e-3, beta1=0.9)
    assert "beta2 0.999: +0.105 lr a period, away from the minimum" in figure.readout
    left, right = figure.figure.axes[:2]
    line = left.lines[1]
    assert len(line.get_xdata()) == 1001 and line.get_ydata()[100] == pytest.approx(0.01 * 100 * movement(0.9, 0.999, 101))
    image = right.images[0]
    values = np.asarray(image.get_array())
    for p in (3, 99, 303):
        for k in (0, 15, 30, 45):
            beta2 = 1 - 10 ** np.linspace(-4, -1, 46)[k]
            assert values[(p - 3) // 6, k] == pytest.approx(movement(0.9, beta2, p), rel=1e-6)
    orange, violet = image.cmap(0.8), image.cmap(0.2)
    assert orange[0] > orange[1] > orange[2] and violet[2] > violet[0] > violet[1]


@claim(
    "With the default settings, Adam moves the right way up to a period of 73 and the wrong way from 74 on.",
    "At 101, it moves by +0.105 lr in each period; with $\\beta_2 = 0.9995$ by +0.003 and with 0.9999 by $-0.079$, the right way.",
    "A larger $\\beta_1$ helps too: with $\\beta_1 = 0.99$ and $\\beta_2 = 0.999$ it is $-0.057$.",
    "In each column, that is for each $\\beta_2$, some period is long enough to mislead Adam: Reddi et al. proved that there is such a problem "
    "whenever $\\beta_1 < \\sqrt{\\beta_2}$.",
    "In each row, that is for each fixed problem, a large enough $\\beta_2$ mends it: this is what Zhang et al. (2022) proved under conditions of their "
    "own.",
    "AMSGrad, from the first paper, keeps the largest $s$ so far instead of the present one, and moves the right way on this stream.",
)
def test_where_adam_fails_and_where_not(lecture):
    movement, slope = names(lecture, "movement", "stream_slope")
    for period in range(3, 304):
        assert (movement(0.9, 0.999, period) > 0) == (period >= 74)
    assert movement(0.9, 0.999, 101) == pytest.approx(0.105, abs=5e-4)
    assert movement(0.9, 0.9995, 101) == pytest.approx(0.003, abs=5e-4)
    assert movement(0.9, 0.9999, 101) == pytest.approx(-0.079, abs=5e-4)
    assert movement(0.99, 0.999, 101) == pytest.approx(-0.057, abs=5e-4)
    for beta1 in (0.0, 0.5, 0.9):
        for gap in np.logspace(-4, -1, 13):
            assert any(movement(beta1, 1 - gap, p) > 0 for p in (303,)), (beta1, gap)
        for period in range(3, 304, 20):
            assert movement(beta1, 1 - 1e-6, period) < 0
    figure = lecture.figures["Which way does Adam move?"]
    figure.set(gap=1e-3, beta1=0.9, period=51)
    assert "towards the minimum" in figure.readout
    figure.set(period=101)
    assert "away from the minimum" in figure.readout
    figure.set(gap=1e-4)
    assert "towards the minimum" in figure.readout
    figure.set(gap=1e-3, beta1=0.99)
    assert "towards the minimum" in figure.readout
    w = torch.zeros(1, dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.Adam([w], lr=0.01, amsgrad=True)
    for t in range(101 * 100):
        w.grad = torch.tensor([slope(t)], dtype=torch.float64)
        optimizer.step()
    middle = w.item()
    for t in range(101 * 50):
        w.grad = torch.tensor([slope(t)], dtype=torch.float64)
        optimizer.step()
    assert w.item() < middle


# Exercises


@claim(
    "Write a rule my_fast(w, g, state, lr) and set my_lr, such that it brings Rosenbrock's valley below a loss of $10^{-15}$ at some step within 500, "
    "from $(-1.2, 1)$ and from three other starts near it, which the check draws.",
    "The whole valley is also moved, so that a rule that knows where the minimum lies does not pass.",
)
def test_beat_the_valley(lecture):
    task = lecture.exercises["my_fast"]
    lecture.run("def my_fast(w, g, state, lr):\n    return np.array([1.0, 1.0])")
    task.run()
    assert task.state == "failed" and "lowest loss in 500 steps" in task.message
    for rule, lr in (("momentum", 0.0012), ("nesterov", 0.001)):  # each near its best
        lecture.run(f"def my_fast(w, g, state, lr):\n    return {rule}(w, g, state, lr, 0.965)\nmy_lr = {lr}")
        task.run()
        assert task.state == "failed" and "gone too far" in task_hint(task, lecture.names["my_fast"])


def task_hint(task, answer):
    with pytest.raises(check.CheckError) as error:
        task.check(answer)
    return error.value.hint


@claim(
    "It runs, the cost even falls, and two lines are wrong.",
    "The labels stayed in their old order, so that most inputs had the label of another example.",
    "And the range ended too early: with 10 examples and batches of 4 the last two were never used, with 12 the last four.",
)
def test_the_planted_faults(lecture):
    planted, sgd = names(lecture, "mended_epoch", "sgd")
    for n, missing in ((10, 2), (12, 4)):
        inputs, labels = [], []

        def gradient(w, x, y, inputs=inputs, labels=labels):
            inputs.extend(x[:, 0])
            labels.extend(y)
            return np.zeros(1)

        planted(np.zeros(1), np.arange(n)[:, None], np.arange(n), gradient, 4, sgd, {}, 0.1, np.random.default_rng(0))
        assert len(labels) == n - missing and np.mean(np.array(inputs) != labels) > 0.5
    rng = np.random.default_rng(1)
    x = rng.normal(size=(103, 1)) + 3
    gradient = lambda w, x, y: np.array([np.mean((x[:, 0] * w[0] - y) * x[:, 0])])  # noqa: E731
    w = planted(np.zeros(1), x, 2 * x[:, 0], gradient, 4, sgd, {}, 0.01, rng)
    cost = lambda w: np.mean((x[:, 0] * w - 2 * x[:, 0]) ** 2)  # noqa: E731
    assert cost(w[0]) < cost(0.0) / 2


@claim("One number scales all of g, so its direction stays.", "A norm of zero is never divided by.")
def test_clipping(lecture):
    lecture.run(
        "def my_clip(g, max_norm):\n    norm = np.sqrt((g**2).sum())\n    return g * max_norm / norm if norm > max_norm else g.copy()"
    )
    clip, g = lecture.names["my_clip"], np.random.default_rng(0).normal(size=(3, 2))
    assert clip(g, 0.5) / g == pytest.approx(np.full((3, 2), 0.5 / np.linalg.norm(g)))
    with np.errstate(all="raise"):
        check.close(clip(np.zeros(3), 1.0), np.zeros(3))


WRONG = {
    "my_largest_lr": {
        "return 1 / curvatures.max()": "it still converges there",
        "return 2 / curvatures.min()": "Which mode diverges first?",
        "return 2 / curvatures.mean()": "as soon as one mode does",
        "return 2 / curvatures[0]": "any order",
        "return 2 / np.median(curvatures)": "The median sets no limit",
        "return 2 / np.sort(curvatures)[len(curvatures) // 2]": None,
        "return 0.25": None,
    },
    "my_momentum": {
        "return w - lr * g": "forgets the earlier ones",
        "v = state['v'] = beta * state.get('v', 0) + (1 - beta) * g; return w - lr * v": "a sum here, not a mean",
        "v = state['v'] = beta * state.get('v', 0) + g; return w - lr * (g + beta * v)": "looks one step ahead",
        "v = state['v'] = beta * state.get('v', 0) + lr * g; return w - v": "gradients alone",
        "v = state['v'] = beta * state.get('v', 0) + g; w -= lr * v; return w": "stays as it is",
        "v = state['v'] = state.get('v', 0) + g; return w - lr * v": "counts in full",
        "state.setdefault('v', g); state['v'] *= beta; state['v'] += g; return w - lr * state['v']": None,
    },
    "my_clip": {
        "n = np.linalg.norm(g); return g * max_norm / n if n else g.copy()": "Short gradients",
        "n = np.linalg.norm(g); return g / n if n > max_norm else g.copy()": "a norm of 1",
        "return np.clip(g, -max_norm, max_norm)": "cut by itself",
        "n = np.linalg.norm(g); return g * min(1, max_norm**2 / n) if n else g.copy()": "not its square",
    },
    "my_num_steps": {
        "return np.log(0.1) / np.log((kappa - 1) / (kappa + 1))": "exchanged, or one is used for both",
        "k = kappa / 10 if with_momentum else kappa; return np.log(0.1) / np.log((k - 1) / (k + 1))": None,
        "k = np.sqrt(kappa) if with_momentum else kappa; return k / 2 * np.log(10)": "approximation",
    },
    "my_adamw": {
        "return adam(w, g + decay * w, state, lr)": "Adam divides it",
        "return adam(w * (1 - decay), g, state, lr)": "not 1 - decay",
        "return adam(w, g, state, lr) * (1 - lr * decay)": "before the step",
        "return adam(w, g, state, lr)": "do not decay",
    },
    "my_lr_for_floor": {
        "return 4 * floor * batch / variance": "approximation",
        "return 4 * floor / (variance + 2 * floor)": "batch is left out",
    },
}
SIGNATURES = {
    "my_largest_lr": "curvatures",
    "my_momentum": "w, g, state, lr, beta=0.9",
    "my_clip": "g, max_norm",
    "my_num_steps": "kappa, with_momentum",
    "my_adamw": "w, g, state, lr, decay",
    "my_lr_for_floor": "floor, batch, variance",
}


@pytest.mark.parametrize("name", WRONG)
def test_known_mistakes_are_refused_and_named(lecture, name):
    task = lecture.exercises[name]
    for body, hint in WRONG[name].items():
        lecture.run(f"def {name}({SIGNATURES[name]}): {body}")
        task.run()
        assert task.state == "failed", body
        with pytest.raises(check.CheckError) as error:
            task.check(lecture.names[name])
        assert hint is None or hint in (error.value.hint or ""), (body, error.value.hint, str(error.value))


def test_adams_known_mistakes_are_named(lecture):
    task = lecture.exercises["my_adam"]
    variant, mistakes = names(lecture, "adam_variant", "ADAM_MISTAKES")
    for kind, hint in mistakes.items():

        def wrong(w, g, state, lr, beta1=0.9, beta2=0.999, eps=1e-8, kind=kind):
            state.setdefault("start", w)
            state.setdefault("all", []).append(np.array(g))
            with np.errstate(all="ignore"):
                return variant(state["start"], state["all"], lr, beta1, beta2, eps, kind)[-1]

        with pytest.raises(check.CheckError) as error:
            task.check(wrong)
        assert error.value.hint == hint


# The summary and the appendix


@claim(
    "Gradient descent converges below the learning rate 2 / (largest curvature), with momentum below $2(1 + \\beta)$ / (largest curvature).",
    "AdaGrad, RMSprop and Adam divide each weight's step by the size of its own gradients.",
)
def test_the_summary(lecture):
    optimize, sgd, momentum, largest = names(lecture, "optimize", "sgd", "momentum", "largest_lr")
    rng = np.random.default_rng(0)
    for _ in range(5):
        lam = rng.uniform(0.5, 20, size=4)
        limit = largest(lam)
        assert limit == pytest.approx(2 / lam.max())
        for rule, bound in ((sgd, limit), (partial(momentum, beta=0.8), 1.8 * limit)):
            for share, ends in ((0.98, True), (1.02, False)):
                last = np.abs(optimize(rule, lambda w, lam=lam: lam * w, np.ones(4), 3000, share * bound)[-1]).max()
                assert (last < 1) == ends
    for name in ("adagrad", "rmsprop", "adam"):
        step = lecture.names[name]
        moves = -step(np.zeros(2), np.array([1e-3, 1e3]), {}, 0.1)
        assert moves[0] == pytest.approx(moves[1], rel=1e-3)


@claim(
    "Each rule runs at its own best of 46 learning rates from 0.0001 to 1000 for 100 steps on that surface; switch that off, and all run at the learning "
    "rate of the slider, which is also that of your own rule.",
    "No rule is first on all five surfaces.",
)
def test_the_race(lecture):
    figure = lecture.figures["The race"]
    rules, surfaces, best, lrs, optimize = names(lecture, "ALL_RULES", "SURFACES", "BEST", "RACE_LRS", "optimize")
    assert len(lrs) == 46 and (lrs[0], lrs[-1]) == pytest.approx((0.0001, 1000))
    assert all(lrs[0] < lr < lrs[-1] for lr in best.values()), "a best learning rate lies at the edge"
    winners = []
    for surface, (f, grad, start, _) in surfaces.items():
        with np.errstate(all="ignore"):
            ends = {
                name: max(1e-12, f(optimize(step, grad, start, 100, best[name, surface])[-1])) for name, step in rules.items()
            }
        winners.append({name for name, end in ends.items() if end == min(ends.values())})
    assert not set.intersection(*winners)
    figure.set(surface="Rosenbrock", step=100, each_best=True)
    f, grad, start, _ = surfaces["Rosenbrock"]
    adam = f(optimize(rules["adam"], grad, start, 100, best["adam", "Rosenbrock"])[-1])
    assert f"adam {adam:.2g} (lr {best['adam', 'Rosenbrock']:.2g})" in figure.readout
    figure.set(each_best=False, lr=1e-4)
    assert figure.readout.count("(lr 0.0001)") == 8


def test_every_surface_has_its_gradient_and_its_lowest_value(lecture):
    rng = np.random.default_rng(0)
    for name, (f, grad, start, box) in lecture.names["SURFACES"].items():
        w, h = rng.uniform(-1.5, 1.5, size=(40, 2)), 1e-6
        numeric = np.stack([(f(w + h * e) - f(w - h * e)) / (2 * h) for e in np.eye(2)], axis=-1)
        assert grad(w) == pytest.approx(numeric, rel=1e-5, abs=1e-5), name
        grid = np.stack(np.meshgrid(np.linspace(*box[:2], 801), np.linspace(*box[2:], 801)), axis=-1)
        assert -1e-9 < f(grid).min() < 2e-3, name
        assert box[0] <= start[0] <= box[1] and box[2] <= start[1] <= box[3]


@claim(
    "On the saddle, put the start exactly on the ridge, w2 = 0, where the slope along w2 is zero.",
    "They divide the slope by its own size, and 0 / 0 is 0 here, by eps.",
    "Along w2 there has never been a gradient, so the velocity is zero there.",
    "none of them",
    "Each rule multiplies, averages or divides the slope along w2, and that slope is exactly 0 at every step.",
)
def test_nobody_leaves_an_exact_ridge(lecture):
    _, grad, _, _ = lecture.names["SURFACES"]["saddle"]
    for name, step in lecture.names["ALL_RULES"].items():
        for lr in (0.01, 0.05, 1.0):
            path = lecture.names["optimize"](step, grad, [-3.0, 0.0], 500, lr)
            assert (path[:, 1] == 0).all() and (grad(path)[:, 1] == 0).all(), name
        path = lecture.names["optimize"](step, grad, [-3.0, 1e-6], 5000, 0.05)
        assert np.abs(path[:, 1]).max() > 1e-3, f"{name}: off the ridge it leaves"
    assert run_of(lecture, "On the saddle").count(" 0") == 8
