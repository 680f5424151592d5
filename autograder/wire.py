"""What crosses between the trusted side and the student's: frames of a JSON tree and raw buffers. Never pickle.

A value arrives as exactly one of the plain types below, whatever the sender says: what is a subclass of one, or anything
else, stays where it is and crosses as a reference. Each side says, by `Codec.refer` and `Codec.resolve`, what references
stand for.

Tree: null, true, numbers and strings stand for themselves; everything else is a list that starts with its tag.
Frame: 8 bytes, the tree's size and the number of buffers; 8 bytes for each buffer's size; the tree; the buffers.
"""

import json
import math
import os
import select
import struct
import time
from collections import OrderedDict
from typing import Any

import numpy as np
import torch

MAX_TREE = 16 << 20  # bytes of JSON
MAX_BYTES = 256 << 20  # of all buffers of a frame
MAX_BUFFERS = 10_000
MAX_DEPTH = 40
MAX_SIZE = 1 << 31  # of one axis: an empty array may claim any
MAX_AXES = 32
DTYPES = frozenset(
    np.dtype(name).str
    for name in [
        "?",
        "i1",
        "i2",
        "i4",
        "i8",
        "u1",
        "u2",
        "u4",
        "u8",
        "f2",
        "f4",
        "f8",
        "c8",
        "c16",
        ">i2",
        ">i4",
        ">i8",
        ">u2",
        ">u4",
        ">u8",
        ">f2",
        ">f4",
        ">f8",
        ">c8",
        ">c16",
    ]
)
TENSOR_DTYPES = {
    name: getattr(torch, name)
    for name in [
        "bool",
        "uint8",
        "int8",
        "int16",
        "int32",
        "int64",
        "float16",
        "bfloat16",
        "float32",
        "float64",
        "complex64",
        "complex128",
    ]
}
NAMES_OF_TENSOR_DTYPES = {dtype: name for name, dtype in TENSOR_DTYPES.items()}
BIT_GENERATORS = {name: getattr(np.random, name) for name in ("PCG64", "PCG64DXSM", "MT19937", "Philox", "SFC64")}
HEADER = struct.Struct("<II")


class WireError(Exception):
    """What came is no valid frame, or holds what may not cross."""


class ClosedError(Exception):
    """The other side is gone."""


class LateError(Exception):
    """The deadline passed before the frame was through."""


class Pipe:
    """Frames over one end of a socket pair, by plain reads and writes.

    Args:
        fd: the descriptor. With deadlines it must be non-blocking.
        deadline: by the monotonic clock; None waits for ever. It holds for whole frames, however slowly they drip in.
    """

    def __init__(self, fd: int, deadline: float | None = None):
        self.fd, self.deadline = fd, deadline

    def _wait(self, event: int) -> None:
        if self.deadline is None:
            return
        poll = select.poll()
        poll.register(self.fd, event)
        left = self.deadline - time.monotonic()
        if left <= 0 or not poll.poll(math.ceil(left * 1000)):
            raise LateError

    def _write(self, data: bytes) -> None:
        view = memoryview(data).cast("B")
        while view.nbytes:
            self._wait(select.POLLOUT)
            try:
                view = view[os.write(self.fd, view[: 1 << 20]) :]
            except BlockingIOError:
                continue
            except OSError as error:
                raise ClosedError from error

    def _read(self, count: int) -> bytearray:
        data = bytearray(count)
        view = memoryview(data)
        while view.nbytes:
            self._wait(select.POLLIN)
            try:
                got = os.readv(self.fd, [view[: 1 << 20]])
            except BlockingIOError:
                continue
            except OSError as error:
                raise ClosedError from error
            if got == 0:
                raise ClosedError
            view = view[got:]
        return data

    def send(self, message: dict[str, Any], codec: "Codec") -> None:
        """Send a message, whole.

        Raises:
            WireError: a value may not cross, or is too large; then nothing was sent.
            ClosedError, LateError: the frame did not get through, and the pipe is of no more use.
        """
        buffers: list[bytes] = []
        try:
            tree = json.dumps({key: codec.encode(value, buffers) for key, value in message.items()}).encode()
        except (ValueError, RecursionError) as error:  # an integer of thousands of digits
            raise WireError(str(error)) from error
        if len(tree) > MAX_TREE or sum(map(len, buffers)) > MAX_BYTES or len(buffers) > MAX_BUFFERS:
            raise WireError(f"a value of {(len(tree) + sum(map(len, buffers))) >> 20} MiB is too large to be sent")
        sizes = struct.pack(f"<{len(buffers)}Q", *map(len, buffers))
        self._write(HEADER.pack(len(tree), len(buffers)) + sizes + tree)
        for data in buffers:
            self._write(data)

    def receive(self, codec: "Codec") -> dict[str, Any]:
        """The next message.

        Raises:
            WireError: it is not valid. ClosedError, LateError: it did not come.
        """
        size, count = HEADER.unpack(self._read(HEADER.size))
        if size > MAX_TREE or count > MAX_BUFFERS:
            raise WireError("a frame is too large")
        sizes = struct.unpack(f"<{count}Q", self._read(8 * count))
        if sum(sizes) > MAX_BYTES:
            raise WireError("a frame is too large")
        tree = self._read(size)
        buffers = [self._read(size) for size in sizes]
        try:
            made = json.loads(tree)
            if type(made) is not dict:
                raise WireError("a message is no object")
            return {key: codec.decode(value, buffers) for key, value in made.items()}
        except (ValueError, TypeError, KeyError, IndexError, OverflowError, RecursionError, RuntimeError) as error:
            raise WireError(f"a frame cannot be read: {type(error).__name__}") from error


