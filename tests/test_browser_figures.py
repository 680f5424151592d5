"""Live figures, predictions and exercises in a real JupyterLab, by mouse and keyboard.

They are those of tests/pages/live_figures.py; tests/test_browser.py runs the lectures' own.
"""

import re
from itertools import pairwise

import pytest

from coursebuild import text
from tests import browser
from tests.conftest import ROOT

pytestmark = [pytest.mark.browser, pytest.mark.receipt("browser", "tests/pages/**")]
SAMPLE = ROOT / "tests" / "pages" / "live_figures.py"
POINT, RUN, READERS = "A point on a curve", "A run in two panels", "Your curve beside ours"


@pytest.fixture(scope="module")
def page(chromium, tmp_path_factory):
    """The sample, run from the top."""
    folder = tmp_path_factory.mktemp("sample")
    notebook = text.dumps(text.notebook(text.read_source(SAMPLE)[1]))
    (folder / "live_figures.ipynb").write_text(notebook, encoding="utf-8")
    with browser.lab_on(folder) as url, browser.browser_page(chromium) as page:
        browser.open_notebook(page, url, "live_figures.ipynb")
        browser.run_all(page)
        page.wait_for_timeout(1000)
        yield page


def test_arrow_keys_move_the_picture_and_the_words(page):
    figure = browser.figure(page, POINT)
    words, picture = browser.readout(figure), browser.picture(figure)
    assert words.startswith("At x = -1.0 the height is +0.250")
    figure.locator(".noUi-handle").first.focus()
    page.keyboard.press("ArrowRight")
    browser.wait_for_change(page, figure, words)
    assert browser.readout(figure).startswith("At x = -0.9 the height is +0.202")
    browser.eventually(page, lambda: browser.picture(figure) != picture)
    browser.screenshot(page, "figure_point")


def test_the_readout_is_a_live_region(page):
    figure = browser.figure(page, POINT)
    region = figure.locator(".course-readout")
    assert region.get_attribute("aria-live") == "polite" and region.get_attribute("role") == "status"


def test_no_picture_is_wider_than_the_page_and_no_error_is_shown(page):
    assert browser.errors(page) == []
    for image in page.locator(".jp-OutputArea .widget-image").all():
        box = image.bounding_box()
        assert box is None or box["width"] <= 960


def test_step_play_pause_reset(page):
    figure = browser.figure(page, RUN)
    first = browser.readout(figure)
    assert first.startswith("Step 0, not started")
    figure.get_by_role("button", name="Step").click()
    browser.wait_for_change(page, figure, first)
    assert browser.readout(figure).startswith("Step 10, loss")
    figure.get_by_role("button", name="Play").click()
    browser.eventually(page, lambda: int(browser.readout(figure).split()[1].rstrip(",")) > 100)
    figure.get_by_role("button", name="Pause").click()
    page.wait_for_timeout(1000)
    stopped = browser.readout(figure)
    page.wait_for_timeout(700)
    assert browser.readout(figure) == stopped, "Pause pauses"
    browser.screenshot(page, "figure_run")
    figure.get_by_role("button", name="Reset").click()
    browser.wait_for_change(page, figure, stopped)
    assert browser.readout(figure) == first


def test_sliders_act_while_it_plays(page):
    figure = browser.figure(page, RUN)
    figure.get_by_role("button", name="Play").click()
    browser.eventually(page, lambda: not browser.readout(figure).startswith("Step 0,"))
    figure.get_by_role("slider", name="lr", exact=True).focus()
    page.keyboard.press("ArrowRight")
    browser.eventually(page, lambda: "lr 0.322" in browser.readout(figure))
    remark = figure.locator(".course-remark")
    assert re.fullmatch(r"lr = 0\.322 since step [1-9]\d*0\.", remark.text_content())
    figure.get_by_role("button", name="Reset").click()
    browser.eventually(page, lambda: browser.readout(figure).startswith("Step 0,"))


def test_a_slider_that_the_run_begins_with_starts_it_again(page):
    figure = browser.figure(page, RUN)
    before = browser.readout(figure)
    for _ in range(3):
        figure.get_by_role("button", name="Step").click()
    browser.eventually(page, lambda: browser.readout(figure).startswith("Step 30, loss"))
    figure.get_by_role("slider", name="start", exact=True).focus()
    page.keyboard.press("ArrowRight")
    browser.eventually(page, lambda: browser.readout(figure).startswith("Step 0, not started"))
    assert figure.locator(".course-remark").text_content() == "Started again with start = 2.5."
    page.keyboard.press("ArrowLeft")
    browser.eventually(page, lambda: "start = 2.0" in figure.locator(".course-remark").text_content())
    figure.get_by_role("button", name="Reset").click()
    browser.eventually(page, lambda: figure.locator(".course-remark").count() == 0)
    assert browser.readout(figure) == before


