"""Attacks that forge what is said: frames, replies, values that no codec makes, events."""

import base64
import importlib
import os
import pickle

from autograder import proxies, student, submission, trusted, wire
from tests.attacks.arena import attack
from tests.attacks.reading import SETTLED
from tests.attacks.switches import edited, replaced

BOUNDS = "bounds on every frame"
TYPES = "plain values and references, and no other tag"

# A cell's beginning: `forge` makes each reply to a call pass through a function, as a tree with its buffers.
FORGE = """
import base64, json, os, pickle, re, struct
import numpy as np
from autograder import wire
calls = []
def frame(tree, buffers=()):
    data = json.dumps(tree).encode()
    sizes = struct.pack(f"<{len(buffers)}Q", *map(len, buffers))
    return struct.pack("<II", len(data), len(buffers)) + sizes + data + b"".join(buffers)
def forge(change):
    def send(self, message, codec):
        buffers = wire.Outgoing()
        tree = {key: codec.encode(value, buffers) for key, value in message.items()}
        if "value" in tree and "warnings" in tree:
            calls.append(tree)
            change(tree, buffers)
        self._write(frame(tree, buffers))
    wire.Pipe.send = send
"""


def forging(code: str) -> str:
    """A cell of these lines, after the beginning."""
    return FORGE + "\n".join(line[4:] for line in code.splitlines())


@attack("forge", aims_at=SETTLED, off=edited(student, "_settle", "os.closerange(PIPE + 1, 65536)", "pass"))
def tells_the_grader_that_all_is_right(arena):
    """On every descriptor that it finds, it writes the event by which the trusted side reports a question with full marks."""
    code = """
    test = ["d", "topic", "a", "points", 1, "max_points", 1, "hidden", True, "passed", True, "hint", None, "message", None,
            "detail", ""]
    event = {"event": "question", "question": "q1", "status": "graded", "tests": ["l", test], "note": "", "detail": "",
             "seconds": 0.0}
    for fd in range(63, 3, -1):  # its own channel last
        try:
            os.write(fd, frame(event))
        except OSError:
            continue
    """
    return arena.submit(forging(code)).gained


@attack("forge", aims_at=SETTLED, off=edited(student, "_settle", "os.dup2(quiet, target)", "pass"))
def prints_to_the_graders_terminal(arena):
    """It writes a line to its standard outputs, which would stand in the terminal of whoever grades, or in a file of results."""
    terminal = arena.private / "terminal"
    kept = os.dup(2)
    opened = os.open(terminal, os.O_RDWR | os.O_CREAT)
    try:
        os.dup2(opened, 2)
        arena.submit("import os\nfor fd in (1, 2):\n    os.write(fd, b'someone: 100 points')")
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(opened)
    return "someone: 100 points" in terminal.read_text()


def reads_also(tag, made):
    """Let the trusted side read one tag more than those of plain values and references."""
    real = proxies.TrustedCodec.resolve

    def resolve(self, found, parts):
        return made(self, *parts) if found == tag else real(self, found, parts)

    return replaced(proxies.TrustedCodec, "resolve", resolve)


# As engines do that send by pickle what they have no tag for, whose two sides read the same tags, and that keep all in one list.
PICKLES = reads_also("p", lambda codec, text: pickle.loads(base64.b64decode(text)))
NAMES = reads_also("q", lambda codec, module, name: getattr(importlib.import_module(module), name))
OWN_FUNCTIONS = reads_also("f", lambda codec, number: codec.functions[number])


@attack("forge", aims_at=TYPES, off=PICKLES)
def sends_a_pickle(arena):
    """Its answer is a pickle that, when it is read, runs code where the tests are: the comparison is gone then."""
    code = """
    class Gift:
        def __reduce__(self):
            return exec, ("from dlcourse import check\\ncheck._close = lambda *args: None",)
    def change(tree, buffers):
        tree["value"] = ["p", base64.b64encode(pickle.dumps(Gift())).decode()]
    forge(change)
    def f(x): return 0
    """
    return arena.submit(forging(code)).gained


