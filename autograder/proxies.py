"""The student's objects as tests see them: every use of one is a request to the student's side, every answer plain data.

A proxy can be called, and its attributes and items read. Whatever would let it pose as a value raises: truth, comparison,
arithmetic, length, iteration. Only generators and the like are iterated over, because a test that does so asked for it.
"""

import builtins
import contextlib
import itertools
import math
import os
import reprlib
import signal
import sys
import time
import types
import warnings
import weakref
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from autograder import wire
from autograder.student import PRINTED, held, mutable_in, take_over
from autograder.student import Watched as Compared
from dlcourse import check

ALARM_S = 0.2  # between two interrupts of code that has run out of time
NAMED = ("__name__", "__doc__", "__qualname__")  # the only names of this kind that are the student's
HIDDEN_MODULES = ("autograder", "otter", "__main__")  # nothing of theirs is passed by name
PLAIN_ERRORS = {
    name: kind
    for name, kind in vars(builtins).items()
    if isinstance(kind, type)
    and issubclass(kind, Exception)
    and not issubclass(kind, (StopIteration, StopAsyncIteration, UnicodeError, ExceptionGroup, Warning))
} | {"LinAlgError": np.linalg.LinAlgError}

LASTING = (int, float, complex, str, bytes, type(None), np.generic)  # what nobody changes
RECENT = 100  # of the tensors passed last, whatever comes from the student's side may depend on them
SHOWN = 12  # elements of an array or a list that a message shows

_short = reprlib.Repr()
_short.maxother = _short.maxstring = 300


class LostError(BaseException):
    """The student's side is of no more use. No Exception, so that no test catches it.

    Attributes:
        status: 'timeout', 'memory', 'died' or 'protocol'.
    """

    def __init__(self, status: str):
        super().__init__(status)
        self.status = status


class TimeUpError(BaseException):
    """The question's time is up, and the student's side was stopped softly: it goes on with the next question."""


class StudentError(Exception):
    """The student's code raised. Each instance also is of the nearest built-in type, so that `except ValueError` sees it."""


class NotPlainError(BaseException):
    """A test used a student's object as if it were a value. No Exception: a test that expects a TypeError must not see one."""


class NotSentError(BaseException):
    """A test passes what cannot be sent."""


_error_types: dict[str, type[StudentError]] = {}


def error_type(names: Any) -> type[StudentError]:
    """The type for an error whose class and bases have these names: the first that is built in decides."""
    known = [name for name in names if type(name) is str and name in PLAIN_ERRORS] if type(names) is list else []
    name = known[0] if known else "Exception"
    if name not in _error_types:
        bases = (StudentError, PLAIN_ERRORS[name]) if name != "Exception" else (StudentError,)
        _error_types[name] = type(name, bases, {})
    return _error_types[name]


class Reference:
    """An object of the student's, by its number."""

    def __init__(self, number: int):
        self.number = number


class StudentIterator:
    """A generator, map, zip or the like of the student's, drawn from one item at a time."""

    def __init__(self, link: "Link", number: int):
        self._link, self._number = link, number

    def __iter__(self) -> "StudentIterator":
        return self

    def __next__(self) -> Any:
        reply = self._link.request("next", object=Reference(self._number))
        if reply.get("more") is not True:
            raise StopIteration
        return reply.get("value")


class StudentObject:
    """A function, class, instance or module of the student's."""

    __slots__ = ("__weakref__", "_student_label", "_student_link", "_student_number")

    def __init__(self, link: "Link", number: int, label: str):
        for name, value in (("link", link), ("number", number), ("label", label)):
            object.__setattr__(self, f"_student_{name}", value)

    def __repr__(self) -> str:
        return f"<{self._student_label}>"

    __hash__ = object.__hash__

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") and name not in NAMED:
            raise AttributeError(name)
        value = self._student_link.request("attribute", object=self, name=name).get("value")
        return labelled(value, f"{self._student_label}.{name}")

    def __setattr__(self, name: str, value: Any) -> None:
        self._student_link.request("set", object=self, name=name, value=value)

    def __getitem__(self, key: Any) -> Any:
        return self._student_link.request("item", object=self, key=key).get("value")

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self._student_link.call(self, args, kwargs)

    def __enter__(self) -> Any:
        return self._student_link.call(self._student_attribute("__enter__"), (), {})

    def __exit__(self, *error: object) -> None:
        self._student_link.call(self._student_attribute("__exit__"), (None, None, None), {})

    def _student_attribute(self, name: str) -> Any:
        return self._student_link.request("attribute", object=self, name=name).get("value")


