"""Lecture 02: each figure shows what the text says, and the numbers in the text are right."""

import numpy as np
import pytest
import torch

from dlcourse import data, live
from tests.conftest import ROOT
from tests.session import run_lecture


@pytest.fixture(scope="module")
def lecture():
    yield run_lecture(ROOT / "lectures" / "src" / "02_learning_problem.py")
    for figure in live.figures():
        figure.close()


def test_the_outlier_draws_the_line_of_least_squares_alone(lecture):
    figure = lecture.figures["One measurement moves"]
    figure.set(height=7.5)
    assert "normal 3.0, Laplace 1.6, yours 1." in figure.readout
    figure.set(height=-1.5)
    assert "normal 0.6, Laplace 1.5" in figure.readout


def test_the_grid_search_finds_the_line_of_least_squares(lecture):
    figure = lecture.figures["One measurement moves"]
    figure.set(height=4.0)
    x, y = (np.concatenate([a.get_data()[i] for a in figure.picture.moving[:2]]) for i in (0, 1))
    slope, _ = np.polyfit(x, y, 1)
    assert float(figure.readout.split("normal ")[1].split(",")[0]) == pytest.approx(slope, abs=0.1)


def test_losses_and_gradients_equal_torchs(lecture):
    rng = np.random.default_rng(1)
    for scale in (1.0, 30.0, 900.0):
        z, y = scale * rng.standard_normal((8, 5)), rng.integers(0, 5, size=8)
        t = torch.tensor(z, requires_grad=True)
        loss = torch.nn.functional.cross_entropy(t, torch.tensor(y))
        loss.backward()
        assert lecture.names["cross_entropy"](z, y) == pytest.approx(loss.item(), rel=1e-12)
        assert lecture.names["cross_entropy_grad"](z, y) == pytest.approx(t.grad.numpy(), abs=1e-12)
        assert lecture.names["log_sum_exp"](z) == pytest.approx(torch.logsumexp(t, dim=1).detach().numpy(), rel=1e-12)


def test_logistic_regression_follows_torch(lecture):
    rng = np.random.default_rng(2)
    x, y = rng.standard_normal((50, 4)), rng.integers(0, 2, size=50)
    ours = lecture.names["fit_logistic"](x, y, lr=0.3, num_steps=100)
    w = torch.zeros(5, dtype=torch.float64, requires_grad=True)
    t = torch.tensor(np.hstack([x, np.ones((50, 1))]))
    for _ in range(100):
        loss = torch.nn.functional.binary_cross_entropy_with_logits(t @ w, torch.tensor(y, dtype=torch.float64))
        (g,) = torch.autograd.grad(loss, w)
        w = (w - 0.3 * g).detach().requires_grad_()
    assert ours == pytest.approx(w.detach().numpy(), rel=1e-9)


def test_threshold(lecture):
    figure = lecture.figures["Where to cut?"]
    p, y = lecture.names["p_new"], lecture.names["y_new"]
    figure.set(threshold=0.3, miss=4.0)
    false, missed = np.sum((p > 0.3) & (y == 0)), np.sum((p <= 0.3) & (y == 1))
    assert f"false 8s {false}, missed 8s {missed}, cost {false + 4 * missed}" in figure.readout
    assert "The formula says to cut at 0.20" in figure.readout
    figure.set(miss=10.0)
    cheapest = float(figure.readout.split("on these pictures ")[1].split()[0])
    assert cheapest > 0.3, "far above the formula's 0.09: the model is too modest"


def test_capacity(lecture):
    figure = lecture.figures["Freedom and the two errors"]
    figure.set(degree=15, count=18)
    assert "training error 0.036" in figure.readout
    figure.set(degree=15, count=200)
    train, val = (
        float(figure.readout.split(f"{name} error ")[1].split(",")[0].split(".  ")[0].rstrip(".").split(". ")[0])
        for name in ("training", "validation")
    )
    assert train == pytest.approx(0.09, abs=0.02) and val == pytest.approx(0.09, abs=0.02)


@pytest.mark.parametrize(("degree", "count"), [(1, 20), (3, 40), (9, 12)])
def test_bias_variance_and_noise_add_up_to_the_measured_error(lecture, degree, count):
    cloud = lecture.names["cloud_of_fits"](degree, count, num_sets=60)
    bias2, variance = lecture.names["bias_and_variance"](cloud)
    grid = np.linspace(0.02, 0.98, 100)
    fresh = lecture.names["truth"](grid) + 0.3 * np.random.default_rng(9).standard_normal((4000, 1, 100))
    measured = np.mean((fresh[:200] - cloud) ** 2)
    assert measured == pytest.approx(bias2 + variance + 0.09, rel=0.05)


