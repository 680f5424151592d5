"""JupyterLab in a real browser, as `make lab` starts it."""

import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

from coursebuild import settings as course_settings
from coursebuild.lab import command as lab_command
from tests.conftest import ROOT

SHOTS = ROOT / "build" / "screenshots"
FLAGS = [
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
READY = """() => {
  const session = window.jupyterapp?.shell?.currentWidget?.context?.sessionContext?.session;
  return session?.kernel?.status === 'idle' && document.querySelector('.jp-Notebook .jp-Cell');
}"""


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


def lab(root: Path = ROOT, timeout: float = 120, **environment):
    """Run `make lab` on a free port; yields the address it prints. The server and its kernels are ended with it."""
    return _serve(
        lambda args: ["make", "-C", str(root), "lab", f"LAB_ARGS={args}", f"PYTHON={sys.executable}"], timeout, environment
    )


def lab_on(folder: Path, timeout: float = 120, **environment):
    """JupyterLab on a folder of notebooks, without the repository's set-up; otherwise as `lab`."""
    settings = replace(course_settings.load(), root=folder)
    return _serve(lambda args: lab_command(settings, args.split()), timeout, environment)


@contextlib.contextmanager
def _serve(command: Callable[[str], list[str]], timeout: float, environment: dict[str, str]):
    port = free_port()
    args = f"--no-browser --ServerApp.port={port} --ServerApp.port_retries=0 --LabApp.expose_app_in_browser=True"
    log = SHOTS.parent / f"lab-{port}.log"
    log.parent.mkdir(exist_ok=True)
    # A user's own settings and last open tabs are not part of what is tested.
    home = tempfile.mkdtemp(prefix="lab-")
    environment = {
        "JUPYTERLAB_WORKSPACES_DIR": home,
        "JUPYTERLAB_SETTINGS_DIR": home,
        "JUPYTER_CONFIG_DIR": home,
        **environment,
    }
    with log.open("w") as out:
        process = subprocess.Popen(
            command(args), stdout=out, stderr=subprocess.STDOUT, start_new_session=True, env={**os.environ, **environment}
        )
    try:
        deadline = time.monotonic() + timeout
        while not (found := re.search(rf"http://(?:127\.0\.0\.1|localhost):{port}/\S*", log.read_text())):
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"JupyterLab printed no address:\n{log.read_text()[-2000:]}")
            time.sleep(0.2)
        yield found[0]
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        process.wait(timeout=30)


@contextlib.contextmanager
def browser_page(chromium: str, width: int = 1280, height: int = 900):
    """A page of a fresh headless Chromium."""
    from playwright.sync_api import sync_playwright

    flags = [*FLAGS, "--no-sandbox"] if hasattr(os, "geteuid") and os.geteuid() == 0 else FLAGS
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, headless=True, args=flags)
        try:
            yield browser.new_page(viewport={"width": width, "height": height})
        finally:
            browser.close()


def open_notebook(page, url: str, path: str) -> None:
    """Open a notebook of the lab and wait for its kernel."""
    parts = urlsplit(url)
    page.goto(f"{parts.scheme}://{parts.netloc}/lab/tree/{path}?reset&{parts.query}", wait_until="domcontentloaded")
    page.wait_for_function(READY, timeout=60_000)


def run_all(page, timeout: float = 180) -> None:
    """Run all cells and wait until the kernel has done them."""
    page.evaluate("window.jupyterapp.commands.execute('notebook:run-all-cells')")
    page.wait_for_function(
        """() => {
          const cells = window.jupyterapp.shell.currentWidget.content.widgets.filter(c => c.model.type === 'code');
          return cells.every(c => c.model.executionCount !== null) && cells.every(c => c.model.executionState !== 'running');
        }""",
        timeout=timeout * 1000,
    )
    page.wait_for_function(READY, timeout=60_000)


def errors(page) -> list[str]:
    """The texts of all error outputs of the open notebook, in cells and in widgets."""
    return page.evaluate(
        """() => [...document.querySelectorAll('.jp-OutputArea-output[data-mime-type*="error"], .jp-RenderedText[data-mime-type*="stderr"]')]
          .map(e => e.textContent)"""
    )


def screenshot(page, name: str) -> Path:
    SHOTS.mkdir(parents=True, exist_ok=True)
    path = SHOTS / f"{name}.png"
    page.screenshot(path=path)
    return path


def figure(page, title: str):
    """The live figure of this title, scrolled into view."""
    found = page.locator(f".jupyter-widgets.widget-vbox:has(> .widget-html b:text-is({title!r}))").first
    found.scroll_into_view_if_needed()
    return found


def readout(figure) -> str:
    return figure.locator(".course-readout").text_content()


def note(figure) -> str:
    notes = figure.locator(".course-note")
    return notes.text_content() if notes.count() else ""


def picture(figure) -> str:
    """Address of the picture that is shown now; each new picture has a new one."""
    return figure.locator("img").first.get_attribute("src")


def wait_for_change(page, figure, before: str, timeout: float = 10) -> None:
    """Wait until the figure's readout is another."""
    deadline = time.monotonic() + timeout
    while readout(figure) == before:
        if time.monotonic() > deadline:
            raise AssertionError(f"nothing changed in {timeout} s: {before}")
        page.wait_for_timeout(20)


def run_code(page, code: str) -> None:
    """Add a cell at the end of the open notebook, run it, wait for the kernel. The notebook is not saved."""
    start_code(page, code)
    page.wait_for_function(READY, timeout=60_000)


def start_code(page, code: str) -> None:
    """The same without waiting."""
    page.evaluate(
        """async (code) => {
          const panel = window.jupyterapp.shell.currentWidget, notebook = panel.content;
          notebook.activeCellIndex = notebook.widgets.length - 1;
          await window.jupyterapp.commands.execute('notebook:insert-cell-below');
          notebook.activeCell.model.sharedModel.setSource(code);
          const run = window.jupyterapp.commands.execute('notebook:run-cell');
          await Promise.race([run, new Promise(done => setTimeout(done, 500))]);
        }""",
        code,
    )


def eventually(page, condition, timeout: float = 10) -> None:
    """Wait until a condition holds; a busy machine needs longer than an idle one."""
    deadline = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < deadline, "it never came to that"
        page.wait_for_timeout(50)
