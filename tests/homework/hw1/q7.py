"""Answers to question 7: batch norm."""

import math

import numpy as np

from tests.answers import right, wrong

BATCH_NORM = """
class BatchNorm:
    def __init__(self, num_features, eps=1e-5, momentum=0.1):
        self.eps, self.momentum = eps, momentum
        self.gamma, self.beta = np.ones(num_features), np.zeros(num_features)
        self.running_mean, self.running_var = np.zeros(num_features), np.ones(num_features)

    def forward(self, x, train):
        if x.ndim != 2 or x.shape[1] != len(self.gamma):
            raise ValueError(f"x must be (N, {len(self.gamma)}), got {x.shape}")
        n = len(x)
        if train and n == 1:
            raise ValueError("training needs at least two examples, got one")
        values = x.astype(np.float64)
        if train:
            mean, var = values.mean(axis=0), values.var(axis=0)
            self.running_mean = (1 - self.momentum) * self.running_mean + self.momentum * mean
            self.running_var = (1 - self.momentum) * self.running_var + self.momentum * var * n / (n - 1)
        else:
            mean, var = self.running_mean, self.running_var
        self.scale = 1 / np.sqrt(var + self.eps)
        self.x_hat = (values - mean) * self.scale
        self.used_gamma, self.trained = self.gamma.copy(), train
        return (self.gamma * self.x_hat + self.beta).astype(x.dtype)

    def backward(self, dy):
        grad = dy.astype(np.float64)
        self.dgamma, self.dbeta = (grad * self.x_hat).sum(axis=0), grad.sum(axis=0)
        d = self.used_gamma * grad
        if self.trained:
            d = d - d.mean(axis=0) - self.x_hat * (d * self.x_hat).mean(axis=0)
        return (d * self.scale).astype(dy.dtype)
"""


@wrong(hint="biased", base=BATCH_NORM)
def unbiased_everywhere():
    """Normalises with the unbiased variance too."""
    return """
    -            mean, var = values.mean(axis=0), values.var(axis=0)
    +            mean, var = values.mean(axis=0), values.var(axis=0, ddof=1)

    -            self.running_var = (1 - self.momentum) * self.running_var + self.momentum * var * n / (n - 1)
    +            self.running_var = (1 - self.momentum) * self.running_var + self.momentum * var
    """


@wrong(hint="unbiased", base=BATCH_NORM)
def biased_everywhere():
    """Keeps the biased variance in running_var."""
    return """
    -            self.running_var = (1 - self.momentum) * self.running_var + self.momentum * var * n / (n - 1)
    +            self.running_var = (1 - self.momentum) * self.running_var + self.momentum * var
    """


@wrong(hint="momentum", base=BATCH_NORM)
def momentum_of_the_old():
    """Takes momentum for the share of the old statistics."""
    return """
    -            self.running_mean = (1 - self.momentum) * self.running_mean + self.momentum * mean
    -            self.running_var = (1 - self.momentum) * self.running_var + self.momentum * var * n / (n - 1)
    +            self.running_mean = self.momentum * self.running_mean + (1 - self.momentum) * mean
    +            self.running_var = self.momentum * self.running_var + (1 - self.momentum) * var * n / (n - 1)
    """


@wrong(hint="momentum", base=BATCH_NORM)
def momentum_is_always_a_tenth():
    """Writes 0.1 and 0.9 for the running statistics, whatever the constructor was given."""
    return """
    -            self.running_mean = (1 - self.momentum) * self.running_mean + self.momentum * mean
    -            self.running_var = (1 - self.momentum) * self.running_var + self.momentum * var * n / (n - 1)
    +            self.running_mean = 0.9 * self.running_mean + 0.1 * mean
    +            self.running_var = 0.9 * self.running_var + 0.1 * var * n / (n - 1)
    """


