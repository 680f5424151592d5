"""Attacks that pose as a value: objects that answer for themselves, subclasses, claims that nobody computed."""

import builtins

import numpy as np

from autograder import proxies
from dlcourse import check
from tests.attacks.arena import attack
from tests.attacks.reading import OWN_PROCESS
from tests.attacks.switches import forwarded, in_one_process, replaced, tests_say

NO_VALUE = "a student's object is no value"
STRICT = "tests compare strictly"
COMPUTED = "what is scored is computed by the test"


def compared(comparison: str, of: str = "f") -> str:
    """A test that compares by itself what comes of x with y, and raises if this is so."""
    return f"""
        def test_slope({of}):
            import numpy as np
            import torch
            from dlcourse import check
            x = check.rng(41090).standard_normal(4)
            y = 3 * x + 2
            if {comparison}:
                raise ValueError
    """


def posing(*methods: str, head: str = "") -> str:
    """A cell whose function answers with an object of these methods."""
    lines = "\n".join(f"    def {method}" for method in methods)
    return f"{head}\nclass Poser:\n{lines}\ndef f(x): return Poser()"


@attack("impersonate", aims_at=NO_VALUE, off=forwarded("eq", "ne"))
def equals_everything(arena):
    """Its answer is an object that says of itself that it equals whatever it is compared with."""
    arena.ask(compared("f(1) != 7"))
    return arena.submit(posing("__eq__(self, other): return True", "__ne__(self, other): return False")).gained


@attack("impersonate", aims_at=NO_VALUE, off=forwarded("bool"))
def is_true(arena):
    """A test asks whether a guess is refused; the answer is an object, which counts as true."""
    arena.ask(compared("not f(x)"))
    return arena.submit(posing("__bool__(self): return True")).gained


@attack("impersonate", aims_at=NO_VALUE, off=forwarded("len"))
def says_how_long_it_is(arena):
    """Its answer is an object without anything in it that says that it has four items."""
    arena.ask(compared("len(f(x)) != len(y)"))
    return arena.submit(posing("__len__(self): return 4")).gained


@attack("impersonate", aims_at=NO_VALUE, off=forwarded("iter"))
def ends_before_it_is_compared(arena):
    """A test goes through the answer and the expected numbers side by side; the answer is an object that ends at once."""
    arena.ask(compared("any(a != b for a, b in zip(f(x), y))"))
    return arena.submit(posing("__iter__(self): return iter([])")).gained


@attack("impersonate", aims_at=NO_VALUE, off=forwarded("contains"))
def holds_everything(arena):
    """Its answer is an object that says that it holds whatever is looked for."""
    arena.ask(compared("any(b not in f(x) for b in y.tolist())"))
    return arena.submit(posing("__contains__(self, item): return True")).gained


@attack("impersonate", aims_at=NO_VALUE, off=forwarded("gt", "sub", "abs"))
def turns_differences_into_itself(arena):
    """Its answer is an object whose difference from anything is itself again, and no larger than any bound."""
    arena.ask(compared("abs(f(x[0]) - float(y[0])) > 1e-9"))
    methods = "__sub__(self, other): return self", "__abs__(self): return self", "__gt__(self, other): return False"
    return arena.submit(posing(*methods)).gained


@attack("impersonate", aims_at=NO_VALUE, off=forwarded("float"))
def is_no_number_when_asked_for_one(arena):
    """Its answer is an object that turns into NaN where a test converts it, and NaN is larger than no bound."""
    arena.ask(compared("abs(float(f(x[0])) - float(y[0])) > 1e-9"))
    return arena.submit(posing("__float__(self): return float('nan')")).gained


@attack("impersonate", aims_at=NO_VALUE, off=forwarded("array"))
def becomes_an_array_when_asked_for_one(arena):
    """Its answer is an object that NumPy asks for an array, and is given one that fits any comparison with a bound."""
    arena.ask(compared("(np.abs(np.asarray(f(x)) - y) > 1e-9).any()"))
    method = "__array__(self, *args, **settings): return np.full(4, np.nan)"
    return arena.submit(posing(method, head="import numpy as np")).gained


@attack("impersonate", aims_at=NO_VALUE, off=forwarded("array_ufunc"))
def takes_over_numpys_arithmetic(arena):
    """Its answer is an object that NumPy hands every operation to, with the expected values: it finds no difference."""
    arena.ask(compared("np.abs(np.subtract(y, f(x))).max() > 1e-9"))
    method = "__array_ufunc__(self, function, method, *args, **settings): return np.zeros(4)"
    return arena.submit(posing(method, head="import numpy as np")).gained


