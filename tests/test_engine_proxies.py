"""What tests can do with a student's objects, which live in another process."""

import textwrap

import pytest

from autograder import proxies
from dlcourse import check
from tests.engine import Work


@pytest.fixture
def work(tmp_path):
    return Work(tmp_path)


HEAD = "    import numpy as np\n    import torch\n    from dlcourse import check\n"
CASES = {
    "functions": ("def f(x, *, k=1): return x + k", "f", "check.close(f(2, k=3), 5)"),
    "classes and attributes": (
        "class A:\n    z = 3\n    def __init__(self, x): self.x = x\n    def get(self, y): return self.x + y",
        "A",
        "a = A(np.ones(2)); check.close(a.get(1.0), np.full(2, 2.0)); a.x = np.zeros(2); check.close(a.x, np.zeros(2)); "
        "check.close(A.z, 3); check.close(hasattr(a, 'nothing'), False)",
    ),
    "objects passed back": ("class A: n = 4\ndef f(a): return a.n", "A, f", "check.close(f(A()), 4); check.close(f(A), 4)"),
    "identity": ("class A: pass\na = A()\ndef f(): return a", "a, f", "check.close(f() is a, True)"),
    "items": ("class A:\n    def __getitem__(self, k): return k * 2\na = A()", "a", "check.close(a[3], 6)"),
    "modules": ("import math as m", "m", "check.close(m.sqrt(4.0), 2.0)"),
    "context managers": (
        "log = []\nclass A:\n    def __enter__(self): log.append(1)\n    def __exit__(self, *e): log.append(2)",
        "A, log",
        "with A():\n        pass",
    ),
    "generators": ("def g(n):\n    for i in range(n): yield i, [i]", "g", "check.close(sum(i for i, _ in g(4)), 6)"),
    "endless generators": (
        "def g():\n    i = 0\n    while True:\n        i += 1\n        yield i",
        "g",
        "it = g(); check.close([next(it), next(it)][1], 2)",
    ),
    "callbacks": (
        "def f(g, x): return g(x) + g(2 * x)",
        "f",
        "check.close(f(lambda x: x**2, np.ones(2)), np.full(2, 5.0))",
    ),
    "callbacks of callbacks": (
        "def f(g): return g(lambda y: y + 1)\ndef h(x): return 2 * x",
        "f, h",
        "check.close(f(lambda inner: inner(h(3))), 7)",
    ),
    "callbacks that raise": (
        "def f(g): return g()",
        "f",
        "check.raises(KeyError, f, lambda: {}['a'])",
    ),
    "functions by name": (
        "import dlcourse.reference\ndef f(step): return step is dlcourse.reference.momentum",
        "f",
        "from dlcourse import reference; check.close(f(reference.momentum), True); check.close(f(len), False)",
    ),
    "errors by type": (
        "import numpy as np\ndef f(): raise ValueError('x')\ndef g(): np.linalg.inv(np.zeros((2, 2)))\n"
        "class Own(KeyError): pass\ndef h(): raise Own",
        "f, g, h",
        "check.raises(ValueError, f); check.raises(np.linalg.LinAlgError, g); check.raises(KeyError, h)",
    ),
    "plain data": (
        "def f(x): return x",
        "f",
        "for x in (1, 1.5, 'a', b'a', None, True, [1, (2, {3})], {'a': {1: 2}}, ..., 2j, range(3), slice(1, None)):\n"
        "        y = f(x)\n        check.close(y == x and type(y) is type(x), True)",
    ),
    "arrays of every dtype": (
        "def f(x): return x",
        "f",
        "for t in '? i1 i2 i4 i8 u1 u2 u4 u8 f2 f4 f8 c8 c16'.split():\n"
        "        x = np.arange(6).reshape(2, 3).astype(t)\n"
        "        for y in (x, x.T, x[:, ::-1], x[:0], x[0, 0], np.array(x[0, 0])):\n"
        "            z = f(y)\n            check.close(type(z) is type(y), True); check.close(z, y, dtype=x.dtype)",
    ),
    "tensors of every dtype": (
        "def f(x): return x",
        "f",
        "for t in (torch.bool, torch.uint8, torch.int64, torch.float16, torch.bfloat16, torch.float32, torch.complex64):\n"
        "        x = torch.arange(4).reshape(2, 2).to(t)\n        y = f(x)\n"
        "        check.close(bool(torch.equal(x, y)) and x.dtype == y.dtype, True)",
    ),
    "generators of random numbers": (
        "def f(rng): return rng.standard_normal(3)",
        "f",
        "check.close(f(check.rng(5)), check.rng(5).standard_normal(3))",
    ),
    "gradients through functions": (
        "def f(x, w): return (x * w).sum() ** 2, x + 1",
        "f",
        "x = torch.tensor([1.0, 2.0], requires_grad=True); w = torch.tensor([3.0, 4.0], requires_grad=True)\n"
        "    y, z = f(x, w); (y + 2 * z.sum()).backward()\n"
        "    check.close(x.grad, torch.tensor([68.0, 90.0])); check.close(w.grad, torch.tensor([22.0, 44.0]))",
    ),
    "gradients through two calls": (
        "import torch\ndef f(x): return torch.sin(x)",
        "f",
        "x = torch.tensor(0.5, requires_grad=True); f(f(x)).backward()\n"
        "    check.close(x.grad, torch.cos(torch.sin(torch.tensor(0.5))) * torch.cos(torch.tensor(0.5)), rtol=1e-5)",
    ),
    "gradients of what lies deeper": (
        "import torch\ndef f(x): return {'y': [x * 2]}, (x * 3, x.detach())",
        "f",
        "x = torch.ones(2, requires_grad=True); (a, (b, c)) = f(x); (a['y'][0] + b).sum().backward()\n"
        "    check.close(x.grad, torch.full((2,), 5.0)); check.close(c.requires_grad, False)",
    ),
    "gradients through an attribute and a generator": (
        "import torch\nclass A:\n    def run(self, x):\n        self.hidden = x * 2\n        return 1\n"
        "def g(x):\n    for k in range(3): yield k * x",
        "A, g",
        "x = torch.ones(2, requires_grad=True); a = A(); a.run(x); a.hidden.sum().backward()\n"
        "    check.close(x.grad, torch.full((2,), 2.0)); sum(list(g(x))).sum().backward()\n"
        "    check.close(x.grad, torch.full((2,), 5.0))",
    ),
    "gradients through states fed back": (
        "import torch\ncell = torch.nn.LSTM(2, 3)\ndef step(x, state): return cell(x, state)",
        "cell, step",
        "x = torch.ones(4, 1, 2, requires_grad=True); state = (torch.zeros(1, 3), torch.zeros(1, 3)); twin = torch.nn.LSTM(2, 3)\n"
        "    twin.load_state_dict({name: value.detach() for name, value in cell.state_dict().items()})\n"
        "    mine = (torch.zeros(1, 3), torch.zeros(1, 3)); y = torch.ones(4, 1, 2, requires_grad=True)\n"
        "    for k in range(4):\n        out, state = step(x[k], state); want, mine = twin(y[k], mine)\n"
        "    out.sum().backward(); want.sum().backward(); check.close(x.grad, y.grad, rtol=1e-5)",
    ),
    "gradients through a callback's result": (
        "def f(g): return g() * 2",
        "f",
        "w = torch.ones(2, requires_grad=True); f(lambda: w * 3).sum().backward(); check.close(w.grad, torch.full((2,), 6.0))",
    ),
    "a parameter that is held": (
        "import torch\nnet = torch.nn.Linear(2, 1)\ndef step():\n    with torch.no_grad(): net.bias.fill_(3)",
        "net, step",
        "held = list(net.parameters()); count = sum(p.numel() for p in net.parameters()); check.close(count, 3)\n"
        "    net(torch.ones(4, 2)).sum().backward(); check.close(held[1].grad, torch.full((1,), 4.0))\n"
        "    step(); check.close(net.bias is held[1], True); check.close(held[1].detach(), torch.full((1,), 3.0))",
    ),
    "inference mode": (
        "import torch\nnet = torch.nn.Linear(2, 1)",
        "net",
        "with torch.inference_mode():\n        y = net(torch.ones(4, 2)); w = net.weight\n"
        "    check.shape(y, (4, 1)); check.shape(w, (1, 2)); check.close(y.requires_grad, False)",
    ),
    "modules of torch": (
        "import torch\nclass Net(torch.nn.Module):\n    def __init__(self):\n        super().__init__()\n"
        "        self.layer = torch.nn.Linear(3, 2)\n        self.drop = torch.nn.Dropout(0.5)\n"
        "    def forward(self, x): return self.drop(self.layer(x))",
        "Net",
        "net = Net(); params = list(net.parameters()); check.shape(params[0], (2, 3)); check.shape(params[1], (2,))\n"
        "    net.eval(); x = torch.ones(4, 3); y = net(x); y.sum().backward()\n"
        "    check.close(params[1].grad, torch.full((2,), 4.0)); check.close(net.layer.bias.grad, torch.full((2,), 4.0))\n"
        "    check.close(isinstance(params[0], torch.nn.Parameter), True); check.close(net.training, False)\n"
        "    with torch.no_grad():\n        check.close(net(x).requires_grad, False)\n"
        "    state = net.state_dict(); check.close(sorted(state)[0] == 'layer.bias', True)\n"
        "    state = dict(state.items()); net.load_state_dict({k: torch.zeros_like(v) for k, v in state.items()})\n"
        "    check.close(net(x).detach(), torch.zeros(4, 2))",
    ),
    "changes in place, looked for": (
        "def f(x): x += 1",
        "f",
        "x = np.zeros(2)\n    try:\n        with check.unchanged(x=x):\n            f(x)\n"
        "    except check.CheckError as error:\n        check.close(error.kind == 'changed', True)\n"
        "    else:\n        raise ValueError('unseen')",
    ),
    "changes in place that count": (
        "def f(x, state, rng, items):\n    state['n'] = state.get('n', 0) + 1; rng.random(); items.append(x); x += 1\n"
        "    raise ValueError",
        "f",
        "x, state, rng, items = np.zeros(2), {'a': np.zeros(1)}, check.rng(1), []\n"
        "    check.raises(ValueError, f, x, state, rng, items)\n"
        "    check.close(x, np.zeros(2)); check.close(len(state), 1); check.close(len(items), 0)\n"
        "    with check.in_place():\n        check.raises(ValueError, f, x, state, rng, items)\n"
        "    twin = check.rng(1); twin.random(); check.close(rng.random(), twin.random())\n"
        "    check.close(x, np.ones(2)); check.close(state['n'], 1); check.close(items[0], np.ones(2))",
    ),
    "changes that a callback sees": (
        "import numpy as np\ndef f(g, x):\n    a = np.zeros(1)\n    for i in range(3):\n        x += 1; a += 1; g(a)\n    x -= 3",
        "f",
        "x, seen, kept = np.zeros(1), [], []\n    with check.unchanged(x=x):\n"
        "        f(lambda a: (seen.append(float(x[0])), kept.append(a))[0], x)\n"
        "    check.close(seen[2], 3.0); check.close(kept[0], np.full(1, 3.0))",
    ),
    "memory shared with an argument": (
        "def f(x): return x\ndef g(x): return x.copy()",
        "f, g",
        "x = np.ones(3); check.close(np.shares_memory(f(x), x), True); check.close(np.shares_memory(g(x), x), False)",
    ),
    "warnings": (
        "import numpy as np\ndef f(): return np.exp(np.array([1e4]))",
        "f",
        "import warnings\n    with warnings.catch_warnings(record=True) as given:\n        warnings.simplefilter('always')\n"
        "        f()\n    check.close(given[0].category is RuntimeWarning, True)\n"
        "    with warnings.catch_warnings(record=True) as given, np.errstate(all='ignore'):\n        f()\n"
        "    check.close(len(given), 0)",
    ),
    "torch refused": (
        "import torch, numpy as np\ndef f(x):\n    return torch.sum(torch.tensor(x)).item()\ndef g(x): return float(np.sum(x))",
        "f, g",
        "with check.from_scratch():\n        check.close(g(np.ones(3)), 3.0)\n    check.close(f(np.ones(3)), 3.0)\n"
        "    try:\n        with check.from_scratch():\n            f(np.ones(3))\n"
        "    except check.CheckError as error:\n        check.close(error.kind == 'torch', True)\n"
        "    else:\n        raise ValueError('unseen')",
    ),
    "names that are missing": ("pass", "nothing", "check.close(nothing is None, True)"),
    "gaps": ("x = ...", "x", "check.close(x is ..., True)"),
}


