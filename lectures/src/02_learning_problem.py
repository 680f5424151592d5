# ---
# title: The learning problem
# question: What is a good answer, and how do we know?
# homework: hw1
# ---

# %% [markdown]
# After this lecture you can
#
# 1. derive squared error, absolute error and cross-entropy from a belief about the noise;
# 2. write softmax regression with a stable loss and its gradient, and check the gradient;
# 3. read over- and underfitting from curves, and split an error in bias, variance and noise;
# 4. take complexity back by weight decay, chosen by cross-validation, and by early stopping;
# 5. split data honestly, find a leak, and put an interval around an error and around a difference of errors.
#
# **You need** derivatives, the normal distribution and NumPy. Weights are found by gradient descent, many small steps against the
# gradient; lecture 03 is about it. **Time**: two hours, and one more for the exercises at the end. All cells
# together run in less than a minute. Click a slider, then use the arrow keys.

# %% tags=["setup"]
import numpy as np
import torch

from dlcourse import check, data
from dlcourse.exercise import exercise
from dlcourse.live import OKABE_ITO, Choice, Function, Integer, LiveFigure, Slider
from dlcourse.predict import predict, predict_number
from dlcourse.progress import progress

# %% [markdown]
# ## Which line is right?
#
# Twenty measurements lie near a line. Three lines are fitted to them, each by its own **loss**, a number that says how bad an error
# is. **Least squares** adds up the squared errors, **least absolute error** adds up their absolute values, and the third uses a loss of
# your own. At first the three lines lie on each other. Decide before you move anything:

# %% tags=["folded"]
predict(
    "The last of the twenty measurements is moved up by 5.6. What do the lines do?",
    choices={
        "Both turn towards it in the same way.": "The two losses weigh a large error differently: doubling an error makes its "
        "square four times as large, and its absolute value twice as large.",
        "Least absolute error turns towards it, least squares stays.": "It is the square that grows fastest with the error. So "
        "least squares gives up more at the other points to come nearer to this one.",
        "Least squares turns towards it, least absolute error hardly moves.": True,
    },
    because="One large square can outweigh nineteen small ones.",
)

# %% [markdown]
# Now move it. The third line follows `my_log_density`: change the formula, run the cell, and the line is fitted anew. Its
# argument is an array of many errors at once, so use NumPy's functions.


# %%
def my_log_density(r):
    """Log of how likely errors r are, up to a constant: here Student's t with one degree of freedom."""
    return -np.log(1 + (r / 0.15) ** 2)


# %% tags=["folded"]
def line_figure():
    # Refutes: "the loss is a matter of taste, the best line is the best line".
    fig = LiveFigure("One measurement moves", xlabel="x", ylabel="y")
    rng = np.random.default_rng(3)
    x = np.linspace(0, 1, 20)
    y0 = 0.5 + 1.5 * x + 0.15 * rng.standard_normal(20)
    slopes, offsets = np.meshgrid(np.linspace(-2, 5, 71), np.linspace(-2, 3, 101))
    lines = offsets[..., None] + slopes[..., None] * x  # (101, 71, 20): every line that is tried
    fig.ax.set(xlim=(-0.03, 1.03), ylim=(-2, 8))
    dots = fig.ax.plot([], [], "o", color="black")[0]
    moved = fig.ax.plot([], [], "s", ms=12, color=OKABE_ITO["red"])[0]
    gauss = fig.ax.plot([], [], lw=6, color=OKABE_ITO["sky"], ls="-", label="least squares")[0]
    laplace = fig.ax.plot([], [], lw=3, color=OKABE_ITO["blue"], ls="--", label="least absolute error")[0]
    mine = fig.ax.plot([], [], lw=2, color=OKABE_ITO["red"], ls=":", label="your loss")[0]
    fig.animate(gauss, laplace, mine, dots, moved)
    fig.ax.legend(loc="upper left")

    def best(log_density, y):
        """Slope and offset of the line with the highest log-likelihood, by trying all."""
        place = np.unravel_index(np.argmax(log_density(y - lines).sum(-1)), slopes.shape)
        return slopes[place], offsets[place]

    @fig.control(
        height=Slider(-1.5, 7.5, value=1.9, step=0.1, label="height of the last"),
        own=Function("my_log_density"),
    )
    def _(height, own):
        y = np.append(y0[:-1], height)
        dots.set_data(x[:-1], y[:-1])
        moved.set_data(x[-1:], y[-1:])
        words = []
        for name, curve, density in [
            ("least squares", gauss, lambda r: -(r**2)),
            ("least absolute error", laplace, lambda r: -np.abs(r)),
            ("yours", mine, own.on),
        ]:
            with own.shown(curve):
                slope, offset = best(density, y)
                curve.set_data([0, 1], [offset, offset + slope])
                edge = slope in (slopes.min(), slopes.max()) or offset in (offsets.min(), offsets.max())
                words.append(f"{name} {slope:.1f}" + (", at the edge of the lines tried" if edge else ""))
        return f"Last measurement at {height:.1f}. Slopes: {', '.join(words)}. The points were made with slope 1.5."

    return fig


line = line_figure()
line

# %% [markdown]
# The three lines answer the same data differently, so the data alone do not say which is right. What decides is how likely large
# errors are, and that is a belief about the measurements, held before any line is fitted.
#
# ## From a belief to a loss
#
# Take the simplest model: one number $m$, fitted to the measurements 1, 2 and 6. Compare two candidates by hand.
#
# | candidate | errors | sum of squares | sum of absolute values |
# | --- | --- | --- | --- |
# | $m = 2$ | −1, 0, 4 | 1 + 0 + 16 = 17 | 1 + 0 + 4 = 5 |
# | $m = 3$ | −2, −1, 3 | 4 + 1 + 9 = 14 | 2 + 1 + 3 = 6 |
#
# Squares prefer 3, which is the mean, and absolute values prefer 2, which is the median. Both losses come out of one principle,
# **maximum likelihood**: choose the parameters $\theta$ under which the data that you saw are most probable.
#
# Let $\hat y_i$ be the prediction for example $i$, $y_i$ the measurement, and $r_i = y_i - \hat y_i$ the error. Assume that the examples
# are **independent and identically distributed** (**i.i.d.**): they come from one distribution $p$, and none tells anything about another.
# Then the probability of all of them is a product, and its logarithm is a sum:
#
# $$p(\text{data}\mid\theta) = \prod_i p(r_i) \qquad -\log p(\text{data}\mid\theta) = \sum_i -\log p(r_i)$$
#
# The logarithm grows with its argument, so a higher probability means a smaller sum. Hence the loss of one example is
# $L = -\log p(r)$. Insert a density for $p$, and a loss comes out:
#
# - **Normal** errors with standard deviation $\sigma$ have $p(r) = \frac{1}{\sqrt{2\pi}\,\sigma}\, e^{-r^2/2\sigma^2}$. Then
#   $L = \frac{r^2}{2\sigma^2} + \log(\sqrt{2\pi}\,\sigma)$. The constant and the factor do not move the minimum, and **squared error** $r^2$ is left.
# - **Laplace** errors have $p(r) = \frac{1}{2b}\, e^{-\lvert r\rvert/b}$. Then $L = \frac{\lvert r\rvert}{b} + \log 2b$, and **absolute error**
#   $\lvert r\rvert$ is left. This density falls more slowly than the normal one, so a far point surprises it less.
# - **Two answers**: the model says that $y = 1$ has probability $p$, so $y = 0$ has probability $1 - p$. Both cases in one formula
#   are $p^y (1-p)^{1-y}$, and $L = -y\log p - (1-y)\log(1-p)$. This is **cross-entropy**.
#
# Not every loss is made in this way. The hinge loss of support vector machines, $\max(0, 1 - yz)$ for $y = \pm 1$ and a score $z$, is not: for
# a probability, $e^{-L}$ would have to add up to the same number over the two answers, whatever $z$ is, and it does not.
# Neither is the price of a wrong decision, which we meet below: it says what we want, and not what we believe.
#
# ## Look at the examples first
#
# The models that follow read pictures. A picture of a character is called a **glyph**; ours are drawn in 21 fonts, turned, bent and blurred by noise,
# 28 by 28 pixels each. Each pixel is one **feature**, a number that the model is given. Before anything is learned, look at
# them. Sixteen fonts are for training, and five are **held out** for tests: nothing below is trained on them.
#
# Below each picture stands its **nearest neighbour**, the picture in the training fonts with the smallest sum of squared differences. Take over
# its label, and you have a classifier that needs no training at all.

# %%
FONTS = data.TRAIN_FONTS + data.HELD_OUT_FONTS
GENTLE = {"rotation": 0.15, "shear": 0.1, "scale": 0.1, "shift": 0.05, "elastic": 0.03}
printed = data.glyphs(2100, fonts=FONTS, seed=30, **GENTLE)  # ten digits
threes_eights = data.glyphs(2100, chars="38", fonts=FONTS, seed=31)  # two digits, distorted more


def squared_distances(x):
    """Squared distance of each picture to each other one, (N, N); infinite to itself."""
    x = x.reshape(len(x), -1).astype(float)
    d = (x**2).sum(1)[:, None] - 2 * x @ x.T + (x**2).sum(1)
    np.fill_diagonal(d, np.inf)
    return d


distances = {"digits": squared_distances(printed.x), "3 and 8": squared_distances(threes_eights.x)}


# %% tags=["folded"]
def neighbour_figure():
    # Refutes: "a picture in a new font is like any other new picture", and "the nearest example is the same digit".
    fig = LiveFigure("Each picture and its nearest neighbour", size=(900, 300))
    choices = ["training pictures", "training pictures in other fonts"]
    sets = {"digits": (printed, "0123456789"), "3 and 8": (threes_eights, "38")}
    image = fig.ax.imshow(np.zeros((60, 300)), cmap="gray", vmin=0, vmax=1, interpolation="nearest")
    fig.ax.set(yticks=[15, 45], yticklabels=["picture", "nearest"], xticks=[])
    signs = [fig.ax.text(30 * i + 15, 66, "", ha="center", va="center", fontsize=14) for i in range(10)]
    fig.ax.set_ylim(72, 0)
    fig.animate(image, signs)

    found = {}
    for name, (made, _) in sets.items():
        allowed = np.broadcast_to(made.font < len(data.TRAIN_FONTS), distances[name].shape)
        found[name, choices[0]] = np.where(allowed, distances[name], np.inf).argmin(1)
        allowed = allowed & (made.font[:, None] != made.font[None, :])
        found[name, choices[1]] = np.where(allowed, distances[name], np.inf).argmin(1)

    @fig.control(
        pictures=Choice(list(sets)),
        font=Choice({f"{name}{' (held out)' if i > 15 else ''}": i for i, name in enumerate(FONTS)}),
        among=Choice(choices, label="look for the nearest among"),
    )
    def _(pictures, font, among):
        made, chars = sets[pictures]
        rows = np.flatnonzero(made.font == font)
        nearest = found[pictures, among][rows]
        wrong = made.y[rows] != made.y[nearest]
        each = 10 // len(chars)
        shown = np.concatenate([np.flatnonzero(made.y[rows] == k)[:each] for k in range(len(chars))])
        tiles = np.zeros((60, 300))
        for i, at in enumerate(shown):
            for top, index in ((1, rows[at]), (31, nearest[at])):
                tiles[top : top + 28, 30 * i + 1 : 30 * i + 29] = made.x[index, 0]
            signs[i].set_text("✗" if wrong[at] else "✓")
        image.set_data(tiles)
        same = np.mean(made.font[nearest] == font)
        return (
            f"{FONTS[font]}, a font for {'training' if font < 16 else 'testing'}, nearest among {among}: "
            f"{wrong.sum()} of {len(rows)} neighbours are another digit; {same:.0%} are drawn in the same font."
        )

    return fig


neighbours = neighbour_figure()
neighbours

