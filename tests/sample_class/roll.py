"""Who handed in what, and what each must get: written down by hand, never computed by the grader.

`lost` holds the points that are lost by question, from the points of the tests that must fail; `ended` the questions that
end in another way than by their tests. Question 12 is read by a person and counts nothing here.

Those that take long come first, so that no core waits for them at the end; those that sleep are apart, so that none is idle.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from tests.sample_class.making import (
    QUESTIONS,
    Step,
    answer,
    check_again,
    code,
    drafted,
    exported,
    moved_to_the_top,
    new_ids,
    solve,
    split,
    train,
    variants,
    with_outputs,
    without,
    without_checks,
    zipped,
)

POINTS = {"q1": 8, "q2": 8, "q3": 6, "q4": 14, "q5": 9, "q6": 5, "q7": 12, "q8": 6, "q9": 14, "q10": 9, "q11": 4}
MARKUP = "<img src=x onerror=alert(1)>"
ALL = solve(*QUESTIONS)
# Most leave the network of question 9 untrained, which takes long. Four tests ask for it: 0.5 + 2 + 1 + 0.5 points.
UNTRAINED = {"q9": 4}
# Where another thing is shown, the two questions whose tests take longest are left out.
QUICK = solve(*(question for question in QUESTIONS if question not in ("q4", "q9")))
LEFT_OUT = {"q4": POINTS["q4"], "q9": POINTS["q9"]}


@dataclass(frozen=True)
class Entry:
    """One student's submission, and what it must get.

    Attributes:
        student: the file's name without its ending.
        about: what was handed in.
        steps: from the release to it.
        lost: points by question.
        status: of the submission.
        ended: statuses of the questions that are not 'graded'.
        packed: from the notebook's bytes to those of the file.
        ending: of the file's name.
        honest: it can be run outside of the sandbox, and ends.
        otter: what otter's own runner takes off by question where it does not agree, and why.
    """

    student: str
    about: str
    steps: tuple[Step, ...] = (ALL,)
    lost: dict[str, float] = field(default_factory=dict)
    status: str = "graded"
    ended: dict[str, str] = field(default_factory=dict)
    packed: Callable[[bytes], bytes] | None = None
    ending: str = ".ipynb"
    honest: bool = True
    otter: dict[str, tuple[float, str]] = field(default_factory=dict)

    @property
    def file_name(self) -> str:
        return self.student + self.ending

    @property
    def points(self) -> float:
        return 0.0 if self.status == "unreadable" else sum(POINTS.values()) - sum(self.lost.values())

    def file(self) -> bytes:
        """The bytes that were handed in; the same each time."""
        notebook = drafted(*self.steps)
        return self.packed(notebook) if self.packed else notebook


def zip_entry(student: str, about: str, *rest, **more) -> Entry:
    """An entry that is handed in as the zip file of an export."""
    return Entry(student, about, *rest, packed=more.pop("packed", exported), ending=".zip", **more)


def unreadable(student: str, about: str, file: Callable[[bytes], bytes], ending: str = ".ipynb") -> Entry:
    """An entry that is no notebook."""
    return Entry(student, about, status="unreadable", packed=file, ending=ending, honest=False)


def stopped(student: str, about: str, question: str, status: str, text: str) -> Entry:
    """Answers, with code in one that is stopped and costs all of its points."""
    lost = LEFT_OUT | {question: POINTS[question]}
    return Entry(student, about, (QUICK, code(question, text)), lost, status, {question: status}, honest=False)


SLOW = [
    Entry("ada", "the master's own answers, with its network", (ALL, train(small=False))),
    stopped(
        "boris", "waits for ever at the top of a cell", "q11", "timeout", "import time\n\nwhile True:\n    time.sleep(0.1)"
    ),
    stopped(
        "chen",
        "a loop without end in a function that is graded",
        "q6",
        "timeout",
        """
        def he_normal(fan_in, fan_out, rng):
            while True:
                rng.standard_normal((fan_out, fan_in))


        xavier_uniform = he_normal
        """,
    ),
    stopped(
        "dora",
        "a loop that does not let itself be interrupted",
        "q8",
        "timeout",
        """
        import time

        while True:
            try:
                while True:
                    time.sleep(0.1)
            except BaseException:
                continue
        """,
    ),
    Entry("emil", "slow, and within the time", (QUICK, code("q11", "import time\n\ntime.sleep(14)")), LEFT_OUT, honest=False),
]

RIGHT = [
    zip_entry("fatima", "right, as an export", (ALL,), UNTRAINED),
    zip_entry("goran", "other right answers, with a smaller network", (ALL, variants(0), train())),
    Entry("hana", "still other right answers", (ALL, variants(1)), UNTRAINED),
    Entry("ines", "right, and saved after a run", (ALL, with_outputs), UNTRAINED),
    Entry(
        "joao",
        "right, with magics, a shell command and display",
        (
            ALL,
            code("q1", "%matplotlib inline\n!echo hello\n%time x = softmax(np.zeros((2, 3)))\ndisplay(x)"),
            code("q2", "%%time\ny = Relu().forward(np.zeros(3))\ny"),
        ),
        UNTRAINED,
    ),
]

MISTAKES = [
    Entry("kofi", "the cost is summed over the batch", (ALL, answer("q1.loss_is_summed")), UNTRAINED | {"q1": 6.5}),
    Entry(
        "lena",
        "softmax without the largest logit; gradients are means",
        (ALL, answer("q1.softmax_without_the_max"), answer("q2.gradients_are_means")),
        UNTRAINED | {"q1": 1.5, "q2": 4.25},
    ),
    Entry(
        "mika",
        "forward differences; a wrong diagnosis",
        (ALL, answer("q3.forward_difference"), answer("q10.a_learns_too_slowly")),
        UNTRAINED | {"q3": 6, "q10": 1},
    ),
    Entry(
        "nora",
        "gradients of what was broadcast are not summed",
        (ALL, answer("q4.broadcast_copies_not_summed")),
        UNTRAINED | {"q4": 7.75},
    ),
    Entry(
        "omar",
        "Adam without its corrections; a variance for a standard deviation",
        (ALL, answer("q5.adam_without_corrections"), answer("q6.variance_as_standard_deviation")),
        UNTRAINED | {"q5": 7, "q6": 3.25},
    ),
    Entry(
        "petra",
        "batch norm looks at the batch in evaluation",
        (ALL, answer("q7.evaluation_uses_the_batch")),
        UNTRAINED | {"q7": 3.25},
    ),
    Entry(
        "quinn",
        "dropout is not inverted; the last batch is dropped",
        (ALL, answer("q8.not_inverted"), answer("q9.last_batch_dropped")),
        {"q8": 3.75, "q9": 4 + 5},
    ),
    Entry(
        "rosa",
        "a gradient is not passed back; a weight's axes are swapped",
        (ALL, answer("q10.softmax_not_passed_back"), answer("q11.weight_inputs_first")),
        UNTRAINED | {"q10": 2, "q11": 1},
    ),
    zip_entry(
        "sami",
        "a mistake in each question",
        (
            ALL,
            answer("q1.negative_labels_let_through"),
            answer("q2.relu_slope_one_at_zero"),
            answer("q3.step_grows_with_x"),
            answer("q4.only_new_axes_summed"),
            answer("q5.nesterov"),
            answer("q6.he_uniform"),
            answer("q7.biased_everywhere"),
            answer("q8.mask_without_scale"),
            answer("q9.not_shuffled"),
            answer("q10.labels_stay"),
            answer("q11.bias_in_layer_1"),
        ),
        {
            "q1": 0.75,
            "q2": 1,
            "q3": 3.25,
            "q4": 4,
            "q5": 7,
            "q6": 1.5,
            "q7": 6.25,
            "q8": 4.5,
            "q9": 4 + 5,
            "q10": 1.5,
            "q11": 1,
        },
    ),
]

HALF = [
    Entry("tara", "the first three questions", (solve("q1", "q2", "q3"),), POINTS | {"q1": 0, "q2": 0, "q3": 0}),
    Entry(
        "uma",
        "the last questions without question 9",
        (solve("q6", "q7", "q8", "q10", "q11"),),
        {question: POINTS[question] for question in ("q1", "q2", "q3", "q4", "q5", "q9")},
    ),
    Entry(
        "vito",
        "a cell that does not parse, and one that fails at its top",
        (
            solve("q1", "q2", "q3", "q5", "q6", "q7", "q11"),
            code("q8", "def dropout(x, p, rng, train:\n    return x, x"),
            code("q11", 'answers["last batch"] = no_such_name'),
        ),
        {question: POINTS[question] for question in ("q4", "q8", "q9", "q10")},
    ),
]

CELLS = [
    Entry("wim", "two check cells are deleted", (ALL, without_checks("q3", "q9")), UNTRAINED),
    Entry("xenia", "cells are split, and have other ids", (QUICK, split("q2"), split("q5"), split("q8"), new_ids), LEFT_OUT),
    Entry(
        "yusuf",
        "a question is answered once more at the end, wrongly, and checked there again",
        (QUICK, check_again("q2"), answer("q2.gradients_are_means")),
        LEFT_OUT | {"q2": 4.25},
    ),
    zip_entry("zoe", "question 5 stands first", (QUICK, moved_to_the_top("q5")), LEFT_OUT),
    Entry(
        "aiko",
        "a later cell takes a name of question 8",
        (QUICK, code("q11", "def dropout(x):\n    return x")),
        LEFT_OUT,
        otter={"q8": (6, "otter runs every test at the end, and the name stands for another function there")},
    ),
    Entry(
        "bela",
        "the set-up cell is deleted: what needs no NumPy still works",
        (ALL, without("# Run this first.")),
        POINTS | {"q1": 7.5, "q2": 7.5, "q8": 4.25, "q9": 11.5, "q10": 5.5, "q11": 0},
    ),
]

EMPTY = [
    Entry("..", "the untouched release", (), POINTS),
    Entry("--jobs=64", "no cell at all", (lambda draft: draft.cells.clear(),), POINTS),
]

BROKEN = [
    unreadable(
        '=HYPERLINK("http:x")', "a picture with another name", lambda notebook: b"\x89PNG\r\n\x1a\n" + bytes(range(256))
    ),
    unreadable("cem", "a notebook that was cut off", lambda notebook: notebook[: len(notebook) // 2]),
    unreadable("dana", "a zip file without a notebook", lambda notebook: zipped([("answers.txt", b"42")]), ending=".zip"),
    Entry("eva", "a cell that is written for a newer Python", (QUICK, code("q1", "type Rows = list[float]")), LEFT_OUT),
]

ATTACKS = [
    stopped(
        "felix",
        "memory without end",
        "q6",
        "memory",
        """
        def he_normal(fan_in, fan_out, rng):
            hoard = []
            while True:
                hoard.append(np.zeros(10_000_000))  # pages that are never touched cost no time


        xavier_uniform = he_normal
        """,
    ),
    Entry(
        "gita",
        "nothing, but the course's check is replaced by one that accepts all",
        (
            code(
                "q1",
                """
                from dlcourse import check

                for name in ("close", "raises", "same_type", "shape", "same", "unchanged"):
                    setattr(check, name, lambda *args, **kwargs: True)
                """,
            ),
        ),
        POINTS,
        honest=False,
    ),
    stopped("hugo", "the process ends itself", "q3", "died", "import os\n\nos._exit(0)"),
    stopped(
        "\x1b[2Jivo",
        "bytes are forged on the grader's channel",
        "q5",
        "protocol",
        """
        import os

        os.write(3, b'{"id": 1, "value": true}' * 100)
        """,
    ),
    Entry(
        MARKUP,
        "markup in a name, in a class and in an exception",
        (
            QUICK,
            code(
                "q1",
                f"""
                softmax = type("{MARKUP}", (Exception,), {{}})
                cross_entropy = None
                raise softmax("{MARKUP}")
                """,
            ),
        ),
        LEFT_OUT | {"q1": 8},
        honest=False,
    ),
    zip_entry(
        "jana",
        "looks for the tests, and its zip file climbs out of its folder",
        (
            QUICK,
            code(
                "q2",
                """
                import os

                found = [path for path, _, names in os.walk("/", onerror=None) if "q2.py" in names]
                for name in ("environ", "cmdline", "maps"):
                    try:
                        found.append(open(f"/proc/{os.getppid()}/{name}").read())
                    except OSError:
                        pass
                Affine = Relu = Tanh = Sigmoid = None
                raise RuntimeError(f"{len(found)} found: {found}")
                """,
            ),
        ),
        LEFT_OUT | {"q2": 8},
        packed=lambda notebook: zipped([("../../../tmp/sample.ipynb", notebook)]),
        honest=False,
    ),
]

ROLL = [*SLOW[:3], *RIGHT, SLOW[3], *MISTAKES, SLOW[4], *HALF, *CELLS, *EMPTY, *BROKEN, *ATTACKS]
