"""What crosses between the trusted side and the student's: frames of a JSON tree and raw buffers. Never pickle.

A value arrives as exactly one of the plain types below, whatever the sender says: what is a subclass of one, or anything
else, stays where it is and crosses as a reference. Each side says, by `Codec.refer` and `Codec.resolve`, what references
stand for. Not kept: which values share memory, whether an array is read-only, its order in memory, and the sign and
payload of a NaN that is a Python float.

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
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

PIECE = 1 << 20  # bytes that are written or read at once
AHEAD = 1 << 14  # bytes beyond those asked for that are read with them
JSON = json.JSONEncoder(ensure_ascii=False)
KEPT_BYTES = 1 << 20  # of an array that keeps its identity; larger ones are sent anew each time
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
SCALARS = frozenset(kind for kind in np.sctypeDict.values() if np.dtype(kind).str in DTYPES)
BIT_GENERATORS = {name: getattr(np.random, name) for name in ("PCG64", "PCG64DXSM", "MT19937", "Philox", "SFC64")}
# Below what the numbers in a generator's state must stay. NumPy takes any position, and reads beyond its memory for it.
STATE_BELOW = {"pos": 625, "buffer_pos": 5, "has_uint32": 2, "uinteger": 1 << 32, "state": 1 << 128, "inc": 1 << 128}
TORCH_STATE = struct.Struct("<Qiiq")  # how a CPU generator's state begins: seed, left, seeded, next
TORCH_STATE_SIZE = torch.Generator().get_state().numel()
TORCH_STATE_WORDS = 624
HEADER = struct.Struct("<II")


class WireError(Exception):
    """What came is no valid frame, or holds what may not cross."""


class ClosedError(Exception):
    """The other side is gone."""


class LateError(Exception):
    """The deadline passed before the frame was through."""


class Pipe:
    """Frames over one end of a socket pair, by plain reads and writes.

    A frame is written at once and read in one go where that can be: a test makes hundreds of calls, and most frames are
    small. So one end has one `Pipe`, which may hold the beginning of the next frame.

    Args:
        fd: the descriptor. With deadlines it must be non-blocking.
        deadline: by the monotonic clock; None waits for ever. It holds for whole frames, however slowly they drip in.
    """

    def __init__(self, fd: int, deadline: float | None = None):
        self.fd, self.deadline = fd, deadline
        self._ahead = b""  # was read, and belongs to what is asked for next

    def arrives(self, seconds: float) -> bool:
        """Whether something of the next frame is here, or comes within this time. The descriptor alone does not tell."""
        if self._ahead:
            return True
        poll = select.poll()
        poll.register(self.fd, select.POLLIN)
        return bool(poll.poll(max(0, math.ceil(seconds * 1000))))

    def _in_time(self) -> None:
        if self.deadline is not None and time.monotonic() >= self.deadline:
            raise LateError

    def _wait(self, event: int) -> None:
        poll = select.poll()
        poll.register(self.fd, event)
        left = math.inf if self.deadline is None else self.deadline - time.monotonic()
        if left <= 0 or not poll.poll(None if left == math.inf else math.ceil(left * 1000)):
            raise LateError

    def _write(self, data: bytes) -> None:
        view = memoryview(data).cast("B")
        while view.nbytes:
            self._in_time()
            try:
                view = view[os.write(self.fd, view[:PIECE]) :]
            except BlockingIOError:
                self._wait(select.POLLOUT)
            except OSError as error:
                raise ClosedError from error

    def _read(self, count: int) -> bytearray:
        data = bytearray(count)
        view = memoryview(data)
        known = min(count, len(self._ahead))
        view[:known], self._ahead = self._ahead[:known], self._ahead[known:]
        view = view[known:]
        while view.nbytes:
            self._in_time()
            spare = bytearray(AHEAD if view.nbytes <= PIECE else 0)
            try:
                got = os.readv(self.fd, [view[:PIECE], spare])
            except BlockingIOError:
                self._wait(select.POLLIN)
                continue
            except OSError as error:
                raise ClosedError from error
            if got == 0:
                raise ClosedError
            self._ahead = bytes(spare[: max(0, got - view.nbytes)])
            view = view[got:]
        return data

    def send(self, message: dict[str, Any], codec: "Codec") -> None:
        """Send a message, whole.

        Raises:
            WireError: a value may not cross, or is too large; then nothing was sent.
            ClosedError, LateError: the frame did not get through, and the pipe is of no more use.
        """
        buffers = Outgoing()
        try:
            made = {key: codec.encode(value, buffers) for key, value in message.items()}
            # No escapes: two lone surrogates side by side would be read as one character.
            tree = JSON.encode(made).encode("utf-8", "surrogatepass")
        except (ValueError, RuntimeError) as error:  # an integer of thousands of digits, a tensor that holds nothing
            raise WireError(str(error)) from error
        if len(tree) > MAX_TREE:
            raise WireError(f"a value of {len(tree) >> 20} MiB is too large to be sent")
        sizes = struct.pack(f"<{len(buffers)}Q", *map(len, buffers))
        head = HEADER.pack(len(tree), len(buffers)) + sizes + tree
        for data in [b"".join([head, *buffers])] if buffers.size <= PIECE else [head, *buffers]:
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
        buffers: list[bytearray | None] = [self._read(size) for size in sizes]
        try:
            made = json.loads(tree.decode("utf-8", "surrogatepass"))
            if type(made) is not dict:
                raise WireError("a message is no object")
            message = {key: codec.decode(value, buffers) for key, value in made.items()}
        except (ValueError, TypeError, KeyError, IndexError, OverflowError, RecursionError, RuntimeError) as error:
            raise WireError(f"a frame cannot be read: {type(error).__name__}") from error
        if any(data is not None for data in buffers):
            raise WireError("a buffer belongs to no value")
        return message


class Outgoing(list):
    """The buffers of a frame that is being made."""

    def __init__(self):
        super().__init__()
        self.size = 0

    def put(self, size: int, made: Callable[[], bytes]) -> int:
        """Add a buffer of this size and return its place. It is made only if there is room for it."""
        self.size += size
        if self.size > MAX_BYTES or len(self) >= MAX_BUFFERS:
            raise WireError(f"a value of {self.size >> 20} MiB in {len(self) + 1} parts is too large to be sent")
        self.append(made())
        return len(self) - 1


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

    def encode(self, value: Any, buffers: Outgoing, depth: int = 0) -> Any:
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
        if kind in SCALARS:
            return ["v", *_array_parts(np.asarray(value), buffers)]
        if kind is bytes:
            return ["b", buffers.put(len(value), lambda: value)]
        return self._encode_rare(value, kind, buffers, depth)

    def _encode_rare(self, value: Any, kind: type, buffers: Outgoing, depth: int) -> Any:
        if value is Ellipsis:
            return ["e"]
        if kind is complex:
            return ["c", value.real, value.imag]
        if kind in (slice, range):
            parts = [value.start, value.stop, value.step]
            if all(part is None or type(part) is int for part in parts):
                return ["sl" if kind is slice else "r", *parts]
        if kind is torch.Size:
            return ["z", *_sizes(list(value))]
        if kind is torch.dtype and value in NAMES_OF_TENSOR_DTYPES:
            return ["td", NAMES_OF_TENSOR_DTYPES[value]]
        if issubclass(kind, np.dtype) and value.str in DTYPES:
            return ["nd", value.str]
        if (
            kind in (torch.Tensor, torch.nn.Parameter)
            and value.layout is torch.strided
            and value.dtype in NAMES_OF_TENSOR_DTYPES
        ):
            return self._encode_tensor(value, buffers, depth)
        if kind is np.random.Generator and type(value.bit_generator) in BIT_GENERATORS.values():
            return ["g", type(value.bit_generator).__name__, self.encode(value.bit_generator.state, buffers, depth + 1)]
        if kind is torch.Generator:
            return ["tg", buffers.put(TORCH_STATE_SIZE, lambda: value.get_state().numpy().tobytes())]
        return self.refer(value)

    def _encode_tensor(self, tensor: torch.Tensor, buffers: Outgoing, depth: int) -> Any:
        facts = self.encode(self.tensor_facts(tensor), buffers, depth + 1)
        shape = _shape(list(tensor.shape))
        place = buffers.put(tensor.numel() * tensor.itemsize, lambda: bytes_of(tensor))
        return ["T", NAMES_OF_TENSOR_DTYPES[tensor.dtype], list(shape), place, facts]

    def decode(self, tree: Any, buffers: list[bytearray | None], depth: int = 0) -> Any:
        if depth > MAX_DEPTH:
            raise WireError("a value is nested too deeply")
        if tree is None or type(tree) in (bool, int, float, str):
            return tree
        if type(tree) is not list or not tree or type(tree[0]) is not str:
            raise WireError("a value has no tag")
        tag, parts = tree[0], tree[1:]
        if tag in ("l", "t", "s", "fs"):
            made = [self.decode(part, buffers, depth + 1) for part in parts]
            if tag in ("l", "t"):
                return made if tag == "l" else tuple(made)
            # One by one here and below: keys of equal hash take long, and a signal is heard only between steps.
            found = {item for item in made}  # noqa: C416
            return found if tag == "s" else frozenset(found)
        if tag in ("d", "od"):
            made = [self.decode(part, buffers, depth + 1) for part in parts]
            pairs = dict() if tag == "d" else OrderedDict()  # noqa: C408
            for key, item in zip(made[::2], made[1::2], strict=True):
                pairs[key] = item
            return pairs
        if tag == "n":
            return _array_made(parts, buffers)
        if tag == "v":
            array = _array_made(parts, buffers)
            if array.shape != ():
                raise WireError("a scalar has axes")
            return array[()]
        if tag == "b":
            (place,) = parts
            return bytes(_taken(place, buffers))
        return self._decode_rare(tag, parts, buffers, depth)

    def _decode_rare(self, tag: str, parts: list, buffers: list[bytearray | None], depth: int) -> Any:
        if tag == "e" and not parts:
            return Ellipsis
        if tag == "c":
            real, imag = parts
            return complex(_typed(real, float), _typed(imag, float))
        if tag in ("sl", "r"):
            start, stop, step = (part if part is None else _typed(part, int) for part in parts)
            return slice(start, stop, step) if tag == "sl" else range(start, stop, step)
        if tag == "z":
            return torch.Size(_sizes(parts))
        if tag == "td":
            (name,) = parts
            return TENSOR_DTYPES[_typed(name, str)]
        if tag == "nd":
            (name,) = parts
            return _dtype(name)
        if tag == "T":
            return self._decode_tensor(parts, buffers, depth)
        if tag == "g":
            name, state = parts
            return _generator(name, self.decode(state, buffers, depth + 1))
        if tag == "tg":
            (place,) = parts
            return _torch_generator(_taken(place, buffers))
        return self.resolve(tag, parts)

    def _decode_tensor(self, parts: list, buffers: list[bytearray | None], depth: int) -> torch.Tensor:
        name, shape, place, facts = parts
        dtype = TENSOR_DTYPES[_typed(name, str)]
        shape = _shape(shape)
        data = _taken(place, buffers)
        if len(data) != math.prod(shape) * dtype.itemsize:
            raise WireError("a tensor's shape does not fit its data")
        if not data:
            made = torch.empty(shape, dtype=dtype)
        elif dtype is torch.bool:  # any byte but 0 and 1 would be a third truth value
            made = (torch.frombuffer(data, dtype=torch.uint8) != 0).reshape(shape)
        else:
            made = torch.frombuffer(data, dtype=dtype).reshape(shape)
        return self.tensor_made(made, self.decode(facts, buffers, depth + 1))


def bytes_of(tensor: torch.Tensor) -> bytes:
    """A tensor's numbers in their order, whatever their dtype and their order in memory."""
    if not tensor.numel():
        return b""
    plain = tensor.detach().resolve_conj().resolve_neg().cpu().contiguous()
    # What has one number counts as contiguous at any stride, and cannot be viewed as bytes then.
    return plain.as_strided((plain.numel(),), (1,)).view(torch.uint8).numpy().tobytes()