def test_a_held_key_ends_on_the_picture_of_the_last_value(page):
    """However many values were left out on the way, the last is drawn, and comes without loss at rest."""
    figure = browser.figure(page, POINT)
    figure.locator(".noUi-handle").first.focus()
    page.keyboard.press("Home")
    browser.eventually(page, lambda: browser.readout(figure).startswith("At x = -3.5"))
    for _ in range(45):
        page.keyboard.down("ArrowRight")  # without a release between, as a held key repeats
    page.keyboard.up("ArrowRight")
    browser.eventually(page, lambda: browser.readout(figure).startswith("At x = 1.0"))
    page.wait_for_timeout(1000)
    shown = figure.locator("img").first.evaluate(
        """async image => {
          const bytes = new Uint8Array(await (await fetch(image.src)).arrayBuffer());
          const digest = await crypto.subtle.digest('SHA-256', bytes);
          return [[...bytes.slice(1, 4)], [...new Uint8Array(digest)].map(b => b.toString(16).padStart(2, '0')).join('')];
        }"""
    )
    assert bytes(shown[0]) == b"PNG"
    browser.run_code(
        page,
        "import hashlib\nfrom dlcourse import live\n"
        f"found = next(f for f in live.figures() if f.title == {POINT!r})\n"
        "print('DIGEST', hashlib.sha256(found.image.value).hexdigest(), found.readout)",
    )
    printed = page.locator(".jp-OutputArea-output:has-text('DIGEST')").last.inner_text().split(maxsplit=2)
    assert printed[1] == shown[1] and printed[2].startswith("At x = 1.0")


def test_controls_have_names_and_are_announced_by_what_stands_beside_them(page):
    figure = browser.figure(page, RUN)
    slider = figure.get_by_role("slider", name="lr", exact=True)
    before = slider.get_attribute("aria-valuetext")
    assert 0.2 < float(before) < 0.5, "the value, not its logarithm"
    slider.focus()
    page.keyboard.press("ArrowLeft")
    browser.eventually(page, lambda: 0.8 < float(slider.get_attribute("aria-valuetext")) / float(before) < 0.95)
    shown = figure.locator(".widget-slider:has-text('lr') .widget-readout")
    assert shown.inner_text() == slider.get_attribute("aria-valuetext")
    page.keyboard.press("ArrowRight")
    browser.eventually(page, lambda: slider.get_attribute("aria-valuetext") == before)
    speed = figure.get_by_role("slider", name="speed", exact=True)
    assert speed.get_attribute("aria-valuetext") == "30 a second"
    for name in ("batch", "rule"):
        assert figure.get_by_role("combobox", name=name, exact=True).count() == 1
    assert figure.get_by_role("textbox", name="your function:", exact=True).count() == 1
    nameless = page.evaluate(
        """() => [...document.querySelectorAll('.dlcourse-figure .noUi-handle')].filter(e => !e.getAttribute('aria-label')).length"""
    )
    assert nameless == 0


def test_arrow_keys_in_a_drop_down_stay_there(page):
    figure = browser.figure(page, RUN)
    active = "window.jupyterapp.shell.currentWidget.content.activeCellIndex"
    choice = figure.get_by_role("combobox", name="rule", exact=True)
    choice.focus()
    before = page.evaluate(active)
    page.keyboard.press("ArrowDown")
    browser.eventually(page, lambda: "the next steps: momentum" in browser.readout(figure))
    assert page.evaluate(active) == before and choice.evaluate("e => e === document.activeElement")
    page.keyboard.press("ArrowUp")
    browser.eventually(page, lambda: "the next steps: sgd" in browser.readout(figure))
    assert page.evaluate(active) == before


