"""py:percent to notebooks: the same bytes for the same text, and no mistake passes silently."""

import json
import re

import jupytext
import nbformat
import pytest

from coursebuild import build, lectures, text
from coursebuild.text import Cell, SourceError

GOOD = """\
# %% [markdown]
# Text with $x^2$.

# %%
x = 1

# %%
x = 1

# %% tags=["folded"]
y = 2
"""


def make(source):
    return text.notebook(text.parse(source)[1])


def test_cells_come_out_as_written():
    nb = make(GOOD)
    assert [cell.cell_type for cell in nb.cells] == ["markdown", "code", "code", "code"]
    assert nb.cells[0].source == "Text with $x^2$."
    assert nb.cells[3].metadata == {"tags": ["folded"], "jupyter": {"source_hidden": True}, "cellView": "form"}
    assert all(cell.get("outputs", []) == [] for cell in nb.cells)
    nbformat.validate(nb)


def test_ids_are_stable_unique_and_local():
    first, again = make(GOOD), make(GOOD)
    ids = [cell.id for cell in first.cells]
    assert text.dumps(first) == text.dumps(again)
    assert len(set(ids)) == len(ids), "equal cells still get different ids"
    changed = [cell.id for cell in make(GOOD.replace("y = 2", "y = 3")).cells]
    assert changed[:3] == ids[:3], "an edit changes the id of its own cell alone"
    assert changed[3] != ids[3]


@pytest.mark.parametrize(
    ("source", "line", "says"),
    [
        ("# %% [markdwon]\n# Text\n", 1, "Did you mean '# %% [markdown]'"),
        ("# %%[markdown]\n# Text\n", 1, "bad cell marker"),
        ("#%%\nx = 1\n", 1, "bad cell marker"),
        ("# % [markdown]\n# Text\n", 1, "bad cell marker"),
        ("# %%\nx = 1\n    # %%\ny = 2\n", 3, "bad cell marker"),
        ("# %%\nx = 1\n# %%%\ny = 2\n", 3, "bad cell marker"),
        ("# %% [md]\n# Text\n", 1, "bad cell marker"),
        ("# %% A title\nx = 1\n", 1, "bad cell marker"),
        ("# %% tags=['setup']\nx = 1\n", 1, "bad cell marker"),
        ('# %% tags=["foldd"]\nx = 1\n', 1, "unknown tag 'foldd'. Did you mean 'folded'?"),
        ("x = 0\n# %%\nx = 1\n", 1, "before the first cell marker"),
        ("# %% [markdown]\n# Text\nmore text\n", 3, "does not start with '# '"),
        ("# %% [markdown]\n## Heading\n", 2, "does not start with '# '"),
        ("# %%\nx = 1\n%% [markdown]\n# Text\n", 3, "bad cell marker"),
        ("# %%\nx = 1\n# [markdown]\n# Text\n", 3, "bad cell marker"),
        ("# %%\n# %matplotlib inline\nx = = 1\n", 3, "does not parse"),
        ("# %%\nx = 1\n# ! rm is dangerous\n", 3, "would become the command"),
        ("# %%\nx = 1\n# cat\n", 3, "would become the command"),
        ('# %% tags=["setup" "folded"]\nx = 1\n', 1, "tags are written"),
        ("# %%\n\n# %%\nx = 1\n", 1, "empty"),
        ("# %%\nx = 1\ny = (\n", 3, "does not parse"),
        ("# ---\n# title: x\n# %%\nx = 1\n", 1, "not closed"),
        ("# ---\n# title\n# ---\n# %%\nx = 1\n", 2, "made of lines"),
        ("# ---\n# title: x\n# title: y\n# ---\n# %%\nx = 1\n", 3, "stands twice"),
    ],
)
def test_mistakes_stop_with_file_and_line(source, line, says):
    with pytest.raises(SourceError, match=re.escape(says)) as error:
        text.parse(source, "src.py")
    assert str(error.value).startswith(f"src.py:{line}: ")


def test_magics_are_left_to_the_kernel():
    _, cells = text.parse("# %%\n# %matplotlib inline\n# %timeit sum([1])\nx = 1\n")
    assert cells[0].text.startswith("%matplotlib inline\n%timeit")


def test_front_matter_is_taken_as_it_stands():
    front, _ = text.parse("# ---\n# title: Yes\n# question: The #1 reason: what is it?\n# ---\n# %%\nx = 1\n")
    assert front == {"title": "Yes", "question": "The #1 reason: what is it?"}


def test_a_file_in_another_encoding_is_named(tmp_path):
    path = tmp_path / "a.py"
    path.write_bytes("# %% [markdown]\n# Text\n# caf\xe9\n".encode("latin-1"))
    with pytest.raises(SourceError, match=r"a\.py:3: the file is not UTF-8"):
        text.read_source(path)


def test_front_matter_shifts_line_numbers():
    _, cells = text.parse("# ---\n# title: x\n# ---\n\n# %%\nx = 1\n")
    assert cells[0] == Cell("code", "x = 1", 6)