@pytest.mark.parametrize("case", CASES)
def test_what_a_test_can_do_with(work, case):
    code, names, test = CASES[case]
    work.ask(f"def test_it({names}):\n{HEAD}    {test}", hidden=False)
    result = work.answer(code)
    assert result.points == 1, result.tests[0].message


USES = ["bool(a)", "a == 1", "a < 1", "a + 1", "1 + a", "-a", "float(a)", "int(a)", "len(a)", "iter(a)", "list(a)", "a @ a",
        "np.asarray(a)", "np.sum(a)", "1 in a", "abs(a)", "round(a)", "a in [1, 2]", "torch.sum(a)", "[1, 2][a]", "np.ones(2) * a",
        "not a", "max(a, 1)", "sum(a)", "np.isfinite(a).all()"]  # fmt: skip


@pytest.mark.parametrize("use", USES)
def test_a_proxy_is_no_value(work, use):
    work.ask(f"def test_it(A):\n{HEAD}    a = A()\n    {use}", hidden=False)
    body = "".join(
        f"    def __{name}__(self, *a, **k): return 1\n"
        for name in [
            "bool",
            "eq",
            "lt",
            "add",
            "radd",
            "neg",
            "float",
            "int",
            "len",
            "matmul",
            "abs",
            "round",
            "contains",
            "mul",
            "rmul",
            "index",
        ]
    )
    assert work.answer(f"class A:\n{body}    def __iter__(self): return iter([1])").points == 0


