"""Answers to question 11: shapes and parameters."""

import math

import numpy as np

from tests.answers import right, wrong

answers = {}


@wrong(hint="out, in")
def weight_inputs_first():
    """Believes that a weight is (in, out)."""

    answers["weight of layer 2"] = (150, 60)


@wrong(hint="tuple")
def parentheses_without_comma():
    """Believes that (60) is a tuple."""

    answers["gradient of bias 2"] = 60


@wrong(hint="summed")
def bias_gradient_for_each_example():
    """Forgets that the gradient of the bias is summed over the batch."""

    answers["gradient of bias 2"] = (96, 60)


@wrong(hint="shape")
def bias_is_a_column():
    """Believes that a bias is a column, (out, 1)."""

    answers["gradient of bias 2"] = (60, 1)


@wrong(hint="shape")
def bias_is_a_row():
    """Believes that a summed gradient keeps its first axis."""

    answers["gradient of bias 2"] = (1, 60)


@wrong(hint="the batch comes first")
def flattened_altogether():
    """Flattens the batch too."""

    answers["flattened batch"] = (75264,)


@wrong(hint="28 times 28 pixels go in")
def channel_is_kept():
    """Flattens the pixels and keeps the axis of the channel."""

    answers["flattened batch"] = (96, 1, 784)


@wrong(hint="first axis")
def examples_in_columns():
    """Puts the examples into the columns."""

    answers["flattened batch"] = (784, 96)
    answers["logits"] = (10, 96)


@wrong(hint="one number for each class")
def logits_are_labels():
    """Takes the logits for the labels, one number for each example."""

    answers["logits"] = (96,)


@wrong(hint="mask")
def one_mask_for_all():
    """Believes that dropout drops the same units for all examples of a batch."""

    answers["dropout mask"] = (150,)


@wrong(hint="what is dropped included")
def mask_of_what_is_kept():
    """Believes that the mask holds only the 70 % that are kept."""

    answers["dropout mask"] = (96, 105)


@wrong(hint="dropout stands behind layer 1")
def mask_on_the_inputs():
    """Puts dropout before layer 1."""

    answers["dropout mask"] = (96, 784)


@wrong(hint="input")
def backward_returns_the_weight_gradient():
    """Believes that backward returns the gradient of the weight."""

    answers["backward of layer 3"] = (10, 60)


@wrong(hint="input")
def backward_has_the_shape_of_the_output():
    """Gives the shape of what backward receives."""

    answers["backward of layer 3"] = (96, 10)


@wrong(hint="no bias")
def bias_in_layer_1():
    """Counts 150 biases in layer 1."""

    answers["trained numbers"] = 127_720
    answers["numbers that Adam keeps"] = 255_440


@wrong(hint="scale and offset are trained")
def gamma_and_beta_forgotten():
    """Counts weights and biases only."""

    answers["trained numbers"] = 127_270
    answers["numbers that Adam keeps"] = 254_540


@wrong(hint="a scale and an offset for each feature")
def gamma_forgotten():
    """Counts beta as the bias of layer 1, and no gamma."""

    answers["trained numbers"] = 127_420
    answers["numbers that Adam keeps"] = 254_840


@wrong(hint="running")
def running_statistics_are_trained():
    """Counts the running statistics among the trained numbers."""

    answers["trained numbers"] = 127_870
    answers["numbers that Adam keeps"] = 255_740


@wrong(hint="bias")
def weights_only():
    """Counts no biases at all, but gamma and beta."""

    answers["trained numbers"] = 127_500
    answers["numbers that Adam keeps"] = 255_000


@wrong(hint="a mean and a variance for each feature")
def one_running_statistic():
    """Counts a running mean and no running variance."""

    answers["running statistics"] = 150


@wrong(hint="feature")
def two_running_numbers():
    """Believes that batch norm has one mean and one variance for the whole layer."""

    answers["running statistics"] = 2


@wrong(hint="scale and offset are trained, and do not count")
def four_arrays_of_batch_norm():
    """Counts gamma and beta among the running statistics."""

    answers["running statistics"] = 600


@wrong(hint="two")
def adam_keeps_one():
    """Believes that Adam keeps one average, as momentum does."""

    answers["numbers that Adam keeps"] = 127_570


@wrong(hint="two")
def adam_keeps_the_weights_too():
    """Counts the weights themselves among what Adam keeps."""

    answers["numbers that Adam keeps"] = 382_710


@wrong(hint="keeps nothing for what is not trained")
def adam_keeps_running_statistics():
    """Believes that Adam has averages for the running statistics too."""

    answers["numbers that Adam keeps"] = 255_740


@wrong(hint="the last, smaller batch")
def last_batch_dropped():
    """Drops what does not fill a batch."""

    answers["steps of one epoch"] = 104
    answers["last batch"] = 96


@wrong(hint="the last, smaller batch")
def last_batch_not_counted():
    """Counts the full batches only, though the last one is known."""

    answers["steps of one epoch"] = 104


@wrong(hint="see what is left")
def steps_not_rounded():
    """Divides, and leaves the fraction."""

    answers["steps of one epoch"] = 10_000 / 96


@wrong(hint="see what is left")
def what_is_missing_from_the_last_batch():
    """Gives what the last batch lacks to be full."""

    answers["last batch"] = 80


@right
def as_numpy_integers():
    """Leaves the numbers and the entries of the shapes as NumPy made them."""

    batch = np.zeros((96, 1, 28, 28), dtype=np.float32).reshape(96, -1)
    weights = [np.zeros(shape) for shape in [(150, 784), (60, 150), (10, 60)]]
    x, inputs = batch, []
    for weight in weights:
        inputs.append(x)
        x = x @ weight.T
    answers["flattened batch"] = batch.shape
    answers["logits"] = x.shape
    answers["weight of layer 2"] = tuple(np.array(weights[1].shape))
    answers["gradient of bias 2"] = tuple(np.array([60]))
    answers["dropout mask"] = inputs[1].shape
    answers["backward of layer 3"] = tuple(np.array(inputs[2].shape))
    answers["trained numbers"] = np.sum([w.size for w in weights]) + 150 + 150 + 60 + 10
    answers["running statistics"] = np.int64(300)
    answers["numbers that Adam keeps"] = 2 * answers["trained numbers"]
    answers["steps of one epoch"] = np.int32(105)
    answers["last batch"] = np.arange(10_000)[104 * 96 :].size


@right
def rounded_up_by_numpy():
    """Rounds up with np.ceil, and takes quotients, which are floats with the same values."""

    answers["steps of one epoch"] = np.ceil(10_000 / 96)
    answers["last batch"] = np.mod(10_000.0, 96)
    answers["running statistics"] = 600 / 2


@right
def as_formulas():
    """Writes the sums down, in a new dictionary and in another order."""

    answers = {
        "last batch": 10_000 % 96,
        "steps of one epoch": math.ceil(10_000 / 96),
        "trained numbers": 784 * 150 + 2 * 150 + (150 + 1) * 60 + (60 + 1) * 10,
        "numbers that Adam keeps": 2 * (784 * 150 + 2 * 150 + (150 + 1) * 60 + (60 + 1) * 10),
        "running statistics": 150 + 150,
        "flattened batch": (96, 28 * 28),
        "logits": (96, 10),
        "weight of layer 2": (60, 150),
        "gradient of bias 2": tuple([60]),
        "dropout mask": (96, 150),
        "backward of layer 3": (96,) + (60,),
    }
