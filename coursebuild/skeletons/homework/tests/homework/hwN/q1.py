"""Answers to question 1: scale by the training set."""

import numpy as np

from tests.answers import right, wrong


@wrong(hint="of x; a model may use those of train alone")
def scaled_by_itself():
    """Each array is scaled by its own mean and standard deviation."""

    def standardize(train, x):
        if train.shape[1] != x.shape[1]:
            raise ValueError("columns differ")
        scale = x.std(axis=0)
        return (x - x.mean(axis=0)) / np.where(scale == 0, 1, scale)


@wrong(hint="mean and standard deviation of each column of train")
def scaled_by_both():
    """More rows give better estimates, so both are used."""

    def standardize(train, x):
        if train.shape[1] != x.shape[1]:
            raise ValueError("columns differ")
        rows = np.concatenate([train, x])
        scale = rows.std(axis=0)
        return (x - rows.mean(axis=0)) / np.where(scale == 0, 1, scale)


@wrong(hint="N in its denominator")
def one_row_less():
    """Takes the unbiased estimate."""

    def standardize(train, x):
        if train.shape[1] != x.shape[1]:
            raise ValueError("columns differ")
        scale = train.std(axis=0, ddof=1) if len(train) > 1 else np.zeros(train.shape[1])
        return (x - train.mean(axis=0)) / np.where(scale == 0, 1, scale)


@wrong(hint="each column has its own")
def one_scale_for_all_columns():
    """Forgets the axis."""

    def standardize(train, x):
        if train.shape[1] != x.shape[1]:
            raise ValueError("columns differ")
        return (x - train.mean()) / (train.std() or 1)


@wrong(hint="divided by the variance")
def by_the_variance():
    """Takes the variance for the standard deviation."""

    def standardize(train, x):
        if train.shape[1] != x.shape[1]:
            raise ValueError("columns differ")
        scale = train.var(axis=0)
        return (x - train.mean(axis=0)) / np.where(scale == 0, 1, scale)


@wrong(hint="the mean is not subtracted")
def not_centred():
    """Scales, and does not shift."""

    def standardize(train, x):
        if train.shape[1] != x.shape[1]:
            raise ValueError("columns differ")
        scale = train.std(axis=0)
        return x / np.where(scale == 0, 1, scale)


@wrong(hint="where the standard deviation of a column is 0")
def divided_by_zero():
    """Does not think of a column with one value."""

    def standardize(train, x):
        if train.shape[1] != x.shape[1]:
            raise ValueError("columns differ")
        return (x - train.mean(axis=0)) / train.std(axis=0)


@wrong(hint="the column with one value is 0 here")
def one_value_becomes_zero():
    """A column with one value tells nothing, so it is set to 0."""

    def standardize(train, x):
        if train.shape[1] != x.shape[1]:
            raise ValueError("columns differ")
        scale = train.std(axis=0)
        return np.where(scale == 0, 0.0, (x - train.mean(axis=0)) / np.where(scale == 0, 1, scale))


@wrong(hint="stays as it is")
def in_place():
    """Saves memory."""

    def standardize(train, x):
        if train.shape[1] != x.shape[1]:
            raise ValueError("columns differ")
        scale = train.std(axis=0)
        x -= train.mean(axis=0)
        x /= np.where(scale == 0, 1, scale)
        return x


@wrong(hint="different numbers of columns are a ValueError")
def left_to_numpy():
    """NumPy raises a ValueError itself where shapes do not fit."""

    def standardize(train, x):
        scale = train.std(axis=0)
        return (x - train.mean(axis=0)) / np.where(scale == 0, 1, scale)


@right
def column_by_column():
    """A loop over the columns."""

    def standardize(train, x):
        if train.shape[1] != x.shape[1]:
            raise ValueError(f"{train.shape[1]} and {x.shape[1]} columns")
        made = np.empty_like(x)
        for j in range(x.shape[1]):
            column = train[:, j]
            same = (column == column[0]).all()
            made[:, j] = (x[:, j] - column.mean()) / (1.0 if same else column.std())
        return made


@right
def by_the_mean_of_squares():
    """The variance as the mean square of the centred rows."""

    def standardize(train, x):
        if train.shape[1:] != x.shape[1:]:
            raise ValueError("the numbers of columns differ")
        middle = train.mean(axis=0)
        variance = np.mean((train - middle) ** 2, axis=0)
        return (x - middle) / np.sqrt(np.where(variance > 0, variance, 1.0))
