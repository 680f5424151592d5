"""How a submission is made: the release, filled with the master's answers, answers of other students, and other code.

Steps are functions that change a draft, so a submission is a list of them. Nothing here depends on time or chance: the same
release, master and steps give the same bytes.
"""

import ast
import functools
import io
import json
import re
import textwrap
import zipfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from coursebuild import assignment
from tests.answers import Answer, patched
from tests.homework.marking import Homework
from tests.homework.particulars import ROOT, Particulars, of

NAME = "hw1"
HW1 = of(NAME)


def release_of(work: Particulars) -> Path:
    """The notebook that students get."""
    return ROOT / "homework" / work.master.stem / f"{work.master.stem}.ipynb"


RELEASE = release_of(HW1)
QUESTIONS = tuple(f"q{number}" for number in range(1, 12))
EARLIEST = (1980, 1, 1, 0, 0, 0)  # the date of what lies in a zip file

TRAINING = "def train_digits"  # where the part of question 9 begins that takes long
# The master's network trains for six seconds, three times. This one takes one, and is still far above the bar.
SMALL_NETWORK = """
-    for fan_in, fan_out in [(784, 256), (256, 10)]:
+    for fan_in, fan_out in [(784, 96), (96, 10)]:

-    return fit(params, loss_and_grads, nn.momentum, x, y, x_val, y_val, rng, 0.03, 64, 4, 20)[0]
+    return fit(params, loss_and_grads, nn.momentum, x, y, x_val, y_val, rng, 0.05, 64, 4, 5)[0]
"""


@dataclass
class Draft:
    """A notebook on its way to be handed in.

    Attributes:
        book: the notebook as JSON has it.
    """

    book: dict

    @property
    def cells(self) -> list[dict]:
        return self.book["cells"]

    def place(self, text: str) -> int:
        """Where the first code cell stands that begins with this text.

        Raises:
            ValueError: there is none.
        """
        for place, cell in enumerate(self.cells):
            if cell["cell_type"] == "code" and source_of(cell).startswith(text):
                return place
        raise ValueError(f"no code cell begins with {text!r}")

    def check(self, question: str) -> int:
        """Where the last check cell of a question stands."""
        text = f'grader.check("{question}")'
        self.place(text)
        return max(place for place, cell in enumerate(self.cells) if source_of(cell) == text)

    def insert(self, place: int, text: str) -> None:
        """Put a code cell of this text there."""
        made = {"cell_type": "code", "execution_count": None, "id": f"new{len(self.cells)}", "metadata": {}, "outputs": []}
        self.cells.insert(place, made | {"source": text})


Step = Callable[[Draft], None]


def source_of(cell: dict) -> str:
    """A cell's text, which a notebook holds as one string or as lines."""
    return "".join(cell["source"])


@functools.cache
def _homework() -> assignment.Assignment:
    return assignment.read(HW1.master)


@functools.cache
def _answers() -> dict[str, Answer]:
    return {f"{answer.question}.{answer.name}": answer for answer in HW1.answers}


def right_answers(question: str) -> list[Answer]:
    """The right answers to a question that do not train a network for long, in the order of its file."""
    return [
        answer
        for answer in _answers().values()
        if answer.is_right and answer.question == question and TRAINING not in answer.source
    ]


@functools.cache
def solutions(work: Particulars = HW1) -> tuple[tuple[str | None, str, str], ...]:
    """Of each code cell that is no check and no set-up: its question, its text in the release, and the master's."""
    cells = [cell for cell in release(work).cells if cell["cell_type"] == "code"]
    given = [source_of(cell) for cell in cells if not cell["metadata"].get("tags") and "grader." not in source_of(cell)]
    master = [(question, cell.text) for question, cell in Homework(work.master).code_cells[1:]]
    if len(given) != len(master):
        raise ValueError(f"the release has {len(given)} cells to fill, the master {len(master)}")
    return tuple(
        (question, stub, re.sub(r"^ *# (BEGIN|END) SOLUTION.*\n?|  # SOLUTION$", "", text, flags=re.M))
        for stub, (question, text) in zip(given, master, strict=True)
    )


def release(work: Particulars = HW1) -> Draft:
    """The untouched release."""
    return Draft(json.loads(release_of(work).read_text(encoding="utf-8")))