class Codec:
    """Values to trees and back. A side overrides `refer` and `resolve`, and for tensors `tensor_facts` and `tensor_made`."""

    def refer(self, value: Any) -> list:
        """The tree for what is no plain value: a list of a tag and what belongs to it."""
        raise WireError(f"a {type(value).__name__} cannot be sent")

    def resolve(self, tag: str, parts: list) -> Any:
        """What a tag that is none of this module's stands for."""
        raise WireError("an unknown tag")

    def tensor_facts(self, tensor: torch.Tensor) -> tuple:
        """What is sent beside a tensor's values: plain values."""
        return ()

    def tensor_made(self, tensor: torch.Tensor, facts: tuple) -> torch.Tensor:
        """The tensor, with what came beside its values."""
        return tensor

    def encode(self, value: Any, buffers: list[bytes], depth: int = 0) -> Any:
        if depth > MAX_DEPTH:
            raise WireError("a value is nested too deeply")
        kind = type(value)
        if value is None or kind in (bool, int, float, str):
            return value
        if kind in (list, tuple, set, frozenset):
            tag = {list: "l", tuple: "t", set: "s", frozenset: "fs"}[kind]
            return [tag, *(self.encode(item, buffers, depth + 1) for item in value)]
        if kind in (dict, OrderedDict):  # the latter is what state_dict() gives
            parts = [self.encode(part, buffers, depth + 1) for item in value.items() for part in item]
            return ["d" if kind is dict else "od", *parts]
        if kind is np.ndarray and value.dtype.str in DTYPES:
            return ["n", *_array_parts(value, buffers)]
        if issubclass(kind, np.generic) and kind.__module__ == "numpy" and value.dtype.str in DTYPES:
            return ["v", *_array_parts(np.asarray(value), buffers)]
        if kind is bytes:
            buffers.append(value)
            return ["b", len(buffers) - 1]
        return self._encode_rare(value, kind, buffers)

    def _encode_rare(self, value: Any, kind: type, buffers: list[bytes]) -> Any:
        if value is Ellipsis:
            return ["e"]
        if kind is complex:
            return ["c", value.real, value.imag]
        if kind in (slice, range):
            parts = [value.start, value.stop, value.step]
            if all(part is None or type(part) is int for part in parts):
                return ["sl" if kind is slice else "r", *parts]
        if kind is torch.Size:
            return ["z", *value]
        if kind is torch.dtype and value in NAMES_OF_TENSOR_DTYPES:
            return ["td", NAMES_OF_TENSOR_DTYPES[value]]
        if isinstance(value, np.dtype) and value.str in DTYPES:
            return ["nd", value.str]
        if (
            kind in (torch.Tensor, torch.nn.Parameter)
            and value.layout is torch.strided
            and value.dtype in NAMES_OF_TENSOR_DTYPES
        ):
            return self._encode_tensor(value, buffers)
        if kind is np.random.Generator and type(value.bit_generator).__name__ in BIT_GENERATORS:
            return ["g", type(value.bit_generator).__name__, self.encode(value.bit_generator.state, buffers)]
        if kind is torch.Generator:
            return ["tg", self.encode(value.get_state(), buffers)]
        return self.refer(value)

    def _encode_tensor(self, tensor: torch.Tensor, buffers: list[bytes]) -> Any:
        facts = self.encode(self.tensor_facts(tensor), buffers)
        plain = tensor.detach().resolve_conj().resolve_neg().cpu().contiguous()
        buffers.append(plain.reshape(-1).view(torch.uint8).numpy().tobytes() if plain.numel() else b"")
        return ["T", NAMES_OF_TENSOR_DTYPES[tensor.dtype], list(tensor.shape), len(buffers) - 1, facts]

    def decode(self, tree: Any, buffers: list[bytearray], depth: int = 0) -> Any:
        if depth > MAX_DEPTH:
            raise WireError("a value is nested too deeply")
        if tree is None or type(tree) in (bool, int, float, str):
            return tree
        if type(tree) is not list or not tree or type(tree[0]) is not str:
            raise WireError("a value has no tag")
        tag, parts = tree[0], tree[1:]
        if tag in ("l", "t", "s", "fs"):
            made = [self.decode(part, buffers, depth + 1) for part in parts]
            return {"l": list, "t": tuple, "s": set, "fs": frozenset}[tag](made)
        if tag in ("d", "od"):
            made = [self.decode(part, buffers, depth + 1) for part in parts]
            return (dict if tag == "d" else OrderedDict)(zip(made[::2], made[1::2], strict=True))
        if tag == "n":
            return _array_made(parts, buffers)
        if tag == "v":
            array = _array_made(parts, buffers)
            if array.shape != ():
                raise WireError("a scalar has axes")
            return array[()]
        if tag == "b":
            return bytes(buffers[_index(parts[0], len(buffers))])
        return self._decode_rare(tag, parts, buffers)

    def _decode_rare(self, tag: str, parts: list, buffers: list[bytearray]) -> Any:
        if tag == "e":
            return Ellipsis
        if tag == "c":
            real, imag = parts
            return complex(_typed(real, float), _typed(imag, float))
        if tag in ("sl", "r"):
            start, stop, step = (part if part is None else _typed(part, int) for part in parts)
            return slice(start, stop, step) if tag == "sl" else range(start, stop, step)
        if tag == "z":
            return torch.Size([_index(part, MAX_SIZE) for part in parts])
        if tag == "td":
            return TENSOR_DTYPES[_typed(parts[0], str)]
        if tag == "nd":
            return _dtype(parts[0])
        if tag == "T":
            return self._decode_tensor(parts, buffers)
        if tag == "g":
            return _generator_made(parts[0], self.decode(parts[1], buffers))
        if tag == "tg":
            return _torch_generator_made(self.decode(parts[0], buffers))
        return self.resolve(tag, parts)

    def _decode_tensor(self, parts: list, buffers: list[bytearray]) -> torch.Tensor:
        name, shape, place, facts = parts
        dtype = TENSOR_DTYPES[_typed(name, str)]
        shape = _shape(shape)
        data = buffers[_index(place, len(buffers))]
        if len(data) != math.prod(shape) * dtype.itemsize:
            raise WireError("a tensor's shape does not fit its data")
        if not data:
            made = torch.empty(shape, dtype=dtype)
        elif dtype is torch.bool:  # any byte but 0 and 1 would be a third truth value
            made = (torch.frombuffer(data, dtype=torch.uint8) != 0).reshape(shape)
        else:
            made = torch.frombuffer(data, dtype=dtype).reshape(shape)
        return self.tensor_made(made, self.decode(facts, buffers))


