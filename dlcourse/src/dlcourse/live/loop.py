"""Play, Pause, Step, Reset: a training run that moves in short ticks and leaves the kernel free between them."""

import asyncio
import inspect
import math
import time
from collections.abc import Callable, Collection
from contextlib import AbstractContextManager
from typing import Any, Protocol

import ipywidgets as widgets

from dlcourse.live.controls import Control
from dlcourse.live.errors import FigureError, did_you_mean

FRAMES_PER_SECOND = 30
BUDGET = 0.025  # seconds of ticks in one frame, whatever the speed asks for
IDLE_LIMIT = 600  # seconds without a hand on the figure, after which nobody seems to be looking
SPEEDS = (1 / 30, 0.1, 1 / 3, 1, 2, 5, 10, 20, 50)  # ticks in one frame
ENDED = "The run has ended: Reset starts it again."


class Figure(Protocol):
    """What a loop needs of the figure that shows it."""

    lock: AbstractContextManager
    failed: bool
    controls: dict[str, Control]

    def values(self) -> dict[str, Any]: ...
    def guarded(self, action: Callable[[], Any]) -> bool: ...
    def update(self) -> None: ...
    def tell(self, note: str) -> None: ...


def named(function: Callable, values: dict[str, Any]) -> dict[str, Any]:
    """Those of the values that the function names as parameters."""
    return {name: values[name] for name in inspect.signature(function).parameters if name in values}