# %% [markdown]
# Go through some fonts and compare the two settings of the last control. We come back to this when data are split.
#
# ## Two classes, and K classes
#
# **Logistic regression** computes a weighted sum of the features, $z = \mathbf{w}^\top\mathbf{x} + b$, which may be any number, and turns it
# into a probability by the sigmoid $\sigma$:
#
# $$p = \sigma(z) = \frac{1}{1 + e^{-z}} \qquad z = \log\frac{p}{1-p}$$
#
# The second formula is the first one solved for $z$: the sum is the logarithm of the odds, in short the **logit**. The
# derivative of cross-entropy by the logit is simple, since $\sigma' = p(1-p)$ cancels both denominators:
#
# $$\frac{\partial L}{\partial z} = -\frac{y}{p}\,p(1-p) + \frac{1-y}{1-p}\,p(1-p) = p - y$$
#
# For $K$ classes there are $K$ logits, $\mathbf{z} = \mathbf{W}^\top\mathbf{x}$ with a constant feature 1 for the bias, and **softmax** makes probabilities of them:
#
# $$p_k = \frac{e^{z_k}}{\sum_j e^{z_j}} \qquad L = -\log p_y = \log\sum_j e^{z_j} - z_y$$
#
# Take the logits 2, 1 and 0 as an example. Their exponentials are 7.39, 2.72 and 1, with the sum 11.11. The probabilities are 0.665,
# 0.245 and 0.090. If the middle class is the right one, the loss is $-\log 0.245 = 1.41$.
#
# Now differentiate the last formula for $L$ by one logit $z_k$. The first term gives $e^{z_k} / \sum_j e^{z_j} = p_k$. The second term gives
# $-1$ if $k$ is the right class, and 0 otherwise. So
#
# $$\frac{\partial L}{\partial z_k} = p_k - [k = y]$$
#
# In the example the gradient is 0.665, −0.755 and 0.090: the right logit is to grow and the others are to shrink. The
# three numbers add up to 0.
#
# In code there is one trap. A 64-bit float overflows at $e^{710}$. Subtracting the same number from all logits changes no
# probability, so `log_sum_exp` takes the largest logit out first.


# %%
def log_sum_exp(z):
    """log sum exp over the last axis, (..., K) -> (...); the largest logit is taken out, so nothing overflows."""
    top = z.max(axis=-1, keepdims=True)
    return top[..., 0] + np.log(np.exp(z - top).sum(axis=-1))


def softmax(z):
    """Probabilities of logits, (..., K) -> (..., K)."""
    return np.exp(z - log_sum_exp(z)[..., None])


def cross_entropy(z, y):
    """Mean loss of logits z (N, K) and labels y (N,)."""
    return np.mean(log_sum_exp(z) - z[np.arange(len(y)), y])


# %% [markdown]
# Compare it with the textbook formula $-\log(e^{z_y} / \sum_j e^{z_j})$ on logits that grow:

# %%
with np.errstate(over="ignore", invalid="ignore", divide="ignore"):  # the point is what comes out
    for scale in (1, 100, 1000, -1000):
        a, b = scale, scale / 2
        textbook = 0.0 - np.log(np.exp(a) / (np.exp(a) + np.exp(b)))
        stable = cross_entropy(np.array([[a, b]]), np.array([0]))
        print(f"logits {a:g} and {b:g}, the first is right: textbook {textbook:.4g}, stable {stable:.4g}")

# %% [markdown]
# **Your turn.** Write the gradient of softmax regression by its weights. `my_gradient(W, x, y)` gets the weights `W` (D, K), a batch of
# inputs `x` (N, D), whose last feature is the constant 1, and the labels `y` (N,), whole numbers from 0 to K − 1. The logits of the batch are
# `x @ W` (N, K), and the loss is their **mean** cross-entropy. Return the gradient of this loss by `W`, of shape (D, K). By the chain rule
# $W_{dk}$ acts on the logit $z_{nk}$ of each example with the factor $x_{nd}$, so the gradients by the logits are multiplied by the inputs and added up
# over the batch. Use `softmax`, which does not overflow, and leave the arguments unchanged.


# %%
def my_gradient(W, x, y):
    raise NotImplementedError("replace this line")


# %% tags=["folded"]
def gradient_solution(W, x, y):
    """Gradient by W of the mean cross-entropy of softmax regression: (D, K), (N, D), (N,) -> (D, K)."""
    g = softmax(x @ W)  # (N, K)
    g[np.arange(len(y)), y] -= 1
    return x.T @ g / len(y)


@exercise(
    "The gradient of softmax regression",
    uses="my_gradient",
    minutes=8,
    difficulty=2,
    solution=gradient_solution,
)
def gradient_turn(step):
    rng = np.random.default_rng(21)
    for n, d, k, scale in [(6, 4, 3, 1.0), (9, 2, 5, 3.0), (1, 3, 2, 1.0), (5, 3, 4, 900.0)]:
        x = np.hstack([rng.standard_normal((n, d - 1)), np.ones((n, 1))])
        W, y = scale * rng.standard_normal((d, k)), rng.integers(0, k, size=n)
        p, truth_of = softmax(x @ W), np.eye(k)[y]
        right = x.T @ (p - truth_of) / n
        down = np.exp(x @ W - log_sum_exp((x @ W).T)) if scale < 10 else p  # softmax over the examples
        rows = p.copy()
        rows[:, y] -= 1
        with check.unchanged(W=W, x=x, y=y):
            got = step(W, x, y)
        check.close(
            got,
            right,
            name="the gradient",
            mistakes={
                "This is the sum over the batch; the loss is the mean, so divide by N.": n * right,
                "Divide by the number of examples N, not by the number of all logits.": right / k,
                "Divide by the number of examples N, not by the number of features.": right * n / d,
                "The 1 of the right class is missing: probability minus truth.": x.T @ p / n,
                "The sign is turned: probability minus truth, not truth minus probability.": -right,
                "The softmax goes over the examples; it must go over the classes, the last axis.": x.T
                @ (down - truth_of)
                / n,
                "g[:, y] takes these columns in every row; g[np.arange(N), y] takes one element in each row.": x.T
                @ rows
                / n,
            },
        )


gradient_turn

# %%
gradient = gradient_turn.function  # yours once it passes, the folded solution until then

# %% [markdown]
# Two independent judges look at it. `torch` computes the same gradient by its own code, and **central differences** need nothing but
# the loss: move one weight a little up and a little down, and divide the change of the loss by the distance.

# %%
rng = np.random.default_rng(0)
W, x, y = rng.standard_normal((5, 4)), rng.standard_normal((6, 5)), rng.integers(0, 4, size=6)
W_torch = torch.tensor(W, requires_grad=True)
loss = torch.nn.functional.cross_entropy(torch.tensor(x) @ W_torch, torch.tensor(y))
loss.backward()
check.close(cross_entropy(x @ W, y), loss.item(), name="loss")
check.close(gradient(W, x, y), W_torch.grad.numpy(), name="gradient")
check.grad(gradient(W, x, y), lambda W: cross_entropy(x @ W, y), W)
print("loss and gradient equal torch's, and the gradient equals central differences")

# %% [markdown]
# ## A probability is not a decision
#
# With two classes softmax depends on the difference of the two logits alone, and is its sigmoid. So logistic regression is softmax regression with
# $K = 2$, and `gradient` trains it. Here it tells 3 from 8, distorted more strongly: choose "3 and 8" in the figure above to see
# such pictures. The model gives a probability $p$ of an 8, and somebody has to **act** on it. Let a
# missed 8 cost $c$ times as much as a false 8. Saying "8" costs $1 - p$ on average, saying "3" costs $c\,p$. The two are equal where
# $1 - p = c\,p$.

# %% tags=["folded"]
predict_number(
    "A missed 8 costs 3 times as much as a false 8. From which probability of an 8 on should the answer be 8?",
    answer=0.25,
    tolerance=0.015,
    hints=[
        (0.45, 0.55, "One half is the answer when both mistakes cost the same."),
        (
            0.7,
            0.8,
            "The other way round: an 8 that is missed is dear, so say 8 already at a small probability.",
        ),
        (0.3, 0.36, "Near. Solve 1 - p = 3 p for p."),
    ],
    because="1 - p = 3 p gives p = 1/4.",
)

# %%
train_38 = data.glyphs(1500, chars="38", seed=0)
tests_38 = {
    "known fonts": data.glyphs(3000, chars="38", seed=1),
    "new fonts": data.glyphs(3000, chars="38", fonts=data.HELD_OUT_FONTS, seed=2),
}
mean_38 = train_38.x.mean(0).reshape(
    -1
)  # of the training pictures alone; subtracted, it lets larger steps be taken


def inputs_38(glyphs):
    """Centred pixels and a constant feature 1, (N, 785)."""
    return np.hstack([glyphs.x.reshape(len(glyphs.y), -1) - mean_38, np.ones((len(glyphs.y), 1))])


def train_softmax(x, y, num_classes, lr, num_steps):
    """Weights (D, K) of softmax regression, by gradient descent from zero."""
    W = np.zeros((x.shape[1], num_classes))
    for _ in range(num_steps):
        W = W - lr * gradient(W, x, y)
    return W


probabilities = {}  # (steps, fonts) -> probability of an 8 for each of 3000 pictures
for num_steps in (2, 20, 200):
    W_38 = train_softmax(inputs_38(train_38), train_38.y, num_classes=2, lr=0.5, num_steps=num_steps)
    for fonts, glyphs in tests_38.items():
        probabilities[num_steps, fonts] = softmax(inputs_38(glyphs) @ W_38)[:, 1]


# %% [markdown]
# Now try it. The left picture counts new pictures by their probability. The right one is a **reliability diagram**: among the pictures
# that were given about 70 %, how many are 8s? A model whose points lie on the diagonal is **calibrated**. Set the cost of a missed 8 to 3 and
# leave your threshold at one half. Compare three costs: at your threshold, at the formula's, and the lowest. Do it for 2, 20 and 200 steps of training.


# %% tags=["folded"]
def threshold_figure():
    # Refutes: "a probability above one half means yes", and "what a model calls 70 % happens in 70 of 100 cases".
    fig = LiveFigure("Where to cut?", size=(900, 400))
    left, right = fig.subplots(1, 2)
    edges = np.linspace(0, 1, 31)
    counts = [
        left.plot([], [], style, color=OKABE_ITO[colour], drawstyle="steps-post", label=label)[0]
        for colour, style, label in [("blue", "-", "3s"), ("orange", "--", "8s")]
    ]
    left.set(xlim=(0, 1), ylim=(0.8, 6000), yscale="log", xlabel="probability of an 8", ylabel="pictures")
    cut = left.axvline(0.5, color="black", ls="-", label="your threshold")
    formula = left.axvline(0.5, color=OKABE_ITO["red"], ls=":", lw=3, label="the formula's")
    left.legend(loc="upper center", ncols=2)
    right.plot([0, 1], [0, 1], color="0.6", ls="-", label="calibrated")
    points = right.plot([], [], "o-", label="this model")[0]
    right.set(xlim=(0, 1), ylim=(0, 1), xlabel="probability of an 8", ylabel="share of 8s")
    right.legend(loc="upper left")
    fig.animate(counts, cut, formula, points)
    cuts = np.linspace(0.01, 0.99, 99)

    @fig.control(
        threshold=Slider(0.01, 0.99, value=0.5, step=0.01, label="your threshold"),
        miss=Slider(
            0.1, 10, value=1.0, log=True, format=".2g", label="cost of a missed 8 (a false 8 costs 1)"
        ),
        steps=Choice({"2": 2, "20": 20, "200": 200}, label="steps of training"),
        fonts=Choice(["known fonts", "new fonts"]),
    )
    def _(threshold, miss, steps, fonts):
        p, is_8 = probabilities[steps, fonts], tests_38[fonts].y == 1

        threes, eights = np.sort(p[~is_8]), np.sort(p[is_8])

        def cost(at):
            """Cost of saying 8 above a threshold, or above each of many."""
            false = len(threes) - np.searchsorted(threes, at, side="right")
            return false + miss * np.searchsorted(eights, at, side="right")

        for line, who in zip(counts, (~is_8, is_8), strict=True):
            heights = np.histogram(p[who], edges)[0]
            line.set_data(edges, np.maximum([*heights, heights[-1]], 0.01))
        bins = np.minimum((10 * p).astype(int), 9)
        full = [k for k in range(10) if np.sum(bins == k) >= 20]  # a share of fewer says little
        points.set_data([p[bins == k].mean() for k in full], [is_8[bins == k].mean() for k in full])
        best, costs = 1 / (1 + miss), cost(cuts)
        cut.set_xdata([threshold] * 2)
        formula.set_xdata([best] * 2)
        return (
            f"{steps} steps, {fonts}, a miss costs {miss:.2g}. Your threshold {threshold:.2f}: accuracy {np.mean((p > threshold) == is_8):.3f}, "
            f"cost {cost(threshold):.0f}. The formula's {best:.2f}: cost {cost(best):.0f}. "
            f"Lowest on these pictures: {costs.min():.0f}, at {cuts[costs.argmin()]:.2f}."
        )

    return fig