@pytest.mark.parametrize("use", ["a + 1", "a < a", "len(a)", "a.set(object())", "call(lambda: a + 1)"])
def test_a_proxy_raises_no_type_error_that_a_test_may_expect(work, use):
    """Whoever forbids an operation must be told apart from whoever allows it, and from a test that cannot ask."""
    work.ask(f"def test_it(A, call):\n    from dlcourse import check\n    a = A()\n    check.raises(TypeError, lambda: {use})")
    code = "class A:\n    def __add__(self, b): return 1\n    def __lt__(self, b): return True\n"
    code += "    def __len__(self): return 1\n    def set(self, b): pass\ndef call(f): f()"
    result = work.answer(code)
    assert (result.status, result.points) == ("graded", 0)


def test_no_item_of_a_proxy_is_set(work):
    work.ask(
        "def test_it(A):\n    from dlcourse import check\n    a = A()\n    try:\n        a[0] = 1\n    except TypeError:\n        pass"
    )
    assert work.answer("class A:\n    def __setitem__(self, k, v): pass").points == 0


def test_an_instructor_reads_what_went_in_and_came_out(work):
    work.ask("def test_f(f):\n    from dlcourse import check\n    check.close(f(2), 4.0)", hidden=False)
    test = work.answer("def f(x): return 5.0").tests[0]
    assert test.detail == "f(2) returned 5.0: the result is 5 where 4 is expected"
    assert test.message == "another value came than was expected"


