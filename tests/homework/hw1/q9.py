"""Answers to question 9: training, and stopping in time."""

import math

import numpy as np

from tests.answers import right, wrong

BATCHES = """
def batches(n, batch_size, rng):
    if n < 1 or batch_size < 1:
        raise ValueError(f"n and batch_size must be at least 1, got {n} and {batch_size}")
    order = rng.permutation(n)
    return [order[start : start + batch_size] for start in range(0, n, batch_size)]
"""

EARLY_STOPPING = """
class EarlyStopping:
    def __init__(self, patience):
        if patience < 1:
            raise ValueError(f"patience must be at least 1, got {patience}")
        self.patience, self.waited = patience, 0
        self.best_loss, self.best_params = math.inf, None

    def update(self, loss, params):
        if loss < self.best_loss:
            self.best_loss, self.best_params = loss, [p.copy() for p in params]
            self.waited = 0
        else:
            self.waited += 1
        return self.waited >= self.patience
"""

FIT = """
def fit(params, loss_and_grads, step, x, y, x_val, y_val, rng, lr, batch_size, patience, max_epochs):
    params = [p.copy() for p in params]
    states = [{} for _ in params]
    stopping, val_losses = EarlyStopping(patience), []
    for _ in range(max_epochs):
        for rows in batches(len(x), batch_size, rng):
            _, grads = loss_and_grads(params, x[rows], y[rows])
            params = [step(w, g, state, lr) for w, g, state in zip(params, grads, states, strict=True)]
        val_loss, _ = loss_and_grads(params, x_val, y_val)
        val_losses.append(float(val_loss))
        if stopping.update(val_losses[-1], params):
            break
    return stopping.best_params, val_losses
"""


@wrong(hint="the last, smaller batch", base=BATCHES)
def last_batch_dropped():
    """Leaves out what does not fill a batch."""
    return """
    -    return [order[start : start + batch_size] for start in range(0, n, batch_size)]
    +    return [order[start : start + batch_size] for start in range(0, n - batch_size + 1, batch_size)]
    """


@wrong(hint="no batch has more than batch_size", base=BATCHES)
def last_batch_takes_the_rest():
    """Cuts n // batch_size batches, and the last one takes what is left over."""
    return """
    -    return [order[start : start + batch_size] for start in range(0, n, batch_size)]
    +    cuts = [k * batch_size for k in range(1, n // batch_size)]
    +    return np.split(order, cuts)
    """


@wrong(hint="cut every batch_size elements", base=BATCHES)
def batches_of_about_the_same_size():
    """Lets array_split cut the order evenly."""
    return """
    -    return [order[start : start + batch_size] for start in range(0, n, batch_size)]
    +    return np.array_split(order, math.ceil(n / batch_size))
    """


@wrong(hint="no batch is empty", base=BATCHES)
def empty_last_batch():
    """Counts one batch more than n // batch_size, also where nothing is left for it."""
    return """
    -    return [order[start : start + batch_size] for start in range(0, n, batch_size)]
    +    return [order[k * batch_size : (k + 1) * batch_size] for k in range(n // batch_size + 1)]
    """


@wrong(hint="cut every batch_size elements", base=BATCHES)
def every_kth_row():
    """Deals the rows out to the batches in turn."""
    return """
    -    return [order[start : start + batch_size] for start in range(0, n, batch_size)]
    +    count = math.ceil(n / batch_size)
    +    return [order[k::count] for k in range(count)]
    """


@wrong(hint="in the order of the data", base=BATCHES)
def not_shuffled():
    """Cuts the rows in their own order."""
    return """
    -    order = rng.permutation(n)
    +    order = np.arange(n)
    """


@wrong(hint="each row comes once in each epoch", base=BATCHES)
def drawn_with_replacement():
    """Draws each row anew, so that some occur twice."""
    return """
    -    order = rng.permutation(n)
    +    order = rng.integers(0, n, n)
    """


@wrong(hint="drawn from the generator that is passed", base=BATCHES)
def global_permutation():
    """Shuffles with NumPy's global generator."""
    return """
    -    order = rng.permutation(n)
    +    order = np.random.permutation(n)
    """