def _array_parts(array: np.ndarray, buffers: list[bytes]) -> list:
    buffers.append(array.tobytes())
    return [array.dtype.str, list(array.shape), len(buffers) - 1]


def _array_made(parts: list, buffers: list[bytearray]) -> np.ndarray:
    name, shape, place = parts
    dtype, shape = _dtype(name), _shape(shape)
    data = buffers[_index(place, len(buffers))]
    if len(data) != math.prod(shape) * dtype.itemsize:
        raise WireError("an array's shape does not fit its data")
    if dtype.kind == "b":  # any byte but 0 and 1 would be a third truth value
        return (np.frombuffer(data, np.uint8) != 0).reshape(shape)
    return np.frombuffer(data, dtype).reshape(shape)


def _generator_made(name: Any, state: Any) -> np.random.Generator:
    generator = BIT_GENERATORS[_typed(name, str)](0)
    # NumPy takes these places on trust: from one outside, it would draw what else lies in memory.
    _index(state["state"].get("pos", 0), 625)
    _index(state.get("buffer_pos", 0), 5)
    generator.state = state
    return np.random.Generator(generator)


def _torch_generator_made(state: Any) -> torch.Generator:
    generator = torch.Generator()
    generator.set_state(state)
    left, _, place = struct.unpack_from("<iiQ", state.numpy(), 8)
    if place + left > 625:  # of 624 numbers; torch looks at each bound alone
        raise WireError("a generator draws from outside its numbers")
    return generator


def _typed(value: Any, kind: type) -> Any:
    if type(value) is not kind:
        raise WireError(f"a {kind.__name__} is missing")
    return value


def _index(value: Any, below: int) -> int:
    if not 0 <= _typed(value, int) < below:
        raise WireError("a number is out of range")
    return value


def _dtype(name: Any) -> np.dtype:
    if _typed(name, str) not in DTYPES:
        raise WireError("a dtype that may not cross")
    return np.dtype(name)


def _shape(shape: Any) -> tuple[int, ...]:
    if type(shape) is not list or len(shape) > MAX_AXES:
        raise WireError("no shape")
    return tuple(_index(size, MAX_SIZE) for size in shape)
