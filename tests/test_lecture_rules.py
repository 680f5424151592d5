"""What makes a lecture unreadable or unanswerable stops the build, with file and line."""

import re

import pytest

from coursebuild import build, lectures, new, style
from coursebuild.__main__ import main
from coursebuild.text import SourceError
from tests.conftest import ROOT

GOOD = (new.SKELETONS / "lecture" / "lectures" / "src" / "NN_topic.py").read_text(encoding="utf-8")
FIGURE = GOOD[GOOD.index("def means_figure") : GOOD.index("means = means_figure")]
UPDATE = GOOD[GOOD.index("# **Your turn.**") : GOOD.index("# %%\ndef my_update")]
FIRST = GOOD[GOOD.index('predict(\n    "One') : GOOD.index("# %% [markdown]\n# Each of 200")]
TENTH = GOOD[GOOD.index("predict_number(\n") : GOOD.index("# %% [markdown]\n# Whoever")]
SOLVED = "# <details><summary>Solution</summary>\n#\n# ```python\n# def my_count"
FAULT = GOOD[GOOD.index("# **Find the fault.**") : GOOD.index("# %%\ndef my_standard_error")]


def broken(tmp_path, text):
    """The error that a lecture of this text gives, and its lines."""
    path = tmp_path / "31_topic.py"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(SourceError) as caught:
        lectures.read_lecture(path)
    assert caught.value.path == path
    return caught.value, text.splitlines()


def test_the_skeleton_and_all_lectures_keep_the_rules(tmp_path, settings):
    (tmp_path / "31_topic.py").write_text(GOOD, encoding="utf-8")
    assert lectures.read_lecture(tmp_path / "31_topic.py").number == "31"
    assert lectures.read_lectures(settings)


