"""Hostile frames, and what may come of them: values to start from, mutations, and a second reading of the format.

The oracle reads a frame's tree by itself, beside the value that came: what was accepted must be what the tree says, to the
byte. Run as a program, it fuzzes in a process of its own with bounded memory, and prints how many frames had which outcome.
"""

import ast
import contextlib
import functools
import inspect
import itertools
import json
import math
import re
import resource
import struct
import sys
import textwrap
from collections import Counter, OrderedDict
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from autograder import proxies, wire

ARRAY_TYPES = "? i1 i2 i4 i8 u1 u2 u4 u8 f2 f4 f8 c8 c16 >i2 >i4 >i8 >u2 >u4 >u8 >f2 >f4 >f8 >c8 >c16".split()  # noqa: SIM905
ARRAY_NAMES = {np.dtype(name).str: np.dtype(name) for name in ARRAY_TYPES}
TENSOR_TYPES = (
    torch.bool, torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64, torch.float16, torch.bfloat16,
    torch.float32, torch.float64, torch.complex64, torch.complex128,
)  # fmt: skip
TENSOR_NAMES = {str(dtype).split(".")[1]: dtype for dtype in TENSOR_TYPES}
TAGS = ("l", "t", "s", "fs", "d", "od", "n", "v", "b", "e", "c", "sl", "r", "z", "td", "nd", "T", "g", "tg", "o")
BITS = ("PCG64", "PCG64DXSM", "MT19937", "Philox", "SFC64")
MOST_BYTES = (16 << 20) + (256 << 20) + 8 * 10_000 + 8  # that a frame may make its reader set aside
DEEPEST = 40
REFERENCES = (proxies.StudentObject, proxies.StudentIterator)
MEMORY = 1536 << 20


class Fault(AssertionError):  # noqa: N818
    """The reader did what it must not do."""


def demand(holds: bool, *what: object) -> None:
    if not holds:
        raise Fault(*what)


# --- values ---------------------------------------------------------------------------------------------------------------


def _array(name: str, shape: tuple[int, ...], seed: int, order: str) -> np.ndarray:
    """Random bytes as an array: every NaN and every denormal number, in a layout of every kind."""
    dtype = np.dtype(name)
    rng = np.random.default_rng(seed)
    if dtype.kind == "b":
        made = rng.integers(0, 2, shape).astype(bool)
    else:
        made = np.frombuffer(rng.bytes(math.prod(shape) * dtype.itemsize), dtype).reshape(shape).copy()
    if order == "F":
        return np.asfortranarray(made)
    if order == "strided":
        wide = np.zeros((*shape, 2), dtype)
        wide[..., 0] = made
        return wide[..., 0]
    return made[::-1] if order == "reversed" and made.ndim else made


def _tensor(name: str, shape: tuple[int, ...], seed: int, order: str, gradient: str) -> torch.Tensor:
    dtype = TENSOR_NAMES[name]
    size = math.prod(shape)
    if dtype is torch.bool:
        made = torch.from_numpy(np.random.default_rng(seed).integers(0, 2, shape).astype(bool))
    else:
        data = np.frombuffer(np.random.default_rng(seed).bytes(size * dtype.itemsize), np.uint8).copy()
        made = torch.from_numpy(data).view(dtype).reshape(shape) if size else torch.empty(shape, dtype=dtype)
    if order == "F" and made.ndim > 1:
        made = made.transpose(0, 1)
    elif order == "strided":
        made = torch.stack([made, made], -1)[..., 0]
    elif order == "reversed" and dtype.is_complex:
        made = made.conj()
    if gradient == "none" or not (dtype.is_floating_point or dtype.is_complex):
        return made
    leaf = torch.nn.Parameter(made) if gradient == "parameter" else made.detach().requires_grad_()
    if gradient == "grad":
        leaf.grad = torch.ones_like(made)
    return leaf * 1 if gradient == "computed" else leaf


def _generator(kind: str, seed: int, draws: int) -> np.random.Generator:
    rng = np.random.Generator(getattr(np.random, kind)(seed))
    rng.random(draws)
    rng.integers(0, 5, draws % 3, dtype=np.uint32)
    return rng


