"""Live figures: what they draw, what they say, and what they do when something is wrong."""

import asyncio
import io
import re
import threading

import ipywidgets as widgets
import numpy as np
import pytest
from PIL import Image

from dlcourse import live, notebook
from dlcourse.live import Button, Choice, FigureError, Function, Integer, LiveFigure, Slider, Switch, Text, static
from dlcourse.live import figure as figure_module
from dlcourse.live import loop as loop_module


def pixels(fig) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(fig.image.value)).convert("RGB")).astype(int)


def dot(title="dot", **controls):
    """A figure with one dot on a parabola."""
    fig = LiveFigure(title, xlabel="x", ylabel="y")
    x = np.linspace(-1, 1, 50)
    fig.ax.plot(x, x**2)
    point = fig.animate(fig.ax.plot([], [], "o")[0])
    controls = controls or {"x": Slider(-1, 1, value=0.0, step=0.1)}

    @fig.control(**controls)
    def _(x):
        point.set_data([x], [x**2])
        return f"x = {x:.2f}, y = {x * x:.2f}"

    fig.point = point
    return fig


@pytest.fixture(autouse=True)
def no_figures_left():
    yield
    for fig in live.figures():
        fig.close()


@pytest.fixture
def namespace(monkeypatch):
    """The names of a notebook."""
    names = {}
    monkeypatch.setattr(notebook, "namespace", lambda: names)
    return names


# Drawing


def test_a_slider_moves_the_dot_the_picture_and_the_words():
    fig = dot()
    before = pixels(fig)
    assert before.shape == (400, 600, 3) and fig.readout == "x = 0.00, y = 0.00"
    fig.widgets["x"].value = 0.8
    after = pixels(fig)
    assert fig.point.get_data()[1][0] == pytest.approx(0.64)
    assert (abs(after - before).sum(axis=-1) > 60).sum() > 50
    assert "y = 0.64" in fig._words.value and 'aria-live="polite"' in fig._words.value
    fig.widgets["x"].value = 0.0
    assert (abs(pixels(fig) - before).max(axis=-1) <= 30).all(), "back where it was"


def test_the_blitted_picture_equals_a_full_drawing():
    fig = dot()
    fig.set(x=0.5)
    blitted = np.array(fig.picture.canvas.buffer_rgba())
    fig.point.set_animated(False)
    fig.picture.canvas.draw()
    assert np.array_equal(blitted, np.array(fig.picture.canvas.buffer_rgba()))


def test_a_slider_step_draws_the_background_once_and_a_changed_limit_draws_it_anew():
    fig = dot()
    drawn = fig.picture.full_drawings
    for x in np.linspace(-1, 1, 10):
        fig.set(x=float(x))
    assert fig.picture.full_drawings == drawn
    fig.ax.set_xlim(-2, 2)
    before = pixels(fig)
    fig.set(x=0.3)
    assert fig.picture.full_drawings == drawn + 1
    assert (abs(pixels(fig) - before).sum(axis=-1) > 60).sum() > 500
    fig.ax.set_title("new")
    fig.set(x=0.4)
    assert fig.picture.full_drawings == drawn + 2


def test_hidden_artists_are_not_drawn_and_higher_ones_cover_lower_ones():
    fig = LiveFigure("order")
    fig.ax.set(xlim=(0, 1), ylim=(0, 1))
    top = fig.ax.plot([0.5], [0.5], "s", ms=40, color="red", zorder=5)[0]
    bottom = fig.ax.plot([0.5], [0.5], "s", ms=40, color="blue", zorder=3)[0]
    fig.animate([top], (bottom,))

    @fig.control(show=Switch(True))
    def _(show):
        top.set_visible(show)
        return "shown" if show else "hidden"

    x, y = fig.ax.transData.transform((0.5, 0.5)).astype(int)
    assert tuple(pixels(fig)[400 - y, x]) == (255, 0, 0)
    fig.set(show=False)
    assert tuple(pixels(fig)[400 - y, x]) == (0, 0, 255)


def test_containers_can_be_animated():
    fig = LiveFigure("bars")
    bars = fig.animate(fig.ax.bar([0, 1], [1, 2]))

    @fig.control(h=Slider(1, 3))
    def _(h):
        for bar in bars:
            bar.set_height(h)
        return f"height {h}"

    before = pixels(fig)
    fig.set(h=2.5)
    assert (pixels(fig) != before).any()


