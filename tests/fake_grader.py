"""A grade function for tests of what stands around it: a notebook of the form {"do": …} says what happens.

Workers import it by its dotted name. It notes each call in the file that FAKE_LOG names.
"""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from autograder.results import QuestionResult, SubmissionResult, TestResult

# The command line with this grader in the place of the real one, as a program of its own.
RUN = "from autograder import __main__, executor; executor.GRADE = 'tests.fake_grader:grade'; __main__.main()"


@dataclass(frozen=True)
class Limits:
    """It has none."""


def start():
    """There is nothing to be warmed."""
    return socket.socket()


def log(text: str) -> None:
    with Path(os.environ["FAKE_LOG"]).open("a") as file:
        file.write(f"{text}\n")


def grade(notebook, folder, *, student, attempt, limits, seed):
    wish = json.loads(notebook)
    log(f"{student} {attempt} {seed}")
    tries = Path(os.environ["FAKE_LOG"]).read_text().splitlines().count(f"{student} {attempt} {seed}")
    version = json.loads((folder / "manifest.json").read_text())["version"]
    match wish["do"]:
        case "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        case "kill once" if tries == 1:
            os.kill(os.getpid(), signal.SIGKILL)
        case "exit":
            os._exit(7)
        case "raise":
            raise RuntimeError("a fault of the grader")
        case "sleep" if "FAKE_HURRY" not in os.environ:
            time.sleep(wish["seconds"])
        case "child":
            child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
            log(f"pid {os.getpid()} {child.pid}")
            time.sleep(600)
        case "another's":
            student = "somebody"
    points = float("nan") if wish["do"] == "nan" else wish.get("points", 1.0)
    test = TestResult("sums", points, 2.0, False, points == 2.0)
    question = QuestionResult("q1", "Sums", "graded", points, 2.0, (test,))
    made = {"status": wish.get("status", "graded"), "points": points, "max_points": 2.0, "questions": (question,)}
    if made["status"] in ("refused", "internal"):
        made["points"] = None
    return SubmissionResult("hw1", student, attempt, "0" * 64, version, seconds=0.1, versions={"python": "3"}, **made)
