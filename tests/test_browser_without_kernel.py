"""Exported pages, saved notebooks and restarted kernels in Chromium: what a reader sees where nothing answers."""

import json

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from coursebuild.execute import execute
from coursebuild.text import TAGS
from tests import browser

pytestmark = [pytest.mark.browser, pytest.mark.receipt("browser")]

SETUP = """
import numpy as np
from dlcourse import check
from dlcourse.exercise import exercise
from dlcourse.live import LiveFigure, Slider
from dlcourse.predict import predict, predict_number
"""
FIGURE = """# Wrong belief: a ball lies where it is put.
fig = LiveFigure("A parabola", xlabel="x", ylabel="y")
fig.ax.plot(np.linspace(-1, 1), np.linspace(-1, 1) ** 2)
point = fig.animate(fig.ax.plot([], [], "o")[0])
fig.loop(lambda: 0, lambda state: state + 1)

@fig.control(x=Slider(-1, 1, value=0.5, step=0.1))
def _(x, state):
    point.set_data([x], [x**2])
    return f"Step {state}: at x = {x:.2f} the height is {x * x:.2f}."

fig
"""
CHOICE = """# Wrong belief: a ball rolls to the right.
predict("Which way does it roll?", {"to the left": True, "to the right": "SECRET, it is uphill."}, because="SECRET.")
"""
NUMBER = """# Wrong belief: it stops.
predict_number("How far does it roll?", 12.25, 1.0, because="SECRET, by the formula.")
"""
EXERCISE = """# Wrong belief: twice is the square.
@exercise("Double it", uses="double", minutes=2, difficulty=1)
def task(double):
    check.close(double(3.0), 6.0, name="double(3.0)")

task
"""
STILL = {
    "A parabola": ["Step 0: at x = 0.50 the height is 0.25.", "Run this cell again"],
    "Which way does it roll?": ["to the left", "to the right", "run this cell again"],
    "How far does it roll?": ["The answer", "run this cell again"],
    "Exercise: Double it": ["(2 minutes, easy)", "Write double() in the cell above", "run this cell again"],
}
VISIBLE = "e.checkVisibility({visibilityProperty: true}) && e.getBoundingClientRect().width > 0 && e.getBoundingClientRect().height > 0"


def cells():
    folded = dict(TAGS["folded"], tags=["folded"])
    code = [new_code_cell(source, metadata=folded) for source in (FIGURE, CHOICE, NUMBER, EXERCISE)]
    return [new_markdown_cell("# Small"), new_code_cell(SETUP), *code, new_markdown_cell("The end.")]


@pytest.fixture(scope="module")
def executed(tmp_path_factory):
    """The notebook with its outputs and with the state of its widgets, as `jupyter nbconvert --execute` leaves it."""
    path = tmp_path_factory.mktemp("small") / "small.ipynb"
    nb = new_notebook(cells=cells(), metadata={"kernelspec": {"name": "python3", "display_name": "Python 3"}})
    nbformat.write(nb, path)
    found = execute(path).notebook
    assert found.metadata.widgets, "the widgets' state is saved"
    return found


@pytest.fixture(scope="module")
def page(chromium):
    with browser.browser_page(chromium) as page:
        yield page


def export(nb, folder, template="lab", state=True):
    from nbconvert import HTMLExporter

    nb = nbformat.from_dict(json.loads(json.dumps(nb)))
    if not state:
        del nb.metadata["widgets"]
    path = folder / "small.ipynb"
    nbformat.write(nb, path)
    html = HTMLExporter(template_name=template).from_filename(str(path))[0]
    path = folder / "small.html"
    path.write_text(html, encoding="utf-8")
    return path


def visible(page, selector: str) -> list[bool]:
    """Of every element, whether it takes room on the page."""
    return page.eval_on_selector_all(selector, f"all => all.map(e => {VISIBLE})")


def shown_text(page) -> str:
    """The text that can be seen, that of pseudo-elements included."""
    return page.evaluate(
        """() => {
          const words = [document.body.innerText];
          for (const e of document.querySelectorAll('*'))
            if (e.checkVisibility() && e.getBoundingClientRect().height)
              for (const place of ['::before', '::after']) words.push(getComputedStyle(e, place).content);
          return words.join(' ');
        }"""
    )


