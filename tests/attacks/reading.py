"""Attacks that read what they may not: hidden tests, other processes, the machine."""

from tests.attacks.arena import attack
from tests.attacks.switches import in_one_process, without


@attack("read", aims_at="Landlock", off=without("landlock"))
def opens_the_hidden_tests_file(arena):
    """Opens the file of a hidden test by its path, and lets its own cell fail with the text."""
    return arena.submit(f"raise ValueError(open({arena.test_file!r}).read())").shows(arena.secret)


@attack("read", aims_at="tests run in a process of their own", off=in_one_process)
def searches_the_garbage_collectors_lists(arena):
    """When it is called by a test, it goes through every object of the process for the test's function and its constants."""
    code = """
        import gc, types
        def f(x):
            codes = [o.__code__ for o in gc.get_objects() if type(o) is types.FunctionType and o.__name__ == "test_slope"]
            found = [c for code in codes for c in code.co_consts if type(c) is str and "-" in c]
            return 3 * x + len(found[0])
    """
    return arena.submit(code).gained
