"""Lecture 03: each figure shows what the text says, and the numbers in the text are right."""

import numpy as np
import pytest

from dlcourse import live
from tests.conftest import ROOT
from tests.session import run_lecture


@pytest.fixture(scope="module")
def lecture():
    yield run_lecture(ROOT / "lectures" / "src" / "03_gradient_descent.py")
    for figure in live.figures():
        figure.close()


def test_where_is_down(lecture):
    figure = lecture.figures["Where is down?"]
    figure.set(position=2.0)
    assert figure.readout == "At w = 2.0 the slope is -0.200, so down is to the right."
    assert lecture.names["slope"](2.0) == pytest.approx(-0.2)


def test_the_skiers_numbers(lecture):
    loss, slope, descend = (lecture.names[name] for name in ("loss", "slope", "descend"))
    zeros = np.sort(np.roots([1 / 5, 0, -1, 1 / 5]))
    assert zeros == pytest.approx([-2.33, 0.20, 2.13], abs=0.005)
    assert loss(zeros[[0, 2]]) == pytest.approx([-0.21, 0.69], abs=0.005)
    assert 3 / 5 * zeros[[0, 2]] ** 2 - 1 == pytest.approx([2.26, 1.72], abs=0.005)
    h = 1e-6
    w = np.linspace(-3, 3, 50)
    assert slope(w) == pytest.approx((loss(w + h) - loss(w - h)) / (2 * h), abs=1e-8)
    assert descend(0.19, slope, 0.3, 300)[-1] == pytest.approx(zeros[0]), "below the hill top it ends in the other valley"
    assert descend(0.21, slope, 0.3, 300)[-1] == pytest.approx(zeros[2])


@pytest.mark.parametrize(
    ("lr", "says"),
    [
        (0.3, "settles at w = 2.13"),
        (1.14, "settles at w = 2.13"),
        (1.3, "visits 2 places"),
        (1.54, "wanders"),
        (2.0, "overflow"),
    ],
)
def test_a_whole_run_ends_as_the_text_says(lecture, lr, says):
    figure = lecture.figures["A whole run"]
    figure.set(start=1.0, lr=lr)
    assert says in figure.readout


def test_far_from_the_minimum_the_limit_is_lower(lecture):
    figure = lecture.figures["A whole run"]
    figure.set(start=3.0, lr=1.1)
    assert "never settles" in figure.readout
    figure.set(start=-3.0, lr=0.3)
    assert "settles at w = -2.33" in figure.readout


def test_your_mountain(lecture):
    figure = lecture.figures["Your mountain beside the skier's"]
    lecture.run("def my_loss(w):\n    return (w - 1.5) ** 2")
    figure.set(start=-2.0, lr=0.3)
    assert figure.readout.endswith("Yours: It settles at w = 1.50, where the loss is 0.00.")
    lecture.run("def my_loss(w):\n    return 4 * w**2")
    assert "Yours: It never settles" in figure.readout or "Yours: The numbers overflow" in figure.readout


def test_optimizers_equal_torch_and_so_do_their_gradients(lecture):
    """The notebook checks the path; here every optimizer from other starts and rates, against torch in float64."""
    import torch

    make = {
        "sgd": lambda p, lr: torch.optim.SGD(p, lr=lr),
        "momentum": lambda p, lr: torch.optim.SGD(p, lr=lr, momentum=0.9),
        "nesterov": lambda p, lr: torch.optim.SGD(p, lr=lr, momentum=0.9, nesterov=True),
        "adagrad": lambda p, lr: torch.optim.Adagrad(p, lr=lr),
        "rmsprop": lambda p, lr: torch.optim.RMSprop(p, lr=lr),
        "adadelta": lambda p, lr: torch.optim.Adadelta(p, lr=lr),
        "adam": lambda p, lr: torch.optim.Adam(p, lr=lr),
    }
    assert set(make) == set(lecture.names["OPTIMIZERS"])
    rng = np.random.default_rng(0)
    for name, step in lecture.names["OPTIMIZERS"].items():
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


