"""Hand in: run the notebook from the top, say what a grader would stumble over, and write the zip file all the same."""

import difflib
import html
import json
import os
import platform
import re
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from importlib import metadata
from pathlib import Path
from typing import Any

from dlcourse import notebook
from dlcourse.grader import source
from dlcourse.grader.find import find, from_colab
from dlcourse.grader.questions import Question
from dlcourse.grader.results import BOX, COLOURS
from dlcourse.grader.source import Cell

IN_EXPORT = "DLCOURSE_EXPORT"  # set in the fresh kernel, where an export cell does nothing
CHECK = re.compile(r"grader\.check\(\s*[\"'](\w+)[\"']")
UNTIMED = 600  # seconds for a cell that belongs to no question, such as set-up
SIMILAR = 0.6  # share of equal text from which a cell counts as a version of another


@dataclass(frozen=True)
class Submission:
    """What was written, and what was found on the way.

    Attributes:
        path: the zip file.
        problems: what to mend before it is handed in; each names its cell.
        results: for each question, what its public tests gave in the fresh kernel.
    """

    path: Path
    problems: list[str]
    results: dict[str, dict[str, Any]]

    def _lines(self) -> list[str]:
        if self.problems:
            count = "1 thing" if len(self.problems) == 1 else f"{len(self.problems)} things"
            lines = [f"{count} to look at. The zip file holds your notebook as it is; mend them, save, and export again:"]
            lines += [f"  - {problem}" for problem in self.problems]
        else:
            lines = ["The notebook runs from the top, within its times."]
        lines += [f"  {id}: {result['summary']}" for id, result in self.results.items()]
        return [*lines, f"Submit this file: {self.path}"]

    def __repr__(self) -> str:
        return "\n".join(self._lines())

    def _repr_html_(self) -> str:
        body = "".join(f"<div>{html.escape(line)}</div>" for line in self._lines())
        fine = not self.problems and all(result["passed"] == result["tests"] for result in self.results.values())
        return f'<div role="status" style="{BOX.format(COLOURS["passed" if fine else "failed"])}">{body}</div>'


class Progress:
    """One line that says how far things are; in a plain script each step is printed."""

    def __init__(self) -> None:
        self._handle = None

    def say(self, text: str) -> None:
        if notebook.shell() is None:
            print(text, flush=True)
            return
        from IPython.display import Pretty, display

        if self._handle is None:
            self._handle = display(Pretty(text), display_id=True)
        else:
            self._handle.update(Pretty(text))


def submit(
    name: str,
    questions: dict[str, Question],
    nb_path: str | os.PathLike | None,
    export_path: str | os.PathLike | None,
    run: bool = True,
) -> Submission:
    """Find the notebook, look at it, run it, and write the zip file.

    Raises:
        NotFoundError, UnreadableError: there is no notebook to write.
    """
    progress = Progress()
    progress.say("Reading the notebook.")
    live = from_colab() if nb_path is None else None
    if live is not None:
        path, data = Path.cwd() / f"{name}.ipynb", json.dumps(live, ensure_ascii=False, indent=1).encode()
        cells = source.cells(live, path)
    else:
        path = find(name, nb_path, notebook.namespace(), Path.cwd())
        cells, data = source.read(path), path.read_bytes()
    problems = [*syntax(cells)]
    if live is None:
        problems += unsaved(cells, path)
    results: dict[str, dict[str, Any]] = {}
    if run:
        found, results = run_fresh(cells, questions, path.parent, progress)
        problems += found
    else:
        problems.append("The notebook was not run from the top: run_tests=False.")
    place = Path(export_path) if export_path is not None else path.parent
    written = write(name, path.name, data, problems, results, place)
    progress.say("Done.")
    return Submission(written, problems, results)


def syntax(cells: list[Cell]) -> Iterator[str]:
    """Cells that the grader's Python cannot read."""
    version = ".".join(map(str, source.GRADER_PYTHON))
    for cell in cells:
        found = source.newer_syntax(cell.text)
        if found:
            yield f"{cell.name}, line {found[0]}: the grader's Python {version} cannot read this: {found[1]}"


def unsaved(cells: list[Cell], path: Path) -> Iterator[str]:
    """Cells that were run here and are not in the file: the notebook was not saved since, or they were deleted.

    An earlier version of a cell is no problem, as long as a later one was run and is in the file.
    """
    shell = notebook.shell()
    if shell is None:
        return
    history = [text.strip() for text in shell.history_manager.input_hist_raw if text.strip()]
    ran = list(dict.fromkeys(reversed(history)))[::-1]  # each once, at its last run
    names = [source.defined(text) for text in ran]
    saved = {cell.text.strip() for cell in cells}
    minutes = (time.time() - path.stat().st_mtime) / 60
    for place, text in enumerate(ran):
        later = zip(ran[place + 1 :], names[place + 1 :], strict=True)
        if text in saved or not names[place] or any(names[place] & new or _similar(text, other) for other, new in later):
            continue
        yield (
            f"You ran a cell that the saved file does not hold ({source.first_line(text)}). {path.name} was saved {minutes:.0f} min ago: "
            "save the notebook and export again, unless you deleted that cell on purpose."
        )


def _similar(text: str, other: str) -> bool:
    matcher = difflib.SequenceMatcher(None, text, other)
    bounds = (matcher.real_quick_ratio, matcher.quick_ratio, matcher.ratio)  # from cheap to dear, each below the one before
    return all(ratio() > SIMILAR for ratio in bounds)