@wrong(hint="eps", base=BATCH_NORM)
def eps_outside_the_root():
    """Adds eps to the standard deviation, as Adam does."""
    return """
    -        self.scale = 1 / np.sqrt(var + self.eps)
    +        self.scale = 1 / (np.sqrt(var) + self.eps)
    """


@wrong(hint="eps belongs to the root in backward too", base=BATCH_NORM)
def eps_forgotten_in_backward():
    """Divides by the bare standard deviation on the way back, since eps is no part of the derivative."""
    return """
    -        self.scale = 1 / np.sqrt(var + self.eps)
    -        self.x_hat = (values - mean) * self.scale
    +        self.std = np.sqrt(var)
    +        self.x_hat = (values - mean) / np.sqrt(var + self.eps)

    -        return (d * self.scale).astype(dy.dtype)
    +        return (d / self.std).astype(dy.dtype)
    """


@wrong(hint="no part of running_var", base=BATCH_NORM)
def eps_in_the_running_variance():
    """Adds eps to the variance once, before it is used for anything."""
    return """
    -            mean, var = values.mean(axis=0), values.var(axis=0)
    +            mean, var = values.mean(axis=0), values.var(axis=0) + self.eps

    -            mean, var = self.running_mean, self.running_var
    -        self.scale = 1 / np.sqrt(var + self.eps)
    +            mean, var = self.running_mean, self.running_var + self.eps
    +        self.scale = 1 / np.sqrt(var)
    """


@wrong(hint="over the batch, axis 0", base=BATCH_NORM)
def over_the_whole_batch():
    """Takes one mean and one variance over all features together."""
    return """
    -            mean, var = values.mean(axis=0), values.var(axis=0)
    +            mean, var = values.mean(), values.var()

    -            d = d - d.mean(axis=0) - self.x_hat * (d * self.x_hat).mean(axis=0)
    +            d = d - d.mean() - self.x_hat * (d * self.x_hat).mean()
    """


@wrong(hint="mean off", base=BATCH_NORM)
def square_of_mean_taken_off():
    """Computes the variance as the mean of the squares less the square of the mean."""
    return """
    -            mean, var = values.mean(axis=0), values.var(axis=0)
    +            mean, var = values.mean(axis=0), np.maximum((values**2).mean(axis=0) - values.mean(axis=0) ** 2, 0)
    """


@wrong(hint="float64", base=BATCH_NORM)
def in_the_precision_of_x():
    """Computes in the dtype of x, since the result has that dtype anyway."""
    return """
    -        values = x.astype(np.float64)
    +        values = x

    -            mean, var = values.mean(axis=0), values.var(axis=0)
    +            mean, var = values.mean(axis=0), ((values - values.mean(axis=0)) ** 2).mean(axis=0)
    """


@wrong(hint="dtype", base=BATCH_NORM)
def always_double():
    """Returns float64 from forward, since everything inside is."""
    return """
    -        return (self.gamma * self.x_hat + self.beta).astype(x.dtype)
    +        return self.gamma * self.x_hat + self.beta
    """


@wrong(hint="dtype", base=BATCH_NORM)
def gradient_always_double():
    """Returns float64 from backward, since everything inside is."""
    return """
    -        return (d * self.scale).astype(dy.dtype)
    +        return d * self.scale
    """


@wrong(hint="float64", base=BATCH_NORM)
def parameter_gradients_in_the_precision_of_dy():
    """Gives dgamma and dbeta the dtype of dy."""
    return """
    -        self.dgamma, self.dbeta = (grad * self.x_hat).sum(axis=0), grad.sum(axis=0)
    +        self.dgamma = (grad * self.x_hat).sum(axis=0).astype(dy.dtype)
    +        self.dbeta = grad.sum(axis=0).astype(dy.dtype)
    """