threshold = threshold_figure()
threshold

# %% [markdown]
# After 2 steps the formula loses even to one half. The formula is not wrong, but it takes $p$ for a probability, and after 2 steps $p$ is not
# one yet. The reliability diagram shows it: the points lie below the diagonal on the left and above it on the right, so a picture that is given 0.3 is
# almost always a 3. Such a model is **underconfident**. After 200 steps the model is nearly calibrated in known fonts, and the formula's cost is within 5 % of the lowest. Then switch to new fonts:
# the points between 0.3 and 0.7 come to lie lower. It is the same model, and its probabilities mean something else there. So check the calibration, on the
# kind of data that you will meet, before a decision is built on a probability.

# %% [markdown]
# ## Errors on examples that were seen, and on others
#
# A model that can represent many functions can also represent the noise of its examples. So divide the data once. **Training**
# data are for fitting, **validation** data for choosing (how complex a model, how many steps, which learning rate), and **test** data are for
# one report at the end.
#
# Here $x$ is uniform on [0, 1], $y = \sin 2\pi x$ plus normal noise with standard deviation 0.3, and the model is a polynomial. The noise is
# independent of everything that a model can see, so no model has an expected squared error below its variance, 0.09. A polynomial of degree 15 has
# 16 coefficients.

# %% tags=["folded"]
predict(
    "At degree 15 the number of training points goes from 18 to 200. What happens to the error on the training points?",
    choices={
        "It falls, as there is more to learn from.": "The polynomial can pass near 18 points with 16 coefficients, but not near 200.",
        "It rises towards 0.09, and the validation error falls towards it.": True,
        "It rises towards 0.09, and the validation error rises with it.": "More data tie the curve down between the points, and that "
        "is where the validation points lie.",
    },
    because="Sixteen coefficients cannot follow the noise of two hundred points; the fit has to average over it.",
)

# %% [markdown]
# Turn up the degree first, at 18 points. Then go to degree 15 and add points.


# %%
def truth(x):
    return np.sin(2 * np.pi * x)


def fit_polynomial(x, y, degree):
    """Coefficients of the least-squares polynomial, in Legendre form on [0, 1], which is well-conditioned up to degree 15."""
    return np.polynomial.legendre.legfit(2 * x - 1, y, degree)


def polynomial(x, coefficients):
    return np.polynomial.legendre.legval(2 * x - 1, coefficients)


def draw_points(count, seed, sigma=0.3):
    """Points (x, y), each (count,); a larger count begins with the same points."""
    rng = np.random.default_rng(seed)
    x, noise = rng.uniform(size=2000)[:count], sigma * rng.standard_normal(2000)[:count]
    return x, truth(x) + noise


# %% tags=["folded"]
def capacity_figure():
    # Refutes: "the lower the training error, the better the model", and "more data bring every error down".
    fig = LiveFigure("Complexity and the three errors", size=(900, 400))
    left, right = fig.subplots(1, 2)
    grid = np.linspace(0, 1, 200)
    left.plot(grid, truth(grid), color="0.6", ls="-", label="truth")
    left.set(xlabel="x", ylabel="y", ylim=(-2.6, 1.9))
    right.set(
        xlabel="degree", ylabel="mean squared error", yscale="log", ylim=(1e-3, 1e7), xlim=(-0.3, 15.3)
    )
    right.set_xticks(range(0, 16, 3))
    right.axhline(0.09, color="0.6", ls=":", label="noise: 0.09")
    dots = left.plot([], [], "o", color="black", label="training data")[0]
    curve = left.plot([], [], label="fit")[0]
    train_line = right.plot([], [], "-o", label="training")[0]
    val_line = right.plot([], [], "--s", label="validation")[0]
    star = right.plot(
        [], [], "*", ms=16, color=OKABE_ITO["orange"], mec="black", label="test, at the lowest validation"
    )[0]
    here = right.axvline(0, color="black", lw=1, ls="-")
    fig.animate(dots, curve, train_line, val_line, star, here)
    left.legend(loc="lower left", ncols=2)
    right.legend(loc="upper left")
    (x_val, y_val), (x_test, y_test) = draw_points(300, seed=101), draw_points(300, seed=102)

    @fig.control(degree=Integer(0, 15, value=3), count=Integer(18, 200, value=18, label="training points"))
    def _(degree, count):
        x, y = draw_points(count, seed=52)
        fits = [fit_polynomial(x, y, d) for d in range(16)]
        train_errors = [np.mean((polynomial(x, c) - y) ** 2) for c in fits]
        val_errors = [np.mean((polynomial(x_val, c) - y_val) ** 2) for c in fits]
        chosen = int(np.argmin(val_errors))
        test_error = np.mean((polynomial(x_test, fits[chosen]) - y_test) ** 2)
        dots.set_data(x, y)
        curve.set_data(grid, polynomial(grid, fits[degree]))
        train_line.set_data(np.arange(16), np.array(train_errors))
        val_line.set_data(np.arange(16), np.array(val_errors))
        star.set_data([chosen], [test_error])
        here.set_xdata([degree] * 2)
        return (
            f"Degree {degree}, {count} points: training error {train_errors[degree]:.3f}, validation error "
            f"{val_errors[degree]:.3g}. Lowest validation error at degree {chosen}; the test error there is {test_error:.3f}."
        )

    return fig


capacity = capacity_figure()
capacity

# %% [markdown]
# At degree 0 both errors are large, and more data do not help: the model **underfits**. At degree 15 with 18 points the training error
# lies below the noise and the validation error far above it: the model has learned the noise of its examples, it **overfits**.
# The set of functions that a model can represent is its **hypothesis space**, and its size is the model's **capacity** or complexity.
#
# ## A cloud of fits
#
# One training set is one draw. Draw sixty of them, fit each, and look at the cloud. The expected squared error of a prediction $\hat y$ at
# a new point falls into three parts:
#
# $$\mathbb{E}\bigl[(\hat y - y)^2\bigr] = \underbrace{\bigl(\mathbb{E}\,\hat y - f(x)\bigr)^2}_{\text{bias}^2}
# + \underbrace{\operatorname{Var}\hat y}_{\text{variance}} + \underbrace{\sigma^2}_{\text{noise}}$$
#
# The expectation goes over training sets and over the noise of the new measurement. The two are independent, so the mixed terms
# vanish. **Bias** is how far the mean of the cloud is from the truth, **variance** is how wide the cloud is, and the noise is what no
# model can predict.


# %%
CLOUD_GRID = np.linspace(0.02, 0.98, 100)


def cloud_of_fits(degree, count, num_sets=60, sigma=0.3):
    """Fits on num_sets training sets of count points: (num_sets, 100), at CLOUD_GRID."""
    rng = np.random.default_rng(5)
    x = (
        np.arange(count) + rng.uniform(size=(num_sets, 200))[:, :count]
    ) / count  # one point in each of count parts
    y = truth(x) + sigma * rng.standard_normal((num_sets, 200))[:, :count]
    return np.array(
        [polynomial(CLOUD_GRID, fit_polynomial(a, b, degree)) for a, b in zip(x, y, strict=True)]
    )


def bias_and_variance(fits):
    """Squared bias and variance of a cloud, averaged over the points."""
    return np.mean((fits.mean(0) - truth(CLOUD_GRID)) ** 2), np.mean(fits.var(0))


# %% tags=["folded"]
predict(
    "A straight line (degree 1) is fitted to 20 points, then to 200. What do the tenfold data change?",
    choices={
        "Bias and variance both shrink.": "The bias is the error of the best line, which stays a line with any number of points.",
        "The variance shrinks, the bias stays.": True,
        "The bias shrinks, the variance stays.": "The mean of many lines is a line again, however many points each one saw.",
    },
    because="More points make the sixty lines agree with each other, not with the sine.",
    then=lambda: "; ".join(
        "{} points: bias² {:.3f}, variance {:.4f}".format(n, *bias_and_variance(cloud_of_fits(1, n)))
        for n in (20, 200)
    ),
)

# %% tags=["folded"]
CLOUD_COUNTS = (12, 20, 40, 100, 200)
clouds = {(degree, count): cloud_of_fits(degree, count) for degree in range(10) for count in CLOUD_COUNTS}
parts = {key: bias_and_variance(fits) for key, fits in clouds.items()}


def cloud_figure():
    # Refutes: "a bad fit is bad luck with the data", and "bias and variance are two words for the same error".
    fig = LiveFigure("Sixty fits", size=(900, 400))
    left, right = fig.subplots(1, 2)
    left.set(ylim=(-2.5, 2.5), xlim=(0, 1), xlabel="x", ylabel="y")
    fits = [left.plot(CLOUD_GRID, CLOUD_GRID, color=OKABE_ITO["sky"], lw=0.7, ls="-")[0] for _ in range(60)]
    middle = left.plot(
        CLOUD_GRID, CLOUD_GRID, color=OKABE_ITO["blue"], ls="-", lw=3, label="mean of the cloud"
    )[0]
    target = left.plot(CLOUD_GRID, truth(CLOUD_GRID), color="black", ls="--", label="truth")[0]
    left.legend(loc="lower left")
    bias_line = right.plot([], [], "-o", label="bias²")[0]
    variance_line = right.plot([], [], "--s", label="variance")[0]
    sum_line = right.plot([], [], "-", lw=3, color="black", label="sum with the noise, 0.09")[0]
    here = right.axvline(1, color="black", lw=1, ls="-")
    right.set(
        xlabel="degree", yscale="log", ylim=(1e-5, 1e4), xlim=(-0.3, 9.3), ylabel="mean squared error"
    )
    right.legend(loc="upper left")
    fig.animate(fits, middle, target, bias_line, variance_line, sum_line, here)

    @fig.control(
        degree=Integer(0, 9, value=3),
        count=Choice({str(n): n for n in CLOUD_COUNTS}, value="20", label="points in each training set"),
    )
    def _(degree, count):
        cloud = clouds[degree, count]
        for artist, fit in zip(fits, cloud, strict=True):
            artist.set_ydata(fit)
        middle.set_ydata(cloud.mean(0))
        bias2, variance = np.array([parts[d, count] for d in range(10)]).T
        bias_line.set_data(range(10), bias2)
        variance_line.set_data(range(10), variance)
        sum_line.set_data(range(10), bias2 + variance + 0.09)
        here.set_xdata([degree] * 2)
        return (
            f"Degree {degree}, {count} points: bias² {bias2[degree]:.3f} + variance {variance[degree]:.3g} + noise 0.09 = "
            f"{bias2[degree] + variance[degree] + 0.09:.3g}. The sum is lowest at degree {np.argmin(bias2 + variance)}."
        )

    return fig


cloud = cloud_figure()
cloud

# %% [markdown]
# At degree 1 the cloud is narrow and in the wrong place, and more data do not move it. At degree 9 with 12 points its mean is nearer to the
# truth than any line, and the single fits are wild; more data tame them. High bias and high variance call for opposite remedies, a
# more complex model or a simpler one, so it pays to find out which of the two you have.
#
# ## A price on large weights
#
# Degree is one way to limit a model. Another keeps all sixteen coefficients and makes large ones expensive. This is **regularisation**, here with
# the **L2 penalty** (ridge regression): minimise
#
# $$J(\mathbf{w}) = \frac1N \sum_i (y_i - \hat y_i)^2 + \lambda \sum_j w_j^2$$
#
# The penalty is a belief too. If the weights come from a normal distribution with mean 0 and variance $\tau^2$, then minus the logarithm of their density
# is $\sum_j w_j^2 / 2\tau^2$ plus a constant, and it is added to the loss. In gradient descent the gradient of $\lambda w^2$ is $2 \lambda w$. So each step
# multiplies the weight by $1 - 2\,\mathrm{lr}\,\lambda$ before it follows the data, hence the name **weight decay**.

