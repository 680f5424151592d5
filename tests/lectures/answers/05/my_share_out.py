"""Answers to the exercise `my_share_out`: share out, and accumulate."""

import numpy as np

from tests.answers import right, wrong


@wrong(hint="replaces")
def overwrites():
    """A parent's gradient is the share that it gets."""

    def my_share_out(node, rules):
        shares = rules[node.op](node.grad, node.value, *(parent.value for parent in node.parents))
        for parent, share in zip(node.parents, shares, strict=True):
            parent.grad = share


@wrong(hint="replaces")
def zeroes_the_parents_first():
    """Gradients must be set to zero before anything is added."""

    def my_share_out(node, rules):
        for parent in node.parents:
            parent.grad = 0.0
        shares = rules[node.op](node.grad, node.value, *(parent.value for parent in node.parents))
        for parent, share in zip(node.parents, shares, strict=True):
            parent.grad = parent.grad + share


@wrong(hint="twice")
def one_share_for_each_different_parent():
    """A dict of parents holds all the shares."""

    def my_share_out(node, rules):
        shares = rules[node.op](node.grad, node.value, *(parent.value for parent in node.parents))
        for parent, share in dict(zip(node.parents, shares, strict=True)).items():
            parent.grad = parent.grad + share


@wrong(hint="twice")
def sums_before_any_is_stored():
    """All new gradients can be computed from the old ones, and then be stored."""

    def my_share_out(node, rules):
        shares = rules[node.op](node.grad, node.value, *(parent.value for parent in node.parents))
        sums = [parent.grad + share for parent, share in zip(node.parents, shares, strict=True)]
        for parent, total in zip(node.parents, sums, strict=True):
            parent.grad = total


@wrong(hint="both shares count")
def only_the_first_parent():
    """The rule's result belongs to the first parent."""

    def my_share_out(node, rules):
        shares = rules[node.op](node.grad, node.value, *(parent.value for parent in node.parents))
        node.parents[0].grad = node.parents[0].grad + shares[0]


@wrong(hint="value")
def nodes_given_to_the_rule():
    """The rule gets the parents."""

    def my_share_out(node, rules):
        for parent, share in zip(node.parents, rules[node.op](node.grad, node.value, *node.parents), strict=True):
            parent.grad = parent.grad + share


@wrong(hint="The numbers differ")
def gradient_and_value_exchanged():
    """The rule gets the value first."""

    def my_share_out(node, rules):
        shares = rules[node.op](node.value, node.grad, *(parent.value for parent in node.parents))
        for parent, share in zip(node.parents, shares, strict=True):
            parent.grad = parent.grad + share


@wrong(hint="second time")
def upstream_gradient_twice():
    """The rule gives local derivatives, which are still to be multiplied by the gradient."""

    def my_share_out(node, rules):
        shares = rules[node.op](node.grad, node.value, *(parent.value for parent in node.parents))
        for parent, share in zip(node.parents, shares, strict=True):
            parent.grad = parent.grad + node.grad * share


@wrong(hint="node.grad")
def starts_with_one():
    """The upstream gradient is 1."""

    def my_share_out(node, rules):
        shares = rules[node.op](1.0, node.value, *(parent.value for parent in node.parents))
        for parent, share in zip(node.parents, shares, strict=True):
            parent.grad = parent.grad + share


@wrong(hint="other rules")
def the_lectures_rules():
    """The rules are those of the table, whatever is passed."""

    def my_share_out(node, rules):
        shares = RULES[node.op](node.grad, node.value, *(parent.value for parent in node.parents))
        for parent, share in zip(node.parents, shares, strict=True):
            parent.grad = parent.grad + share


@wrong(hint="one step")
def goes_on_to_the_grandparents():
    """The parents must share out in turn."""

    def my_share_out(node, rules):
        shares = rules[node.op](node.grad, node.value, *(parent.value for parent in node.parents))
        for parent, share in zip(node.parents, shares, strict=True):
            parent.grad = parent.grad + share
            if parent.parents:
                my_share_out(parent, rules)


@wrong(hint="changed")
def node_is_emptied():
    """What a node has handed on it does not hold any more."""

    def my_share_out(node, rules):
        shares = rules[node.op](node.grad, node.value, *(parent.value for parent in node.parents))
        for parent, share in zip(node.parents, shares, strict=True):
            parent.grad = parent.grad + share
        node.grad = 0.0


@wrong(hint="not enough values")
def always_two_parents():
    """Every operation has two inputs."""

    def my_share_out(node, rules):
        a, b = node.parents
        share_a, share_b = rules[node.op](node.grad, node.value, a.value, b.value)
        a.grad += share_a
        b.grad += share_b


@wrong(hint="nothing")
def returns_the_shares():
    """The shares are returned as well, for whoever needs them."""

    def my_share_out(node, rules):
        shares = rules[node.op](node.grad, node.value, *(parent.value for parent in node.parents))
        for parent, share in zip(node.parents, shares, strict=True):
            parent.grad = parent.grad + share
        return shares


@wrong(hint="order of the parents")
def shares_in_reverse():
    """The last share belongs to the first parent."""

    def my_share_out(node, rules):
        shares = rules[node.op](node.grad, node.value, *(parent.value for parent in node.parents))
        for parent, share in zip(reversed(node.parents), shares, strict=True):
            parent.grad = parent.grad + share


@right
def by_index():
    """Counts through the parents."""

    def my_share_out(node, rules):
        values = [parent.value for parent in node.parents]
        shares = rules[node.op](node.grad, node.value, *values)
        for i in range(len(node.parents)):
            node.parents[i].grad += shares[i]


@right
def one_parent_at_a_time():
    """Asks the rule again for each parent."""

    def my_share_out(node, rules):
        for i, parent in enumerate(node.parents):
            share = rules[node.op](node.grad, node.value, *[p.value for p in node.parents])[i]
            parent.grad = share + parent.grad


@right
def from_the_last_to_the_first():
    """Empties a list of shares from its end."""

    def my_share_out(node, rules):
        rule = rules[node.op]
        shares = list(rule(node.grad, node.value, *(parent.value for parent in node.parents)))
        for parent in node.parents[::-1]:
            parent.grad = np.add(parent.grad, shares.pop())
