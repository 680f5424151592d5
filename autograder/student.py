"""The student's side: a locked process that runs the notebook's cells and answers calls. It holds no secret.

It was forked before the trusted side opened a test, so there is nothing to be found here: what the student's code does to
this process, it does to itself. What it sends is judged by the trusted side alone.
"""

import __future__

import ast
import builtins
import contextlib
import functools
import importlib
import io
import itertools
import linecache
import operator
import os
import re
import signal
import sys
import tempfile
import traceback
import types
import warnings
from collections.abc import Iterator
from typing import Any

import IPython
import numpy as np
import torch
from IPython.core.inputtransformer2 import TransformerManager
from IPython.utils.capture import capture_output

from autograder import containment, notebook, wire
from dlcourse import check

PIPE = 3  # the descriptor of the only way out
READ_CPU_S = 5.0  # to read a notebook, which takes a second for a large one; some texts take a parser for ever
TEXT = 1000  # characters of an error's text
WARNINGS = 20
FUTURES = functools.reduce(operator.or_, (getattr(__future__, name).compiler_flag for name in __future__.all_feature_names))
PRINTED = 10_000  # characters that a test may see of what a call printed
ITERATORS = (types.GeneratorType, map, filter, zip, enumerate, *(type(iter(kind())) for kind in (list, tuple, dict, set, str)))
VIEWS = (type({}.keys()), type({}.values()), type({}.items()))
QUIET_MAGICS = frozenset(("matplotlib", "config", "load_ext", "reload_ext", "autoreload", "precision", "pylab", "aimport"))
OPTIONS = re.compile(r"^(?:-[a-zA-Z]+ ?\d*\s+)+")  # of %timeit and its like
TIMING_MAGICS = frozenset(("time", "timeit", "prun", "capture"))


class OutOfTimeError(BaseException):
    """The question's time is up. No Exception, so that `except Exception` does not keep a loop alive."""


class CallbackError(Exception):
    """A function of the trusted side raised. It keeps what it raised; here only the fact is known."""


class Nothing:
    """Stands for what has no place in the grader: every attribute, call and item of it is nothing again."""

    def __init__(self, *args: Any, **kwargs: Any):
        pass

    def __call__(self, *args: Any, **kwargs: Any) -> "Nothing":
        return self

    def __getattr__(self, name: str) -> "Nothing":
        if name.startswith("__"):
            raise AttributeError(name)
        return self

    def __enter__(self) -> "Nothing":
        return self

    def __exit__(self, *error: object) -> None:
        pass


class Shell(Nothing):
    """What get_ipython() gives: timing magics run their code, shell commands and the rest are passed over."""

    def __init__(self, side: "Side"):
        self.side = side
        self.user_ns = side.names

    def run_line_magic(self, name: str, line: str, *args: Any, **kwargs: Any) -> Any:
        return self._run(name, OPTIONS.sub("", line)) if name in TIMING_MAGICS else None

    def run_cell_magic(self, name: str, line: str, cell: str) -> Any:
        set_up = OPTIONS.sub("", f"{line}\n") if name == "timeit" else ""  # code, too
        return self._run(name, set_up + cell, line) if name in TIMING_MAGICS else None

    def getoutput(self, *args: Any, **kwargs: Any) -> list:
        return []

    def _run(self, name: str, text: str, line: str = "") -> Any:
        """Run code once. %time gives the value of an expression, and what %timeit binds is gone afterwards."""
        names = dict(self.user_ns) if name == "timeit" else self.user_ns
        place = f"<{name} {next(self.side.codec.next)}>"
        source = TransformerManager().transform_cell(text)
        tree = self.side.parsed(source, place)
        last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
        target = next((word for word in line.split() if word.isidentifier()), None) if name == "capture" else None
        with capture_output(display=False) if name == "capture" else contextlib.nullcontext() as captured:
            exec(self.side.compiled(tree, place), names)
            value = None if last is None else eval(self.side.compiled(ast.Expression(last.value), place, "eval"), names)
        if target:
            names[target] = captured
        return value if name == "time" else None


def _no_input(prompt: object = "") -> str:
    raise RuntimeError("input() cannot ask anyone while a notebook is graded: write the value into the cell")


def _display(*things: Any, display_id: object = None, **how: Any) -> Nothing | None:
    return Nothing() if display_id else None  # a handle is asked for by its name


