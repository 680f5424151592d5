"""Hostile replies to the trusted side's requests: a student's side that lies lies in the same process, with its frames sent ahead.

Each exchange is a request of a `Link` to which the other end of the pipe has already answered: some calls of the test's
functions, then a reply. All are right but for a few changes. `exchange` says what came of it, and raises `Fault` where that
is more than may come.
"""

import contextlib
import io
import json
import os
import signal
import socket
import warnings
import weakref
from collections import Counter
from typing import Any

import numpy as np
import torch

from autograder import proxies
from autograder.student import held, is_held
from dlcourse import check
from tests.wire_fuzz import Draw, Fault, _agrees, _change_tree, _strange, demand, mutated, plain, put_together, taken_apart

CPU_S = 20.0  # for one exchange, which takes milliseconds: more is a loop
GRACE_S = 0.01
OPS = ("call", "call", "call", "watched", "watched", "attribute", "item", "next", "set", "name", "run", "backward", "backward")
ERRORS = ("raised", "timeout", "memory", "callback", "callback", "callback", "torch", "wire", "", 5, None)
TYPES = (
    "ValueError",
    "LinAlgError",
    "KeyError",
    "UnicodeDecodeError",
    "ExceptionGroup",
    "StopIteration",
    "SystemExit",
    "OSError",
    5,
)
CATEGORIES = ("UserWarning", "RuntimeWarning", "EncodingWarning", "ValueError", "print", "__name__", "Warning", 5, None)
TEXTS = ("", "text", "\ud800", "\0\x1b[31m", "a" * 5000, 5, None)
PLACES = (-1, 0, 1, 2, 3, 4, 5, 6, 99, True, 0.0, 2**70, None, "0")


class OwnError(Exception):
    """A function of the test raised."""


class Answers:
    """Trees and buffers of what the student's side says."""

    def __init__(self, draw: Draw):
        self.draw, self.buffers = draw, []

    def buffer(self, data: bytes) -> int:
        self.buffers.append(data)
        return len(self.buffers) - 1

    def array(self, value: np.ndarray) -> list:
        return ["n", value.dtype.str, list(value.shape), self.buffer(value.tobytes())]

    def tensor(self, value: torch.Tensor, facts: list) -> list:
        data = value.detach().numpy()
        return ["T", str(data.dtype), list(data.shape), self.buffer(data.tobytes()), facts]

    def grad(self) -> Any:
        return self.tensor(torch.ones(2), ["t"]) if self.draw.below(2) else None

    def value(self, args: list) -> Any:
        """A result: plain, an argument again, a reference, or a tensor with or without a gradient."""
        draw = self.draw
        number = draw.below(6)
        if draw.below(20) == 0:
            return _strange(draw)
        return draw.one(
            (
                lambda: draw.one((None, 1, 0.5, "text")),
                lambda: self.array(args[0] if draw.below(3) else args[0] + 1),
                lambda: [draw.one(("l", "t")), self.array(args[0]), self.array(np.ones(2)), 1],
                lambda: ["o", number, draw.one(("object", "iterator")), "A"],
                lambda: self.tensor(torch.ones(2), ["t", number, False, False, None]),
                lambda: self.tensor(torch.ones(2), ["t", number, True, draw.below(2) == 0, self.grad()]),
                lambda: self.tensor(torch.ones(2), ["t"]),
            )
        )()

    def changed(self, args: list) -> Any:
        """Places of arguments, and what they hold now; of the right form or not."""
        draw, pairs = self.draw, []
        for _ in range(draw.below(3)):
            now = draw.one(
                (
                    lambda: self.array(np.full(3, 7.0)),
                    lambda: self.array(np.full((2, 2), 7.0)),
                    lambda: self.array(np.full(3, 7, np.int32)),
                    lambda: self.tensor(torch.full((2,), 7.0), ["t"]),
                    lambda: ["l", 1, ["l"]],
                    lambda: ["d", "b", 2, ["t", 1], ["l"]],
                    lambda: self.value(args),
                )
            )()
            pairs.append(["l", draw.one(PLACES), now])
        return ["l", *pairs]

    def error(self) -> list:
        draw = self.draw
        names = ["l", *(draw.one(TYPES) for _ in range(draw.below(4)))]
        facts = {"kind": draw.one(ERRORS), "types": names, "text": draw.one(TEXTS), "line": draw.one(PLACES)}
        return ["d", *(part for pair in facts.items() for part in pair)]

    def reply(self, op: str, number: int, args: list) -> dict[str, Any]:
        draw = self.draw
        made: dict[str, Any] = {"id": number}
        if draw.below(5) == 0:
            made.update(error=self.error(), changed=self.changed(args))
        elif op in ("call", "watched"):
            shared = [
                "l",
                *(["l", draw.one((-1, -1, 0, 0, *PLACES)), draw.one((*[0] * 9, *PLACES))] for _ in range(draw.below(3))),
            ]
            names = ["l", *(draw.one(CATEGORIES) for _ in range(draw.below(4)))]
            made.update(value=self.value(args), changed=self.changed(args), shared=shared, warnings=names)
            made.update(printed=draw.one(TEXTS))
        elif op == "backward":
            leaves = [["l", 1, self.tensor(torch.ones(2), ["t"])] for _ in range(draw.below(3))]
            made.update(grads=["l", self.tensor(torch.ones(draw.one((2, 2, 2, 3))), ["t"])], leaves=["l", *leaves])
        elif op == "next":
            made.update(value=self.value(args), more=draw.one((True, True, False, 1, None)))
        elif op == "name":
            made.update(value=self.value(args), known=draw.one((True, True, False, 1, None)))
        elif op in ("attribute", "item"):
            made.update(value=self.value(args))
        return made

    def callback(self, number: Any, args: list) -> dict[str, Any]:
        draw = self.draw
        values = [self.value(args) for _ in range(draw.below(3))]
        names = ["d", *(part for name in range(draw.below(2)) for part in (f"a{name}", self.value(args)))]
        same = ["l", *(draw.one((1, 2, 1, 2, *PLACES)) for _ in values)]
        return {"callback": number, "args": ["l", *values], "kwargs": names, "changed": self.changed(args), "same": same}

    def framed(self, message: dict[str, Any]) -> bytes:
        """The message with a few changes, as a frame; the next one starts with no buffers."""
        for _ in range(self.draw.one((0, 0, 0, 0, 1, 2))):
            message = _change_tree(message, self.draw)
        buffers, self.buffers = self.buffers, []
        return put_together(json.dumps(message, ensure_ascii=False), buffers)