@attack("forge", aims_at=TYPES, off=NAMES)
def names_an_object_of_a_library(arena):
    """Its answer is the name of an object that the grader can import by itself, and that equals everything."""
    arena.ask("""
        def test_slope(f):
            from dlcourse import check
            x = float(check.rng(41100).standard_normal())
            if f(x) != 3 * x:
                raise ValueError
    """)
    code = """
    def change(tree, buffers):
        tree["value"] = ["q", "unittest.mock", "ANY"]
    forge(change)
    def f(x): return x
    """
    return arena.submit(forging(code)).gained


@attack(
    "forge",
    aims_at="changes in place come back only where a test asks",
    off=edited(proxies.Link, "call", "if watch:\n", "if True:\n"),
)
def sends_changes_that_nobody_asked_for(arena):
    """Beside its answer it sends what its argument is to hold from now on: zeros, for which zero is the right answer."""
    arena.ask("""
        def test_double(f):
            from dlcourse import check
            x = check.rng(41101).standard_normal(4)
            check.close(f(x), 2 * x)
    """)
    code = """
    def change(tree, buffers):
        buffers.append(np.zeros(4).tobytes())
        tree["changed"] = ["l", ["l", 0, ["n", "<f8", [4], len(buffers) - 1]]]
    forge(change)
    def f(x): return 0 * x
    """
    return arena.submit(forging(code)).gained


@attack(
    "forge",
    aims_at="a reply answers one request",
    off=edited(proxies.Link, "request", 'elif type(reply.get("id")) is int and reply["id"] == number:', 'elif "id" in reply:'),
)
def replies_twice(arena):
    """It sends its first answer twice, so that the second call is answered before it is made, and by the same numbers."""
    arena.ask("""
        def test_same_seed_same_numbers(f):
            from dlcourse import check
            first = f(1)
            check.shape(first, (3,))
            check.close(f(1), first)
    """)
    code = """
    def change(tree, buffers):
        if len(calls) == 1:
            os.write(3, frame(tree, buffers))
    forge(change)
    def f(seed): return np.random.default_rng().standard_normal(3)
    """
    return arena.submit(forging(code)).gained


@attack("forge", aims_at="a test's functions end with it", off=replaced(proxies.Link, "begin_test", lambda self: None))
def calls_a_function_of_another_question(arena):
    """One question passed it a function that another question asks for: it calls that one, by its number, from there."""
    arena.ask("def test_use(use):\n    from dlcourse import check\n    check.close(use(lambda x: 3 * x + 5, 1.0), 8.0)")
    arena.ask_more("""
        def test_find(find):
            from dlcourse import check
            x = float(check.rng(41102).standard_normal())
            check.close(find(x), 3 * x + 5)
    """)
    first = "kept = []\ndef use(g, x):\n    kept.append(g)\n    return g(x)"
    return arena.grade(first, 'grader.check("q1")', "def find(x): return kept[0](x)", 'grader.check("q2")', honest=1).gained


OUTSIDE = """
    def test_use(make, use):
        # It draws where the student's generator stands, and tells what it drew. What it keeps fills the gaps of the memory
        # around, so that it does not take luck to meet it.
        from dlcourse import check
        marked = "kestrel-7351"
        kept = [(f'marked = "{marked}"' * 30 + str(i)).encode() for i in range(20_000)]
        drawn = make().integers(1 << 32, size=150_000, dtype="uint32")
        check.close(use(drawn), len(marked) + 0 * len(kept))
"""
ANY_PLACE = edited(wire, "_generator", "_check_state(state, made.state)", "pass")