@wrong(hint="each row comes once in each epoch")
def permutation_for_each_batch():
    """Draws a permutation for every batch and takes its beginning."""

    def batches(n, batch_size, rng):
        if n < 1 or batch_size < 1:
            raise ValueError(f"n and batch_size must be at least 1, got {n} and {batch_size}")
        return [rng.permutation(n)[: min(batch_size, n - start)] for start in range(0, n, batch_size)]


@wrong(hint="both refused below 1", base=BATCHES)
def batch_size_left_to_range():
    """Checks n, and leaves a batch size below 1 to range, which minds 0 but not -1."""
    return """
    -    if n < 1 or batch_size < 1:
    +    if n < 1:
    """


@wrong(hint="both refused below 1", base=BATCHES)
def no_rows_no_batches():
    """Believes that no rows give an empty list."""
    return """
    -    if n < 1 or batch_size < 1:
    +    if n < 0 or batch_size < 1:
    """


@wrong(hint="beyond n is allowed", base=BATCHES)
def batch_larger_than_the_data():
    """Refuses a batch size above n."""
    return """
    -    if n < 1 or batch_size < 1:
    +    if n < 1 or not 1 <= batch_size <= n:
    """


@wrong(hint="return a list", base=BATCHES)
def a_generator_of_batches():
    """Yields the batches one by one, so that nothing is drawn or refused before the first is asked for."""
    return """
    -    return [order[start : start + batch_size] for start in range(0, n, batch_size)]
    +    for start in range(0, n, batch_size):
    +        yield order[start : start + batch_size]
    """


@wrong(hint="arrays of row numbers", base=BATCHES)
def lists_of_rows():
    """Returns lists of Python's integers."""
    return """
    -    return [order[start : start + batch_size] for start in range(0, n, batch_size)]
    +    return [order[start : start + batch_size].tolist() for start in range(0, n, batch_size)]
    """


@wrong(hint="int64", base=BATCHES)
def narrow_row_numbers():
    """Casts the row numbers to int32, which is enough."""
    return """
    -    order = rng.permutation(n)
    +    order = rng.permutation(n).astype(np.int32)
    """


@wrong(hint="the order of the permutation within a batch", base=BATCHES)
def batches_are_sorted():
    """Sorts the rows of a batch, as their order within it does not matter."""
    return """
    -    return [order[start : start + batch_size] for start in range(0, n, batch_size)]
    +    return [np.sort(order[start : start + batch_size]) for start in range(0, n, batch_size)]
    """


@wrong(hint="stop at the call that makes it", base=EARLY_STOPPING)
def one_call_too_late():
    """Stops after more than patience calls that were not better."""
    return """
    -        return self.waited >= self.patience
    +        return self.waited > self.patience
    """


@wrong(hint="a loss that equals the best is not better", base=EARLY_STOPPING)
def a_tie_is_better():
    """Takes an equal loss for better."""
    return """
    -        if loss < self.best_loss:
    +        if loss <= self.best_loss:
    """


@wrong(hint="the count starts again", base=EARLY_STOPPING)
def counts_all_worse_calls():
    """Counts the calls that were not better, in a row or not."""
    return """
    -            self.waited = 0
    """


@wrong(hint="not than the last one", base=EARLY_STOPPING)
def compares_with_the_call_before():
    """Starts to count anew when the loss is lower than the one before."""
    return """
    -        self.best_loss, self.best_params = math.inf, None
    +        self.best_loss, self.best_params, self.before = math.inf, None, math.inf

    -            self.waited = 0
    -        else:
    -            self.waited += 1
    +        self.waited = 0 if loss < self.before else self.waited + 1
    +        self.before = loss
    """


@wrong(hint="NaN is never better", base=EARLY_STOPPING)
def nan_is_better():
    """Asks whether the loss is not better, and lets NaN fall through to better."""
    return """
    -        if loss < self.best_loss:
    +        if loss >= self.best_loss:
    +            self.waited += 1
    +        else:

    -        else:
    -            self.waited += 1
    """


@wrong(hint="and is counted", base=EARLY_STOPPING)
def nan_does_not_count():
    """Counts a call when its loss is at least the best, which NaN is not."""
    return """
    -        else:
    +        elif loss >= self.best_loss:
    """


@wrong(hint="NaN alone does not stop it", base=EARLY_STOPPING)
def nan_stops_at_once():
    """Stops at the first NaN."""
    return """
    -        return self.waited >= self.patience
    +        return self.waited >= self.patience or math.isnan(loss)
    """