def written(draft: Draft) -> bytes:
    """The notebook's file."""
    return (json.dumps(draft.book, indent=1, ensure_ascii=False, sort_keys=True) + "\n").encode()


def zipped(files: Iterable[tuple[str, bytes]]) -> bytes:
    """A zip file as `grader.export()` makes it."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as packed:
        for name, data in files:
            packed.writestr(zipfile.ZipInfo(name, EARLIEST), data, zipfile.ZIP_DEFLATED)
    return made.getvalue()


def exported(notebook: bytes) -> bytes:
    """The zip file that the last cell of a notebook writes."""
    about = {"assignment": NAME, "notebook": RELEASE.name, "problems": [], "public_tests": {}}
    return zipped([(RELEASE.name, notebook), ("submission.json", json.dumps(about).encode())])


def solve(*questions: str, work: Particulars = HW1) -> Step:
    """Fill in the master's answers; without the network where one is trained, see `train`."""

    def step(draft: Draft) -> None:
        for question, stub, text in solutions(work):
            if question in questions and stub != text:
                for function in work.trained_by:
                    if f"def {function}" in text:
                        text = text[: text.index(f"def {function}")] + stub[stub.index(f"def {function}") :]
                draft.cells[draft.place(stub)]["source"] = text.rstrip("\n")

    return step


def train(small: bool = True) -> Step:
    """Train the network of question 9, the master's or a smaller one, in a cell just above the check."""

    def step(draft: Draft) -> None:
        text = next(text for question, _, text in solutions() if question == "q9")
        text = text[text.index(TRAINING) :]
        code("q9", patched(text, SMALL_NETWORK) if small else text)(draft)

    return step


def code(question: str, text: str) -> Step:
    """Put a cell just above a question's check."""
    return lambda draft: draft.insert(draft.check(question), textwrap.dedent(text).strip("\n"))


def answer(name: str) -> Step:
    """Put an answer of tests/homework/hw1, such as 'q1.asserted', below the one that is there."""
    found = _answers()[name]
    return code(found.question, found.source)


def variants(place: int) -> Step:
    """For each question the right answer of this place in its file, below the master's."""

    def step(draft: Draft) -> None:
        for question in QUESTIONS:
            found = right_answers(question)
            code(question, found[place % len(found)].source)(draft)

    return step


def without(*texts: str) -> Step:
    """Delete the code cells that begin like this."""

    def step(draft: Draft) -> None:
        for text in texts:
            del draft.cells[draft.place(text)]

    return step


def without_checks(*questions: str) -> Step:
    """Delete check cells."""
    return without(*(f'grader.check("{question}")' for question in questions))


def check_again(question: str) -> Step:
    """Copy a question's check to the end of the notebook."""
    return lambda draft: draft.insert(len(draft.cells), f'grader.check("{question}")')


def split(question: str) -> Step:
    """Give each function and class of a question's answer a cell of its own."""

    def step(draft: Draft) -> None:
        place = draft.check(question) - 1
        text = source_of(draft.cells.pop(place))
        for node in reversed(ast.parse(text).body):
            draft.insert(place, ast.get_source_segment(text, node))

    return step


def moved_to_the_top(question: str) -> Step:
    """Move a question's answer and check above those of question 1."""

    def step(draft: Draft) -> None:
        check = draft.check(question)
        moved = draft.cells[check - 1 : check + 1]
        del draft.cells[check - 1 : check + 1]
        top = draft.place("def softmax")
        draft.cells[top:top] = moved

    return step


def new_ids(draft: Draft) -> None:
    """As an editor does that knows no cell ids: others, and none on some cells."""
    for number, cell in enumerate(draft.cells):
        cell["id"] = f"{number:08x}"
        if number % 3 == 0:
            del cell["id"]


def with_outputs(draft: Draft) -> None:
    """As saved after a run: numbers, output, and lines instead of one text."""
    for number, cell in enumerate(draft.cells, 1):
        cell["source"] = source_of(cell).splitlines(keepends=True)
        if cell["cell_type"] == "code":
            cell["execution_count"] = number
            cell["outputs"] = [{"output_type": "stream", "name": "stdout", "text": ["All public tests passed.\n"]}]


def drafted(*steps: Step, work: Particulars = HW1) -> bytes:
    """The release after these steps, as a notebook's file."""
    draft = release(work)
    for step in steps:
        step(draft)
    return written(draft)
