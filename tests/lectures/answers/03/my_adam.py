"""Answers to the exercise on the Adam step."""

import numpy as np

from tests.answers import right, wrong

ADAM = """
def my_adam(w, g, state, lr, beta1=0.9, beta2=0.999, eps=1e-8):
    t = state["t"] = state.get("t", 0) + 1
    m = state["m"] = beta1 * state.get("m", 0) + (1 - beta1) * g
    s = state["s"] = beta2 * state.get("s", 0) + (1 - beta2) * g**2
    m_hat = m / (1 - beta1**t)
    s_hat = s / (1 - beta2**t)
    return w - lr * m_hat / (np.sqrt(s_hat) + eps)
"""


@wrong(hint="1 - beta**t", base=ADAM)
def no_correction():
    """The means need no correction."""
    return """
    -    m_hat = m / (1 - beta1**t)
    -    s_hat = s / (1 - beta2**t)
    +    m_hat, s_hat = m, s
    """


@wrong(hint="correct", base=ADAM)
def only_m_corrected():
    """Only the mean of the gradient is corrected."""
    return """
    -    s_hat = s / (1 - beta2**t)
    +    s_hat = s
    """


@wrong(hint="correct", base=ADAM)
def only_s_corrected():
    """Only the mean of the squares is corrected."""
    return """
    -    m_hat = m / (1 - beta1**t)
    +    m_hat = m
    """


@wrong(hint="count", base=ADAM)
def t_starts_at_zero():
    """t is 0 at the first step."""
    return """
    -    t = state["t"] = state.get("t", 0) + 1
    +    t = state.get("t", 0)
    +    state["t"] = t + 1
    """


@wrong(hint="t is 1 at the first step", base=ADAM)
def t_starts_at_two():
    """Counts from 1 and adds 1."""
    return """
    -    t = state["t"] = state.get("t", 0) + 1
    +    t = state["t"] = state.get("t", 1) + 1
    """


@wrong(hint="count", base=ADAM)
def power_t_forgotten():
    """The correction divides by 1 - beta at every step."""
    return """
    -    m_hat = m / (1 - beta1**t)
    -    s_hat = s / (1 - beta2**t)
    +    m_hat = m / (1 - beta1)
    +    s_hat = s / (1 - beta2)
    """


@wrong(hint="eps", base=ADAM)
def eps_in_the_root():
    """eps belongs under the root."""
    return """
    -    return w - lr * m_hat / (np.sqrt(s_hat) + eps)
    +    return w - lr * m_hat / np.sqrt(s_hat + eps)
    """


@wrong(hint="eps", base=ADAM)
def no_eps():
    """eps is too small to matter."""
    return """
    -    return w - lr * m_hat / (np.sqrt(s_hat) + eps)
    +    return w - lr * m_hat / np.sqrt(s_hat)
    """


@wrong(hint="eps", base=ADAM)
def eps_of_the_default():
    """eps is 1e-8 whatever is passed."""
    return """
    -    return w - lr * m_hat / (np.sqrt(s_hat) + eps)
    +    return w - lr * m_hat / (np.sqrt(s_hat) + 1e-8)
    """


@wrong(hint="The numbers differ", base=ADAM)
def eps_before_the_correction():
    """eps is added to the root of s, and the root is corrected afterwards."""
    return """
    -    return w - lr * m_hat / (np.sqrt(s_hat) + eps)
    +    return w - lr * m_hat / (np.sqrt(s) + eps) * np.sqrt(1 - beta2**t)
    """


@wrong(hint="square", base=ADAM)
def gradient_not_squared():
    """s is a running mean of the size of the gradient."""
    return """
    -    s = state["s"] = beta2 * state.get("s", 0) + (1 - beta2) * g**2
    +    s = state["s"] = beta2 * state.get("s", 0) + (1 - beta2) * np.abs(g)
    """


@wrong(hint="root", base=ADAM)
def no_root():
    """Divides by s."""
    return """
    -    return w - lr * m_hat / (np.sqrt(s_hat) + eps)
    +    return w - lr * m_hat / (s_hat + eps)
    """


@wrong(hint="element", base=ADAM)
def one_size_for_all_weights():
    """The size is the square of the whole gradient's length."""
    return """
    -    s = state["s"] = beta2 * state.get("s", 0) + (1 - beta2) * g**2
    +    s = state["s"] = beta2 * state.get("s", 0) + (1 - beta2) * np.sum(g**2)
    """


@wrong(hint="correct", base=ADAM)
def corrected_means_kept():
    """The corrected means go into the next step."""
    return """
    -    return w - lr * m_hat / (np.sqrt(s_hat) + eps)
    +    state["m"], state["s"] = m_hat, s_hat
    +    return w - lr * m_hat / (np.sqrt(s_hat) + eps)
    """


@wrong(hint="beta", base=ADAM)
def betas_swapped():
    """beta1 belongs to the squares."""
    return """
    -    t = state["t"] = state.get("t", 0) + 1
    +    beta1, beta2 = beta2, beta1
    +    t = state["t"] = state.get("t", 0) + 1
    """


@wrong(hint="The numbers differ", base=ADAM)
def betas_of_the_default():
    """The betas are always 0.9 and 0.999."""
    return """
    -    t = state["t"] = state.get("t", 0) + 1
    +    beta1, beta2 = 0.9, 0.999
    +    t = state["t"] = state.get("t", 0) + 1
    """