KEEPER = """
    class Keeper:
        def keep(self, values):
            self.kept = {kept}
        def same(self, a, b):
            return a is b
    keeper = Keeper()
"""


def test_an_array_that_is_passed_twice_is_the_same_array(work):
    work.ask("""
        def test_same(keeper):
            import numpy as np
            from dlcourse import check
            a = np.ones(3)
            check.close(keeper.same(a, a), True)
            check.close(keeper.same(a, a.copy()), False)
    """)
    assert work.answer(KEEPER.format(kept="values")).points == 1


@pytest.mark.parametrize(
    ("kept", "points"), [("[v.copy() for v in values]", 1), ("list(values)", 0), ("[v[:] for v in values]", 0)]
)
def test_whoever_keeps_an_array_of_the_tests_sees_it_change(work, kept, points):
    work.ask("""
        def test_keeps_copies(keeper):
            import numpy as np
            from dlcourse import check
            values = [np.ones(3), np.zeros((2, 2))]
            keeper.keep(values)
            values[0] += 5
            values[1][0] = 7
            check.close(keeper.kept[0], np.ones(3))
            check.close(keeper.kept[1], np.zeros((2, 2)))
    """)
    assert work.answer(KEEPER.format(kept=kept)).points == points


def test_an_argument_that_is_changed_where_no_test_asked_for_it_costs_the_test(work):
    work.ask("""
        def test_norm(norm):
            from dlcourse import check
            x = check.rng(3).standard_normal(4)
            check.close(norm(x), float((x * x).sum()))
    """)
    assert work.answer("def norm(x): return float((x * x).sum())").points == 1
    result = work.answer("def norm(x):\n    x *= x\n    return float(x.sum())")
    assert result.points == 0 and result.tests[0].hint == check.CHANGED