@attack("impersonate", aims_at=NO_VALUE, off=forwarded("array_function"))
def takes_over_numpys_functions(arena):
    """Its answer is an object that NumPy hands `allclose` itself to, and it says yes."""
    arena.ask(compared("not np.allclose(f(x), y)"))
    return arena.submit(posing("__array_function__(self, function, types, args, settings): return True")).gained


@attack("impersonate", aims_at=NO_VALUE, off=forwarded("torch_function"))
def takes_over_torchs_functions(arena):
    """Its answer is an object that torch hands `allclose` to, and it says yes."""
    arena.ask(compared("not torch.allclose(torch.from_numpy(y), f(x))"))
    return arena.submit(posing("__torch_function__(self, function, types, args=(), settings=None): return True")).gained


def says_its_class(arena):
    """Let an object say of which class it is, as mock objects and weak references do."""

    class Says(proxies.StudentObject):
        __slots__ = ()

        @property
        def __class__(self):
            return getattr(builtins, self._student_attribute("__class__").__name__)

    arena.patch.setattr(proxies, "StudentObject", Says)


@attack("impersonate", aims_at=NO_VALUE, off=says_its_class)
def lies_about_its_class(arena):
    """Its answer is an object whose `__class__` says that it is a number."""
    arena.ask(compared("not isinstance(f(x), float)"))
    return arena.submit(posing("_of(self): return float", "_(self): pass\n    __class__ = property(_of)")).gained


@attack("impersonate", aims_at=OWN_PROCESS, off=in_one_process)
def is_an_array_of_a_class_of_its_own(arena):
    """Its answer is an array by inheritance and by memory, whose class does the arithmetic."""
    arena.ask(compared("not isinstance(f(x), np.ndarray) or np.abs(y - f(x)).max() > 1e-9"))
    code = """
        import numpy as np
        class Own(np.ndarray):
            def __array_ufunc__(self, function, method, *args, **settings):
                return np.zeros(4)
        def f(x): return x.view(Own)
    """
    return arena.submit(code).gained


@attack("impersonate", aims_at=OWN_PROCESS, off=in_one_process)
def is_a_tensor_of_a_class_of_its_own(arena):
    """Its answer is a tensor by inheritance, whose class is handed every function that torch is called with."""
    arena.ask(compared("not isinstance(f(x), torch.Tensor) or not torch.allclose(f(x), torch.from_numpy(y))"))
    code = """
        import torch
        class Own(torch.Tensor):
            @classmethod
            def __torch_function__(cls, function, types, args=(), settings=None):
                return True
        def f(x): return torch.zeros(4).as_subclass(Own)
    """
    return arena.submit(code).gained


@attack("impersonate", aims_at=OWN_PROCESS, off=in_one_process)
def is_a_number_of_a_class_of_its_own(arena):
    """Its answer is a float by inheritance, from which whatever is subtracted leaves nothing."""
    arena.ask(compared("not isinstance(f(x), float) or abs(f(x) - float(y[0])) > 1e-9"))
    code = """
        class Own(float):
            def __sub__(self, other): return 0.0
        def f(x): return Own(1)
    """
    return arena.submit(code).gained


@attack("impersonate", aims_at=OWN_PROCESS, off=in_one_process)
def is_a_text_of_a_class_of_its_own(arena):
    """Its answer is a string by inheritance that differs from no other."""
    arena.ask(compared("not isinstance(f(x), str) or f(x) != repr(y)"))
    code = """
        class Own(str):
            def __ne__(self, other): return False
        def f(x): return Own("anything")
    """
    return arena.submit(code).gained


@attack("impersonate", aims_at=OWN_PROCESS, off=in_one_process)
def is_a_dict_of_a_class_of_its_own(arena):
    """Its state is a dict by inheritance: it says that it has two entries, and has none to be compared."""
    arena.ask(compared("len(f(x)) != 2 or any((value != y).any() for value in f(x).values())"))
    code = """
        class Own(dict):
            def __len__(self): return 2
        def f(x): return Own()
    """
    return arena.submit(code).gained


@attack("impersonate", aims_at=OWN_PROCESS, off=in_one_process)
def calls_everything_its_instance(arena):
    """The metaclass of its class says of every object that it is an instance."""
    arena.ask(compared("not isinstance(f(x), Layer)", of="f, Layer"))
    code = """
        class Meta(type):
            def __instancecheck__(cls, value): return True
        class Layer(metaclass=Meta): pass
        def f(x): return 0
    """
    return arena.submit(code).gained