@wrong(hint="can still be the lowest", base=EARLY_STOPPING)
def nan_poisons_the_minimum():
    """Compares with the minimum of all losses before, which is NaN if the first one was."""
    return """
             self.best_loss, self.best_params = math.inf, None
    +        self.losses = []

    -        if loss < self.best_loss:
    +        if loss < min(self.losses, default=math.inf):

                 self.waited += 1
    +        self.losses.append(loss)
    """


@wrong(hint="keep copies", base=EARLY_STOPPING)
def best_by_reference():
    """Keeps the list of parameters, and no copy."""
    return """
    -            self.best_loss, self.best_params = loss, [p.copy() for p in params]
    +            self.best_loss, self.best_params = loss, params
    """


@wrong(hint="keep copies", base=EARLY_STOPPING)
def shallow_copy():
    """Copies the list and not its arrays."""
    return """
    -            self.best_loss, self.best_params = loss, [p.copy() for p in params]
    +            self.best_loss, self.best_params = loss, list(params)
    """


@wrong(hint="keep copies", base=EARLY_STOPPING)
def copies_as_views():
    """Takes p[:] for a copy, as with lists."""
    return """
    -            self.best_loss, self.best_params = loss, [p.copy() for p in params]
    +            self.best_loss, self.best_params = loss, [p[:] for p in params]
    """


@wrong(hint="these are the last parameters", base=EARLY_STOPPING)
def always_the_last_parameters():
    """Copies the parameters at every call."""
    return """
    -            self.best_loss, self.best_params = loss, [p.copy() for p in params]
    +            self.best_loss = loss

                 self.waited += 1
    +        self.best_params = [p.copy() for p in params]
    """


@wrong(hint="calls after a stop follow", base=EARLY_STOPPING)
def says_stop_only_once():
    """Returns True at exactly patience calls, and False again at the next."""
    return """
    -        return self.waited >= self.patience
    +        return self.waited == self.patience
    """


@wrong(hint="calls after a stop follow", base=EARLY_STOPPING)
def starts_anew_after_a_stop():
    """Sets the count to zero when it says stop."""
    return """
    -        return self.waited >= self.patience
    +        if self.waited >= self.patience:
    +            self.waited = 0
    +            return True
    +        return False
    """


@wrong(hint="calls after a stop follow", base=EARLY_STOPPING)
def stopped_for_ever():
    """Stays at True once it has said so, also at a better loss."""
    return """
    -        self.best_loss, self.best_params = math.inf, None
    +        self.best_loss, self.best_params, self.stopped = math.inf, None, False

    -        return self.waited >= self.patience
    +        self.stopped = self.stopped or self.waited >= self.patience
    +        return self.stopped
    """


@wrong(hint="a patience below 1 is refused", base=EARLY_STOPPING)
def no_patience_is_allowed():
    """Refuses a negative patience only."""
    return """
    -        if patience < 1:
    +        if patience < 0:
    """


@wrong(hint="however little it is lower", base=EARLY_STOPPING)
def a_small_gain_is_no_gain():
    """Asks for a loss that is lower by more than 0.0001, as Keras can."""
    return """
    -        if loss < self.best_loss:
    +        if loss < self.best_loss - 1e-4:
    """


@wrong(hint="best_loss is infinite at first", base=EARLY_STOPPING)
def starts_at_a_large_number():
    """Starts with a loss of 1e6 instead of infinity."""
    return """
    -        self.best_loss, self.best_params = math.inf, None
    +        self.best_loss, self.best_params = 1e6, None
    """


@wrong(hint="each object counts its own calls", base=EARLY_STOPPING)
def count_belongs_to_the_class():
    """Keeps the count in a list of the class, which all objects share."""
    return """
     class EarlyStopping:
    +    losses_since_best = []
    +

    -        self.patience, self.waited = patience, 0
    +        self.patience = patience

    -            self.waited = 0
    +            self.losses_since_best.clear()

    -            self.waited += 1
    -        return self.waited >= self.patience
    +            self.losses_since_best.append(loss)
    +        return len(self.losses_since_best) >= self.patience
    """


@wrong(hint="the lowest validation loss", base=FIT)
def returns_the_last_parameters():
    """Returns the parameters of the last epoch."""
    return """
    -    return stopping.best_params, val_losses
    +    return params, val_losses
    """