# Controls


def test_every_control_hands_over_its_value():
    got = {}
    fig = LiveFigure("controls")

    @fig.control(
        real=Slider(0, 1, value=0.5),
        log=Slider(1e-3, 1e3, value=1.0, log=True),
        whole=Integer(1, 9, value=3),
        named=Choice({"small": 10, "large": 1000}),
        plain=Choice(["a", "b"], value="b"),
        on=Switch(True),
        press=Button("Again"),
        text=Text("hello"),
    )
    def _(real, log, whole, named, plain, on, press, text):
        got.update(locals())
        return str(got)

    values = {"real": 0.5, "log": 1.0, "whole": 3, "named": 10, "plain": "b", "on": True, "press": 0, "text": "hello"}
    assert {name: got[name] for name in values} == values
    fig.set(real=1.0, log=1e3, whole=9, named="large", plain="a", on=False, text="bye")
    fig.widgets["press"].click()
    assert (got["real"], got["log"], got["whole"], got["named"], got["plain"]) == (1.0, 1e3, 9, 1000, "a")
    assert (got["on"], got["press"], got["text"]) == (False, 1, "bye")
    for name, control in fig.controls.items():
        for value in control.extremes():
            control.check(value)
            fig.set(**{name: value})
    assert fig.errors == []


def test_a_setting_can_be_copied_as_code(namespace):
    fig = dot()
    namespace["skier"] = fig
    fig.set(x=-0.3)
    line = fig.setting()
    assert line == "skier.set(x=-0.3)"
    fig._copy.value = True
    assert line in fig._code.value
    fig.set(x=0.9)
    assert "x=0.9" in fig._code.value
    exec(line, {"skier": fig})
    assert fig.readout == "x = -0.30, y = 0.09"


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: Slider(1, 0), "min to max"),
        (lambda: Slider(0, float("inf")), "finite"),
        (lambda: Slider(0, float("nan")), "finite"),
        (lambda: Slider(0, 1, value=2), "outside"),
        (lambda: Slider(0, 1, log=True), "min > 0"),
        (lambda: Slider(0, 1, step=0), "positive"),
        (lambda: Integer(0, 1.5), "whole number"),
        (lambda: Integer(3, 3), "min < max"),
        (lambda: Choice([]), "at least one"),
        (lambda: Choice(["adam"], value="adm"), "Did you mean 'adam'"),
        (lambda: dot().set(y=1), "no control 'y'"),
        (lambda: dot().set(x=7), "outside"),
        (lambda: dot().animate(dot("other").point), "another figure"),
        (lambda: dot().animate("line"), "what matplotlib's drawing functions return"),
        (lambda: dot(position=Slider(0, 1)), "the function takes 'x'"),
        (lambda: dot(x=Slider(0, 1), z=Slider(0, 1)), "'z' moves nothing"),
        (lambda: dot(x=(0, 1)), "must be a control"),
        (lambda: LiveFigure("t").ax.set_xlim(0, float("nan")), "NaN"),
        (lambda: dot().loop(lambda: 0, lambda state: None), "before @fig.control"),
    ],
)
def test_wrong_use_raises_at_once_and_teaches(make, says):
    with pytest.raises(ValueError, match=says):
        make()


def test_a_refused_setting_changes_nothing():
    fig = dot(x=Slider(0, 1, value=0.5))
    with pytest.raises(FigureError):
        fig.set(x=0.7, y=1)
    assert fig.readout.startswith("x = 0.50")


# What goes wrong in a callback


def test_an_exception_in_a_callback_is_shown_and_recorded():
    fig = LiveFigure("breaks")

    @fig.control(x=Slider(-1, 1, value=1.0))
    def _(x):
        return f"{1 / x:.1f}"

    before = fig.image.value
    fig.widgets["x"].value = 0.0
    assert fig.failed and len(fig.errors) == 1
    assert "ZeroDivisionError: float division by zero" in fig.note and 'return f"{1 / x:.1f}"' in fig.note
    assert 'role="alert"' in fig._status.value and fig.image.value == before
    fig.widgets["x"].value = 0.5
    assert not fig.failed and fig.readout == "2.0" and fig._status.value == ""
    assert len(fig.errors) == 1, "what went wrong once stays on record"


