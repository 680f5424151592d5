"""The wire format: what crosses arrives as it was, what may not cross stays, and no frame does more than be refused."""

import inspect
import json
import math
import socket
import struct
import subprocess
import sys
import textwrap
import threading
import time
import tracemalloc
from collections import Counter, OrderedDict, UserDict, deque
from enum import IntEnum
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings

from autograder import proxies, student, submission, trusted, wire
from tests import engine, link_fuzz, wire_fuzz
from tests.engine import Work

ROOT = Path(__file__).resolve().parent.parent
quick = settings(max_examples=150, deadline=None, database=None, suppress_health_check=list(HealthCheck))


class Sides:
    """Two ends of a pipe, a codec at each."""

    def __init__(self, sender: wire.Codec, receiver: wire.Codec):
        self.sockets = socket.socketpair()
        for end in self.sockets:
            end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4 << 20)
        self.out, self.back = (wire.Pipe(end.fileno()) for end in self.sockets)
        self.sender, self.receiver = sender, receiver

    def cross(self, value):
        self.out.send({"value": value}, self.sender)
        return self.back.receive(self.receiver)["value"]

    def is_quiet(self) -> bool:
        """Whether nothing was sent."""
        self.sockets[1].setblocking(False)
        try:
            return not self.sockets[1].recv(1)
        except BlockingIOError:
            return True
        finally:
            self.sockets[1].setblocking(True)


@pytest.fixture
def plain():
    return Sides(wire.Codec(), wire.Codec())


@pytest.fixture
def from_student():
    return Sides(student.StudentCodec(None), proxies.TrustedCodec(wire_fuzz.NoLink()))


def to_student() -> Sides:
    return Sides(proxies.TrustedCodec(wire_fuzz.NoLink()), student.StudentCodec(None))


# --- round trips ----------------------------------------------------------------------------------------------------------


@quick
@given(wire_fuzz.values())
def test_what_crosses_arrives_as_it_was(value):
    assert wire_fuzz.same(Sides(wire.Codec(), wire.Codec()).cross(value), value)


@quick
@given(wire_fuzz.values(("none", "leaf", "parameter", "grad")))
def test_what_the_student_sends_arrives_as_it_was(value):
    sides = Sides(student.StudentCodec(None), proxies.TrustedCodec(wire_fuzz.NoLink()))
    assert wire_fuzz.same(sides.cross(value), value)


@quick
@given(wire_fuzz.tensors(("leaf", "parameter", "grad", "computed")))
def test_what_the_student_gets_asks_for_the_same_gradients(value):
    arrived = to_student().cross(value)
    assert type(arrived) is torch.Tensor and arrived.requires_grad is value.requires_grad
    assert wire_fuzz.same(arrived.detach(), value.detach().clone())


@pytest.mark.parametrize("name", wire_fuzz.ARRAY_TYPES)
def test_arrays_and_scalars_of_each_dtype(plain, name):
    rng = np.random.default_rng(0)
    dtype = np.dtype(name)
    full = np.frombuffer(rng.bytes(24 * dtype.itemsize), dtype) if name != "?" else rng.integers(0, 2, 24).astype(bool)
    cube = full.reshape(2, 3, 4)
    scalar = full[:1].astype(dtype.newbyteorder("="))[0]
    for value in (cube, np.asfortranarray(cube), cube[:, ::-2], cube.T, cube[:0], cube[0, 0, 0, ...], scalar, dtype):
        assert wire_fuzz.same(plain.cross(value), value)
    assert plain.cross(np.broadcast_to(full[0], (2, 2))).flags.writeable


@pytest.mark.parametrize("dtype", wire_fuzz.TENSOR_TYPES)
def test_tensors_of_each_dtype(from_student, dtype):
    ones = torch.arange(6).reshape(2, 3).to(dtype)
    values = [
        ones,
        ones.T,
        ones[:, ::2],
        ones[:1, 1],
        ones.T[1:2, 1:],
        ones[:0],
        ones[0, 0],
        ones.expand(2, 2, 3),
        dtype,
        torch.empty((0,) * 32, dtype=dtype),
    ]
    if dtype.is_complex:
        values += [ones.conj(), ones.conj().imag, torch.view_as_real(ones)]
    if dtype.is_complex or dtype.is_floating_point:
        values += [torch.nn.Parameter(ones), ones.clone().requires_grad_()]
    for value in values:
        assert wire_fuzz.same(from_student.cross(value), value)