@wrong(hint="leaves everything as it was", base=BATCH_NORM)
def evaluation_moves_the_statistics():
    """Updates the running statistics in both modes."""
    return """
             values = x.astype(np.float64)
    +        if n > 1:
    +            self.running_mean = (1 - self.momentum) * self.running_mean + self.momentum * values.mean(axis=0)
    +            self.running_var = (1 - self.momentum) * self.running_var + self.momentum * values.var(axis=0, ddof=1)

    -            self.running_mean = (1 - self.momentum) * self.running_mean + self.momentum * mean
    -            self.running_var = (1 - self.momentum) * self.running_var + self.momentum * var * n / (n - 1)
    """


@wrong(hint="mean and variance are taken over the batch", base=BATCH_NORM)
def training_uses_running_statistics():
    """Updates the running statistics and normalises with them, in training too."""
    return """
                 self.running_var = (1 - self.momentum) * self.running_var + self.momentum * var * n / (n - 1)
    +            mean, var = self.running_mean, self.running_var
    """


@wrong(hint="the running statistics, not the batch", base=BATCH_NORM)
def evaluation_uses_the_batch():
    """Uses the batch wherever it has two examples, and the running statistics for a single one only."""
    return """
             if train:
    +            self.running_mean = (1 - self.momentum) * self.running_mean + self.momentum * values.mean(axis=0)
    +            self.running_var = (1 - self.momentum) * self.running_var + self.momentum * values.var(axis=0, ddof=1)
    +        if n > 1:

    -            self.running_mean = (1 - self.momentum) * self.running_mean + self.momentum * mean
    -            self.running_var = (1 - self.momentum) * self.running_var + self.momentum * var * n / (n - 1)
    """


@wrong(hint="from zeros and ones", base=BATCH_NORM)
def running_variance_starts_at_zero():
    """Starts both running statistics at zero."""
    return """
    -        self.running_mean, self.running_var = np.zeros(num_features), np.ones(num_features)
    +        self.running_mean, self.running_var = np.zeros(num_features), np.zeros(num_features)
    """


@wrong(hint="an array of its own", base=BATCH_NORM)
def one_array_of_ones():
    """Lets gamma and running_var start as the same array, and updates the statistics in place."""
    return """
    -        self.gamma, self.beta = np.ones(num_features), np.zeros(num_features)
    -        self.running_mean, self.running_var = np.zeros(num_features), np.ones(num_features)
    +        self.gamma = self.running_var = np.ones(num_features)
    +        self.beta = self.running_mean = np.zeros(num_features)

    -            self.running_mean = (1 - self.momentum) * self.running_mean + self.momentum * mean
    -            self.running_var = (1 - self.momentum) * self.running_var + self.momentum * var * n / (n - 1)
    +            self.running_mean *= 1 - self.momentum
    +            self.running_mean += self.momentum * mean
    +            self.running_var *= 1 - self.momentum
    +            self.running_var += self.momentum * var * n / (n - 1)
    """


@wrong(hint="mean and variance", base=BATCH_NORM)
def statistics_constant_in_training():
    """Leaves out that mean and variance depend on x: only the first term, in both modes."""
    return """
    -        if self.trained:
    -            d = d - d.mean(axis=0) - self.x_hat * (d * self.x_hat).mean(axis=0)
    """


@wrong(hint="variance", base=BATCH_NORM)
def variance_constant_in_training():
    """Leaves out the gradient that passes through the variance."""
    return """
    -            d = d - d.mean(axis=0) - self.x_hat * (d * self.x_hat).mean(axis=0)
    +            d = d - d.mean(axis=0)
    """


@wrong(hint="both sums over the batch are divided by N", base=BATCH_NORM)
def sums_for_means():
    """Takes the sums of the gradient formula without their 1/N."""
    return """
    -            d = d - d.mean(axis=0) - self.x_hat * (d * self.x_hat).mean(axis=0)
    +            d = d - d.sum(axis=0) - self.x_hat * (d * self.x_hat).sum(axis=0)
    """


