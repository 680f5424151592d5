"""What grading costs, against otter's own run: the same files, the same scores, one thread for both.

A submission is handed in without its last cell: that one runs the whole notebook again in a fresh kernel, which otter would
pay for and this engine, where exports do nothing, would not.
"""

import contextlib
import json
import multiprocessing
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import types
from contextlib import closing
from dataclasses import dataclass, field, replace
from multiprocessing.connection import Connection
from pathlib import Path

import nbformat
from IPython.core.inputtransformer2 import TransformerManager

from autograder import batch, intake, notebook, report, student, submission, zygote
from autograder.executor import LocalPool, Task
from autograder.results import SubmissionResult
from autograder.store import Store
from benchmarks import processes
from coursebuild import assignment, homework
from coursebuild.execute import offline_environment
from coursebuild.settings import Settings
from tests.homework.marking import Homework

SAMPLES = Path("tests") / "samples"
REAL = Path("solutions") / "hw1_neural_networks" / "hw1_neural_networks.py"
STABLE = "e = np.exp(logits - logits.max(-1, keepdims=True)); return e / e.sum(-1, keepdims=True)"
NOT_STABLE = "e = np.exp(logits); return e / e.sum(-1, keepdims=True)"
TRAINING_S = 3.0
STEPS = 500  # of the first run by which it is found how many steps take that long
TUNING = 3  # such runs: short ones go faster than long ones
SHORT, LONG = 20, 4  # repetitions of a submission without training, and with
CLASSES = {50: 3, 200: 3, 800: 1}  # how often each is graded
IN_A_ROUND, ROUNDS = 40, 3
PATIENCE = 600.0


class DisagreementError(Exception):
    """otter and this engine give one submission different scores: then no ratio means anything."""


@dataclass
class Table:
    """The rows of the benchmark: what was measured, and the bar that it must reach."""

    rows: list[dict] = field(default_factory=list)

    def add(self, what: str, value: float, unit: str, least: float | None = None, most: float | None = None) -> None:
        """A row, printed at once."""
        bar = "" if least is None and most is None else f">= {least:g}" if most is None else f"<= {most:g}"
        met = (least is None or value >= least) and (most is None or value <= most)
        self.rows.append({"what": what, "value": round(value, 3), "unit": unit, "bar": bar, "met": met if bar else None})
        print(f"{what:78s} {value:9.3f} {unit:5s} {bar:8s} {('met' if met else 'missed') if bar else ''}".rstrip(), flush=True)


@dataclass(frozen=True)
class Graded:
    """A homework as the build leaves it for the grader, and the notebook that students get."""

    folder: Path
    release: nbformat.NotebookNode

    def answered(self, *changes: tuple[str, str]) -> bytes:
        """The notebook with these texts replaced, without its last cell."""
        made = nbformat.from_dict(self.release)
        made.cells = [nbformat.from_dict(cell) for cell in self.release.cells[:-1]]
        for old, new in changes:
            places = [cell for cell in made.cells if cell.cell_type == "code" and old in cell.source]
            if len(places) != 1:
                raise ValueError(f"{old!r} stands in {len(places)} cells")
            places[0].source = places[0].source.replace(old, new)
        return nbformat.writes(made).encode()


def prepared(path: Path, settings: Settings) -> Graded:
    """What the build makes of a master."""
    work = assignment.read(path)
    folder = homework.assign(work, settings)
    (folder / "manifest.json").write_text(homework.manifest(work), encoding="utf-8")
    return Graded(folder, nbformat.reads(homework.release(work, settings), as_version=4))


def grade(data: bytes, folder: Path) -> SubmissionResult:
    """By this engine; a submission without a score is a fault."""
    result = submission.grade(data, folder, student="someone", attempt=1, seed=1)
    if result.status != "graded":
        raise RuntimeError(f"{result.status}: {result.message_instructor}")
    return result