# %% tags=["folded"]
predict(
    "Degree 15, 18 points. The price λ grows from almost nothing to very much. What do the errors do?",
    choices={
        "Training error rises, validation error falls first and rises later.": True,
        "Both rise, as the fit is pulled away from the data.": "Away from the training data is not away from the truth: without a "
        "price the curve follows the noise.",
        "Training error rises, validation error falls all the way.": "At a very large price all coefficients but the constant are "
        "zero, and a constant is no sine.",
    },
    because="A larger λ takes variance away and adds bias.",
)


# %%
def fit_penalised(x, y, lam, degree=15):
    """Coefficients (degree + 1,) of the polynomial with the smallest J; the constant has no price."""
    V = np.polynomial.legendre.legvander(2 * x - 1, degree)  # (N, degree + 1)
    price = np.diag([0.0] + [lam] * degree)
    return np.linalg.solve(V.T @ V / len(x) + price, V.T @ y / len(x))  # where the gradient of J is zero


def k_folds(n, k, rng):
    """The fold of each of n examples, (n,) in 0..k-1, drawn at random; sizes differ by one at most."""
    return rng.permutation(np.arange(n) % k)


def cross_validation_error(x, y, lam, folds):
    """Mean squared error over all examples, each predicted by a fit that has not seen its fold."""
    errors = np.empty(len(x))
    for fold in np.unique(folds):
        out = folds == fold
        errors[out] = (polynomial(x[out], fit_penalised(x[~out], y[~out], lam)) - y[out]) ** 2
    return errors.mean()


# %% [markdown]
# With 18 measurements nobody has 300 more for validation. **k-fold cross-validation** makes do with the eighteen: cut them into $k$ folds,
# leave out each fold in turn, fit on the others, and measure on the fold that was left out. Each example is used for
# validation once and for training $k - 1$ times. Here $k = 6$. The curves are drawn as far as you have raised λ.


# %% tags=["folded"]
def penalty_figure():
    # Refutes: "a fit that is pulled away from the data is a worse fit", and "without validation data λ cannot be chosen".
    fig = LiveFigure("A price on large coefficients", size=(900, 400))
    left, right = fig.subplots(1, 2)
    grid, lams = np.linspace(0, 1, 200), np.logspace(-8, 2, 41)
    left.plot(grid, truth(grid), color="0.6", ls="-", label="truth")
    dots = left.plot([], [], "o", color="black", label="18 training points")[0]
    curve = left.plot([], [], label="fit")[0]
    left.set(xlabel="x", ylabel="y", ylim=(-2.6, 1.9))
    left.legend(loc="lower left", ncols=2)
    lines = [
        right.plot([], [], style, label=label)[0]
        for style, label in [
            ("-", "training"),
            ("--", "validation, 300 points"),
            (":", "cross-validation, 18 points"),
        ]
    ]
    right.set(
        xscale="log",
        yscale="log",
        xlim=(5e-9, 2e2),
        ylim=(1e-3, 1e7),
        xlabel="λ",
        ylabel="mean squared error",
    )
    right.axhline(0.09, color="0.6", lw=1, ls="-")
    right.legend(loc="upper right")
    heads = [right.plot([], [], "o", color=line.get_color())[0] for line in lines]
    here = right.axvline(1, color="black", lw=1, ls="-")
    fig.animate(dots, curve, lines, heads, here)
    x_val, y_val = draw_points(300, seed=101)

    def errors_of(seed):
        """Training, validation and cross-validation error, (3, 41)."""
        x, y = draw_points(18, seed)
        folds = k_folds(18, 6, np.random.default_rng(seed))
        rows = []
        for lam in lams:
            c = fit_penalised(x, y, lam)
            val = np.mean((polynomial(x_val, c) - y_val) ** 2)
            rows.append(
                (np.mean((polynomial(x, c) - y) ** 2), val, cross_validation_error(x, y, lam, folds))
            )
        return np.array(rows).T

    all_errors = [errors_of(seed) for seed in range(8)]

    @fig.control(
        lam=Slider(1e-8, 1e2, value=1e-8, log=True, step=0.25, label="λ", format=".1e"),
        draw=Integer(0, 7, value=4, label="which eighteen points"),
    )
    def _(lam, draw):
        x, y = draw_points(18, draw)
        c, errors = fit_penalised(x, y, lam), all_errors[draw]
        dots.set_data(x, y)
        curve.set_data(grid, polynomial(grid, c))
        at = int(np.argmin(np.abs(np.log(lams / lam))))
        for line, head, row in zip(lines, heads, errors, strict=True):
            line.set_data(lams[: at + 1], row[: at + 1])
            head.set_data(lams[at : at + 1], row[at : at + 1])
        here.set_xdata([lam] * 2)
        words = f"λ = {lam:.1e}, draw {draw}: training {errors[0, at]:.3f}, validation {errors[1, at]:.3g}, cross-validation {errors[2, at]:.3g}."
        if at == len(lams) - 1:
            best, chosen = errors[1].argmin(), errors[2].argmin()
            words += f" Cross-validation chooses λ = {lams[chosen]:.1e} with validation error {errors[1, chosen]:.3f}; the lowest is {errors[1, best]:.3f}."
        return words

    return fig


penalty = penalty_figure()
penalty

# %% [markdown]
# The validation error is U-shaped, and cross-validation finds a place near its bottom although it has seen eighteen points and no more. Its own
# curve lies higher or lower than the validation curve from draw to draw: eighteen points are few.
#
# For some data a price is needed to have a best weight at all. Take two classes on a line and logistic regression with a single weight. The classes sit at
# minus and plus some half distance. Up to 1 they overlap. Beyond that they are **linearly separable**: there is a threshold with each class on its own side.

# %% tags=["folded"]
predict(
    "The classes are separable, and λ = 0. What do weight and loss do in a long training?",
    choices={
        "Both settle: once the classes are told apart there is nothing more to learn.": "The loss is not zero yet: a steeper sigmoid "
        "gives each right answer a higher probability.",
        "The weight grows on and on, the loss falls towards zero.": True,
        "The weight grows on and on, and so does the loss.": "Each step is small enough to lower the loss.",
    },
    because="For every weight a larger one has a smaller loss, so there is no best one.",
)


# %% tags=["folded"]
def separation_run(half_distance, lam=0.0, num_steps=3000, lr=1.0):
    """Weights and losses, each (num_steps + 1,), of 1-D logistic regression with price lam w^2; classes have half-width 1."""
    x = np.concatenate([np.linspace(-1, 1, 15) - half_distance, np.linspace(-1, 1, 15) + half_distance])
    y = np.repeat([0, 1], 15)
    w = np.zeros(num_steps + 1)
    for t in range(num_steps):
        w[t + 1] = w[t] - lr * (np.mean((1 / (1 + np.exp(-w[t] * x)) - y) * x) + 2 * lam * w[t])
    return w, np.mean(np.logaddexp(0, w[:, None] * x) - y * w[:, None] * x, axis=1)


HALF_DISTANCES, PRICES = ("0.2", "0.5", "0.8", "1.1", "1.5"), ("0", "0.001", "0.01", "0.1")
runs = {(d, lam): separation_run(float(d), float(lam)) for d in HALF_DISTANCES for lam in PRICES}


# %% tags=["folded"]
def separable_figure():
    # Refutes: "perfectly separated classes are the easy case", and "a small loss means that the weights have settled".
    fig = LiveFigure("Classes apart", size=(900, 400))
    left, right = fig.subplots(1, 2)
    grid = np.linspace(-3, 3, 200)
    left.set(xlabel="x", ylabel="probability of class 1", ylim=(-0.08, 1.08))
    right.set(
        xlabel="step",
        ylabel="weight, and loss",
        xscale="log",
        yscale="log",
        xlim=(1, 3500),
        ylim=(3e-4, 60),
    )
    low, high = left.plot([], [], "o", label="class 0")[0], left.plot([], [], "s", label="class 1")[0]
    curve = left.plot(grid, grid, color="black", ls="-")[0]
    weight_line, loss_line = (
        right.plot([], [], label="weight")[0],
        right.plot([], [], label="loss without the price")[0],
    )
    here = right.plot([], [], "o", ms=10, color="black")[0]
    fig.animate(low, high, curve, weight_line, loss_line, here)
    left.legend(loc="center right")
    right.legend(loc="upper left")

    @fig.control(
        distance=Choice(list(HALF_DISTANCES), value="0.5", label="half distance of the classes"),
        lam=Choice(list(PRICES), label="λ"),
        step=Slider(1, 3000, value=100, log=True, format=".0f"),
    )
    def _(distance, lam, step):
        (w, losses), t, spot = runs[distance, lam], round(step), np.linspace(-1, 1, 15)
        low.set_data(spot - float(distance), 0 * spot)
        high.set_data(spot + float(distance), 0 * spot + 1)
        curve.set_ydata(1 / (1 + np.exp(-w[t] * grid)))
        steps = np.arange(1, t + 1)
        weight_line.set_data(steps, w[1 : t + 1])
        loss_line.set_data(steps, losses[1 : t + 1])
        here.set_data([t, t], [w[t], losses[t]])
        return (
            f"Half distance {distance}, λ = {lam}, step {t}: weight {w[t]:.2f}, loss {losses[t]:.4f}. "
            f"Since step {t // 2} the weight grew by {w[t] - w[t // 2]:.3f}."
        )

    return fig


separable = separable_figure()
separable

# %% [markdown]
# At a half distance of 1.5 and λ = 0 the weight is still growing at step 3000, and at 0.5 it has settled long before. With λ = 0.01 it settles at both. Early
# stopping, the next topic, ends such a run, but it does not give it a best weight: new points from the same separable classes are told
# apart better by each further step.
#
# ## When to stop
#
# From zero, each step of gradient descent can make the weights larger, so the number of steps limits a model as well. **Early stopping** uses the
# validation data for it. Every few steps, measure the validation loss: this is a check. Keep the weights of the best check so far. Give
# up when `patience` checks have passed since then without a better one.
#
# **Your turn.** Write the rule. `my_should_stop(losses, patience)` gets `losses`, the validation losses at all checks so far, a list of one or more numbers
# with the newest at the end, and `patience`, a whole number of at least 1. Return two things: `stop`, True or False, and `best`, the index of the
# lowest loss so far, an int. Of equal losses the first is the best, since an equal loss is no better one. Stop when at least `patience` checks came
# after the best. A diverged run gives `nan`, which is never better than a number, and a number is better than `nan`. Leave the list as
# it is. For example, the losses 3, 1, 2, 2 with patience 2 give `(True, 1)`, and with patience 3 `(False, 1)`.


# %%
def my_should_stop(losses, patience):
    raise NotImplementedError("replace this line")


# %% tags=["folded"]
def should_stop_solution(losses, patience):
    """Whether early stopping gives up after these validation losses, and the index of the check that it keeps."""
    best = int(np.argmin(np.where(np.isnan(losses), np.inf, losses)))  # argmin takes the first of equals
    return len(losses) - 1 - best >= patience, best