def _refuse(name: str) -> Callable:
    def refuse(self: StudentObject, *args: Any) -> Any:
        raise NotPlainError(f"{self._student_label} is an object of its own class, where a plain value is expected")

    refuse.__name__ = name
    return refuse


REFUSED = (
    "bool float int complex index len iter next contains reversed setitem delitem "
    "eq ne lt le gt ge add radd iadd sub rsub isub mul rmul imul "
    "truediv rtruediv floordiv rfloordiv mod rmod divmod rdivmod pow rpow matmul rmatmul and rand or ror xor rxor lshift rshift "
    "neg pos abs invert round trunc floor ceil array array_ufunc array_function torch_function format"
)
for _name in REFUSED.split():
    setattr(StudentObject, f"__{_name}__", _refuse(f"__{_name}__"))


def labelled(value: Any, label: str) -> Any:
    """The value; a student's object is called by this name from now on."""
    if type(value) is StudentObject:
        object.__setattr__(value, "_student_label", label[:120])
    return value


class _Node(torch.autograd.Function):
    """A tensor that the student's side computed: its backward is a request."""

    @staticmethod
    def forward(ctx, link, number, names, anchor, value, *inputs):
        ctx.link, ctx.number, ctx.names = link, number, names
        ctx.shapes = [(tensor.shape, tensor.dtype) for tensor in inputs]
        return value.detach().clone()

    @staticmethod
    def backward(ctx, grad):
        grads = ctx.link.backward(ctx.number, grad, ctx.names, ctx.shapes)
        return None, None, None, None, None, *grads


@dataclass
class Sent:
    """An array of a test's, and what it held when the other side last heard of it."""

    number: int
    array: weakref.ref
    held: bytes


def layout(array: np.ndarray) -> str:
    """How its numbers lie in memory: in C's order, in Fortran's, or with gaps between them."""
    return "C" if array.flags.c_contiguous else "F" if array.flags.f_contiguous else "gaps"


class Needed:
    """What the student's side must keep: by number, how much here still needs it."""

    def __init__(self):
        self.counts: Counter[int] = Counter()
        self.left: list[int] = []

    def take(self, number: int) -> None:
        self.counts[number] += 1

    def leave(self, number: int) -> None:
        self.counts[number] -= 1
        self.left.append(number)

    def hold(self, number: int, holder: Any) -> None:
        """It is needed for as long as this lives."""
        self.take(number)
        weakref.finalize(holder, self.leave, number).atexit = False

    def gone(self) -> list[int]:
        """What nothing has needed any more since this was last asked."""
        numbers, self.left = set(self.left), []
        found = [number for number in numbers if not self.counts[number]]
        for number in found:
            del self.counts[number]
        return found


