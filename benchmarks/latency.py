"""From key press to painted picture, in JupyterLab in a real browser."""

import shutil
import statistics

from coursebuild.settings import Settings

FIGURES = ["Where is down?", "The race", "How much of each mode is left after one step"]
PRESSES = 15
WATCH = """(figure) => {
  window.painted = []; window.pressed = [];
  const image = figure.querySelector('img');
  image.addEventListener('load', () => requestAnimationFrame(() => window.painted.push(performance.now())));
  figure.addEventListener('keydown', () => window.pressed.push(performance.now()), true);
}"""


def measure(settings: Settings) -> dict:
    """Milliseconds from an arrow key on a slider to the next painted picture, with a pause between presses."""
    from tests import browser

    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        print("latency: no Chromium on this machine, not measured")
        return {}
    found = {}
    with browser.lab() as url, browser.browser_page(chromium) as page:
        browser.open_notebook(page, url, "lectures/03_gradient_descent.ipynb")
        browser.run_all(page)
        for title in FIGURES:
            figure = browser.figure(page, title)
            page.wait_for_timeout(1000)
            figure.evaluate(WATCH)
            figure.locator(".noUi-handle").first.focus()
            times = []
            for _ in range(PRESSES):
                page.evaluate("window.painted.length = window.pressed.length = 0")
                page.keyboard.press("ArrowRight")
                page.wait_for_function("window.painted.length > 0", timeout=10_000)
                times.append(page.evaluate("window.painted[0] - window.pressed[0]"))
                page.wait_for_timeout(500)  # longer than REST: the lossless picture has come too
            found[title] = {"median_ms": round(statistics.median(times)), "max_ms": round(max(times))}
            print(
                f"key press to painted picture, {title[:45]:45s} median {found[title]['median_ms']:4d} ms, max {found[title]['max_ms']:4d} ms"
            )
    return found