@wrong(hint="a state of its own", base=FIT)
def one_state_for_all():
    """Multiplies a list of one dictionary, which all parameters then share."""
    return """
    -    states = [{} for _ in params]
    +    states = [{}] * len(params)
    """


@wrong(hint="must live through all epochs", base=FIT)
def state_for_each_epoch():
    """Makes new states at the start of every epoch."""
    return """
    -    states = [{} for _ in params]

         for _ in range(max_epochs):
    +        states = [{} for _ in params]
    """


@wrong(hint="must live from step to step", base=FIT)
def state_for_each_step():
    """Makes a new state for every step."""
    return """
    -    states = [{} for _ in params]

    -            params = [step(w, g, state, lr) for w, g, state in zip(params, grads, states, strict=True)]
    +            params = [step(w, g, {}, lr) for w, g in zip(params, grads, strict=True)]
    """


@wrong(hint="draw a new order", base=FIT)
def one_order_for_all_epochs():
    """Draws the order once, before the first epoch."""
    return """
         stopping, val_losses = EarlyStopping(patience), []
    +    epoch = batches(len(x), batch_size, rng)

    -        for rows in batches(len(x), batch_size, rng):
    +        for rows in epoch:
    """


@wrong(hint="add nothing up", base=FIT)
def gradients_pile_up():
    """Adds the gradients of all batches so far."""
    return """
         stopping, val_losses = EarlyStopping(patience), []
    +    total = [0 * p for p in params]

    -            params = [step(w, g, state, lr) for w, g, state in zip(params, grads, states, strict=True)]
    +            total = [t + g for t, g in zip(total, grads, strict=True)]
    +            params = [step(w, g, state, lr) for w, g, state in zip(params, total, states, strict=True)]
    """


@wrong(hint="do not divide it once more", base=FIT)
def gradient_divided_by_the_batch():
    """Divides the gradient by the size of the batch once more."""
    return """
    -            params = [step(w, g, state, lr) for w, g, state in zip(params, grads, states, strict=True)]
    +            params = [step(w, g / len(rows), state, lr) for w, g, state in zip(params, grads, states, strict=True)]
    """


@wrong(hint="each mini-batch makes a step", base=FIT)
def one_step_for_each_epoch():
    """Takes a step with the gradient of the last batch only."""
    return """
    -            params = [step(w, g, state, lr) for w, g, state in zip(params, grads, states, strict=True)]
    +        params = [step(w, g, state, lr) for w, g, state in zip(params, grads, states, strict=True)]
    """


@wrong(hint="each mini-batch gets one call", base=FIT)
def gradient_anew_for_each_parameter():
    """Asks for the gradients again after each parameter's step."""
    return """
    -            _, grads = loss_and_grads(params, x[rows], y[rows])
    -            params = [step(w, g, state, lr) for w, g, state in zip(params, grads, states, strict=True)]
    +            for i, state in enumerate(states):
    +                _, grads = loss_and_grads(params, x[rows], y[rows])
    +                params[i] = step(params[i], grads[i], state, lr)
    """


@wrong(hint="come from the same rows", base=FIT)
def labels_not_shuffled():
    """Takes the rows of x in the new order, and the labels in the old one."""
    return """
    -        for rows in batches(len(x), batch_size, rng):
    -            _, grads = loss_and_grads(params, x[rows], y[rows])
    +        for k, rows in enumerate(batches(len(x), batch_size, rng)):
    +            _, grads = loss_and_grads(params, x[rows], y[k * batch_size : k * batch_size + len(rows)])
    """


@wrong(hint="params and its arrays stay", base=FIT)
def callers_list_is_changed():
    """Puts the new arrays into the list that it was given."""
    return """
    -    params = [p.copy() for p in params]

    -            params = [step(w, g, state, lr) for w, g, state in zip(params, grads, states, strict=True)]
    +            for i, state in enumerate(states):
    +                params[i] = step(params[i], grads[i], state, lr)
    """


@wrong(hint="make a new array", base=FIT)
def callers_arrays_are_changed():
    """Copies the list, and writes the new values into the old arrays."""
    return """
    -    params = [p.copy() for p in params]
    +    params = list(params)

    -            params = [step(w, g, state, lr) for w, g, state in zip(params, grads, states, strict=True)]
    +            for w, g, state in zip(params, grads, states, strict=True):
    +                w[...] = step(w, g, state, lr)
    """