class TrustedCodec(wire.Codec):
    """Functions of the tests stay here; what the student sends becomes plain data and proxies, and nothing else."""

    def __init__(self, link: "Link"):
        self.link = link
        self.functions: dict[int, Callable] = {}  # of the test that runs, by numbers that are never used again
        self.sent: dict[int, Sent] = {}  # arrays of the test that runs, by id()
        self.numbers = itertools.count()
        self.objects: weakref.WeakValueDictionary[int, Any] = weakref.WeakValueDictionary()
        self.leaves: dict[int, tuple[weakref.ref, int]] = {}  # by the student's number: the tensor here, and its version
        self.inputs: dict[int, torch.Tensor] = {}  # by number, what was passed last and wants gradients
        self.came: set[int] = set()  # numbers of leaves in this message: a second one changes no first one
        self.needed, self.needed_inputs = Needed(), Needed()

    def released(self) -> list[int]:
        """Objects that nothing here stands for any more: the other side would keep them all, graphs of gradients too."""
        found = self.needed.gone()
        for number in found:
            self.leaves.pop(number, None)
        return found

    def encode(self, value: Any, buffers: wire.Outgoing, depth: int = 0) -> Any:
        if type(value) is StudentObject:
            return ["o", value._student_number]
        if type(value) is StudentIterator:
            return ["o", value._number]
        if type(value) is Reference:
            return ["o", value.number]
        if type(value) in (torch.Tensor, torch.nn.Parameter):
            for number in self.leaves:
                if self.leaf(number) is value:
                    return ["o", number]
        if type(value) is np.ndarray and value.dtype.str in wire.DTYPES and 0 < value.nbytes <= wire.KEPT_BYTES:
            return ["k", self.number(value), layout(value), super().encode(value, buffers, depth)]
        return super().encode(value, buffers, depth)

    def number(self, array: np.ndarray) -> int:
        """An array that a test passes twice is the same array over there both times."""
        known = self.sent.get(id(array))
        number = known.number if known is not None and known.array() is array else next(self.numbers)
        self.know(array, number)
        return number

    def know(self, array: np.ndarray, number: int) -> None:
        """Remember under which number the other side knows an array, and what it holds there."""
        self.sent[id(array)] = Sent(number, weakref.ref(array), held(array))

    def changed(self) -> list[np.ndarray]:
        """Arrays that the test has changed since it passed them: whoever kept one over there must see that."""
        arrays = [(sent.array(), sent.held) for sent in self.sent.values()]
        return [array for array, before in arrays if array is not None and held(array) != before]

    def begin_test(self) -> None:
        """What an earlier test passed is forgotten: its functions cannot be called any more."""
        self.functions, self.sent = {}, {}
        self.forget_inputs(0)

    def forget_inputs(self, most: int) -> None:
        """Keep so many of those that were passed last: each may hold what led to it, over there too."""
        while len(self.inputs) > most:
            oldest = next(iter(self.inputs))
            del self.inputs[oldest]
            self.needed_inputs.leave(oldest)

    def refer(self, value: Any) -> list:
        place = importable(value)
        if place is not None:
            return ["q", *place]
        if not callable(value):
            raise wire.WireError(f"a {type(value).__name__} cannot be passed to a student's function")
        number = next(self.numbers)
        self.functions[number] = value
        return ["f", number]

    def resolve(self, tag: str, parts: list) -> Any:
        if tag != "o" or len(parts) != 3:
            raise wire.WireError("an unknown tag")
        number, kind, name = parts
        if type(number) is not int or number < 0 or type(name) is not str:
            raise wire.WireError("no reference")
        found = self.objects.get(number)
        if found is None:
            found = (
                StudentIterator(self.link, number) if kind == "iterator" else StudentObject(self.link, number, f"a {name[:80]}")
            )
            self.objects[number] = found
            self.needed.hold(number, found)
        return found

    def tensor_facts(self, tensor: torch.Tensor) -> tuple:
        if not tensor.requires_grad:
            return ()
        number = next(self.numbers)
        self.inputs[number] = tensor
        self.needed_inputs.take(number)
        return (number,)

    def leaf(self, number: int) -> torch.Tensor | None:
        """The tensor that stands here for this one, if one does, and the test has not changed it."""
        known, version = self.leaves.get(number, (lambda: None, 0))
        tensor = known()
        return tensor if tensor is not None and tensor._version == version else None

    def tensor_made(self, tensor: torch.Tensor, facts: tuple) -> torch.Tensor:
        if type(facts) is not tuple:
            raise wire.WireError("no facts of a tensor")
        if not facts:
            return tensor
        number, is_leaf, is_parameter, more = facts
        if type(number) is not int or not (tensor.is_floating_point() or tensor.is_complex()):
            raise wire.WireError("a tensor cannot have a gradient")
        if is_leaf is not True:
            names = sorted({name for name in more if type(name) is int and name in self.inputs}) if type(more) is list else []
            inputs = [self.inputs[name] for name in names]
            made = _Node.apply(self.link, number, names, torch.zeros((), requires_grad=True), tensor, *inputs)
            holder = made if made.grad_fn is None else made.grad_fn
            self.needed.hold(number, holder)
            for name in names:
                self.needed_inputs.hold(name, holder)
            return made
        kind = torch.nn.Parameter if is_parameter is True else torch.Tensor
        made = None if number in self.came else self.leaf(number)
        self.came.add(number)
        if type(made) is kind and (made.shape, made.dtype) == (tensor.shape, tensor.dtype):  # the test has held it since
            made.data.copy_(tensor)
            made.grad = None
            if more is not None:
                set_grad(made, more)
            return made
        made = torch.nn.Parameter(tensor) if is_parameter is True else tensor.requires_grad_()
        if more is not None:
            set_grad(made, more)
        self.leaves[number] = (weakref.ref(made), made._version)
        self.needed.hold(number, made)
        return made


def set_grad(tensor: torch.Tensor, grad: Any) -> None:
    if type(grad) is not torch.Tensor or grad.shape != tensor.shape or grad.dtype != tensor.dtype:
        raise wire.WireError("a gradient does not fit its tensor")
    tensor.grad = grad.detach()


