# ---
# title: Backpropagation
# question: Where do the gradients come from?
# homework: hw1
# ---

# %% [markdown]
# After this lecture you can
#
# 1. carry a gradient backwards through a drawn graph, node by node, and say why the order matters;
# 2. write an automatic differentiation engine: one rule an operation, for numbers and then for arrays that broadcast;
# 3. derive the δ-rules of a two-layer net, with their sign and their factor, and find them in the engine;
# 4. say what one gradient costs in time and in memory, and when forward mode is the cheaper direction;
# 5. check a gradient by differences, choose the step for it, and find the operation whose rule is wrong.
#
# **You need** the chain rule, matrix products, NumPy; gradient descent as in lecture 03. **Time**: two hours and a half, and one
# more for the exercises; all cells together run in about 20 seconds. Click a slider, then use the arrow keys.

# %% tags=["setup"]
import time
from itertools import pairwise

import numpy as np
import torch

from dlcourse import check
from dlcourse.exercise import exercise
from dlcourse.live import OKABE_ITO, Choice, Function, GraphView, Integer, LiveFigure, Slider
from dlcourse.predict import predict, predict_number
from dlcourse.progress import progress

# %% [markdown]
# ## A small change travels
#
# Lecture 03 moved weights against the slope of the loss, and took the slope for granted. Here is the smallest net there is, one
# neuron with one input, and its error $E$ against a target $T$:
#
# $$\mathit{net} = w x + b \qquad a = \sigma(\mathit{net}) = \frac{1}{1 + e^{-\mathit{net}}} \qquad E = \tfrac12 (T - a)^2$$
#
# Choose one of the four inputs and change it a little. The change spreads to the right, and every edge on its way makes it larger or
# smaller by some factor, which is written on the edge. Watch the factors while you make the change smaller.


# %%
def neuron(w, x, b, T):
    """Every number on the way to the error, in the order in which they are computed."""
    wx = w * x
    net = wx + b
    a = 1 / (1 + np.exp(-net))
    return {
        "w": w,
        "x": x,
        "w x": wx,
        "b": b,
        "net": net,
        "a": a,
        "T": T,
        "T - a": T - a,
        "E": (T - a) ** 2 / 2,
    }


# %% tags=["folded"]
def change_figure():
    # Refutes: "for every weight the derivative of the loss must be worked out anew". It is a product of small factors, most of them shared.
    fig = LiveFigure("A change on its way", size=(900, 380))
    view = GraphView(fig, fig.subplots())
    parents = [[], [], [0, 1], [], [2, 3], [4], [], [6, 5], [7]]

    @fig.control(
        changed=Choice(["w", "b", "x", "T"], label="change"),
        by=Slider(1e-4, 2, value=0.5, log=True, label="by"),
        w=Slider(-3, 3, value=1.0, step=0.1),
    )
    def _(changed, by, w):
        start = {"w": w, "x": 2.0, "b": -0.5, "T": 1.0}
        before, after = neuron(**start), neuron(**{**start, changed: start[changed] + by})
        names, change = list(before), [after[name] - before[name] for name in before]
        reached = [name == changed for name in names]
        for node, above in enumerate(parents):
            reached[node] |= any(reached[parent] for parent in above)
        bold = [(p, node) for node, above in enumerate(parents) for p in above if reached[p]]
        factors = {(p, node): change[node] / change[p] if change[p] else 0.0 for p, node in bold}
        labels = [f"{name}\n{before[name]:.3f}" for name in names]
        labels = [f"{t}\n{c:+.2g}" if r else t for t, c, r in zip(labels, change, reached, strict=True)]
        edges = {pair: f"×{factor:.3f}" for pair, factor in factors.items()}
        view.show(labels, parents, ["marked" if r else "done" for r in reached], edges, bold)
        product = " × ".join(f"{factor:.3f}" for factor in factors.values())
        return (
            f"{changed} changes by {by:.2g} and E by {change[-1]:+.3g}, which is {change[-1] / by:+.4f} times as much. "
            f"The factors on the way: {product}."
        )

    return fig


changes = change_figure()
changes

# %% [markdown]
# Three things to see. Factors along the way are **multiplied**. As the change shrinks, each factor settles at a number that belongs to
# its edge alone: the derivative of one small step, such as $\partial\,\mathit{net} / \partial\,(wx) = 1$ or $\partial a / \partial\,\mathit{net} = a(1-a)$. And
# whichever of $w$, $x$ and $b$ you change, the last three factors are the same. This is the chain rule:
#
# $$\frac{\partial E}{\partial w} = \frac{\partial E}{\partial a}\,\frac{\partial a}{\partial\,\mathit{net}}\,\frac{\partial\,\mathit{net}}{\partial w}
# = -(T - a) \cdot a(1 - a) \cdot x$$
#
# No step needed to know the whole net. Each knew its own inputs and its own output.

# %% tags=["folded"]
predict(
    "A net has a million weights. You change one weight, run the net, note the change of the loss, and put the weight back. "
    "How many runs of the net until you have every derivative?",
    choices={
        "one: the change passes every factor on its way": "It passes the factors between that one weight and the loss. The others' first factors were not touched.",
        "about as many as there are layers": "A run does go through all layers, but it tells about the single weight that was changed.",
        "a million and one": True,
    },
    because="One for each weight and one without any change. If a run takes 10 ms, one gradient takes almost three hours. Backpropagation "
    "needs the time of three to five runs. The rest of this lecture is how.",
)

# %% tags=["folded"]
predict_number(
    "y = x * x at x = 3. The graph has one node x, one node y, and two edges between them, each with the factor 3. What is dy/dx?",
    answer=6,
    tolerance=0.01,
    hints=[
        (
            8.9,
            9.1,
            "Factors are multiplied along one way. These are two ways side by side: a change takes both at once.",
        ),
        (2.9, 3.1, "That is what arrives over one of the two edges."),
    ],
    because="3 + 3: along one way factors are multiplied, and different ways are added.",
)

# %% [markdown]
# ## A machine that remembers
#
# The last factors are shared, so start with them. Put a 1 at the loss and go **against** the edges: each node multiplies what it received by
# the factor of each edge and hands the product to the parent at its end. When all is done, every node holds the derivative of the loss by
# that node. One way back, all derivatives.
#
# For that a machine has to remember how it computed. A `Node` is a number with a memory: which operation made it, and
# from which parents.


# %%
class Node:
    """A value that remembers the operation and the nodes that it was made from."""

    def __init__(self, value, op="", parents=()):
        self.value, self.op, self.parents = value, op, parents
        self.grad = 0.0


FORWARD, BACKWARD = {}, {}  # for each operation: how to compute it, how to send a gradient back through it


def apply(op, *inputs):
    """Compute, and remember."""
    parents = tuple(x if isinstance(x, Node) else Node(x) for x in inputs)
    return Node(FORWARD[op](*(parent.value for parent in parents)), op, parents)


# %% [markdown]
# Now one cell an operation. A backward rule receives `g`, the derivative of the loss by the output `y`, then `y` itself and the inputs. It
# returns the derivative by each input: `g` times the factor of that edge. For a sum both factors are 1.

# %%
FORWARD["+"] = lambda a, b: a + b
BACKWARD["+"] = lambda g, y, a, b: (g, g)
Node.__add__ = lambda self, other: apply("+", self, other)
Node.__radd__ = lambda self, other: apply("+", other, self)

# %% [markdown]
# For a product each input's factor is the other input:

# %%
FORWARD["*"] = lambda a, b: a * b
BACKWARD["*"] = lambda g, y, a, b: (g * b, g * a)
Node.__mul__ = lambda self, other: apply("*", self, other)
Node.__rmul__ = lambda self, other: apply("*", other, self)

# %%
FORWARD["-"] = lambda a, b: a - b
BACKWARD["-"] = lambda g, y, a, b: (g, -g)
Node.__sub__ = lambda self, other: apply("-", self, other)
Node.__rsub__ = lambda self, other: apply("-", other, self)

# %% [markdown]
# The logistic function and tanh can say their factor by their own output, $a(1 - a)$ and $1 - a^2$, which is already there:

# %%
FORWARD["sigma"] = lambda x: 1 / (1 + np.exp(-x))
BACKWARD["sigma"] = lambda g, y, x: (g * y * (1 - y),)


def sigma(x):
    return apply("sigma", x)


# %%
FORWARD["tanh"] = np.tanh
BACKWARD["tanh"] = lambda g, y, x: (g * (1 - y**2),)


def tanh(x):
    return apply("tanh", x)


# %% [markdown]
# What is left is the way back. A node may hand on its gradient only when it has heard from **everything** that used it. An order in which
# every parent stands before its children, read from the end, does that.


# %%
def recorded(root):
    """Every node below root, parents before children, root last."""
    order, seen = [], set()

    def visit(node):
        if id(node) not in seen:
            seen.add(id(node))
            for parent in node.parents:
                visit(parent)
            order.append(node)

    visit(root)
    return order


def send_back(node):
    """One step of the way back: the node tells each parent its share."""
    values = (parent.value for parent in node.parents)
    for parent, share in zip(node.parents, BACKWARD[node.op](node.grad, node.value, *values), strict=True):
        parent.grad = parent.grad + share  # added: a number that is used twice hears from both uses


def backward(root):
    """Set .grad of every node below root to the derivative of root by it."""
    order = recorded(root)
    for node in order:
        node.grad = 0.0
    root.grad = 1.0
    for node in reversed(order):
        if node.parents:
            send_back(node)


# %% [markdown]
# That is an automatic differentiation engine in reverse mode. The neuron of the first figure, beside torch:

# %%
w, x, b, T = (Node(value) for value in (1.0, 2.0, -0.5, 1.0))
e = T - sigma(w * x + b)
E = 0.5 * e * e
backward(E)