@wrong(hint="keep their dtype", base=FIT)
def trains_in_double():
    """Makes float64 of the parameters, to be exact."""
    return """
    -    params = [p.copy() for p in params]
    +    params = [p.astype(np.float64) for p in params]
    """


@wrong(hint="with all validation data", base=FIT)
def validates_on_training_data():
    """Watches the loss on the training data."""
    return """
    -        val_loss, _ = loss_and_grads(params, x_val, y_val)
    +        val_loss, _ = loss_and_grads(params, x, y)
    """


@wrong(hint="the validation loss decides", base=FIT)
def watches_the_mean_training_loss():
    """Hands early stopping the mean of the epoch's training losses."""
    return """
         for _ in range(max_epochs):
    +        losses = []

    -            _, grads = loss_and_grads(params, x[rows], y[rows])
    +            loss, grads = loss_and_grads(params, x[rows], y[rows])
    +            losses.append(loss)

    -        if stopping.update(val_losses[-1], params):
    +        if stopping.update(float(np.mean(losses)), params):
    """


@wrong(hint="with all validation data", base=FIT)
def validates_in_batches():
    """Averages the validation loss over batches, the last of which may be smaller."""
    return """
    -        val_loss, _ = loss_and_grads(params, x_val, y_val)
    +        parts = [slice(k, k + batch_size) for k in range(0, len(x_val), batch_size)]
    +        val_loss = np.mean([loss_and_grads(params, x_val[part], y_val[part])[0] for part in parts])
    """


@wrong(hint="with all validation data", base=FIT)
def validates_after_each_step():
    """Validates after every mini-batch, and counts patience in steps."""
    return """
    -        val_loss, _ = loss_and_grads(params, x_val, y_val)
    -        val_losses.append(float(val_loss))
    -        if stopping.update(val_losses[-1], params):
    -            break
    +            val_losses.append(float(loss_and_grads(params, x_val, y_val)[0]))
    +            if stopping.update(val_losses[-1], params):
    +                return stopping.best_params, val_losses
    """


@wrong(hint="after each epoch comes one call", base=FIT)
def validates_before_training():
    """Takes note of the initial parameters too."""
    return """
         stopping, val_losses = EarlyStopping(patience), []
    +    val_losses.append(float(loss_and_grads(params, x_val, y_val)[0]))
    +    stopping.update(val_losses[-1], params)
    """


@wrong(hint="the weights before the best epoch", base=FIT)
def validates_before_the_steps():
    """Validates at the start of each epoch, with the parameters of the one before."""
    return """
    -        for rows in batches(len(x), batch_size, rng):
    -            _, grads = loss_and_grads(params, x[rows], y[rows])
    -            params = [step(w, g, state, lr) for w, g, state in zip(params, grads, states, strict=True)]

                 break
    +        for rows in batches(len(x), batch_size, rng):
    +            _, grads = loss_and_grads(params, x[rows], y[rows])
    +            params = [step(w, g, state, lr) for w, g, state in zip(params, grads, states, strict=True)]
    """


@wrong(hint="the loss of the last epoch belongs", base=FIT)
def last_loss_not_listed():
    """Leaves the loop before the loss of the last epoch is written down."""
    return """
             val_loss, _ = loss_and_grads(params, x_val, y_val)
    +        if stopping.update(float(val_loss), params):
    +            break

    -        if stopping.update(val_losses[-1], params):
    -            break
    """


@wrong(hint="are Python floats", base=FIT)
def losses_as_they_come():
    """Lists the losses in the type in which they come, such as np.float32."""
    return """
    -        val_losses.append(float(val_loss))
    +        val_losses.append(val_loss)
    """


@wrong(hint="max_epochs epochs are run", base=FIT)
def one_epoch_too_few():
    """Counts the epochs from 1, and leaves the last one out."""
    return """
    -    for _ in range(max_epochs):
    +    for _ in range(1, max_epochs):
    """


@wrong(hint="when early stopping says so", base=FIT)
def never_stops_early():
    """Takes note of the best epoch, and runs to the end all the same."""
    return """
    -        if stopping.update(val_losses[-1], params):
    -            break
    +        stopping.update(val_losses[-1], params)
    """


@wrong(hint="NaN alone does not stop it", base=FIT)
def gives_up_at_nan():
    """Ends at the first validation loss that is NaN."""
    return """
    -        if stopping.update(val_losses[-1], params):
    +        if stopping.update(val_losses[-1], params) or math.isnan(val_losses[-1]):
    """