def _stub_modules() -> None:
    """The graders of notebooks do nothing here: tests run on the trusted side."""
    for name in ("otter", "dlcourse.grader"):
        stub = types.ModuleType(name)
        stub.Notebook = Nothing
        sys.modules[name] = stub
    import dlcourse

    dlcourse.grader = sys.modules["dlcourse.grader"]


class StudentCodec(wire.Codec):
    """Objects of the student's stay here, and cross as numbers."""

    def __init__(self, side: "Side"):
        self.side = side
        self.objects: dict[int, Any] = {}  # what the other side has something for that stands for it
        self.numbers: dict[int, int] = {}  # by id(), of the same
        self.next = itertools.count()
        self.inputs: dict[int, torch.Tensor] = {}  # by the other side's numbers, what the test passed that wants gradients
        self.kept: dict[int, np.ndarray] = {}  # by the other side's numbers, the arrays that the test which runs has passed

    def number(self, value: Any) -> int:
        if id(value) not in self.numbers:
            number = self.numbers[id(value)] = next(self.next)
            self.objects[number] = value
        return self.numbers[id(value)]

    def release(self, number: int) -> None:
        """The other side has nothing left that stands for this object."""
        self.numbers.pop(id(self.objects.pop(number, None)), None)

    def refer(self, value: Any) -> list:
        kind = "iterator" if type(value) in ITERATORS else "object"
        return ["o", self.number(value), kind, str(type(value).__name__)[:80]]

    def encode(self, value: Any, buffers: wire.Outgoing, depth: int = 0) -> Any:
        return super().encode(list(value) if type(value) in VIEWS else value, buffers, depth)

    def decode(self, tree: Any, buffers: list[bytearray | None], depth: int = 0) -> Any:
        if type(tree) is not list or tree[:1] != ["k"]:
            return super().decode(tree, buffers, depth)
        _, number, layout, array = tree
        return self.keep(number, laid_out(super().decode(array, buffers, depth), layout))

    def keep(self, number: int, array: np.ndarray) -> np.ndarray:
        """The array that came under this number before, or that was given out under it, holding what it holds now.

        Args:
            number: the other side's, or -1 less one of this side's.
        """
        old = self.kept.get(number) if number >= 0 else self.objects.get(-1 - number)
        if old is None or old.shape != array.shape or old.dtype != array.dtype or not old.flags.writeable:
            self.kept[number] = array
            return array
        np.copyto(old, array)
        return old

    def resolve(self, tag: str, parts: list) -> Any:
        if tag == "o":
            return self.objects[parts[0]]
        if tag == "f":
            return self.side.callback(parts[0])
        if tag == "q":
            module, path = parts
            found = importlib.import_module(module)
            for name in path.split(".") if path else ():
                found = getattr(found, name)
            return found
        return super().resolve(tag, parts)

    def tensor_facts(self, tensor: torch.Tensor) -> tuple:
        if not tensor.requires_grad:
            return ()
        is_parameter = type(tensor) is torch.nn.Parameter
        more = tensor.grad if tensor.is_leaf else self.inputs_of(tensor)
        return self.number(tensor), tensor.is_leaf, is_parameter, more

    def inputs_of(self, tensor: torch.Tensor) -> list[int]:
        """Numbers of the test's tensors that a gradient of this one flows to."""
        if not self.inputs:
            return []
        numbers = {id(value): number for number, value in self.inputs.items()}
        found, seen, open_nodes = set(), set(), [tensor.grad_fn]
        while open_nodes:
            node = open_nodes.pop()
            if node is None or node in seen:
                continue
            seen.add(node)
            found.add(numbers.get(id(getattr(node, "variable", None))))
            open_nodes += [following for following, _ in node.next_functions]
        return sorted(found - {None})

    def tensor_made(self, tensor: torch.Tensor, facts: tuple) -> torch.Tensor:
        if facts:
            tensor.requires_grad_()
            self.inputs[facts[0]] = tensor
        return tensor


def laid_out(array: np.ndarray, layout: str) -> np.ndarray:
    """The array as it lay in memory on the other side: a view that is no view there must not be one here."""
    if layout == "F":
        return np.asfortranarray(array)
    if layout == "gaps":
        made = np.empty((*array.shape, 2), array.dtype)[..., 0]
        np.copyto(made, array)
        return made
    return array