def check_still(page):
    """Title, picture, readout and questions can be seen, each of them once; answers cannot."""
    text = shown_text(page)
    for title, words in STILL.items():
        still = page.locator(".dlcourse-still", has_text=title)
        assert still.count() == 1 and text.count(title) == 1, title
        box = still.bounding_box()
        assert box["width"] > 300 and box["height"] > 50
        for some in words:
            found = still.get_by_text(some).last.bounding_box()
            assert found and found["height"] > 5, some
    picture = page.locator(".dlcourse-still img")
    assert picture.bounding_box()["width"] == 600 and picture.evaluate("e => e.naturalWidth") == 600
    assert "SECRET" not in text and "12.25" not in text
    assert "model not found" not in text


@pytest.mark.parametrize("state", [True, False], ids=["with widget state", "without"])
def test_an_exported_page_offline(page, executed, tmp_path, state):
    path = export(executed, tmp_path, state=state)
    page.context.set_offline(True)
    page.goto(path.as_uri())
    check_still(page)
    browser.screenshot(page, f"export_{'with' if state else 'without'}_state")
    page.locator("details", has_text="to the right").click()
    assert "Not so. SECRET, it is uphill." in shown_text(page)


def test_the_code_of_folded_cells_is_folded_and_opens(page, executed, tmp_path):
    page.goto(export(executed, tmp_path).as_uri())
    assert visible(page, ".jp-CodeCell .jp-InputArea") == [True, False, False, False, False]
    folded = page.locator(".celltag_folded .jp-Cell-inputWrapper").first
    assert "code" in folded.evaluate("e => getComputedStyle(e, '::before').content")
    folded.click(position={"x": 100, "y": 5})
    assert visible(page, ".jp-CodeCell .jp-InputArea") == [True, True, False, False, False]
    page.get_by_text("The end.").click()
    assert visible(page, ".jp-CodeCell .jp-InputArea") == [True, False, False, False, False]


def test_the_older_template_which_nbviewer_uses(page, executed, tmp_path):
    page.goto(export(executed, tmp_path, template="classic").as_uri())
    assert all(visible(page, ".dlcourse-still")) and all(visible(page, ".dlcourse-still img"))
    folded = page.locator(".celltag_folded .input_area").all()
    assert len(folded) == 4 and all(area.bounding_box()["height"] < 40 for area in folded)


DRAWN = """([style, name, live]) => {
  const view = document.createElement('div');
  view.className = 'jupyter-widgets widget-vbox dlcourse-live ' + name + (live ? '' : ' jupyter-widgets-disconnected');
  view.innerHTML = '<b>the widget</b><div class="jupyter-widgets dlcourse-gone">' + style + '</div>';
  document.body.append(view);
}"""


@pytest.mark.parametrize("live", [True, False], ids=["by a kernel", "by a CDN's script"])
def test_where_a_widget_is_drawn_one_of_the_two_is_shown(page, executed, tmp_path, live):
    """What a front end does that is not here: Colab and VS Code draw a live widget, an exported page online a dead one."""
    page.goto(export(executed, tmp_path, state=False).as_uri())
    states = executed.metadata.widgets["application/vnd.jupyter.widget-state+json"]["state"].values()
    (names,) = [s["state"]["_dom_classes"] for s in states if "dlcourse-live" in s["state"].get("_dom_classes", [])][:1]
    token = names[1].removeprefix("dlcourse-live-")
    (style,) = [s["state"]["value"] for s in states if f".dlcourse-still-{token}" in str(s["state"].get("value", ""))]
    page.evaluate(DRAWN, [style, names[1], live])
    assert visible(page, f".dlcourse-still-{token}") == [not live]
    assert visible(page, f".dlcourse-live-{token}") == [live]
    assert visible(page, ".dlcourse-gone") == [False]
    assert sum(visible(page, ".dlcourse-still")) == 3 + (not live), "the others are left alone"


# JupyterLab


@pytest.fixture(scope="module")
def lab(chromium, executed, tmp_path_factory):
    """JupyterLab on a folder with the notebook as it was written, and as somebody else executed it."""
    folder = tmp_path_factory.mktemp("lab")
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3"}}
    nbformat.write(new_notebook(cells=cells(), metadata=kernel), folder / "small.ipynb")
    nbformat.write(executed, folder / "executed.ipynb")
    with browser.lab_on(folder) as url:
        yield url


@pytest.fixture
def notebook(page, lab):
    """The notebook in JupyterLab, just run."""
    page.context.set_offline(False)
    browser.open_notebook(page, lab, "small.ipynb")
    browser.run_all(page)
    browser.eventually(page, lambda: visible(page, ".dlcourse-live") == [True] * 4)
    return page