theirs = [torch.tensor(node.value, dtype=torch.float64, requires_grad=True) for node in (w, x, b, T)]
w_, x_, b_, T_ = theirs
(0.5 * (T_ - torch.sigmoid(w_ * x_ + b_)) ** 2).backward()
for name, node, tensor in zip("wxbT", (w, x, b, T), theirs, strict=True):
    print(f"dE/d{name}   engine {node.grad:+.15f}   torch {tensor.grad.item():+.15f}")
    check.close(node.grad, tensor.grad.item(), rtol=1e-12, name=f"dE/d{name}")

# %% [markdown]
# Now walk through a graph, one node at a time: first the values from left to right, then the gradients, `d`, from right to left. **The
# expression is yours**: change `my_expression`, run its cell, and the figure follows. It may use `+`, `-`, `*`, `sigma` and `tanh`.
#
# When you are through, choose the other order: there each node hands on what it holds as soon as *anything* has arrived. Find the node that
# speaks too early.


# %%
def my_expression(a, b):
    u = a * b + a
    return u * sigma(u)


# %%
def too_early(root):
    """The nodes in the order in which the first gradient reaches them."""
    queue = [root]
    for node in queue:
        queue += [parent for parent in dict.fromkeys(node.parents) if parent not in queue]
    return queue


# %% tags=["folded"]
def stepper_figure():
    # Refutes: "a node can pass its gradient on as soon as one has arrived". It must wait for every use, or shares are lost.
    fig = LiveFigure("One node at a time", size=(900, 420))
    view = GraphView(fig, fig.subplots())
    orders = {"all children first": lambda root: recorded(root)[::-1], "as soon as reached": too_early}

    @fig.control(
        step=Integer(0, 30, value=7),
        a=Slider(-2, 2, value=1.0, step=0.1),
        b=Slider(-2, 2, value=0.5, step=0.1),
        order=Choice(orders, label="order of the way back"),
        own=Function("my_expression"),
    )
    def _(step, a, b, order, own):
        text = "Your expression cannot be drawn."
        with own.shown(*view.artists):
            f = own if own else lambda a, b: sigma(a * b) * a
            inputs = {"a": Node(a), "b": Node(b)}
            root = f(*inputs.values())
            if not isinstance(root, Node):
                raise TypeError(f"must return a Node made from a and b, got {type(root).__name__}")
            nodes = recorded(root)
            made = [node for node in nodes if node.parents]
            back = [node for node in order(root) if node.parents]
            num_forward, num_back = min(step, len(made)), min(max(step - len(made) - 1, 0), len(back))
            root.grad = 1.0
            for node in back[:num_back]:
                send_back(node)
            going_back = step > len(made)
            known = [node for node in nodes if not node.parents] + made[:num_forward]
            now = (
                back[num_back - 1]
                if num_back
                else root
                if going_back
                else (made[num_forward - 1] if num_forward else None)
            )
            names = {id(node): name for name, node in inputs.items()}
            labels, looks = [], []
            for node in nodes:
                label = names.get(id(node), node.op)
                if any(node is other for other in known):
                    label = f"{label}\n{node.value:.3g}".strip()
                    if going_back and (node.op or id(node) in names):
                        label += f"\nd {node.grad:.3g}"
                    looks.append("now" if node is now else "done")
                else:
                    label, _ = f"{label}\n?", looks.append("idle")
                labels.append(label)
            at = {id(node): i for i, node in enumerate(nodes)}
            parents = [[at[id(parent)] for parent in node.parents] for node in nodes]
            bold = (
                [(p, at[id(now)]) for p in parents[at[id(now)]]]
                if now and (num_back or not going_back)
                else []
            )
            view.show(labels, parents, looks, {}, bold, backwards=going_back)
            if not going_back:
                text = f"Forward, {num_forward} of {len(made)}."
                text += (
                    f" {now.op} gives {now.value:.4g}."
                    if now
                    else f" a = {a:.1f} and b = {b:.1f} are given."
                )
            elif num_back < len(back):
                text = f"Back, {num_back} of {len(back)}. "
                shares = (
                    [p for p in dict.fromkeys(now.parents) if p.op or id(p) in names] if num_back else []
                )
                told = ", ".join(f"{names.get(id(p), p.op)} now has {p.grad:.4g}" for p in shares)
                text += (
                    f"{now.op} held {now.grad:.4g} and told its parents: {told}."
                    if num_back
                    else "The way back starts with a 1."
                )
            else:
                h = 1e-5
                slopes = [(f(*up).value - f(*down).value) / (2 * h) for up, down in _around(a, b, h)]
                pairs = zip(inputs.items(), slopes, strict=True)
                text = "Done. " + " ".join(
                    f"d/d{name}: {node.grad:.4f}, by differences {slope:.4f}{_verdict(node.grad, slope)}."
                    for (name, node), slope in pairs
                )
        return text

    return fig


def _around(a, b, h):
    """For a and for b: the inputs a little above and a little below."""
    yield (Node(a + h), Node(b)), (Node(a - h), Node(b))
    yield (Node(a), Node(b + h)), (Node(a), Node(b - h))


def _verdict(grad, slope):
    return "" if abs(grad - slope) < 1e-4 * (1 + abs(slope)) else ", WRONG"


stepper = stepper_figure()
stepper

# %% [markdown]
# In the wrong order `u`, the `+`, hands on the share that came straight from the product. Its second share, the one that arrives through
# `sigma`, comes too late and is never passed to `a` and `b`. No error is raised, and the gradient is simply wrong. Nets in which every number is used once do not
# show it.
#
# ## The delta rule of the decks
#
# Textbooks derived this by hand for one shape of net, long before machines did it for any. The machine-learning deck of this course states the result
# for logistic units, as Rumelhart, Hinton and Williams (1986) have it. Unit $i$ feeds hidden unit $j$, which feeds output unit $k$:
#
# $$w_{ji} \leftarrow w_{ji} + \eta\,\delta_j\,a_i \qquad
# \delta_k = (T_k - a_k)\,\sigma'(\mathit{net}_k) \qquad
# \delta_j = \Bigl[\sum_k w_{kj}\,\delta_k\Bigr]\,\sigma'(\mathit{net}_j)$$
#
# What *is* δ? Two things go unsaid there, a factor and a sign. Take $E = \tfrac12 \sum_k (T_k - a_k)^2$ and define
#
# $$\delta = -\frac{\partial E}{\partial\,\mathit{net}}$$
#
# **Output unit.** $\partial E/\partial a_k = -(T_k - a_k)$, where the ½ has cancelled the 2 of the square. Times $\sigma'(\mathit{net}_k)$, and the two minus
# signs cancel. **Hidden unit.** $a_j$ has one way to the error through each output unit, and ways are added: $-\partial E/\partial a_j = \sum_k \delta_k\,w_{kj}$.
# Times $\sigma'(\mathit{net}_j)$. **Weight.** $\mathit{net}_j = \sum_i w_{ji} a_i$, so $-\partial E/\partial w_{ji} = \delta_j\,a_i$, and the plus sign in
# the deck's rule is gradient *descent* all the same.


# %%
def logistic(z):
    return 1 / (1 + np.exp(-z))


def deltas(x, W, V, T):
    """The deck's two rules. x (I,), W (J, I), V (K, J), T (K,); returns delta of the hidden (J,) and of the output units (K,)."""
    a_j = logistic(W @ x)
    a_k = logistic(V @ a_j)
    delta_k = (T - a_k) * a_k * (1 - a_k)
    delta_j = (V.T @ delta_k) * a_j * (1 - a_j)
    return delta_j, delta_k


# %% [markdown]
# The engine knows nothing of layers. Give it the same net, every weight a node of its own, and look at what the nodes called `net` hold. NumPy multiplies
# matrices of objects with their own `*` and `+`.

# %%
rng = np.random.default_rng(0)
W, V = rng.normal(size=(3, 2)), rng.normal(size=(2, 3))
x, T = np.array([0.5, -1.0]), np.array([1.0, 0.0])

to_nodes, to_sigma = np.frompyfunc(Node, 1, 1), np.frompyfunc(sigma, 1, 1)
W_nodes, V_nodes = to_nodes(W), to_nodes(V)
net_j = W_nodes @ x
net_k = V_nodes @ to_sigma(net_j)
E = 0.5 * sum((t - a) * (t - a) for t, a in zip(T, to_sigma(net_k), strict=True))
backward(E)

delta_j, delta_k = deltas(x, W, V, T)
grads = np.frompyfunc(lambda node: node.grad, 1, 1)
print("hidden:  delta", delta_j, "  -net.grad", -grads(net_j).astype(float))
print("output:  delta", delta_k, "  -net.grad", -grads(net_k).astype(float))
check.close(-grads(net_j).astype(float), delta_j, rtol=1e-12, name="-net_j.grad")
check.close(-grads(net_k).astype(float), delta_k, rtol=1e-12, name="-net_k.grad")
check.close(-grads(W_nodes).astype(float), np.outer(delta_j, x), rtol=1e-12, name="-W.grad")

# %% [markdown]
# | | means | another convention |
# | --- | --- | --- |
# | sign | δ is **minus** the derivative of $E$ by net, so weights move by $+\eta\,\delta\,a$ | many books call $+\partial E/\partial\,\mathit{net}$ δ, and subtract |
# | factor | $E$ has a ½ and a **sum** over outputs | torch's `mse_loss` has no ½ and a **mean**: its gradients are $-2\delta/K$ |
#
# A factor is not an error, it is a learning rate. But a factor that nobody has stated is how two people get different results from "the same" net.

