"""What leaves the grader: it tells students what they may know, and hostile text stays text."""

import csv
import html.parser
import io
import json
from base64 import b64encode
from dataclasses import replace
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from autograder import report
from autograder.cli import _Row, _write_csv
from autograder.escaping import for_csv, for_html, visible
from autograder.results import STATUSES, QuestionResult, SubmissionResult, TestResult, without_score

SECRET = "hidden-input-4711"
PUBLIC_MESSAGE = "softmax(array([1., 2.])) must have shape (2,), got (1,)"

QUESTIONS = (
    QuestionResult("q1", "Softmax and cross-entropy", "graded", 8.0, 8.0, (
        TestResult("probabilities sum to one", 3.0, 3.0, False, True, hint="divide by the sum", message="not shown"),
        TestResult("large logits", 5.0, 5.0, True, True, hint="subtract the maximum"),
    ), 0.4),
    QuestionResult("q2", "Affine and activation layers", "graded", 2.5, 8.0, (
        TestResult("forward", 1.0, 1.0, False, True),
        TestResult("shapes", 0.0, 2.0, False, False, hint="keep the batch axis", message=PUBLIC_MESSAGE),
        TestResult("broadcasting", 0.0, 3.0, True, False, hint="the bias has one row for all", message=SECRET),
        TestResult("empty input", 0.0, 0.5, True, False),
        TestResult("float32", 1.5, 1.5, True, True),
    ), 1.2, note="Its check cell is missing, so it was tested at the end."),
    QuestionResult("q3", "Training loop", "timeout", 0.0, 14.0, (
        TestResult("loss falls", 0.0, 4.0, False, False, hint="not run, so no hint"),
        TestResult("held-out fonts", 0.0, 10.0, True, False, hint="not run, so no hint"),
    ), 20.0),
    QuestionResult("q4", "Derive batch norm's backward", "graded", 0.0, 5.0, manual=True),
)  # fmt: skip
RESULT = SubmissionResult(
    "hw1", "ann", 2, "ab" * 32, "7f3c", "timeout", 10.5, 35.0, QUESTIONS, 23.4, 22.1, 410.0, {"torch": "2.13.0"},
    STATUSES["timeout"].student, "q3 ran past 20 s.",
)  # fmt: skip