def _torch_generator(seed: int, draws: int) -> torch.Generator:
    made = torch.Generator().manual_seed(seed)
    torch.randn(draws, generator=made)
    return made


shapes = st.lists(st.integers(0, 4), max_size=4).map(tuple)
seeds = st.integers(0, 2**32)
orders = st.sampled_from(["C", "F", "strided", "reversed"])
arrays = st.builds(_array, st.sampled_from(ARRAY_TYPES), shapes, seeds, orders)
scalars = st.builds(lambda name, seed: _array(name, (1,), seed, "C")[0], st.sampled_from(ARRAY_TYPES), seeds)
# Some text twice: all surrogates in pairs and alone.
texts = st.text(max_size=8) | st.text(st.characters(categories=["Cs"]), max_size=4)
numbers = st.integers() | st.integers(-(10**1200), 10**1200)
hashable_leaves = (
    st.none() | st.booleans() | numbers | st.floats() | texts | st.binary(max_size=20) | st.complex_numbers()
    | st.just(...) | st.builds(range, *[st.integers(-9, 9)] * 2, st.integers(1, 5)) | st.sampled_from(TENSOR_TYPES)
    | st.sampled_from(list(ARRAY_NAMES.values())) | st.lists(st.integers(0, 2**31 - 1), max_size=4).map(torch.Size) | scalars
)  # fmt: skip
hashable = st.recursive(
    hashable_leaves, lambda inner: st.lists(inner, max_size=3).map(tuple) | st.frozensets(inner, max_size=3), max_leaves=6
)
generators = st.builds(_generator, st.sampled_from(BITS), seeds, st.integers(0, 700))
torch_generators = st.builds(_torch_generator, seeds, st.integers(0, 700))
slices = st.builds(slice, *[st.none() | st.integers()] * 3)


GRADIENTS = ("none", "leaf", "parameter", "grad", "computed")


def tensors(gradients: tuple[str, ...]) -> st.SearchStrategy:
    return st.builds(_tensor, st.sampled_from(sorted(TENSOR_NAMES)), shapes, seeds, orders, st.sampled_from(gradients))


def values(gradients: tuple[str, ...] = ("none",)) -> st.SearchStrategy:
    """Every value that can be sent."""
    leaves = (
        hashable | scalars | arrays | arrays | tensors(gradients) | tensors(gradients) | slices | generators | torch_generators
    )
    return st.recursive(
        leaves,
        lambda inner: (
            st.lists(inner, max_size=4) | st.lists(inner, max_size=3).map(tuple) | st.sets(hashable, max_size=3)
            | st.dictionaries(hashable, inner, max_size=3) | st.dictionaries(hashable, inner, max_size=3).map(OrderedDict)
        ),
        max_leaves=8,
    )  # fmt: skip


def same(left: Any, right: Any) -> bool:
    """Equal, of exactly the same type, to the last bit of every number."""
    kind = type(left)
    if kind is not type(right):
        return False
    if kind in (list, tuple):
        return len(left) == len(right) and all(map(same, left, right))
    if kind in (set, frozenset):
        others = list(right)
        return len(left) == len(right) and all(any(same(item, other) for other in others) for item in left)
    if kind in (dict, OrderedDict):
        return same([list(pair) for pair in left.items()], [list(pair) for pair in right.items()])
    if kind is float:
        return math.isnan(left) and math.isnan(right) if math.isnan(left) else struct.pack("d", left) == struct.pack("d", right)
    if kind is complex:
        return same(left.real, right.real) and same(left.imag, right.imag)
    if kind is np.ndarray or isinstance(left, np.generic):
        return left.dtype == right.dtype and left.shape == right.shape and left.tobytes() == right.tobytes()
    if kind in (torch.Tensor, torch.nn.Parameter):
        same_grad = (left.grad is None) is (right.grad is None) if left.is_leaf else True
        facts = (left.dtype, left.shape, left.requires_grad, left.is_leaf) == (
            right.dtype, right.shape, right.requires_grad, right.is_leaf
        )  # fmt: skip
        if left.is_leaf and left.grad is not None and same_grad:
            same_grad = same(left.grad, right.grad)
        return facts and same_grad and _bytes(left) == _bytes(right)
    if kind is np.random.Generator:
        return type(left.bit_generator) is type(right.bit_generator) and repr(left.bit_generator.state) == repr(
            right.bit_generator.state
        )
    if kind is torch.Generator:
        return torch.equal(left.get_state(), right.get_state())
    return left == right