def otter_run(data: bytes, folder: Path) -> tuple[float, dict[str, float]]:
    """CPU seconds of otter's own run, and the points of each question."""
    with tempfile.TemporaryDirectory() as tmp:
        Path(tmp, "submission.ipynb").write_bytes(data)
        shutil.copy(folder / "autograder.zip", tmp)
        command = [sys.executable, "-m", "otter", "run", "--no-logo", "-a", "autograder.zip", "submission.ipynb"]
        environment = offline_environment() | {"OMP_NUM_THREADS": "1"}
        before = processes.children_cpu_s()
        done = subprocess.run(command, cwd=tmp, capture_output=True, text=True, env=environment)
        used = processes.children_cpu_s() - before
        if done.returncode != 0:
            raise RuntimeError(f"otter run failed:\n{(done.stdout + done.stderr)[-2000:]}")
        told = json.loads(Path(tmp, "results.json").read_text())["tests"]
        return used, {test["name"]: test["score"] for test in told if "score" in test and test.get("max_score")}


def require_agreement(name: str, result: SubmissionResult, otters: dict[str, float]) -> None:
    """Raise unless both give every question the same points."""
    ours = {question.id: question.points for question in result.questions if not question.manual}
    theirs = {question: otters.get(question) for question in ours}
    if any(theirs[question] is None or abs(theirs[question] - points) > 1e-6 for question, points in ours.items()):
        raise DisagreementError(f"{name}: this engine gives {ours}, otter {otters}")


def engine_cpu_s(data: bytes, folder: Path, times: int = 1) -> float:
    """CPU seconds of this engine for a submission: of the parent, the zygote and both sides."""
    before = processes.cpu_s()
    for _ in range(times):
        grade(data, folder)
    return (processes.cpu_s() - before) / times


class Bare:
    """A warm process without any grading, in a fork of which cells are run."""

    def __init__(self):
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=_serve_bare, args=(theirs,), daemon=True)
        self._process.start()
        theirs.close()

    @property
    def pid(self) -> int:
        return self._process.pid

    def start(self, data: bytes) -> None:
        """Begin to run a notebook's cells, and do not wait."""
        self._pipe.send(data)

    def cpu_s(self) -> float:
        """CPU seconds of the cells that were started last, once they have run."""
        return self._pipe.recv()

    def close(self) -> None:
        self._pipe.close()
        self._process.join()


def _serve_bare(pipe: Connection) -> None:
    zygote.warm()
    with contextlib.suppress(EOFError):  # the end of the benchmark
        while True:
            cells = notebook.read(pipe.recv())
            pid = os.fork()
            if pid == 0:
                _run_cells(cells, pipe)
            if os.waitpid(pid, 0)[1] != 0:
                raise RuntimeError("a cell failed")


def _run_cells(cells: list[str], pipe: Connection) -> None:
    """Run the cells, send the CPU seconds that they took, and never return."""
    code = 1
    try:
        silent = types.ModuleType("dlcourse.grader")
        silent.Notebook = student.Nothing
        sys.modules["dlcourse.grader"] = silent
        names = {"__name__": "__main__", "grader": student.Nothing()}
        start = time.process_time()
        for cell in cells:
            exec(compile(TransformerManager().transform_cell(cell), "<cell>", "exec"), names)
        pipe.send(time.process_time() - start)
        code = 0
    finally:
        os._exit(code)


def private_memory(data: bytes, folder: Path) -> dict[str, float]:
    """The most private memory that each side had while a submission was graded, in MiB."""
    most, done = {"trusted": 0.0, "student": 0.0}, threading.Event()

    def watch() -> None:
        while not done.is_set():
            for side, pid in processes.sides(os.getpid()):
                most[side] = max(most[side], processes.private_mb(pid))

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        grade(data, folder)
    finally:
        done.set()
        watcher.join()
    return most


def _tasks(data: bytes, folder: Path, count: int) -> list[Task]:
    manifest = json.loads((folder / "manifest.json").read_text())
    head = {"assignment": manifest["assignment"], "tests_version": manifest["version"], "max_points": manifest["points"]}
    return [Task(student=f"student{i}", attempt=1, seed=i, raw_hash="", notebook=data, **head) for i in range(count)]


