"""Homework 1's master: its claims about its own runs and numbers, computed again."""

import inspect
import re
from dataclasses import dataclass

import matplotlib.pyplot as plt
import numpy as np
import pytest
import yaml

from coursebuild.text import read_source
from dlcourse import check, data, reference
from tests.conftest import ROOT

MASTER = ROOT / "solutions" / "hw1_neural_networks" / "hw1_neural_networks.py"


@pytest.fixture(scope="module")
def cells():
    return read_source(MASTER)[1]


@pytest.fixture(scope="module")
def names(cells):
    """What the notebook holds after all of its cells but the tests have run, with the solutions in place."""
    plt.switch_backend("Agg")
    held, in_tests = {}, False
    for cell in cells:
        if cell.kind == "raw":
            in_tests = cell.text.startswith("# BEGIN TESTS")
        elif cell.kind == "code" and not in_tests:
            exec(compile(cell.text, f"{MASTER.name}:{cell.line}", "exec"), held)
    plt.close("all")
    return held


@dataclass(frozen=True)
class MasterTest:
    """One test cell of the master."""

    question: str
    config: dict
    function: object

    def run(self, names, seed):
        with check.grading_seed(seed):
            self.function(**{name: names[name] for name in inspect.signature(self.function).parameters})


@pytest.fixture(scope="module")
def tests(cells):
    """All tests of the master, in order."""
    found, question, in_tests = [], None, False
    for cell in cells:
        if cell.kind == "raw":
            in_tests = cell.text.startswith("# BEGIN TESTS")
            if cell.text.startswith("# BEGIN QUESTION"):
                question = re.search(r"^name: (q\d+)$", cell.text, re.M)[1]
        elif cell.kind == "code" and in_tests:
            config = yaml.safe_load(cell.text.split("# BEGIN TEST CONFIG")[1].split('"""')[0])
            held = {}
            exec(compile(cell.text, f"{MASTER.name}:{cell.line}", "exec"), held)
            (function,) = (value for name, value in held.items() if name.startswith("test_"))
            found.append(MasterTest(question, config, function))
    return found


def is_slow(test):
    """Whether a test trains a network."""
    return "train_digits" in inspect.signature(test.function).parameters


def test_points_and_topics_of_the_tests(cells, tests):
    questions = [yaml.safe_load(cell.text) for cell in cells if cell.text.startswith("# BEGIN QUESTION")]
    for question in questions:
        own = [test for test in tests if test.question == question["name"]]
        if question.get("manual"):
            assert not own
            continue
        assert sum(test.config["points"] for test in own) == question["points"], question["name"]
        names = [test.config["name"] for test in own]
        assert len(set(names)) == len(names), question["name"]
        kinds = [test.config.get("hidden", False) for test in own]
        assert kinds == sorted(kinds) and set(kinds) == {False, True}, "public tests come first, and there are hidden ones"
        assert all(test.config["failure_message"] for test in own)
    assert sum(question["points"] for question in questions) == 100
    assert len({test.function.__name__ for test in tests}) == len(tests)


@pytest.mark.parametrize("seed", range(3))
def test_the_master_passes(names, tests, seed):
    for test in tests:
        if not is_slow(test):
            test.run(names, seed)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_the_master_passes_where_a_network_is_trained(names, tests, seed):
    trained = [test for test in tests if is_slow(test)]
    assert len(trained) == 2
    for test in trained:
        test.run(names, seed)


def test_stubs_fail_every_test(cells, tests):
    held, in_tests = {}, False
    for cell in cells:
        if cell.kind == "raw":
            in_tests = cell.text.startswith("# BEGIN TESTS")
        elif cell.kind == "code" and not in_tests:
            text = re.sub(r"^# BEGIN SOLUTION NO PROMPT$.*?^# END SOLUTION$", "", cell.text, flags=re.M | re.S)
            text = re.sub(r"^( *)# BEGIN SOLUTION$.*?# END SOLUTION$", r"\1raise NotImplementedError", text, flags=re.M | re.S)
            text = re.sub(r"= [^=\n]*# SOLUTION$", "= ...", text, flags=re.M)
            exec(compile(text, f"{MASTER.name}:{cell.line}", "exec"), held)
    plt.close("all")
    assert held["answers"]["logits"] is held["digit_net"] is ...
    for test in tests:
        with pytest.raises((check.CheckError, NotImplementedError)):
            test.run(held, 0)