def _array_parts(array: np.ndarray, buffers: Outgoing) -> list:
    return [array.dtype.str, list(_shape(list(array.shape))), buffers.put(array.nbytes, array.tobytes)]


def _array_made(parts: list, buffers: list[bytearray | None]) -> np.ndarray:
    name, shape, place = parts
    dtype, shape = _dtype(name), _shape(shape)
    data = _taken(place, buffers)
    if len(data) != math.prod(shape) * dtype.itemsize:
        raise WireError("an array's shape does not fit its data")
    if dtype.kind == "b":  # any byte but 0 and 1 would be a third truth value
        return (np.frombuffer(data, np.uint8) != 0).reshape(shape)
    return np.frombuffer(data, dtype).reshape(shape)


def _generator(name: Any, state: Any) -> np.random.Generator:
    made = BIT_GENERATORS[_typed(name, str)](0)
    _check_state(state, made.state)
    made.state = state
    return np.random.Generator(made)


def _check_state(state: Any, model: Any, below: int = 0) -> None:
    """The state is of the model's form, and each of its numbers below what is allowed there."""
    _typed(state, type(model))
    if type(model) is dict:
        if state.keys() != model.keys():
            raise WireError("a generator's state has other parts")
        for key, part in model.items():
            _check_state(state[key], part, STATE_BELOW.get(key, 0))
    elif type(model) is np.ndarray:
        if state.dtype != model.dtype or state.shape != model.shape:
            raise WireError("a generator's state is of another shape")
    elif type(model) is int:
        _index(state, below)
    elif state != model:
        raise WireError("a generator's state is another's")


def _torch_generator(state: bytearray) -> torch.Generator:
    if len(state) != TORCH_STATE_SIZE:
        raise WireError("a generator's state is of another size")
    _, left, _, position = TORCH_STATE.unpack_from(state)
    # PyTorch checks each alone, and would read beyond its memory where more words are left than follow the position.
    if left < 1 or position < 0 or left + position > TORCH_STATE_WORDS + 1:
        raise WireError("a generator's state points nowhere")
    made = torch.Generator()
    made.set_state(torch.frombuffer(state, dtype=torch.uint8))
    return made


def _taken(place: Any, buffers: list[bytearray | None]) -> bytearray:
    """A frame's buffer, once: two values never share memory, and a small frame cannot ask for much of it."""
    data = buffers[_index(place, len(buffers))]
    if data is None:
        raise WireError("a buffer belongs to two values")
    buffers[place] = None
    return data


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
    return _sizes(shape)


def _sizes(parts: list) -> tuple[int, ...]:
    return tuple(_index(part, MAX_SIZE) for part in parts)
