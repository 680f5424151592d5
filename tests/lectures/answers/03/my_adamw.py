"""Answers to the exercise on decoupled weight decay."""

import numpy as np

from tests.answers import right, wrong


@wrong(hint="gradient")
def decay_in_the_gradient():
    """The decay is added to the gradient (L2 regularisation)."""

    def my_adamw(w, g, state, lr, decay):
        return adam(w, g + decay * w, state, lr)


@wrong(hint="lr")
def decay_without_lr():
    """Shrinks by 1 - decay."""

    def my_adamw(w, g, state, lr, decay):
        return adam((1 - decay) * w, g, state, lr)


@wrong(hint="before")
def shrunk_after_the_step():
    """Shrinks the new weights, the step included."""

    def my_adamw(w, g, state, lr, decay):
        return (1 - lr * decay) * adam(w, g, state, lr)


@wrong(hint="changed")
def weights_in_place():
    """Shrinks the weights where they are."""

    def my_adamw(w, g, state, lr, decay):
        w *= 1 - lr * decay
        return adam(w, g, state, lr)


@wrong(hint="changed")
def both_in_place():
    """Shrinks the weights where they are, and gives the caller's array back."""

    def my_adamw(w, g, state, lr, decay):
        w -= lr * decay * w
        w[...] = adam(w, g, state, lr)
        return w


@wrong(hint="changed")
def gradient_in_place():
    """Adds the decay to the gradient where it is."""

    def my_adamw(w, g, state, lr, decay):
        g += decay * w
        return adam(w, g, state, lr)


@wrong(hint="gradient")
def decayed_twice():
    """Shrinks the weights, and adds the decay to the gradient as well."""

    def my_adamw(w, g, state, lr, decay):
        return adam((1 - lr * decay) * w, g + decay * w, state, lr)


@wrong(hint="state")
def fresh_state():
    """Adam begins anew at each step."""

    def my_adamw(w, g, state, lr, decay):
        return adam((1 - lr * decay) * w, g, {}, lr)


@wrong(hint="grow")
def weights_grow():
    """The factor is 1 + lr * decay."""

    def my_adamw(w, g, state, lr, decay):
        return adam((1 + lr * decay) * w, g, state, lr)


@wrong(hint="The numbers differ")
def plain_step():
    """Shrinks the weights and takes a plain step."""

    def my_adamw(w, g, state, lr, decay):
        return (1 - lr * decay) * w - lr * g


@wrong(hint="decay")
def no_decay():
    """Plain Adam."""

    def my_adamw(w, g, state, lr, decay):
        return adam(w, g, state, lr)


@wrong(hint="The numbers differ")
def decay_of_torch():
    """The decay is torch's default."""

    def my_adamw(w, g, state, lr, decay):
        return adam((1 - lr * 0.01) * w, g, state, lr)


@wrong(hint="The numbers differ")
def shrunk_by_a_constant():
    """The decay takes lr * decay off each weight, whatever its size."""

    def my_adamw(w, g, state, lr, decay):
        return adam(w - lr * decay * np.sign(w), g, state, lr)


@wrong(hint="step is missing")
def only_the_shrinking():
    """Adam's step is taken from the weights, and the shrunken ones are returned."""

    def my_adamw(w, g, state, lr, decay):
        w = (1 - lr * decay) * w
        adam(w, g, state, lr)
        return w


@wrong(hint="gradient")
def gradient_shrunk_too():
    """The gradient is shrunk with the weights."""

    def my_adamw(w, g, state, lr, decay):
        keep = 1 - lr * decay
        return adam(keep * w, keep * g, state, lr)


@right
def decay_taken_off_at_the_end():
    """Adam's step does not depend on the weights, so the decay may be taken off afterwards."""

    def my_adamw(w, g, state, lr, decay):
        return adam(w, g, state, lr) - lr * decay * w


@right
def shrunk_on_a_copy():
    """A copy is shrunk in place."""

    def my_adamw(w, g, state, lr, decay):
        shrunken = np.array(w, dtype=float, copy=True)
        shrunken = shrunken - np.multiply(lr * decay, shrunken)
        return adam(shrunken, g, state, lr)


@right
def adam_from_zero():
    """Takes the step from zero weights, and adds it to the shrunken ones."""

    def my_adamw(w, g, state, lr, decay):
        step = adam(np.zeros_like(w, dtype=float), g, state, lr)
        return w * (1 - lr * decay) + step


@right
def written_out():
    """Writes Adam out."""

    def my_adamw(w, g, state, lr, decay):
        t = state["t"] = state.get("t", 0) + 1
        m = state["m"] = 0.9 * state.get("m", 0) + 0.1 * g
        s = state["s"] = 0.999 * state.get("s", 0) + 0.001 * g**2
        return w - lr * decay * w - lr * (m / (1 - 0.9**t)) / (np.sqrt(s / (1 - 0.999**t)) + 1e-8)