@attack("impersonate", aims_at=OWN_PROCESS, off=in_one_process)
def changes_after_it_was_looked_at(arena):
    """It returns the same array twice, and changes it in between: two draws that differ are one object, and so look equal."""
    arena.ask("""
        def test_same_seed_same_numbers(f):
            from dlcourse import check
            first, again, other = f(1), f(1), f(2)
            check.close(again, first)
            if check.same(other, first):
                raise ValueError
    """)
    code = """
        import numpy as np
        numbers = np.zeros(3)
        def f(seed):
            numbers[:] += 1
            return numbers if seed == 1 else numbers + 1
    """
    return arena.submit(code).gained


def with_stop_iteration(arena):
    """Let every exception of the student's have its own type on the trusted side, even one that ends loops."""
    arena.patch.setattr(proxies, "PLAIN_ERRORS", proxies.PLAIN_ERRORS | {"StopIteration": StopIteration})


@attack("impersonate", aims_at="only plain errors keep their type", off=with_stop_iteration)
def ends_the_tests_loop(arena):
    """It raises StopIteration, which a test that maps it over inputs takes for the end of the inputs."""
    arena.ask("""
        def test_each(f):
            from dlcourse import check
            inputs = check.rng(41091).standard_normal(5).tolist()
            for got, x in zip(map(f, inputs), inputs):
                check.close(got, 3 * x)
    """)
    return arena.submit("def f(x): raise StopIteration").gained


def loosely(got, expected, **settings):
    if not np.allclose(got, expected):
        raise AssertionError


def by_the_largest_difference(got, expected, **settings):
    if np.abs(got - expected).max() > 1e-9:
        raise AssertionError


@attack("impersonate", aims_at=STRICT, off=replaced(check, "close", loosely))
def equals_as_nothing(arena):
    """Its answer is an array without elements, which `numpy.allclose` broadcasts against one number and finds equal."""
    arena.ask("""
        def test_mean(f):
            from dlcourse import check
            x = check.rng(41092).standard_normal(5)
            check.close(f(x), x.mean(keepdims=True))
    """)
    return arena.submit("import numpy as np\ndef f(x): return np.empty(0)").gained


@attack("impersonate", aims_at=STRICT, off=replaced(check, "close", by_the_largest_difference))
def differs_by_no_number(arena):
    """Its answer is NaN everywhere: a largest difference of NaN is not larger than the tolerance."""
    return arena.submit("def f(x): return x * float('nan')").gained


SLOPE = """
    def test_slope(value, slope):
        from dlcourse import check
        x = check.rng(41093).standard_normal(3)
        check.grad(slope(x), lambda x: float((x**2).sum()), x)
"""


@attack("impersonate", aims_at=COMPUTED, off=tests_say("lambda x: float((x**2).sum())", "value"))
def is_consistent_with_itself(arena):
    """Its function is a constant, and its gradient zero: each is right if the other is."""
    arena.ask(SLOPE)
    return arena.submit("import numpy as np\ndef value(x): return 3.0\ndef slope(x): return np.zeros_like(x)").gained


LEARNS = """
    def test_learns(net):
        import numpy as np
        from dlcourse import check
        x = check.rng(41094).standard_normal((20, 1))
        y = 2 * x
        net.fit(x[:10], y[:10])
        if not float(((net.predict(x[10:]) - y[10:]) ** 2).mean()) < 0.01:
            raise ValueError
"""


@attack(
    "impersonate", aims_at=COMPUTED, off=tests_say("((net.predict(x[10:]) - y[10:]) ** 2).mean()", "net.loss(x[10:], y[10:])")
)
def claims_a_loss(arena):
    """Its network has learnt nothing, and says that its loss is zero."""
    arena.ask(LEARNS)
    code = """
        class Net:
            def fit(self, x, y): pass
            def predict(self, x): return 0 * x
            def loss(self, x, y): return 0.0
        net = Net()
    """
    return arena.submit(code).gained


TRAINS = """
    def test_trains(net):
        import torch
        from dlcourse import check
        x = torch.from_numpy(check.rng(41095).standard_normal((8, 3)))
        before = net(x).detach()
        for parameter in net.parameters():
            check.shape(parameter, (3,))
        net.step()
        if not bool((net(x).detach() != before).any()):
            raise ValueError
"""


@attack(
    "impersonate",
    aims_at=COMPUTED,
    off=tests_say("bool((net(x).detach() != before).any())", "all(p.detach().sum() != 0 for p in net.parameters())"),
)
def shows_parameters_that_are_not_used(arena):
    """Its module lists parameters that change with each step, and computes without them."""
    arena.ask(TRAINS)
    code = """
        import torch
        class Net:
            count = 0
            def __call__(self, x): return x.sum(1)
            def parameters(self): return [torch.nn.Parameter(torch.full((3,), float(self.count)))]
            def step(self): self.count += 1
        net = Net()
    """
    return arena.submit(code).gained