def _bytes(tensor: torch.Tensor) -> bytes:
    if tensor.dtype is torch.bool:  # a copy would make two truth values of any
        return tensor.numpy().tobytes()
    packed = torch.empty(tensor.shape, dtype=tensor.dtype).copy_(tensor.detach()).reshape(-1)
    return packed.view(torch.uint8).numpy().tobytes()


# --- frames ---------------------------------------------------------------------------------------------------------------


class NoLink:
    """Reading a frame asks the student's side for nothing."""

    def __getattr__(self, name: str) -> Any:
        raise Fault("the reader used the link")


class Memory(wire.Pipe):
    """A pipe whose other end is bytes. It counts what its reader sets aside."""

    def __init__(self, data: bytes = b""):
        super().__init__(-1)
        self.load(data)

    def load(self, data: bytes) -> None:
        self.data, self.place, self.asked = data, 0, 0

    def _read(self, count: int) -> bytearray:
        self.asked += count
        demand(self.asked <= MOST_BYTES, "a frame asks for too much memory", self.asked)
        part = self.data[self.place : self.place + count]
        self.place += count
        if len(part) < count:
            raise wire.ClosedError
        return bytearray(part)

    def _write(self, data: bytes) -> None:
        self.data += data


def framed(value: Any, codec: wire.Codec) -> bytes:
    pipe = Memory()
    pipe.send({"id": 1, "value": value}, codec)
    return pipe.data


def taken_apart(frame: bytes) -> tuple[str, list[bytes]]:
    """A valid frame's tree as text, and its buffers."""
    size, count = struct.unpack_from("<II", frame)
    sizes = struct.unpack_from(f"<{count}Q", frame, 8)
    start = 8 + 8 * count
    ends = list(itertools.accumulate(sizes, initial=start + size))
    tree = frame[start : start + size].decode("utf-8", "surrogatepass")
    return tree, [frame[a:b] for a, b in itertools.pairwise(ends)]


def put_together(tree: str, buffers: list[bytes]) -> bytes:
    text = tree.encode("utf-8", "surrogatepass")
    return struct.pack(f"<II{len(buffers)}Q", len(text), len(buffers), *map(len, buffers)) + text + b"".join(buffers)


# --- the second reading ---------------------------------------------------------------------------------------------------


def accepted(frame: bytes, message: Any, seen: Counter) -> None:
    """The message is what the frame says, and nothing that may not cross is in it. Counts the tags that it holds."""
    text, buffers = taken_apart(frame)
    tree = json.loads(text)
    demand(type(message) is dict and list(message) == list(tree), "keys", message)
    left: list[bytes | None] = list(buffers)
    for key, value in message.items():
        _agrees(tree[key], value, left, 0, seen)
    demand(all(data is None for data in left), "a buffer that nothing used")


def _agrees(tree: Any, value: Any, buffers: list, depth: int, seen: Counter) -> None:
    demand(depth <= DEEPEST, "too deep")
    if type(tree) is not list:
        demand(type(tree) in (type(None), bool, int, float, str), "an object in the tree")
        demand(type(value) is type(tree) and same(value, tree), "a leaf", tree, value)
        return
    demand(bool(tree) and tree[0] in TAGS, "an unknown tag was taken", tree[:1])
    tag, parts = tree[0], tree[1:]
    seen[f"tag {tag}"] += 1
    if tag in ("l", "t"):
        demand(type(value) is {"l": list, "t": tuple}[tag] and len(value) == len(parts), tag)
        for part, item in zip(parts, value, strict=True):
            _agrees(part, item, buffers, depth + 1, seen)
    elif tag in ("s", "fs", "d", "od"):
        _agrees_unordered(tag, parts, value, buffers, depth, seen)
    else:
        _agrees_flat(tag, parts, value, buffers, depth, seen)


