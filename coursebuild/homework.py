"""From a homework's master to what students get, and to what only the grader may have.

`otter assign` takes the solutions out and writes the tests; nothing of that is done again here. What it wrote is then put
into this course's form: cell ids and digest as in lectures, this course's set-up cell and grader, stubs that say what is to
be done. It is post-processed and not forked, so a newer otter is a matter of its version in pyproject.toml and of the tests.
"""

import ast
import hashlib
import json
import re
import shutil
import subprocess
import sys
import tempfile
from importlib import metadata
from pathlib import Path
from string import Template

import nbformat

from coursebuild import assignment, lectures, master, text
from coursebuild.assignment import Assignment, Question
from coursebuild.execute import offline_environment
from coursebuild.settings import Settings
from coursebuild.text import Cell, SourceError

GRADER = Template(
    """\


from dlcourse.grader import Notebook

grader = Notebook("$name")
"""
)
TESTS_HEAD = """\
# The public tests, to read. What hidden tests are about, and their points, stands below them. Nothing is to be written here."""
SUBMISSION = """\
## Submission

Save the notebook, then run the cell below. It runs everything once more from the top in a fresh kernel, says what a grader
would stumble over, and writes the zip file that you submit."""
EXPORT = "grader.export()"
CHECK = re.compile(r'grader\.check\("(?P<question>\w+)"\)')
PDF_MARK = re.compile(r"<!-- (BEGIN|END) QUESTION -->\s*")  # around written answers, for a PDF that this course does not make
INIT = '# Initialize Otter\nimport otter\ngrader = otter.Notebook("{}")'


def read_all(settings: Settings) -> list[Assignment]:
    """Every homework of the repository.

    Raises:
        SourceError: a master is not well formed, or two have the same name.
    """
    found = [assignment.read(path) for path in master.find(settings.root)]
    for place, homework in enumerate(found):
        for before in found[:place]:
            if before.name == homework.name:
                raise SourceError(homework.path, 1, f"the name {homework.name!r} is that of {before.path.name} already")
    return found


def release_path(homework: Assignment) -> str:
    """Where the student notebook lies, here and in the public repository."""
    return f"homework/{homework.path.stem}/{homework.path.stem}.ipynb"


def links(homeworks: list[Assignment]) -> dict[str, str]:
    """For the week table: a homework's name and the path of its notebook."""
    return {homework.name: release_path(homework) for homework in homeworks}


def private_folder(homework: Assignment, settings: Settings) -> Path:
    """Where the hidden tests, the manifest and autograder.zip lie: under build/, which is never committed."""
    return settings.build / "homework" / homework.name


def master_notebook(homework: Assignment) -> str:
    """The master as the notebook that otter reads."""
    return text.dumps(text.notebook(list(homework.cells)))


def assign(homework: Assignment, settings: Settings) -> Path:
    """Run otter assign, unless what it wrote for this very master is there.

    Returns:
        the folder with otter's student notebook (otter.ipynb), its test files (tests/) and autograder.zip.
    Raises:
        SourceError: otter refused the master.
    """
    folder, notebook = private_folder(homework, settings), master_notebook(homework)
    digest = hashlib.sha256(f"{metadata.version('otter-grader')}\0{homework.path.stem}\0{notebook}".encode()).hexdigest()
    if _is_made(folder, digest):
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as tmp, tempfile.TemporaryDirectory(dir=folder.parent, prefix=".new-") as beside:
        name = f"{homework.path.stem}.ipynb"
        (Path(tmp) / name).write_text(notebook, encoding="utf-8")
        # In a process of its own, because it changes the working directory.
        command = [sys.executable, "-m", "otter", "assign", name, "made", "--no-run-tests"]
        done = subprocess.run(command, cwd=tmp, capture_output=True, text=True, env=offline_environment())
        zips = list((Path(tmp) / "made" / "autograder").glob("*.zip"))
        if done.returncode != 0 or len(zips) != 1:
            raise SourceError(homework.path, 1, f"otter assign failed:\n{(done.stdout + done.stderr).strip()[-2000:]}")
        new = Path(beside) / folder.name
        (new / "tests").mkdir(parents=True)
        shutil.copy(zips[0], new / "autograder.zip")
        shutil.unpack_archive(zips[0], Path(tmp) / "unpacked")
        for path in sorted((Path(tmp) / "unpacked" / "tests").glob("*.py")):
            shutil.copy(path, new / "tests" / path.name)
        shutil.copy(Path(tmp) / "made" / "student" / name, new / "otter.ipynb")
        (new / "made_from").write_text(digest)
        if not _is_made(folder, digest):  # another build may have come first
            shutil.rmtree(folder, ignore_errors=True)
            new.rename(folder)
    return folder


