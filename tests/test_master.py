"""Markers of otter masters: every line knows whether students may see it, and a mistyped marker stops the build."""

import re
from itertools import pairwise

import pytest

from coursebuild import master
from coursebuild.text import SourceError
from tests.conftest import SAMPLE_MASTER

# The short way to hide a test, which a homework may not use (it has no topic), but which must not leak either.
SAMPLE = re.sub(
    r'""" # BEGIN TEST CONFIG\nname: large logits.*?# END TEST CONFIG\n\n\n',
    "# HIDDEN\n",
    SAMPLE_MASTER.read_text(),
    flags=re.S,
)


def lines_of(source, tmp_path):
    path = tmp_path / "hw.py"
    path.write_text(source)
    return master.read_master(path)


def test_secret_lines_of_the_sample():
    lines = master.read_master(SAMPLE_MASTER)
    source = SAMPLE_MASTER.read_text().splitlines()
    secret = {line.text.strip(): line.secret for line in lines if line.secret}
    assert secret["exponentials = np.exp(shifted_for_safety)"] == "solution"
    assert secret["temperature_of_choice = 0.731  # SOLUTION"] == "solution"
    assert secret["secret_probe = np.array([[1234.5, 1234.5]])"] == "hidden test"
    assert secret["shifted_by_seven_and_a_half = softmax(drawn + 7.5)"] == "hidden test"
    assert secret["Numerator and denominator are both multiplied by exp(-max), which cancels."] == "solution"
    public = {line.text.strip() for line in lines if not line.secret}
    assert {"def softmax(logits):", "def test_rows_sum_to_one(softmax):", "import numpy as np"} <= public
    for line in lines:
        assert line.text in source[line.number - 1], "line numbers are those of the source"


# Each marker of the sample, with one letter wrong: the build must stop at that line.
MISSPELLED = [
    ("# # BEGIN SOLUTION", "# # BEGIN SOLUTON"),
    ("# # BEGIN SOLUTION", "# # Begin Solution"),
    ("# # END SOLUTION", "# # END SOLUTIONS"),
    ("# # BEGIN TESTS", "# # BEGIN TEST"),
    ("# # BEGIN QUESTION", "# # BEGIN QUSTION"),
    ("    # BEGIN SOLUTION", "    # BEGIN SOLUTIN"),
    ("    # BEGIN SOLUTION", "    # BEGIN  SOLUTION"),
    ("    # BEGIN SOLUTION", "    #BEGIN SOLUTION"),
    ("    # BEGIN SOLUTION", "    ## BEGIN SOLUTION"),
    ("    # BEGIN SOLUTION", "    # BEGIN SOLUTION:"),
    ("    # END SOLUTION", "    # END_SOLUTION"),
    ("0.731  # SOLUTION", "0.731  # SOLUTON"),
    ("0.731  # SOLUTION", "0.731  # Solution"),
    ("0.731  # SOLUTION", "0.731  # SOLUTION, a good one"),
    ("0.731  # SOLUTION", "0.731  # SOLUTION NO PROMT"),
    ("# HIDDEN", "# HIDEN"),
    ("# HIDDEN", "# hidden"),
    ('""" # BEGIN TEST CONFIG', '""" # BEGIN TEST CONFG'),
    ('"""  # END TEST CONFIG', '"""  # END TESTCONFIG'),
    ("0.731  # SOLUTION", "0.731  # SOLUTON  # noqa"),
    ("0.731  # SOLUTION", "0.731  # noqa: N816  # SOLUTON"),
    ("0.731  # SOLUTION", "0.731  # SOLN"),
    ("# HIDDEN", "# HIDDEN TEST"),
    ("    # BEGIN SOLUTION", "    # BEGINSOLUTION"),
    ("    # BEGIN SOLUTION", "    # START SOLUTION"),
    ("    # BEGIN SOLUTION", "    # Begin solution here"),
]


@pytest.mark.parametrize(("right", "wrong"), MISSPELLED, ids=[wrong.strip() for _, wrong in MISSPELLED])
def test_a_misspelled_marker_stops_the_build(right, wrong, tmp_path):
    assert right in SAMPLE
    place = SAMPLE[: SAMPLE.index(right)].count("\n") + 1
    with pytest.raises(SourceError, match=rf"hw\.py:{place}: (unknown marker|bad)"):
        lines_of(SAMPLE.replace(right, wrong, 1), tmp_path)


MARKER_LINES = [i for i, line in enumerate(SAMPLE.splitlines()) if re.search(r"# (BEGIN|END) ", line)]