# %%
outputs = torch.tensor(V @ logistic(W @ x), requires_grad=True)  # net_k as torch's leaf
torch.nn.functional.mse_loss(torch.sigmoid(outputs), torch.tensor(T)).backward()
print("torch's gradient at net_k:", outputs.grad.numpy(), "  -2 delta / K:", -2 * delta_k / 2)
check.close(outputs.grad.numpy(), -2 * delta_k / 2, rtol=1e-12, name="mse_loss at net_k")

# %% tags=["folded"]
predict(
    "An output unit should say 1. Its net input is -6, so it says 0.0025: it could hardly be more wrong. How large is its delta?",
    choices={
        "close to 1, since it is off by almost 1": "That is T - a. The rule multiplies it with a (1 - a), and that is small where the curve is flat.",
        "about 0.25, the steepest slope there is": "The slope is 0.25 at net = 0. Here the unit sits far out on the flat part.",
        "about 0.0025": True,
    },
    because="(1 - 0.0025) * 0.0025 * 0.9975 = 0.0025. The unit is stuck because it is so wrong.",
    then=lambda: float((1 - logistic(-6.0)) * logistic(-6.0) * (1 - logistic(-6.0))),
)


# %% tags=["folded"]
def stuck_figure():
    # Refutes: "the more wrong a unit is, the more it learns".
    fig = LiveFigure(
        "How much a wrong unit learns",
        xlabel="net input of the output unit",
        ylabel="delta",
        size=(700, 420),
    )
    z = np.linspace(-8, 8, 321)
    fig.ax.set(xlim=(-8.4, 8.4), ylim=(-1.1, 1.1))
    fig.ax.axhline(0, color="0.8", lw=1, ls="-")
    squared, entropy, *dots = fig.animate(
        fig.ax.plot([], [], label="squared error: (T - a) a (1 - a)")[0],
        fig.ax.plot([], [], label="cross-entropy: T - a")[0],
        fig.ax.plot([], [], "o", ms=12, color=OKABE_ITO["blue"])[0],
        fig.ax.plot([], [], "s", ms=12, color=OKABE_ITO["red"])[0],
    )
    fig.ax.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2)

    @fig.control(
        net=Slider(-8, 8, value=-6.0, step=0.1), target=Choice({"1": 1.0, "0": 0.0}, label="target T")
    )
    def _(net, target):
        def curves(net):
            a = logistic(net)
            return (target - a) * a * (1 - a), target - a

        for line, y in zip((squared, entropy), curves(z), strict=True):
            line.set_data(z, y)
        values = curves(net)
        for dot, y in zip(dots, values, strict=True):
            dot.set_data([net], [y])
        a = logistic(net)
        return (
            f"The unit says {a:.4f} where {target:.0f} is wanted. Its delta is {values[0]:+.4f} for the squared error "
            f"and {values[1]:+.4f} for the cross-entropy."
        )

    return fig


stuck = stuck_figure()
stuck

# %% [markdown]
# With the squared error the slope $a(1-a)$ of the logistic unit stays in the product. With the cross-entropy of lecture 02 it cancels, and $\delta = T - a$ is exactly how
# wrong the unit is. That, and not taste, is why classifiers are trained with it. The largest delta of the squared error is $4/27 = 0.148$, at $a = 1/3$ for $T = 1$.
#
# ## From numbers to tensors
#
# A graph with one node for each number is slow: Python spends its microsecond on every multiplication. So let a node hold a whole
# **array**. What must change? The rules of `+`, `*`, `-`, `sigma` and `tanh` work elementwise and stay as they are, letter by letter. New are matrix
# product, transpose and sum, each with its rule.

# %%
FORWARD["@"] = lambda A, B: A @ B
BACKWARD["@"] = lambda g, y, A, B: (g @ B.T, A.T @ g)  # two axes each: (N, M) @ (M, K)
Node.__matmul__ = lambda self, other: apply("@", self, other)
Node.__rmatmul__ = lambda self, other: apply("@", other, self)
Node.__array_ufunc__ = None  # array + node: NumPy steps back, and Node.__radd__ is asked

# %%
FORWARD["T"] = np.transpose
BACKWARD["T"] = lambda g, y, x: (g.T,)
Node.T = property(lambda self: apply("T", self))

FORWARD["sum"] = np.sum
BACKWARD["sum"] = lambda g, y, x: (g * np.ones_like(x),)  # every entry has the factor 1
Node.sum = lambda self: apply("sum", self)

# %% [markdown]
# Where does `(g @ B.T, A.T @ g)` come from? An entry $Y_{nk} = \sum_m A_{nm} B_{mk}$ uses $A_{nm}$ with the factor $B_{mk}$. The ways from $A_{nm}$ to the loss go through
# every $k$, and ways are added: $\sum_k G_{nk} B_{mk}$, which is $(G B^\top)_{nm}$. There is also a way to check by eye: $G B^\top$ is the only product of $G$ and $B$ that has
# the shape of $A$.
#
# One thing breaks. NumPy **broadcasts**: in `X @ W.T + b` a bias of shape (4,) is added to each of 3 rows. So each entry of `b` is used three times, and
# hears three times. Choose shapes, walk through the entries of `b`, and see which entries of the incoming gradient $G$ each one must collect.


# %% tags=["folded"]
def broadcast_figure():
    # Refutes: "the gradient of a bias is the mean over the batch", and "it has the shape of the output".
    fig = LiveFigure("Who was used how often?", size=(900, 330))
    G = np.round(np.random.default_rng(5).normal(size=(3, 4)), 1)
    left, right = fig.subplots(1, 2, gridspec_kw={"wspace": 0.15})
    for ax, title in ((left, "G, what arrives at Y = A + b"), (right, "what b must receive")):
        ax.set(xlim=(-0.5, 3.5), ylim=(2.5, -0.5), title=title, xticks=[], yticks=[])
        ax.spines[:].set(visible=True, color="0.8")
    cells = [
        [left.text(j, i, "", ha="center", va="center", fontsize=15) for j in range(4)] for i in range(3)
    ]
    sums = [
        [right.text(j, i, "", ha="center", va="center", fontsize=15) for j in range(4)] for i in range(3)
    ]
    fig.animate(cells, sums)
    shapes = {"(4,)": (4,), "(3, 1)": (3, 1), "()": (), "(1, 4)": (1, 4), "(3, 4)": (3, 4)}

    @fig.control(
        shape=Choice(shapes, label="shape of b; A is (3, 4)"),
        entry=Integer(0, 11, value=1, label="entry of b"),
    )
    def _(shape, entry):
        size = int(np.prod(shape))
        entry = min(entry, size - 1)
        used = np.broadcast_to(np.arange(size).reshape(shape), G.shape)  # which entry of b stands where
        full = unbroadcast(G, shape)
        padded = full.reshape((1,) * (2 - len(shape)) + shape)
        for i in range(3):
            for j in range(4):
                mine = used[i, j] == entry
                _mark(cells[i][j], f"{G[i, j]:+.1f}", mine)
                inside = i < padded.shape[0] and j < padded.shape[1]
                _mark(
                    sums[i][j],
                    f"{padded[i, j]:+.1f}" if inside else "",
                    inside and i * padded.shape[1] + j == entry,
                )
        numbers = " ".join(f"{value:+.1f}" for value in G[used == entry])
        return f"b has shape {shape}. Its entry {entry} was used {np.sum(used == entry)} times: {numbers} = {full.ravel()[entry]:+.1f}."

    return fig


def _mark(text, value, wanted):
    text.set(text=value, color="black" if wanted else "0.55", weight="bold" if wanted else "normal")
    text.set_bbox(
        {
            "boxstyle": "round,pad=0.35",
            "fc": "#FFE3A6" if wanted else "white",
            "ec": "black" if wanted else "none",
        }
    )


# %%
def unbroadcast(g, shape):
    """Sum g over the axes along which an array of this shape was repeated."""
    g = np.sum(g, axis=tuple(range(np.ndim(g) - len(shape))))  # axes that broadcasting put in front
    repeated = tuple(i for i, n in enumerate(shape) if n == 1 and g.shape[i] != 1)
    return np.sum(g, axis=repeated, keepdims=True)


broadcast = broadcast_figure()
broadcast

# %% [markdown]
# Used often, heard often: gradients are **summed** over the repeated axes, until they have the shape of what was repeated. That is one line
# in `send_back`. With it the engine is the same for numbers and arrays; `rules` and `fit` are arguments so that we can plant
# faults later, and `g` lets us start with something other than 1.


# %%
def send_back(node, rules=BACKWARD, fit=unbroadcast):
    values = (parent.value for parent in node.parents)
    for parent, share in zip(node.parents, rules[node.op](node.grad, node.value, *values), strict=True):
        parent.grad = parent.grad + fit(share, np.shape(parent.value))


def backward(root, g=1.0, rules=BACKWARD, fit=unbroadcast):
    """Set .grad of every node below root to the derivative of (g * root).sum() by it."""
    order = recorded(root)
    for node in order:
        node.grad = 0.0
    root.grad = g * np.ones(np.shape(root.value))
    for node in reversed(order):
        if node.parents:
            send_back(node, rules, fit)


# %% [markdown]
# A layered net is now three lines, and its gradients are torch's. Weights have shape (out, in), a batch has shape (N, in).


# %%
def mlp(params, X):
    """A net with tanh between its layers. params: W1, b1, W2, b2, ...; X (N, in); returns a node, (N, out)."""
    for i in range(0, len(params), 2):
        X = X @ params[i].T + params[i + 1]
        X = tanh(X) if i + 2 < len(params) else X
    return X


def new_params(sizes, rng):
    """Weights of variance 1 / in, and zero biases: a list of arrays W1, b1, W2, b2, ..."""
    arrays = []
    for n_in, n_out in pairwise(sizes):
        arrays += [rng.normal(size=(n_out, n_in)) / np.sqrt(n_in), np.zeros(n_out)]
    return arrays