@wrong(hint="sum", base=BATCH_NORM)
def means_for_the_parameters():
    """Averages dgamma and dbeta over the batch."""
    return """
    -        self.dgamma, self.dbeta = (grad * self.x_hat).sum(axis=0), grad.sum(axis=0)
    +        self.dgamma, self.dbeta = (grad * self.x_hat).mean(axis=0), grad.mean(axis=0)
    """


@wrong(hint="evaluation", base=BATCH_NORM)
def full_formula_after_evaluation():
    """Uses the formula of training after evaluation too."""
    return """
    -        if self.trained:
    -            d = d - d.mean(axis=0) - self.x_hat * (d * self.x_hat).mean(axis=0)
    +        d = d - d.mean(axis=0) - self.x_hat * (d * self.x_hat).mean(axis=0)
    """


@wrong(hint="replace", base=BATCH_NORM)
def parameter_gradients_add_up():
    """Adds dgamma and dbeta to those of the backward before."""
    return """
             self.running_mean, self.running_var = np.zeros(num_features), np.ones(num_features)
    +        self.dgamma, self.dbeta = np.zeros(num_features), np.zeros(num_features)

    -        self.dgamma, self.dbeta = (grad * self.x_hat).sum(axis=0), grad.sum(axis=0)
    +        self.dgamma = self.dgamma + (grad * self.x_hat).sum(axis=0)
    +        self.dbeta = self.dbeta + grad.sum(axis=0)
    """


@wrong(hint="evaluation", base=BATCH_NORM)
def parameter_gradients_in_training_only():
    """Sets dgamma and dbeta after a forward in training only."""
    return """
    -        self.dgamma, self.dbeta = (grad * self.x_hat).sum(axis=0), grad.sum(axis=0)

             if self.trained:
    +            self.dgamma, self.dbeta = (grad * self.x_hat).sum(axis=0), grad.sum(axis=0)
    """


@wrong(hint="last forward", base=BATCH_NORM)
def evaluation_keeps_nothing():
    """Keeps for backward only what a training forward computed."""
    return """
    -        self.scale = 1 / np.sqrt(var + self.eps)
    -        self.x_hat = (values - mean) * self.scale
    -        self.used_gamma, self.trained = self.gamma.copy(), train
    -        return (self.gamma * self.x_hat + self.beta).astype(x.dtype)
    +        scale = 1 / np.sqrt(var + self.eps)
    +        x_hat = (values - mean) * scale
    +        if train or not hasattr(self, "x_hat"):
    +            self.x_hat, self.scale = x_hat, scale
    +            self.used_gamma, self.trained = self.gamma.copy(), train
    +        return (self.gamma * x_hat + self.beta).astype(x.dtype)
    """


@wrong(hint="the gamma that forward used", base=BATCH_NORM)
def gamma_of_today():
    """Uses in backward the gamma that is there now."""
    return """
    -        self.used_gamma, self.trained = self.gamma.copy(), train
    +        self.trained = train

    -        d = self.used_gamma * grad
    +        d = self.gamma * grad
    """


@wrong(hint="keep a copy, it may change in place", base=BATCH_NORM)
def gamma_kept_by_name():
    """Keeps gamma for backward without a copy, so that gamma -= lr * dgamma changes it too."""
    return """
    -        self.used_gamma, self.trained = self.gamma.copy(), train
    +        self.used_gamma, self.trained = self.gamma, train
    """


@wrong(hint="the statistics that it used", base=BATCH_NORM)
def running_variance_of_today():
    """Reads running_var again in a backward after evaluation."""
    return """
    -        return (d * self.scale).astype(dy.dtype)
    +            return (d * self.scale).astype(dy.dtype)
    +        return (d / np.sqrt(self.running_var + self.eps)).astype(dy.dtype)
    """