class Loop:
    """The run behind a live figure.

    Args:
        figure: the figure that shows it.
        start: makes the first state, the same each time; called again by Reset. It may name controls.
        tick: moves the state on a little, in place or by returning a new one. It may name controls. Raising StopIteration
            ends the run.
        speed: ticks in one frame at first, of 30 frames a second; 0.1 is a tick in ten frames.
        steer: controls that may change while the run goes on; `remark` then says since when their values hold. Changing
            any other control that start or tick names starts the run again.
        steps: training steps in one tick, for the words of `remark`.
    Raises:
        FigureError: tick takes no such control to be steered by, start takes it too, or speed or steps are not positive.
    """

    def __init__(
        self,
        figure: Figure,
        start: Callable,
        tick: Callable,
        speed: float = 1,
        steer: Collection[str] = (),
        steps: int = 1,
    ):
        if not speed > 0 or not steps >= 1:
            raise FigureError(f"speed must be positive and steps at least 1, got speed={speed}, steps={steps}")
        starts, moves = inspect.signature(start).parameters, inspect.signature(tick).parameters
        for name in [steer] if isinstance(steer, str) else steer:
            if name in starts:
                raise FigureError(f"start takes {name!r}, so the run begins with it, and nobody can steer by it")
            if name not in moves:
                raise FigureError(f"steer names {name!r}, which tick does not take.{did_you_mean(name, moves)}")
        self.figure, self.start, self.tick = figure, start, tick
        self.steer, self.steps = frozenset([steer] if isinstance(steer, str) else steer), steps
        self.restarted_by = (set(starts) | set(moves)) - self.steer
        self._remarks: dict[str, str] = {}
        self.state: Any = None
        self.ticks = 0
        self.finished = False
        self.event_loop = running_loop()
        self._task: asyncio.Task | None = None
        self._touched = time.monotonic()
        self.play_button = widgets.ToggleButton(description="Play", icon="play", layout={"width": "90px"})
        self.step_button = widgets.Button(description="Step", icon="step-forward", layout={"width": "80px"})
        self.reset_button = widgets.Button(description="Reset", icon="undo", layout={"width": "80px"})
        options = [(_words(ticks), ticks) for ticks in sorted({*SPEEDS, speed})]
        style = {"description_width": "auto"}
        self.speed = widgets.SelectionSlider(
            options=options, value=speed, description="speed", style=style, layout={"width": "300px", "max_width": "100%"}
        )
        self.speed.observe(lambda _: self.touched(), "value")
        self.widget = widgets.HBox([self.play_button, self.step_button, self.reset_button, self.speed])
        self.widget.layout.flex_flow = "row wrap"
        self.play_button.observe(self._on_play, "value")
        self.step_button.on_click(lambda _: self.step())
        self.reset_button.on_click(lambda _: self.reset())

    @property
    def playing(self) -> bool:
        return self.play_button.value

    def play(self) -> None:
        self.play_button.value = True

    def pause(self) -> None:
        self.play_button.value = False

    def touched(self) -> None:
        """The reader did something: the clock that pauses an unwatched run starts again."""
        self._touched = time.monotonic()

    def restart(self) -> None:
        """Make the first state, without drawing."""
        self.state = self.start(**named(self.start, self.figure.values()))
        self.ticks, self.finished = 0, False
        self._remarks.clear()

    @property
    def remark(self) -> str:
        """Since when the values of steered controls hold, or why the run started again; empty while there is nothing to say."""
        return " ".join(self._remarks.values())

    def changed(self, name: str, words: str) -> None:
        """A control has a new value, which words name, such as 'lr = 0.1': start again, or note since when it holds.

        Call it under the figure's lock; it does not draw.
        """
        before = self.ticks
        if name in self.steer:
            if before:
                self._remarks[name] = f"{words} since step {before * self.steps}."
        elif name in self.restarted_by:
            # A slider that is dragged, or a second control set at once: the run that was lost is the same.
            said = {} if before else {key: remark for key, remark in self._remarks.items() if key in self.restarted_by}
            if self.figure.guarded(self.restart) and (before or said):
                self._remarks = {**said, name: f"Started again with {words}."}

    def reset(self) -> None:
        self.pause()
        with self.figure.lock:
            if self.figure.guarded(self.restart):
                self.figure.update()

    def step(self) -> None:
        self.touched()
        with self.figure.lock:
            if self.finished:
                self.figure.tell(ENDED)
            else:
                self.advance(1)

    def advance(self, count: float) -> bool:
        """Up to count ticks, one at least, and one drawing, under the figure's lock.

        Returns:
            False when the run has ended or a tick raised.
        """
        start = time.perf_counter()
        with self.figure.lock:
            if self.finished:
                return False
            for _ in range(max(1, round(count))):
                if not self.figure.guarded(self._one_tick) or self.finished:
                    break
                if time.perf_counter() - start > BUDGET:
                    break
            failed = self.figure.failed
            if not failed:
                self.figure.update()
            return not (failed or self.figure.failed or self.finished)

    def _one_tick(self) -> None:
        try:
            state = self.tick(self.state, **named(self.tick, self.figure.values()))
        except StopIteration:
            self.finished = True
            return
        self.state = self.state if state is None else state
        self.ticks += 1

    def _on_play(self, change) -> None:
        self.play_button.description = "Pause" if change.new else "Play"
        self.play_button.icon = "pause" if change.new else "play"
        if not change.new:
            return
        self.touched()
        if self.finished:
            self.pause()
            self.figure.tell(ENDED)
            return
        self.event_loop = running_loop() or self.event_loop
        if self.event_loop is None or self.event_loop.is_closed():
            self.pause()
            self.figure.tell("Playing needs a running kernel. Step works without one.")
            return
        # Callbacks may come in a thread of their own (ipykernel 7), and tasks belong to the main event loop.
        self.event_loop.call_soon_threadsafe(self._launch)

    def _launch(self) -> None:
        if self._task is None or self._task.done():
            self._task = self.event_loop.create_task(self._run())

    async def _run(self) -> None:
        try:
            last = -math.inf
            while self.playing:
                start = time.perf_counter()
                # A slow run looks at its buttons as often as a fast one.
                if start - last >= (1 / min(self.speed.value, 1) - 0.5) / FRAMES_PER_SECOND:
                    last = start
                    if not self.advance(self.speed.value):
                        return
                if time.monotonic() - self._touched > IDLE_LIMIT:
                    self.figure.tell(f"Paused: nobody touched the figure for {IDLE_LIMIT // 60} minutes. Press Play to go on.")
                    return
                cost = time.perf_counter() - start
                # At least as long a pause as the frame took: sliders, and the reader's next cell, get their turn.
                await asyncio.sleep(max(1 / FRAMES_PER_SECOND - cost, cost, 0.005))
        finally:
            self.pause()

    def close(self) -> None:
        self.pause()
        task = self._task
        if task is not None and not task.done() and not self.event_loop.is_closed():
            self.event_loop.call_soon_threadsafe(task.cancel)


def _words(ticks: float) -> str:
    """A speed as the reader reads it; above one tick a frame it is what a fast machine reaches."""
    rate = round(ticks * FRAMES_PER_SECOND)
    return f"{rate} a second" if ticks <= 1 else f"up to {rate} a second"


def running_loop() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None