def speed_of_two(data: bytes, folder: Path) -> float:
    """Wall time of one worker over that of two, the best of some rounds each."""
    with closing(LocalPool(folder, 1, PATIENCE)) as one, closing(LocalPool(folder, 2, PATIENCE)) as two:
        seconds: dict[LocalPool, list[float]] = {one: [], two: []}
        for round in range(ROUNDS + 1):
            for pool, times in seconds.items():
                start = time.perf_counter()
                for _, result in pool.run(_tasks(data, folder, IN_A_ROUND)):
                    _require_graded(result)
                if round > 0:  # the first one warms the workers up
                    times.append(time.perf_counter() - start)
    return min(seconds[one]) / min(seconds[two])


def _require_graded(result: SubmissionResult) -> None:
    if result.status != "graded":
        raise RuntimeError(f"{result.status}: {result.message_instructor}")


def class_cpu_s(notebooks: list[bytes], folder: Path, count: int, bare: Bare) -> tuple[float, float]:
    """CPU seconds for each submission of a class, with its store and its pages, once the workers are warm.

    The second number is what it takes to run a notebook's cells alone, meanwhile.
    """
    with tempfile.TemporaryDirectory() as tmp:
        root = Path(tmp)
        (root / "in").mkdir()
        for i in range(count):
            (root / "in" / f"student{i:04d}.ipynb").write_bytes(notebooks[i % len(notebooks)])
        work = batch.read_assignment(folder.parent.parent, folder.name)
        with closing(LocalPool(folder, 2, PATIENCE)) as pool, closing(Store(root / "grades.sqlite")) as store:
            for _, result in pool.run(_tasks(notebooks[0], folder, IN_A_ROUND)):
                _require_graded(result)
            before, alone = processes.cpu_s(without=bare.pid), 0.0
            plan = batch.plan(intake.collect([root / "in"]).received, work, store)
            for one, result in batch.grade_open(plan, work, store, pool):
                _require_graded(result)
                bare.start(notebooks[0])
                report.write(result, root / "pages" / one.token)
                alone += bare.cpu_s()
            return (processes.cpu_s(without=bare.pid) - before) / count, alone / count


def _real(settings: Settings) -> bytes:
    """Homework 1, answered by its master."""
    work = Homework(settings.root / REAL)
    cells = [(question, cell.text) for question, cell in work.code_cells]
    made = []
    for i, (question, text) in enumerate(cells):
        made.append(nbformat.v4.new_code_cell(text))
        if question and question not in [later for later, _ in cells[i + 1 :]]:
            made.append(nbformat.v4.new_code_cell(f'grader.check("{question}")'))
    about = {"otter": {"assignment_name": work.assignment.name}}
    return nbformat.writes(nbformat.v4.new_notebook(cells=made, metadata=about)).encode()


def _against_otter(table: Table, name: str, data: bytes, folder: Path, times: int, least: float | None) -> None:
    """Rows for one submission: both engines' CPU time, and the ratio."""
    theirs, scores = otter_run(data, folder)
    result = grade(data, folder)
    require_agreement(name, result, scores)
    ours = engine_cpu_s(data, folder, times)
    table.add(f"{name}, {result.points:g} points: otter run", theirs, "CPU s")
    table.add(f"{name}, {result.points:g} points: this engine", ours, "CPU s")
    table.add(f"{name}: ratio", theirs / ours, "", least=least)


def _training(sample: Graded, bare: Bare) -> bytes:
    """A submission whose training takes as long as it should on this machine."""
    solution = (
        (SAMPLES / "hw0_training.py")
        .read_text()
        .partition("    # BEGIN SOLUTION\n    ")[2]
        .partition("\n    # END SOLUTION")[0]
    )

    def seconds(steps: int) -> float:
        bare.start(trained(steps))
        return bare.cpu_s()

    def trained(steps: int) -> bytes:
        return sample.answered(
            ('raise NotImplementedError("q1: train() is yours to write")', solution), ("steps=1500", f"steps={steps}")
        )

    seconds(1)  # the first one warms up
    steps = STEPS
    for _ in range(TUNING):
        steps = round(steps * TRAINING_S / seconds(steps))
    return trained(steps)