def mutable_in(args: list, kwargs: dict[str, Any], in_dicts: bool = True) -> list[Any]:
    """Every argument that a call may change, nested ones too, in order: both sides count them like this.

    Args:
        in_dicts: dicts too, and what lies in them.
    """
    found = []

    def search(value: Any) -> None:
        if type(value) is dict and not in_dicts:
            return
        if type(value) in (np.ndarray, torch.Tensor, np.random.Generator, list, dict):
            found.append(value)
        if type(value) in (list, tuple, dict):
            for item in value.values() if type(value) is dict else value:
                search(item)

    for value in [*args, *kwargs.values()]:
        search(value)
    return found


def held(value: Any) -> Any:
    """What one of these holds, to compare by: bytes, a state, or the very items."""
    if type(value) is np.ndarray:
        return value.tobytes()
    if type(value) is torch.Tensor:
        return wire.bytes_of(value)
    if type(value) is np.random.Generator:
        return repr(value.bit_generator.state)
    return list(value) if type(value) is list else [item for pair in value.items() for item in pair]


def is_held(value: Any, before: Any) -> bool:
    """Whether it still holds what it held."""
    now = held(value)
    if type(now) is not list:
        return now == before
    return len(now) == len(before) and all(new is old for new, old in zip(now, before, strict=True))


def take_over(mine: Any, now: Any) -> None:
    """Change one of these to what the other side says it holds now, if it can hold that."""
    if type(now) is not type(mine):
        return
    if type(mine) in (np.ndarray, torch.Tensor):
        if now.shape != mine.shape or now.dtype != mine.dtype:
            return
        if type(mine) is np.ndarray:
            if mine.flags.writeable:
                np.copyto(mine, now)
        elif 0 not in mine.stride() or not mine.numel():  # else one number stands for many
            mine.data.copy_(now)
    elif type(mine) is np.random.Generator:
        if type(mine.bit_generator) is type(now.bit_generator):
            mine.bit_generator.state = now.bit_generator.state
    elif type(mine) is list:
        mine[:] = now
    else:
        mine.clear()
        mine.update(now)


class Watched:
    """The arguments of a call, and what they held when the other side last heard."""

    def __init__(self, values: list[Any]):
        self.values, self.held = values, [held(value) for value in values]
        self.passed: list[Any] = []  # to callbacks; kept alive, so that an id() stands for one array

    def changes(self) -> list[list]:
        """Place and content of each that has changed since the last time."""
        found = []
        for place, value in enumerate(self.values):
            if not is_held(value, self.held[place]):
                self.held[place] = held(value)
                found.append([place, value])
        return found