def test_a_readout_is_required():
    fig = LiveFigure("silent")

    @fig.control(x=Slider(0, 1))
    def _(x):
        pass

    assert "must return the readout as text, got NoneType" in fig.note


def test_text_of_the_reader_is_not_markup():
    fig = LiveFigure("<script>", xlabel="x")

    @fig.control(text=Text("<img src=x onerror=alert(1)>"))
    def _(text):
        return text

    assert "<img" not in fig._words.value and "<script>" not in fig._title.value


# The reader's own function


def own_figure():
    fig = LiveFigure("own")
    x = np.linspace(0, 1, 20)
    reference, mine = fig.animate(fig.ax.plot(x, x)[0], fig.ax.plot(x, x, "--")[0])

    @fig.control(a=Slider(0, 1, value=0.5), own=Function("my_curve"))
    def _(a, own):
        reference.set_ydata(a * x)
        with own.shown(mine):
            mine.set_ydata(own.on(x))
        return f"a = {a:.2f}, yours {'shown' if mine.get_visible() else 'not shown'}"

    return fig, reference, mine


def test_the_readers_function_stands_beside_the_reference(namespace):
    fig, _, mine = own_figure()
    assert "no function 'my_curve' yet" in fig.note and not mine.get_visible() and fig.errors == []
    namespace["my_curve"] = lambda x: 1 - x
    fig.cell_was_run()
    assert fig.readout.endswith("yours shown") and mine.get_ydata()[0] == 1.0 and fig.note == ""
    fig.set(own="")
    assert fig.note == "" and not mine.get_visible()


@pytest.mark.parametrize(
    ("function", "says"),
    [
        (lambda x: x / 0, "ZeroDivisionError|divide by zero"),
        (lambda x: undefined_name, "NameError: name 'undefined_name' is not defined"),  # noqa: F821
        (lambda: 1, "TypeError"),
        (lambda x: x[:3], r"shape \(20,\), got shape \(3,\)"),
        (lambda x: None, "returned None: is its return statement missing"),
        (lambda x: "text", "must return numbers, got str: 'text'"),
    ],
)
@pytest.mark.filterwarnings("error::RuntimeWarning")
def test_while_the_readers_function_is_wrong_the_reference_goes_on(function, says, namespace):
    fig, reference, mine = own_figure()
    namespace["my_curve"] = function
    fig.set(a=0.8)
    assert reference.get_ydata()[-1] == pytest.approx(0.8)
    assert re.search(says, fig.note) and fig.note.startswith("my_curve")
    assert not mine.get_visible() and fig.errors == [] and not fig.failed


# Loops


def counting(title="count", fail_at=None, stop_at=None, interrupt_at=None):
    fig = LiveFigure(title)
    fig.ax.set(xlim=(0, 100), ylim=(-1, 1))
    point = fig.animate(fig.ax.plot([], [], "o")[0])

    def start(seed):
        return {"n": 0, "rng": np.random.default_rng(seed)}

    def tick(state, size):
        if state["n"] == fail_at:
            raise RuntimeError("the tick broke")
        if state["n"] == interrupt_at:
            raise KeyboardInterrupt
        if state["n"] == stop_at:
            raise StopIteration
        state["n"] += 1
        state["x"] = state["rng"].normal() * size

    fig.loop(start, tick)

    @fig.control(seed=Integer(0, 5), size=Slider(0, 1, value=1.0))
    def _(state, size):
        point.set_data([state["n"]], [0])
        return f"n = {state['n']}, size {size:.1f}"

    return fig


def test_step_and_reset():
    fig = counting()
    assert fig.readout == "n = 0, size 1.0"
    seen = []
    for _ in range(3):
        fig.run.step_button.click()
        seen.append(fig.run.state["x"])
    assert fig.readout == "n = 3, size 1.0" and fig.run.ticks == 3
    fig.run.reset_button.click()
    assert fig.readout == "n = 0, size 1.0"
    fig.run.step()
    assert fig.run.state["x"] == seen[0], "Reset restores the first state exactly"
    fig.set(seed=1)
    assert fig.run.ticks == 0, "a control that start names resets the run"
    fig.run.step()
    assert fig.run.state["x"] != seen[0]