def importable(value: Any) -> tuple[str, str] | None:
    """Module and name of what the student's side can import by itself, such as dlcourse.reference.momentum; else None."""
    if isinstance(value, types.ModuleType):
        return (value.__name__, "") if value.__name__.split(".")[0] not in HIDDEN_MODULES else None
    module, path = getattr(value, "__module__", None), getattr(value, "__qualname__", None)
    if type(module) is not str or type(path) is not str or "<" in path or module.split(".")[0] in HIDDEN_MODULES:
        return None
    found = sys.modules.get(module)
    for name in path.split("."):
        found = getattr(found, name, None)
    return (module, path) if found is value else None


class Watched:
    """The arguments of a call whose test looks at them, and the arrays that the student's code passed to callbacks."""

    def __init__(self, values: list[Any]):
        self.values = values
        self.passed: dict[int, np.ndarray] = {}  # by what the student's side calls them

    def take(self, args: list, changed: Any, same: Any) -> list:
        """Bring this side's arrays up to date; an array that was passed before is the same array again."""
        _change(self.values, changed)
        if type(same) is not list or len(same) != len(args):
            return args
        taken = []
        for value, name in zip(args, same, strict=True):
            old = self.passed.get(name) if type(name) is int else None
            if type(value) is np.ndarray and old is not None and old.shape == value.shape and old.dtype == value.dtype:
                np.copyto(old, value)
                value = old
            elif type(value) is np.ndarray and type(name) is int:
                self.passed[name] = value
            taken.append(value)
        return taken