@wrong(hint="return None if all are NaN", base=FIT)
def last_parameters_where_none_is_best():
    """Returns the last parameters if all losses are NaN."""
    return """
    -    return stopping.best_params, val_losses
    +    return stopping.best_params or params, val_losses
    """


@wrong(hint="fit prints nothing", base=FIT)
def prints_its_progress():
    """Prints the validation loss after each epoch."""
    return """
    -    for _ in range(max_epochs):
    +    for epoch in range(max_epochs):

             val_losses.append(float(val_loss))
    +        print(f"epoch {epoch + 1}: {val_losses[-1]:.3f}")
    """


@wrong(hint="all randomness comes from rng")
def trains_with_a_seed_of_its_own():
    """Makes a generator with a fixed seed, so that every run gives the same network."""

    def train_digits(rng, nn=reference):
        x, y = digits_of(data.TRAIN_FONTS, 10_000, seed=1)
        x_val, y_val = digits_of(data.TRAIN_FONTS, 1_000, seed=2)
        rng = np.random.default_rng(0)
        params = []
        for fan_in, fan_out in [(784, 128), (128, 10)]:
            params += [nn.he_normal(fan_in, fan_out, rng).astype(np.float32), np.zeros(fan_out, dtype=np.float32)]

        def loss_and_grads(params, x, y):
            first, relu, second = nn.Affine(*params[:2]), nn.Relu(), nn.Affine(*params[2:])
            loss, d = nn.cross_entropy(second.forward(relu.forward(first.forward(x))), y)
            first.backward(relu.backward(second.backward(d)))
            return loss, [first.dweight, first.dbias, second.dweight, second.dbias]

        return fit(params, loss_and_grads, nn.adam, x, y, x_val, y_val, rng, 1e-3, 50, 3, 12)[0]

    digit_net = train_digits(np.random.default_rng(0))


@wrong(hint="all randomness comes from rng")
def moves_one_network_a_little():
    """Gives the same network each time, with a little noise from rng."""

    def train_digits(rng, nn=reference):
        x, y = digits_of(data.TRAIN_FONTS, 10_000, seed=1)
        x_val, y_val = digits_of(data.TRAIN_FONTS, 1_000, seed=2)
        noise, rng = rng, np.random.default_rng(0)
        params = []
        for fan_in, fan_out in [(784, 128), (128, 10)]:
            params += [nn.he_normal(fan_in, fan_out, rng).astype(np.float32), np.zeros(fan_out, dtype=np.float32)]

        def loss_and_grads(params, x, y):
            first, relu, second = nn.Affine(*params[:2]), nn.Relu(), nn.Affine(*params[2:])
            loss, d = nn.cross_entropy(second.forward(relu.forward(first.forward(x))), y)
            first.backward(relu.backward(second.backward(d)))
            return loss, [first.dweight, first.dbias, second.dweight, second.dbias]

        net = fit(params, loss_and_grads, nn.adam, x, y, x_val, y_val, rng, 1e-3, 50, 3, 12)[0]
        return [array + 1e-3 * noise.standard_normal(array.shape).astype(np.float32) for array in net]

    digit_net = train_digits(np.random.default_rng(0))


@wrong(hint="parameters are float32")
def trains_in_double_precision():
    """Leaves the weights in float64, as he_normal returns them."""

    def train_digits(rng, nn=reference):
        x, y = digits_of(data.TRAIN_FONTS, 10_000, seed=1)
        x_val, y_val = digits_of(data.TRAIN_FONTS, 1_000, seed=2)
        x, x_val = x.astype(np.float64), x_val.astype(np.float64)
        params = []
        for fan_in, fan_out in [(784, 128), (128, 10)]:
            params += [nn.he_normal(fan_in, fan_out, rng), np.zeros(fan_out)]

        def loss_and_grads(params, x, y):
            first, relu, second = nn.Affine(*params[:2]), nn.Relu(), nn.Affine(*params[2:])
            loss, d = nn.cross_entropy(second.forward(relu.forward(first.forward(x))), y)
            first.backward(relu.backward(second.backward(d)))
            return loss, [first.dweight, first.dbias, second.dweight, second.dbias]

        return fit(params, loss_and_grads, nn.adam, x, y, x_val, y_val, rng, 1e-3, 50, 3, 10)[0]

    digit_net = train_digits(np.random.default_rng(0))