CHANGES = {
    # what is changed: (old, new, how the line begins that the error names, the message)
    "two predictions": (FIRST, "1 + 1\n\n", "# ---", "a lecture has at least 3 predictions, and this one has 2"),
    "two exercises": (
        GOOD[GOOD.index("# **How many measurements?**") : GOOD.index("# ## In five lines")],
        "",
        "# ---",
        "a lecture has at least 3 exercises, and this one has 2",
    ),
    "no figure": (
        GOOD[GOOD.index('# %% tags=["folded"]\ndef means_figure') : GOOD.index("# %% [markdown]\n# The lines are 1 g")],
        "",
        "# ---",
        "a lecture has at least 1 live figure, and this one has none",
    ),
    "a readout that is missing": (
        FIGURE[FIGURE.index("        return (") : FIGURE.index("    return fig")],
        "\n",
        "    def _(n, sigma):",
        "a control function returns the readout",
    ),
    "a readout that is missing on one way": (
        "        return (\n            f\"n =",
        "        if n == 7:\n            return\n        return (\n            f\"n =",
        "            return",
        "this one may return nothing",
    ),
    "a readout inside a branch alone": (
        FIGURE[FIGURE.index("        return (") : FIGURE.index("    return fig")],
        '        if n > 1:\n            return "many"\n\n',
        "    def _(n, sigma):",
        "this one may return nothing",
    ),
    "a figure without a control function": (
        FIGURE[FIGURE.index("    @fig.control") : FIGURE.index("    return fig")],
        "",
        "    fig = LiveFigure(",
        "the figure has no control function (@fig.control)",
    ),
    "a figure that is not shown": ("means = means_figure()\nmeans\n", "means = means_figure()\n", "means = means_figure()", "does not show it"),
    "a figure whose cell ends in a semicolon": ("means_figure()\nmeans\n", "means_figure()\nmeans;\n", "means = means_figure()", "does not show it"),
    "a figure that is set and not shown": (
        "means_figure()\nmeans\n",
        "means_figure()\nmeans.set(n=3)\n",
        "means = means_figure()",
        "end the cell with the figure's name",
    ),
    "a figure that is never made": (
        "means = means_figure()\nmeans\n",
        "1 + 1\n",
        "def means_figure():",
        "means_figure() makes a figure, and no cell calls it",
    ),
    "two figures of one title": (
        "means = means_figure()\nmeans\n",
        'means = means_figure()\nmeans\n\n# %%\nother = LiveFigure("The means of 200 people")\nother\n',
        "other = LiveFigure",
        "the title 'The means of 200 people' is that of the figure in line 60 already",
    ),
    "a figure without its belief": ('    # Refutes: "twice as many measurements halve the error".\n', "", "    fig = LiveFigure(", 'belief that the figure refutes: # Refutes: "'),
    "a belief that is not the first comment": (
        "def means_figure():\n    # Ref",
        "def means_figure():\n    # Beware.\n    # Ref",
        "    # Beware.",
        "the first comment of a figure's cell names the belief",
    ),
    "a belief without quotes": ('# Refutes: "twice', "# Refutes: that twice", "    # Refutes: that", "the first comment of a figure's cell"),
    "no right choice": (
        '"4, since the root of 4 is 2": True',
        '"4, since the root of 4 is 2": "It is."',
        "predict(",
        "exactly one choice of a prediction is True, the right one; here none is",
    ),
    "two right choices": ('"both": "The standard deviation of the measurements stays about 2 g: it belongs to the balance."', '"both": True', "predict(", "here 2 is"),
    "a choice without a reason": (
        '"It belongs to the balance, and that has not changed."',
        "False",
        '        "the standard deviation of the measurements": False',
        "the choice 'the standard deviation of the measurements' needs the reason why it is wrong",
    ),
    "an empty reason": (
        '"It belongs to the balance, and that has not changed."',
        '""',
        '        "the standard deviation of the measurements": ""',
        "got ''",
    ),
    "a fold that is never closed": ("# ```\n# </details>\n#\n# **How many", "# ```\n#\n# **How many", "# <details>", "<details> is never closed in its cell"),
    "a fold that is closed twice": ("# </details>\n#\n# **How many", "# </details>\n# </details>\n#\n# **How many", "# </details>", "</details> closes nothing: none is open"),
    "a summary that is closed by another": (
        "# <details><summary>Solution</summary>\n#\n# ```python\n# def my_count",
        "# <details><summary>Solution</details>\n#\n# ```python\n# def my_count",
        "# <details><summary>Solution</details>",
        "</details> closes nothing: <summary> of line",
    ),
    "code that is never closed": ("# ```\n# </details>\n#\n# ## In five", "# </details>\n#\n# ## In five", "# ```python", "the code that ``` begins is never closed"),
    "an exercise without a statement": (UPDATE, "\n\n", "def my_update", "the exercise 'Update a mean' is not stated in prose above its stub: in a text cell, '**Title.**"),
    "a statement of a title alone": (
        FAULT,
        "# **Find the fault.**\n\n\n",
        "def my_standard_error",
        "the exercise 'Find the fault' is not stated in prose",
    ),
    "a statement inside the solution of another": (
        GOOD[GOOD.index("# </details>\n#\n# **How many") : GOOD.index("# %%\ndef my_count")],
        GOOD[GOOD.index("#\n# **How many") : GOOD.index("# %%\ndef my_count")].rstrip() + "\n# </details>\n\n\n",
        "def my_count",
        "the exercise 'How many measurements' is not stated",
    ),
    "a stub that is missing": (
        GOOD[GOOD.index("# %%\ndef my_count") : GOOD.index('# %% tags=["folded"]\n@exercise("How many')],
        "",
        '@exercise("How many',
        "no cell above the exercise 'How many measurements' defines my_count()",
    ),
    "a stub that is folded": ("# %%\ndef my_count", '# %% tags=["folded"]\ndef my_count', "def my_count", "is the reader's to write, and its cell is folded"),
    "two exercises for one function": ('uses="my_count"', 'uses="my_update"', '@exercise("How many', "my_update() is asked for by the exercise in line"),
    "two exercises of one statement": (
        GOOD[GOOD.index("# **How many measurements?**") : GOOD.index("# %%\ndef my_count")],
        "\n\n",
        "def my_count",
        "the exercise 'How many measurements' is not stated",
    ),
    "an exercise without a solution": (
        GOOD[GOOD.index(SOLVED) : GOOD.index("# ## In five")],
        "",
        '@exercise("How many',
        "the exercise 'How many measurements' has no solution: solution=..., or below it",
    ),
    "an exercise in its place without a solution": (
        ", solution=update_solution",
        "",
        '@exercise("Update a mean"',
        "the exercise 'Update a mean' has no solution",
    ),
    "a solution that is not folded as such": (
        SOLVED,
        SOLVED.replace("Solution", "One way"),
        '@exercise("How many',
        "the exercise 'How many measurements' has no solution",
    ),
    "a solution that is there twice": (
        "update = update_turn.function",
        '1 + 1\n\n# %% [markdown]\n# <details><summary>Solution</summary>\n#\n# ```python\n# 1\n# ```\n# </details>\n\n# %%\nupdate = update_turn.function',
        "# <details>",
        "this folded solution belongs to no exercise that lacks one",
    ),
}  # fmt: skip


@pytest.mark.parametrize("change", CHANGES)
def test_a_broken_rule_stops_the_build(tmp_path, change):
    old, by, begins, says = CHANGES[change]
    assert GOOD.count(old) == 1
    error, lines = broken(tmp_path, GOOD.replace(old, by))
    assert says in error.message
    assert lines[error.line - 1].startswith(begins), f"line {error.line}: {lines[error.line - 1]}"


def test_two_stubs_below_one_statement(tmp_path):
    text = GOOD.replace(GOOD[GOOD.index("# %% [markdown]\n# <details>") : GOOD.index("# %%\ndef my_count")], "")
    error, lines = broken(tmp_path, text)
    assert "the exercise 'How many measurements' shares its statement with another" in error.message
    assert lines[error.line - 1].startswith('@exercise("How many')