def play_for(seconds, make=counting, then=None, **kwargs):
    """Play inside an event loop, as in a kernel."""

    async def main():
        fig = make(**kwargs)
        fig.run.play_button.value = True
        await asyncio.sleep(seconds)
        if then:
            await then(fig)
        return fig

    return asyncio.run(main())


def test_playing_ticks_and_pausing_stops():
    async def then(fig):
        assert fig.run.playing and fig.run.play_button.description == "Pause"
        ticks = fig.run.ticks
        assert 5 <= ticks <= 0.5 * loop_module.FRAMES_PER_SECOND + 2, "some frames, and no more than the limit"
        fig.widgets["size"].value = 0.5
        assert fig.readout.endswith("size 0.5"), "sliders act while it plays"
        fig.run.pause()
        await asyncio.sleep(0.1)
        ticks = fig.run.ticks
        await asyncio.sleep(0.2)
        assert fig.run.ticks == ticks and fig.run._task.done()

    play_for(0.5, then=then)


def test_other_work_gets_its_turn_while_it_plays():
    async def then(fig):
        turns = 0
        for _ in range(20):
            await asyncio.sleep(0.001)
            turns += 1
        assert turns == 20 and fig.run.playing
        fig.run.pause()

    play_for(0.2, then=then)


def test_a_tick_that_raises_stops_the_run_and_says_so():
    fig = play_for(0.6, fail_at=4)
    assert not fig.run.playing and fig.run.play_button.description == "Play"
    assert fig.run.state["n"] == 4
    assert "RuntimeError: the tick broke" in fig.note and "raise RuntimeError" in fig.note
    assert len(fig.errors) == 1


def test_a_run_that_ends_pauses_without_an_error():
    fig = play_for(0.6, stop_at=6)
    assert fig.run.finished and not fig.run.playing and fig.errors == [] and fig.readout.startswith("n = 6")
    fig.run.reset()
    assert not fig.run.finished and fig.readout.startswith("n = 0")


def test_running_the_cell_again_stops_the_old_run():
    async def main():
        first = counting()
        first.run.play()
        await asyncio.sleep(0.1)
        second = counting()
        await asyncio.sleep(0.1)
        assert first.closed and first.run._task.done() and not second.closed
        assert len(asyncio.all_tasks()) == 1, "no task is left but this one"
        assert [fig.number for fig in live.figures()] == [second.number]

    asyncio.run(main())


def test_an_unwatched_run_pauses_itself(monkeypatch):
    monkeypatch.setattr(loop_module, "IDLE_LIMIT", 0.2)
    fig = play_for(0.6)
    assert not fig.run.playing and "nobody touched the figure" in fig.note


def test_playing_from_another_thread_as_in_a_subshell():
    async def main():
        fig = counting()
        thread = threading.Thread(target=fig.run.play)
        thread.start()
        thread.join()
        await asyncio.sleep(0.3)
        assert fig.run.ticks >= 3
        fig.run.pause()
        await asyncio.sleep(0.1)

    asyncio.run(main())