def test_a_source_saved_from_jupyterlab_builds_the_same_notebook(settings):
    """jupytext adds its own header when an instructor saves a source as a notebook; the build does not mind."""
    for path in sorted((settings.lectures / "src").glob("*.py")):
        nb = jupytext.read(path)
        saved = jupytext.writes(nb, fmt="py:percent")
        front, cells = text.read_source(path)
        front_saved, cells_saved = text.parse(saved, path)
        assert front_saved == front
        assert text.dumps(text.notebook(cells_saved)) == text.dumps(text.notebook(cells))


# The course's lectures


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (("# title: Sample\n", ""), "lacks 'title'"),
        (("# question", "# qestion"), "lacks 'question'"),
        (("# title", "# homwork: hw1\n# title"), "Did you mean 'homework'"),
        ((' tags=["setup"]', ""), "exactly one code cell must be tagged"),
    ],
)
def test_a_lecture_that_is_not_well_formed_stops_the_build(course, change, says):
    path = course.lectures / "src" / "01_sample.py"
    path.write_text(path.read_text().replace(*change))
    with pytest.raises(SourceError, match=re.escape(says)):
        build.build(course)


def test_two_lectures_may_not_share_a_number(course):
    sample = course.lectures / "src" / "01_sample.py"
    (course.lectures / "src" / "01_other.py").write_text(sample.read_text())
    with pytest.raises(SourceError, match="lecture 01 is there already"):
        build.build(course)


def test_building_twice_changes_nothing(course):
    assert build.build(course).changed
    assert not build.build(course).changed
    assert build.differences(course) == []


def test_navigation_and_badge_come_from_the_template(course):
    sample = course.lectures / "src" / "01_sample.py"
    (course.lectures / "src" / "02_next.py").write_text(sample.read_text().replace("Sample", "Second"))
    course = course.at("https://github.com/some-body/some-course")
    build.build(course)
    first = nbformat.read(course.lectures / "01_sample.ipynb", as_version=4)
    title, end = first.cells[0].source, first.cells[-1].source
    assert title.startswith("# 01 · Sample\n\n**Does it build?**")
    assert "colab.research.google.com/github/some-body/some-course/blob/main/lectures/01_sample.ipynb" in title
    assert "[02 Second →](02_next.ipynb)" in end and "← " not in end
    second = nbformat.read(course.lectures / "02_next.ipynb", as_version=4)
    assert "[← 01 Sample](01_sample.ipynb)" in second.cells[0].source
    table = (course.root / "README.md").read_text()
    assert "| 01 | [Sample](lectures/01_sample.ipynb) | Does it build? |" in table


def test_away_from_github_there_is_no_colab_badge(course):
    elsewhere = course.at("https://git.example.org/course/")
    assert lectures.badge(elsewhere, "lectures/01_sample.ipynb") == ""
    assert elsewhere.wheel_url.startswith("https://git.example.org/course/raw/main/dist/dlcourse-")


def test_a_notebook_that_was_only_run_is_overwritten_and_one_that_was_edited_is_kept(course):
    build.build(course)
    path = course.lectures / "01_sample.ipynb"
    built = path.read_text()
    run = json.loads(built)
    code = next(cell for cell in run["cells"] if cell["cell_type"] == "code")
    code["outputs"] = [{"output_type": "stream", "name": "stdout", "text": ["hello\n"]}]
    path.write_text(json.dumps(run))
    report = build.build(course)
    assert path.read_text() == built and report.kept_aside == []

    run["cells"][1]["source"] = ["My own notes."]
    path.write_text(json.dumps(run))
    report = build.build(course)
    assert path.read_text() == built
    [(_, kept)] = report.kept_aside
    assert "My own notes." in kept.read_text()

    run = json.loads(built)
    run["cells"][1]["attachments"] = {"a.png": {"image/png": "AAAA"}}
    path.write_text(json.dumps(run))
    assert len(build.build(course).kept_aside) == 1, "a picture pasted into a cell is an edit"

    path.write_text("not a notebook any more")
    [(_, kept)] = build.build(course).kept_aside
    assert kept.read_text() == "not a notebook any more" and path.read_text() == built


def test_a_notebook_without_a_source_is_removed(course):
    build.build(course)
    (course.lectures / "src" / "01_sample.py").rename(course.lectures / "src" / "01_renamed.py")
    (course.lectures / "Untitled.ipynb").write_text("{}")
    assert [path.name for path in build.build(course).removed] == ["01_sample.ipynb"]
    assert (course.lectures / "Untitled.ipynb").exists(), "a notebook that the build did not make is somebody's"


def test_stray_files_among_the_sources_stop_the_build(course):
    (course.lectures / "src" / "week4").mkdir()
    (course.lectures / "src" / "week4" / "04_x.py").write_text("# %%\nx = 1\n")
    with pytest.raises(SourceError, match="only NN_topic"):
        build.build(course)