def question_of(cells: list[Cell], questions: dict[str, Question]) -> list[Question | None]:
    """Each cell's question: what stands after the check before belongs to the check after, from the first defining cell on."""
    belongs: list[Question | None] = []
    known = {name for question in questions.values() for name in question.defines}
    begun = False
    for place, cell in enumerate(cells):
        begun = begun or bool(known & source.defined(cell.text)) or CHECK.search(cell.text) is not None
        following = (CHECK.search(later.text) for later in cells[place:])
        id = next((match[1] for match in following if match), None)
        belongs.append(questions.get(id) if begun and id else None)
    return belongs


def run_fresh(
    cells: list[Cell], questions: dict[str, Question], folder: Path, progress: Progress
) -> tuple[list[str], dict[str, dict[str, Any]]]:
    """Run all cells in a fresh kernel.

    Returns:
        the problems, and the questions' results there.
    """
    belongs = question_of(cells, questions)
    caps = [3 * question.seconds + 10 if question else UNTIMED for question in belongs]
    task = {"folder": str(folder), "cells": [cell.text for cell in cells], "caps": caps, "variable": IN_EXPORT}
    progress.say(f"Starting a fresh kernel for {len(cells)} cells.")
    told: list[dict] = []
    with tempfile.TemporaryFile("w+", encoding="utf-8") as log:
        command = [sys.executable, "-m", "dlcourse.grader.fresh"]
        child = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True, encoding="utf-8"
        )
        try:
            child.stdin.write(json.dumps(task))
            child.stdin.close()
            for line in child.stdout:
                if not line.startswith("{"):  # what a hub's start-up files print
                    continue
                told.append(json.loads(line))
                progress.say(f"{min(len(told), len(cells))} of {len(cells)} cells run")
        except KeyboardInterrupt:
            return ["You stopped the run, so the notebook was not tried from the top."], {}
        except BrokenPipeError:
            pass  # it ended before it was told what to do: its log says why
        finally:
            _end(child)
        log.seek(0)
        said = log.read()
    steps = [step for step in told if "state" in step]
    report = next((step["report"] for step in told if "report" in step), None)
    problems = list(from_steps(cells, steps, belongs))
    if report is None and (not steps or steps[-1]["state"] != "dead"):
        problems.append(f"The fresh kernel could not be run: {_why(said)}")
    return problems, report or {}


def _end(child: subprocess.Popen) -> None:
    child.terminate()
    try:
        child.wait(timeout=10)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()
    child.stdout.close()


def _why(log: str) -> str:
    if "No module named" in log:
        missing = log.rsplit("No module named", 1)[1].split("\n")[0].strip(" '\"")
        return f"{missing} is not installed. Run %pip install jupyter_client ipykernel in a cell, then export again."
    return (log.strip().splitlines() or ["it gave no reason"])[-1]


def from_steps(cells: list[Cell], steps: list[dict], belongs: list[Question | None]) -> Iterator[str]:
    """What the run tells: cells that fail, names that come too late, and time."""
    spent: dict[str, float] = {}
    for cell, step, question in zip(cells, steps, belongs, strict=False):
        if question:
            spent[question.id] = spent.get(question.id, 0) + step["seconds"]
        if step["state"] == "stopped":
            yield f"{cell.name} was stopped after {step['seconds']:.0f} s."
        elif step["state"] == "dead":
            why = "did not end, even when interrupted" if step.get("stopped") else "ended the kernel (out of memory?)"
            yield f"{cell.name} {why}; the cells below it were not run."
        elif step["state"] == "failed":
            yield _failure(cell, cells, step)
    for question in {question.id: question for question in belongs if question}.values():
        if spent.get(question.id, 0) > question.seconds:
            yield f"{question.name} took {spent[question.id]:.0f} s here, and the grader gives it {question.seconds:g} s."


def _failure(cell: Cell, cells: list[Cell], step: dict) -> str:
    missing = re.fullmatch(r"name '(\w+)' is not defined", step["says"].split(". Did you mean")[0])
    if step["error"] == "NotImplementedError":
        return f"{cell.name}: not written yet. {step['says']}".strip()
    if step["error"] != "NameError" or not missing:
        return f"{cell.name} fails when run from the top. {step['error']}: {step['says']}"
    name = missing[1]
    here = " It works in this session, because the name is still there." if name in notebook.namespace() else ""
    later = [other for other in cells if other.number > cell.number and name in source.defined(other.text)]
    if later:
        return f"{cell.name} uses {name}, which is defined only later, in {later[0].name}. Move that cell up.{here}"
    return f"{cell.name} uses {name}, which no cell above it defines: was that cell deleted or renamed?{here}"


def write(name: str, file: str, data: bytes, problems: list[str], results: dict, folder: Path) -> Path:
    """Write the zip file, under a name of its own, in folder or where else there is room."""
    about = {
        "assignment": name,
        "notebook": file,
        "sha256": sha256(data).hexdigest(),
        "written": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "python": platform.python_version(),
        "dlcourse": metadata.version("dlcourse"),
        "problems": problems,
        "public_tests": results,
    }
    refused = None
    for place in (folder, Path.cwd(), Path(tempfile.gettempdir())):
        try:
            with _new_file(place, name) as out, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as packed:
                packed.writestr(file, data)
                packed.writestr("submission.json", json.dumps(about, indent=1, ensure_ascii=False))
                return Path(out.name).resolve()
        except OSError as error:
            refused = error
    raise refused


def _new_file(folder: Path, name: str):
    stamp = time.strftime("%Y%m%d_%H%M%S")
    count = 1
    while True:
        path = folder / (f"{name}_{stamp}.zip" if count == 1 else f"{name}_{stamp}_{count}.zip")
        try:
            return path.open("xb")
        except FileExistsError:
            count += 1