def check_live(page):
    assert visible(page, ".dlcourse-live") == [True] * 4
    assert visible(page, ".dlcourse-still") == [False] * 4
    assert visible(page, ".dlcourse-gone") == [False] * 4
    for title in STILL:
        assert shown_text(page).count(title) == 1, title
    # Nothing is left of the still one, not even an empty line.
    heights = page.eval_on_selector_all(".jp-OutputArea-child", "all => all.map(e => e.getBoundingClientRect().height)")
    assert heights[::2] == [0] * 4


def check_gone(page):
    """Every widget says so, and its picture and words stay."""
    browser.eventually(page, lambda: visible(page, ".dlcourse-gone") == [True] * 4)
    assert shown_text(page).count("Run this cell again") == 4
    assert visible(page, ".dlcourse-live") == [True] * 4 and visible(page, ".dlcourse-still") == [False] * 4
    assert all(visible(page, ".dlcourse-live .widget-image"))


def test_a_live_page_shows_nothing_twice(notebook):
    check_live(notebook)
    notebook.evaluate("window.jupyterapp.commands.execute('docmanager:save')")
    notebook.reload()
    notebook.wait_for_function(browser.READY, timeout=60_000)
    browser.eventually(notebook, lambda: visible(notebook, ".dlcourse-live") == [True] * 4)
    check_live(notebook)


def restart(page):
    page.evaluate("void window.jupyterapp.commands.execute('notebook:restart-kernel')")
    page.locator(".jp-Dialog button:has-text('Restart')").click()


def crash(page):
    page.evaluate(
        """() => {
          const code = 'import os; os.kill(os.getpid(), 9)';
          window.jupyterapp.shell.currentWidget.context.sessionContext.session.kernel.requestExecute({code});
        }"""
    )
    page.locator(".jp-Dialog button.jp-mod-accept").click(timeout=30_000)


def shut_down(page):
    page.evaluate("void window.jupyterapp.commands.execute('kernelmenu:shutdown')")


@pytest.mark.parametrize("end", [restart, crash, shut_down])
def test_when_the_kernel_goes_while_it_plays_the_reader_is_told(notebook, end):
    figure = browser.figure(notebook, "A parabola")
    figure.get_by_role("button", name="Play").click()
    browser.eventually(notebook, lambda: not browser.readout(figure).startswith("Step 0:"))
    end(notebook)
    check_gone(notebook)
    figure.scroll_into_view_if_needed()
    browser.screenshot(notebook, f"gone_{end.__name__}")
    assert not browser.readout(figure).startswith("Step 0:"), "what the reader saw stays"
    if end is not shut_down:  # ipywidgets knows nothing of a kernel that is shut down, only JupyterLab's toolbar does
        assert not any(visible(notebook, ".dlcourse-live .jupyter-button"))
        notebook.wait_for_function(browser.READY, timeout=60_000)
        check_gone(notebook)
        browser.run_all(notebook)
        browser.eventually(notebook, lambda: visible(notebook, ".dlcourse-gone") == [False] * 4)
        check_live(notebook)


def test_a_saved_notebook_opened_without_its_kernel(notebook):
    notebook.evaluate("window.jupyterapp.commands.execute('docmanager:save')")
    notebook.evaluate("window.jupyterapp.shell.currentWidget.context.sessionContext.shutdown()")
    notebook.reload()
    notebook.wait_for_function(browser.READY, timeout=60_000)
    missing = ".jp-OutputArea-child > .jupyter-widgets:text-is('Error displaying widget: model not found')"
    browser.eventually(notebook, lambda: notebook.locator(missing).count() == 4)
    check_still(notebook)
    browser.screenshot(notebook, "saved_without_kernel")


def test_a_notebook_that_somebody_else_executed(page, lab):
    """JupyterLab does not trust it: it shows no widgets, and takes styles and scripts away."""
    page.context.set_offline(False)
    browser.open_notebook(page, lab, "executed.ipynb")
    browser.eventually(page, lambda: visible(page, ".dlcourse-still") == [True] * 4)
    check_still(page)
    browser.screenshot(page, "untrusted")
    browser.run_all(page)
    browser.eventually(page, lambda: visible(page, ".dlcourse-live") == [True] * 4)
    check_live(page)