EXACT = [
    -0.0, math.nan, math.inf, -math.inf, 5e-324, complex(-0.0, math.nan), complex(math.inf, -0.0), 0, -1, 2**63, -(2**200),
    10**4299, True, False, None, ..., "", "\0", "\ud800", "\ud83d\ude00", "\udc00\ud800", "a\U0001f600", "\u2028", b"", bytes(range(256)),
    slice(None), slice(1, -(2**70), None), range(0), range(5, -(2**70), -3), torch.Size([]), torch.Size([0, 2**31 - 1]),
    [], (), set(), frozenset(), {}, OrderedDict(), [[], [[()]]], {(1, (2,)): {frozenset({1}): [1]}}, OrderedDict(b=1, a=2),
    {1: "int", "1": "str", None: 0, ...: 1}, {"l": ["l", "t"]}, ["l"], ["n", "<f8", [], 0], np.array([-0.0, np.nan]), np.float32(-0.0),
    np.frombuffer(struct.pack("<QQ", 0x7FF8DEADBEEF0001, 0xFFF4000000000001), "f8"),
]  # fmt: skip


@pytest.mark.parametrize("value", EXACT, ids=lambda value: repr(value)[:30].encode("ascii", "replace").decode())
def test_values_at_the_edge(plain, value):
    assert wire_fuzz.same(plain.cross(value), value)


def test_frames_that_come_together_are_read_one_by_one(plain):
    """What was read too early is not lost, and nobody waits for it."""
    large = np.arange(5 << 18)  # more than is written at once
    sent = [1, "two", np.arange(3), large, {}, list(range(10_000)), None]
    sender = threading.Thread(daemon=True, target=lambda: [plain.out.send({"value": value}, plain.sender) for value in sent])
    sender.start()
    for value in sent:
        assert plain.back.arrives(10)
        assert wire_fuzz.same(plain.back.receive(plain.receiver)["value"], value)
    sender.join()
    assert not plain.back.arrives(0)


def test_events_that_come_together_are_heard_at_once(tmp_path):
    """Or a question would have begun without its time."""
    mine, theirs = socket.socketpair()
    pair = submission._Pair(mine, tmp_path, engine.QUICK)
    events = trusted.Events(theirs.fileno())
    events.tell("question", number=1)
    events.tell("begin", number=2)
    pair.until = time.monotonic() + 1
    assert [pair.next()["event"], pair.next()["event"], pair.next()["event"]] == ["question", "begin", "gone"]
    pair.close()
    theirs.close()


def test_long_long_is_the_integer_of_its_size(plain):
    """NumPy has two types of one size: only one of them arrives."""
    assert type(plain.cross(np.longlong(3))) is np.int64
    assert plain.cross(np.ones(2, np.ulonglong)).dtype is np.dtype(np.uint64)


class Int(int):
    pass


class Float(float):
    pass


class Text(str):
    pass


class Items(list):
    pass


class Pair(tuple):
    pass


class Names(dict):
    pass


class Ordered(OrderedDict):
    pass


class Group(set):
    pass


class Array(np.ndarray):
    pass


class Scalar(np.float64):
    __module__ = "numpy"


class Tensor(torch.Tensor):
    pass


class Number(complex):
    pass


class Data(bytes):
    pass


class Rng(np.random.Generator):
    pass


class Colour(IntEnum):
    RED = 1


STAYS = [
    Int(1), Float(1.0), Text("a"), Items([1]), Pair((1,)), Names(a=1), Ordered(a=1), Group({1}), np.ones(2).view(Array), Scalar(1.0),
    torch.ones(2).as_subclass(Tensor), Number(1j), Data(b"a"), Rng(np.random.PCG64(1)), Colour.RED, Fraction(1, 2), deque([1]),
    UserDict(a=1), Counter(a=1), np.ma.masked_array([1]), np.matrix([[1]]), np.rec.array([(1, 2)]), np.array([None]),
    np.array(["a"]), np.array(["2020"], "M8[Y]"), np.zeros(2, "f4,i4"), np.ones(2, np.longdouble), np.longdouble(1), np.str_("a"),
    np.void(b"a"), np.datetime64("2020"), np.dtype("O"), np.dtype("f4,i4"), bytearray(b"a"), memoryview(b"a"), slice(0.5), slice(np.int64(1)),
    slice("a", Int(1)), torch.sparse_coo_tensor(torch.zeros((1, 1), dtype=torch.int64), torch.ones(1)), torch.float8_e5m2,
    torch.quantize_per_tensor(torch.ones(2), 0.1, 0, torch.qint8), torch.device("cpu"), np.random.RandomState(1),
    NotImplemented, int, len, math, object(), iter([1]), (i for i in ()),
]  # fmt: skip


