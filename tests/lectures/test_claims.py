"""The gate over the sentences of all lectures, and the proof that it closes."""

from dataclasses import replace

import pytest

from tests import claims, prose
from tests.conftest import ROOT

SOURCES = sorted((ROOT / "lectures" / "src").glob("*.py"))


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.stem)
def test_every_sentence_that_asserts_something_is_proved_or_cited(source, show):
    found = claims.of_lecture(source)
    show(f"claims of lecture {source.stem[:2]}", f"{found.claimed} sentences proved, {found.cited} cited")
    assert found.problems == [], "\n".join(map(str, found.problems))


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.stem)
def test_each_claim_closes_the_gate_when_its_sentence_or_its_test_changes(source):
    """A character of the sentence is another, or the claim is gone: both are seen."""
    units = prose.units(source)
    quotes, _ = claims.claims_in(claims.TESTS / f"test_{source.stem[:2]}.py")
    more, _ = claims.cited_in(claims.TESTS / f"{source.stem[:2]}_cited.txt")
    assert quotes
    for quote in quotes:
        wanted = prose.normal(quote.text)
        [unit] = [unit for unit in units if wanted in unit.text]
        start = unit.text.find(wanted)
        inside = [t for _, _, found in unit.flagged for t in found if start <= t[0] and t[1] <= start + len(wanted)]
        at = inside[0][0] if inside else start
        other = str(9 - int(unit.text[at])) if unit.text[at].isdecimal() else "?"
        changed = replace(unit, text=f"{unit.text[:at]}{other}{unit.text[at + 1 :]}")
        found = claims.hold(source, [changed], [quote]).problems
        assert any("it stands nowhere" in str(problem) for problem in found), wanted
        here = {each: prose.normal(each.text) for each in [*quotes, *more] if prose.normal(each.text) in unit.text}
        others = [each for each, text in here.items() if not (text in wanted or wanted in text)]
        assert claims.hold(source, [unit], list(here)).problems == []
        if inside:
            found = claims.hold(source, [unit], others).problems
            assert any("neither proved nor cited" in str(problem) for problem in found), wanted


LECTURE = """# ---
# title: Sample
# question: Does it hold?
# ---

# %% [markdown]
# ## A heading
#
# The loss after 100 steps is 0.25. Such minima are rare because the net is wide. See lecture 03, section 2, from 1986.
#
# - Raise lr to 3 and watch.
#
# | method | loss |
# | --- | --- |
# | sgd | 0.5 |
#
# The gradient is $2wx$ and the curvature is $w = 1.72$.

# %% tags=["folded"]
predict("Where does it end?", choices={"at 1": True, "at 2": "It never moves."}, because="It is 0.885.", then=lambda: "at 77")
"""
TESTS = """
from tests.claims import claim

@claim("The loss after 100 steps is 0.25.", "Such minima are rare because the net is wide.")
def test_a(lecture):
    assert lecture

@claim("Raise lr to 3 and watch.", "sgd | 0.5", "The gradient is $2wx$ and the curvature is $w = 1.72$.")
def test_b(lecture):
    helper(lecture)

def helper(lecture):
    assert lecture

@claim("at 1", "It never moves.", "It is 0.885.")
def test_c(lecture):
    check.close(1, 2)
"""


def gate(tmp_path, lecture=LECTURE, tests=TESTS, cited=""):
    paths = [tmp_path / name for name in ("01_sample.py", "test_01.py", "01_cited.txt")]
    for path, text in zip(paths, (lecture, tests, cited), strict=True):
        path.write_text(text, encoding="utf-8")
    return claims.report(*paths)


def test_the_sample_passes(tmp_path):
    found = gate(tmp_path)
    assert found.problems == [] and (found.claimed, found.cited) == (8, 0)