class Side:
    """Runs cells and answers requests, until the pipe is closed."""

    def __init__(self, pipe: wire.Pipe, cells: list[str]):
        self.pipe, self.cells = pipe, cells
        self.codec = StudentCodec(self)
        self.watched: list[Watched | None] = []  # by the calls that are open
        self.changed_before: list[list] = []  # by the call that has just raised
        self.is_running = False  # student code, which may be interrupted
        self.futures = 0
        self.main = types.ModuleType("__main__")
        sys.modules["__main__"] = self.main
        self.names = self.main.__dict__
        shell = Shell(self)
        IPython.get_ipython = IPython.core.getipython.get_ipython = lambda: shell
        self.names.update(get_ipython=lambda: shell, display=_display, grader=Nothing())
        signal.signal(signal.SIGALRM, self._alarm)

    def _alarm(self, number: int, frame: object) -> None:
        if self.is_running:
            raise OutOfTimeError

    @contextlib.contextmanager
    def student_code(self) -> Iterator[None]:
        before, self.is_running = self.is_running, True
        try:
            yield
        finally:
            self.is_running = before

    def serve(self) -> Any:
        """Answer requests; inside a callback, until its result comes."""
        while True:
            request = self.pipe.receive(self.codec)
            if request["op"] in ("result", "failed"):
                return request
            for number in [number for number in self.codec.kept if number < request["first"]]:
                del self.codec.kept[number]
            for number in request["forgotten"]:
                self.codec.inputs.pop(number, None)
            for number in request["released"]:
                self.codec.release(number)
            reply = self._answer(request)
            try:
                self.pipe.send(reply, self.codec)
            except (wire.WireError, MemoryError) as error:  # while the frame was made: nothing was sent
                kind = "memory" if isinstance(error, MemoryError) else "wire"
                del reply
                self.pipe.send({"id": request["id"], "error": {"kind": kind, "text": str(error)[:TEXT]}}, self.codec)

    def _answer(self, request: dict[str, Any]) -> dict[str, Any]:
        try:
            # A run of cells is of no test; a call puts the guard on by itself, inside its own settings.
            guarded = request["from_scratch"] and request["op"] not in ("run", "call")
            with check.from_scratch() if guarded else contextlib.nullcontext():
                return {"id": request["id"], **getattr(self, f"_do_{request['op']}")(request)}
        except BaseException as error:
            changed, self.changed_before = self.changed_before, []
            return {"id": request["id"], "error": self._told(error), "changed": changed}

    def _told(self, error: BaseException) -> dict[str, Any]:
        kind = "raised"
        if isinstance(error, OutOfTimeError):
            kind = "timeout"
        elif isinstance(error, MemoryError):
            kind = "memory"
        elif isinstance(error, CallbackError):
            kind = "callback"
        elif isinstance(error, check.CheckError) and error.kind == "torch":
            kind = "torch"
        try:
            with self.student_code():
                text = str(error)[:TEXT]
        except BaseException:
            text = ""
        lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename.startswith("<cell ")]
        return {
            "kind": kind,
            "types": [str(base.__name__)[:80] for base in type(error).__mro__],
            "text": text.encode("utf-8", "replace").decode(),
            "line": lines[0] if lines else 0,
        }

    def _do_run(self, request: dict[str, Any]) -> dict[str, Any]:
        number = request["cell"]
        source = TransformerManager().transform_cell(self.cells[number])
        name = f"<cell {number + 1}>"
        with self.student_code():
            exec(self.compiled(self.parsed(source, name), name), self.names)
        return {}

    def parsed(self, source: str, name: str) -> ast.Module:
        """A cell's code, and where inspect.getsource finds it."""
        linecache.cache[name] = (len(source), None, source.splitlines(True), name)
        return compile(source, name, "exec", flags=self.futures | ast.PyCF_ONLY_AST, dont_inherit=True)

    def compiled(self, tree: ast.AST, name: str, mode: str = "exec") -> types.CodeType:
        code = compile(tree, name, mode, flags=self.futures, dont_inherit=True)
        self.futures |= code.co_flags & FUTURES  # they hold for the cells below, too
        return code

    def _do_name(self, request: dict[str, Any]) -> dict[str, Any]:
        return {**self._found(self.names.get(request["name"])), "known": request["name"] in self.names}

    def _do_attribute(self, request: dict[str, Any]) -> dict[str, Any]:
        with self.student_code():
            return self._found(getattr(request["object"], request["name"]))

    def _do_set(self, request: dict[str, Any]) -> dict[str, Any]:
        with self.student_code():
            setattr(request["object"], request["name"], request["value"])
        return {}

    def _do_item(self, request: dict[str, Any]) -> dict[str, Any]:
        with self.student_code():
            return self._found(request["object"][request["key"]])

    def _found(self, value: Any) -> dict[str, Any]:
        """What was asked for. An array has a number, under which the other side tells what it has changed in it."""
        if type(value) is np.ndarray and value.nbytes <= wire.KEPT_BYTES:
            return {"value": value, "number": self.codec.number(value)}
        return {"value": value}

    def _do_next(self, request: dict[str, Any]) -> dict[str, Any]:
        with self.student_code():
            try:
                return {"value": next(request["object"]), "more": True}
            except StopIteration:
                return {"value": None, "more": False}

    def _do_call(self, request: dict[str, Any]) -> dict[str, Any]:
        arrays = mutable_in(request["args"], request["kwargs"])
        watched = Watched(arrays)
        scratch = check.from_scratch() if request["from_scratch"] else contextlib.nullcontext()
        self.watched.append(watched if request["watch"] else None)
        try:
            printed = io.StringIO()
            with warnings.catch_warnings(record=True) as given, np.errstate(**request["errors"]):
                warnings.simplefilter("always")
                # Grad mode first: to set it is a call of torch, too.
                quietly = contextlib.redirect_stdout(printed)
                with torch.set_grad_enabled(request["grad"]), scratch, quietly, self.student_code():
                    value = request["function"](*request["args"], **request["kwargs"])
        except BaseException:
            self.changed_before = watched.changes()
            raise
        finally:
            self.watched.pop()
        return {
            "value": value,
            "changed": watched.changes(),
            "shared": _shared(value, arrays),
            "printed": printed.getvalue()[:PRINTED],
            "warnings": [str(warning.category.__name__) for warning in given[:WARNINGS]],
        }

    def _do_backward(self, request: dict[str, Any]) -> dict[str, Any]:
        inputs = [self.codec.inputs[number] for number in request["inputs"]]
        for tensor in inputs:
            tensor.grad = None
        with self.student_code():
            request["tensor"].backward(request["grad"], retain_graph=True)
        leaves = [
            [number, value.grad]
            for number, value in self.codec.objects.items()
            if isinstance(value, torch.Tensor) and value.is_leaf and value.requires_grad and value.grad is not None
        ]
        return {"grads": [tensor.grad for tensor in inputs], "leaves": leaves}

    def callback(self, number: int) -> Any:
        """A function of the trusted side: a call of it is a message there and back."""

        def call(*args: Any, **kwargs: Any) -> Any:
            before, self.is_running = self.is_running, False  # an alarm in the middle of a frame would tear it
            message = {"callback": number, "args": list(args), "kwargs": kwargs, "changed": [], "same": []}
            watched = self.watched[-1] if self.watched else None
            if watched:
                watched.passed += args
                message.update(changed=watched.changes(), same=[id(value) for value in args])
            try:
                self.pipe.send(message, self.codec)
                result = self.serve()
            finally:
                self.is_running = before
            if result["op"] == "failed":
                raise CallbackError
            values = mutable_in(list(args), kwargs)
            for place, now in result["changed"]:
                take_over(values[place], now)
            return result["value"]

        return call