def _agrees_unordered(tag: str, parts: list, value: Any, buffers: list, depth: int, seen: Counter) -> None:
    """Equal members fall together, so the tree's are read anew, as a list, and put in by hand."""
    kind = {"s": set, "fs": frozenset, "d": dict, "od": OrderedDict}[tag]
    demand(type(value) is kind, tag, value)
    members = list(itertools.chain.from_iterable(value.items())) if tag in ("d", "od") else list(value)
    demand(len(members) <= len(parts), "members that nobody sent")
    if len(members) == len(parts) and tag in ("d", "od"):
        for part, item in zip(parts, members, strict=True):
            _agrees(part, item, buffers, depth + 1, seen)
        return
    for item in members:  # the order of a set is its own: what there is must be plain
        plain(item, depth + 1)
    for data, _ in _places(parts):
        demand(type(data) is int and 0 <= data < len(buffers), "a place")
        buffers[data] = None


def _places(parts: list) -> Iterator[tuple[Any, str]]:
    """The buffers that trees name."""
    for tree in parts:
        if type(tree) is list and tree:
            if tree[0] in ("n", "v", "T"):
                yield tree[3], tree[0]
            elif tree[0] in ("b", "tg"):
                yield tree[1], tree[0]
            yield from _places(tree[1:])


def _agrees_flat(tag: str, parts: list, value: Any, buffers: list, depth: int, seen: Counter) -> None:
    kind = type(value)
    if tag in ("n", "v"):
        name, shape, place = parts
        data = _used(place, buffers)
        demand(name in ARRAY_NAMES, "dtype", name)
        demand(kind is np.ndarray if tag == "n" else kind is ARRAY_NAMES[name].type, tag, kind)
        dtype = ARRAY_NAMES[name] if tag == "n" else ARRAY_NAMES[name].newbyteorder("=")
        demand(value.dtype == dtype and _is_shape(shape) and list(value.shape) == shape, "shape", shape)
        # A scalar is in this machine's byte order.
        _same_bytes(data, np.asarray(value).astype(ARRAY_NAMES[name], copy=False).tobytes(), name == "|b1")
        demand(name != "|b1" or not value.size or np.asarray(value).view(np.uint8).max() < 2, "a third truth value")
    elif tag == "b":
        (place,) = parts
        demand(kind is bytes and value == _used(place, buffers), "bytes")
    elif tag == "T":
        name, shape, place, facts = parts
        data = _used(place, buffers)
        demand(kind in (torch.Tensor, torch.nn.Parameter) and value.dtype is TENSOR_NAMES[name], "tensor", kind)
        demand(_is_shape(shape) and list(value.shape) == shape, "shape", shape)
        _same_bytes(data, _bytes(value), name == "bool")
        demand(type(facts) is list and facts[0] == "t" and len(facts) in (1, 5), "facts")
        demand(value.requires_grad is (len(facts) == 5), "a gradient from nowhere")
        if len(facts) == 5:
            number, is_leaf, is_parameter, grad = facts[1:]
            demand(type(number) is int and value.is_leaf is (is_leaf is True), "a leaf")
            demand((kind is torch.nn.Parameter) is (is_leaf is True and is_parameter is True), "a parameter")
            if is_leaf is True:
                demand(value.grad is None or type(value.grad) is torch.Tensor, "a gradient of type", type(value.grad))
                # A gradient's own facts, its gradient among them, are not kept.
                kept, dropped = ([*grad[:4], ["t"]], grad[4:]) if type(grad) is list else (grad, [])
                _agrees(kept, value.grad, buffers, depth + 2, seen)
            for place, _ in _places([is_leaf, is_parameter, *dropped] if is_leaf is True else facts[1:]):
                _used(place, buffers)
    elif tag == "g":
        name, state = parts
        demand(kind is np.random.Generator and type(value.bit_generator).__name__ == name, "generator", name)
        made = value.bit_generator.state
        demand(made.get("buffer_pos", 0) in range(5), "a position outside of the buffer")
        inside = made["state"]
        demand(type(inside) is dict and inside.get("pos", 0) in range(625), "a position outside of the state")
        _state_agrees(state, made, buffers)
        for place, _ in _places([state]):
            _used(place, buffers)
    elif tag == "tg":
        (place,) = parts
        demand(kind is torch.Generator, tag)
        data = _used(place, buffers)
        left, _, position = struct.unpack_from("<iiq", data, 8)
        demand(0 < left <= 624 and 0 <= position <= 624 and left + position <= 625, "a position outside of the state")
    elif tag == "o":
        number, _, name = parts
        demand(kind in REFERENCES and type(number) is int and number >= 0 and type(name) is str, tag)
        demand((value._number if kind is proxies.StudentIterator else value._student_number) == number, "number")
    elif tag == "e":
        demand(value is ... and not parts, tag)
    elif tag == "c":
        demand(kind is complex and same(parts, [value.real, value.imag]), tag)
    elif tag in ("sl", "r"):
        demand(kind is {"sl": slice, "r": range}[tag] and same(parts, [value.start, value.stop, value.step]), tag)
    elif tag == "z":
        demand(kind is torch.Size and _is_shape(parts, 10**9) and list(value) == parts, tag)
    elif tag == "td":
        demand(value is TENSOR_NAMES.get(parts[0]) and len(parts) == 1, tag)
    elif tag == "nd":
        demand(isinstance(value, np.dtype) and parts[0] in ARRAY_NAMES and value == ARRAY_NAMES[parts[0]], tag)
        demand(len(parts) == 1, tag)