@pytest.mark.parametrize("value", STAYS, ids=lambda value: type(value).__name__)
def test_what_is_not_plain_stays_where_it_is(plain, from_student, value):
    for inside in (value, [1, {"a": value}], (value,)):
        with pytest.raises(wire.WireError):
            plain.cross(inside)
        assert plain.is_quiet()
    assert plain.cross(5) == 5
    arrived = from_student.cross([value, 1])
    assert type(arrived[0]) in (proxies.StudentObject, proxies.StudentIterator) and arrived[1] == 1


def nested(depth):
    return [nested(depth - 1)] if depth else []


def looped():
    made = []
    made.append(made)
    return made


def gradients_in_a_ring():
    one, two = torch.ones(1, requires_grad=True), torch.ones(1, requires_grad=True)
    one.grad, two.grad = two, one
    return one


TOO_MUCH = {
    "deep": lambda: nested(41),
    "a loop": looped,
    "gradients in a ring": gradients_in_a_ring,
    "an integer of many digits": lambda: 10**5000,
    "many parts": lambda: [b""] * 10_001,
    "a large tree": lambda: "a" * (17 << 20),
    "an array seen as a large one": lambda: np.broadcast_to(np.float64(1), (200_000, 200_000)),
    "many such arrays": lambda: [np.broadcast_to(np.uint8(1), (1 << 27,))] * 1000,
    "a tensor seen as a large one": lambda: torch.ones(1).expand(10**6, 10**6),
    "a tensor without data": lambda: torch.empty(3, device="meta"),
    "many axes": lambda: np.zeros((1,) * 33),
    "many axes of a tensor": lambda: torch.zeros((1,) * 33),
    "a long axis": lambda: np.empty((2**31, 0)),
    "a long axis of a tensor": lambda: torch.empty((2**31, 0)),
    "a negative size": lambda: torch.Size([-1]),
    "a large size": lambda: torch.Size([2**40]),
}


@pytest.mark.parametrize("case", TOO_MUCH)
def test_what_is_too_much_is_not_sent(plain, from_student, case):
    value = TOO_MUCH[case]()
    for sides in (plain, from_student):
        if case == "gradients in a ring" and sides is plain:
            continue  # gradients are what the student's side adds
        with pytest.raises(wire.WireError):
            sides.cross(value)
        assert sides.is_quiet() and sides.cross("next") == "next"


def test_a_value_too_large_is_not_even_made(plain):
    tracemalloc.start()
    try:
        with pytest.raises(wire.WireError):
            plain.cross([np.broadcast_to(np.uint8(1), (1 << 26,))] * 5)
        assert tracemalloc.get_traced_memory()[1] < wire.MAX_BYTES + (1 << 20)
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    "body", ["return torch.empty(3, device='meta')", "return np.zeros((1,) * 40)", "return torch.Size([-1])"]
)
def test_an_answer_that_cannot_be_sent_costs_its_own_test(tmp_path, body):
    work = Work(tmp_path)
    work.ask("def test_f(f):\n    f(0)", "def test_g(f):\n    if f(3) != 3:\n        raise ValueError")
    result = work.answer(f"import numpy as np\nimport torch\ndef f(x):\n    if x:\n        return x\n    {body}")
    assert [test.passed for test in result.tests] == [False, True] and result.status == "graded"


def test_arrays_that_a_test_passes_arrive_as_they_lay():
    """In C's order, in Fortran's or with gaps: a view that is no view on this side must not be one over there."""
    cube = np.arange(24.0).reshape(2, 3, 4)
    for value in (cube, np.asfortranarray(cube), cube[:, ::2, ::2], cube.T[::-1], cube[1, 2, 3, ...], cube[:0]):
        arrived = to_student().cross(value)
        assert wire_fuzz.same(arrived, value) and proxies.layout(arrived) == proxies.layout(value)