def mean_squared_error(y_hat, y):
    return ((y_hat - y) * (y_hat - y)).sum() * (1 / y.size)


rng = np.random.default_rng(1)
X, y, arrays = rng.normal(size=(7, 4)), rng.normal(size=(7, 2)), new_params([4, 5, 3, 2], rng)
params = [Node(array) for array in arrays]
backward(mean_squared_error(mlp(params, X), y))

theirs = [torch.tensor(array, requires_grad=True) for array in arrays]
h = torch.tensor(X)
for W_, b_ in zip(theirs[0::2], theirs[1::2], strict=True):
    h = torch.nn.functional.linear(h, W_, b_)
    h = torch.tanh(h) if W_ is not theirs[-2] else h
torch.nn.functional.mse_loss(h, torch.tensor(y)).backward()
for node, tensor in zip(params, theirs, strict=True):
    check.close(
        node.grad,
        tensor.grad.numpy(),
        rtol=1e-10,
        atol=1e-14,
        name=f"the gradient of shape {node.value.shape}",
    )
print("six gradients, equal to torch's:", [node.grad.shape for node in params])

# %% [markdown]
# What did a rule do here? Let $\mathbf{y} = f(\mathbf{x})$ have 1000 inputs and 1000 outputs. All its factors together are the **Jacobian**
# $\mathbf{J}$, a million numbers. The rule never makes it. It receives $\mathbf{g}$ and returns $\mathbf{g}^\top\mathbf{J}$, a **vector-Jacobian product** (VJP); for
# tanh that is 1000 multiplications, since all but the diagonal of $\mathbf{J}$ is zero.

# %%
x, g = rng.normal(size=1000), rng.normal(size=1000)
J = np.diag(1 - np.tanh(x) ** 2)
check.close(BACKWARD["tanh"](g, np.tanh(x), x)[0], g @ J, rtol=1e-12, name="the rule's result")
print(
    f"the Jacobian: {J.nbytes / 1e6:.0f} MB.  The rule: {g.nbytes / 1e3:.0f} kB in, {g.nbytes / 1e3:.0f} kB out."
)

# %% [markdown]
# ## Why backwards?
#
# The change of the first figure ran *forwards*. That is a method too, **forward mode**: carry with every value its derivative by one
# chosen direction of the inputs. Its rules say how a change of the inputs changes the output, and are even easier than the others.

# %%
CHANGE = {
    "+": lambda y, a, b, da, db: da + db,
    "-": lambda y, a, b, da, db: da - db,
    "*": lambda y, a, b, da, db: da * b + a * db,
    "@": lambda y, A, B, dA, dB: dA @ B + A @ dB,
    "T": lambda y, x, dx: dx.T,
    "sum": lambda y, x, dx: np.sum(dx),
    "sigma": lambda y, x, dx: y * (1 - y) * dx,
    "tanh": lambda y, x, dx: (1 - y**2) * dx,
}


def forward_mode(root, changes):
    """How root changes when the inputs change: changes maps a node to the direction in which it moves."""
    dot = {}
    for node in recorded(root):  # in the order of the computation, so it could run along with it and forget
        if node.parents:
            values = [parent.value for parent in node.parents]
            dot[node] = CHANGE[node.op](node.value, *values, *(dot[parent] for parent in node.parents))
        else:
            dot[node] = changes.get(node, np.zeros(np.shape(node.value)))
    return dot[root]


# %% [markdown]
# Both modes multiply the same Jacobians, from different ends. For a net of four layers with inputs $\mathbf{x}$ and outputs $\mathbf{y}$,
#
# $$\mathbf{J} = \mathbf{J}_4\,\mathbf{J}_3\,\mathbf{J}_2\,\mathbf{J}_1 \qquad
# \text{forward: } \mathbf{J}_4(\mathbf{J}_3(\mathbf{J}_2(\mathbf{J}_1\mathbf{v}))) \qquad
# \text{backward: } (((\mathbf{g}^\top\mathbf{J}_4)\mathbf{J}_3)\mathbf{J}_2)\mathbf{J}_1$$
#
# One forward pass with $\mathbf{v}$ gives one **column** of $\mathbf{J}$: how all outputs depend on one input. One backward pass with $\mathbf{g}$ gives one
# **row**: how one output depends on all inputs. Predict first, then measure.

# %% tags=["folded"]
predict(
    "A function has 3 inputs (a robot's joint angles) and 500 outputs (points on its hull). Which way to all 1500 derivatives is cheaper?",
    choices={
        "backward, as always in deep learning": "Deep learning has one output, the loss. Here backward mode would need 500 passes.",
        "forward: 3 passes": True,
        "both cost the same, since the Jacobian is the same": "The Jacobian is. But one pass gives one column, the other one row, and there are 3 columns and 500 rows.",
    },
    because="As many forward passes as inputs, or as many backward passes as outputs. A loss has a million inputs and one output.",
)


# %%
def jacobian_forward(f, x):
    """All derivatives of f's outputs (m,) by its inputs (n,), column by column: (m, n)."""
    leaf = Node(x[None])
    root = f(leaf)
    return np.stack([forward_mode(root, {leaf: column[None]})[0] for column in np.eye(len(x))], axis=1)


def jacobian_backward(f, x):
    """The same, row by row."""
    leaf = Node(x[None])
    root = f(leaf)
    rows = []
    for row in np.eye(root.value.shape[1]):
        backward(root, row[None])
        rows.append(leaf.grad[0])
    return np.stack(rows)