def _is_made(folder: Path, digest: str) -> bool:
    """Whether otter's files for this very master are there, whole."""
    made_from = folder / "made_from"
    wanted = [folder / "otter.ipynb", folder / "tests", folder / "autograder.zip"]
    return made_from.exists() and made_from.read_text() == digest and all(path.exists() for path in wanted)


def release(homework: Assignment, settings: Settings) -> str:
    """The student notebook, as text: the same for the same master."""
    path = assign(homework, settings) / "otter.ipynb"
    made = nbformat.read(path, as_version=4)
    nb = text.notebook(release_cells(homework, made, settings))
    nb.metadata["course"]["homework"] = homework.name
    nb.metadata["otter"] = made.metadata["otter"]  # the public tests in otter's form, so that plain otter can check too
    return text.dumps(nb)


def release_cells(homework: Assignment, made: nbformat.NotebookNode, settings: Settings) -> list[Cell]:
    """otter's student cells in this course's form."""
    cells = [Cell(cell.cell_type, PDF_MARK.sub("", cell.source), 0) for cell in made.cells]
    cells = [cell for cell in cells if cell.text.strip()]
    cells = _without_otters_own(cells, homework)
    place = next((i for i, cell in enumerate(cells) if cell.kind == "code" and cell.text == homework.setup), None)
    if place is None:
        raise SourceError(homework.path, 1, "otter changed the set-up cell: it may hold no markers")
    before, body = cells[:place], cells[place + 1 :]
    body = with_stubs(body, homework)
    setup = lectures.SETUP.substitute(wheel_url=settings.wheel_url) + homework.setup + GRADER.substitute(name=homework.name)
    badge = lectures.badge(settings, release_path(homework))
    return [
        *before[:1],
        *([Cell("markdown", badge, 0)] if badge else []),
        *before[1:],
        Cell("code", setup.rstrip("\n"), 0, ("setup",)),
        Cell("code", tests_cell(homework, names_by_question(body, homework)), 0, ("folded",)),
        *body,
        Cell("markdown", SUBMISSION, 0),
        Cell("code", EXPORT, 0),
    ]


def _without_otters_own(cells: list[Cell], homework: Assignment) -> list[Cell]:
    """The cells without otter's first, and without its last two, on submission.

    Raises:
        SourceError: they are not where otter 7 writes them.
    """
    init = INIT.format(f"{homework.path.stem}.ipynb")
    if (
        len(cells) < 4
        or cells[0].text != init
        or not cells[-2].text.startswith("## Submission\n")
        or "grader.export(" not in cells[-1].text
    ):
        raise SourceError(
            homework.path, 1, "otter assign wrote another form of notebook: coursebuild/homework.py reads otter 7"
        )
    kept = cells[1:-2]
    for cell in kept:
        if cell.kind == "code" and re.search(r"\botter\b|\bgrader\.export\(", cell.text):
            raise SourceError(homework.path, 1, f"a cell of the release uses otter or exports: {cell.text[:60]!r}")
    return kept


def with_stubs(cells: list[Cell], homework: Assignment) -> list[Cell]:
    """Each solution that otter replaced by `...` inside a function raises NotImplementedError instead, and says whose it is.

    This is done here rather than by prompts in the master, so that no stub can be forgotten and each names its question.
    An assignment `x = ...` stays: it is a gap to be filled, and the grader knows it for one.
    """
    asked = [question.id for question in homework.questions if not question.manual]
    made = []
    for place, cell in enumerate(cells):
        if cell.kind == "code" and not CHECK.fullmatch(cell.text):
            following = (CHECK.fullmatch(later.text) for later in cells[place:] if later.kind == "code")
            question = next((match["question"] for match in following if match), asked[-1] if asked else "")
            cell = Cell(cell.kind, _stub(cell.text, question, homework), cell.line)
        made.append(cell)
    return made


def _parsed(code: str, homework: Assignment) -> ast.Module:
    try:
        return ast.parse("\n".join("" if text.MAGIC.match(line) else line for line in code.splitlines()))
    except SyntaxError as error:
        first = code.strip().splitlines()[0]
        line = next((number for number, line in enumerate(_lines(homework), 1) if line == first), 1)
        raise SourceError(
            homework.path, line, f"without its solution this cell does not parse ({error.msg}): leave a prompt where it was"
        ) from None