@wrong(hint="The numbers differ", base=ADAM)
def beta1_for_both_corrections():
    """Both means are corrected with beta1."""
    return """
    -    s_hat = s / (1 - beta2**t)
    +    s_hat = s / (1 - beta1**t)
    """


@wrong(hint="The numbers differ", base=ADAM)
def sums_and_not_means():
    """m collects as the velocity does."""
    return """
    -    m = state["m"] = beta1 * state.get("m", 0) + (1 - beta1) * g
    +    m = state["m"] = beta1 * state.get("m", 0) + g
    """


@wrong(hint="The numbers differ", base=ADAM)
def gradient_and_not_its_mean():
    """The gradient itself is divided, as in RMSprop."""
    return """
    -    m_hat = m / (1 - beta1**t)
    +    m_hat = g
    """


@wrong(hint="changed", base=ADAM)
def weights_in_place():
    """Moves the weights where they are."""
    return """
    -    return w - lr * m_hat / (np.sqrt(s_hat) + eps)
    +    w -= lr * m_hat / (np.sqrt(s_hat) + eps)
    +    return w
    """


@wrong(hint="changed", base=ADAM)
def gradient_in_place():
    """Squares the gradient where it is, after m is made."""
    return """
    -    s = state["s"] = beta2 * state.get("s", 0) + (1 - beta2) * g**2
    +    g *= g
    +    s = state["s"] = beta2 * state.get("s", 0) + (1 - beta2) * g
    """


@wrong(hint="state", base=ADAM)
def means_not_kept():
    """Counts the steps and forgets the means."""
    return """
    -    m = state["m"] = beta1 * state.get("m", 0) + (1 - beta1) * g
    -    s = state["s"] = beta2 * state.get("s", 0) + (1 - beta2) * g**2
    +    m = beta1 * state.get("m", 0) + (1 - beta1) * g
    +    s = beta2 * state.get("s", 0) + (1 - beta2) * g**2
    """


@wrong(hint="subtract it", base=ADAM)
def uphill():
    """The step is added."""
    return """
    -    return w - lr * m_hat / (np.sqrt(s_hat) + eps)
    +    return w + lr * m_hat / (np.sqrt(s_hat) + eps)
    """


@wrong(hint="number", base=ADAM)
def arrays_only():
    """The weights always have a shape."""
    return """
    -    m = state["m"] = beta1 * state.get("m", 0) + (1 - beta1) * g
    +    m = state["m"] = beta1 * state.get("m", np.zeros(w.shape)) + (1 - beta1) * g
    """


@wrong(hint="sign")
def step_of_the_first_example():
    """Each weight moves by lr against the sign of its gradient, as at the first step."""

    def my_adam(w, g, state, lr, beta1=0.9, beta2=0.999, eps=1e-8):
        return w - lr * np.sign(g)


@right
def other_keys_and_loops():
    """A tuple in the state, and steps written out."""

    def my_adam(w, g, state, lr, beta1=0.9, beta2=0.999, eps=1e-8):
        t, m, s = state.get("all", (0, 0.0, 0.0))
        t += 1
        m = m + (1 - beta1) * (g - m)
        s = s + (1 - beta2) * (np.square(g) - s)
        state["all"] = (t, m, s)
        return w - lr * (m / (1 - beta1**t)) / ((s / (1 - beta2**t)) ** 0.5 + eps)


@right
def in_place_on_own_arrays():
    """Keeps arrays of its own and changes those."""

    def my_adam(w, g, state, lr, beta1=0.9, beta2=0.999, eps=1e-8):
        if not state:
            state.update(m=np.zeros(np.shape(g)), s=np.zeros(np.shape(g)), steps=0)
        state["steps"] += 1
        state["m"] *= beta1
        state["m"] += (1 - beta1) * np.asarray(g)
        state["s"] *= beta2
        state["s"] += (1 - beta2) * np.multiply(g, g)
        size = np.sqrt(state["s"] / (1 - beta2 ** state["steps"]))
        return w - lr / (1 - beta1 ** state["steps"]) * state["m"] / (size + eps)


@right
def powers_kept():
    """Keeps the powers of the betas and not t."""

    def my_adam(w, g, state, lr, beta1=0.9, beta2=0.999, eps=1e-8):
        state["p1"] = state.get("p1", 1.0) * beta1
        state["p2"] = state.get("p2", 1.0) * beta2
        state["m"] = beta1 * state.get("m", 0.0) + g - beta1 * g
        state["s"] = beta2 * state.get("s", 0.0) + (1 - beta2) * g * g
        root = np.sqrt(state["s"]) / np.sqrt(1 - state["p2"])
        return w - lr * state["m"] / (1 - state["p1"]) / (root + eps)


@right
def all_gradients_kept():
    """Keeps all gradients and takes the weighted means anew."""

    def my_adam(w, g, state, lr, beta1=0.9, beta2=0.999, eps=1e-8):
        seen = state.setdefault("seen", [])
        seen.append(np.array(g, dtype=float))
        age = np.arange(len(seen))[::-1]
        G = np.stack(seen)
        m = np.einsum("t,t...->...", beta1**age, G) / np.sum(beta1**age)
        s = np.einsum("t,t...->...", beta2**age, G**2) / np.sum(beta2**age)
        return w - lr * m / (np.sqrt(s) + eps)