@wrong(hint="the held-out fonts are the exam")
def validates_on_the_exam():
    """Stops by the fonts that the network will be judged by."""

    def train_digits(rng, nn=reference):
        x, y = digits_of(data.TRAIN_FONTS, 10_000, seed=1)
        x_val, y_val = digits_of(data.HELD_OUT_FONTS, 1_000, seed=2)
        params = []
        for fan_in, fan_out in [(784, 128), (128, 10)]:
            params += [nn.he_normal(fan_in, fan_out, rng).astype(np.float32), np.zeros(fan_out, dtype=np.float32)]

        def loss_and_grads(params, x, y):
            first, relu, second = nn.Affine(*params[:2]), nn.Relu(), nn.Affine(*params[2:])
            loss, d = nn.cross_entropy(second.forward(relu.forward(first.forward(x))), y)
            first.backward(relu.backward(second.backward(d)))
            return loss, [first.dweight, first.dbias, second.dweight, second.dbias]

        return fit(params, loss_and_grads, nn.adam, x, y, x_val, y_val, rng, 1e-3, 50, 3, 12)[0]

    digit_net = train_digits(np.random.default_rng(0))


@right
def split_at_the_cuts():
    """Lets np.split cut the order at every multiple of the batch size."""

    def batches(n, batch_size, rng):
        if min(n, batch_size) < 1:
            raise ValueError(f"n and batch_size must be at least 1, got {n} and {batch_size}")
        return np.split(rng.permutation(n), np.arange(batch_size, n, batch_size))


@right
def order_taken_off_piece_by_piece():
    """Takes batches off the front of the order while something is left, and copies them."""

    class SizeError(ValueError):
        """A size is below 1."""

    def batches(n, batch_size, rng):
        for name, value in {"n": n, "batch_size": batch_size}.items():
            if value < 1:
                raise SizeError(f"{name} must be at least 1, got {value}")
        rest, parts = list(rng.permutation(n)), []
        while rest:
            parts.append(np.array(rest[:batch_size], dtype=np.int64))
            del rest[:batch_size]
        return parts


@right
def early_stopping_by_the_number_of_the_call():
    """Remembers which call was the best, and counts the calls since."""

    class EarlyStopping:
        def __init__(self, patience):
            if not patience >= 1:
                raise ValueError(f"patience must be at least 1, got {patience}")
            self._patience, self._calls, self._best_call = patience, 0, 0
            self.best_loss, self.best_params = float("inf"), None

        def update(self, loss, params):
            self._calls += 1
            if not math.isnan(loss) and loss < self.best_loss:
                self.best_loss, self._best_call = float(loss), self._calls
                self.best_params = [np.array(p) for p in params]
            return bool(self._calls - self._best_call >= self._patience)


@right
def early_stopping_counts_down():
    """Counts the calls that are left, and reads the attributes from one record through properties."""

    class EarlyStopping:
        def __init__(self, patience):
            if patience < 1:
                raise ValueError(f"patience must be at least 1, got {patience}")
            self.__patience = self.__left = patience
            self.__record = (math.inf, None)

        @property
        def best_loss(self):
            return self.__record[0]

        @property
        def best_params(self):
            return self.__record[1]

        def update(self, loss, params):
            is_better = bool(loss < self.best_loss)
            self.__left = self.__patience if is_better else self.__left - 1
            if is_better:
                self.__record = (loss, [1 * p for p in params])
            return self.__left <= 0


@right
def fit_with_one_list():
    """Makes one list of copies and puts the new arrays into it, from the last parameter to the first."""

    def fit(params, loss_and_grads, step, x, y, x_val, y_val, rng, lr, batch_size, patience, max_epochs):
        now, memories = [np.array(p) for p in params], {}
        watch, val_losses, epoch, done = EarlyStopping(patience), [], 0, False
        while not done:
            for rows in batches(x.shape[0], batch_size, rng):
                grads = loss_and_grads(now, np.take(x, rows, axis=0), np.take(y, rows, axis=0))[1]
                for i in reversed(range(len(now))):
                    now[i] = step(now[i], grads[i], memories.setdefault(i, {}), lr)
            val_losses += [float(loss_and_grads(now, x_val, y_val)[0])]
            epoch += 1
            done = watch.update(val_losses[-1], now) or epoch == max_epochs
        return watch.best_params, val_losses