@exercise("Early stopping", uses="my_should_stop", minutes=7, difficulty=2, solution=should_stop_solution)
def stopping_turn(rule):
    def first_lowest(losses):
        return min(
            range(len(losses)),
            key=lambda i: (np.isnan(losses[i]), losses[i] if losses[i] == losses[i] else 0, i),
        )

    def rises_at_the_end(losses):
        """Number of checks at the end that are each no better than the one before."""
        count = 0
        while count < len(losses) - 1 and losses[-1 - count] >= losses[-2 - count]:
            count += 1
        return count

    rng = np.random.default_rng(22)
    runs = [
        [3.0, 1.0, 2.0, 2.0],
        [3.0, 2.0, 1.0],
        [1.0, 1.0, 1.0],
        [2.0, 1.0, 1.5, 1.2, 1.1],
        [0.5],
        [2.0, 3.0, 1.0],
    ]
    runs += [list(rng.integers(1, 6, size=n) / 4) for n in (3, 6, 9, 12, 12)] + [
        list(rng.uniform(1, 2, size=n)) for n in (5, 8)
    ]
    plain = [
        (run[: end + 1], patience) for run in runs for end in range(len(run)) for patience in (1, 2, 3, 5)
    ]
    nan = float("nan")
    odd = [
        ([2.0, nan, 1.0], 1),
        ([nan, 2.0], 1),
        ([nan, 3.0, 2.0], 1),
        ([2.0, nan], 1),
        ([2.0, nan, nan], 2),
        ([nan, nan], 1),
    ]

    def ask(cases):
        found = []
        for losses, patience in cases:
            given = list(losses)
            answer = rule(given, patience)
            if not np.array_equal(given, losses, equal_nan=True):
                raise check.CheckError(
                    "changed", "losses was changed", "Look at the losses, and leave the list as it is."
                )
            if not (isinstance(answer, tuple | list) and len(answer) == 2):
                raise check.CheckError("type", f"got {answer!r}", "Return two things: return stop, best.")
            found.append(answer)
        stops, bests = zip(*found, strict=True)
        if not all(isinstance(stop, bool | np.bool_) for stop in stops):
            raise check.CheckError(
                "type", f"stop is {stops[0]!r}", "stop is True or False, and comes first."
            )
        return np.array(stops).astype(int), np.array([int(best) for best in bests])

    best = np.array([first_lowest(losses) for losses, _ in plain])
    lengths, patiences = (
        np.array([len(losses) for losses, _ in plain]),
        np.array([patience for _, patience in plain]),
    )
    waited = lengths - 1 - best
    last_of_equals = np.array([len(losses) - 1 - int(np.argmin(losses[::-1])) for losses, _ in plain])
    rises = np.array([rises_at_the_end(losses) for losses, _ in plain])
    stops, bests = ask(plain)
    check.close(
        bests,
        best,
        name="best",
        mistakes={
            "Of equal losses the first is the best: an equal loss is no better one.": last_of_equals,
            "This is the newest check; best is the index of the lowest loss.": lengths - 1,
            "This is the index of the highest loss.": np.array(
                [int(np.argmax(losses)) for losses, _ in plain]
            ),
            "best counts from 0, as Python does.": best + 1,
            "This counts the checks since the best; best is its index.": waited,
        },
    )
    check.close(
        stops,
        (waited >= patiences).astype(int),
        name="stop (1 is True)",
        mistakes={
            hint: wrong.astype(int)
            for hint, wrong in {
                "This gives up one check too late: with patience 1 the first check that is not better ends the run.": waited
                > patiences,
                "This gives up one check too early: count the checks after the best.": waited + 1
                >= patiences,
                "Compare with the best loss so far, not with the loss one check before.": rises
                >= patiences,
                "An equal loss is no better one: it does not start the patience anew.": lengths
                - 1
                - last_of_equals
                >= patiences,
                "stop must be the other way round: True when the run is to end.": waited < patiences,
            }.items()
        },
    )
    stops, bests = ask(odd)
    best = np.array([first_lowest(losses) for losses, _ in odd])
    stop = np.array(
        [len(losses) - 1 - b >= patience for (losses, patience), b in zip(odd, best, strict=True)]
    )
    hint = "nan is never the best where there is a number: nan < 1 and 1 < nan are both False, and np.argmin takes the first nan."
    if not (np.array_equal(bests, best) and np.array_equal(stops, stop)):
        raise check.CheckError(
            "value", f"after the losses {odd[0][0]} and others with nan the answer is wrong", hint
        )


stopping_turn

# %%
should_stop = stopping_turn.function  # yours once it passes, the folded solution until then

# %% [markdown]
# Press Play. The model is softmax regression on 300 glyphs of ten digits, with 785 weights for each class. By default each step looks at a
# **mini-batch**, 30 examples drawn at random, whose gradient is a cheap and noisy estimate of the gradient on all 300. The run goes on after
# the rule has given up, so that you see what it missed. Changing the learning rate `lr` or the batch starts a new run; changing the patience does not.

# %% tags=["folded"]
few = data.glyphs(300, seed=10)
others = data.glyphs(1500, seed=11)
x_few = np.hstack([few.x.reshape(300, -1), np.ones((300, 1))]).astype(float)
x_others = np.hstack([others.x.reshape(1500, -1), np.ones((1500, 1))]).astype(float)


# %% tags=["folded"]
def stopping_figure():
    # Refutes: "train as long as the loss falls", and "stop at the first rise of the validation loss".
    fig = LiveFigure("Training and validation while it runs", size=(900, 400))
    left, right = fig.subplots(1, 2)
    left.set(ylim=(0, 2.4), xlim=(0, 2000), xlabel="step", ylabel="loss")
    right.set(ylim=(0, 1), xlim=(0, 2000), xlabel="step", ylabel="error rate")
    lines = {}
    for ax, name in ((left, "loss"), (right, "error")):
        lines["train", name] = ax.plot([], [], color=OKABE_ITO["blue"], ls="-", label="training")[0]
        lines["val", name] = ax.plot([], [], color=OKABE_ITO["red"], ls="--", label="validation")[0]
    given_up = [
        ax.plot([], [], color="black", ls=":", label="early stopping gives up")[0] for ax in (left, right)
    ]
    kept = [
        ax.plot([], [], "*", ms=16, color=OKABE_ITO["orange"], mec="black", label="and keeps this")[0]
        for ax in (left, right)
    ]
    fig.animate(*lines.values(), given_up, kept)
    right.legend(loc="upper right")

    def start(lr, batch):
        rng = np.random.default_rng(0)
        return {
            "W": np.zeros((785, 10)),
            "step": 0,
            "rng": rng,
            "lr": lr,
            "batch": batch,
            **{key: [] for key in lines},
        }

    def tick(state):
        if state["step"] >= 2000:
            raise StopIteration
        for _ in range(10):
            rows = state["rng"].integers(0, 300, size=30) if state["batch"] == 30 else np.arange(300)
            state["W"] = state["W"] - state["lr"] * gradient(state["W"], x_few[rows], few.y[rows])
        state["step"] += 10
        for side, x, y in (("train", x_few, few.y), ("val", x_others, others.y)):
            z = x @ state["W"]
            state[side, "loss"].append(cross_entropy(z, y))
            state[side, "error"].append(np.mean(z.argmax(1) != y))

    fig.loop(start, tick, speed=1)

    @fig.control(
        lr=Slider(0.02, 1.0, value=0.3, log=True, format=".2g"),
        batch=Choice({"30 examples": 30, "all 300": 300}),
        patience=Integer(1, 40, value=10, label="patience, in checks of 10 steps"),
    )
    def _(state, patience):
        losses, errors = state["val", "loss"], state["val", "error"]
        steps = 10 * np.arange(1, len(losses) + 1)
        for key, line in lines.items():
            line.set_data(steps, state[key])
        about = f"lr {state['lr']:.2g}, batch {state['batch']}, patience {patience}"
        ends = [end for end in range(len(losses)) if should_stop(losses[: end + 1], patience)[0]]
        for artist in given_up:
            artist.set_data(*(([steps[ends[0]]] * 2, [0, 2.4]) if ends else ([], [])))
        if not losses:
            for artist in kept:
                artist.set_data([], [])
            return f"Not started: {about}."
        best = should_stop(losses[: ends[0] + 1] if ends else losses, patience)[1]
        for artist, values in zip(kept, (losses, errors), strict=True):
            artist.set_data(steps[best : best + 1], values[best : best + 1])
        stopped = f"gave up at step {steps[ends[0]]}" if ends else "goes on"
        return (
            f"Step {steps[-1]}, {about}: training loss {state['train', 'loss'][-1]:.3f}, validation loss {losses[-1]:.3f}, validation error {errors[-1]:.3f}. "
            f"Early stopping {stopped} and keeps step {steps[best]}, with loss {losses[best]:.3f} and error {errors[best]:.3f}."
        )

    return fig


stopping = stopping_figure()
stopping

# %% [markdown]
# The training loss keeps falling, and its error reaches 0. The validation loss turns and rises. The validation error hardly moves meanwhile: the
# model grows more certain, of its mistakes too. Now set the patience to 1. With mini-batches the first wiggle of the validation loss
# ends the run early; with all 300 examples in each step the curve is smooth, and patience 1 keeps the same step as patience 10.

# %% [markdown]
# ## How sure is an error rate?
#
# An error rate on $n$ test examples is a mean, and it would be another one on other examples. If the examples are independent and the true error
# rate is $e$, the observed rate has the standard deviation $\sqrt{e(1-e)/n}$. A normal variable lies within 1.96 standard deviations of its mean with probability
# 95 %. Put the observed rate $\hat e$ in for $e$, and you have the usual interval $\hat e \pm 1.96\sqrt{\hat e(1-\hat e)/n}$. It fails when no
# error was seen: then it has width 0. Wilson (1927) asks instead which true rates $e$ make the observed one lie within
# $1.96\sqrt{e(1-e)/n}$ of $e$, and solves this for $e$.