def _state_agrees(tree: Any, made: Any, buffers: list) -> None:
    """The generator holds what was sent, in whatever order."""
    if type(made) is dict:
        demand(tree[0] == "d", "no state")
        parts = dict(zip(tree[1::2], tree[2::2], strict=True))
        demand(parts.keys() == made.keys(), "parts of a state")
        for key, part in parts.items():
            _state_agrees(part, made[key], buffers)
    elif type(made) is np.ndarray:
        demand(tree[:2] == ["n", made.dtype.str] and tree[2] == list(made.shape), "an array of a state")
        _same_bytes(buffers[tree[3]], made.tobytes(), False)
    else:
        demand(same(tree, made), "a number of a state", tree, made)


def _is_shape(shape: Any, axes: int = 32) -> bool:
    return type(shape) is list and len(shape) <= axes and all(type(size) is int and 0 <= size < 2**31 for size in shape)


def _used(place: Any, buffers: list) -> bytes:
    demand(type(place) is int and 0 <= place < len(buffers), "a place", place)
    data, buffers[place] = buffers[place], None
    demand(data is not None, "a buffer used twice")
    return data


def _same_bytes(data: bytes, held: bytes, is_truth: bool) -> None:
    demand(held == (bytes(byte != 0 for byte in data) if is_truth else data), "other bytes than were sent")


PLAIN = (type(None), bool, int, float, str, bytes, complex, slice, range, type(...), torch.Size, torch.dtype, *REFERENCES)


def plain(value: Any, depth: int = 0) -> None:
    """The value is made of plain types only."""
    kind = type(value)
    demand(depth <= DEEPEST + 2, "too deep")
    if kind in (list, tuple, set, frozenset):
        for item in value:
            plain(item, depth + 1)
    elif kind in (dict, OrderedDict):
        for pair in value.items():
            plain(pair[0], depth + 1)
            plain(pair[1], depth + 1)
    elif kind is np.ndarray or issubclass(kind, np.generic):
        demand(value.dtype.str in ARRAY_NAMES and kind in (np.ndarray, value.dtype.type), "an array of", kind, value.dtype)
        demand(value.dtype.kind != "b" or not value.size or np.asarray(value).view(np.uint8).max() < 2, "a third truth value")
    elif kind in (torch.Tensor, torch.nn.Parameter):
        demand(value.dtype in TENSOR_TYPES, "a tensor of", value.dtype)
    elif kind is np.random.Generator:
        demand(type(value.bit_generator).__name__ in BITS, "generator")
    else:
        demand(kind in PLAIN or kind is torch.Generator or issubclass(kind, np.dtype), "a value of type", kind)


# --- mutations ------------------------------------------------------------------------------------------------------------


class Draw:
    """Small numbers from a seeded generator, by the block."""

    def __init__(self, seed: int):
        self.rng, self.block = np.random.default_rng(seed), iter(())

    def below(self, limit: int) -> int:
        for number in self.block:
            return number % limit
        self.block = iter(self.rng.integers(0, 2**62, 4096).tolist())
        return self.below(limit)

    def one(self, items: Any) -> Any:
        return items[self.below(len(items))]