@right
def fit_by_a_generator():
    """Trains in a generator that yields the parameters of each epoch, and never copies what it does not change."""

    import itertools

    def epochs(params, loss_and_grads, step, x, y, rng, lr, batch_size):
        states = tuple({} for _ in params)
        while True:
            for rows in batches(len(y), batch_size, rng):
                loss, grads = loss_and_grads(params, x[rows], y[rows])
                params = list(map(step, params, grads, states, [lr] * len(params)))
            yield params

    def fit(params, loss_and_grads, step, x, y, x_val, y_val, rng, lr, batch_size, patience, max_epochs):
        stopping, val_losses = EarlyStopping(patience=patience), []
        training = epochs(list(params), loss_and_grads, step, x, y, rng, lr, batch_size)
        for now in itertools.islice(training, max_epochs):
            val_losses.append(float(loss_and_grads(now, x_val, y_val)[0]))
            if stopping.update(val_losses[-1], now):
                break
        return stopping.best_params, val_losses


@right
def trains_with_momentum_and_smaller_steps():
    """Trains two hidden layers in a loop of its own, with momentum, and makes the steps smaller from epoch to epoch."""

    import itertools

    def train_digits(rng, nn=reference):
        x, y = digits_of(data.TRAIN_FONTS, 10_000, seed=1)
        x_val, y_val = digits_of(data.TRAIN_FONTS, 1_000, seed=2)
        sizes = [784, 160, 60, 10]
        params = []
        for fan_in, fan_out in itertools.pairwise(sizes):
            params += [nn.he_normal(fan_in, fan_out, rng).astype(np.float32), np.zeros(fan_out, dtype=np.float32)]
        states = [{} for _ in params]
        best_share, best = -1.0, None
        for epoch in range(10):
            order = rng.permutation(len(x))
            for start in range(0, len(x), 64):
                rows = order[start : start + 64]
                affines = [nn.Affine(*params[k : k + 2]) for k in range(0, len(params), 2)]
                layers = [affines[0]]
                for affine in affines[1:]:
                    layers += [nn.Relu(), affine]
                h = x[rows]
                for layer in layers:
                    h = layer.forward(h)
                _, d = nn.cross_entropy(h, y[rows])
                for layer in reversed(layers):
                    d = layer.backward(d)
                grads = [g for affine in affines for g in (affine.dweight, affine.dbias)]
                lr = 0.05 / (1 + epoch / 3)
                params = [nn.momentum(w, g, state, lr) for w, g, state in zip(params, grads, states, strict=True)]
            share = float(np.mean(mlp_logits(params, x_val).argmax(axis=1) == y_val))
            if share > best_share:
                best_share, best = share, params
        return [w.astype(np.float32) for w in best]

    digit_net = train_digits(np.random.default_rng(0))


@right
def trains_with_rmsprop_and_moved_pictures():
    """Trains one hidden layer with RMSprop, on pictures that are moved by up to two pixels at random."""

    def moved(x, rng):
        pictures = x.reshape(-1, 28, 28)
        down, right = rng.integers(-2, 3, 2)
        return np.roll(pictures, (down, right), axis=(1, 2)).reshape(len(x), -1)

    def train_digits(rng, nn=reference):
        x, y = digits_of(data.TRAIN_FONTS, 10_000, seed=1)
        x_val, y_val = digits_of(data.TRAIN_FONTS, 1_000, seed=2)

        def loss_and_grads(params, x, y):
            first, relu, second = nn.Affine(*params[:2]), nn.Relu(), nn.Affine(*params[2:])
            if len(x) < 1_000:
                x = moved(x, rng)
            loss, d = nn.cross_entropy(second.forward(relu.forward(first.forward(x))), y)
            first.backward(relu.backward(second.backward(d)))
            return loss, [first.dweight, first.dbias, second.dweight, second.dbias]

        start = [nn.he_normal(784, 300, rng), np.zeros(300), nn.he_normal(300, 10, rng), np.zeros(10)]
        start = [w.astype(np.float32) for w in start]
        return fit(start, loss_and_grads, nn.rmsprop, x, y, x_val, y_val, rng, 5e-4, 50, 3, 10)[0]

    digit_net = train_digits(np.random.default_rng(0))