def _shared(value: Any, arrays: list[Any]) -> list[list[int]]:
    """Which results are one of the arguments, or lie in its memory: pairs of places, -1 for the result as a whole."""
    results = list(enumerate(value)) if type(value) in (list, tuple) else [(-1, value)]
    return [
        [place, number]
        for place, result in results
        if type(result) is np.ndarray
        for number, array in enumerate(arrays)
        if type(array) is np.ndarray and np.may_share_memory(result, array)
    ]


def _settle(fd: int, scratch: str) -> None:
    """Nothing of the trusted side's stays: descriptors, environment, paths."""
    quiet = os.open("/dev/null", os.O_RDWR)
    for target in (0, 1, 2):
        os.dup2(quiet, target)
    os.dup2(fd, PIPE)
    os.closerange(PIPE + 1, 65536)
    os.set_inheritable(PIPE, False)
    os.environ.clear()
    os.environ.update(
        HOME=scratch, TMPDIR=scratch, MPLCONFIGDIR=scratch, MPLBACKEND="Agg", OMP_NUM_THREADS="1", PATH="/usr/bin"
    )
    tempfile.tempdir = scratch
    os.chdir(scratch)
    sys.argv = [""]
    allowed = [*containment.readable(), *containment.listable()]
    sys.path[:] = [
        path for path in sys.path if any(f"{os.path.realpath(path)}/".startswith(f"{folder}/") for folder in allowed)
    ]
    builtins.input = _no_input


def _read(data: bytes) -> dict[str, Any]:
    """The cells of the notebook, or why there are none."""

    def late(number: int, frame: object) -> None:
        raise notebook.UnreadableError("the notebook takes too long to be read")

    signal.signal(signal.SIGVTALRM, late)
    signal.setitimer(signal.ITIMER_VIRTUAL, READ_CPU_S)
    try:
        cells, newer = notebook.read(data), ()
        # A cell on which this takes for ever will take its own question's time.
        with contextlib.suppress(notebook.UnreadableError):
            newer = notebook.newer_syntax(cells) or ()
    except notebook.UnreadableError as error:
        return {"unreadable": str(error)}
    except MemoryError:
        return {"unreadable": "the notebook takes more memory than the grader gives"}
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
    return {"cells": cells, "newer": newer}


def run(fd: int, data: bytes, bounds: containment.Bounds, parent: int) -> None:
    """Be the student's side, and never return.

    Args:
        fd: this side's end of the pipe.
        data: what was handed in. It is hostile before it runs, so it is read behind the lock.
        parent: the process that must outlive this one.
    """
    try:
        os.setsid()
        _settle(fd, bounds.scratch)
        pipe = wire.Pipe(PIPE)
        containment.die_with_parent(parent)
        try:
            containment.lock(bounds)
        except containment.MissingLayerError as error:
            pipe.send({"missing": str(error)}, wire.Codec())
            return
        pipe.send({"locked": True}, wire.Codec())
        told = _read(data)
        del data
        pipe.send(told, wire.Codec())
        _stub_modules()
        Side(pipe, told.get("cells", [])).serve()
    except BaseException:  # the other side is gone, or the student's code broke this one: there is nobody to tell
        pass
    finally:
        os._exit(0)
