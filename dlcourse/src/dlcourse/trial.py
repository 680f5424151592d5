"""The reader's code, run from a widget: whatever it does, the page and the kernel go on."""

import asyncio
import contextlib
import contextvars
import io
import random
import signal
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from dlcourse.live.errors import describe, place
from dlcourse.live.loop import running_loop

KEPT = 2000  # characters of what is printed
SLOW = 5.0  # seconds, after which the reader is told how to stop it
STOP = "To stop it, interrupt the kernel."
QUIET = (DeprecationWarning, PendingDeprecationWarning, ImportWarning, ResourceWarning)  # not the reader's to mend


@dataclass
class Outcome:
    """What came of a trial.

    Attributes:
        value: what the code returned; None where it did not.
        error: what it raised, told in `said`.
        stopped: whether the kernel was interrupted; `said` then tells where it was.
        printed: the beginning of what it printed.
        warned: each of the warnings that were to be kept, once.
    """

    value: Any = None
    error: BaseException | None = None
    stopped: bool = False
    said: str = ""
    printed: str = ""
    warned: list[str] = field(default_factory=list)


def run(
    action: Callable[[], Any], slow: Callable[[], None] = lambda: None, warns: Callable[[], bool] = lambda: False
) -> Outcome:
    """Call the action. What it prints is kept, an interrupt ends it alone, and nothing is raised.

    Args:
        slow: called once, from another thread, when it takes longer than `SLOW` seconds.
        warns: whether a warning that comes now is to be kept; others go where they would go.
    """
    outcome, start = Outcome(), time.perf_counter()
    with _told_when_slow(slow), _caught(outcome, warns):
        restore = _let_interrupts_through()
        try:
            try:
                outcome.value = action()
            finally:
                restore()
        except KeyboardInterrupt as error:
            restore()  # it may have come just before
            outcome.error, outcome.stopped = error, True
            _, _, where = describe(error).partition(" — ")
            seconds = time.perf_counter() - start
            outcome.said = f"Stopped: it was still running after {seconds:.0f} s{', at ' if where else ''}{where}"
        except (Exception, SystemExit) as error:  # it may fail in every way, and exit() is one of them
            outcome.error, outcome.said = error, describe(error)
    return outcome


def _let_interrupts_through() -> Callable[[], None]:
    """Between its messages ipykernel ignores the signal, and a button's action may run then. Returns what undoes it."""
    before = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or before is None:
        return lambda: None
    signal.signal(signal.SIGINT, signal.default_int_handler)
    return lambda: signal.signal(signal.SIGINT, before)


@contextlib.contextmanager
def _told_when_slow(slow: Callable[[], None]) -> Iterator[None]:
    lock, over = threading.Lock(), False

    def tell():
        with lock:
            if not over:
                slow()

    timer = threading.Timer(SLOW, contextvars.copy_context().run, [tell])
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        with lock:
            over = True


class _Printed:
    """The beginning of what one thread prints."""

    def __init__(self):
        self.thread, self.text, self.left_out = threading.get_ident(), "", 0

    def add(self, text: str) -> None:
        room = KEPT - len(self.text)
        self.text += text[:room]
        self.left_out += len(text[room:])

    def __str__(self) -> str:
        return self.text.strip("\n") + (f"\n… and {self.left_out} more characters" if self.left_out else "")


class _Stream(io.TextIOBase):
    """Stands for sys.stdout or sys.stderr: keeps what one thread writes, and passes on what others do."""

    def __init__(self, printed: _Printed, stream: Any):
        self.printed, self.stream = printed, stream

    def write(self, text: str) -> int:
        if threading.get_ident() != self.printed.thread:
            return self.stream.write(text)
        self.printed.add(text)
        return len(text)

    def flush(self) -> None:
        if threading.get_ident() != self.printed.thread:
            self.stream.flush()


@contextlib.contextmanager
def _caught(outcome: Outcome, warns: Callable[[], bool]) -> Iterator[None]:
    printed, stdout, stderr = _Printed(), sys.stdout, sys.stderr
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        pass_on = warnings.showwarning

        def show(message, category, filename, lineno, file=None, line=None):
            if issubclass(category, QUIET):
                return
            if threading.get_ident() != printed.thread or not warns():
                pass_on(message, category, filename, lineno, file or stderr, line)
            else:
                text = f"{category.__name__}: {message}{place(filename, lineno)}"
                if text not in outcome.warned:
                    outcome.warned.append(text)

        warnings.showwarning = show
        with (
            contextlib.redirect_stdout(_Stream(printed, stdout)),
            contextlib.redirect_stderr(_Stream(printed, stderr)),
        ):
            yield
    outcome.printed = str(printed)


@contextlib.contextmanager
def repeatable() -> Iterator[None]:
    """The same numbers from the global generators each time, and their states as before afterwards."""
    torch = sys.modules.get("torch")
    states = random.getstate(), np.random.get_state(), torch and torch.get_rng_state()
    random.seed(0)
    np.random.seed(0)
    if torch:
        torch.default_generator.manual_seed(0)
    try:
        yield
    finally:
        random.setstate(states[0])
        np.random.set_state(states[1])
        if torch:
            torch.set_rng_state(states[2])


def in_main_thread(loop: asyncio.AbstractEventLoop | None, action: Callable[[], None]) -> None:
    """Do it in the main thread, where it can be interrupted: at once, or from a button's thread when the running cell is done.

    Args:
        loop: the main thread's event loop, as `main_loop` returned it there.
    """
    if threading.current_thread() is threading.main_thread() or loop is None or loop.is_closed():
        action()
    else:
        loop.call_soon_threadsafe(action)


def main_loop() -> asyncio.AbstractEventLoop | None:
    """The running event loop, asked for in a cell."""
    return running_loop() if threading.current_thread() is threading.main_thread() else None