def seconds(action, repeats=3):
    """The fastest of a few runs."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        action()
        times.append(time.perf_counter() - start)
    return min(times)


SIZES = [1, 4, 16, 64, 256]
cost = {}
for n in progress(SIZES, "numbers of inputs"):
    for m in SIZES:
        weights = [Node(array) for array in new_params([n, 32, 32, m], np.random.default_rng(0))]
        f, x = (lambda leaf, weights=weights: mlp(weights, leaf)), np.linspace(-1, 1, n)
        if n * m <= 4096:
            check.close(
                jacobian_forward(f, x), jacobian_backward(f, x), rtol=1e-9, atol=1e-12, name="the Jacobian"
            )
        cost["forward", n, m] = seconds(lambda f=f, x=x: jacobian_forward(f, x))
        cost["backward", n, m] = seconds(lambda f=f, x=x: jacobian_backward(f, x))


# %% tags=["folded"]
def modes_figure():
    # Refutes: "backward mode is the fast one". It is where there are fewer outputs than inputs.
    fig = LiveFigure(
        "All derivatives of a net, measured", xlabel="inputs n", ylabel="milliseconds", size=(700, 420)
    )
    fig.ax.set(xscale="log", yscale="log", xlim=(0.8, 330), ylim=(0.02, 300))
    fig.ax.set_xticks(SIZES, [str(n) for n in SIZES])
    fig.ax.minorticks_off()
    lines = fig.animate(
        fig.ax.plot([], [], "o-", label="forward mode, n passes")[0],
        fig.ax.plot([], [], "s--", label="backward mode, m passes")[0],
    )
    here = fig.animate(fig.ax.axvline(1, color="0.6", lw=6, alpha=0.5, ls="-", zorder=0))
    fig.ax.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2)

    @fig.control(
        m=Choice({str(m): m for m in SIZES}, label="outputs m"),
        n=Choice({str(n): n for n in SIZES}, value="256", label="inputs n"),
    )
    def _(m, n):
        for line, mode in zip(lines, ("forward", "backward"), strict=True):
            line.set_data(SIZES, [1e3 * cost[mode, size, m] for size in SIZES])
        here.set_xdata([n, n])
        slow, fast = sorted(("forward", "backward"), key=lambda mode: -cost[mode, n, m])
        ratio = cost[slow, n, m] / cost[fast, n, m]
        return (
            f"{n} inputs, {m} outputs: {n} forward or {m} backward passes. Measured: forward {1e3 * cost['forward', n, m]:.2f} ms, "
            f"backward {1e3 * cost['backward', n, m]:.2f} ms; {fast} is {ratio:.1f} times faster."
        )

    return fig


modes = modes_figure()
modes

# %% [markdown]
# The two lines cross where there are about as many inputs as outputs. Training stands at the far right of $m = 1$. How dear is a gradient there,
# compared with computing the loss alone? Baur and Strassen (1983) proved that for rational functions at most about five times as many operations are enough, **whatever the number of inputs**; Griewank and Walther
# (2008) give bounds of the same kind for the operations of our engine.

# %%
for width in (16, 64, 256, 1000):
    weights = [Node(array) for array in new_params([64, width, width, 1], np.random.default_rng(0))]
    X, y = np.random.default_rng(1).normal(size=(512, 64)), np.zeros((512, 1))
    loss_alone = seconds(
        lambda weights=weights, X=X, y=y: mean_squared_error(mlp(weights, X), y), repeats=5
    )
    root = mean_squared_error(mlp(weights, X), y)
    way_back = seconds(lambda root=root: backward(root), repeats=5)
    count = sum(node.value.size for node in weights)
    print(
        f"{count:9,d} weights: loss {1e3 * loss_alone:6.2f} ms, loss and gradient {(loss_alone + way_back) / loss_alone:.1f} times that"
    )

# %% [markdown]
# Three to five times on our machine, with a thousand weights and with a million. One difference for each weight would have cost a million times the loss.
#
# ### The bill
#
# The way back has a price, and it is paid in memory: rules ask for `y`, `a`, `b`, so every value of the way forward is **kept** until
# the way back has used it. Forward mode can forget as it goes. How much is kept?


# %%
def bill(root):
    """Bytes of all results that are kept for the way back."""
    return sum(np.asarray(node.value).nbytes for node in recorded(root) if node.parents)


def run_layers(weights, x):
    for W in weights:
        x = tanh(x @ W)
    return x


def backward_in_pieces(weights, x, k):
    """Keep the input of every k-th layer, forget the rest, and compute each piece again on the way back.

    Returns the gradient of the outputs' sum by x, and the most bytes that were held at once.
    """
    kept = [x]
    for start in range(0, len(weights), k):
        kept.append(run_layers(weights[start : start + k], Node(kept[-1])).value)
    g, most = np.ones_like(kept.pop()), 0
    for start in reversed(range(0, len(weights), k)):
        leaf = Node(kept.pop())
        root = run_layers(weights[start : start + k], leaf)
        most = max(most, bill(root) + leaf.value.nbytes + sum(array.nbytes for array in kept))
        backward(root, g)
        g = leaf.grad
    return g, most


weights = [np.random.default_rng(i).normal(size=(32, 32)) / 6 for i in range(64)]
x = np.random.default_rng(99).normal(size=(100, 32))
leaf = Node(x)
root = run_layers(weights, leaf)
backward(root)
array = x.nbytes
print(f"64 layers, everything kept: {(bill(root) + array) / array:.0f} arrays of the size of one layer")
for k in (1, 2, 4, 6, 8, 16, 32, 64):
    g, most = backward_in_pieces(weights, x, k)
    check.close(g, leaf.grad, rtol=1e-9, atol=1e-15, name="the gradient in pieces")
    print(f"  in pieces of {k:2d}: {most / array:4.0f} arrays")

# %% [markdown]
# The gradient is the same, the memory a sixth, and each layer was computed twice. Chen et al. (2016) call it checkpointing and Griewank (1992) before them;
# it is common for large models. The figure shows what it means for a real size: layers of width 1024, single precision.


# %% tags=["folded"]
def bill_figure():
    # Refutes: "what fills the memory is the weights", and "the more we forget, the less we hold".
    fig = LiveFigure(
        "The bill of a deep net", xlabel="layers in one piece, k", ylabel="memory in GB", size=(700, 420)
    )
    fig.ax.set(xscale="log", yscale="log", xlim=(0.9, 300), ylim=(1e-5, 30))
    curve, everything, own_weights, here = fig.animate(
        fig.ax.plot([], [], label="activations, in pieces")[0],
        fig.ax.plot([], [], label="all activations kept")[0],
        fig.ax.plot([], [], color="black", ls=":", label="weights")[0],
        fig.ax.plot([], [], "o", ms=13, color=OKABE_ITO["blue"])[0],
    )
    fig.ax.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=3)

    @fig.control(
        batch=Slider(1, 4096, value=1024, log=True, format=".0f"),
        layers=Integer(4, 256, value=64),
        k=Integer(1, 256, value=8),
    )
    def _(batch, layers, k):
        batch, k = round(batch), min(k, layers)
        ks = np.arange(1, layers + 1)
        array = batch * 1024 * 4 / 1e9  # GB of one layer's output
        held = (2 * ks + np.ceil(layers / ks)) * array
        curve.set_data(ks, held)
        everything.set_data([0.9, 300], [(2 * layers + 1) * array] * 2)
        own_weights.set_data([0.9, 300], [layers * 1024**2 * 4 / 1e9] * 2)
        here.set_data([k], [held[k - 1]])
        best = ks[np.argmin(held)]
        return (
            f"Batches of {batch}, {layers} layers: weights {layers * 1024**2 * 4 / 1e9:.3f} GB, all activations {(2 * layers + 1) * array:.3f} GB, "
            f"in pieces of {k} {held[k - 1]:.3f} GB. Least: pieces of {best}, {held[best - 1]:.3f} GB."
        )

    return fig


bills = bill_figure()
bills

# %% [markdown]
# Two arrays a layer are held inside the piece at hand, the product and its tanh, and one for each piece: $2k + L/k$ for $L$ layers. The smallest sum lies at
# $k = \sqrt{L/2}$. Both ends are bad: pieces of one layer keep every input, one piece of all layers keeps everything.
#
# ## Check the checker
#
# You have written a rule. Is it right? Differences can tell. They are far too slow for training and just right for a test:
#
# $$\frac{\partial f}{\partial x} \approx \frac{f(x + h) - f(x)}{h} \quad\text{(forward)} \qquad
# \frac{\partial f}{\partial x} \approx \frac{f(x + h) - f(x - h)}{2h} \quad\text{(central)}$$
#
# How small should $h$ be? Commit to a number before you look.

# %% tags=["folded"]
predict(
    "You check a derivative of about 1 in float64 by central differences. Which h gives the most exact result?",
    choices={
        "1e-15: the smaller, the closer to the limit": "f(x + h) and f(x - h) then agree in nearly all of their 16 digits, and the difference of what is left is noise.",
        "about 1e-5": True,
        "about 1e-8, the square root of the rounding error": "That is the best h of the forward difference. The central one has less to lose by a larger step.",
        "1e-2, to stay away from rounding": "There the curve itself bends: an error of about h squared, 1e-4.",
    },
    because="The error is about h² from the bend of the curve and 1e-16 / h from rounding. They are equal at the cube root of 1e-16, about 5e-6.",
)


# %%
def my_function(x):
    """Built from the engine's operations; the figure compares its engine's gradient with differences."""
    return tanh(x) * sigma(3 * x)


# %% tags=["folded"]
def step_figure():
    # Refutes: "the smaller the step, the better the difference".
    fig = LiveFigure("Error against h", xlabel="step h", ylabel="error of the derivative", size=(700, 440))
    fig.ax.set(xscale="log", yscale="log", xlim=(1e-16, 1), ylim=(1e-17, 10))
    hs = 10.0 ** np.arange(-16, 0.01, 0.1)
    one, two, complex_step, here = fig.animate(
        fig.ax.plot([], [], label="forward difference")[0],
        fig.ax.plot([], [], label="central difference")[0],
        fig.ax.plot([], [], label="complex step")[0],
        fig.ax.axvline(1, color="0.6", lw=6, alpha=0.5, ls="-", zorder=0),
    )
    fig.ax.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=3)

    @fig.control(
        h=Slider(1e-15, 0.9, value=1e-5, log=True),
        x=Slider(-2, 2, value=0.7, step=0.1),
        dtype=Choice({"float64": (float, complex), "float32": (np.float32, np.complex64)}, label="numbers"),
        own=Function("my_function"),
    )
    def _(h, x, dtype, own):
        text = "Your function cannot be differentiated."
        real, imaginary = dtype
        with own.shown(one, two, complex_step):
            f = own if own else lambda x: sigma(x)
            leaf = Node(float(x))
            backward(f(leaf))

            def at(points, kind=real):
                return f(Node(np.asarray(points, dtype=kind))).value

            def errors(h):
                point, h = real(x), np.asarray(h, dtype=real)
                ahead, behind, mid = at(point + h), at(point - h), at(np.full_like(h, point))
                slopes = (
                    (ahead - mid) / h,
                    (ahead - behind) / (2 * h),
                    at(point + 1j * h.astype(imaginary), imaginary).imag / h,
                )
                return [np.abs(slope - leaf.grad) for slope in slopes]

            curves = errors(hs)
            for line, values in zip((one, two, complex_step), curves, strict=True):
                line.set_data(
                    hs, np.maximum(values, 2e-17)
                )  # exact results would be -infinity on this axis
            here.set_xdata([h, h])
            now = [float(value[0]) for value in errors([h])]
            best = (
                np.argmin(np.convolve(curves[1], np.ones(7) / 7, mode="same")[3:-3]) + 3
            )  # of the noisy curve's trend
            text = f"h = {h:.1e}, derivative {float(leaf.grad):+.4f}: forward difference off by {now[0]:.0e}, central by {now[1]:.0e}, "
            text += f"complex step by {now[2]:.0e}. The central one is best near h = {hs[best]:.0e}."
        return text

    return fig


steps = step_figure()
steps

# %% [markdown]
# From the right, each curve falls along a straight line: of slope 1 for the forward difference, whose error is about $h\,|f''|/2$, and of slope 2 for the
# central one, $h^2\,|f'''|/6$. Then both **turn up again**. A float64 carries 16 digits. The smaller $h$, the more of them $f(x+h)$ and
# $f(x-h)$ share; they vanish in the subtraction, and the rounding error of about $10^{-16}$ that remains is divided by $h$. In float32 there are 7 digits, and the best central
# difference is good to no more than 4 or 5: check gradients in float64.
#
# The third curve does not turn up. $\operatorname{Im} f(x + ih)/h$ subtracts nothing (Squire and Trapp, 1998), so $h$ may be $10^{-100}$. It needs functions that
# accept complex numbers.
#
# ### Plant a fault
#
# Now the check at work. Each operation gets a small expression; its gradient from the engine is compared with central differences:
#
# $$\text{relative error} = \frac{\lVert \mathbf{g} - \mathbf{g}_\text{num} \rVert}{\lVert \mathbf{g} \rVert + \lVert \mathbf{g}_\text{num} \rVert}$$


# %%
def numeric_grad(f, x, h=1e-5):
    """Central differences of a function of an array, one entry at a time."""
    g = np.zeros_like(x)
    for i in np.ndindex(x.shape):
        e = np.zeros_like(x)
        e[i] = h
        g[i] = (f(x + e) - f(x - e)) / (2 * h)
    return g


def relative_error(g, g_num):
    size = np.linalg.norm(g) + np.linalg.norm(g_num)
    return np.linalg.norm(g - g_num) / size if size else 0.0


EXPRESSIONS = {  # an expression for each operation, and the shapes of its inputs
    "+": (lambda a, b: a + b, (2, 3), (2, 3)),
    "-": (lambda a, b: a - b, (2, 3), (2, 3)),
    "*": (lambda a, b: a * b, (2, 3), (2, 3)),
    "@": (lambda a, b: a @ b, (3, 3), (3, 3)),
    "tanh": (tanh, (2, 3)),
    "sigma": (sigma, (2, 3)),
    "sum": (lambda a: a.sum(), (2, 3)),
    "broadcast": (lambda a, b: a + b, (2, 3), (3,)),
}


def check_operation(f, shapes, size, rules, fit):
    """The relative error of f's gradients by all its inputs, at a random point of this size."""
    rng = np.random.default_rng(2)
    x = size * rng.normal(size=sum(int(np.prod(shape)) for shape in shapes))  # all inputs in one row

    def leaves(x):
        ends = np.cumsum([int(np.prod(shape)) for shape in shapes])[:-1]
        return [Node(part.reshape(shape)) for part, shape in zip(np.split(x, ends), shapes, strict=True)]

    inputs = leaves(x)
    root = f(*inputs)
    g = rng.normal(size=np.shape(root.value))  # what arrives from above is random too
    backward(root, g, rules, fit)
    ours = np.concatenate([leaf.grad.ravel() for leaf in inputs])
    return relative_error(ours, numeric_grad(lambda x: np.sum(g * f(*leaves(x)).value), x))