@pytest.mark.parametrize("index", MARKER_LINES)
def test_a_missing_marker_stops_the_build(index, tmp_path):
    """Take out each BEGIN or END in turn, with its raw cell where it is one."""
    lines = SAMPLE.splitlines()
    removed = {index}
    if lines[index].startswith("# # "):
        following = next((i for i in range(index, len(lines)) if lines[i].startswith("# %%")), len(lines))
        removed = set(range(index - 1, following))
    source = "\n".join(line for i, line in enumerate(lines) if i not in removed) + "\n"
    with pytest.raises(SourceError):
        lines_of(source, tmp_path)


def test_swapping_two_neighbouring_block_markers_stops_the_build(tmp_path):
    lines = SAMPLE.splitlines()
    blocks = [i for i in MARKER_LINES if lines[i].startswith("# # ")]
    for a, b in pairwise(blocks):
        if lines[a] == lines[b]:
            continue
        swapped = list(lines)
        swapped[a], swapped[b] = swapped[b], swapped[a]
        with pytest.raises(SourceError):
            lines_of("\n".join(swapped) + "\n", tmp_path)


def test_a_solution_cell_without_a_marker_would_ship_whole(tmp_path):
    source = re.sub(r"    # BEGIN SOLUTION\n|    # END SOLUTION\n|  # SOLUTION$", "", SAMPLE, flags=re.M)
    with pytest.raises(SourceError, match="no solution marker"):
        lines_of(source, tmp_path)


@pytest.mark.parametrize(
    "comment",
    [
        "the solution of the system",
        "end of the loop",
        "begin with the largest",
        "hidden layer",
        "tests",
        "see the prompt above",
    ],
)
def test_ordinary_comments_are_no_markers(comment):
    assert master.resembles_marker(comment) is None


def test_a_marker_after_another_comment_counts(tmp_path):
    lines = lines_of(SAMPLE.replace("0.731  # SOLUTION", "0.731  # noqa: N816  # SOLUTION"), tmp_path)
    assert next(line for line in lines if "0.731" in line.text).secret == "solution"


SHIPPED = {
    "a hidden test outside its block": (
        "# # END QUESTION",
        "# # END QUESTION\n\n# %%\n# HIDDEN\nx = 1",
        "outside a tests block",
    ),
    "HIDDEN below another line": ("# HIDDEN\n", "# a probe\n# HIDDEN\n", "must be the first line"),
    "mistyped config": ("hidden: true", "hiden: true", "Did you mean 'hidden'"),
    "config that is no boolean": ("hidden: true", "hidden: 'yes'", "is true or false"),
    "a statement of several lines": (
        "temperature_of_choice = 0.731  # SOLUTION",
        "temperature_of_choice = [  # SOLUTION\n    0.731,\n]",
        "statement of several lines",
    ),
    "an answer in the marker's raw cell": (
        "# # BEGIN SOLUTION\n\n# %% [markdown]\n",
        "# # BEGIN SOLUTION\n#\n",
        "nothing may follow",
    ),
    "a written question without a solution block": (
        "# %% [raw]\n# # BEGIN SOLUTION\n\n# %% [markdown]\n# Numerator and denominator are both multiplied by exp(-max), which cancels.\n\n# %% [raw]\n# # END SOLUTION\n",
        "# %% [markdown]\n# Numerator and denominator are both multiplied by exp(-max), which cancels.\n",
        "has no solution block",
    ),
}


@pytest.mark.parametrize("kind", SHIPPED)
def test_mistakes_that_would_ship_an_answer_stop_the_build(kind, tmp_path):
    before, after, says = SHIPPED[kind]
    assert before in SAMPLE
    with pytest.raises(SourceError, match=re.escape(says)):
        lines_of(SAMPLE.replace(before, after, 1), tmp_path)


def test_a_master_elsewhere_or_as_a_notebook_stops_the_build(course):
    assert [path.name for path in master.find(course.root)] == ["hw0_sample.py"]
    (course.root / "solutions" / "hw0_sample" / "helpers.py").write_text("x = 1\n")
    assert len(master.find(course.root)) == 1
    stray = course.root / "solutions" / "hw0_copy.py"
    stray.write_text(SAMPLE)
    with pytest.raises(SourceError, match=r"a master lies at solutions/hw0_copy/hw0_copy\.py"):
        master.find(course.root)
    stray.rename(stray.with_suffix(".ipynb"))
    with pytest.raises(SourceError, match="is authored as text"):
        master.find(course.root)


def test_a_prompt_block_makes_its_solution_cells_secret_whole(tmp_path):
    prompt = "# %% [raw]\n# # BEGIN PROMPT\n\n# %%\ndef softmax(logits):\n    ...\n\n# %% [raw]\n# # END PROMPT\n\n"
    source = SAMPLE.replace("# %% [raw]\n# # BEGIN SOLUTION\n", prompt + "# %% [raw]\n# # BEGIN SOLUTION\n", 1)
    lines = lines_of(source, tmp_path)
    docstring = next(line for line in lines if "Probabilities of each row" in line.text)
    assert docstring.secret == "solution"