@wrong(hint="the division by the root is missing", base=BATCH_NORM)
def gamma_without_its_normalisation():
    """Sums dy times x less the mean for dgamma, and forgets the division."""
    return """
    -        self.x_hat = (values - mean) * self.scale
    +        self.centred = values - mean
    +        self.x_hat = self.centred * self.scale

    -        self.dgamma, self.dbeta = (grad * self.x_hat).sum(axis=0), grad.sum(axis=0)
    +        self.dgamma, self.dbeta = (grad * self.centred).sum(axis=0), grad.sum(axis=0)
    """


@wrong(hint="make a new array", base=BATCH_NORM)
def x_is_centred_in_place():
    """Takes the mean off x itself, which astype copies only where the dtype differs."""
    return """
    -        values = x.astype(np.float64)
    +        values = x.astype(np.float64, copy=False)

    -        self.x_hat = (values - mean) * self.scale
    +        values -= mean
    +        self.x_hat = values * self.scale
    """


@wrong(hint="make a new array", base=BATCH_NORM)
def dy_is_scaled_in_place():
    """Multiplies dy by gamma in place, which changes the caller's array where it is float64."""
    return """
    -        grad = dy.astype(np.float64)
    +        grad = dy.astype(np.float64, copy=False)

    -        d = self.used_gamma * grad
    +        grad *= self.used_gamma
    +        d = grad
    """


@wrong(hint="in training at N", base=BATCH_NORM)
def one_example_in_training():
    """Divides by max(N - 1, 1), so that one example does no harm."""
    return """
    -        if train and n == 1:
    -            raise ValueError("training needs at least two examples, got one")

    -            self.running_var = (1 - self.momentum) * self.running_var + self.momentum * var * n / (n - 1)
    +            self.running_var = (1 - self.momentum) * self.running_var + self.momentum * var * n / max(n - 1, 1)
    """


@wrong(hint="evaluation treats each row alone", base=BATCH_NORM)
def one_example_in_evaluation():
    """Refuses a single example in evaluation too."""
    return """
    -        if train and n == 1:
    +        if n == 1:
    """


@wrong(hint="running statistics", base=BATCH_NORM)
def checked_after_the_update():
    """Notices a batch of one only at the unbiased variance, after the running mean was moved."""
    return """
    -        if train and n == 1:
    -            raise ValueError("training needs at least two examples, got one")

                 self.running_mean = (1 - self.momentum) * self.running_mean + self.momentum * mean
    +            if n == 1:
    +                raise ValueError("training needs at least two examples, got one")
    """


@wrong(hint="look at the shape", base=BATCH_NORM)
def columns_left_to_numpy():
    """Checks the number of axes, and lets NumPy complain of the columns, which it does not where it can broadcast."""
    return """
    -        if x.ndim != 2 or x.shape[1] != len(self.gamma):
    +        if x.ndim != 2:
    """


@wrong(hint="look at the shape", base=BATCH_NORM)
def last_axis_only():
    """Checks the last axis only, so that a single row (D,) or a stack (A, B, D) passes."""
    return """
    -        if x.ndim != 2 or x.shape[1] != len(self.gamma):
    +        if x.shape[-1] != len(self.gamma):
    """