CHANGES = {
    "a changed number": (("0.25", "0.26"), ("", ""), "01_sample.py:9: neither proved nor cited (100, 0.26)"),
    "a new sentence with because": (
        ("See lecture", "It falls because lr is small. See lecture"),
        ("", ""),
        "01_sample.py:9: neither proved nor cited (because): It falls because lr is small.",
    ),
    "a new number in a reason": (
        ("It never moves.", "It stays at 7."),
        ("", ""),
        "01_sample.py:20: neither proved nor cited (7)",
    ),
    "a new number in a table": (("| sgd | 0.5 |", "| sgd | 0.5 |\n# | adam | 0.4 |"), ("", ""), "01_sample.py:16: neither"),
    "a deleted test": (("", ""), ('@claim("at 1", "It never moves.", "It is 0.885.")\n', ""), "01_sample.py:20: neither"),
    "a test that asserts nothing": (
        ("", ""),
        ('    assert lecture\n\n@claim("Raise', '    print(lecture)\n\n@claim("Raise'),
        "test_01.py:5: test_a asserts nothing",
    ),
    "a test that may be skipped": (
        ("", ""),
        ('@claim("at 1', '@pytest.mark.skip\n@claim("at 1'),
        "test_01.py:17: test_c may be skipped",
    ),
    "a quote that stands twice": (
        ("## A heading", "## A heading\n#\n# Raise lr to 3 and watch."),
        ("", ""),
        "test_01.py:8: quoted, and it stands 2 times",
    ),
    "a sentence of two claims, one of them quoted": (
        ("The loss after 100 steps is 0.25.", "The loss after 100 steps is 0.25, and 0.1 after 200."),
        ("The loss after 100 steps is 0.25.", "The loss after 100 steps is 0.25"),
        "01_sample.py:9: neither proved nor cited (0.1, 200)",
    ),
}


@pytest.mark.parametrize("change", CHANGES)
def test_the_gate_closes(tmp_path, change):
    in_lecture, in_tests, says = CHANGES[change]
    assert in_lecture[0] in LECTURE and in_tests[0] in TESTS
    found = gate(tmp_path, LECTURE.replace(*in_lecture, 1), TESTS.replace(*in_tests, 1))
    assert any(str(problem).startswith(says) for problem in found.problems), "\n".join(map(str, found.problems))


CITED = {
    "source: Rumelhart et al. (1986), table 2\nIt is 0.885.\n": None,
    "derived: from the formula above\nIt is 0.885.\n": None,
    "definition: of the limit\nIt is 0.885.\n": "a definition holds no measured number",
    "folklore: everybody says so\nIt is 0.885.\n": "a block starts with one of source, derived, definition",
    "source: x\nIt is 0.885.\n": "a block starts with one of",
    "source: Rumelhart et al. (1986)\nIt is 0.887.\n": "it stands nowhere",
    "source: Rumelhart et al. (1986)\nIt is 0.885.\nDoes it hold?\n": "asserts nothing that needs it",
}


@pytest.mark.parametrize("cited", CITED)
def test_the_cited_list(tmp_path, cited):
    found = gate(tmp_path, tests=TESTS.replace(', "It is 0.885."', ""), cited=cited)
    wrong = CITED[cited]
    if wrong is None:
        assert found.problems == [] and found.cited == 1
    else:
        assert any(wrong in str(problem) for problem in found.problems), "\n".join(map(str, found.problems))


ASSERTS = {
    "The loss is 0.25.": ["0.25"],
    "It is 62 % of 8 examples.": ["62 %", "8"],
    "See chapters 4 and 8, section 2.1 and lecture 03.": [],
    "Kingma and Ba (2015), LeNet of 1998.": [],
    "The line $y = 2x + 1$ is a formula.": [],
    "The value $0.25$ is a number, and so is $w = 2.13$.": ["0.25", "2.13"],
    "Is it always so?": [],
    "Adam is ten times faster than SGD.": ["ten times", "faster"],
    "It is the same as before, and nothing is lost.": ["the same as", "nothing"],
    "It is almost everywhere allowed.": [],
    "Adam is 3x as quick, momentum 10-fold.": ["3", "10"],
}


@pytest.mark.parametrize("sentence", ASSERTS)
def test_what_asserts(sentence):
    [unit] = prose.markdown_units(sentence, 1)
    found = [unit.text[a:b] for start, end in prose.sentences(unit) for a, b in prose.triggers(unit, start, end)]
    assert found == ASSERTS[sentence]