class Link:
    """Requests to the student's side, each under the deadline of its question.

    Args:
        fd: this side's end of the pipe, non-blocking.
        pid: the student's process, a child of this one.
    """

    def __init__(self, fd: int, pid: int, grace_s: float = 1.0):
        self.pipe, self.pid, self.grace_s = wire.Pipe(fd, math.inf), pid, grace_s
        self.codec = TrustedCodec(self)
        self.count = 0
        self.soft = 0.0  # when the student's code is interrupted; a little later it is killed
        self.lost: str | None = None
        self.memory_ran_out = False
        self.last_call: Call | None = None
        self.watched: list[Watched | None] = []  # by the calls that are open
        self.raised: list[BaseException] = []  # by functions of the test that the student's code called, in this request
        self.read: np.ndarray | None = None  # the last attribute, alive until the next request: layer.gamma[0] = 1 changes it
        self.first = 0  # numbers below it are of tests that are over

    def begin_test(self) -> None:
        """Nothing of the test before is left."""
        self.codec.begin_test()
        self.raised.clear()
        self.last_call = None
        self.first = next(self.codec.numbers)

    def begin(self, seconds: float) -> None:
        """The time of a question starts now."""
        self.soft = time.monotonic() + seconds
        self.pipe.deadline = self.soft + self.grace_s
        self.memory_ran_out = False
        self.last_call = None

    def request(self, op: str, **parts: Any) -> dict[str, Any]:
        """Ask, answer the calls that come back meanwhile, and return the reply.

        Raises:
            StudentError: the student's code raised.
            TimeUpError, LostError: see there.
        """
        if self.lost:
            raise LostError(self.lost)
        if time.monotonic() > self.soft:
            raise TimeUpError
        self.count += 1
        number, raised_before = self.count, len(self.raised)
        try:
            facts = {"from_scratch": check.is_from_scratch(), "first": self.first, "now": self.codec.changed()}
            self.codec.forget_inputs(RECENT)
            facts.update(released=self.codec.released(), forgotten=self.codec.needed_inputs.gone())
            self.read = None
            self._send({"op": op, "id": number, **facts, **parts})
            while True:
                self._await()
                self.codec.came.clear()
                with _recording():
                    reply = self.pipe.receive(self.codec)
                if "callback" in reply:
                    self._called_back(reply)
                elif type(reply.get("id")) is int and reply["id"] == number:
                    break
                else:
                    raise wire.WireError("a reply to nothing")
        except wire.LateError:
            self._lose("timeout")
        except wire.ClosedError:
            self._lose("died")
        except wire.WireError:
            self._lose("protocol")
        except MemoryError:
            self._lose("memory")
        if "error" in reply:
            if op == "call" and self.watched[-1]:
                _change(self.watched[-1].values, reply.get("changed"))
            self._raise(reply["error"], raised_before)
        del self.raised[raised_before:]
        value, theirs = reply.get("value"), reply.get("number")
        if type(value) is np.ndarray and value.nbytes <= wire.KEPT_BYTES and type(theirs) is int and theirs >= 0:
            self.codec.know(value, -1 - theirs)
            self.codec.needed.hold(theirs, value)
            self.read = value
        return reply

    def _send(self, message: dict[str, Any]) -> None:
        try:
            self.pipe.send(message, self.codec)
        except wire.WireError as error:
            raise NotSentError(str(error)) from None

    def _lose(self, status: str) -> None:
        self.lost = status
        raise LostError(status) from None

    def _await(self) -> None:
        """Wait for the reply to start; once the time is up, interrupt the student's code until it does."""
        until = self.soft
        while not self.pipe.arrives(until - time.monotonic()):
            if time.monotonic() >= self.pipe.deadline:
                raise wire.LateError
            os.kill(self.pid, signal.SIGALRM)
            until = min(time.monotonic() + ALARM_S, self.pipe.deadline)

    def _raise(self, error: Any, raised_before: int) -> None:
        if type(error) is not dict:
            self._lose("protocol")
        kind, text = (part if type(part) is str else "" for part in (error.get("kind"), error.get("text")))
        if kind == "timeout":
            raise TimeUpError
        own, self.raised[raised_before:] = self.raised[raised_before:], []
        if kind == "callback" and own:
            raise own[-1]
        if kind == "torch":
            raise check.CheckError("torch", "torch was called", check.NO_TORCH)
        if kind == "memory":
            self.memory_ran_out = True
            raise error_type(["MemoryError"])(text)
        made = error_type(error.get("types"))(text)
        made.line = error.get("line") if type(error.get("line")) is int else 0
        raise made

    def _called_back(self, message: dict[str, Any]) -> None:
        """The student's code calls a function of the test's."""
        number, args, kwargs = message["callback"], message.get("args"), message.get("kwargs")
        if type(number) is not int or number not in self.codec.functions:
            raise wire.WireError("no such function")
        if type(args) is not list or type(kwargs) is not dict or not all(type(name) is str for name in kwargs):
            raise wire.WireError("no arguments")
        if self.watched and self.watched[-1]:
            args = self.watched[-1].take(args, message.get("changed"), message.get("same"))
        mine = Compared(mutable_in(args, kwargs))
        try:
            value = self.codec.functions[number](*args, **kwargs)
            self._send({"op": "result", "value": value, "changed": mine.changes()})
        except (Exception, NotPlainError, NotSentError) as error:
            self.raised.append(error)  # what it says is the test's own: the student's side learns only that it failed
            self._send({"op": "failed"})

    def call(self, function: Any, args: tuple, kwargs: dict[str, Any]) -> Any:
        """Call a student's function."""
        arrays = mutable_in(list(args), kwargs)
        watch = check.is_in_place()
        made = self.last_call = Call(getattr(function, "_student_label", "it"), as_they_are(args), as_they_are(kwargs))
        facts = {"grad": torch.is_grad_enabled(), "errors": np.geterr()}
        self.watched.append(Watched(arrays) if watch else None)
        try:
            reply = self.request("call", function=function, args=list(args), kwargs=kwargs, watch=watch, **facts)
        finally:
            self.watched.pop()
        value = reply.get("value")
        made.returned, self.last_call = as_they_are((value,)), made  # a callback may have made another call
        if watch:
            _change(arrays, reply.get("changed"))
        elif _is_changed(arrays, mutable_in(list(args), kwargs, in_dicts=False), reply.get("changed")):
            raise check.CheckError("changed", "an argument was changed in place", check.CHANGED)
        printed = reply.get("printed")
        if type(printed) is str:  # a test may look at it, and nobody else does; half characters cannot be written
            sys.stdout.write(printed[:PRINTED].encode("utf-8", "replace").decode())
        given = reply.get("warnings")
        for name in given if type(given) is list else ():
            category = vars(builtins).get(name) if type(name) is str else None
            if isinstance(category, type) and issubclass(category, Warning):
                warnings.warn("the student's code gave a warning", category, stacklevel=3)
        return _with_shared(value, arrays, reply.get("shared"))

    def backward(self, number: int, grad: torch.Tensor, names: list[int], shapes: list[tuple]) -> list[torch.Tensor | None]:
        """Let a gradient flow through what the student's side computed, to these inputs."""
        reply = self.request("backward", tensor=Reference(number), grad=grad, inputs=names)
        grads, leaves = reply.get("grads"), reply.get("leaves")
        for item in leaves if type(leaves) is list else ():
            if type(item) is not list or len(item) != 2 or type(item[0]) is not int:
                self._lose("protocol")
            tensor = self.codec.leaves.get(item[0], (lambda: None, 0))[0]()
            if tensor is not None:
                try:
                    set_grad(tensor, item[1])
                except wire.WireError:
                    self._lose("protocol")
        if type(grads) is not list or len(grads) != len(shapes):
            self._lose("protocol")
        for made, (shape, dtype) in zip(grads, shapes, strict=True):
            if made is not None and (type(made) is not torch.Tensor or made.shape != shape or made.dtype != dtype):
                self._lose("protocol")
        return [None if made is None else made.detach() for made in grads]


