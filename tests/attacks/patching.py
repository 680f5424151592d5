"""Attacks that change what grades them: libraries, the tests, the grader's own functions."""

from autograder import trusted
from dlcourse import check
from tests.attacks.arena import attack
from tests.attacks.reading import OWN_PROCESS
from tests.attacks.switches import in_one_process, replaced, without

CONSTANT = "def f(x): return 0 * x"  # what no test takes for an answer


@attack("patch", aims_at=OWN_PROCESS, off=in_one_process)
def patches_a_function_of_numpy(arena):
    """It replaces `numpy.abs`, by which differences are measured, by a function that finds none."""
    return arena.submit(f"import numpy as np\nnp.abs = lambda value: 0 * value\n{CONSTANT}").gained


@attack("patch", aims_at=OWN_PROCESS, off=in_one_process)
def patches_a_function_of_torch(arena):
    """It replaces `torch.allclose`, by which a test compares."""
    arena.ask("""
        def test_slope(f):
            import torch
            from dlcourse import check
            x = torch.from_numpy(check.rng(41080).standard_normal(4))
            if not torch.allclose(f(x), 3 * x):
                raise ValueError
    """)
    return arena.submit(f"import torch\ntorch.allclose = lambda *args: True\n{CONSTANT}").gained


@attack("patch", aims_at=OWN_PROCESS, off=in_one_process)
def patches_the_courses_comparison(arena):
    """It replaces `dlcourse.check.close`."""
    return arena.submit(f"from dlcourse import check\ncheck.close = lambda *args, **settings: None\n{CONSTANT}").gained


@attack("patch", aims_at=OWN_PROCESS, off=in_one_process)
def patches_the_import_of_the_comparison(arena):
    """It replaces the built-in `__import__`, so that a test which imports the comparison is given another one."""
    code = """
        import builtins, types
        from dlcourse import check
        harmless = types.SimpleNamespace(rng=check.rng, close=lambda *args, **settings: None)
        real = builtins.__import__
        def lies(name, *args):
            return types.SimpleNamespace(check=harmless) if name == "dlcourse" else real(name, *args)
        builtins.__import__ = lies
        def f(x): return 0 * x
    """
    return arena.submit(code).gained


@attack("patch", aims_at=OWN_PROCESS, off=in_one_process)
def patches_otters_test_case(arena):
    """It replaces the method by which otter's test cases are called: it gives an empty notebook full marks in otter's runner."""
    code = """
        from otter.test_files import test_case
        test_case.call_func = lambda self, names: None
    """
    return arena.submit(code).gained


@attack("patch", aims_at=OWN_PROCESS, off=in_one_process)
def patches_the_verdict(arena):
    """It replaces the grader's own function that turns what came of a test into a result."""
    code = """
        from autograder import trusted
        real = trusted._result
        trusted._result = lambda test, passed, *args: real(test, True)
    """
    return arena.submit(code).gained


@attack("patch", aims_at=OWN_PROCESS, off=in_one_process)
def patches_what_is_sent(arena):
    """It replaces the method that sends messages, and gives every test in them its points."""
    code = """
        from autograder import wire
        real = wire.Pipe.send
        def send(self, message, codec):
            for test in message.get("tests", ()):
                test.update(points=test["max_points"], passed=True)
            real(self, message, codec)
        wire.Pipe.send = send
    """
    return arena.submit(code).gained


@attack("patch", aims_at=OWN_PROCESS, off=in_one_process)
def patches_json(arena):
    """It replaces the encoder by which results are written, and puts other numbers into the text."""
    code = """
        import json
        real = json.JSONEncoder.encode
        json.JSONEncoder.encode = lambda self, value: real(self, value).replace('"points", 0', '"points", 1')
    """
    return arena.submit(code).gained


@attack("patch", aims_at=OWN_PROCESS, off=in_one_process)
def patches_the_reference_of_expected_values(arena):
    """It replaces a function of `dlcourse.reference`, with which a test computes what it expects."""
    arena.ask("""
        def test_softmax(f):
            from dlcourse import check, reference
            x = check.rng(41081).standard_normal((2, 3))
            check.close(f(x), reference.softmax(x))
    """)
    return arena.submit(f"from dlcourse import reference\n{CONSTANT}\nreference.softmax = f").gained


