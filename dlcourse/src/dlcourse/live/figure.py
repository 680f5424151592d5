"""LiveFigure: axes, artists that move, controls, and words that say what the picture shows."""

import html
import inspect
import threading
import time
import weakref
from collections.abc import Callable, Collection
from typing import Any

import ipywidgets as widgets

from dlcourse import notebook
from dlcourse.live import page, static
from dlcourse.live.controls import Control, Function, ReadersError, ReadersFunction
from dlcourse.live.errors import FigureError, blamed, describe, did_you_mean, missing_name
from dlcourse.live.loop import Loop, named, running_loop
from dlcourse.live.picture import Picture
from dlcourse.live.style import course_style
from dlcourse.without_kernel import LiveBox

ON_WHITE = "background:#fff;padding:0 4px;border-radius:3px"  # dark colours stay readable in a dark theme
INTERRUPTED = "Interrupted. The picture may be the one before; move a control, or press Step, to go on."
REST = 0.25  # seconds without a change, after which the picture is sent once more without loss
_figures: "weakref.WeakValueDictionary[int, LiveFigure]" = weakref.WeakValueDictionary()
_by_place: "dict[tuple, weakref.ref[LiveFigure]]" = {}
_count = 0


def figures() -> "list[LiveFigure]":
    """All live figures of this session that are open, in the order in which they were made."""
    return [_figures[key] for key in sorted(_figures.keys()) if not _figures[key].closed]