NAMES = (*ARRAY_NAMES, *TENSOR_NAMES, *BITS, "|O", "<M8[s]", "<U1", "|S2", "|V4", "<f16", "=f8", "float64", "f4,i4", "qint8")
STRANGE = (
    None, True, False, 0, 1, -1, 2, 3, 4, 5, 624, 625, 2**31 - 1, 2**31, 2**32, 2**63, 2**64, 2**128, -(2**63), 10**400, 0.0, -0.0,
    0.5, 1e308, math.nan, math.inf, "", "a", "\ud800", "\0", [], [[]], {}, {"l": 1}, ["l"], ["t"], ["s"], ["d"], ["e"], ["?"],
    ["t", 0, True, True, None], ["t", 7, False, False, None], ["t", 3, True, False, ["T", "float32", [2], 1, ["t"]]],
    ["t", 0.5, True, True, None], ["s", ["l"]], ["fs", ["t", 1, True]], ["d", ["l"], 1], ["d", 1], ["od", 1, 2, 3],
    ["o", 0, "object", "A"], ["o", 1, "iterator", "generator"], ["o", -1, "object", "A"], ["o", True, "object", "A"],
    ["o", 0, "object", 5], ["o", 0], ["f", 0], ["q", "os", "system"], ["b", 0], ["b", 1], ["b", -1], ["b", True], ["tg", 0],
    ["n", "<f8", [], 0], ["n", "<f8", [0], 0], ["n", "|b1", [2], 0], ["v", "<f8", [], 0], ["v", "|b1", [1], 0], ["v", "|b1", [], 0],
    ["n", "<f4", [2**31 - 1, 0, 2**31 - 1], 0], ["n", "<f4", [0] * 33, 0], ["T", "float32", [2**31 - 1, 0, 2**31 - 1], 0, ["t"]],
    ["T", "float32", [0], 0, ["t", 1, True, True, None]], ["T", "bool", [3], 0, ["t"]], ["T", "bool", [3], 0, ["t", 1, True, True, None]],
    ["T", "float32", [3], 0, ["l"]], ["k", 0, "C", ["n", "<f8", [], 0]], ["k", 0, "F", 1], ["T", "float32", [3], 0, ["o", 0, "iterator", "x"]], ["r", 0, 5, 0], ["r", 0, 5, 1], ["r", 0, 5],
    ["sl", None, None, 0.5], ["sl", None, 1, True], ["c", 1, 2], ["c", 1.0, 2.0], ["z", -1], ["z", 2**31], ["z", True], ["z", 3],
    ["td", "float8"], ["td", "int8"], ["td", 5], ["nd", "|O"], ["nd", "<M8[s]"], ["nd", "<f8"], ["nd", "<f8", 1], ["e", 1],
    ["g", "PCG64", ["d"]], ["g", "os", ["d"]], ["g", "PCG64", None], ["g", "MT19937", ["t", 1]],
)  # fmt: skip
STRANGE_TEXTS = tuple(map(json.dumps, STRANGE))
WORDS = (
    "NaN",
    "-Infinity",
    "1e999",
    "-0",
    "9" * 5000,
    '"\\ud800"',
    '{"a":1,"a":["e"]}',
    "[" * 60,
    "[" * 3000,
    "]",
    ",",
    '"',
    "\\",
    "\ufeff",
)


def mutated(frame: bytes, draw: Draw) -> bytes:
    """The frame with a few things changed: mostly in its tree, sometimes in its buffers, its sizes or any bit."""
    text, buffers = taken_apart(frame)
    kind = draw.below(19)
    if 5 <= kind < 16:
        tree = json.loads(text)
        for _ in range(draw.one((1, 1, 1, 2, 3))):
            tree = _change_tree(tree, draw)
        text = json.dumps(tree, ensure_ascii=False)
    if kind in (2, 3, 5, 6, 7) or kind >= 16:
        _change_buffers(buffers, draw)
    if kind == 4:
        place, word = draw.below(len(text) + 1), draw.one(WORDS)
        text = text[:place] + word + text[place + draw.below(3) * len(word) :]
    frame = put_together(text, buffers)
    if kind == 0:
        return _change_sizes(frame, draw)
    return _change_bits(frame, draw) if kind == 1 else frame


