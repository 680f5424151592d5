"""A lecture in JupyterLab, as a student opens it."""

import urllib.request

import nbformat
import pytest

from coursebuild import text
from tests import browser
from tests.conftest import ROOT

pytestmark = [pytest.mark.browser, pytest.mark.receipt("browser", "Makefile")]
LECTURES = sorted((ROOT / "lectures").glob("*.ipynb"))


@pytest.fixture(scope="module")
def lab_url():
    with browser.lab() as url:
        yield url


@pytest.fixture(scope="module")
def page(chromium):
    with browser.browser_page(chromium) as page:
        yield page


def test_lab_answers(lab_url):
    with urllib.request.urlopen(lab_url, timeout=30) as answer:
        assert answer.status == 200 and "/lab" in answer.url


@pytest.mark.receipt("lectures/*.ipynb")
def test_lab_opens_the_first_lecture_without_asking_anything(lab_url, page):
    page.goto(lab_url, wait_until="domcontentloaded")
    page.wait_for_function(browser.READY, timeout=60_000)
    page.wait_for_selector(f".jp-DirListing-item >> text={LECTURES[-1].name}", timeout=60_000)
    page.wait_for_timeout(3000)  # time for a pop-up or another tab to come
    browser.screenshot(page, "lab")
    assert page.evaluate("window.jupyterapp.shell.currentWidget.context.path") == f"lectures/{LECTURES[0].name}"
    assert page.locator(".lm-DockPanel-tabBar .lm-TabBar-tab").all_inner_texts() == [LECTURES[0].name]
    assert page.locator(".jp-Dialog").count() == 0
    assert page.locator(".Toastify__toast").count() == 0


@pytest.mark.receipt("lecture")
@pytest.mark.parametrize("path", LECTURES, ids=lambda path: path.stem)
def test_lecture_runs_in_the_browser(path, lab_url, page):
    before = path.read_bytes()
    browser.open_notebook(page, lab_url, f"lectures/{path.name}")
    browser.run_all(page)
    shot = browser.screenshot(page, path.stem)
    assert browser.errors(page) == []
    assert shot.stat().st_size > 20_000
    count = page.evaluate("window.jupyterapp.shell.currentWidget.content.widgets.length")
    assert count == len(nbformat.read(path, as_version=4).cells)
    assert path.read_bytes() == before, "running a lecture does not write it"


def test_an_error_in_a_cell_is_seen(lab_url, page):
    """The check above can fail: a notebook that raises is reported."""
    path = ROOT / "build" / "raises.ipynb"
    path.write_text(text.dumps(text.notebook([text.Cell("code", "1 / 0", 1)])))
    browser.open_notebook(page, lab_url, "build/raises.ipynb")
    browser.run_all(page)
    assert "ZeroDivisionError" in browser.errors(page)[0]
