"""Play, Pause, Step, Reset: a training run that moves in short ticks and leaves the kernel free between them."""

import asyncio
import inspect
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import ipywidgets as widgets

if TYPE_CHECKING:
    from dlcourse.live.figure import LiveFigure

FRAMES_PER_SECOND = 30
BUDGET = 0.025  # seconds of ticks in one frame, whatever the speed asks for
IDLE_LIMIT = 600  # seconds without a hand on the figure, after which nobody seems to be looking
SPEEDS = (1, 2, 5, 10, 20, 50)


def named(function: Callable, values: dict[str, Any]) -> dict[str, Any]:
    """Those of the values that the function names as parameters."""
    return {name: values[name] for name in inspect.signature(function).parameters if name in values}


class Loop:
    """The run behind a live figure.

    Args:
        figure: the figure that shows it.
        start: makes the first state, the same each time; called again by Reset. It may name controls, and changing one of
            those resets the run.
        tick: moves the state on a little, in place or by returning a new one. It may name controls. Raising StopIteration
            ends the run.
        speed: ticks in one frame at first.
    """

    def __init__(self, figure: "LiveFigure", start: Callable, tick: Callable, speed: int):
        self.figure, self.start, self.tick = figure, start, tick
        self.state: Any = None
        self.ticks = 0
        self.finished = False
        self.event_loop = running_loop()
        self._task: asyncio.Task | None = None
        self._touched = time.monotonic()
        self.play_button = widgets.ToggleButton(description="Play", icon="play", layout={"width": "90px"})
        self.step_button = widgets.Button(description="Step", icon="step-forward", layout={"width": "80px"})
        self.reset_button = widgets.Button(description="Reset", icon="undo", layout={"width": "80px"})
        options = sorted({*SPEEDS, speed})
        style = {"description_width": "auto"}
        self.speed = widgets.SelectionSlider(
            options=options, value=speed, description="speed", style=style, layout={"width": "220px"}
        )
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

    def reset(self) -> None:
        self.pause()
        with self.figure.lock:
            if self.figure.guarded(self.restart):
                self.figure.update()

    def step(self) -> None:
        self.touched()
        with self.figure.lock:
            self.advance(1)

    def advance(self, count: int) -> bool:
        """Up to count ticks and one drawing, under the figure's lock. False when the run ended or a tick raised."""
        start = time.perf_counter()
        with self.figure.lock:
            for _ in range(count):
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
            while self.playing:
                start = time.perf_counter()
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


def running_loop() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None