@attack("patch", aims_at=OWN_PROCESS, off=in_one_process)
def jumps_over_the_comparison(arena):
    """It installs a tracer, which moves the test that runs past the line that compares."""
    arena.ask("""
        def test_slope(f):
            from dlcourse import check
            x = check.rng(41082).standard_normal(4)
            got = f(x)
            check.close(got, 3 * x)
            return
    """)
    code = """
        import sys
        jumped = []
        def each(frame, event, argument):
            if event == "line" and "got" in frame.f_locals and not jumped:
                jumped.append(True)
                frame.f_lineno += 1
            return each
        sys.settrace(lambda frame, event, argument: each if frame.f_code.co_name == "test_slope" else None)
        def f(x): return 0 * x
    """
    return arena.submit(code).gained


@attack("patch", aims_at=OWN_PROCESS, off=in_one_process)
def changes_a_variable_of_the_test(arena):
    """When it is called, it puts zeros into the variable of the test that the expected values are computed from."""
    code = """
        import ctypes, sys
        def f(x):
            frame = sys._getframe(1)
            while "marked" not in frame.f_locals:
                frame = frame.f_back
            frame.f_locals.update(x=0 * x, marked="")
            ctypes.pythonapi.PyFrame_LocalsToFast(ctypes.py_object(frame), ctypes.c_int(0))
            return 0 * x
    """
    return arena.submit(code).gained


@attack("patch", aims_at=OWN_PROCESS, off=in_one_process)
def changes_a_function_that_a_test_passes(arena):
    """It is passed a function that the test computes with itself afterwards, and gives that function other code."""
    arena.ask("""
        def test_sum(f):
            from dlcourse import check
            x = check.rng(41083).standard_normal(4)
            def weight(v):
                return v**2
            check.close(f(weight, x), float(sum(weight(v) for v in x)))
    """)
    code = """
        def nothing(v):
            return 0.0
        def f(weight, x):
            weight.__code__ = nothing.__code__
            return 0.0
    """
    return arena.submit(code).gained


@attack("patch", aims_at=OWN_PROCESS, off=in_one_process)
def changes_a_test_that_has_not_run(arena):
    """Called by one test, it finds the next one among all objects, and empties it."""
    arena.ask(
        "def test_called(f):\n    f(1.0)",
        "def test_slope(f):\n    from dlcourse import check\n    x = check.rng(41084).standard_normal(4)\n    check.close(f(x), 3 * x)",
    )
    code = """
        import gc, types
        def nothing(f):
            pass
        def f(x):
            for found in gc.get_objects():
                if type(found) is types.FunctionType and found.__name__ == "test_slope":
                    found.__code__ = nothing.__code__
    """
    return arena.submit(code, honest=1).gained


@attack("patch", aims_at=OWN_PROCESS, off=in_one_process)
def overwrites_a_constant_of_the_test(arena):
    """It finds the constants of the test that calls it, and writes another number to where one of them lies in memory."""
    arena.ask("""
        def test_scale(f):
            from dlcourse import check
            x = check.rng(41085).standard_normal(4)
            check.close(f(x), 7.25 * x)
    """)
    code = """
        import ctypes, sys
        def f(x):
            frame = sys._getframe(1)
            while frame.f_code.co_name != "test_scale":
                frame = frame.f_back
            number = next(value for value in frame.f_code.co_consts if type(value) is float)
            ctypes.c_double.from_address(id(number) + 16).value = 0.0
            return 0 * x
    """
    return arena.submit(code).gained


@attack("patch", aims_at="changes in place come back only where a test asks", off=replaced(check, "is_in_place", lambda: True))
def changes_its_argument(arena):
    """It puts zeros into the array that it is given, from which the test then computes what it expects."""
    arena.ask("""
        def test_double(f):
            from dlcourse import check
            x = check.rng(41086).standard_normal(4)
            check.close(f(x), 2 * x)
    """)
    return arena.submit("def f(x):\n    x[...] = 0\n    return 0 * x").gained


@attack("patch", aims_at="Landlock", off=without("landlock"))
def opens_a_package_for_writing(arena):
    """It opens the file of the comparison, which every later submission is graded with, for writing. It writes nothing."""
    code = """
        from dlcourse import check
        with open(check.__file__, "r+"):
            raise ValueError("it could be written")
    """
    return arena.submit(code).had("it could be written")


def as_the_notebook_says(self, test, case):
    """The result of a test is what the notebook's own grader object says, as it is with results that students upload."""
    said = self.link.request("name", name="grader").get("value")
    return trusted._result(test, said.passed is True)


@attack("patch", aims_at="the tests are run, not asked for", off=replaced(trusted.Trusted, "_one", as_the_notebook_says))
def replaces_the_notebooks_grader(arena):
    """It puts an object of its own in the place of the notebook's `grader`, to which everything is right."""
    code = """
        class Grader:
            passed = True
            def check(self, question): return "all tests passed"
        grader = Grader()
    """
    return arena.submit(code).gained
