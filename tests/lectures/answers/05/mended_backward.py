"""Answers to the exercise `mended_backward`: find two faults in an engine."""

from tests.answers import right, wrong


@wrong(hint="before all of its users")
def only_accumulates():
    """Shares must be added for leaves too, and the order was all right."""

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
                for parent, share in zip(node.parents, RULES[node.op](node.grad, node.value, *values), strict=True):
                    parent.grad = parent.grad + share


@wrong(hint="leaf")
def only_the_order():
    """The order was wrong, and a leaf takes what it gets."""

    def mended_backward(root):
        visited = []

        def visit(node):
            for parent in node.parents:
                if parent not in visited:
                    visit(parent)
            visited.append(node)

        visit(root)
        for node in visited:
            node.grad = 0.0
        root.grad = 1.0
        for node in reversed(visited):
            values = [parent.value for parent in node.parents]
            if node.parents:
                for parent, share in zip(node.parents, RULES[node.op](node.grad, node.value, *values), strict=True):
                    parent.grad = parent.grad + share if parent.parents else share


@wrong(hint="order")
def reversed_list_of_visits():
    """The list of visits has to be read from its end."""

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
        for node in reversed(visited):
            values = [parent.value for parent in node.parents]
            if node.parents:
                for parent, share in zip(node.parents, RULES[node.op](node.grad, node.value, *values), strict=True):
                    parent.grad = parent.grad + share


@wrong(hint="before all of its users")
def nearest_to_the_root_first():
    """A node's turn comes by its distance from the root."""

    def mended_backward(root):
        visited = [root]
        for node in visited:
            for parent in node.parents:
                if parent not in visited:
                    visited.append(parent)
        for node in visited:
            node.grad = 0.0
        root.grad = 1.0
        for node in visited:
            values = [parent.value for parent in node.parents]
            if node.parents:
                for parent, share in zip(node.parents, RULES[node.op](node.grad, node.value, *values), strict=True):
                    parent.grad = parent.grad + share


@wrong(hint="second call")
def not_set_to_zero():
    """A node begins with the gradient 0 when it is made, and that is enough."""

    def mended_backward(root):
        root.grad = 1.0
        for node in reversed(topological_order(root)):
            values = [parent.value for parent in node.parents]
            if node.parents:
                for parent, share in zip(node.parents, RULES[node.op](node.grad, node.value, *values), strict=True):
                    parent.grad = parent.grad + share


@wrong(hint="second call")
def only_leaves_set_to_zero():
    """As in torch, leaves are the only nodes whose gradients stay."""

    def mended_backward(root):
        order = topological_order(root)
        for node in order:
            if not node.parents:
                node.grad = 0.0
        root.grad = 1.0
        for node in reversed(order):
            values = [parent.value for parent in node.parents]
            if node.parents:
                for parent, share in zip(node.parents, RULES[node.op](node.grad, node.value, *values), strict=True):
                    parent.grad = parent.grad + share


@wrong(hint="once for each path")
def visited_once_a_path():
    """A node is visited for each of its users."""

    def mended_backward(root):
        visited = []

        def visit(node):
            for parent in node.parents:
                visit(parent)
            visited.append(node)

        visit(root)
        for node in visited:
            node.grad = 0.0
        root.grad = 1.0
        for node in reversed(visited):
            values = [parent.value for parent in node.parents]
            if node.parents:
                for parent, share in zip(node.parents, RULES[node.op](node.grad, node.value, *values), strict=True):
                    parent.grad = parent.grad + share


@wrong(hint="last share")
def overwrites_everywhere():
    """Now no node accumulates, so that leaves and others are treated alike."""

    def mended_backward(root):
        order = topological_order(root)
        for node in order:
            node.grad = 0.0
        root.grad = 1.0
        for node in reversed(order):
            values = [parent.value for parent in node.parents]
            if node.parents:
                for parent, share in zip(node.parents, RULES[node.op](node.grad, node.value, *values), strict=True):
                    parent.grad = share


@wrong(hint="add")
def accumulates_in_leaves_only():
    """The condition was the wrong way round."""

    def mended_backward(root):
        order = topological_order(root)
        for node in order:
            node.grad = 0.0
        root.grad = 1.0
        for node in reversed(order):
            values = [parent.value for parent in node.parents]
            if node.parents:
                for parent, share in zip(node.parents, RULES[node.op](node.grad, node.value, *values), strict=True):
                    parent.grad = share if parent.parents else parent.grad + share