def test_sliders_from_many_threads_leave_a_whole_picture():
    fig = dot()
    threads = [threading.Thread(target=lambda v=v: fig.set(x=v)) for v in np.linspace(-1, 1, 8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert fig.errors == [] and pixels(fig).shape == (400, 600, 3)


def test_without_a_kernel_play_says_what_works():
    fig = counting()
    fig.run.play()
    assert not fig.run.playing and "Step works" in fig.note


# On the page


def test_moving_pictures_are_jpeg_and_resting_ones_png():
    async def main():
        fig = dot()
        assert fig.image.value[:4] == b"\x89PNG"
        fig.widgets["x"].value = 0.5
        assert fig.image.format == "jpeg" and fig.image.value[:2] == b"\xff\xd8"
        fig.widgets["x"].value = 0.6
        await asyncio.sleep(figure_module.REST + 0.2)
        assert fig.image.format == "png" and fig.image.value[:4] == b"\x89PNG"

    asyncio.run(main())


def test_without_a_kernel_the_page_shows_title_picture_and_readout(put_out):
    fig = dot()
    fig._ipython_display_()
    still = put_out[0]
    assert still["text/plain"] == "dot: x = 0.00, y = 0.00"
    assert f'src="data:image/png;base64,{still["image/png"]}"' in still["text/html"]
    assert "<b>dot</b>" in still["text/html"] and "<p>x = 0.00, y = 0.00</p>" in still["text/html"]
    assert "<script" not in still["text/html"]
    fig.set(x=0.5)
    fig._ipython_display_()
    assert "<p>x = 0.50, y = 0.25</p>" in put_out[2]["text/html"]


def test_a_static_page_holds_a_picture_for_every_step(monkeypatch, put_out):
    monkeypatch.setenv("DLCOURSE_STATIC", "1")
    fig = counting()
    fig._ipython_display_()
    (bundle,) = put_out
    assert set(bundle) == {"text/plain", "text/html", "image/png"}
    page = bundle["text/html"]
    assert page.count('<input type="range"') == 3, "two controls and the run"
    assert page.count("data:image/webp;base64,") > 6 + 20 + 20
    assert fig.readout == "n = 0, size 1.0", "making the page leaves the figure as it was"


def test_a_static_page_begins_at_the_value_whose_picture_it_shows():
    fig = dot(x=Slider(-1, 1, value=0.123, step=0.001))
    (strip,) = static.strips(fig)
    start = strip["frames"][strip["start"]]
    assert start["label"] == "0.123" and start["words"] == fig.readout == "x = 0.12, y = 0.02"
    assert len(strip["frames"]) == static.FRAMES


def test_a_plain_figure_without_controls_is_shown_too(put_out):
    fig = LiveFigure("plain")
    fig.ax.plot([0, 1], [0, 1])
    fig._ipython_display_()
    assert "<img" in put_out[0]["text/html"] and fig.image.value


def test_course_style_is_readable():
    fig = LiveFigure("style", xlabel="weight w", ylabel="loss")
    assert fig.ax.xaxis.label.get_size() >= 12 and fig.ax.get_xticklabels()[0].get_size() >= 12
    assert fig.ax.get_xlabel() == "weight w"
    styles = [fig.ax.plot([0, 1])[0] for _ in range(6)]
    assert len({line.get_color() for line in styles}) == 6 and len({str(line._dash_pattern) for line in styles}) == 6


# A run that is steered, and one that starts again


def steered(**loop):
    fig = LiveFigure("steered")
    fig.ax.set(xlim=(0, 100), ylim=(-1, 1))
    line = fig.animate(fig.ax.plot([], [])[0])

    def start(seed):
        return {"n": 0, "seed": seed}

    def tick(state, lr, size):
        state["n"] += 1
        if state["n"] == 5:
            raise StopIteration

    fig.loop(start, tick, **loop)

    @fig.control(seed=Integer(0, 5), lr=Slider(1e-3, 1, value=0.1, log=True), size=Slider(0, 1), shown=Switch())
    def _(state, seed, lr, size, shown):
        line.set_data([0, state["n"]], [0, lr])
        return f"n = {state['n']}, lr {lr:.3g}"

    return fig


def test_a_control_that_tick_takes_starts_the_run_again_and_the_page_says_so():
    fig = steered()
    fig.widgets["lr"].value = 0.2
    assert fig.run.remark == "", "before the first step there is nothing to start again"
    for name, value, words in (("lr", 0.3, "lr = 0.3"), ("size", 0.5, "size = 0.50"), ("seed", 2, "seed = 2")):
        fig.run.step()
        fig.run.step()
        fig.widgets[name].value = value
        assert fig.run.ticks == 0 and fig.readout.startswith("n = 0")
        assert fig.run.remark == f"Started again with {words}." and fig.run.remark in fig._words.value
    fig.widgets["seed"].value = 3
    assert fig.run.remark == "Started again with seed = 3.", "a slider that is dragged on"
    fig.run.step()
    fig.set(lr=0.4, size=0.6)
    assert fig.run.remark == "Started again with lr = 0.4. Started again with size = 0.60."
    fig.run.step()
    fig.widgets["shown"].value = True
    assert fig.run.ticks == 1, "what no run takes does not start it again"
    fig.run.reset()
    assert fig.run.remark == "" and "course-remark" not in fig._words.value


def test_a_steered_control_says_since_when_its_value_holds():
    fig = steered(steer=("lr",), steps=10)
    for _ in range(3):
        fig.run.step()
    fig.widgets["lr"].value = 0.3
    assert fig.run.ticks == 3 and fig.run.remark == "lr = 0.3 since step 30."
    assert "lr = 0.3 since step 30." in fig._words.value
    fig.run.step()
    fig.set(lr=0.5)
    assert fig.run.remark == "lr = 0.5 since step 40."
    fig.widgets["size"].value = 0.5
    assert fig.run.remark == "Started again with size = 0.50.", "the new run has had one lr only"


def test_a_function_defined_anew_starts_the_run_that_takes_it_again(namespace):
    fig = LiveFigure("own rule")
    line = fig.animate(fig.ax.plot([], [])[0])

    def tick(state, own):
        return state + own(1)

    fig.loop(lambda: 0, tick)

    @fig.control(own=Function("my_rule"))
    def _(state, own):
        line.set_data([0, state], [0, 1])
        return f"at {state}"

    namespace["my_rule"] = lambda x: x
    fig.cell_was_run()
    fig.run.step()
    assert fig.readout == "at 1"
    namespace["my_rule"] = lambda x: 5 * x
    fig.cell_was_run()
    assert fig.readout == "at 0" and fig.run.remark == "Started again with own = my_rule."


@pytest.mark.parametrize(
    ("loop", "says"),
    [
        ({"steer": ("lrr",)}, "tick does not take.* Did you mean 'lr'"),
        ({"steer": ("seed",)}, "the run begins with it"),
        ({"steer": "state"}, "'state', which is no control"),
        ({"speed": 0}, "speed must be positive"),
        ({"steps": 0}, "steps at least 1"),
    ],
)
def test_a_run_that_cannot_be_steered_like_that(loop, says):
    with pytest.raises(FigureError, match=says):
        steered(**loop)


@pytest.mark.parametrize("play", [True, False])
def test_an_ended_run_does_not_go_on(play):
    async def then(fig):
        fig.run.pause()
        for _ in range(9):
            fig.run.step()
        before = fig.run.state["n"], fig.picture.encode("png")
        assert fig.run.finished and before[0] == 5
        if play:
            fig.run.play_button.value = True
            await asyncio.sleep(0.1)
        else:
            fig.run.step_button.click()
        assert not fig.run.playing and fig.note == loop_module.ENDED
        assert "The run has ended" in fig._status.value
        assert (fig.run.state["n"], fig.picture.encode("png")) == before
        fig.run.reset()
        assert fig.note == "" and fig.run.ticks == 0
        fig.run.pause()

    play_for(0, make=steered, then=then)


def test_a_run_can_be_slowed_by_keyboard():
    fig = counting()
    labels = [label for label, _ in fig.run.speed.options]
    assert labels[:4] == ["1 a second", "3 a second", "10 a second", "30 a second"] and labels[4] == "up to 60 a second"

    async def then(fig):
        await asyncio.sleep(0.75)
        assert 2 <= fig.run.ticks <= 6, "3 a second for a second, and what came before"
        fig.run.pause()

    def slow():
        fig = counting()
        fig.run.speed.value = 0.1
        return fig

    play_for(0.25, make=slow, then=then)


# What a step costs


@pytest.fixture
def sent(monkeypatch):
    if widgets.__version__.startswith("7."):
        pytest.skip("ipywidgets 7 sends by a comm that these tests do not hear")
    """What widgets send to the page: (kind of widget, names of what is in the message)."""
    from ipywidgets import Widget

    messages = []

    def send(self, msg, buffers=None):
        messages.append((self._model_name, msg["method"], sorted([*msg["state"], *(path[0] for path in msg["buffer_paths"])])))

    monkeypatch.setattr(Widget, "_send", send)
    return messages


def test_a_step_sends_one_picture_then_the_words_and_nothing_else(sent):
    async def main():
        fig = dot()
        fig.widgets["x"].set_state({"value": 0.1})  # as a message from the page does
        sent.clear()
        fig.widgets["x"].set_state({"value": 0.2})
        assert sent == [("ImageModel", "update", ["value"]), ("HTMLModel", "update", ["value"])]
        fig.close()

    asyncio.run(main())


def test_words_that_did_not_change_are_not_sent(sent):
    fig = LiveFigure("quiet")
    line = fig.animate(fig.ax.plot([], [])[0])

    @fig.control(x=Slider(0, 1), on=Switch())
    def _(x, on):
        line.set_data([0, x], [0, 1])
        return "always the same words"

    for name, value in (("x", 0.5), ("x", 0.6)):
        sent.clear()
        fig.widgets[name].set_state({"value": value})
        assert [model for model, _, _ in sent] == ["ImageModel"]


def images(**kwargs):
    rng = np.random.default_rng(0)
    return lambda fig: [fig.ax.imshow(rng.random(kwargs.pop("shape", (40, 30))), **kwargs)]


def image_below_points(fig):
    rng = np.random.default_rng(0)
    points = fig.ax.scatter(*rng.random((2, 300)), c=rng.random(300), s=20, alpha=0.5, zorder=3)
    return [fig.ax.imshow(rng.random((40, 40)), extent=(0, 1, 0, 1), interpolation="nearest"), points]


def image_with_gaps(fig):
    values = np.random.default_rng(0).random((20, 20))
    values[3:9] = np.nan
    return [fig.ax.imshow(values, interpolation="nearest")]


def image_cut_by_the_axes(fig):
    image = fig.ax.imshow(np.random.default_rng(0).random((40, 40)), interpolation="nearest", extent=(0, 1, 0, 1))
    fig.ax.set(xlim=(0.21, 0.73), ylim=(-0.3, 0.9))
    return [image]


@pytest.mark.parametrize(
    ("make", "by_value", "tolerance"),
    [
        (images(interpolation="nearest", origin="lower", extent=(-3, 3, -3, 3)), True, 0),
        (images(interpolation="nearest", aspect="auto", cmap="gray"), True, 0),
        (images(shape=(9, 7)), True, 0),
        (images(shape=(300, 300)), False, 0),
        (images(interpolation="bilinear"), False, 0),
        (image_cut_by_the_axes, True, 0),
        (image_with_gaps, True, 0),
        (image_below_points, True, 3),
    ],
)
def test_pictures_drawn_fast_are_those_that_matplotlib_draws(make, by_value, tolerance):
    fig = LiveFigure("fast")
    artists = fig.animate(make(fig))
    for _ in range(3):  # the second and third time, places and points are known
        fig.picture.draw()
        fast = np.array(fig.picture.canvas.buffer_rgba()).astype(int)
        fig.picture.canvas.restore_region(fig.picture._background)
        for artist in fig.picture.moving:
            artist.draw(fig.picture.canvas.get_renderer())
        slow = np.array(fig.picture.canvas.buffer_rgba()).astype(int)
        assert abs(fast - slow).max() <= tolerance
        assert (artists[0] in fig.picture.raster._places) is by_value
        values = artists[0].get_array()
        artists[0].set_data(values[::-1])
    if len(artists) > 1:
        before = np.array(fig.picture.canvas.buffer_rgba())
        artists[1].set_offsets(np.random.default_rng(1).random((300, 2)))
        fig.picture.draw()
        assert (np.array(fig.picture.canvas.buffer_rgba()) != before).any(), "points that moved are drawn anew"


# What goes wrong outside the figure


def test_an_interrupt_is_told_and_the_figure_goes_on():
    fig = LiveFigure("interrupted")

    @fig.control(x=Slider(0, 1))
    def _(x):
        if x == 0.5:
            raise KeyboardInterrupt
        return f"x = {x:.1f}"

    fig.widgets["x"].value = 0.5
    assert "Interrupted" in fig.note and fig.errors == [] and fig.readout == "x = 0.0"
    thread = threading.Thread(target=lambda: fig.set(x=0.6))
    thread.start()
    thread.join(timeout=5)
    assert fig.readout == "x = 0.6", "the lock is free for other threads"
    fig.widgets["x"].value = 0.7
    assert fig.note == "" and fig.readout == "x = 0.7"


def test_an_interrupted_tick_stops_the_run_alone():
    fig = play_for(0.3, make=lambda: counting("stopped", interrupt_at=3))
    assert not fig.run.playing and "Interrupted" in fig.note and fig.errors == []


def test_a_missing_name_says_which_cell_to_run(monkeypatch, tmp_path):
    import nbformat

    path = tmp_path / "lecture.ipynb"
    cells = [nbformat.v4.new_code_cell(text) for text in ("%matplotlib inline\nx = 1", "import numpy as np\nlimit: int = 3")]
    path.write_text(nbformat.writes(nbformat.v4.new_notebook(cells=cells)))
    monkeypatch.setenv("JPY_SESSION_NAME", str(path))

    def figure(title, name):
        fig = LiveFigure(title)

        @fig.control(x=Slider(0, 1))
        def _(x):
            return f"{x} {eval(name)}"

        return fig.note

    assert "There is no name 'limit' yet: run the cell that begins with 'import numpy as np' first" in figure("a", "limit")
    assert "There is no name 'other' yet: run the cells above first" in figure("b", "other")
    monkeypatch.setenv("JPY_SESSION_NAME", str(tmp_path / "none.ipynb"))
    assert "run the cells above first (from the top: Run > Run All Above Selected Cell)" in figure("c", "limit")


def test_latex_that_is_missing_is_told(monkeypatch):
    import matplotlib as mpl

    monkeypatch.setenv("PATH", "")
    fig = LiveFigure("latex")
    with mpl.rc_context({"text.usetex": True}):
        fig.ax.set_title("set with $L_A T_E X$ 123456")

        @fig.control(x=Slider(0, 1))
        def _(x):
            return "words"

    assert "plt.rcParams['text.usetex'] = False" in fig.note


# Narrow pages


def test_columns_of_axes_are_parts_of_the_picture():
    one = LiveFigure("one")
    one.ax.plot([0, 1])
    one.picture.draw()
    assert one.picture.parts() == [(0, 0, 600, 400)]
    two = LiveFigure("two", size=(900, 400))
    left, right = two.subplots(1, 2, width_ratios=[3, 2])
    left.plot([0, 1], label="a line")
    two.figure.colorbar(right.imshow([[1, 2], [3, 4]]))
    two.figure.suptitle("above")
    two.figure.legend(loc="outside lower center")
    two.picture.draw()
    drawn = two.picture.full_drawings
    title, *columns, legend = two.picture.parts()
    assert len(columns) == 2, "a colour bar stays beside its picture"
    assert columns[0][2] == columns[1][0] and columns[0][0] == 0 and columns[1][2] == 900, "seamless"
    assert title[1] == 0 and title[3] == columns[0][1] and legend[1] == columns[0][3] and legend[3] == 400
    picture = np.array(two.picture.canvas.buffer_rgba())
    for left, top, right, bottom in columns:
        assert (picture[top:bottom, [left, right - 1], :3] == 255).all(), "no cut goes through ink"
    two.picture.draw()
    assert two.picture.full_drawings == drawn, "asking for parts draws nothing anew"


def test_parts_are_shown_while_the_page_is_narrow(sent):
    fig = LiveFigure("narrow", size=(900, 400))
    left, _ = fig.subplots(1, 2)
    line = fig.animate(left.plot([], [])[0])

    @fig.control(x=Slider(0, 1))
    def _(x):
        line.set_data([0, x], [0, 1])
        return f"{x}"

    assert fig._parts.children == ()
    fig._narrow.set_state({"value": True})
    assert len(fig._parts.children) == 2 and all(box.children == (fig.image,) for box in fig._parts.children)
    sent.clear()
    fig.widgets["x"].set_state({"value": 0.5})
    assert [model for model, _, _ in sent].count("ImageModel") == 1, "one picture for all parts"
    fig._narrow.set_state({"value": False})
    assert fig._parts.children == ()


# What is not seen


def test_points_outside_of_the_axes_are_counted():
    fig = LiveFigure("outside")
    fig.ax.set(xlim=(0, 1), ylim=(1, 0))
    assert live.outside(fig.ax, [0, 0.5, 1], [0, 0.5, 1]) == ""
    assert live.outside(fig.ax, [0, 2, 1], [0, 0.5, 1]) == "1 point is outside of the axes."
    words = live.outside(fig.ax, [0, np.nan, 1, 0.5], [-1, 0.5, np.inf, 0.5])
    assert words == "2 points are outside of the axes, 1 is not a number."
    with pytest.raises(ValueError, match="same length"):
        live.outside(fig.ax, [0, 1], [0])


# What a value is called


def test_values_are_worded_as_the_slider_shows_them():
    assert Slider(1e-3, 1, log=True).words(0.02) == "0.02" and Slider(0, 1).words(0.5) == "0.50"
    assert Integer(0, 9).words(3) == "3" and Choice({"small": 10}).words("small") == "small"
    with pytest.raises(FigureError, match="format"):
        Slider(0, 1, format="two digits")