def test_a_function_that_raises_is_named_with_its_line_and_the_rest_goes_on(page):
    figure = browser.figure(page, READERS)
    assert browser.note(figure) == "There is no function 'my_curve' yet: run the cell that defines it."
    browser.run_code(page, "def my_curve(x):\n    return x / undefined_name")
    figure = browser.figure(page, READERS)
    browser.eventually(page, lambda: "my_curve: NameError: name 'undefined_name' is not defined" in browser.note(figure))
    assert "line 2" in browser.note(figure) and "return x / undefined_name" in browser.note(figure)
    assert browser.readout(figure) == "Ours: its mean height is 1.03."
    switch = figure.get_by_role("checkbox", name="turned over", exact=True)
    switch.focus()
    page.keyboard.press("Space")
    browser.eventually(page, lambda: browser.readout(figure) == "Ours: its mean height is 1.97.")
    assert "NameError" in browser.note(figure)
    page.keyboard.press("Space")
    browser.eventually(page, lambda: browser.readout(figure) == "Ours: its mean height is 1.03.")
    browser.screenshot(page, "figure_broken_function")
    browser.run_code(page, "def my_curve(x):\n    return (x - 1) ** 2 / 8")
    figure = browser.figure(page, READERS)
    browser.eventually(page, lambda: "Yours: its mean height is 0.64." in browser.readout(figure))
    assert browser.note(figure) == ""


def widget(page, words):
    """The prediction or exercise that shows these words in its first line, scrolled into view."""
    found = page.locator(f".widget-vbox:has(> .widget-html:has-text({words!r}))").first
    found.scroll_into_view_if_needed()
    return found


def test_a_prediction_locks_the_run_until_the_answer_is_earned(page):
    """By the keyboard alone: Tab goes from choice to choice and on to the buttons, Space chooses."""
    asked = widget(page, "What is left of 1 after ten halvings?")
    assert "The run gives" not in asked.inner_text()
    asked.get_by_role("radio").nth(0).focus()
    page.keyboard.press("Space")
    for _ in range(3):
        page.keyboard.press("Tab")
    assert "The run gives" not in asked.inner_text()
    page.keyboard.press("Enter")
    asked.get_by_text("You can try once more").wait_for(timeout=10_000)
    text = asked.inner_text()
    assert "Half of a positive number is positive" in text and "(tried)" in text and "The run gives" not in text
    browser.screenshot(page, "prediction_second_try")
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Space")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    asked.get_by_text("The run gives").wait_for(timeout=10_000)
    assert "Right, at the second try." in asked.inner_text() and "The run gives: 0.0009765" in asked.inner_text()
    assert asked.locator("[role=status]:visible").first.inner_text().startswith("✓ Right, at the second try.")
    browser.screenshot(page, "prediction")


def test_a_number_is_committed_by_enter_and_not_by_leaving_the_field(page):
    asked = widget(page, "Above which learning rate does gradient descent no longer converge?")
    field = asked.get_by_role("textbox")
    field.click()
    page.keyboard.type("0,44")
    page.keyboard.press("Tab")
    page.wait_for_timeout(1500)
    assert "Not so" not in asked.inner_text(), "nothing is committed by leaving the field"
    for entry, says in (("nan", "is no finite number"), ("0,44", "Read as 0.44. That is where it starts to overshoot")):
        field.fill("")
        page.keyboard.type(entry)
        page.keyboard.press("Enter")
        asked.get_by_text(says).wait_for(timeout=10_000)
    field.fill("")
    page.keyboard.type("2/2.26")
    page.keyboard.press("Enter")
    asked.get_by_text("Right, at the second try. Read as 0.884956.").wait_for(timeout=10_000)


def test_an_endless_loop_in_an_exercise_is_interrupted(page):
    """In the cell that defines it, and when the button starts the check, which JupyterLab does in a thread of its own."""
    task = widget(page, "Clip a gradient by its norm")
    assert "Until yours passes, the cells below use the course's solution." in task.inner_text()
    browser.start_code(page, "def clip(g, max_norm):\n    while True: pass")
    for start in (lambda: None, task.get_by_role("button", name="Check").click):
        start()
        task.get_by_text("Still checking").wait_for(timeout=20_000)
        page.evaluate("window.jupyterapp.commands.execute('notebook:interrupt-kernel')")
        task.get_by_text("Stopped: it was still running").wait_for(timeout=10_000)
    browser.run_code(page, "def clip(g, max_norm):\n    return g * min(1, max_norm / max(1e-12, (g**2).sum() ** 0.5))")
    task.get_by_text("All checks passed. The cells below use yours.").wait_for(timeout=10_000)