def test_points_and_headers(cells):
    questions = [cell.text for cell in cells if cell.kind == "raw" and cell.text.startswith("# BEGIN QUESTION")]
    points = [int(re.search(r"points: (\d+)", text)[1]) for text in questions]
    assert sum(points) == 100 and len(points) == 12
    prompts = [cell.text for cell in cells if cell.kind == "markdown" and cell.text.startswith("## Question")]
    for number, (prompt, value) in enumerate(zip(prompts, points, strict=True), 1):
        assert prompt.startswith(f"## Question {number}. ")
        assert re.search(
            rf"^\*{value} points · \d+ minutes · difficulty [123] of 3 · .*(lecture 0\d|questions 2)", prompt, re.M
        ), prompt
    minutes = sum(int(re.search(r"· (\d+) minutes ·", prompt)[1]) for prompt in prompts)
    hours = {"six": 6, "seven": 7, "seven and a half": 7.5, "eight": 8}
    said = re.search(r"about ([a-z ]+) hours", cells[1].text)[1]
    assert abs(minutes / 60 - hours[said]) < 0.25


def test_the_network_clears_the_bar_with_a_margin(names):
    x, y = names["digits_of"](data.HELD_OUT_FONTS, 2000, seed=77)
    accuracy = np.mean(names["mlp_logits"](names["digit_net"], x).argmax(axis=1) == y)
    assert accuracy > 0.66 + 0.08


PLANTED = {"A": {"shuffled"}, "B": {"loss"}, "C": {"accuracy"}, "healthy": set()}


@pytest.mark.parametrize("run", PLANTED)
def test_recorded_curves_come_from_the_planted_fault(run, names):
    """Recorded and computed anew: trajectories differ between machines in the last digits, so their features are compared."""
    parts = {
        part: names[("planted_" if part in PLANTED[run] else "mended_") + part] for part in ("loss", "accuracy", "shuffled")
    }
    fresh = names["practice_run"](**parts, nn=reference)
    recorded = names["RUNS"][run]
    for gauges in (recorded, fresh):
        loss, gradient = np.array(gauges["training loss"]), np.array(gauges["gradient"])
        first, again = np.array(gauges["accuracy"]), np.array(gauges["accuracy again"])
        assert len(loss) == len(gradient) == len(first) == len(again) == len(names["EPOCHS"])
        assert (loss[-1] < 0.4) == (run in "C healthy")
        assert (first[-1] > 0.55) == (run != "A")
        assert (np.mean(first != again) > 0.7) == (run == "C") and (run == "C" or (first == again).all())
        if run == "A":
            assert np.abs(loss - np.log(10)).max() < 0.08
            assert gradient[0] > 0.3, "weights that all start at zero would have no gradient here"
        if run == "B":
            floor = np.log(1 + 9 / np.e)  # one logit 1, nine logits 0
            assert loss.min() > floor and loss[-1] < floor + 0.25
    check.close(np.array(recorded["training loss"])[0], fresh["training loss"][0], atol=0.05)


def test_counts_of_question_11(names):
    answers, rng = names["answers"], np.random.default_rng(0)
    sizes, params = [(784, 150), (150, 60), (60, 10)], []
    for fan_in, fan_out in sizes:
        params += [names["he_normal"](fan_in, fan_out, rng), np.zeros(fan_out)]
    norm, layers = names["BatchNorm"](150), [names["Affine"](w, b) for w, b in zip(params[::2], params[1::2], strict=True)]
    x = rng.standard_normal((96, 784))
    hidden, mask = names["dropout"](norm.forward(layers[0].forward(x), True), 0.3, rng, True)
    logits = layers[2].forward(layers[1].forward(hidden))
    dx = layers[2].backward(np.ones_like(logits))
    layers[1].backward(dx)
    for name, array in [
        ("flattened batch", x),
        ("logits", logits),
        ("weight of layer 2", layers[1].weight),
        ("gradient of bias 2", layers[1].dbias),
        ("dropout mask", mask),
        ("backward of layer 3", dx),
    ]:
        assert answers[name] == array.shape, name
    trained = sum(array.size for array in [params[0], *params[2:], norm.gamma, norm.beta])
    assert answers["trained numbers"] == trained
    assert answers["running statistics"] == norm.running_mean.size + norm.running_var.size
    assert answers["numbers that Adam keeps"] == 2 * trained
    epoch = names["batches"](10_000, 96, rng)
    assert (answers["steps of one epoch"], answers["last batch"]) == (len(epoch), len(epoch[-1]))