class LiveFigure:
    """A figure that answers while the slider moves.

    Args:
        title: shown above the picture; together with the notebook's cell it is the figure's identity, so that running the
            cell again replaces the figure.
        xlabel, ylabel: labels of `ax`, with units.
        size: width and height of the picture in pixels.

    Attributes:
        figure: the matplotlib figure. `ax` is its only axes; `subplots` makes several.
        picture, image: the drawing, and the widget that shows it.
        readout: what the control function returned last, in plain words.
        errors: messages of all exceptions that a callback raised; tests fail on any.
        lock: hold it to touch artists or state from outside a callback.
    """

    def __init__(self, title: str, xlabel: str = "", ylabel: str = "", size: tuple[int, int] = (600, 400)):
        global _count
        self.title, self._labels = title, (xlabel, ylabel)
        self.lock = threading.RLock()
        self.picture = Picture(size)
        self.figure = self.picture.figure
        self.controls: dict[str, Control] = {}
        self.widgets: dict[str, widgets.Widget] = {}
        self.run: Loop | None = None
        self.readout, self.note = "", ""
        self.errors: list[str] = []
        self.failed = False
        self.closed = False
        self.frames = 0
        self._function: Callable | None = None
        self._readers: dict[str, ReadersFunction] = {}
        self._silent = False
        self._event_loop = running_loop()
        self._moved = 0.0
        self._resting = False
        self._build_widget(size)
        _count += 1
        self.number = _count
        _figures[self.number] = self
        self._replace_earlier()

    # Putting it together

    @property
    def ax(self):
        """The figure's only axes."""
        if not self.figure.axes:
            ax = self.subplots()
            ax.set(xlabel=self._labels[0], ylabel=self._labels[1])
        return self.figure.axes[0]

    def subplots(self, *args, **kwargs):
        """Axes in rows and columns, as matplotlib's Figure.subplots makes them."""
        with course_style():
            return self.figure.subplots(*args, **kwargs)

    def animate(self, *artists):
        """Name the artists that the control function changes; everything else is drawn once and kept.

        Returns:
            the artist, or the artists in their order, for `line = fig.animate(fig.ax.plot([], [])[0])`.
        Raises:
            FigureError: an artist belongs to another figure, or is none.
        """
        for things in artists:
            self.picture.animate(things)
        return artists[0] if len(artists) == 1 else artists

    def loop(self, start: Callable, tick: Callable, speed: float = 1, steer: Collection[str] = (), steps: int = 1) -> Loop:
        """Give the figure a run with Play, Step and Reset. Call it before `control`; see `Loop` for what it takes.

        Changing a control that start or tick takes starts the run again; those in `steer` may change while it goes on.
        """
        if self._function is not None:
            raise FigureError("call fig.loop(...) before @fig.control(...): the control function draws the loop's state")
        self.run = Loop(self, start, tick, speed, steer, steps)
        return self.run

    def control(self, **controls: Control):
        """Decorate the function that updates the artists and returns the readout.

        It is called with the controls' values by name, at once and whenever one changes; with `state` too if there is a
        loop.
        Raises:
            FigureError: the function's parameters and the controls do not fit together.
        """
        for name, control in controls.items():
            if not isinstance(control, Control):
                raise FigureError(f"{name} must be a control such as Slider(0, 1), got {control!r}")

        def decorate(function: Callable) -> Callable:
            self._check_parameters(function, controls)
            if self.run is not None and (unknown := sorted(self.run.steer - set(controls))):
                raise FigureError(f"steer names {unknown[0]!r}, which is no control.{did_you_mean(unknown[0], controls)}")
            self.controls = controls
            self.widgets = {name: control.make(name) for name, control in controls.items()}
            self._function = function
            rows = [*self.widgets.values()]
            if self.run is not None:
                rows = [self.run.widget, *rows]
            self._panel.children = (*rows, self._copy) if rows else ()
            for name, widget in self.widgets.items():
                widget.observe(lambda change, name=name: self._on_change(name), "value")
            with self.lock:
                if self.run is None or self.guarded(self.run.restart):
                    self.update(moving=False)
            return function

        return decorate

    def _check_parameters(self, function: Callable, controls: dict[str, Control]) -> None:
        known = [*controls, *(["state"] if self.run is not None else [])]
        parameters = inspect.signature(function).parameters
        for name in parameters:
            if name not in known:
                hint = " (there is no loop: call fig.loop first)" if name == "state" else did_you_mean(name, known)
                raise FigureError(f"the function takes {name!r}, which is no control.{hint}")
        users = [parameters]
        if self.run is not None:
            users += [inspect.signature(self.run.start).parameters, inspect.signature(self.run.tick).parameters]
        for name in controls:
            if not any(name in user for user in users):
                raise FigureError(f"the control {name!r} moves nothing: no function takes it.{did_you_mean(name, parameters)}")

    # Showing it

    def _build_widget(self, size: tuple[int, int]) -> None:
        layout = {"width": f"{size[0]}px", "max_width": "100%", "height": "auto", "object_fit": "contain"}
        self.image = widgets.Image(format="png", layout=layout)
        self._title = widgets.HTML(f"<b>{html.escape(self.title)}</b>")
        self._panel = widgets.HBox(layout={"flex_flow": "row wrap", "max_width": "900px"})
        self._words = widgets.HTML()
        self._status = widgets.HTML()
        self._copy = widgets.ToggleButton(description="as code", icon="code", layout={"width": "100px"})
        self._copy.tooltip = "Show the line of code that restores this setting"
        self._code = widgets.HTML()
        self._copy.observe(lambda _: self._show_code(), "value")
        self._parts = widgets.HBox()
        self._parts.add_class("dlcourse-parts")
        self._page = widgets.HTML()
        self._narrow = widgets.ToggleButton()  # pressed by the page's script; nobody sees it
        self._narrow.add_class("dlcourse-narrow")
        self._narrow.observe(lambda _: self._take_apart(), "value")
        rows = [self._title, self._panel, self.image, self._parts, self._words, self._status, self._code]
        rows += [self._narrow, self._page]
        self.widget = LiveBox(rows)
        self.widget.add_class("dlcourse-figure")

    def _fit_page(self) -> None:
        """Once the axes have their places: say how the picture is taken apart where the page is narrow."""
        if not self._page.value:
            name = f"dlcourse-{self.image.model_id[:12]}"
            self.widget.add_class(name)
            self._page.value = page.style(name, self.title, self.picture.size, self.picture.parts())

    def _take_apart(self) -> None:
        """Show the parts below each other while the page is narrow. Elsewhere there are none: each costs a millisecond."""
        parts = self.picture.parts() if self._narrow.value else []
        boxes = [widgets.Box([self.image]) for _ in parts]  # each shows another part of the same picture
        for number, box in enumerate(boxes):
            box.add_class(f"dlcourse-part-{number}")
        self._parts.children = boxes

    def values(self) -> dict[str, Any]:
        """What the control function receives now."""
        found = {}
        for name, control in self.controls.items():
            value = control.read(self.widgets[name])
            if isinstance(control, Function):
                value = self._readers[name] = ReadersFunction(value, notebook.lookup(value))
            found[name] = value
        return found

    def set(self, **values: Any) -> None:
        """Move controls by code: fig.set(lr=0.1, start=-2.0).

        Raises:
            FigureError: no such control, or a value that it cannot have; nothing is changed then.
        """
        for name, value in values.items():
            if name not in self.controls:
                raise FigureError(f"no control {name!r}.{did_you_mean(name, self.controls)}")
            self.controls[name].check(value)
        self._silent = True
        try:
            for name, value in values.items():
                self.widgets[name].value = value
        finally:
            self._silent = False
        for name in values:
            self._tell_run(name)
        self.update()

    def setting(self) -> str:
        """The line of code that restores the present setting."""
        variable = next((n for n, v in notebook.namespace().items() if v is self and not n.startswith("_")), "fig")
        values = ", ".join(f"{name}={_short(widget.value)}" for name, widget in self.widgets.items())
        return f"{variable}.set({values})"

    def update(self, moving: bool = True) -> None:
        """Call the control function and show what it drew. An exception is told under the picture, and recorded."""
        with self.lock:
            if self._function is None or self.closed:
                return
            self.note = ""
            if self.guarded(self._call):
                self.guarded(lambda: self._show("jpeg" if moving and self._can_rest() else "png"))
            elif self.frames == 0:  # the axes at least, beside the message
                note = self.note
                if self.guarded(lambda: self._show("png")):
                    self.failed, self.note = True, note
            self._show_words()

    def _call(self) -> None:
        values = self.values()
        if self.run is not None:
            values["state"] = self.run.state
        text = self._function(**named(self._function, values))
        if not isinstance(text, str):
            raise FigureError(
                f"the control function must return the readout as text, got {type(text).__name__}: end it with return f'...'"
            )
        self.readout = text
        problems = [reader.problem for reader in self._readers.values() if reader.problem]
        missing = [r for r in self._readers.values() if r.name and r.function is None]
        problems += [f"There is no function {reader.name!r} yet: run the cell that defines it." for reader in missing]
        self.note = " ".join(problems)

    def _show(self, format: str) -> None:
        self.picture.draw()
        self._send(format)

    def guarded(self, action: Callable[[], Any]) -> bool:
        """Do something of the reader's; on an exception say so under the picture, record it, and return False."""
        try:
            action()
        except ReadersError as error:  # theirs to mend, and no fault of the figure
            self.failed, self.note = True, str(error)
            self._show_words()
            return False
        except KeyboardInterrupt:  # asked for, and no fault of the figure either
            self.failed, self.note = True, INTERRUPTED
            self._show_words()
            return False
        except Exception as error:  # whatever a callback raises is shown to the reader and recorded for tests
            self.failed = True
            if reader := blamed(error):
                self.note = f"{reader}: {describe(error)}"
            else:
                self.errors.append(missing_name(error) + describe(error))
                self.note = self.errors[-1]
            self._show_words()
            return False
        self.failed = False
        return True

    def tell(self, note: str) -> None:
        """Show a note under the readout."""
        self.note = note
        self._show_words()

    def _send(self, format: str) -> None:
        self._fit_page()
        data = self.picture.encode(format)
        with self.image.hold_sync():
            self.image.format = format
            self.image.value = data
        self.frames += 1
        if format == "jpeg":
            self._rest_later()

    def _show_words(self) -> None:
        # role=status is announced when the reader pauses, role=alert at once.
        remark = self.run.remark if self.run is not None else ""
        words = f'<div role="status" aria-live="polite" class="course-readout" style="line-height:1.4">{html.escape(self.readout)}</div>'
        if remark:
            words += f'<div role="status" aria-live="polite" class="course-remark" style="line-height:1.4">{html.escape(remark)}</div>'
        self._words.value = words
        broken = self.failed and self.note in self.errors  # a note about the reader's own function is no error of ours
        style = f"{ON_WHITE};color:#B00020;font-weight:600" if broken else "font-style:italic"
        kind = "course-note course-error" if broken else "course-note"
        note = (
            f'<div role="alert" class="{kind}" style="line-height:1.4;{style}">{html.escape(self.note)}</div>'
            if self.note
            else ""
        )
        self._status.value = note
        if self._copy.value:
            self._show_code()

    def _show_code(self) -> None:
        self._code.value = f"<code>{html.escape(self.setting())}</code>" if self._copy.value else ""

    # At rest the picture is sent once more as PNG: JPEG's blur is for moving pictures.

    def _can_rest(self) -> bool:
        return self._event_loop is not None and not self._event_loop.is_closed()

    def _rest_later(self) -> None:
        self._moved = time.monotonic()
        if not self._resting:
            self._resting = True
            self._event_loop.call_soon_threadsafe(self._event_loop.call_later, REST, self._rest)

    def _rest(self) -> None:
        still = REST - (time.monotonic() - self._moved)
        if self.closed:
            return
        if still > 0.001:
            self._event_loop.call_later(still, self._rest)
            return
        with self.lock:
            self._resting = False
            self._send("png")

    # Being told

    def _on_change(self, name: str) -> None:
        if self._silent:
            return
        if self.run is not None:
            self.run.touched()
        with self.lock:
            self._tell_run(name)
            self.update()

    def _tell_run(self, name: str) -> None:
        if self.run is not None:
            control = self.controls[name]
            with self.lock:
                self.run.changed(name, f"{control.label or name} = {control.words(self.widgets[name].value)}")

    def cell_was_run(self) -> None:
        """Redraw when the reader has defined a function anew that the figure shows."""
        if self.closed:
            return
        for name, control in self.controls.items():
            if isinstance(control, Function) and notebook.lookup(self.widgets[name].value) is not self._readers[name].function:
                self._on_change(name)
                return

    def _replace_earlier(self) -> None:
        place = (notebook.cell_id(), self.title)
        earlier = _by_place.get(place, lambda: None)()
        if earlier is not None:
            earlier.close()
        _by_place[place] = weakref.ref(self)

    def close(self) -> None:
        """Stop the loop and the controls; a still picture stays on the page."""
        self.closed = True
        if self.run is not None:
            self.run.close()
        self.widget.close()

    def _ipython_display_(self):
        self._event_loop = running_loop() or self._event_loop
        notebook.watch(self)
        if self._function is None:
            with self.lock:
                self.picture.draw()
                self._send("png")
        self.widget.publish(static.bundle(self))


def _short(value: Any) -> str:
    return f"{value:.6g}" if isinstance(value, float) else repr(value)