def test_an_array_that_a_test_passes_twice_is_the_same_one_over_there():
    sides, array = to_student(), np.arange(6.0).reshape(2, 3)
    first, again, other = sides.cross([array, array, array.copy()])
    assert first is again and first is not other
    array[0] = 7
    assert sides.cross((array,))[0] is first and wire_fuzz.same(first, array)


@pytest.mark.parametrize("tree", [["k", 0, "C", ["n", "<f8", [], 0]], ["k", 0, "F", 1], ["k"]])
def test_only_the_student_keeps_arrays(tree):
    """On the trusted side one that came before is not to be changed from outside."""
    assert refused(frame(tree, bytes(8))) == "an unknown tag"


# --- hostile frames, by hand ----------------------------------------------------------------------------------------------


def frame(tree, *buffers: bytes) -> bytes:
    return wire_fuzz.put_together(json.dumps({"value": tree}), list(buffers))


def refused(data: bytes, codec: wire.Codec | None = None) -> str:
    with pytest.raises(wire.WireError) as caught:
        wire_fuzz.Memory(data).receive(codec or proxies.TrustedCodec(wire_fuzz.NoLink()))
    return str(caught.value)


def state_frame(kind: str, path: list[str], value: object) -> bytes:
    """A frame of a generator whose state is changed in one place."""
    rng = np.random.Generator(getattr(np.random, kind)(1))
    text, buffers = wire_fuzz.taken_apart(wire_fuzz.framed(rng, wire.Codec()))
    made = json.loads(text)["value"]
    place = made[2]
    for name in path[:-1]:
        place = place[place.index(name) + 1]
    place[place.index(path[-1]) + 1] = value
    return frame(made, *buffers)


@pytest.mark.parametrize(
    ("kind", "path", "value"),
    [
        *[("MT19937", ["state", "pos"], pos) for pos in (-1, -(10**6), 625, 10**6, 2**40, True, 0.0)],
        *[("Philox", ["buffer_pos"], pos) for pos in (-1, -(10**6), 5, 2**31, None)],
        *[(kind, ["has_uint32"], 2) for kind in ("PCG64", "PCG64DXSM", "Philox", "SFC64")],
        *[("PCG64", ["state", "inc"], value) for value in (-1, 2**128, "1", ["o", 0, "object", "A"])],
        ("PCG64", ["bit_generator"], "SFC64"),
        ("PCG64", ["state"], ["d"]),
        ("SFC64", ["state"], ["o", 0, "object", "A"]),
    ],
)
def test_a_generators_state_points_into_its_own_memory(kind, path, value):
    """NumPy takes any position: from a far one it reads what lies there, and hands it out as random numbers, or crashes."""
    assert refused(state_frame(kind, path, value))


@pytest.mark.parametrize(("left", "position"), [(624, 624), (624, 2), (1, 625), (0, 1), (-1, 0), (1, -1), (1, 2**32 + 1)])
def test_a_torch_generators_state_points_into_its_own_memory(left, position):
    """PyTorch checks each number alone: with 624 left at position 624 it reads 2 kB beyond."""
    state = bytearray(torch.Generator().get_state().numpy().tobytes())
    struct.pack_into("<iiq", state, 8, left, 1, position)
    assert refused(frame(["tg", 0], bytes(state))) == "a generator's state points nowhere"


def test_a_buffer_belongs_to_one_value():
    """Else two results share memory here that did not share it there, and a small frame asks for terabytes."""
    for tree in (
        ["l", ["n", "|u1", [4], 0], ["n", "|u1", [4], 0]],
        ["l", *([["b", 0]] * 1000)],
        ["l", ["b", 0], ["T", "uint8", [4], 0, ["t"]]],
    ):
        assert refused(frame(tree, b"abcd")) == "a buffer belongs to two values"
    assert refused(frame(1, b"abcd")) == "a buffer belongs to no value"


def test_nesting_counts_inside_of_tensors_and_generators():
    for wrap in (lambda tree, place: ["T", "float32", [0], place, tree], lambda tree, place: ["g", "PCG64", tree]):
        tree = 1
        for place in range(41):
            tree = wrap(tree, place)
        assert refused(frame(tree, *[b""] * 41)) == "a value is nested too deeply"