def test_the_cloud(lecture):
    bias_and_variance, cloud = lecture.names["bias_and_variance"], lecture.names["cloud_of_fits"]
    stiff, wild = bias_and_variance(cloud(1, 12)), bias_and_variance(cloud(9, 12))
    assert stiff[0] > 5 * stiff[1] and wild[1] > 50 * wild[0]
    assert bias_and_variance(cloud(1, 200))[0] == pytest.approx(stiff[0], rel=0.05), "more data does not move the bias"
    assert bias_and_variance(cloud(9, 200))[1] < 0.01, "and tames the variance"
    figure = lecture.figures["Sixty fits"]
    figure.set(degree=1, count=20)
    assert "bias² 0.176" in figure.readout


def test_early_stopping_in_the_figure(lecture):
    figure = lecture.figures["Training and validation while it runs"]
    figure.set(lr=0.3, patience=10)
    figure.run.reset()
    for _ in range(200):
        figure.run.step()
    state = figure.run.state
    assert state["train"][-1] < 0.1 < 1.2 < min(state["val"]) < state["val"][-1] - 0.1
    keeps = {}
    for patience in (1, 10):
        figure.set(patience=patience)
        keeps[patience] = float(figure.readout.rsplit(" ", 1)[1].rstrip("."))
    assert keeps[1] > keeps[10] + 0.1 and keeps[10] == pytest.approx(min(state["val"]), abs=5e-4)
    figure.run.reset()


def test_best_so_far_against_a_plain_reading(lecture):
    best_so_far = lecture.names["best_so_far"]
    assert best_so_far([3, 2, 1], 1) == (2, 2)
    assert best_so_far([3, 1, 2, 2, 0], 2) == (3, 1)
    assert best_so_far([3, 1, 2, 2, 0], 3) == (4, 4)
    assert best_so_far([1, 1, 1], 2) == (2, 0), "equal is not better"


def test_wilson_covers_and_matches_its_equation(lecture):
    wilson = lecture.names["wilson"]
    for errors, n in [(0, 50), (2, 50), (40, 1000)]:
        for end in wilson(errors, n):
            if 0 < end < 1:
                assert abs(errors / n - end) == pytest.approx(1.96 * np.sqrt(end * (1 - end) / n), rel=1e-9)
    rng = np.random.default_rng(0)
    for rate in (0.02, 0.1, 0.5):
        ends = np.array([wilson(k, 200) for k in rng.binomial(200, rate, 2000)])
        assert np.mean((ends[:, 0] <= rate) & (rate <= ends[:, 1])) > 0.92


def test_coin_flippers(lecture):
    figure = lecture.figures["The best of many coin flippers"]
    figure.set(tried=100, n=100)
    assert 0.58 < float(figure.readout.split(": ")[1].split(",")[0]) < 0.68
    figure.set(tried=300, n=2000)
    assert float(figure.readout.split(": ")[1].split(",")[0]) < 0.55


@pytest.mark.parametrize("seed", range(3))
def test_the_leaks_over_seeds(lecture, seed):
    """Near duplicates and features chosen before the split, with other random numbers than the lecture's."""
    nearest = lecture.names["nearest_neighbour"]
    rng = np.random.default_rng(100 + seed)
    x, y = rng.standard_normal((80, 5000)), rng.integers(0, 2, size=80)
    accuracy = {}
    for name, rows in [("before", slice(0, 80)), ("after", slice(0, 40))]:
        best = np.argsort(np.abs((x[rows] * (2 * y[rows] - 1)[:, None]).mean(0)))[-20:]
        accuracy[name] = np.mean(nearest(x[:40][:, best], y[:40], x[40:][:, best]) == y[40:])
    assert accuracy["before"] > 0.65 > accuracy["after"] > 0.25
    base = data.glyphs(100, seed=50 + seed)
    copies = np.repeat(base.x.reshape(100, -1), 6, axis=0) + 0.1 * rng.standard_normal((600, 784))
    labels, order = np.repeat(base.y, 6), rng.permutation(600)
    assert np.mean(nearest(copies[order[:480]], labels[order[:480]], copies[order[480:]]) == labels[order[480:]]) > 0.97
    assert np.mean(nearest(copies[:480], labels[:480], copies[480:]) == labels[480:]) < 0.6


def test_promises_are_kept(lecture):
    promises, kept = lecture.names["promises"], lecture.names["kept_promises"]
    assert promises.shape == (20, 4) and kept >= 17
    assert promises[:, 3].mean() < 0.06 and abs(promises[:, 0].mean() - promises[:, 3].mean()) < 0.015


def test_separable_classes_have_no_best_weight(lecture):
    runs = lecture.names["GAPS"]
    assert runs["0.5"][3000] - runs["0.5"][1500] < 1e-6, "overlapping classes: it has settled"
    assert runs["1.5"][3000] - runs["1.5"][1500] > 0.5, "separated ones: it grows for ever"
    figure = lecture.figures["Classes apart"]
    figure.set(gap="1.5", step=3000.0)
    assert f"weight {runs['1.5'][3000]:.2f}" in figure.readout


def test_distances_crowd_together(lecture):
    figure = lecture.figures["Distances in a cube"]
    figure.set(dimension=1000.0)
    assert "nearest lies at 0.95 of the mean distance, the farthest at 1.05" in figure.readout