@attack("forge", aims_at="a generator's place lies in its numbers", off=ANY_PLACE)
def sends_a_generator_that_stands_outside(arena):
    """It returns a random generator that stands far before its numbers: whoever draws from it draws from their own memory."""
    arena.ask(OUTSIDE)
    code = """
    def untempered(y):  # what MT19937 makes of each word that it holds, taken back
        y = y ^ y >> 18
        y = y ^ y << 15 & 0xEFC60000
        z = y
        for _ in range(4):
            z = y ^ z << 7 & 0x9D2C5680
        return z ^ z >> 11 ^ z >> 22
    def make():
        bits = np.random.MT19937(0)
        bits.state = bits.state | {"state": bits.state["state"] | {"pos": PLACE}}
        return np.random.Generator(bits)
    def use(drawn):
        text = untempered(drawn).astype("<u4").tobytes()
        return len(re.findall(b'marked = "([a-z]+-[0-9]+)"', text)[0])
    """
    places = -140_000, -280_000, -560_000, 700, 150_000  # before its numbers, and behind them
    return any(arena.submit(forging(code).replace("PLACE", str(place))).gained for place in places)


def frame_of(header: str) -> str:
    """A cell whose function writes the beginning of a frame."""
    return f"import os, struct, time\ndef f(x):\n    os.write(3, {header} + bytes(64))\n    time.sleep(1)"


SMALL = submission.Limits(submission_s=60, grace_s=0.5, trusted_memory_mb=300)


@attack("forge", aims_at=BOUNDS, off=edited(wire.Pipe, "receive", "size > MAX_TREE or "))
def announces_four_gigabytes(arena):
    """It sends the head of a frame of 4 GB: the memory for it would be taken before it came."""
    return arena.submit(frame_of('struct.pack("<II", 0xFFFFFFF0, 0)'), limits=SMALL).result.status == "memory"


@attack("forge", aims_at=BOUNDS, off=edited(wire.Pipe, "receive", " or count > MAX_BUFFERS"))
def announces_a_billion_buffers(arena):
    """It sends the head of a frame of a billion buffers, whose sizes alone would fill the memory."""
    return arena.submit(frame_of('struct.pack("<II", 2, 10**9)'), limits=SMALL).result.status == "memory"


@attack("forge", aims_at=BOUNDS, off=edited(wire.Pipe, "receive", "if sum(sizes) > MAX_BYTES:", "if False:"))
def announces_a_buffer_of_a_terabyte(arena):
    """It sends the head of a frame that is small, but for the size of its one buffer."""
    return arena.submit(frame_of('struct.pack("<IIQ", 2, 1, 1 << 40) + b"{}"'), limits=SMALL).result.status == "memory"


HINTED = """
    def test_slope(f, name):
        from dlcourse import check
        x = int(check.rng(41103).integers(10**9, 10**10))
        check.close(f(x), 3 * x, mistakes={name(): 0})
"""
ANY_HINT = edited(
    trusted.Trusted,
    "_failed",
    '(type(hint) is str and (hint in test["hints"] or hint in check.STANDING_HINTS))',
    "(type(hint) is str)",
)


@attack("forge", aims_at="a hint is one of its author's", off=ANY_HINT)
def writes_its_own_hint(arena):
    """A test names a mistake as the student's object calls it; it calls it by the hidden input, to have it shown as the hint."""
    arena.ask(HINTED)
    code = 'seen = []\ndef f(x):\n    seen.append(x)\n    return 0\ndef name(): return f"the input was {seen[0]}"'
    return arena.submit(code).shows("the input was ")


@attack("forge", aims_at=TYPES, off=OWN_FUNCTIONS)
def hands_a_function_of_the_test_back(arena):
    """A test passes its own function for comparison, and is answered by the number of that function: it compares it with itself."""
    arena.ask("""
        def test_derivative(derivative):
            from dlcourse import check
            def square(x):
                return x**2
            def slope(x):
                return 2 * x
            found = derivative(square, slope)
            for x in check.rng(41104).standard_normal(3).tolist():
                check.close(found(x), slope(x))
    """)
    code = """
    numbers = []
    def change(tree, buffers):
        if len(calls) == 1:
            tree["value"] = ["f", numbers[0]]
    forge(change)
    def derivative(g, slope):
        numbers.extend(cell.cell_contents for cell in slope.__closure__ if type(cell.cell_contents) is int)
        return g
    """
    return arena.submit(forging(code)).gained