@right
def step_by_step():
    """Passes the gradient back through the variance and the mean one after the other, and sums with einsum."""

    class BatchNorm:
        def __init__(self, num_features, eps=1e-5, momentum=0.1):
            self.num_features, self.eps, self.momentum = num_features, eps, momentum
            self.gamma = np.full(num_features, 1.0)
            self.beta = np.full(num_features, 0.0)
            self.running_mean = np.full(num_features, 0.0)
            self.running_var = np.full(num_features, 1.0)
            self.dgamma = self.dbeta = None
            self.memory = None

        def forward(self, x, train):
            if x.shape != (len(x), self.num_features):
                raise ValueError(f"x must be (N, {self.num_features}), got {x.shape}")
            n = x.shape[0]
            if train:
                if n < 2:
                    raise ValueError("x must have two rows or more in training, got one")
                mean = np.einsum("nd->d", x.astype(np.float64)) / n
                centred = x - mean
                var = np.einsum("nd,nd->d", centred, centred) / n
                self.running_mean = self.running_mean + self.momentum * (mean - self.running_mean)
                self.running_var = self.running_var + self.momentum * (var / (1 - 1 / n) - self.running_var)
            else:
                centred, var = x - self.running_mean, np.array(self.running_var)
            std = np.sqrt(var + self.eps)
            self.memory = (bool(train), centred, std, np.array(self.gamma))
            return np.add(self.gamma * (centred / std), self.beta).astype(x.dtype, copy=False)

        def backward(self, dy):
            train, centred, std, gamma = self.memory
            n = len(dy)
            double = np.array(dy, dtype=np.float64)
            self.dbeta = np.einsum("nd->d", double)
            self.dgamma = np.einsum("nd,nd->d", double, centred / std)
            dx_hat = double * gamma
            dx = dx_hat / std
            if train:
                dvar = (dx_hat * centred).sum(axis=0) * -0.5 / std**3
                dx += 2 * centred * dvar / n
                dx -= dx.sum(axis=0) / n
            return dx.astype(dy.dtype)


@right
def with_closures():
    """Keeps for backward a function instead of arrays, and takes the modes apart."""

    class BatchNorm:
        def __init__(self, num_features, eps=1e-5, momentum=0.1):
            self.gamma, self.beta = np.ones((num_features,)), np.zeros((num_features,))
            self.running_mean, self.running_var = np.zeros((num_features,)), np.ones((num_features,))
            self._eps, self._share = eps, momentum

        def forward(self, x, train):
            if x.ndim != 2:
                raise ValueError(f"x must have two axes, got {x.ndim}")
            if x.shape[1] != self.gamma.size:
                raise ValueError(f"x must have {self.gamma.size} columns, got {x.shape[1]}")
            if train and x.shape[0] == 1:
                raise ValueError("x has one row, and training needs more")
            y = (self._train if train else self._evaluate)(np.array(x, np.float64))
            return y.astype(x.dtype)

        def _train(self, x):
            mean = np.add.reduce(x, axis=0) / len(x)
            var = np.add.reduce((x - mean) ** 2, axis=0)
            unbiased, biased = var / (len(x) - 1), var / len(x)
            self.running_mean = np.average([self.running_mean, mean], axis=0, weights=[1 - self._share, self._share])
            self.running_var = np.average([self.running_var, unbiased], axis=0, weights=[1 - self._share, self._share])
            return self._finish(x, mean, biased, lambda x_hat, d: x_hat * np.mean(x_hat * d, axis=0) + np.mean(d, axis=0))

        def _evaluate(self, x):
            return self._finish(x, self.running_mean, self.running_var, lambda x_hat, d: 0.0)

        def _finish(self, x, mean, var, correction):
            scale = np.power(var + self._eps, -0.5)
            x_hat, gamma = (x - mean) * scale, self.gamma * 1.0

            def pull(dy):
                return scale * (gamma * dy - correction(x_hat, gamma * dy)), (x_hat * dy).sum(0), dy.sum(0)

            self._pull = pull
            return gamma * x_hat + self.beta

        def backward(self, dy):
            dx, self.dgamma, self.dbeta = self._pull(np.asarray(dy, dtype=np.float64))
            return dx.astype(dy.dtype)