class Page(html.parser.HTMLParser):
    """The tags, attributes and text of a page, as a browser's parser finds them."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.attributes, self.words = [], [], []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [(tag, *pair) for pair in attrs]

    def handle_data(self, data):
        self.words.append(data)

    @property
    def text(self):
        return " ".join(" ".join(self.words).split())


PLAIN = Page(report.page(RESULT))
HOSTILE = [
    "<script>alert(1)</script>",
    "</title></style></pre><img src=x onerror=alert(1)>",
    '"><svg onload=alert(1)>',
    "' style='position:fixed",
    "<!-- ",
    "&lt;b&gt;",
    "]]><![CDATA[",
    "\x1b[2J\x1b]0;owned\x07",
    "\u202egpj.exe",
    "a\x00b\rc\u2028d",
    "\ud800",
    "[bold red]x[/bold red][link=http://x]y[/link] :smile:",
    "[/]",
    "../../../../etc/passwd",
    '=HYPERLINK("http://x","y")',
]


def with_hostile(text):
    """A result in which every text is this one."""
    tests = (
        TestResult(text, 0.0, 1.0, False, False, hint=text, message=text),
        TestResult(text, 0.0, 1.0, True, False, hint=text, message=text),
    )
    questions = tuple(QuestionResult(text, text, status, 0.0, 2.0, tests, note=text) for status in ("graded", "died"))
    return replace(
        RESULT, assignment=text, student=text, notebook_hash=text, tests_version=text, questions=questions,
        versions={text: text}, message_student=text, message_instructor=text,
    )  # fmt: skip


def test_the_page_shows_points_by_question_and_public_tests_by_name():
    for words in ("10.5 of 35 points", "8 of 8", "2.5 of 8", "– of 5", "A person reads this answer.", "5 of the points are for answers that a person reads", "shapes failed, 0 of 2",
                  PUBLIC_MESSAGE, "keep the batch axis", "probabilities sum to one passed, 3 of 3", "attempt 2",
                  "Its check cell is missing"):  # fmt: skip
        assert words in PLAIN.text, words
    assert "not shown" not in PLAIN.text, "a passed test has no message"
    assert "divide by the sum" not in PLAIN.text, "and no hint"
    assert "loss falls not passed, 0 of 4" in PLAIN.text
    assert "not run, so no hint" not in PLAIN.text + report.gradescope(RESULT)


def test_the_head_names_the_questions_that_were_stopped():
    assert "q3: Your code ran past its time limit" in report.page(RESULT)
    assert "q3: " not in report.page(replace(RESULT, status="graded", message_student="Every test was run."))


def test_hidden_tests_are_told_by_topic_points_and_hint_alone():
    assert "1 of 3 hidden tests passed; 2 failed, on: broadcasting, empty input" in PLAIN.text
    assert "broadcasting: the bias has one row for all" in PLAIN.text
    assert "1 hidden test passed" in PLAIN.text
    assert "1 hidden test remains, on: held-out fonts" in PLAIN.text
    assert "float32" not in PLAIN.text, "which of the others passed is not told"
    assert SECRET not in report.page(RESULT) + report.gradescope(RESULT), "a message of a hidden test goes nowhere"


@pytest.mark.parametrize(
    ("exact", "shown"),
    [(0.0, "under 1 s"), (0.98, "under 1 s"), (1.2, "under 10 s"), (23.4, "under 60 s"), (999.0, "under 1000 s")],
)
def test_times_are_rounded(exact, shown):
    assert report.seconds(exact) == shown
    assert shown in Page(report.page(replace(RESULT, seconds=exact))).text
    assert f"{exact}" not in report.page(replace(RESULT, seconds=exact, questions=())) or exact == 0.0


def test_next_steps_start_where_most_is_to_win():
    assert report.next_steps(RESULT) == [
        "q3, 14 points to win: find the loop that does not end, or that NumPy can do in a single call.",
        'q2, 5.5 points to win: run grader.check("q2") in your notebook; it shows the first public test that fails.',
    ]
    only_hidden = replace(QUESTIONS[1], tests=QUESTIONS[1].tests[2:])
    assert report.next_steps(replace(RESULT, questions=(only_hidden,))) == [
        "q2, 5.5 points to win: the bias has one row for all"
    ]
    assert report.next_steps(replace(RESULT, questions=QUESTIONS[:1])) == ["Nothing is left to do here: every test passed."]
    assert report.next_steps(replace(RESULT, questions=QUESTIONS[1:2] * 6))[-1] == "Then look at the 3 other questions below."


@pytest.mark.parametrize("status", STATUSES)
def test_every_status_has_a_page(status):
    result = without_score(
        status,
        assignment="hw1",
        student="ann",
        attempt=1,
        notebook_hash="ab" * 32,
        tests_version="v",
        max_points=35.0,
        detail="for the instructor alone",
    )
    page, made = Page(report.page(result)), json.loads(report.gradescope(result))
    assert STATUSES[status].student in page.text
    if STATUSES[status].by_student:
        assert made["score"] == 0.0
    else:
        assert "score" not in made and "no score yet" in page.text
        assert "for the instructor alone" not in page.text + made["output"]


def test_the_policy_admits_its_own_style_and_nothing_else():
    page = report.page(RESULT)
    assert page.index("Content-Security-Policy") < page.index("<style>")
    [policy] = [
        value for tag, name, value in PLAIN.attributes if tag == "meta" and name == "content" and "default-src" in value
    ]
    style = page.split("<style>")[1].split("</style>")[0]
    digest = b64encode(sha256(style.encode()).digest()).decode()
    assert policy.split("; ") == ["default-src 'none'", f"style-src 'sha256-{digest}'", "base-uri 'none'", "form-action 'none'"]


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_adds_no_tag_and_no_attribute(text):
    found, harmless = Page(report.page(with_hostile(text))), Page(report.page(with_hostile("harmless")))
    assert found.tags == harmless.tags
    assert [one[:2] for one in found.attributes] == [one[:2] for one in harmless.attributes]
    assert set(found.tags).isdisjoint({"script", "img", "iframe", "object", "form", "base", "link", "svg"})
    for _, name, value in found.attributes:
        assert name in (
            "href",
            "class",
            "id",
            "content",
            "name",
            "http-equiv",
            "charset",
            "lang",
            "role",
            "scope",
            "aria-hidden",
        )
        assert name != "href" or value.startswith("#question-")


@pytest.mark.parametrize("text", HOSTILE)
def test_what_is_written_has_no_character_that_does_not_show(text):
    for made in (report.page(with_hostile(text)), json.loads(report.gradescope(with_hostile(text)))["output"]):
        assert all(char.isprintable() or char == "\n" for char in made)
        made.encode("utf-8")


@pytest.mark.parametrize("text", HOSTILE)
def test_gradescope_takes_hostile_text_for_text(text):
    raw = report.gradescope(with_hostile(text))
    made = json.loads(raw)
    assert raw.isascii()
    assert made["output_format"] == "text"
    for test in made["tests"]:
        assert (test["name_format"], test["output_format"]) == ("text", "text")


def test_gradescope_adds_up_and_hides_what_is_hidden():
    made = json.loads(report.gradescope(RESULT))
    assert made["score"] == RESULT.points == sum(test["score"] for test in made["tests"])
    assert made["stdout_visibility"] == "hidden" and "execution_time" not in made
    assert len(made["tests"]) == 9
    by_name = {test["name"]: test for test in made["tests"]}
    assert by_name["q2: shapes"] == {
        "name": "q2: shapes", "name_format": "text", "score": 0.0, "max_score": 2.0, "status": "failed",
        "visibility": "visible", "output": f"{PUBLIC_MESSAGE}\nHint: keep the batch axis", "output_format": "text",
    }  # fmt: skip
    hidden = [test for test in made["tests"] if test["visibility"] == "hidden"]
    assert [test["name"] for test in hidden] == [
        "q1: large logits", "q2: broadcasting", "q2: empty input", "q2: float32", "q3: held-out fonts"
    ]  # fmt: skip
    assert "2 failed, on: broadcasting, empty input" in made["output"]


def test_a_long_message_is_cut():
    long = replace(
        RESULT, questions=(replace(QUESTIONS[1], tests=(replace(QUESTIONS[1].tests[1], message="<" * 10_000_000),)),)
    )
    assert len(report.page(long)) < 50_000
    assert "more characters" in report.page(long)
    assert len(report.gradescope(long)) < 20_000


def test_pages_are_replaced_whole(tmp_path):
    folder = tmp_path / "token"
    assert report.write(RESULT, folder) == folder / "index.html"
    report.write(replace(RESULT, student="bob"), folder)
    assert {path.name for path in folder.iterdir()} == {"index.html", "results.json"}
    assert "bob" in (folder / "index.html").read_text()
    with pytest.raises(UnicodeEncodeError):
        report.replace_text(folder / "index.html", "\ud800")
    assert "bob" in (folder / "index.html").read_text()
    assert {path.name for path in folder.iterdir()} == {"index.html", "results.json"}


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t=", "\r=", " =", "\n=", "'=", "＝"])
def test_no_cell_of_the_table_is_a_formula(tmp_path, start):
    name = f'{start}HYPERLINK("http://x";"y"),\n"z'
    _write_csv(tmp_path, [_Row(name, 1, "graded", 1.0, 2.0, 0.1, "ab" * 16, name)])
    raw = (tmp_path / "grades.csv").read_bytes().decode()
    [head, row] = list(csv.reader(io.StringIO(raw, newline="")))
    assert len(row) == len(head) == 7
    for cell in (row[0], row[-1]):
        assert cell[0] not in "=+-@\t\r\n＝ "
        assert "\n" not in cell
    assert row[5] == f"pages/{'ab' * 16}/index.html"
    assert (tmp_path / "grades.csv").stat().st_mode & 0o077 == 0


def test_ordinary_names_stay_as_they_are():
    for name in ("ann", "Jürgen Müller-Lüdenscheidt", "李小龙", "s1234567", "O'Neil"):
        assert for_csv(name) == visible(name) == name
    assert for_html("O'Neil & Söhne") == "O&#x27;Neil &amp; Söhne"


@pytest.mark.browser
def test_a_browser_runs_nothing_and_loads_nothing(chromium, tmp_path):
    from playwright.sync_api import sync_playwright

    asked = []

    class Server(BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            self.send_error(404)

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Server) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_port}"
        attack = f"</pre><script>document.title='owned'</script><img src='{address}/x'><style>h1 {{ color: red }}</style>"
        not_escaped = report.page(RESULT).replace("keep the batch axis", attack)
        no_policy = not_escaped.replace("Content-Security-Policy", "x")
        found = []
        with (
            sync_playwright() as playwright,
            playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"]) as browser,
        ):
            for number, text in enumerate((report.page(with_hostile(attack)), not_escaped, no_policy)):
                path = tmp_path / f"{number}.html"
                path.write_text(text)
                page = browser.new_page(viewport={"width": 380, "height": 800})
                asked.clear()
                page.goto(path.as_uri())
                page.wait_for_load_state("networkidle")
                size = page.evaluate("getComputedStyle(document.querySelector('.score')).fontSize")
                assert size == "32px", "the page's own style is let in"
                assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "no text makes the page wider"
                red = page.evaluate("getComputedStyle(document.querySelector('h1')).color") == "rgb(255, 0, 0)"
                found.append((page.title() == "owned", bool(asked), red))
                page.close()
        server.shutdown()
    # Escaping holds by itself, the policy holds by itself, and without both the attack works.
    assert found == [(False, False, False), (False, False, False), (True, True, True)]


def test_the_module_names_no_path_by_hostile_text(tmp_path):
    hostile = with_hostile("../../../../escaped")
    report.write(hostile, tmp_path / "pages" / "token")
    assert sorted(str(path.relative_to(tmp_path)) for path in Path(tmp_path).rglob("*")) == [
        "pages", "pages/token", "pages/token/index.html", "pages/token/results.json"
    ]  # fmt: skip