def check_engine(size, rules=BACKWARD, fit=unbroadcast):
    return {
        name: check_operation(f, shapes, size, rules, fit) for name, (f, *shapes) in EXPRESSIONS.items()
    }


# %% [markdown]
# Plant a wrong rule, and see which bar rises. Then move the point at which the check is made towards zero, and find the faults that **hide** there. The diamond is yours: write
# `my_tanh_rule` any way you like. Can you write one that is wrong and passes at the first setting?


# %%
def my_tanh_rule(g, y, x):
    return (g * (1 - x**2 + 2 * x**4 / 3),)


# %%
FAULTS = {
    "tanh: 1 - y for 1 - y²": {"tanh": lambda g, y, x: (g * (1 - y),)},
    "no fault": {},
    "*: factors not swapped": {"*": lambda g, y, a, b: (g * a, g * b)},
    "@: g not transposed": {"@": lambda g, y, A, B: (g @ B.T, A.T @ g.T)},
    "sigma: one part in a thousand": {"sigma": lambda g, y, x: (1.001 * g * y * (1 - y),)},
    "sum: divided by the count": {"sum": lambda g, y, x: (g * np.ones_like(x) / x.size,)},
    "broadcast: mean for sum": {},
}


def mean_for_sum(g, shape):
    """A wrong `unbroadcast`: what was used n times hears one n-th."""
    return unbroadcast(g, shape) * np.prod(shape, dtype=float) / g.size


# %% tags=["folded"]
def fault_figure():
    # Refutes: "a gradient that passes the check at one point is right". Faults hide at zero, and where nothing is used twice.
    fig = LiveFigure("Plant a fault", xlabel="relative error of the gradient", size=(800, 400))
    names = list(EXPRESSIONS)
    fig.ax.set(
        xscale="log",
        xlim=(1e-13, 3),
        ylim=(len(names) - 0.5, -0.5),
        yticks=range(len(names)),
        yticklabels=names,
    )
    fig.ax.axvline(1e-6, color="black", lw=1.2, ls=":")
    bars = fig.animate(fig.ax.barh(range(len(names)), np.ones(len(names)), left=1e-13, height=0.6))
    mine = fig.animate(
        fig.ax.plot([], [], "D", ms=12, color=OKABE_ITO["yellow"], mec="black", label="my_tanh_rule")[0]
    )
    fig.ax.legend(loc="lower right")

    @fig.control(
        fault=Choice(list(FAULTS)),
        size=Slider(0, 1.5, value=0.75, step=0.05, label="size of the point"),
        own=Function("my_tanh_rule"),
    )
    def _(fault, size, own):
        fit = mean_for_sum if fault.startswith("broadcast") else unbroadcast
        errors = check_engine(size, {**BACKWARD, **FAULTS[fault]}, fit)
        for bar, error in zip(bars, errors.values(), strict=True):
            bar.set_width(max(error, 1e-12))
            bar.set_facecolor(OKABE_ITO["red"] if error > 1e-6 else OKABE_ITO["blue"])
            bar.set_hatch("//" if error > 1e-6 else "")
        caught = [f"{name} ({error:.0e})" for name, error in errors.items() if error > 1e-6]
        text = f"At a point of size {size:.2f}: {', '.join(caught) or 'nothing is'} above 1e-6."
        with own.shown(mine):
            error = check_engine(size, {**BACKWARD, "tanh": own})["tanh"]
            mine.set_data([max(error, 1e-12)], [names.index("tanh")])
            text += f" Your tanh rule: {error:.0e}."
        return text

    return fig


faults = fault_figure()
faults

# %% [markdown]
# - At size 0 the wrong tanh is invisible: $y = 0$ there, and $1 - y = 1 - y^2$. So are the wrong `*` and `@`. Check at random points, never at zeros.
# - The wrong `*` would pass on $x \cdot x$, whose two factors are equal. Give an operation inputs that differ. The wrong `@` is silent for square matrices
#   alone; others raise an error. Bugs live where shapes agree by chance.
# - One check for each operation names the culprit. A check of a whole net only says that there is one.
# - A factor of 1.001 is caught easily in float64. In float32 it would be hard to tell from noise.
# - `my_tanh_rule` is the series of $1 - \tanh^2 x$ up to $x^4$. Near zero no check can tell it from the truth.
#
# ## When it breaks: a deep chain
#
# The rules can all be right and the gradient useless. On its way back through a deep net it is multiplied by one matrix and one slope a layer, and a
# product of many factors either dies or explodes. The net below has layers of 32 units with random weights of variance $\mathrm{gain}^2/32$. The
# gradient of its output is measured at every layer, by our engine.

# %% tags=["folded"]
predict_number(
    "The slope of the logistic function is a (1 - a). A chain of 10 such units, all weights 1. At most by which factor does the gradient "
    "arrive at the first unit? Give the exponent: 10 to the power of ...",
    answer=10 * np.log10(0.25),
    tolerance=0.06,
    hints=[
        (-3.1, -2.9, "That is 2 to the power of -10. The slope is at most 1/4, at a = 1/2."),
        (-1e9, -9.9, "The slope is at most a quarter, not a tenth."),
    ],
    because="(1/4)^10 = 1e-6, the exponent is -6.02, and that is the best case. Hochreiter (1991) found this in recurrent nets; lecture 07 is about what helps.",
)


# %%
def my_activation(x):
    """Built from the engine's operations."""
    return x * sigma(x)


# %%
def gradient_by_layer(activation, gain, depth, weights, X, g):
    """Mean size of the gradient at the input of each layer and at the output: (depth + 1,)."""
    x = Node(X)
    states = [x]
    for W in weights[:depth]:
        x = activation(x @ (gain * W))
        states.append(x)
    backward(x, g)
    return np.array([np.sqrt(np.mean(np.square(state.grad))) for state in states])


# %% tags=["folded"]
def chain_figure():
    # Refutes: "if the gradient is right, the net learns", and "tanh cures what the logistic function breaks".
    fig = LiveFigure(
        "The gradient on its way back", xlabel="layer", ylabel="size of the gradient", size=(700, 420)
    )
    fig.ax.set(yscale="log", xlim=(-0.5, 40.5), ylim=(1e-38, 1e20))
    fig.ax.axhline(1, color="0.8", lw=1, ls="-")
    trail, mine = fig.animate(
        fig.ax.plot([], [], "o-", ms=5, label="chosen activation")[0],
        fig.ax.plot([], [], "s--", ms=4, color=OKABE_ITO["red"], label="my_activation")[0],
    )
    fig.ax.legend(loc="lower right")
    rng = np.random.default_rng(0)
    weights = rng.normal(size=(40, 32, 32)) / np.sqrt(32)
    X, g = rng.normal(size=(4, 32)), rng.normal(size=(4, 32))
    kinds = {"logistic": sigma, "tanh": tanh, "none (linear)": lambda x: x}

    @fig.control(
        activation=Choice(kinds, label="activation"),
        gain=Slider(0.5, 3, value=1.0, log=True),
        depth=Integer(2, 40, value=30),
        own=Function("my_activation"),
    )
    def _(activation, gain, depth, own):
        sizes = gradient_by_layer(activation, gain, depth, weights, X, g)
        trail.set_data(np.arange(depth + 1), sizes)
        factor = (sizes[0] / sizes[-1]) ** (1 / depth)
        text = f"After {depth} layers the gradient is {sizes[0] / sizes[-1]:.1e} of what it was, a factor of {factor:.2f} a layer."
        with own.shown(mine), np.errstate(all="ignore"):
            theirs = gradient_by_layer(own, gain, depth, weights, X, g)
            mine.set_data(np.arange(depth + 1), theirs)
            text += f" With yours {theirs[0] / theirs[-1]:.1e}."
        return text

    return fig


chain = chain_figure()
chain

# %% [markdown]
# Logistic units lose the gradient at every gain of the slider. Small weights leave a slope of at most 1/4, large ones push the units to their flat ends. For tanh a gain of 1.2
# holds it over 30 layers. Without any activation the gain itself is the factor, and 1.0 is a knife's edge: 0.9 and 1.1 differ by a factor of 400 after 30
# layers. Initialisation, normalisation and shortcuts, all in lecture 07, are ways to keep this product near 1.
#
# ## The real run: 1986, again
#
# Rumelhart, Hinton and Williams showed in *Nature* that a net can find hidden features that nobody gave it. Their first example: six inputs, each 0 or 1, two hidden
# units, one output that must say whether the pattern reads the same from both ends. Eight of the 64 patterns do. No single input says anything. They report 1425 sweeps through the 64 patterns with
# learning rate 0.1, momentum 0.9, and start weights uniform in ±0.3.
#
# First the promise that the engine can be trusted in a training run. A two-layer net of 8 tanh units each, two interleaved spirals, 100 steps in float64, beside
# torch:


# %%
def spirals(num_points, rng):
    """Two spirals of noisy points, (N, 2), and their labels -1 and 1, (N, 1)."""
    t = np.sqrt(rng.uniform(0.02, 1, size=num_points)) * 3 * np.pi
    sign = np.where(np.arange(num_points) % 2, 1.0, -1.0)
    points = np.stack([np.cos(t), np.sin(t)], axis=1) * (sign * t / (3 * np.pi))[:, None]
    return points + 0.02 * rng.normal(size=points.shape), sign[:, None]


rng = np.random.default_rng(0)
X, y = spirals(200, rng)
arrays = [
    2 * array for array in new_params([2, 8, 8, 1], rng)
]  # smaller weights stay near the straight line for long
theirs = [torch.tensor(array, requires_grad=True) for array in arrays]
optimizer = torch.optim.SGD(theirs, lr=0.3, momentum=0.9)
velocity = [np.zeros_like(array) for array in arrays]
ours, torchs = [], []
for _ in range(100):
    params = [Node(array) for array in arrays]
    loss = mean_squared_error(mlp(params, X), y)
    backward(loss)
    velocity = [0.9 * v + node.grad for v, node in zip(velocity, params, strict=True)]
    arrays = [array - 0.3 * v for array, v in zip(arrays, velocity, strict=True)]
    ours.append(float(loss.value))

    h = torch.tensor(X)
    for i in (0, 2, 4):
        h = torch.nn.functional.linear(h, theirs[i], theirs[i + 1])
        h = torch.tanh(h) if i < 4 else h
    optimizer.zero_grad()
    reference = torch.nn.functional.mse_loss(h, torch.tensor(y))
    reference.backward()
    optimizer.step()
    torchs.append(reference.item())

largest = np.abs(np.array(ours) - np.array(torchs)).max()
print(f"loss {ours[0]:.4f} -> {ours[-1]:.4f}; largest difference to torch in 100 steps: {largest:.1e}")
check.close(np.array(ours), np.array(torchs), rtol=1e-6, name="the losses")

# %% [markdown]
# Now the paper's net. Press Play. Each hidden unit's six weights are drawn as bars; watch how the bars of mirrored inputs come to oppose each other.
# Then try other seeds, with Reset in between, and count how many runs arrive.

# %%
PATTERNS = np.array([[(i >> k) & 1 for k in range(6)] for i in range(64)], dtype=float)  # (64, 6)
SYMMETRIC = (PATTERNS[:, ::-1] == PATTERNS).all(axis=1, keepdims=True).astype(float)  # (64, 1)


def symmetry_start(seed, spread):
    """Weights of the 6-2-1 net, uniform in [-spread, spread], and their velocities."""
    rng = np.random.default_rng(seed)
    arrays = [rng.uniform(-spread, spread, size=shape) for shape in ((2, 6), (2,), (1, 2), (1,))]
    return {
        "arrays": arrays,
        "velocity": [np.zeros_like(array) for array in arrays],
        "sweeps": 0,
        "error": [],
        "right": [],
    }


def sweep(state, lr=0.1, momentum=0.9):
    """One pass through all 64 patterns, and one step."""
    W1, b1, W2, b2 = params = [Node(array) for array in state["arrays"]]
    output = sigma(sigma(PATTERNS @ W1.T + b1) @ W2.T + b2)
    e = SYMMETRIC - output
    E = 0.5 * (e * e).sum()
    backward(E)
    state["velocity"] = [
        momentum * v - lr * node.grad for v, node in zip(state["velocity"], params, strict=True)
    ]
    state["arrays"] = [array + v for array, v in zip(state["arrays"], state["velocity"], strict=True)]
    state["sweeps"] += 1
    state["error"].append(float(E.value))
    state["right"].append(int(((output.value > 0.5) == (SYMMETRIC > 0.5)).sum()))


# %% tags=["folded"]
def symmetry_figure():
    # Refutes: "someone must tell hidden units what to detect", and "backpropagation finds the answer if there is one".
    fig = LiveFigure("Is the pattern symmetric?", size=(900, 400))
    left, right = fig.subplots(1, 2, width_ratios=[3, 2])
    left.set(
        xlim=(-0.7, 12.7),
        ylim=(-15, 15),
        ylabel="weight",
        xticks=[*range(6), *range(7, 13)],
        xticklabels=list("123456") * 2,
    )
    left.set_xlabel("inputs of hidden unit 1, then of hidden unit 2")
    left.axhline(0, color="black", lw=1, ls="-")
    right.set(xlim=(0, 3000), ylim=(0, 9), xlabel="sweep", ylabel="error E")
    colours = [OKABE_ITO[c] for c in ("blue", "orange", "green", "green", "orange", "blue")] * 2
    bars = fig.animate(left.bar([*range(6), *range(7, 13)], np.zeros(12), color=colours, edgecolor="black"))
    curve = fig.animate(right.plot([], [], ls="-")[0])

    def start(seed, spread):
        return symmetry_start(seed, spread)

    def tick(state):
        for _ in range(10):
            sweep(state)
        if state["sweeps"] >= 3000:
            raise StopIteration

    fig.loop(start, tick, speed=5)

    @fig.control(
        seed=Integer(0, 11, value=1),
        spread=Slider(0.1, 3, value=0.3, step=0.1, label="start weights within ±"),
    )
    def _(state, seed, spread):
        for bar, weight in zip(bars, state["arrays"][0].ravel(), strict=True):
            bar.set_height(weight)
        curve.set_data(np.arange(len(state["error"])), state["error"])
        first = state["arrays"][0][0]
        sizes = np.sort(np.abs(first).reshape(2, 3)[0])
        now = (
            f"E = {state['error'][-1]:.3f}, {state['right'][-1]} of 64 right"
            if state["error"]
            else "not started"
        )
        ratio = " : ".join(f"{size / max(sizes[0], 1e-9):.1f}" for size in sizes)
        return f"Seed {seed}, start within ±{spread:.1f}, sweep {state['sweeps']}: {now}. Sizes of unit 1's first three weights, as a ratio: {ratio}."

    return fig


symmetry = symmetry_figure()
symmetry

# %% [markdown]
# With seed 1 the run ends at the solution that the paper draws. Mirrored weights are equal and opposite, so that a symmetric pattern cancels in both hidden units; and their sizes stand as 1 : 2 : 4, so that *no other* pattern cancels.
# Nobody told the units so. But many seeds get stuck at $E = 4$, where the output says "no" to everything. How many?

# %%
outcome = {}
for spread in (0.3, 1.0):
    for seed in progress(list(range(8)), f"start weights within ±{spread}"):
        state = symmetry_start(seed, spread)
        while state["sweeps"] < 2500 and state["right"][-1:] != [64]:
            sweep(state)
        outcome[spread, seed] = state["sweeps"] if state["right"][-1] == 64 else None
    solved = sorted(count for (s, _), count in outcome.items() if s == spread and count)
    print(f"start within ±{spread}: {len(solved)} of 8 runs have all 64 right, after {solved} sweeps")

# %% [markdown]
# | who | what they found | what this run shows |
# | --- | --- | --- |
# | Rumelhart, Hinton and Williams (1986), *Nature* | the 6-2-1 net learns symmetry in 1425 sweeps, with weights of ratio 1 : 2 : 4 that oppose each other | the same solution, after several hundred to some two thousand sweeps where it is found; about half of the seeds get stuck at "never symmetric" |
# | the same, in *Parallel Distributed Processing* (1986) | such local minima are rare in their experience | not rare for this net at this start. One published run says nothing about how often it works: run several seeds |
# | Baur and Strassen (1983); Griewank and Walther (2008) | a gradient costs a small constant times the function | three to five times by the clock, from a thousand weights to a million |
# | Chen et al. (2016) | a thousand-layer residual net in 7 GB in place of 48 GB, for 30 % more time | 64 layers in a sixth of the memory, each layer computed twice |
#
# Who was first? Linnainmaa (1970) published reverse mode for rounding errors, Werbos (1974) proposed it for training models, and Rumelhart, Hinton and Williams (1986) showed what nets learn with it.
# The CS221 deck names the last two.
#
# ## Exercises
#
# Each has a cell for your function and a check below it that runs as soon as you run your cell.


# %%
def exp_rule(g, y, x):
    """The backward rule of y = exp(x): returns a tuple of one gradient, of x's shape."""
    raise NotImplementedError("replace this line")


# %% tags=["folded"]
@exercise("A rule for exp", uses="exp_rule", minutes=1, difficulty=1)
def exp_exercise(exp_rule):
    x, g = np.array([[0.5, -1.0, 2.0]]), np.array([[1.0, -2.0, 0.3]])
    got = exp_rule(g, np.exp(x), x)
    if not isinstance(got, tuple) or len(got) != 1:
        raise check.CheckError(
            "type", "a rule returns a tuple with one gradient for each input: end it with a comma, (..., )"
        )
    check.grad(got[0], lambda x: (g * np.exp(x)).sum(), x, name="the gradient by x")


exp_exercise

# %% [markdown]
# <details><summary>Solution</summary>
#
# ```python
# def exp_rule(g, y, x):
#     return (g * y,)
# ```
#
# The slope of exp is exp, and that is in `y` already.
# </details>


# %%
def division_rule(g, y, a, b):
    """The backward rule of y = a / b, elementwise, a and b of the same shape: a tuple of two gradients."""
    raise NotImplementedError("replace this line")