ALLOWED = {
    "a figure in a call of display": ("means = means_figure()\nmeans\n", "means = means_figure()\ndisplay(means)\nmeans.set(n=1)\n"),
    "a figure that is the last expression": ("means = means_figure()\nmeans\n", "means_figure()\n"),
    "a figure behind a prediction": (
        "means = means_figure()\nmeans\n",
        'predict("So?", choices={"a": True, "b": "No, because."}, then=means_figure)\n',
    ),
    "two figures of one function": ("means = means_figure()\nmeans\n", "a, b = means_figure(), means_figure()\ndisplay(a, b)\n"),
    "a figure with a comment behind it": ("means_figure()\nmeans\n", "means_figure()\nmeans  # a; b;\n"),
    "a readout on every way": (
        "        return (\n            f\"n =",
        "        if n == 7:\n            return \"seven\"\n        return (\n            f\"n =",
    ),
    "a readout by cases": (
        "        return (\n            f\"n =",
        "        match n:\n            case 1:\n                return \"one\"\n            case _:\n                pass\n"
        "        with np.errstate(all=\"ignore\"):\n            try:\n                pass\n            finally:\n                pass\n        return (\n            f\"n =",
    ),
    "reasons that are worked out": ('"It belongs to the balance, and that has not changed."', 'f"It is {TRUTH}."'),
    "choices that are worked out": (FIRST[FIRST.index("    choices") : FIRST.index("    because")], "    choices=dict(CHOICES),\n"),
    "a tag in code": ("# ## Exercises", "# ## Exercises\n#\n# A fold begins with `<details>`.\n#\n# ```html\n# <details>\n# ```"),
    "a statement below a heading": ("# **Find the fault.**", "# ### **Find the fault.**\n#\n#"),
    "await in a cell": ("# %% [markdown]\n# ## Exercises", "# %%\nawait something()\n\n# %% [markdown]\n# ## Exercises"),
}  # fmt: skip


@pytest.mark.parametrize("change", ALLOWED)
def test_what_keeps_the_rules_passes(tmp_path, change):
    old, by = ALLOWED[change]
    assert GOOD.count(old) == 1
    (tmp_path / "31_topic.py").write_text(GOOD.replace(old, by), encoding="utf-8")
    assert lectures.read_lecture(tmp_path / "31_topic.py").title == "{{title}}"


# Style, which does not keep an author from looking at the notebook


def lint(course):
    with pytest.raises(SourceError) as caught:
        style.check(course)
    return caught.value


def test_style_is_told_as_the_build_tells_its_own(course):
    sources = course.root / "lectures" / "src"
    (sources / "ruff.toml").write_text((ROOT / "lectures" / "src" / "ruff.toml").read_text())
    for path in course.root.glob("solutions/*/*.py"):
        path.unlink()
    style.check(course)
    path = sources / "01_sample.py"
    good = path.read_text()
    path.write_text(good.replace("import math\n", "import math\nimport os\n"))
    error = lint(course)
    assert (
        error.path == path
        and good.splitlines()[error.line - 2] == "import math"
        and "ruff F401: `os` imported but unused" in error.message
    )
    path.write_text(good.replace("means = means_figure()\n", "means   = means_figure()\n"))
    error = lint(course)
    assert path.read_text().splitlines()[error.line - 1] == "means   = means_figure()"
    assert (
        error.path == path
        and "ruff would write this otherwise: python -m ruff format lectures/src/01_sample.py" in error.message
    )
    path.write_text(good.replace("noise = np", "noise = mp"))
    assert "ruff F821: Undefined name `mp`" in lint(course).message


def test_the_command_writes_the_notebook_and_then_fails_for_style(course, monkeypatch, capsys):
    """The sample master is no model of style; its notebook is written all the same."""
    monkeypatch.setattr("coursebuild.settings.load", lambda: course)
    path = course.root / "lectures" / "src" / "01_sample.py"
    path.write_text(path.read_text().replace("import math\n", "import math\nimport os\n"))
    assert main(["build"]) == 1
    said = capsys.readouterr()
    assert "wrote   lectures/01_sample.ipynb" in said.out
    assert re.search(r"01_sample\.py:\d+: ruff F401", said.err)
    assert build.differences(course) == []
    assert main(["build", "--check"]) == 1 and "ruff F401" in capsys.readouterr().err


def test_without_ruff_the_build_says_that_it_has_not_looked(course, monkeypatch, capsys):
    monkeypatch.setattr(style, "find_spec", lambda name: None)
    path = course.root / "lectures" / "src" / "01_sample.py"
    path.write_text(path.read_text().replace("import math\n", "import math\nimport os\n"))
    style.check(course)
    assert "ruff is not installed here, so its rules were not checked" in capsys.readouterr().err


def test_a_ruff_that_fails_is_no_clean_bill(course, monkeypatch):
    (course.root / "pyproject.toml").write_text("[tool.ruff]\nline-length = 'wide'\n")
    with pytest.raises(ValueError, match="ruff check failed"):
        style.check(course)