class Exchange:
    """One request, and what comes of it.

    Attributes:
        frames: what the other end has said before it is asked.
    """

    def __init__(self, draw: Draw):
        self.draw, self.op = draw, draw.one(OPS)
        self.mine, self.theirs = socket.socketpair()
        self.mine.setblocking(False)
        self.link = proxies.Link(self.mine.fileno(), os.getpid(), GRACE_S)
        self.has_raised = False
        self.gone = self.link.codec.refer(self.of_an_earlier_test)[1]
        self.link.begin_test()
        function = self.link.codec.refer(self.called)[1]
        fixed = np.broadcast_to(np.float64(1), (2, 2))
        wide = torch.ones(1).expand(2)
        self.args = [np.arange(3.0), torch.ones(2, requires_grad=True), np.random.default_rng(1), [1], {"a": 1}, fixed, wide]
        self.before = [held(value) for value in self.args]
        answers, self.frames, self.nested = Answers(draw), [], []
        for _ in range(draw.one((0, 0, 0, 1, 2))):
            number = draw.one((*[function] * 20, self.gone, True, -1, 0.0, "a", ["l"], 99))
            self.frames.append(answers.framed(answers.callback(number, self.args)))
            self.nested.append(draw.below(3) == 0)
            if self.nested[-1]:
                self.frames.append(answers.framed(answers.reply("attribute", 1 + len(self.nested), self.args)))
        number = draw.one((*[1] * 30, True, 1.0, 0, 2, None, "1"))
        self.frames.append(answers.framed(answers.reply(self.op, number, self.args)))
        if draw.below(20) == 0:
            self.frames[-1] = mutated(self.frames[-1], draw)

    def of_an_earlier_test(self, *args: Any, **kwargs: Any) -> None:
        raise Fault("a function of an earlier test was called")

    def called(self, *args: Any, **kwargs: Any) -> Any:
        """A function of the test, which the student's side calls."""
        plain([*args, kwargs])
        if self.nested and self.nested.pop(0):
            return self.link.request("attribute", object=proxies.Reference(0), name="x").get("value")
        if self.draw.below(4) == 0:
            self.has_raised = True
            raise OwnError
        return self.draw.one((None, 1, np.ones(2), self.link))  # the last cannot be sent

    def ask(self) -> Any:
        link, function = self.link, proxies.StudentObject(self.link, 0, "f")
        if self.op == "call":
            return function(*self.args, self.called)
        if self.op == "watched":
            with check.in_place():
                return function(*self.args, self.called)
        if self.op == "backward":
            link.codec.leaves[1] = (weakref.ref(self.args[1]), 0)
            return link.backward(0, torch.ones(2), [5], [(torch.Size([2]), torch.float32)])
        if self.op == "attribute":
            return function.x
        if self.op == "item":
            return function[0]
        if self.op == "set":
            function.x = self.args[0]
            return None
        if self.op == "next":
            return next(proxies.StudentIterator(link, 0))
        if self.op == "name":
            return link.request("name", name="f").get("value")
        return link.request("run", cell=0).get("nothing")

    def run(self, seen: Counter) -> None:
        """Raises Fault where more came of it than may come."""
        seen["replies"] += len(self.frames)
        is_quiet = self.draw.below(100) == 0  # it stays, and leaves the last out
        self.theirs.sendall(b"".join(self.frames[:-1] if is_quiet else self.frames))
        if not is_quiet:
            self.theirs.shutdown(socket.SHUT_WR)
            self.link.begin(60)
        else:
            self.link.begin(GRACE_S)
        try:
            self.judge(self.outcome(), seen)
        finally:
            self.mine.close()
            self.theirs.close()

    def outcome(self) -> Any:
        """The value, or the error that came out."""
        try:
            return self.ask()
        except Fault:
            raise
        except BaseException as error:
            return error

    def judge(self, came: Any, seen: Counter) -> None:
        for value, before in zip(self.args, self.before, strict=True):
            demand(self.op == "watched" or is_held(value, before), "an argument was changed", self.op)
        demand(self.args[0].shape == (3,) and self.args[0].dtype == np.float64, "an argument is another one")
        grad = self.args[1].grad
        demand(grad is None or (grad.shape == (2,) and grad.dtype is torch.float32), "a gradient of another shape")
        if not isinstance(came, BaseException):
            seen[f"value of {self.op}"] += 1
            self.agrees(came)
            return
        seen[came.args[0] if isinstance(came, proxies.LostError) else type(came).__name__] += 1
        if isinstance(came, proxies.LostError):
            demand(came.status in ("timeout", "died", "protocol"), "a status", came.status)
            demand(self.link.lost == came.status, "a link goes on")
        elif isinstance(came, check.CheckError):
            demand(came.kind == "torch" or (came.kind == "changed" and self.op == "call"), "a check", came.kind)
        elif isinstance(came, OwnError):
            demand(self.has_raised, "an error from nowhere")
        elif isinstance(came, StopIteration):
            demand(self.op == "next", "an end from nowhere")
        else:
            known = (proxies.StudentError, proxies.TimeUpError, proxies.NotSentError, proxies.NotPlainError)
            if not isinstance(came, known):
                raise Fault(f"{type(came).__name__} came out: {came}", self.op, self.frames) from came

    def agrees(self, came: Any) -> None:
        """The value is what the reply says, and the reply is one to this request."""
        for frame in self.frames:
            text, buffers = taken_apart(frame)
            tree = json.loads(text)
            if "callback" not in tree and type(tree.get("id")) is int and tree["id"] == 1:
                demand("error" not in tree, "a value in place of an error")
                if self.op not in ("set", "run"):
                    _agrees(tree.get("grads" if self.op == "backward" else "value"), came, list(buffers), 0, Counter())
                if self.op == "backward":
                    demand(len(came) == 1 and (came[0] is None or came[0].shape == (2,)), "gradients")
                return
        raise Fault("a value that nobody sent", self.frames)


def _late(number: int, frame: object) -> None:
    raise Fault("an exchange does not end")


def fuzz(replies: int, seen: Counter) -> None:
    """Let the other end answer requests, until it has said so many messages.

    Raises:
        Fault: an answer made the trusted side do what it must not do.
    """
    before = signal.signal(signal.SIGALRM, signal.SIG_IGN), signal.signal(signal.SIGVTALRM, _late)
    draw = Draw(0)
    try:
        with contextlib.redirect_stdout(io.TextIOWrapper(io.BytesIO(), "utf-8")), warnings.catch_warnings(record=True):
            while seen["replies"] < replies:
                signal.setitimer(signal.ITIMER_VIRTUAL, CPU_S)
                Exchange(draw).run(seen)
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGALRM, before[0])
        signal.signal(signal.SIGVTALRM, before[1])