def _overhead(data: bytes, folder: Path, bare: Bare, times: int) -> tuple[float, float]:
    """CPU seconds of the cells alone, and what this engine takes beyond them.

    One run after the other differs by more than what is looked for. So both run at once, on one core.
    """
    with processes.on_one_core():
        before, alone = processes.cpu_s(without=bare.pid), 0.0
        for _ in range(times):
            bare.start(data)
            grade(data, folder)
            alone += bare.cpu_s()
        graded = processes.cpu_s(without=bare.pid) - before
    return alone / times, (graded - alone) / times


def _memory(table: Table, small: tuple[bytes, Path], training: tuple[bytes, Path]) -> None:
    if os.geteuid() != 0:
        print("private memory: not measured, only root may look into a student's process")
        return
    for name, (data, folder), allocates in (("without training", small, False), ("with training", training, True)):
        most = private_memory(data, folder)
        table.add(f"{name}: private memory of the trusted side", most["trusted"], "MiB", most=60)
        rest = ", what it allocates itself included" if allocates else ""
        table.add(f"{name}: private memory of the student's side{rest}", most["student"], "MiB", most=None if allocates else 60)


def _classes(table: Table, notebooks: list[bytes], folder: Path, bare: Bare) -> None:
    """Rows for classes of several sizes.

    A machine's speed differs from minute to minute by more than these may, so each is compared with what ran meanwhile.
    """
    rounds = [[count for count, times in CLASSES.items() if times > round] for round in range(max(CLASSES.values()))]
    runs = [(count, *class_cpu_s(notebooks, folder, count, bare)) for counts in rounds for count in counts]
    ratios = {}
    for count in CLASSES:
        each, alone = (statistics.median(column) for column in zip(*[run[1:] for run in runs if run[0] == count], strict=True))
        ratios[count] = statistics.median(run[1] / run[2] for run in runs if run[0] == count)
        table.add(f"a class of {count}, two workers, with store and pages: each submission", each, "CPU s")
        table.add(f"a class of {count}: its cells alone, in a bare warm process, meanwhile", alone, "CPU s")
        table.add(f"a class of {count}: ratio", ratios[count], "")
    table.add("the highest of these ratios over the lowest", max(ratios.values()) / min(ratios.values()), "times", most=1.1)


def measure(settings: Settings) -> dict:
    """CPU time, memory and throughput of grading, each row with the bar that it must reach.

    Raises:
        DisagreementError: otter and this engine give a submission different scores.
    """
    table = Table()
    here = replace(settings, root=settings.build / "benchmark")
    small, training = (prepared(settings.root / SAMPLES / f"{name}.py", here) for name in ("hw0_sample", "hw0_training"))
    stub = 'raise NotImplementedError("q1: softmax() is yours to write")'
    right, mistaken = small.answered((stub, STABLE)), small.answered((stub, NOT_STABLE))
    slow = small.answered((stub, f"import time; time.sleep(0.1); {STABLE}"))
    with closing(Bare()) as bare:
        long = _training(training, bare)
        for name, data in (("without training", right), ("a mistake", mistaken), ("nothing done", small.answered())):
            _against_otter(table, name, data, small.folder, SHORT, 30)
        _against_otter(table, "with training", long, training.folder, LONG, 6)
        for name, data, folder, times in (
            ("without training", right, small.folder, SHORT),
            ("with training", long, training.folder, LONG),
        ):
            alone, more = _overhead(data, folder, bare, times)
            table.add(f"{name}: its cells alone, in a bare warm process", alone, "CPU s")
            table.add(f"{name}: this engine beyond that", more, "CPU s", most=0.2)
    _memory(table, (slow, small.folder), (long, training.folder))
    table.add(f"two workers against one, {IN_A_ROUND} submissions", speed_of_two(right, small.folder), "times", least=1.6)
    with closing(Bare()) as bare:
        _classes(table, [right, mistaken, small.answered()], small.folder, bare)
    real = prepared(settings.root / REAL, here)
    _against_otter(table, "homework 1, as its master answers it", _real(settings), real.folder, 1, None)
    submission.close()
    return {"rows": table.rows}