@right
def feature_by_feature():
    """Loops over the features with exact sums, keeps features as rows, and returns arrays in Fortran's order."""

    class BatchNorm:
        def __init__(self, num_features, eps=1e-5, momentum=0.1):
            self.eps, self.momentum = eps, momentum
            self.gamma, self.beta = np.ones(num_features), np.zeros(num_features)
            self.running_mean, self.running_var = np.zeros(num_features), np.ones(num_features)

        def forward(self, x, train):
            if len(x.shape) != 2 or x.shape[-1] != self.beta.shape[0]:
                raise ValueError(f"expected (N, {self.beta.shape[0]}), got {x.shape}")
            n = len(x)
            if n == 1 and train:
                raise ValueError("expected more than one example in training")
            self.kept, rows, means, variances = [], [], [], []
            for j, column in enumerate(x.T.tolist()):
                mean, var = float(self.running_mean[j]), float(self.running_var[j])
                if train:
                    mean = math.fsum(column) / n
                    squares = math.fsum((value - mean) ** 2 for value in column)
                    var = squares / n
                    means.append((1 - self.momentum) * self.running_mean[j] + self.momentum * mean)
                    variances.append((1 - self.momentum) * self.running_var[j] + self.momentum * squares / (n - 1))
                std = math.sqrt(var + self.eps)
                x_hat = [(value - mean) / std for value in column]
                rows.append([self.gamma[j] * value + self.beta[j] for value in x_hat])
                self.kept.append((train, np.array(x_hat), std, float(self.gamma[j])))
            if train:
                self.running_mean, self.running_var = np.array(means), np.array(variances)
            return np.array(rows, dtype=x.dtype).T

        def backward(self, dy):
            self.dgamma, self.dbeta = np.empty(len(self.kept)), np.empty(len(self.kept))
            dx = np.empty(dy.shape[::-1])
            for j, (train, x_hat, std, gamma) in enumerate(self.kept):
                column = dy[:, j].astype(np.float64)
                self.dgamma[j], self.dbeta[j] = column @ x_hat, math.fsum(column)
                d = gamma * column
                dx[j] = d / std
                if train:
                    n = len(d)
                    jacobian = (np.eye(n) - 1 / n - np.outer(x_hat, x_hat) / n) / std
                    dx[j] = jacobian @ d
            return dx.astype(dy.dtype).T


@right
def modes_as_classes():
    """Makes an object for each forward, and sets the attributes by name."""

    class Normalised:
        def __init__(self, centred, var, eps, gamma):
            self.scale = 1.0 / np.sqrt(var + eps)
            self.x_hat, self.gamma = centred * self.scale, gamma

        def dx(self, dy):
            return dy * (self.gamma * self.scale)

    class NormalisedByBatch(Normalised):
        def dx(self, dy):
            n = len(dy)
            total, weighted = dy.sum(axis=0, keepdims=True), (dy * self.x_hat).sum(axis=0, keepdims=True)
            return self.gamma * self.scale / n * (n * dy - total - self.x_hat * weighted)

    class BatchNorm:
        def __init__(self, num_features, eps=1e-5, momentum=0.1):
            self.num_features, self.eps, self.momentum = num_features, eps, momentum
            start = {"gamma": 1.0, "beta": 0.0, "running_mean": 0.0, "running_var": 1.0}
            self.__dict__.update({name: np.zeros(num_features) + value for name, value in start.items()})

        def forward(self, x, train=True):
            match x.shape:
                case (n, d) if d == self.num_features and not (train and n == 1):
                    pass
                case shape:
                    raise ValueError(f"x must be (N, {self.num_features}), N at least 2 in training, got {shape}")
            gamma = self.gamma.astype(np.float64)
            if train:
                shift = x[0].astype(np.float64)
                shifted = x - shift
                mean, var = shifted.mean(axis=0), shifted.var(axis=0, ddof=1)
                for name, new in [("running_mean", shift + mean), ("running_var", var)]:
                    setattr(self, name, self.momentum * new + (1 - self.momentum) * getattr(self, name))
                self.last = NormalisedByBatch(shifted - mean, var * (n - 1) / n, self.eps, gamma)
            else:
                self.last = Normalised(x - self.running_mean, self.running_var, self.eps, gamma)
            return (self.last.x_hat * gamma + self.beta).astype(x.dtype)

        def backward(self, dy):
            double = dy.astype("float64")
            self.dbeta = np.ones(len(dy)) @ double
            self.dgamma = np.diagonal(self.last.x_hat.T @ double).copy()
            return self.last.dx(double).astype(dy.dtype)