LAYER = """
    import numpy as np
    class Layer:
        def __init__(self):
            self.gamma = np.ones(3)
            self.kept = {kept}
        def first(self):
            return self.kept
"""


@pytest.mark.parametrize(("kept", "points"), [("self.gamma.copy()", 1), ("self.gamma", 0)])
def test_whoever_keeps_an_attribute_sees_the_test_change_it_in_place(work, kept, points):
    work.ask("""
        def test_keeps_a_copy(Layer):
            import numpy as np
            from dlcourse import check
            layer = Layer()
            layer.gamma -= 0.5
            check.close(layer.gamma, np.full(3, 0.5))
            layer.gamma[0] = 0.25
            layer.gamma = layer.gamma
            check.close(layer.gamma, np.array([0.25, 0.5, 0.5]))
            check.close(layer.first(), np.ones(3))
    """)
    assert work.answer(LAYER.format(kept=kept)).points == points


def test_an_array_lies_in_memory_as_it_did(work):
    work.ask("""
        def test_layout(flags):
            import numpy as np
            from dlcourse import check
            a = np.arange(24.0).reshape(4, 6)
            for array in (a, a.T, a[:, ::2], a[::-1], a[1], a[:, 1], np.array(3.0)):
                flagged = array.flags.c_contiguous, array.flags.f_contiguous
                check.close(flags(array), np.array(flagged))
                check.close(flags(array, copies=True), array.ravel())
    """)
    code = """
        import numpy as np
        def flags(a, copies=False):
            return a.ravel() if copies else np.array([a.flags.c_contiguous, a.flags.f_contiguous])
    """
    assert work.answer(code).points == 1


def test_what_a_call_prints_is_seen_where_a_test_looks(work):
    work.ask("""
        def test_prints(f):
            import contextlib, io
            from dlcourse import check
            with contextlib.redirect_stdout(io.StringIO()) as printed:
                f()
            check.close(printed.getvalue() == "7\\n", True)
    """)
    assert work.answer("def f(): print(7)").points == 1
    assert work.answer("def f(): print(8)").points == 0


ORACLE = """
    def test_first(use):
        use(lambda x: x * 3.25)
    def test_second(f):
        from dlcourse import check
        x = float(check.rng(5).standard_normal())
        check.close(f(x), x * 3.25)
"""
USE = """
    kept = []
    def use(g):
        kept.append(g)
        g(1.0)
    def f(x): return kept[0](x)
"""