def test_an_exercise_failed_and_solved(page):
    browser.run_code(page, "def largest_lr(curvatures):\n    return 1 / curvatures.max()")
    task = widget(page, "The limit for many weights")
    browser.eventually(page, lambda: "The numbers differ" in task.inner_text())
    assert "1.16279 is expected" in task.inner_text()
    browser.screenshot(page, "exercise_failed")
    browser.run_code(page, "def largest_lr(curvatures):\n    return 2 / curvatures.max()")
    widget(page, "The limit for many weights")
    browser.eventually(page, lambda: "All checks passed" in task.inner_text())
    browser.screenshot(page, "exercise_passed")


def test_a_static_page_moves_without_a_kernel(page, tmp_path, monkeypatch):
    """One slider at a time: moving it changes the picture and the words, and takes the others back to their start."""
    import numpy as np

    from dlcourse.live import LiveFigure, Slider, static

    fig = LiveFigure("static", xlabel="x", ylabel="y")
    fig.ax.plot(np.linspace(-1, 1), np.linspace(-1, 1) ** 2)
    point = fig.animate(fig.ax.plot([], [], "o")[0])

    @fig.control(x=Slider(-1, 1, value=0.0), size=Slider(1, 30, value=10))
    def _(x, size):
        point.set_data([x], [x**2])
        point.set_markersize(size)
        return f"x = {x:.2f}, size {size:.0f}"

    monkeypatch.setenv("DLCOURSE_STATIC", "1")
    path = tmp_path / "page.html"
    path.write_text(static.bundle(fig)["text/html"], encoding="utf-8")
    fig.close()
    page = page.context.browser.new_page()
    page.goto(path.as_uri())
    image, words = page.locator("img"), page.locator("[role=status]")
    before = image.get_attribute("src")
    assert words.inner_text() == "x = 0.00, size 10"
    slider, other = page.locator("input").all()
    slider.focus()
    page.keyboard.press("End")
    assert image.get_attribute("src") != before and words.inner_text() == "x = 1.00, size 10"
    assert image.get_attribute("alt") == words.inner_text()
    other.focus()
    page.keyboard.press("Home")
    assert words.inner_text() == "x = 0.00, size 1" and slider.input_value() == "12"
    browser.screenshot(page, "static_page")
    page.close()


def test_the_dark_theme_stays_readable(page):
    page.evaluate("window.jupyterapp.commands.execute('apputils:change-theme', {theme: 'JupyterLab Dark'})")
    page.wait_for_timeout(1500)
    widget(page, "The limit for many weights")
    page.wait_for_timeout(500)
    browser.screenshot(page, "dark_exercise")
    figure = browser.figure(page, RUN)
    page.wait_for_timeout(500)
    browser.screenshot(page, "dark_figure")
    colours = figure.locator(".course-readout").evaluate(
        "e => [getComputedStyle(e).color, getComputedStyle(document.querySelector('.jp-Notebook')).backgroundColor]"
    )
    luminance = [sum(map(float, colour.split("(")[1].rstrip(")").split(",")[:3])) for colour in colours]
    assert luminance[0] - luminance[1] > 300, f"light words on a dark page, got {colours}"


def test_on_a_narrow_page_panels_stand_below_each_other(page):
    """Last in this file: the page is narrow afterwards."""
    figure = browser.figure(page, RUN)
    assert figure.locator("img").count() == 1, "a wide page shows the whole picture alone"
    page.set_viewport_size({"width": 390, "height": 844})
    page.evaluate("window.jupyterapp.shell.collapseLeft()")
    figure = browser.figure(page, RUN)
    browser.eventually(page, lambda: figure.locator(".dlcourse-parts img").count() == 3)  # panels, legend
    page.wait_for_timeout(500)
    assert not figure.locator("img").first.is_visible()
    parts = [part.bounding_box() for part in figure.locator(".dlcourse-parts > *").all()]
    assert len(parts) == 3
    for upper, lower in pairwise(parts):
        assert lower["y"] >= upper["y"] + upper["height"], "below, not beside"
    for image in figure.locator(".dlcourse-parts img").all():
        assert 16.7 * image.bounding_box()["width"] / 900 >= 9, "text of 12 pt is at least 9 pixels high"
    for track in figure.locator(".slider-container").all():
        assert track.bounding_box()["width"] >= 120, "a slider has a track to move on"
    words = browser.readout(figure)
    figure.get_by_role("button", name="Step").click()
    browser.wait_for_change(page, figure, words)
    browser.screenshot(page, "narrow_figure")