# %%
def wilson(errors, n, z=1.96):
    """95 % interval (low, high) of an error rate from a count of errors among n."""
    rate = errors / n
    middle = (rate + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * np.sqrt(rate * (1 - rate) / n + z**2 / (4 * n**2))
    return middle - half, middle + half


for errors, n in [(0, 50), (2, 50), (40, 1000)]:
    low, high = wilson(errors, n)
    print(f"{errors} errors in {n}: rate {errors / n:.3f}, interval {abs(low):.3f} to {high:.3f}")

# %% [markdown]
# To compare two models, do not compare two intervals. Both models answer the same examples, and a hard example is hard for both. So take the difference
# example by example, and put the interval around the mean of these differences: this is a **paired** comparison.


# %%
def paired_difference(a, b, z=1.96):
    """Mean of a - b and half the width of its 95 % interval; a and b hold results on the same examples, (N,)."""
    d = np.asarray(a, float) - np.asarray(b, float)
    return d.mean(), z * d.std(ddof=1) / np.sqrt(len(d))


wrong_38 = {
    steps: (probabilities[steps, "new fonts"] > 0.5) != (tests_38["new fonts"].y == 1)
    for steps in (20, 200)
}
for steps, wrong in wrong_38.items():
    low, high = wilson(wrong.sum(), len(wrong))
    print(f"3 or 8 in new fonts, {steps} steps: error {wrong.mean():.3f}, interval {low:.3f} to {high:.3f}")
difference, half = paired_difference(wrong_38[20], wrong_38[200])
print(f"paired difference: {difference:.3f} ± {half:.3f}")

# %% [markdown]
# ## A test set wears out
#
# All models in the next figure flip coins, so their true accuracy is one half. You try several on the same test set and report the best.

# %% tags=["folded"]
predict_number(
    "You try 100 coin-flipping models on a test set of 100 examples and report the best. About which accuracy do you report?",
    answer=0.62,
    tolerance=0.035,
    hints=[
        (0.49, 0.52, "That is the accuracy of each. You report the luckiest of a hundred."),
        (
            0.52,
            0.5849,
            "Higher: about one model in 40 lies two standard deviations up, and you look at a hundred.",
        ),
        (
            0.6551,
            1.0,
            "Luck has limits: the standard deviation is 0.05, and four of them up is one model in 30,000.",
        ),
    ],
    because="Each has mean 0.5 and standard deviation 0.05, and the largest of 100 normal numbers lies about 2.5 standard deviations up.",
    then=lambda: (
        f"mean of the best of 100, over 2000 tries: {np.random.default_rng(0).binomial(100, 0.5, (2000, 100)).max(1).mean() / 100:.3f}"
    ),
)


# %% tags=["folded"]
def chosen_figure():
    # Refutes: "the test set is honest as long as nobody trains on it".
    fig = LiveFigure(
        "The best of many coin flippers",
        xlabel="accuracy on the test set",
        ylabel="models",
        size=(700, 400),
    )
    fig.ax.set(xlim=(0.15, 0.85), ylim=(0, 60))
    bars = fig.ax.bar(np.zeros(120), np.zeros(120), color=OKABE_ITO["sky"], edgecolor="white")
    fig.ax.axvline(0.5, color="black", ls="--", label="true accuracy of all")
    best = fig.ax.axvline(0.5, color=OKABE_ITO["red"], ls="-", label="the one you report")
    fig.animate(bars, best)
    fig.ax.legend(loc="upper left")
    luck = np.random.default_rng(0).random((300, 1000)) < 0.5  # model, example

    @fig.control(
        tried=Integer(1, 300, value=30, label="models tried"),
        n=Integer(30, 1000, value=500, label="test examples"),
    )
    def _(tried, n):
        right = luck[:tried, :n].sum(1)
        each = max(
            1, round(n / 200)
        )  # possible counts in a bar, so that no bar holds more of them than its neighbour
        groups, heights = np.unique(right // each, return_counts=True)
        for bar, group, height in zip(bars, [*groups, *[0] * 120], [*heights, *[0] * 120], strict=False):
            bar.set(x=(group * each - 0.5) / n, width=each / n, height=height)
        best.set_xdata([right.max() / n] * 2)
        low, high = wilson(right.max(), n)
        return f"Best of {tried} on {n} examples: {right.max() / n:.3f}, with an interval of {low:.3f} to {high:.3f}."

    return fig


chosen = chosen_figure()
chosen

# %% [markdown]
# Set both sliders to 100. The interval that is printed with the best model lies above one half, and the truth is one half: the interval is made for
# a model that was fixed before the test. Choose on validation data, and open the test data once.
#
# ## Examples that belong together
#
# A test example can also be spoiled by a relative in the training data. In the figure with the nearest neighbours, nearly half of the pictures in the training fonts have a
# neighbour in their own font. A random split puts pictures of each font on both sides. If the program is to read fonts that it has never met,
# such a split measures the wrong thing. The same holds for several recordings of one speaker, pictures of one patient or letters of one
# writer. The remedy is to split **by group**: a whole font goes to one side.
#
# **Your turn.** Write it. `my_split(groups, num_val, num_test, rng)` gets `groups`, an array (N,) of whole numbers that says to which group each example
# belongs (such numbers as 7, 3 and 100 occur, in any order, and groups differ in size), the number of groups for validation and for test, each at least 1,
# and a NumPy generator. Return three index arrays, `train`, `val` and `test`: which examples go where. `num_test` whole groups, drawn at random with `rng`, go to
# the test, `num_val` others to the validation, and all other groups to the training. Each example stands on exactly one side. The same state of
# the generator gives the same split. The order within each index array is free. Leave `groups` unchanged.


# %%
def my_split(groups, num_val, num_test, rng):
    raise NotImplementedError("replace this line")


# %% tags=["folded"]
def split_solution(groups, num_val, num_test, rng):
    """Index arrays train, val, test: whole groups on each side, num_val and num_test of them drawn for the last two."""
    names = rng.permutation(np.unique(groups))
    in_test, in_val = (
        np.isin(groups, names[:num_test]),
        np.isin(groups, names[num_test : num_test + num_val]),
    )
    return np.flatnonzero(~in_test & ~in_val), np.flatnonzero(in_val), np.flatnonzero(in_test)


@exercise("An honest split", uses="my_split", minutes=8, difficulty=2, solution=split_solution)
def split_turn(split):
    rng = np.random.default_rng(23)
    seen_test, seen_val = set(), set()
    for trial in range(60):
        names = rng.choice(200, size=rng.integers(5, 9), replace=False)
        groups = rng.permutation(np.repeat(names, rng.integers(1, 7, size=len(names))))
        num_val, num_test = (1, 2) if trial % 2 else (2, 1)
        if trial >= 30:  # the same groups again and again: who is drawn?
            num_val = num_test = 2
            groups = np.array([7, 7, 3, 100, 3, 42, 7, 100, 42, 42, 0])
        with check.unchanged(groups=groups):
            answer = split(groups, num_val, num_test, np.random.default_rng(trial))
            again = split(groups, num_val, num_test, np.random.default_rng(trial))
        if not (isinstance(answer, tuple | list) and len(answer) == 3):
            raise check.CheckError(
                "type", f"got {type(answer).__name__}", "Return three index arrays: train, val, test."
            )
        sides = [np.asarray(side) for side in answer]
        for name, side in zip(("train", "val", "test"), sides, strict=True):
            if side.ndim != 1 or not np.issubdtype(side.dtype, np.integer):
                hint = "Return indices of examples; np.flatnonzero(mask) turns True and False into indices."
                raise check.CheckError(
                    "type", f"{name} has shape {side.shape} and dtype {side.dtype}", hint
                )
        everything = np.sort(np.concatenate(sides))
        if not np.array_equal(everything, np.arange(len(groups))):
            hint = "Together the three sides hold the index of each example once: not the names of the groups, no gaps, no repetitions."
            raise check.CheckError("value", f"{len(everything)} indices for {len(groups)} examples", hint)
        on = [set(groups[side].tolist()) for side in sides]
        torn = (on[0] & on[1]) | (on[0] & on[2]) | (on[1] & on[2])
        if torn:
            hint = "A whole group goes to one side: draw among the groups, np.unique(groups), not among the examples."
            raise check.CheckError("value", f"group {min(torn)} stands on two sides", hint)
        if (len(on[1]), len(on[2])) != (num_val, num_test):
            swapped = (len(on[2]), len(on[1])) == (num_val, num_test)
            hint = (
                "Validation and test are swapped."
                if swapped
                else "num_val and num_test count groups, not examples."
            )
            message = f"{len(on[1])} groups in val and {len(on[2])} in test, where {num_val} and {num_test} were asked for"
            raise check.CheckError("value", message, hint)
        if any(not np.array_equal(np.sort(a), np.sort(b)) for a, b in zip(answer, again, strict=True)):
            raise check.CheckError(
                "value", "two calls with equal generators differ", "Draw with rng and nothing else."
            )
        if trial >= 30:
            seen_val |= on[1]
            seen_test |= on[2]
    if len(seen_val) < 5 or len(seen_test) < 5:
        hint = "Draw the groups at random, with rng.permutation(np.unique(groups)), so that each may come to each side."
        raise check.CheckError(
            "value", "some groups never come to val or test, with thirty generators", hint
        )


split_turn

# %%
split_by_group = split_turn.function  # yours once it passes, the folded solution until then

# %% [markdown]
# Measure what the split does, with the digits in the sixteen fonts for training. Each picture is classified by its nearest neighbour twice, once among all other pictures and once among
# those in other fonts. The second is cross-validation with one fold for each font, **leave one group out**. The two error rates are compared
# in pairs, font by font. There are sixteen differences, too few for the normal distribution; Student's t distribution puts 2.13 for 1.96.

# %%
known = printed.font < len(data.TRAIN_FONTS)
d = np.where(known[None, :], distances["digits"], np.inf)  # held-out fonts are nobody's neighbours
same_font = printed.font[:, None] == printed.font[None, :]
wrong_any = printed.y[d.argmin(1)] != printed.y
wrong_other = printed.y[np.where(same_font, np.inf, d).argmin(1)] != printed.y
by_font = {
    name: np.array([w[printed.font == font].mean() for font in range(len(data.TRAIN_FONTS))])
    for name, w in (("any", wrong_any), ("other", wrong_other))
}
difference, half = paired_difference(by_font["other"], by_font["any"], z=2.13)
print(
    f"nearest among all other pictures: error {wrong_any[known].mean():.3f}; among other fonts: {wrong_other[known].mean():.3f}"
)
print(f"paired difference over 16 fonts: {difference:.3f} ± {half:.3f}")
low, high = wilson(wrong_any[known].sum(), known.sum())
print(
    f"a random split promises {low:.3f} to {high:.3f}; the five held-out fonts give {wrong_any[~known].mean():.3f}"
)

# %% [markdown]
# The random split does not lie about pictures in known fonts. It answers another question than the one that was asked. The split by font comes nearer, and
# the five held-out fonts are harder still: they are five new draws of a font, and five are few. An optional section at the end measures
# relatives that are closer still: noisy copies of one picture.
#
# ## The real run: promise an error, then look
#
# Now handwritten digits, 8 by 8 pixels, scanned from real forms: Alpaydin and Kaynak (1998). Labels are dear, so 180 digits are for training, 449 for validation
# and 1168 for the test. The writers' names are not in the file, so this split has to be at random, and it speaks for these writers. Look at all three sides, then press Play:
# each tick is ten steps of softmax regression and one check, a red frame is a wrong answer, and the run ends when your rule says so. Test
# answers are not shown.


# %% tags=["folded"]
def digits_split(seed):
    """A split of the handwritten digits by seed, with a constant feature 1 added."""
    split = data.digits(seed, train=0.1, val=0.25)
    bias = [np.hstack([x, np.ones((len(x), 1))]) for x in (split.x_train, split.x_val, split.x_test)]
    return split._replace(x_train=bias[0], x_val=bias[1], x_test=bias[2])


# %% tags=["folded"]
def digits_figure():
    # Refutes: "the model with the lowest validation loss is the one with the fewest mistakes", and "training pictures look different".
    fig = LiveFigure("Handwritten digits", size=(900, 400))
    left, right = fig.subplots(1, 2, width_ratios=(1.1, 1))
    image = left.imshow(np.zeros((60, 80, 3)), vmin=0, vmax=1)
    left.axis("off")
    right.set(xlim=(0, 1600), ylim=(0.003, 3), yscale="log", xlabel="step", ylabel="loss, and error rate")
    names = {"training loss": "-", "validation loss": "--", "validation error": ":"}
    lines = {name: right.plot([], [], style, label=name)[0] for name, style in names.items()}
    star = right.plot([], [], "*", ms=16, color=OKABE_ITO["orange"], mec="black", label="kept")[0]
    right.legend(loc="lower left")
    fig.animate(image, *lines.values(), star)

    def start(split):
        made = digits_split(split)
        return {
            "data": made,
            "W": np.zeros((65, 10)),
            "kept": np.zeros((65, 10)),
            "stop": False,
            "best": 0,
            **{n: [] for n in names},
        }

    def tick(state):
        if state["stop"] or len(state["validation loss"]) >= 300:
            raise StopIteration
        made = state["data"]
        for _ in range(10):
            state["W"] = state["W"] - 2.0 * gradient(state["W"], made.x_train, made.y_train)
        z = made.x_val @ state["W"]
        state["training loss"].append(cross_entropy(made.x_train @ state["W"], made.y_train))
        state["validation loss"].append(cross_entropy(z, made.y_val))
        state["validation error"].append(np.mean(z.argmax(1) != made.y_val))
        state["stop"], state["best"] = should_stop(state["validation loss"], 10)
        if state["best"] == len(state["validation loss"]) - 1:
            state["kept"] = state["W"]

    fig.loop(start, tick, speed=1)

    @fig.control(
        split=Integer(0, 19, label="split"),
        side=Choice(["training", "validation", "test"], label="pictures of the"),
    )
    def _(state, split, side):
        made = state["data"]
        x, y = {"training": made[:2], "validation": made[2:4], "test": made[4:]}[side]
        guess = (x[:48] @ state["kept"]).argmax(1)
        marks = side != "test" and bool(state["validation loss"])
        tiles = np.full((60, 80, 3), 0.35)
        for i in range(48):
            top, at = 10 * (i // 8), 10 * (i % 8)
            if marks and guess[i] != y[i]:
                tiles[top : top + 10, at : at + 10] = (0.84, 0.37, 0)
            tiles[top + 1 : top + 9, at + 1 : at + 9] = x[i, :64].reshape(8, 8, 1)
        image.set_data(tiles)
        steps = 10 * np.arange(1, len(state["validation loss"]) + 1)
        for name, line in lines.items():
            line.set_data(steps, state[name])
        best = state["best"]
        star.set_data(steps[best : best + 1], state["validation loss"][best : best + 1])
        about = f"Split {split}, the first 48 of {len(x)} {side} pictures"
        if not len(steps):
            return f"{about}. Not started."
        wrong = f", {np.sum(guess != y[:48])} of them wrong" if marks else ""
        return (
            f"{about}{wrong}. Step {steps[-1]}: validation loss {state['validation loss'][-1]:.3f}, error {state['validation error'][-1]:.3f}. "
            f"Early stopping {'gave up' if state['stop'] else 'goes on'} and keeps step {steps[best]}, with loss "
            f"{state['validation loss'][best]:.3f} and error {state['validation error'][best]:.3f}."
        )

    return fig


handwritten = digits_figure()
handwritten

# %% [markdown]
# Then we **promise**: the test error will lie in an interval that is computed from the validation errors alone. It is Wilson's, made wider by the
# factor $\sqrt{1 + n_\text{val}/n_\text{test}}$, since the test set is a sample too, and the variances add up. Twenty splits, twenty promises.


# %%
def fit_softmax(x, y, x_val, y_val, lr=2.0, max_steps=3000, patience=10):
    """Softmax regression with early stopping, checked every 10 steps: weights kept (D, K), steps done, whether the rule ended it."""
    W = np.zeros((x.shape[1], 10))
    kept, losses = W, []
    for step in range(1, max_steps + 1):
        W = W - lr * gradient(W, x, y)
        if step % 10 == 0:
            losses.append(cross_entropy(x_val @ W, y_val))
            stop, best = should_stop(losses, patience)
            if best == len(losses) - 1:
                kept = W
            if stop:
                return kept, step, True
    return kept, max_steps, False


def promise_and_test(seed):
    """Validation error, the promised interval (low, high), the test error, steps, and whether early stopping ended the run."""
    split = digits_split(seed)
    W, steps, stopped = fit_softmax(split.x_train, split.y_train, split.x_val, split.y_val)
    val_errors = np.sum((split.x_val @ W).argmax(1) != split.y_val)
    low, high = wilson(val_errors, len(split.y_val))
    middle, wider = (low + high) / 2, np.sqrt(1 + len(split.y_val) / len(split.y_test))
    test_error = np.mean((split.x_test @ W).argmax(1) != split.y_test)
    return (
        val_errors / len(split.y_val),
        middle - wider * (middle - low),
        middle + wider * (high - middle),
        test_error,
        steps,
        stopped,
    )


promises = np.array([promise_and_test(seed) for seed in progress(range(20), "splits")], dtype=float)
val_error, low, high, test_error, steps, stopped = promises.T
kept_promises = int(np.sum((low <= test_error) & (test_error <= high)))
print(
    f"early stopping ended {stopped.sum():.0f} of 20 runs, after {steps.min():.0f} to {steps.max():.0f} steps"
)
print(
    f"first split: validation error {val_error[0]:.3f}, promised {low[0]:.3f} to {high[0]:.3f}, test error {test_error[0]:.3f}"
)
print(
    f"test error within the promise in {kept_promises} of 20 splits; mean validation {val_error.mean():.3f}, mean test {test_error.mean():.3f}"
)

# %% [markdown]
# | who | what they found | what this lecture's runs show |
# | --- | --- | --- |
# | Recht et al. (2019) | a new test set for ImageNet, collected by the same recipe: accuracies fell by 11 to 14 points | our test digits are drawn from the same pile, and the promises hold. For the held-out fonts the promise of the random split did not hold |
# | Dwork et al. (2015) | choosing on the holdout spoils it; added noise lets it be used longer | the best of 100 coin flippers reports about 0.62 on 100 examples |
#
# The twenty splits share their digits, so they are not twenty independent trials. An interval speaks of the luck of the draw. New writers, new fonts or a new year are another distribution; for the fonts above, the
# interval from the old one missed.
#
# ## Exercises
#
# Each has a statement, a cell for your function, and a check below it that runs as soon as you run your cell. Arguments stay unchanged.
#
# **A mean of tiny probabilities.** `log_mean_exp(z)` gets an array `z` (..., K) of finite numbers and returns the logarithm of the mean of $e^{z}$ over the last axis, an array of shape (...). It must
# be finite for logits like 900 and −2000, and for rows that mix them.


# %%
def log_mean_exp(z):
    raise NotImplementedError("replace this line")


# %% tags=["folded"]
@exercise("A mean of tiny probabilities", uses="log_mean_exp", minutes=4, difficulty=1)
def mean_exp(log_mean_exp):
    rng = np.random.default_rng(24)
    cases = [rng.standard_normal((2, 3)), rng.standard_normal((4, 2, 5)), 3 * rng.standard_normal((3, 4))]
    cases += [np.array([[-2000.0, -2000.0], [900.0, 900.0], [0.0, 1500.0], [1500.0, 0.0], [-1500.0, 0.0]])]
    cases += [
        np.array([[-800.0, 50.0, 1300.0], [2.0, -3000.0, -2900.0]]),
        np.array([[1e-3, -1e-3, 700.0, 705.0]]),
    ]
    for z in cases:
        k, usual = z.shape[-1], abs(z).max() < 50
        right = log_sum_exp(z) - np.log(k)
        known = {
            "This is the sum; the mean is asked.": log_sum_exp(z),
            "This is the mean of z itself: exponentiate first, take the logarithm last.": z.mean(-1),
            "Subtract log K: the mean divides by K inside the logarithm.": log_sum_exp(z) / k,
            "The mean goes over the last axis.": np.log(np.exp(z).mean(0)) if usual else right + 1,
            "The mean goes over the last axis, and not over all elements.": np.log(np.exp(z).mean())
            if usual
            else right + 1,
            "This is the logarithm of each element; the mean is missing.": z,
        }
        with check.unchanged(z=z), np.errstate(all="ignore"):
            got = log_mean_exp(z)
        try:
            check.close(got, right, name="log_mean_exp(z)", mistakes=known)
        except check.CheckError as error:
            if error.kind == "finite":
                error.hint = "Take out the largest of each row before you exponentiate, neither the first nor the mean, and add it at the end."
            raise


mean_exp

# %% [markdown]
# <details><summary>Solution</summary>
#
# ```python
# def log_mean_exp(z):
#     return log_sum_exp(z) - np.log(z.shape[-1])
# ```
# </details>
#
# **Find the planted faults.** `mended_fit` is to do what `fit_softmax` does: softmax regression from zero with full-batch steps, a check every
# 10 steps, the lecture's rule. It gets `x` (N, D), `y`, `x_val`, `y_val`, the learning rate, the largest number of steps and the patience, for ten
# classes, and returns the weights of the best check (D, 10) and the list of all validation losses. Two faults are planted. The symptoms: the
# validation loss never falls below 1.46, whatever is tried, and the weights that come back are those of the last step. For the first: a perfect model gives the right class probability 1 and the
# others 0; what does a second softmax make of these ten numbers?


# %%
def mended_fit(x, y, x_val, y_val, lr, max_steps, patience):
    W = np.zeros((x.shape[1], 10))
    kept, losses = W, []
    for step in range(1, max_steps + 1):
        W -= lr * gradient(W, x, y)
        if step % 10 == 0:
            p = softmax(x_val @ W)
            losses.append(cross_entropy(p, y_val))
            stop, best = should_stop(losses, patience)
            if best == len(losses) - 1:
                kept = W
            if stop:
                break
    return kept, losses


# %% tags=["folded"]
@exercise("Find the planted faults", uses="mended_fit", minutes=10, difficulty=2)
def planted(mended_fit):
    def fit(x, y, x_val, y_val, lr, max_steps, patience):
        """Weights at each check, and the losses."""
        W, weights, losses = np.zeros((x.shape[1], 10)), [], []
        for step in range(1, max_steps + 1):
            W = W - lr * gradient_solution(W, x, y)
            if step % 10 == 0:
                weights.append(W)
                losses.append(cross_entropy(x_val @ W, y_val))
                if should_stop_solution(losses, patience)[0]:
                    break
        return weights, losses, W

    rng = np.random.default_rng(25)
    for n, d, lr, max_steps, patience in [
        (40, 30, 0.5, 400, 3),
        (30, 40, 1.0, 300, 2),
        (60, 12, 0.5, 60, 50),
    ]:
        middle = 0.7 * rng.standard_normal((10, d))
        y, y_val = rng.integers(0, 10, size=n), rng.integers(0, 10, size=80)
        x, x_val = middle[y] + rng.standard_normal((n, d)), middle[y_val] + rng.standard_normal((80, d))
        weights, losses, last = fit(x, y, x_val, y_val, lr, max_steps, patience)
        best = should_stop_solution(losses, patience)[1]
        doubled = cross_entropy(softmax(x_val @ weights[0]), y_val)
        with check.unchanged(x=x, y=y, x_val=x_val, y_val=y_val):
            answer = mended_fit(x, y, x_val, y_val, lr, max_steps, patience)
        if not (isinstance(answer, tuple | list) and len(answer) == 2):
            raise check.CheckError(
                "type",
                f"got {type(answer).__name__}",
                "Return two things: the weights and the list of losses.",
            )
        kept, got = answer[0], np.asarray(answer[1], float)
        if got.ndim == 1 and len(got) and np.isclose(got[0], doubled):
            hint = "cross_entropy takes logits and contains a softmax: given probabilities, it applies a second one."
            message = f"the first validation loss is {got[0]:.3f} where {losses[0]:.3f} is expected"
            raise check.CheckError("value", message, hint)
        known = {
            "The rule looks at the validation data, and its losses are asked, not those on the training data.": np.array(
                []
            )
        }
        if len(got) == len(losses):
            known = {
                "The loss is the mean over the validation examples, not their sum.": np.array(losses)
                * len(y_val)
            }
        check.close(got, np.array(losses), name="the list of losses", mistakes=known)
        check.close(
            kept,
            weights[best],
            name="the weights",
            mistakes={
                "These are the weights of the last step: `kept = W` is a second name for the same array, which `W -= ...` changes.": last,
                "These are the weights of the first check.": weights[0],
            },
        )


planted

# %% [markdown]
# <details><summary>Solution</summary>
#
# ```python
# def mended_fit(x, y, x_val, y_val, lr, max_steps, patience):
#     W = np.zeros((x.shape[1], 10))
#     kept, losses = W, []
#     for step in range(1, max_steps + 1):
#         W = W - lr * gradient(W, x, y)
#         if step % 10 == 0:
#             losses.append(cross_entropy(x_val @ W, y_val))
#             stop, best = should_stop(losses, patience)
#             if best == len(losses) - 1:
#                 kept = W
#             if stop:
#                 break
#     return kept, losses
# ```
#
# `cross_entropy` takes logits and contains a softmax. Given the ten probabilities 1, 0, …, 0 it applies a second one, and its loss is
# $\log(1 + 9/e) = 1.461$ at the least. And `kept = W` copied nothing: `W -= …` changes the array that both names stand for.
# </details>
#
# **Find the leak.** `honest_accuracy(x, y)` gets features `x` (N, D) and answers `y` (N,) of 0 and 1. It standardises the features, chooses the 20 features that go most strongly with the
# answer, and returns the accuracy of the nearest neighbour on the second half of the rows, with the first half as training data. On random numbers it reports far more than one half. Mend it: whatever is
# estimated from data, means, standard deviations and the choice of features, is estimated from the training half. Keep what it does
# otherwise.


# %%
def nearest_neighbour(x_train, y_train, x):
    """Label of the nearest training example for each row of x; x_train (N, D), y_train (N,), x (M, D) -> (M,)."""
    distance = (x_train**2).sum(1) - 2 * x @ x_train.T
    return y_train[distance.argmin(1)]


# %%
def honest_accuracy(x, y):
    half = len(x) // 2
    x = (x - x.mean(0)) / x.std(0)
    strength = np.abs((x * (2 * y - 1)[:, None]).mean(0))
    best = np.argsort(strength)[-20:]
    return np.mean(nearest_neighbour(x[:half][:, best], y[:half], x[half:][:, best]) == y[half:])


# %% tags=["folded"]
@exercise("Find the leak", uses="honest_accuracy", minutes=8, difficulty=2)
def leak(honest_accuracy):
    rng = np.random.default_rng(7)
    sets = []
    for trial in range(10):
        num_rows, num_features = (80, 3000) if trial < 5 else (61, 400)
        x, y = rng.standard_normal((num_rows, num_features)), rng.integers(0, 2, size=num_rows)
        if trial >= 5:  # some features do tell, on scales of their own that change in the second half
            x[:, :60] += 0.6 * (2 * y - 1)[:, None]
            x *= np.exp(rng.standard_normal(num_features))
            x[num_rows // 2 :] *= np.exp(0.5 * rng.standard_normal(num_features))
        sets.append((x, y))

    def accuracy(x, y, scaled_by="train", chosen_by="train", count=20):
        half = len(x) // 2
        rows = {"train": slice(0, half), "all": slice(0, len(x)), "test": slice(half, len(x))}
        x = (x - x[rows[scaled_by]].mean(0)) / x[rows[scaled_by]].std(0)
        if chosen_by == "none":
            best = np.arange(count)
        else:
            best = np.argsort(np.abs((x[rows[chosen_by]] * (2 * y[rows[chosen_by]] - 1)[:, None]).mean(0)))[
                -count:
            ]
        return float(np.mean(nearest_neighbour(x[:half][:, best], y[:half], x[half:][:, best]) == y[half:]))

    def over_all(**how):
        return np.array([accuracy(x, y, **how) for x, y in sets])

    choice = "The features are still chosen with the answers of the test half."
    known = {
        choice: over_all(scaled_by="all", chosen_by="all"),
        choice + " The scaling is right.": over_all(chosen_by="all"),
        "The features are chosen by the test half; choose them by the training half.": over_all(
            chosen_by="test"
        ),
        "The features are chosen honestly, but mean and standard deviation still see the test half.": over_all(
            scaled_by="all"
        ),
        "These are the first 20 features; choose the 20 strongest, by the training half.": over_all(
            chosen_by="none"
        ),
        "The 20 strongest features are asked, here are fewer or more.": over_all(count=10),
        "All features are used; choose the 20 strongest.": over_all(count=10**6),
    }
    expected, got = over_all(), []
    for x, y in sets:
        with check.unchanged(x=x, y=y):
            got.append(honest_accuracy(x, y))
        check.shape(got[-1], (), name="the accuracy")
    got = np.array(got, float)
    check.close(got, expected, name="the accuracies of ten data sets", mistakes=known)


leak

# %% [markdown]
# <details><summary>Solution</summary>
#
# ```python
# def honest_accuracy(x, y):
#     half = len(x) // 2
#     x = (x - x[:half].mean(0)) / x[:half].std(0)
#     strength = np.abs((x[:half] * (2 * y[:half] - 1)[:, None]).mean(0))
#     best = np.argsort(strength)[-20:]
#     return np.mean(nearest_neighbour(x[:half][:, best], y[:half], x[half:][:, best]) == y[half:])
# ```
#
# The features had been chosen with the answers of the test half. (So had the scaling, which hardly matters.)
# </details>
#
# **How large must a test set be?** `examples_needed(error, half_width)` gets an expected error rate and the half width that the interval may have, and returns the smallest
# number of examples $n$, an int, for which $1.96\sqrt{e(1-e)/n}$ is at most the half width. For 0.2 and 0.0196 this is 1600 exactly, where floats give a
# little more; take a result within a relative $10^{-9}$ of a whole number for that number. For an error rate that is not strictly between 0 and 1, where the formula fails, and for
# a half width that is not positive, raise a `ValueError`.


# %%
def examples_needed(error, half_width):
    raise NotImplementedError("replace this line")


# %% tags=["folded"]
@exercise("How large must a test set be", uses="examples_needed", minutes=6, difficulty=1)
def test_size(examples_needed):
    rng = np.random.default_rng(26)
    cases = [
        (float(e), float(h))
        for e, h in zip(rng.uniform(0.02, 0.9, 12), rng.uniform(0.005, 0.1, 12), strict=True)
    ]
    cases += [(0.5, 0.05), (0.04, 0.01), (0.2, 0.0196), (0.5, 0.0049), (0.1, 0.0147)]
    raw = np.array([1.96**2 * e * (1 - e) / h**2 for e, h in cases])
    right = np.ceil(raw * (1 - 1e-9)).astype(int)
    e, h = np.array(cases).T
    known = {
        "Rounding down gives too wide an interval: round up.": np.floor(raw * (1 + 1e-9)).astype(int),
        "Rounding to the nearest may give too wide an interval: round up.": np.round(raw).astype(int),
        "Where the result is whole already, nothing is to be added.": np.floor(raw * (1 + 1e-9)).astype(int)
        + 1,
        "Where the result is whole up to the rounding of floats, take that number.": np.ceil(raw).astype(
            int
        ),
        "The half width is asked for, not the whole width of the interval.": np.ceil(
            4 * raw * (1 - 1e-9)
        ).astype(int),
        "The square is missing: n grows with one over the half width squared.": np.ceil(
            1.96 * np.sqrt(e * (1 - e)) / h
        ).astype(int),
        "The variance of one answer is e (1 - e).": np.ceil(1.96**2 * e / h**2 * (1 - 1e-9)).astype(int),
        "This is the number for an error of one half; use the given one.": np.ceil(
            1.96**2 * 0.25 / h**2 * (1 - 1e-9)
        ).astype(int),
    }
    got = []
    for case in cases:
        got.append(examples_needed(*case))
        if not isinstance(got[-1], int | np.integer):
            raise check.CheckError("type", f"got {got[-1]!r}", "Return a whole number, an int.")
    check.close(np.array(got), right, name="the numbers of examples", mistakes=known)
    for case in [(0.0, 0.01), (1.0, 0.01), (-0.1, 0.01), (1.2, 0.01), (0.2, 0.0), (0.2, -0.01)]:
        check.raises(ValueError, examples_needed, *case, name=f"examples_needed{case}")


test_size

# %% [markdown]
# <details><summary>Solution</summary>
#
# ```python
# def examples_needed(error, half_width):
#     if not 0 < error < 1 or not half_width > 0:
#         raise ValueError(f"needs an error rate strictly between 0 and 1 and a positive half width, got {error}, {half_width}")
#     n = 1.96**2 * error * (1 - error) / half_width**2
#     return int(np.ceil(n * (1 - 1e-9)))
# ```
#
# To halve the interval takes four times as many examples.
# </details>
#
# **A loss of your own: counts.** Counts such as calls in an hour are modelled by the Poisson distribution, $p(k) = \mathrm{rate}^k\, e^{-\mathrm{rate}} / k!$. `fit_count(counts)` gets
# counts (N,), not all of them zero, and returns the rate with the highest likelihood, a float. Derive it: write minus the log-likelihood, and set its derivative to zero. A search is allowed if it is right to
# a thousandth.


# %%
def fit_count(counts):
    raise NotImplementedError("replace this line")


# %% tags=["folded"]
@exercise("A loss of your own: counts", uses="fit_count", minutes=10, difficulty=2)
def counting(fit_count):
    rng = np.random.default_rng(27)
    cases = [
        np.array([2.0, 0.0, 5.0, 1.0]),
        np.array([7.0, 11.0, 9.0, 9.0, 2.0]),
        np.array([0.0, 0.0, 1.0, 0.0, 0.0, 0.0]),
    ]
    cases += [rng.poisson(rate, size=n).astype(float) for rate, n in ((0.7, 30), (14.3, 7), (120.0, 11))]
    for counts in cases:
        mean = counts.mean()
        known = {
            "This is a whole number; the rate need not be one.": float(round(mean)) if mean % 1 else -1.0,
            "The rate is cut off to a whole number; it need not be one.": float(int(mean))
            if mean % 1
            else -1.0,
            "This is the median, which belongs to absolute error.": float(np.median(counts)),
            "This is the logarithm of the rate.": float(np.log(mean)),
            "This is the sum of the counts; with N examples N rates add up.": float(counts.sum()),
            "This is the variance; the rate is what makes the counts most likely.": float(counts.var()),
            "This is the standard deviation; the rate is what makes the counts most likely.": float(
                counts.std()
            ),
        }
        with check.unchanged(counts=counts):
            rate = fit_count(counts)
        check.close(
            rate,
            mean,
            rtol=1.001e-3,
            name="the rate",
            mistakes={h: w for h, w in known.items() if w != mean},
        )


counting

# %% [markdown]
# <details><summary>Solution</summary>
#
# ```python
# def fit_count(counts):
#     return counts.mean()
# ```
#
# Minus the log-likelihood is $\sum_i (\mathrm{rate} - k_i \log \mathrm{rate})$ plus a constant. Its derivative $N - \sum_i k_i / \mathrm{rate}$ is zero at the mean.
# </details>
#
# ## In five lines
#
# 1. Minus the logarithm of a likelihood is a loss: normal noise gives squared error, Laplace noise absolute error, a predicted probability cross-entropy.
# 2. The gradient of cross-entropy by the logits is probability minus truth; the largest logit is taken out before exponentiating.
# 3. Too small a capacity shows as bias, too large a one as variance; weight decay and early stopping take capacity back.
# 4. Fit on training data, choose on validation data or by cross-validation, report on test data once; examples that belong together stay on one side.
# 5. An error rate comes with an interval, a difference with a paired one; it covers the luck of the draw and no change of the distribution.
#
# **Words that were new**: loss, maximum likelihood, i.i.d., cross-entropy, glyph, feature, nearest neighbour, logistic regression, logit, softmax, reliability diagram, calibrated, training, validation
# and test data, underfitting, overfitting, capacity, bias, variance, regularisation, L2 penalty, weight decay, k-fold cross-validation, linearly separable, early stopping, mini-batch, paired comparison, split by group.
#
# **Homework 1** asks for softmax and cross-entropy with gradient, and for a training loop with early stopping.
#
# ## Sources
#
# Goodfellow, Bengio and Courville (2016), *Deep Learning*, chapter 5. Hastie, Tibshirani and Friedman (2009), *The Elements of
# Statistical Learning*, chapter 7; the features chosen before splitting are their section 7.10.2. Wilson (1927), Probable inference,
# the law of succession, and statistical inference. Alpaydin and Kaynak (1998), Optical recognition of handwritten digits, UCI. Beyer et al. (1999), When is "nearest neighbor" meaningful? Dwork et al. (2015),
# The reusable holdout. Recht et al. (2019), Do ImageNet classifiers generalize to ImageNet? Prechelt (1998), Early stopping, but when? Model, optimisation and data as the three
# parts of the problem: CS 182, lecture 1 (2022).

# %% [markdown]
# ## Optional: relatives as close as can be
#
# The same function measures another leak. There are 300 pictures, and four noisy copies of each. It
# splits them twice: once each copy counts as a group of its own, which is a random split of the copies, and once the four copies of a picture
# are one group. The classifier is the nearest neighbour in the training data.


# %%
picture = np.repeat(np.arange(300), 4)
base = data.glyphs(300, seed=20)
copies = base.x.reshape(300, -1)[picture] + 0.1 * np.random.default_rng(0).standard_normal((1200, 784))
for name, groups, share in [("at random", np.arange(1200), 4), ("by picture", picture, 1)]:
    train, val, test = split_by_group(groups, 60 * share, 60 * share, np.random.default_rng(1))
    wrong = nearest_neighbour(copies[train], base.y[picture[train]], copies[test]) != base.y[picture[test]]
    # Copies of a picture are no independent examples: the interval is made over the pictures.
    rates = np.array([wrong[picture[test] == p].mean() for p in np.unique(picture[test])])
    print(
        f"copies split {name}: error {wrong.mean():.2f}, interval of half width {1.96 * rates.std(ddof=1) / len(rates) ** 0.5:.2f}"
    )

# %% [markdown]
# ## Optional: how near is the nearest?
#
# The nearest neighbour did well on gently distorted digits. In general its trouble is the number of dimensions $d$. To have one example in each cell a tenth of the side wide, a cube needs $10^d$ of them: this
# is the **curse of dimensionality**. Distances lose their meaning too. A thousand points are thrown at random into a cube, and the distances are measured from its centre:

# %%
squares = np.cumsum(np.random.default_rng(0).uniform(-1, 1, (1000, 1000)) ** 2, axis=1)  # point, dimension
for d in (1, 2, 10, 100, 1000):
    distance = np.sqrt(squares[:, d - 1])
    print(
        f"{d:4d} dimensions: nearest at {distance.min() / distance.mean():.2f} of the mean distance, farthest at {distance.max() / distance.mean():.2f}"
    )

# %% [markdown]
# In 1000 dimensions the nearest point is about as far as the farthest (Beyer et al., 1999). Pictures of digits escape this in part: their nearest neighbours are much nearer than the mean
# distance.
