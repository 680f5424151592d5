"""Every notebook runs from a clean kernel without the network, and no failure in it stays hidden."""

import re
import time

import nbformat
import pytest

from coursebuild.execute import NotebookError, execute
from tests.conftest import ROOT

NOTEBOOKS = sorted((ROOT / "lectures").glob("*.ipynb"))


@pytest.mark.receipt("lecture", "kit", "build")
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook_runs_top_to_bottom(path):
    run = execute(path)
    shown = [output for cell in run.notebook.cells for output in cell.get("outputs", [])]
    figures = sum(isinstance(o.get("data"), dict) and "image/png" in o["data"] for o in shown)
    wanted = len(re.findall(r"\bLiveFigure\(", path.read_text(encoding="utf-8")))
    assert figures >= wanted > 0, "readers without a kernel see every figure's default picture"


def notebook(tmp_path, *cells):
    path = tmp_path / "nb.ipynb"
    nbformat.write(nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells]), path)
    return path


NETWORK = {
    "connect": "import socket\nsocket.create_connection(('192.0.2.1', 80), timeout=2)",
    "name": "import socket\nsocket.getaddrinfo('example.org', 80)",
    "udp": "import socket\nsocket.socket(type=socket.SOCK_DGRAM).sendto(b'x', ('192.0.2.1', 53))",
    "urllib": "import urllib.request\nurllib.request.urlopen('http://192.0.2.1/', timeout=2)",
    "child": """
import subprocess, sys
connect = "import socket; socket.create_connection(('192.0.2.1', 80), timeout=2)"
raise OSError(subprocess.run([sys.executable, "-c", connect], capture_output=True, text=True).stderr)
""",
}


@pytest.mark.parametrize("kind", NETWORK)
def test_the_network_is_off(kind, tmp_path):
    with pytest.raises(NotebookError, match="the network is off"):
        execute(notebook(tmp_path, NETWORK[kind]))


def test_this_machines_own_addresses_still_answer(tmp_path):
    cell = (
        "import socket\nserver = socket.create_server(('127.0.0.1', 0))\nsocket.create_connection(server.getsockname()).close()"
    )
    execute(notebook(tmp_path, cell))


INTERACT = "from ipywidgets import interact\ninteract(lambda x: {}, x=(0.0, 1.0))"
FAILURES = {
    "cell": ("1 / 0", "ZeroDivisionError"),
    "interact callback, at its first drawing": (INTERACT.format("1 / 0"), "ZeroDivisionError"),
    "output widget": (
        "import ipywidgets as w\nout = w.Output()\ndisplay(out)\nwith out:\n    raise ValueError('hidden in a widget')",
        "hidden in a widget",
    ),
    "live figure": (
        "from dlcourse.live import LiveFigure, Slider\nfig = LiveFigure('x')\n"
        "@fig.control(x=Slider(0, 1))\ndef _(x):\n    return f'{1 / x}'\nfig",
        "ZeroDivisionError: float division by zero",
    ),
    "live figure, later": (
        "from dlcourse.live import LiveFigure, Slider\nfig = LiveFigure('x')\n"
        "@fig.control(x=Slider(0, 1, value=1.0))\ndef _(x):\n    return f'{1 / x}'\nfig.set(x=0.0)\nfig",
        "ZeroDivisionError: float division by zero",
    ),
    "thread": ("import threading\nt = threading.Thread(target=lambda: 1 / 0)\nt.start()\nt.join()", "ZeroDivisionError"),
    "printed traceback": (
        "import traceback\ntry:\n    1 / 0\nexcept ZeroDivisionError:\n    traceback.print_exc()",
        "ZeroDivisionError",
    ),
}


@pytest.mark.parametrize("kind", FAILURES)
def test_no_failure_stays_hidden(kind, tmp_path):
    cell, says = FAILURES[kind]
    with pytest.raises(NotebookError, match=says):
        execute(notebook(tmp_path, cell), timeout=20)  # nbclient sometimes waits in vain after an output widget fails


def test_healthy_widgets_pass(tmp_path):
    execute(notebook(tmp_path, INTERACT.format("x + 1")))


def test_an_endless_cell_is_stopped(tmp_path):
    with pytest.raises(NotebookError, match=r"(?i)timed out"):
        execute(notebook(tmp_path, "while True: pass"), timeout=3)


PLAYING = """
import asyncio
from dlcourse.live import LiveFigure, Slider

fig = LiveFigure("plays")
point = fig.animate(fig.ax.plot([0], [0], "o")[0])
fig.loop(lambda: {"n": 0}, lambda state: state.update(n=state["n"] + 1))

@fig.control(y=Slider(0, 1))
def _(state, y):
    point.set_data([state["n"]], [y])
    return f"{state['n']}"

fig.run.play()
await asyncio.sleep(0.5)
assert fig.run.ticks > 3, fig.run.ticks
fig
"""


def test_a_kernel_that_plays_still_runs_cells_and_ends_when_asked(tmp_path):
    """The run goes on between cells, does not hold them up, and no task outlives the kernel."""
    later = "import time\nbefore = fig.run.ticks\nawait asyncio.sleep(0.3)\nassert fig.run.ticks > before and fig.run.playing"
    started = time.monotonic()
    execute(notebook(tmp_path, PLAYING, later))
    assert time.monotonic() - started < 20