def _lines(homework: Assignment) -> list[str]:
    return homework.path.read_text(encoding="utf-8").splitlines()


def _stub(code: str, question: str, homework: Assignment) -> str:
    lines = code.splitlines()
    for name, node in _gaps(_parsed(code, homework), ()):
        indent = lines[node.lineno - 1][: node.col_offset]
        lines[node.lineno - 1] = f'{indent}raise NotImplementedError("{question}: {name}() is yours to write")'
    return "\n".join(lines)


def _gaps(node: ast.AST, inside: tuple[ast.AST, ...]):
    """Each `...` that stands alone on its line in a function, with the function's name."""
    for child in ast.iter_child_nodes(node):
        functions = [outer for outer in inside if isinstance(outer, ast.FunctionDef | ast.AsyncFunctionDef)]
        is_gap = isinstance(child, ast.Expr) and isinstance(child.value, ast.Constant) and child.value.value is ...
        if is_gap and functions and not isinstance(inside[-1], ast.ClassDef):
            yield ".".join(outer.name for outer in inside), child
        scope = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
        yield from _gaps(child, (*inside, child) if scope else inside)


def names_by_question(cells: list[Cell], homework: Assignment) -> dict[str, list[str]]:
    """The names that each question's cells define: a student who lacks one is told which cell to run."""
    found: dict[str, list[str]] = {question.id: [] for question in homework.questions}
    open_names: list[str] = []
    for cell in cells:
        if cell.kind != "code":
            open_names = [] if assignment.TITLE.match(cell.text) else open_names  # what stands above a heading is given
            continue
        match = CHECK.fullmatch(cell.text)
        if match:
            found[match["question"]], open_names = open_names, []
            continue
        for node in _parsed(cell.text, homework).body:
            if isinstance(node, ast.FunctionDef | ast.ClassDef):
                open_names.append(node.name)
            elif isinstance(node, ast.Assign):
                open_names += [leaf.id for target in node.targets for leaf in ast.walk(target) if isinstance(leaf, ast.Name)]
    return found


def tests_cell(homework: Assignment, names: dict[str, list[str]]) -> str:
    """The folded cell: public tests as source, hidden ones by topic and points."""
    parts = [TESTS_HEAD]
    for question in homework.questions:
        parts.append(_question_lines(question, names[question.id]))
        public = [test for test in question.tests if not test.hidden]
        for test in public:
            decorator = f"@question.public({_quoted(test.topic)}, points={test.points:g}, hint={_quoted(test.hint)})"
            parts.append(f"\n\n{decorator}\n{test.source}\n\n" if test is public[-1] else f"\n\n{decorator}\n{test.source}")
        parts += [f"question.hidden({_quoted(test.topic)}, points={test.points:g})" for test in question.tests if test.hidden]
    return re.sub(r"\n{4,}", "\n\n\n", "\n".join(parts)).rstrip("\n")


def _question_lines(question: Question, names: list[str]) -> str:
    facts = [_quoted(question.id), _quoted(question.title), f"points={question.points:g}"]
    if question.manual:
        facts.append("manual=True")
    else:
        facts += [f"seconds={question.time_limit}", f"defines={json.dumps(names)}"]
    return f"\nquestion = grader.question({', '.join(facts)})"


def _quoted(words: str) -> str:
    return json.dumps(words, ensure_ascii=False)


def manifest(homework: Assignment) -> str:
    """What the grader must know about the questions and tests: see CONTRIBUTING. It holds nothing that a student may not see but
    the hints of hidden tests and the seed."""
    tests = [
        (question.id, test.topic, test.points, test.hidden, test.hint, test.source)
        for question in homework.questions
        for test in question.tests
    ]
    version = hashlib.sha256(json.dumps(tests).encode()).hexdigest()
    made = {
        "assignment": homework.name,
        "title": homework.title,
        "version": version[:16],
        "points": homework.points,
        "seed": int(version[16:28], 16),  # of the hidden tests' text too, so the release does not tell it
        "questions": [
            {
                "id": question.id,
                "number": question.number,
                "title": question.title,
                "points": question.points,
                "manual": question.manual,
                "time_limit_s": question.time_limit,
                "minutes": question.minutes,
                "tests": [
                    {
                        "index": index,
                        "function": test.function,
                        "topic": test.topic,
                        "points": test.points,
                        "hidden": test.hidden,
                        "hint": test.hint,
                        "hints": list(test.hints),
                    }
                    for index, test in enumerate(question.tests)
                ],
            }
            for question in homework.questions
        ],
    }
    return json.dumps(made, indent=1, ensure_ascii=False) + "\n"