def _lists(tree: Any, found: list) -> list:
    for item in tree.values() if type(tree) is dict else tree:
        if type(item) is list or type(item) is dict:
            _lists(item, found)
    found.append(tree)
    return found


def _strange(draw: Draw) -> Any:
    return json.loads(draw.one(STRANGE_TEXTS))


def _change_tree(tree: Any, draw: Draw) -> Any:
    if type(tree) not in (list, dict):
        return _strange(draw)
    place = draw.one(_lists(tree, []))
    kind = draw.below(12)
    if type(place) is dict:
        place[draw.one([*place, "value", "\ud800", "error"])] = _strange(draw)
        return tree if draw.below(40) else _strange(draw)
    at = draw.below(len(place)) if place else 0
    if kind == 0 or not place:
        place.insert(at, _strange(draw) if place or draw.below(2) else 1)
    elif kind == 1:
        del place[at]
    elif kind == 2:
        place.insert(at, place[draw.below(len(place))])
        return json.loads(json.dumps(tree))  # no part of it twice, which would change in two places
    elif kind == 3:
        place[0] = draw.one(TAGS) if draw.below(2) else "t" if place[0] == "l" else "l"
    elif kind == 4:
        other = draw.below(len(place))
        place[at], place[other] = place[other], place[at]
    elif kind == 5:
        item = place[at]
        for _ in range(draw.one((1, 2, 38, 41, 60))):
            item = [draw.one(("l", "t")), item]
        place[at] = item
    elif kind in (6, 7, 11) and any(type(item) is int for item in place):
        at = draw.one([i for i, item in enumerate(place) if type(item) is int])
        place[at] = draw.one((True, -1, 0, 1, place[at] + 1, place[at] - 1, -place[at], place[at] << 31, bool(place[at]), 0.0))
    elif kind == 8 and type(place[at]) is str:
        place[at] = draw.one(NAMES)
    else:
        place[at] = _strange(draw)
    return tree


def _change_buffers(buffers: list[bytes], draw: Draw) -> None:
    kind = draw.below(7)
    at = draw.below(len(buffers)) if buffers else 0
    if kind == 0 or not buffers:
        buffers.insert(at, bytes(draw.below(256) for _ in range(draw.below(12))))
    elif kind == 1:
        del buffers[at]
    elif kind == 2:
        other = draw.below(len(buffers))
        buffers[at], buffers[other] = buffers[other], buffers[at]
    elif kind == 3:
        buffers[at] = buffers[at][: draw.below(len(buffers[at]) + 1)]
    elif kind == 4:
        buffers[at] += bytes(draw.below(9))
    elif buffers[at]:
        data = bytearray(buffers[at])
        for _ in range(1 + draw.below(4)):
            data[draw.below(min(len(data), 40))] = draw.below(256)
        buffers[at] = bytes(data)


def _change_sizes(frame: bytes, draw: Draw) -> bytes:
    data = bytearray(frame)
    if len(data) < 16 or draw.below(2):
        struct.pack_into(
            "<I", data, 4 * draw.below(2), draw.one((0, 1, 5, 10_000, 10_001, 16 << 20, (16 << 20) + 1, 2**32 - 1))
        )
    else:
        size = draw.one((0, 1, 7, 256 << 20, (256 << 20) + 1, 1 << 40, 2**64 - 1))
        struct.pack_into("<Q", data, 8, size)
    return bytes(data)


def _change_bits(frame: bytes, draw: Draw) -> bytes:
    data = bytearray(frame)
    for _ in range(1 + draw.below(6)):
        data[draw.below(len(data))] ^= 1 << draw.below(8)
    return bytes(data[: len(data) - draw.below(2) * draw.below(len(data))])


# --- the run --------------------------------------------------------------------------------------------------------------


def outcome(frame: bytes, codec: wire.Codec, seen: Counter) -> None:
    """Read the frame, and count what came of it. Anything but a true value or an error of the format is a fault."""
    seen["frames"] += 1
    try:
        message = Memory(frame).receive(codec)
    except wire.WireError as error:
        seen[str(error)] += 1
        return
    except wire.ClosedError:
        seen["closed"] += 1
        return
    except Fault:
        raise
    except Exception as error:
        raise Fault(f"{type(error).__name__} came out: {error}", frame) from error
    seen["accepted"] += 1
    accepted(frame, message, seen)