@pytest.mark.parametrize(
    "facts", [["o", 0, "iterator", "g"], ["o", 0, "object", "g"], ["l", 1, True, True, None], ["n", "<f4", [0], 1], 0]
)
def test_facts_of_a_tensor_ask_the_student_for_nothing(facts):
    """A student's iterator in their place would be unpacked: requests in the middle of a frame."""
    assert refused(frame(["T", "float32", [1], 0, facts], bytes(4), b"")) == "no facts of a tensor"


def steps(tree) -> int:
    """How many steps of Python it takes to read a tree: a signal is heard after each."""
    count = 0

    def listen(place, event, argument):
        nonlocal count
        place.f_trace_opcodes = True
        count += event == "opcode"
        return listen

    before = sys.gettrace()
    sys.settrace(listen)
    try:
        wire_fuzz.Memory(frame(tree)).receive(wire.Codec())
    finally:
        sys.settrace(before)
    return count


@pytest.mark.parametrize("tag", ["s", "fs", "d", "od"])
def test_keys_of_equal_hash_are_put_in_one_by_one(tag):
    """Each takes as long as there are keys: in one step of C for all of them, no signal would be heard."""
    keys = [k * (2**61 - 1) for k in range(1, 200)]
    parts = keys if tag in ("s", "fs") else [part for key in keys for part in (key, 0)]
    assert steps([tag, *parts]) - steps(["l", *parts]) > 2 * len(keys)


AMPLIFIED = {
    "empty lists": lambda: frame(["l", *([["l"]] * 20_000)]),
    "empty dictionaries": lambda: frame(["l", *([["od"]] * 20_000)]),
    "10,000 empty buffers": lambda: frame(["l", *(["n", "<f4", [2**31 - 1, 0], i] for i in range(10_000))], *[b""] * 10_000),
    "references": lambda: frame(["l", *(["o", i, "object", "A"] for i in range(10_000))]),
    "generators": lambda: frame(["l", *([json.loads(wire_fuzz.taken_apart(wire_fuzz.framed(np.random.default_rng(1), wire.Codec()))[0])["value"]] * 1_000)]),
}  # fmt: skip


@pytest.mark.parametrize("case", AMPLIFIED)
def test_a_frame_costs_memory_in_proportion(case):
    """At most 100 times its size: 16 MiB of the densest tree stay below what the trusted side may use."""
    data = AMPLIFIED[case]()
    tracemalloc.start()
    try:
        wire_fuzz.Memory(data).receive(proxies.TrustedCodec(wire_fuzz.NoLink()))
        assert tracemalloc.get_traced_memory()[1] < 100 * len(data)
    finally:
        tracemalloc.stop()


# --- the fuzz -------------------------------------------------------------------------------------------------------------

QUICK = {"bases": 100, "each": 400, "derandomize": True}


def test_fuzz_of_frames():
    seen = Counter()
    wire_fuzz.fuzz(**QUICK, seen=seen)
    assert seen["frames"] > 25_000 and seen["accepted"] > 1000
    assert wire_fuzz.unreached(seen) == []


@pytest.mark.receipt("engine", "tests/wire_fuzz.py", "tests/link_fuzz.py")
@pytest.mark.timeout(1800)
def test_fuzz_of_a_million_frames():
    """In a process of its own, which may not use more than 1.5 GiB beyond what it starts with."""
    order = [sys.executable, "-m", "tests.wire_fuzz", "1000", "1000"]
    done = subprocess.run(order, cwd=ROOT, capture_output=True, text=True, timeout=1500)
    assert done.returncode == 0, done.stderr[-4000:]
    told = json.loads(done.stdout)
    print(f"{told['seen']['frames']} frames, {told['seen']['accepted']} accepted")
    assert told["seen"]["frames"] >= 1_000_000 and told["unreached"] == []