def test_every_surface_has_its_gradient_and_its_lowest_value(lecture):
    rng = np.random.default_rng(0)
    for name, (f, grad, start, box) in lecture.names["SURFACES"].items():
        w, h = rng.uniform(-1.5, 1.5, size=(40, 2)), 1e-6
        numeric = np.stack([(f(w + h * e) - f(w - h * e)) / (2 * h) for e in np.eye(2)], axis=-1)
        assert grad(w) == pytest.approx(numeric, rel=1e-5, abs=1e-5), name
        grid = np.stack(np.meshgrid(np.linspace(*box[:2], 801), np.linspace(*box[2:], 801)), axis=-1)
        assert -1e-9 < f(grid).min() < 2e-3, name
        assert box[0] <= start[0] <= box[1] and box[2] <= start[1] <= box[3]


def test_the_race(lecture):
    figure = lecture.figures["The race"]
    figure.set(surface="Rosenbrock", step=100, each_best=True)
    names, best, optimize = lecture.names, lecture.names["BEST"], lecture.names["optimize"]
    f, grad, start, _ = names["SURFACES"]["Rosenbrock"]
    adam = f(optimize(names["adam"], grad, start, 100, best["adam", "Rosenbrock"])[-1])
    assert f"adam {adam:.2g}" in figure.readout
    figure.set(each_best=False, lr=1e-4)
    first = figure.readout
    figure.set(each_best=True)
    assert figure.readout != first


def test_nobody_leaves_an_exact_ridge(lecture):
    _, grad, _, _ = lecture.names["SURFACES"]["saddle"]
    for name, step in lecture.names["OPTIMIZERS"].items():
        path = lecture.names["optimize"](step, grad, [-3.0, 0.0], 500, 0.05)
        assert (path[:, 1] == 0).all(), name
    steps = {name: lecture.names["steps_to_leave"](name) for name in lecture.names["OPTIMIZERS"]}
    dividing = {"adagrad", "rmsprop", "adadelta", "adam"}
    assert max(steps[name] for name in dividing) < min(steps[name] for name in steps if name not in dividing)
    assert min(steps.values()) > 0


def test_contraction_equals_the_matrix_eigenvalues(lecture):
    rng = np.random.default_rng(0)
    for lam, lr, beta in rng.uniform([0.01, 0.01, 0], [1, 4, 0.99], size=(200, 3)):
        matrix = np.array([[1 - lr * lam, -lr * beta], [lam, beta]])
        expected = np.abs(np.linalg.eigvals(matrix)).max()
        assert lecture.names["contraction"](lam, lr, beta) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("kappa", [4.0, 50.0, 400.0])
def test_the_star_is_the_best_pair(lecture, kappa):
    contraction = lecture.names["contraction"]
    lr, beta = lecture.names["best_momentum"](1 / kappa, 1.0)
    best = max(contraction(1 / kappa, lr, beta), contraction(1.0, lr, beta))
    assert best == pytest.approx((np.sqrt(kappa) - 1) / (np.sqrt(kappa) + 1), rel=1e-4)
    lrs, betas = np.meshgrid(np.linspace(0.01, 4, 300), np.linspace(0, 0.99, 300))
    worst = np.maximum(contraction(1 / kappa, lrs, betas), contraction(1.0, lrs, betas))
    assert worst.min() >= best - 1e-6
    alone = lecture.names["best_gd"](1 / kappa, 1.0)
    assert contraction(1.0, alone, 0.0) == pytest.approx((kappa - 1) / (kappa + 1))


def test_modes_readout(lecture):
    figure = lecture.figures["How much of each mode is left after one step"]
    figure.set(kappa=100.0, lr=1.0, beta=0.0)
    assert "Slowest mode: factor 0.990, 229 steps" in figure.readout
    assert "Best without momentum: 0.980; best of all, at the star: 0.818" in figure.readout
    figure.set(lr=3.0)
    assert "diverges" in figure.readout