# %% tags=["folded"]
@exercise("A rule for division", uses="division_rule", minutes=4, difficulty=1)
def division_exercise(division_rule):
    rng = np.random.default_rng(3)
    a, b, g = rng.normal(size=(2, 3)), rng.uniform(0.5, 2, size=(2, 3)), rng.normal(size=(2, 3))
    with check.unchanged(g=g, a=a, b=b):
        by_a, by_b = division_rule(g, a / b, a, b)
    check.grad(by_a, lambda a: (g * a / b).sum(), a, name="the gradient by a")
    check.grad(by_b, lambda b: (g * a / b).sum(), b, name="the gradient by b")


division_exercise

# %% [markdown]
# <details><summary>Solution</summary>
#
# ```python
# def division_rule(g, y, a, b):
#     return g / b, -g * y / b
# ```
#
# $\partial(a/b)/\partial b = -a/b^2 = -y/b$.
# </details>


# %%
def entropy_deltas(x, W, V, T):
    """As `deltas`, for E = -sum_k (T_k log a_k + (1 - T_k) log(1 - a_k)): delta of hidden (J,) and output units (K,)."""
    raise NotImplementedError("replace this line")


# %% tags=["folded"]
@exercise("δ for the cross-entropy", uses="entropy_deltas", minutes=6, difficulty=2)
def entropy_exercise(entropy_deltas):
    rng = np.random.default_rng(4)
    x, W, V = rng.normal(size=4), rng.normal(size=(3, 4)), rng.normal(size=(2, 3))
    T = np.array([1.0, 0.0])
    net_j = torch.tensor(W @ x, requires_grad=True)
    net_k = torch.tensor(V) @ torch.sigmoid(net_j)
    net_k.retain_grad()
    torch.nn.functional.binary_cross_entropy_with_logits(net_k, torch.tensor(T), reduction="sum").backward()
    delta_j, delta_k = entropy_deltas(x, W, V, T)
    check.close(delta_k, -net_k.grad.numpy(), name="delta of the output units")
    check.close(delta_j, -net_j.grad.numpy(), name="delta of the hidden units")


entropy_exercise

# %% [markdown]
# <details><summary>Solution</summary>
#
# ```python
# def entropy_deltas(x, W, V, T):
#     a_j = logistic(W @ x)
#     delta_k = T - logistic(V @ a_j)
#     return (V.T @ delta_k) * a_j * (1 - a_j), delta_k
# ```
#
# Only the output's rule changes. The hidden rule never asked what the error was.
# </details>


# %%
def max_rule(g, y, x):
    """The backward rule of y = x.max(axis=1, keepdims=True): x (N, M), g and y (N, 1); a tuple of one gradient, (N, M).

    Where several entries of a row are largest, they share the gradient equally.
    """
    raise NotImplementedError("replace this line")


# %% tags=["folded"]
@exercise("A rule for the maximum", uses="max_rule", minutes=8, difficulty=2)
def max_exercise(max_rule):
    x = np.array([[1.0, 3.0, 2.0], [5.0, 5.0, -1.0], [0.0, 0.0, 0.0]])
    g = np.array([[2.0], [-1.0], [3.0]])
    leaf = torch.tensor(x, requires_grad=True)
    leaf.amax(dim=1, keepdim=True).backward(torch.tensor(g))
    check.close(
        max_rule(g, x.max(axis=1, keepdims=True), x)[0], leaf.grad.numpy(), name="the gradient by x"
    )


max_exercise

# %% [markdown]
# <details><summary>Solution</summary>
#
# ```python
# def max_rule(g, y, x):
#     largest = x == y
#     return (g * largest / largest.sum(axis=1, keepdims=True),)
# ```
#
# At a tie there is no derivative. Sharing equally is what torch's `amax` does; `max` with indices gives all to one of them.
# </details>
#
# **Find the bug.** This engine is right on `a * b` and wrong on other expressions. Find the **two** things that are wrong, and mend
# them.


# %%
def mended_backward(root):
    visited = []

    def visit(node):
        visited.append(node)
        for parent in node.parents:
            if parent not in visited:
                visit(parent)

    visit(root)
    for node in visited:
        node.grad = 0.0
    root.grad = 1.0
    for node in visited:
        values = [parent.value for parent in node.parents]
        if node.parents:
            for parent, share in zip(
                node.parents, BACKWARD[node.op](node.grad, node.value, *values), strict=True
            ):
                parent.grad = parent.grad + share if parent.parents else share


# %% tags=["folded"]
@exercise("Find two bugs in an engine", uses="mended_backward", minutes=15, difficulty=2)
def engine_exercise(mended_backward):
    def shared(a, b):
        u = a + b
        return tanh(u) * u

    cases = {
        "a * b": lambda a, b: a * b,
        "a * a + b": lambda a, b: a * a + b,
        "tanh(u) * u with u = a + b": shared,
        "my_expression": my_expression,
    }
    for name, f in cases.items():
        ours, theirs = (Node(0.7), Node(-0.4)), (Node(0.7), Node(-0.4))
        mended_backward(f(*ours))
        backward(f(*theirs))
        for letter, a, b in zip("ab", ours, theirs, strict=True):
            check.close(float(a.grad), float(b.grad), name=f"d/d{letter} of {name}")


engine_exercise

# %% [markdown]
# <details><summary>Solution</summary>
#
# ```python
# def mended_backward(root):
#     order = recorded(root)
#     for node in order:
#         node.grad = 0.0
#     root.grad = 1.0
#     for node in reversed(order):
#         values = [parent.value for parent in node.parents]
#         if node.parents:
#             for parent, share in zip(node.parents, BACKWARD[node.op](node.grad, node.value, *values), strict=True):
#                 parent.grad = parent.grad + share
# ```
#
# The list was filled on the way down, so a shared node could stand before one of its children. And a leaf kept its last share alone instead of
# their sum.
# </details>


# %%
def hessian_times(f, x, v):
    """H v, (N,): f takes a node of shape (N,) to a number, H is its matrix of second derivatives at x (N,). Never make H."""
    raise NotImplementedError("replace this line")


# %% tags=["folded"]
@exercise("Curvature without the matrix", uses="hessian_times", minutes=30, difficulty=3)
def hessian_exercise(hessian_times):
    rng = np.random.default_rng(6)
    N, A = 12, rng.normal(size=(12, 12))
    x, v = rng.normal(size=N), rng.normal(size=N)
    calls = []

    def f(node):
        calls.append(node)
        return tanh(node * A).sum() + (node * node * node).sum()

    def f_torch(x):
        return torch.tanh(x * torch.tensor(A)).sum() + (x**3).sum()

    _, expected = torch.autograd.functional.hvp(f_torch, torch.tensor(x), torch.tensor(v))
    with check.unchanged(x=x, v=v):
        got = hessian_times(f, x, v)
    check.close(got, expected.numpy(), rtol=1e-4, atol=1e-4, name="H v")
    if len(calls) > 4:
        raise check.CheckError(
            "value",
            f"f was evaluated {len(calls)} times for {N} weights; four evaluations are enough for any number of them",
        )


hessian_exercise

# %% [markdown]
# <details><summary>Solution</summary>
#
# ```python
# def hessian_times(f, x, v, h=1e-5):
#     ahead, behind = Node(x + h * v), Node(x - h * v)
#     backward(f(ahead))
#     backward(f(behind))
#     return (ahead.grad - behind.grad) / (2 * h)
# ```
#
# $\mathbf{H}\mathbf{v}$ is the change of the gradient in direction $\mathbf{v}$: two gradients are enough. Pearlmutter (1994) gets it exactly by running forward mode
# over the way back.
# </details>
#
# ## In five lines
#
# 1. A derivative is a product of small factors along each way from a weight to the loss, added over the ways.
# 2. Start at the loss, and each node needs its own rule and nothing else; it speaks when every use of it has spoken.
# 3. δ is minus the derivative of the error by the net input. Sign and factor are conventions: state them.
# 4. One output and many inputs: backwards. It costs a few times the loss, and the memory of everything computed.
# 5. Check every rule by central differences, in float64, h near 1e-5, at random points, alone before together.
#
# **Homework 1** asks for backward passes of layers, for a gradient check, and for a tensor engine of your own.
#
# ## Sources
#
# The δ-rules: Yoonsuck Choe, machine-learning lecture, Texas A&M (2021). The history: Stanford CS221, lecture 18 (2020). "Automatic differentiation is crucial": George Chen, CMU 95-865.
# Linnainmaa (1970), master's thesis, Helsinki. Werbos (1974), Beyond regression. Baur and Strassen (1983), The complexity of partial derivatives. Rumelhart, Hinton and Williams (1986), Learning
# representations by back-propagating errors, *Nature* 323; and Learning internal representations by error propagation, in *Parallel Distributed Processing*. Hochreiter (1991), diploma thesis, Munich. Griewank (1992), Achieving logarithmic growth of temporal
# and spatial complexity in reverse automatic differentiation. Pearlmutter (1994), Fast exact multiplication by the Hessian. Squire and Trapp (1998), Using complex variables to estimate derivatives of real functions. Griewank
# and Walther (2008), *Evaluating Derivatives*. Chen, Xu, Zhang and Guestrin (2016), Training deep nets with sublinear memory cost. Baydin, Pearlmutter, Radul and Siskind (2018), Automatic differentiation in machine learning: a survey. Goodfellow, Bengio and Courville (2016), *Deep
# Learning*, section 6.5.
#
# Karpathy's micrograd (2020) and his film *The spelled-out intro to neural networks and backpropagation* (2022) are the best treatment that we know, and an engine of scalars in so few lines is his example. What a reader of this
# notebook can do besides: walk their own expression in two orders and see which share is lost (One node at a time), plant a wrong rule and let a check find it (Plant a fault), and use the same rules
# on arrays that broadcast, measured against forward mode (All derivatives of a net, measured).