@wrong(hint="order")
def hands_on_what_it_holds():
    """A node hands on its gradient each time that something arrives."""

    def mended_backward(root):
        for node in topological_order(root):
            node.grad = 0.0

        def push(node):
            values = [parent.value for parent in node.parents]
            if node.parents:
                for parent, share in zip(node.parents, RULES[node.op](node.grad, node.value, *values), strict=True):
                    parent.grad = parent.grad + share
                    push(parent)

        root.grad = 1.0
        push(root)


@wrong(hint="order")
def parents_first():
    """The order of the forward pass serves the backward pass."""

    def mended_backward(root):
        order = topological_order(root)
        for node in order:
            node.grad = 0.0
        root.grad = 1.0
        for node in order:
            values = [parent.value for parent in node.parents]
            if node.parents:
                for parent, share in zip(node.parents, RULES[node.op](node.grad, node.value, *values), strict=True):
                    parent.grad = parent.grad + share


@wrong(hint="The numbers differ")
def begins_with_the_value():
    """The gradient of the root is its value."""

    def mended_backward(root):
        order = topological_order(root)
        for node in order:
            node.grad = 0.0
        root.grad = root.value
        for node in reversed(order):
            values = [parent.value for parent in node.parents]
            if node.parents:
                for parent, share in zip(node.parents, RULES[node.op](node.grad, node.value, *values), strict=True):
                    parent.grad = parent.grad + share


@wrong(hint="two nodes")
def equal_values_are_one_node():
    """A node has been visited if one of its value has."""

    def mended_backward(root):
        visited = []

        def visit(node):
            for parent in node.parents:
                if parent.value not in [other.value for other in visited]:
                    visit(parent)
            visited.append(node)

        visit(root)
        for node in visited:
            node.grad = 0.0
        root.grad = 1.0
        for node in reversed(visited):
            values = [parent.value for parent in node.parents]
            if node.parents:
                for parent, share in zip(node.parents, RULES[node.op](node.grad, node.value, *values), strict=True):
                    parent.grad = parent.grad + share


@right
def two_lines_mended():
    """Appends after the parents, reads from the end, adds for all."""

    def mended_backward(root):
        visited = []

        def visit(node):
            for parent in node.parents:
                if parent not in visited:
                    visit(parent)
            visited.append(node)

        visit(root)
        for node in visited:
            node.grad = 0.0
        root.grad = 1.0
        for node in visited[::-1]:
            values = [parent.value for parent in node.parents]
            if node.parents:
                for parent, share in zip(node.parents, RULES[node.op](node.grad, node.value, *values), strict=True):
                    parent.grad += share


@right
def users_counted():
    """A node's turn comes when all of its users have given (Kahn)."""

    def mended_backward(root):
        waiting, below = {}, [root]
        for node in below:
            for parent in node.parents:
                waiting[parent] = waiting.get(parent, 0) + 1
                if waiting[parent] == 1:
                    below.append(parent)
        for node in below:
            node.grad = 0.0
        root.grad = 1.0
        ready = [root]
        while ready:
            node = ready.pop()
            if node.parents:
                shares = RULES[node.op](node.grad, node.value, *(parent.value for parent in node.parents))
                for parent, share in zip(node.parents, shares, strict=True):
                    parent.grad = parent.grad + share
                    waiting[parent] -= 1
                    if not waiting[parent]:
                        ready.append(parent)


@right
def by_the_height():
    """Sorts the nodes by the longest path down to a leaf."""

    def mended_backward(root):
        height = {}

        def measure(node):
            if node not in height:
                height[node] = 1 + max((measure(parent) for parent in node.parents), default=0)
            return height[node]

        measure(root)
        gradients = dict.fromkeys(height, 0.0)
        gradients[root] = 1.0
        for node in sorted(height, key=height.get, reverse=True):
            node.grad = gradients[node]
            if node.parents:
                shares = RULES[node.op](node.grad, node.value, *[parent.value for parent in node.parents])
                for parent, share in zip(node.parents, shares, strict=True):
                    gradients[parent] += share


@right
def with_the_lectures_order():
    """Uses the lecture's order and its step."""

    def mended_backward(root):
        order = topological_order(root)
        for node in order:
            node.grad = float(node is root)
        while order:
            node = order.pop()
            if node.parents:
                share_out(node, RULES)