# Each takes one check out of the reader: function, text, text instead.
MUTANTS = {
    "any dtype": (wire._dtype, "if _typed(name, str) not in DTYPES:", "if False:"),
    "a tensor's shape without data": (wire.Codec._decode_tensor, "if len(data) != math.prod(shape) * dtype.itemsize:", "if False:"),
    "truth values of an array": (wire._array_made, 'if dtype.kind == "b":', "if False:"),
    "truth values of a tensor": (wire.Codec._decode_tensor, "elif dtype is torch.bool:", "elif False:"),
    "any depth": (wire.Codec.decode, "if depth > MAX_DEPTH:", "if False:"),
    "buffers of any size": (wire.Pipe.receive, "if sum(sizes) > MAX_BYTES:", "if False:"),
    "trees of any size": (wire.Pipe.receive, "if size > MAX_TREE or count", "if count"),
    "any number of buffers": (wire.Pipe.receive, " or count > MAX_BUFFERS:", ":"),
    "unknown tags": (proxies.TrustedCodec.resolve, 'if tag != "o" or len(parts) != 3:', "if tag != 'o': return tag\n    if len(parts) != 3:"),
    "truth values as numbers": (wire._index, "_typed(value, int)", "value"),
    "negative numbers": (wire._index, "if not 0 <= _typed(value, int) < below:", "if not _typed(value, int) < below:"),
    "truth values as references": (proxies.TrustedCodec.resolve, "type(number) is not int or ", ""),
    "buffers not used": (wire.Pipe.receive, "if any(data is not None for data in buffers):", "if False:"),
    "any state of a generator": (wire._generator, "_check_state(state, made.state)", "pass"),
    "any numbers in a state": (wire._check_state, "_index(state, below)", "pass"),
    "any state of torch's generator": (wire._torch_generator, "if left < 1 or position < 0 or left + position > TORCH_STATE_WORDS + 1:", "if False:"),
    "any facts": (proxies.TrustedCodec.tensor_made, "if type(facts) is not tuple:", "if False:"),
    "numbers that are no floats": (wire.Codec._decode_rare, "complex(_typed(real, float), _typed(imag, float))", "complex(real, imag)"),
    "any gradient": (proxies.set_grad, "if type(grad)", "if False and type(grad)"),
}  # fmt: skip


def without(monkeypatch, function, old: str, new: str) -> None:
    """Let the function do without a part of its text."""
    text = textwrap.dedent(inspect.getsource(function))
    assert text.count(old) == 1, f"{old} is no part of {function.__qualname__} any more"
    names = dict(function.__globals__)
    exec(compile(text.replace(old, new), "<mutant>", "exec"), names)
    monkeypatch.setattr(function, "__code__", names[function.__name__].__code__)


@pytest.mark.parametrize("mutant", MUTANTS)
def test_the_fuzz_finds(mutant, monkeypatch):
    without(monkeypatch, *MUTANTS[mutant])
    with pytest.raises(wire_fuzz.Fault):
        wire_fuzz.fuzz(**QUICK, seen=Counter())


# --- the fuzz of replies --------------------------------------------------------------------------------------------------

CAME = [f"value of {op}" for op in set(link_fuzz.OPS)] + [
    "protocol",
    "timeout",
    "died",
    "CheckError",
    "TimeUpError",
    "OwnError",
]


@pytest.mark.parametrize("replies", [5_000, pytest.param(20_000, marks=pytest.mark.receipt("engine", "tests/link_fuzz.py"))])
def test_fuzz_of_replies(replies):
    seen = Counter()
    link_fuzz.fuzz(replies, seen)
    print(dict(seen))
    assert seen["replies"] >= replies
    assert [came for came in CAME if not seen[came]] == []


# As above, for what the trusted side checks of a reply.
LINK_MUTANTS = {
    "numbers of replies": (proxies.Link.request, 'type(reply.get("id")) is int and ', ""),
    "errors of any form": (proxies.Link._raise, "if type(error) is not dict:", "if False:"),
    "functions of any number": (proxies.Link._called_back, "type(number) is not int or ", ""),
    "memory that is not shared": (proxies._with_shared, "and held(result) == held(mine)", ""),
    "gradients of any form": (proxies.Link.backward, "made is not None and (", "False and ("),
    "printed text that cannot be written": (proxies.Link.call, '.encode("utf-8", "replace").decode()', ""),
    "an array that cannot be written": (student.take_over, "if mine.flags.writeable:", "if True:"),
}


@pytest.mark.parametrize("mutant", LINK_MUTANTS)
def test_the_fuzz_of_replies_finds(mutant, monkeypatch):
    without(monkeypatch, *LINK_MUTANTS[mutant])
    with pytest.raises(wire_fuzz.Fault):
        link_fuzz.fuzz(5_000, Counter())
