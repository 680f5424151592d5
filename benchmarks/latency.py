"""From key press to painted picture, in JupyterLab in a real browser: single presses, and a key that is held."""

import os
import shutil
import statistics

from coursebuild.settings import Settings

# The reference figures are 600x400, those of the lecture larger.
LECTURE = ["A whole run", "The race"]
PRESSES = 25
LIMIT_MS, LIMIT_RATE = 33, 30
CELL = """\
import sys

sys.path.insert(0, "..")  # the benchmarks are not installed
import torch
from IPython.display import display
from benchmarks import figures

torch.set_num_threads(1)
for name, reference in figures.REFERENCE.items():
    display(figures.live_figure(name, *reference))
"""
WATCH = """(figure) => {
  window.painted = []; window.pressed = [];
  if (figure.watched) return;
  figure.watched = true;
  const image = figure.querySelector('img');
  image.addEventListener('load', () => requestAnimationFrame(() => window.painted.push(performance.now())));
  figure.addEventListener('keydown', () => window.pressed.push(performance.now()), true);
}"""
# 40 keys a second, as a keyboard repeats them; back and forth, so that no end of the slider is reached.
HOLD = """async (count) => {
  const handle = document.activeElement, start = performance.now();
  window.painted.length = 0;
  await new Promise(done => {
    let sent = 0;
    const timer = setInterval(() => {
      const key = Math.floor(sent / 40) % 2 ? 'ArrowLeft' : 'ArrowRight';
      handle.dispatchEvent(new KeyboardEvent('keydown', {key, bubbles: true, cancelable: true}));
      if (++sent >= count) { clearInterval(timer); done(); }
    }, 25);
  });
  return 1000 * window.painted.length / (performance.now() - start);
}"""


def measure(settings: Settings) -> dict:
    """Milliseconds from an arrow key on a slider to the next painted picture, and pictures a second while one is held."""
    from benchmarks.figures import REFERENCE
    from coursebuild import text
    from tests import browser

    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        print("latency: no Chromium on this machine, not measured")
        return {}
    settings.build.mkdir(exist_ok=True)
    (settings.build / "latency.ipynb").write_text(text.dumps(text.notebook([text.Cell("code", CELL, 1)])), encoding="utf-8")
    places = {"build/latency.ipynb": list(REFERENCE), "lectures/03_gradient_descent.ipynb": LECTURE}
    found = {"load_average": os.getloadavg()}
    print(f"key press to painted picture; load average {found['load_average'][0]:.1f} on {os.cpu_count()} cores")
    print(f"{'figure':48s} {'median':>7s} {'p90':>7s} {'held':>12s}   allowed: {LIMIT_MS} ms, {LIMIT_RATE} a second")
    with browser.lab() as url, browser.browser_page(chromium) as page:
        for place, titles in places.items():
            browser.open_notebook(page, url, place)
            browser.run_all(page)
            for title in titles:
                found[title] = row = _figure(page, browser.figure(page, title))
                print(f"{title[:48]:48s} {row['median_ms']:4d} ms {row['p90_ms']:4d} ms {row['held_per_s']:5.1f} a second")
    return found


def _figure(page, figure) -> dict:
    page.wait_for_timeout(1000)
    figure.evaluate(WATCH)
    figure.locator(".noUi-handle").first.focus()
    page.keyboard.press("Home")
    page.wait_for_timeout(1000)
    times = []
    for _ in range(PRESSES):
        page.evaluate("window.painted.length = window.pressed.length = 0")
        page.keyboard.press("ArrowRight")
        page.wait_for_function("window.painted.length > 0", timeout=10_000)
        times.append(page.evaluate("window.painted[0] - window.pressed[0]"))
        page.wait_for_timeout(500)  # longer than REST: the lossless picture has come too
    rates = [page.evaluate(HOLD, 120) for _ in range(3)]
    return {
        "median_ms": round(statistics.median(times)),
        "p90_ms": round(statistics.quantiles(times, n=10)[-1]),
        "max_ms": round(max(times)),
        "held_per_s": round(statistics.median(rates), 1),
    }