def branches() -> list[str]:
    """Patterns of all that the reader can say of a frame, taken from its source."""
    readers = (
        wire.Pipe.receive, wire.Codec.decode, wire.Codec._decode_rare, wire.Codec._decode_tensor, wire._array_made,
        wire._generator, wire._check_state, wire._torch_generator, wire._taken, wire._index, wire._dtype, wire._shape,
        proxies.TrustedCodec.resolve, proxies.TrustedCodec.tensor_made, proxies.set_grad,
    )  # fmt: skip
    found = []
    for reader in readers:
        for node in ast.walk(ast.parse(textwrap.dedent(inspect.getsource(reader)))):
            if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call) and node.exc.args:
                text = node.exc.args[0]
                parts = text.values if isinstance(text, ast.JoinedStr) else [text]
                found.append("".join(re.escape(p.value) if isinstance(p, ast.Constant) else ".*" for p in parts))
    return [*found, *(f"a {kind} is missing" for kind in ("int", "str", "float", "dict", "ndarray"))]


def unreached(seen: Counter) -> list[str]:
    """What a fuzz should have come to and did not."""
    tags = [tag for tag in TAGS if not seen[f"tag {tag}"]]
    return tags + [branch for branch in branches() if not any(re.fullmatch(branch, key) for key in seen)]


def fuzz(bases: int, each: int, *, derandomize: bool, seen: Counter) -> None:
    """Read many frames: `bases` drawn by hypothesis, each mutated `each` times, some of them from one another.

    Raises:
        Fault: a frame made the reader do what it must not do.
    """

    @settings(
        max_examples=bases,
        database=None,
        deadline=None,
        derandomize=derandomize,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(values(), tensors(GRADIENTS), generators, seeds)
    def run(anything: Any, tensor: torch.Tensor, generator: np.random.Generator, seed: int) -> None:
        draw = Draw(seed)
        philox = np.random.Generator(np.random.Philox(1))  # its arrays are of two shapes
        twister = np.random.Generator(np.random.MT19937(1))
        truth = [torch.ones(3, dtype=torch.bool), np.ones(2, bool), np.float32(1), 1j]
        leaf = _tensor("float32", (2,), 0, "C", "grad")
        deep = functools.reduce(lambda inside, _: [inside], range(DEEPEST - 1), ())
        sender = FromStudent()
        # The first is anything; the others are small, so that what is changed in them is often what a check is about.
        for value in (anything, [*truth, tensor], generator, philox, twister, torch.Generator(), leaf, deep):
            base = framed(value, sender)
            codec = proxies.TrustedCodec(NoLink())
            outcome(base, codec, seen)
            frame = base
            for i in range(each // 8):
                if i % 2 == 0 or len(frame) > 60_000:
                    frame = base
                changed = mutated(frame, draw)
                outcome(changed, codec, seen)
                with contextlib.suppress(ValueError, struct.error):  # what can still be taken apart is changed again
                    text, _ = taken_apart(changed)
                    if text.count("[") < 400 and json.loads(text) is not None:
                        frame = changed

    run()


class FromStudent(wire.Codec):
    """What the student's side says beside a tensor's values."""

    def __init__(self):
        self.count = 0

    def tensor_facts(self, tensor: torch.Tensor) -> tuple:
        self.count += 1
        if not tensor.requires_grad:
            return ()
        return self.count, tensor.is_leaf, type(tensor) is torch.nn.Parameter, tensor.grad if tensor.is_leaf else None


def main() -> None:
    bases, each = int(sys.argv[1]), int(sys.argv[2])
    used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()  # noqa: SIM115, PTH123
    resource.setrlimit(resource.RLIMIT_AS, (used + MEMORY, used + MEMORY))
    seen: Counter = Counter()
    fuzz(bases, each, derandomize=True, seen=seen)
    print(json.dumps({"seen": dict(seen), "unreached": unreached(seen)}))


if __name__ == "__main__":
    main()