def test_a_function_of_an_earlier_test_cannot_be_called(work, monkeypatch):
    first, second = textwrap.dedent(ORACLE).strip().split("\ndef test_second")
    work.ask(first, "def test_second" + second)
    assert [test.passed for test in work.answer(USE).tests] == [True, False]
    monkeypatch.setattr(proxies.Link, "begin_test", lambda self: None)
    assert [test.passed for test in work.answer(USE, here=True).tests] == [True, True]


AGAIN = """
    def f(g):
        try:
            g()
        except Exception as error:
            f.error = error
            return 1
    def h():
        raise f.error
"""


def test_an_error_of_an_earlier_call_is_not_raised_again(work):
    """An error of a test's own function is the test's own object: raised later, it would answer another question."""
    work.ask("""
        def test_both(f, h):
            from dlcourse import check
            class OwnError(Exception):
                pass
            def g():
                raise OwnError
            f(g)
            check.raises(OwnError, h)
    """)
    assert work.answer(AGAIN).points == 0
    assert work.answer("def f(g):\n    f.g = g\ndef h():\n    f.g()").points == 1


def test_a_number_that_cannot_be_written_fails_its_test(work):
    """Of 4301 digits: Python refuses to make a text of it, for the wire as for a message."""
    work.ask("def test_f(f):\n    from dlcourse import check\n    check.close(f(2 * f(1)), 4)")
    result = work.answer("def f(x): return 9 * 10**4299 if x == 1 else x")
    assert (result.status, result.points) == ("graded", 0) and "words" in result.tests[0].detail


def test_what_no_test_holds_is_let_go(work):
    """A test that trains a student's network needs the memory of one step, not of all."""
    work.ask(
        "def test_net(make, count):\n    import torch\n    net = make()\n"
        "    optimizer = torch.optim.SGD(list(net.parameters()), lr=0.01)\n    x = torch.ones(4, 3)\n"
        "    for i in range(30):\n        optimizer.zero_grad()\n        layer = net.layer\n"
        "        loss = (layer(x) ** 2).mean()\n        loss.backward()\n        optimizer.step()\n"
        "    del loss, layer\n    before = count()\n"
        "    for i in range(30):\n        assert net.big.shape == (300, 1000) and net.layer(x).shape == (4, 2)\n"
        "    assert count() - before < 5, (before, count())\n    assert before < 12, before\n"
        "    assert [parameter.grad is not None for parameter in net.parameters()] == [True, True]"
    )
    code = """
        import gc, torch

        class Net:
            def __init__(self):
                self.layer = torch.nn.Linear(3, 2)
            def parameters(self):
                return self.layer.parameters()
            @property
            def big(self):
                return torch.ones(300, 1000).numpy()

        def make():
            return Net()

        def count():
            gc.collect()
            return sum(type(thing) is torch.Tensor and thing.grad_fn is not None for thing in gc.get_objects())
    """
    result = work.answer(code)
    assert result.points == 1, result.tests[0].detail


def test_what_is_passed_on_with_its_gradient_is_let_go(work):
    """As above, for what one part of a network gives to the next; and a long sequence still has all of its gradients."""
    work.ask(
        "def test_net(first, second, count):\n    import torch\n    from dlcourse import check\n"
        "    for i in range(250):\n        second(first(torch.ones(4, 3))).sum().backward()\n"
        "    assert count() < 350, count()\n"
        "    x = torch.ones(150, 3, requires_grad=True)\n"
        "    sum(first(x[i : i + 1]).sum() for i in range(150)).backward()\n"
        "    check.close(x.grad, torch.full((150, 3), 2.0))"
    )
    code = """
        import gc, torch
        weight = torch.ones(2, 3, requires_grad=True)

        def first(x):
            return x @ weight.T

        def second(h):
            return torch.sin(h)

        def count():
            gc.collect()
            return sum(type(thing) is torch.Tensor and thing.requires_grad for thing in gc.get_objects())
    """
    result = work.answer(code)
    assert result.points == 1, result.tests[0].detail