def _recording() -> contextlib.AbstractContextManager:
    """What came out of inference mode could neither be a parameter nor have a gradient."""
    return torch.inference_mode(False) if torch.is_inference_mode_enabled() else contextlib.nullcontext()


@dataclass
class Call:
    """A call of a student's function, put into words only if its test fails.

    Attributes:
        returned: the result, as the only element; empty before it came.
    """

    label: str
    args: tuple
    kwargs: dict[str, Any]
    returned: tuple = ()

    def __str__(self) -> str:
        given = [shown(value) for value in self.args] + [f"{name}={shown(value)}" for name, value in self.kwargs.items()]
        came = "".join(f" returned {shown(value)}" for value in self.returned)
        return f"{self.label}({', '.join(given)}){came}"


class Words(str):
    """What stands for a value in a message, without keeping it alive."""

    __repr__ = str.__str__


def as_they_are(value: Any) -> Any:
    """What a message needs of a value that may be changed, or gone, before the message is written."""
    if type(value) is np.ndarray and value.size <= SHOWN:
        return value.copy()
    if type(value) in (list, tuple) and len(value) <= SHOWN:
        return type(value)(map(as_they_are, value))
    if type(value) is dict:
        return {key: as_they_are(item) for key, item in itertools.islice(value.items(), SHOWN)}
    return value if isinstance(value, LASTING) else Words(shown(value))


def shown(value: Any) -> str:
    """A value on one line, for a message: large arrays by their shape, functions by their name."""
    if type(value) in (np.ndarray, torch.Tensor) and math.prod(value.shape) > SHOWN:
        return f"{'an array' if type(value) is np.ndarray else 'a tensor'} of shape {tuple(value.shape)}"
    if type(value) is np.random.Generator:
        return "rng"
    if isinstance(value, types.FunctionType):
        return "a function" if value.__name__ == "<lambda>" else value.__name__
    if type(value) in (list, tuple) and len(value) <= SHOWN:
        inside = ", ".join(map(shown, value))
        return f"[{inside}]" if type(value) is list else f"({inside})"
    return " ".join(_short.repr(value).split())


def _change(values: list[Any], changed: Any) -> None:
    for item in changed if type(changed) is list else ():
        if type(item) is list and len(item) == 2 and type(item[0]) is int and 0 <= item[0] < len(values):
            take_over(values[item[0]], item[1])


def _is_changed(values: list[Any], lasting: list[Any], changed: Any) -> bool:
    """Whether one of the values that must last was changed. A generator moves on with each draw, and a dict is a memory."""
    places = [item[0] for item in changed if type(item) is list and item] if type(changed) is list else []
    places = [place for place in places if type(place) is int and 0 <= place < len(values)]
    kept = {id(value) for value in lasting if type(value) is not np.random.Generator}
    return any(id(values[place]) in kept for place in places)


def _with_shared(value: Any, arrays: list[Any], shared: Any) -> Any:
    """Where a result lies in an argument's memory over there, let it lie in the argument's memory here: tests ask."""
    for item in shared if type(shared) is list else ():
        if type(item) is not list or len(item) != 2 or type(item[1]) is not int or not 0 <= item[1] < len(arrays):
            continue
        place, mine = item[0], arrays[item[1]]
        many = type(value) in (list, tuple)
        if type(place) is not int or type(mine) is not np.ndarray or (many and not 0 <= place < len(value)):
            continue
        result = value[place] if many else value
        if (
            type(result) is np.ndarray
            and result.shape == mine.shape
            and result.dtype == mine.dtype
            and held(result) == held(mine)
        ):
            value = type(value)(mine[...] if i == place else item for i, item in enumerate(value)) if many else mine[...]
    return value
