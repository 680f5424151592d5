"""Run a notebook from a clean kernel, and see every way in which it can fail.

An exception in a widget callback fails no cell: it lies in the state of an output widget, or only in the kernel's log.
Here it is a failure like any other.
"""

import html
import os
import re
import time
from dataclasses import dataclass
from pathlib import Path

import nbformat

OFFLINE = Path(__file__).parent / "offline"


class NotebookError(Exception):
    """The notebook ran and something in it went wrong; each problem names its place."""

    def __init__(self, name: str, problems: list[str]):
        super().__init__(f"{name}:\n" + "\n".join(problems))
        self.problems = problems


@dataclass(frozen=True)
class Run:
    """A notebook with its outputs, and the seconds that running it took."""

    notebook: nbformat.NotebookNode
    seconds: float


def offline_environment() -> dict[str, str]:
    """The environment in which Python, and every Python that it starts, is refused all but this machine's own addresses."""
    path = os.pathsep.join(filter(None, [str(OFFLINE), os.environ.get("PYTHONPATH")]))
    return {**os.environ, "PYTHONPATH": path, "COURSE_OFFLINE": "1"}


def execute(path: Path, timeout: float = 300, cwd: Path | None = None, kernel: str = "python3", online: bool = False) -> Run:
    """Run all cells in order.

    Args:
        path: the notebook; it is read, not written.
        timeout: seconds for one cell.
        cwd: where its kernel starts; the notebook's own folder unless given.
        kernel: name of a registered kernel.
        online: leave the network as it is.
    Returns:
        the notebook with outputs and widget state.
    Raises:
        NotebookError: a cell raised, took too long, or left a message of an exception in a widget or on stderr.
    """
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError

    nb = nbformat.read(path, as_version=4)
    client = NotebookClient(
        nb,
        timeout=timeout,
        kernel_name=kernel,
        resources={"metadata": {"path": str(cwd or path.parent)}},
        store_widget_state=True,
    )
    environment = None if online else offline_environment()
    start = time.perf_counter()
    try:
        client.execute(env=environment)
    except (CellExecutionError, CellTimeoutError, DeadKernelError) as error:
        raise NotebookError(path.name, [plain(str(error))]) from None
    seconds = time.perf_counter() - start
    problems = find_problems(nb)
    if problems:
        raise NotebookError(path.name, problems)
    return Run(nb, seconds)


def plain(text: str) -> str:
    """Text without terminal colours."""
    return re.sub(r"\x1b\[[0-9;]*m", "", text)


def find_problems(nb: nbformat.NotebookNode) -> list[str]:
    """What went wrong in an executed notebook, cell errors and hidden ones alike; empty when nothing did."""
    problems = []
    for number, cell in enumerate(nb.cells):
        for output in cell.get("outputs", []):
            problems += [f"cell {number}: {problem}" for problem in _in_output(output)]
    widgets = nb.metadata.get("widgets", {}).get("application/vnd.jupyter.widget-state+json", {}).get("state", {})
    for model in widgets.values():
        state = model.get("state", {})
        for output in state.get("outputs", []):
            problems += [f"inside a widget: {problem}" for problem in _in_output(output)]
        if "course-error" in str(state.get("value", "")):  # where dlcourse shows the exception of a callback
            problems.append(f"inside a live figure or prediction: {html.unescape(re.sub('<[^>]*>', '', state['value']))}")
    return problems


def _in_output(output) -> list[str]:
    kind = output.get("output_type")
    if kind == "error":
        return [plain("\n".join(output.get("traceback") or [f"{output.get('ename')}: {output.get('evalue')}"]))]
    if kind == "stream" and "Traceback (most recent call last)" in plain(output.get("text", "")):
        return [plain(output["text"])]
    return []