def test_turning_leaves_momentum_alone_and_slows_adam(lecture):
    path = lecture.names["turned_path"]
    momentum, adam = lecture.names["momentum"], lecture.names["adam"]
    valley = lecture.names["valley"]
    for degrees in (15, 30, 45):
        assert path(momentum, degrees, 0.03) == pytest.approx(path(momentum, 0, 0.03), abs=1e-10)
    straight, turned = valley(path(adam, 0, 0.1)[100]), valley(path(adam, 45, 0.1)[100])
    assert straight < 1e-3 and turned > 0.5
    figure = lecture.figures["The same valley, turned"]
    figure.set(degrees=45)
    assert f"adam {turned:.2g}" in figure.readout
    again = valley(path(adam, 45, 0.5)[100])
    assert again < 1e-3, "another learning rate, and the turned valley is quick again"


@pytest.mark.parametrize(("lr", "batch"), [(0.1, 1), (0.2, 4), (0.5, 32)])
def test_the_floor_of_the_noise(lecture, lr, batch):
    """The measured floor is the formula's, within the scatter of 200 skiers over 200 steps."""
    measured = lecture.names["skiers"](lr, batch, lambda t, T: 1.0)[200:].mean()
    assert measured == pytest.approx(lecture.names["noise_floor"](lr, batch, 1.0), rel=0.1)


def test_a_schedule_removes_the_floor(lecture):
    figure = lecture.figures["The floor that noise leaves"]
    figure.set(lr=0.2, batch="1 example", schedule="cosine to zero")
    floor = lecture.names["noise_floor"](0.2, 1, 1.0)
    last = float(figure.readout.split("over the last 50: ")[1].split(",")[0])
    assert last < floor / 5


def test_digits_by_batch_size(lecture):
    figure = lecture.figures["Batch size: loss against epochs, steps or seconds"]
    last = {name: rows[-1] for name, rows in lecture.names["history"].items()}
    one, many, all_of_them = last.values()
    assert one[0] == many[0] == all_of_them[0] == 20
    assert (one[3], many[3], all_of_them[3]) == (20 * 1258, 20 * 40, 20)
    assert all_of_them[1] > 2 * many[1] and many[1] < 0.13, "per epoch the full batch is far behind"
    figure.set(against="steps")
    assert "Loss against steps" in figure.readout and "after 800" in figure.readout


@pytest.mark.parametrize("seed", range(3))
def test_digits_bar_over_seeds(lecture, seed):
    from dlcourse import data

    names, digits = lecture.names, data.digits(seed)
    x, x_test = names["with_bias"](digits.x_train), names["with_bias"](digits.x_test)
    W = names["train"](np.zeros((65, 10)), x, digits.y_train, 32, 0.3, 20, np.random.default_rng(seed))
    assert np.mean((x_test @ W).argmax(1) == digits.y_test) >= 0.93


def test_adam_walks_the_wrong_way_and_a_long_memory_mends_it(lecture):
    figure = lecture.figures["Slopes C, -1, -1, C, ...: who finds the best weight?"]
    figure.set(C=4.0, beta2="0.06")
    assert "sgd is at -0.96." in figure.readout and figure.readout.endswith("at +1.00 after 600.")
    figure.set(beta2="0.999")
    assert float(figure.readout.split("at ")[-1].split()[0]) < -0.8
    figure.set(beta2="0.5")
    assert float(figure.readout.split("at ")[-1].split()[0]) < -0.8
    figure.set(C=2.1, beta2="0.999")
    assert -0.8 < float(figure.readout.split("at ")[-1].split()[0]) < 0


def test_drive_it_yourself(lecture):
    """The loss falls, a large learning rate throws it up while it runs, and a small one brings it back."""
    figure = lecture.figures["Drive it yourself"]
    figure.set(lr=0.3, batch="32", rule="sgd")
    figure.run.reset()

    def steps(count):
        for _ in range(count):
            figure.run.step()
        return figure.run.state["loss"][-1][1]

    low = steps(20)
    assert low < 0.6 and figure.readout.startswith(f"Step 200, loss {low:.3f}")
    figure.set(lr=30.0)
    high = steps(5)
    assert high > 2 * low
    figure.set(lr=0.3)
    assert steps(60) < 0.6 * high
    figure.run.reset()
    assert figure.readout.startswith("Step 0, not started")
