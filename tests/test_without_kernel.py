"""What figures, predictions and exercises leave on a page without a kernel, and what their widgets do to it."""

import html
import re

import pytest

from dlcourse import check, live, notebook
from dlcourse.exercise import exercise
from dlcourse.live import LiveFigure
from dlcourse.predict import predict, predict_number

VIEW = "application/vnd.jupyter.widget-view+json"


def figure():
    fig = LiveFigure("A line")
    fig.ax.plot([0, 1], [0, 1])

    @fig.control()
    def _():
        return "It rises <steadily>."

    return fig


def choice():
    return predict("Which way?", {"left": True, "right": "SECRET, because it rises."}, because="SECRET: it falls there.")


def number():
    return predict_number("How far & how long?", 12.25, 1.0, because="SECRET, by the formula.")


def task():
    @exercise("Double it", uses="double_that_nobody_wrote", minutes=2, difficulty=1)
    def made(double):
        check.close(double(3.0), 6.0)

    return made


THINGS = {"figure": figure, "choice": choice, "number": number, "exercise": task}
TEXTS = {
    "figure": ["A line", "It rises <steadily>.", "Run this cell again"],
    "choice": ["Predict.", "Which way?", "left", "right", "run this cell again"],
    "number": ["Predict.", "How far & how long?", "run this cell again"],
    "exercise": ["Exercise: Double it", "2 minutes, easy", "Write double_that_nobody_wrote()", "run this cell again"],
}


@pytest.fixture(autouse=True)
def no_figures_left():
    yield
    for fig in live.figures():
        fig.close()


@pytest.fixture(params=THINGS)
def kind(request, monkeypatch):
    monkeypatch.setattr(notebook, "namespace", dict)
    return request.param


def text(page: str) -> str:
    """What is left of HTML on a site that drops styles, attributes and the elements that it does not know, as GitHub does."""
    return html.unescape(re.sub("<[^>]*>", " ", re.sub(r"(?s)<style>.*?</style>", "", page)))


def place(page: str) -> str:
    """The class by which a widget knows its still one."""
    (found,) = re.findall(r'<div class="dlcourse-still (dlcourse-still-\w+)">', page)
    return found


def values(widget) -> str:
    """All the HTML in a widget."""
    return str(getattr(widget, "value", "")) + "".join(map(values, getattr(widget, "children", ())))


def test_each_is_put_out_still_and_alive(kind, put_out):
    thing = THINGS[kind]()
    thing._ipython_display_()
    still, alive = put_out
    assert still == thing.still() if kind != "figure" else "image/png" in still
    assert VIEW not in still and alive[VIEW]["model_id"] == thing.widget.model_id
    assert alive["text/plain"] == "", "a page that shows no widgets would show it below the still one"


def test_the_text_is_there_without_styles_and_the_answer_is_not(kind, put_out):
    THINGS[kind]()._ipython_display_()
    for found in (text(put_out[0]["text/html"]), put_out[0]["text/plain"]):
        assert "SECRET" not in found and "12.25" not in found
    for words in TEXTS[kind]:
        assert words in text(put_out[0]["text/html"])
    assert "<script" not in put_out[0]["text/html"]


def test_the_style_that_hides_the_still_one_is_in_its_own_widget_alone(kind, put_out):
    thing, other = THINGS[kind](), THINGS[kind]()
    thing._ipython_display_()
    name = place(put_out[0]["text/html"])
    assert f".{name}, .dlcourse-gone {{ display: none }}" in values(thing.widget)
    assert name not in values(other.widget)
    assert name not in put_out[0]["text/html"].split("<div")[0], "nothing in the still one hides it"


def test_a_widget_holds_what_is_said_when_its_kernel_has_gone(kind):
    widget = THINGS[kind]().widget
    (gone,) = [child for child in widget.children if "dlcourse-gone" in child._dom_classes]
    assert widget.children.index(gone) == 1, "below the heading"
    assert "Run this cell again" in text(gone.value) and 'role="status"' in gone.value
    assert {"dlcourse-live", f"dlcourse-live-{widget.token}"} <= set(widget._dom_classes)


def test_for_a_site_nothing_but_the_page_is_put_out(kind, put_out, monkeypatch):
    monkeypatch.setenv("DLCOURSE_STATIC", "1")
    THINGS[kind]()._ipython_display_()
    (page,) = put_out
    assert VIEW not in page and "un this cell again, after" not in page["text/html"], "there is no cell that one could run"


def test_in_a_notebook_it_is_two_outputs_of_a_cell_and_showing_it_again_renews_the_still_one():
    from IPython.core.interactiveshell import InteractiveShell
    from IPython.utils.capture import capture_output

    shell = InteractiveShell.instance()
    shell.user_ns["thing"] = figure()
    run = "from IPython.display import display, update_display\ndisplay(thing, display_id='x')\nupdate_display(thing, display_id='x')"
    with capture_output() as captured:
        shell.run_cell(run, store_history=True).raise_error()
    still, alive, renewed = captured.outputs
    assert "image/png" in still.data and VIEW in alive.data and renewed.data == still.data
    assert renewed.update and renewed.transient == still.transient and still.transient["display_id"]
    with capture_output() as captured:
        shell.run_cell("thing", store_history=True).raise_error()
    assert [VIEW in output.data for output in captured.outputs] == [False, True], "another cell shows it anew"


def test_a_closed_figure_is_shown_still(put_out):
    fig = figure()
    fig.close()
    fig._ipython_display_()
    (still,) = put_out
    assert "<img" in still["text/html"]
