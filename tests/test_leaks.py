"""The leak gate: one leak of each kind is planted, and the gate must close; what is public must pass."""

import base64
import gzip
import hashlib
import html
import io
import json
import shutil
import struct
import subprocess
import tarfile
import zipfile
import zlib

import nbformat
import pytest

from coursebuild import build, homework, leaks, publish, text
from coursebuild.__main__ import main
from coursebuild.leaks import Gate
from tests.conftest import SAMPLE_MASTER

SECRETS = leaks.secrets_of(SAMPLE_MASTER)
GATE = Gate(SECRETS)
SOLUTION = "    shifted_for_safety = logits - logits.max(axis=-1, keepdims=True)"
HIDDEN = "    secret_probe = np.array([[1234.5, 1234.5]])"
WRITTEN = "Numerator and denominator are both multiplied by exp(-max), which cancels."


def test_secrets_of_the_sample():
    lines = {secret.line for secret in SECRETS}
    assert leaks.normalise(SOLUTION) in lines
    assert leaks.normalise(HIDDEN) in lines
    assert leaks.normalise(WRITTEN) in lines
    assert "temperature_of_choice=0.731" in lines, "the marker itself is no part of the line"
    assert "def softmax(logits):" not in lines, "what the prompt shows is public"


COLOUR = "\x1b[0m \x1b[0;34m"


def notebook_with(cell) -> bytes:
    return nbformat.writes(nbformat.v4.new_notebook(cells=[cell])).encode()


def code(**parts):
    return nbformat.v4.new_code_cell("1 + 1", **parts)


def output(**data):
    return [nbformat.v4.new_output("display_data", data=data)]


def archive_of(files: dict[str, str | bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, content in files.items():
            packed.writestr(name, content)
    return buffer.getvalue()


def archive(text: str) -> bytes:
    return archive_of({"dlcourse/answers.py": text})


def tar_gz(text: str) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as packed:
        info = tarfile.TarInfo("answers.py")
        info.size = len(text.encode())
        packed.addfile(info, io.BytesIO(text.encode()))
    return buffer.getvalue()


def png_with(text: str) -> bytes:
    chunk = b"zTXt" + b"Comment\0\0" + zlib.compress(text.encode())
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", len(chunk) - 4) + chunk + struct.pack(">I", zlib.crc32(chunk))


def b64(text: str) -> str:
    return base64.b64encode((text + " " * 60).encode()).decode()


HIDING_PLACES = {
    "plain text": lambda s: s.encode(),
    "other indentation and quotes": lambda s: s.strip().replace(" = ", "=").replace("'", '"').encode(),
    "inside a longer line": lambda s: f"try {s.strip()} there".encode(),
    "wrapped at another width": lambda s: s.replace(" = ", " =\n        ").replace("both ", "both\n").encode(),
    "utf-16": lambda s: s.encode("utf-16"),
    "utf-16 without a mark": lambda s: s.encode("utf-16-le"),
    "latin-1": lambda s: f"caf\xe9\n{s}".encode("latin-1"),
    "base64 between words": lambda s: f"Figure\n{b64(s)}\nFigure".encode(),
    "code cell": lambda s: notebook_with(nbformat.v4.new_code_cell(f"x = 1\n{s}")),
    "text cell": lambda s: notebook_with(nbformat.v4.new_markdown_cell(f"See `{s}`.")),
    "output cell, printed": lambda s: notebook_with(code(outputs=[nbformat.v4.new_output("stream", text=f"a\n{s}\nb")])),
    "output cell, repr": lambda s: notebook_with(code(outputs=output(**{"text/plain": repr(f"a\n{s}\nb")}))),
    "output cell, html": lambda s: notebook_with(
        code(outputs=output(**{"text/html": "<b>" + "</b> <i>".join(map(html.escape, s.split(" "))) + "</i>"}))
    ),
    "traceback": lambda s: notebook_with(
        code(outputs=[nbformat.v4.new_output("error", ename="E", evalue="", traceback=[f"---> 3 {COLOUR.join(s.split(' '))}"])])
    ),
    "metadata": lambda s: notebook_with(code(metadata={"notes": {"deep": [1, {"er": s}]}})),
    "attachment": lambda s: notebook_with(
        nbformat.v4.new_markdown_cell("![](attachment:a.txt)", attachments={"a.txt": {"text/plain": b64(f"a\n{s}\n")}})
    ),
    "attached picture": lambda s: notebook_with(
        code(outputs=output(**{"image/png": base64.b64encode(png_with(s + " " * 60)).decode()}))
    ),
    "wheel": archive,
    "wheel inside base64 inside json": lambda s: json.dumps({"wheel": base64.b64encode(archive(s * 3)).decode()}).encode(),
    "tar.gz": tar_gz,
    "gzip": lambda s: gzip.compress(s.encode()),
}


@pytest.mark.parametrize("secret", [SOLUTION, HIDDEN, WRITTEN], ids=["solution", "hidden test", "written answer"])
@pytest.mark.parametrize("place", HIDING_PLACES)
def test_the_gate_closes_on_each_hiding_place(place, secret):
    hide = HIDING_PLACES[place]
    found = GATE.search("lectures/x.ipynb", hide(secret))
    assert any(leak.what.startswith(("a line of a solution", "a line of a hidden test")) for leak in found)
    assert Gate([]).search("lectures/x.ipynb", hide(secret)) == [], "without its secrets the gate finds nothing: they did it"
    assert GATE.search("lectures/x.ipynb", hide("    harmless = logits - logits.mean(axis=-1)")) == []


@pytest.mark.parametrize(
    "marker", ["# BEGIN SOLUTION", "# BEGIN SOLUTON", "x = 1  # SOLUTION", "# HIDDEN", "# END TESTS", '""" # BEGIN TEST CONFIG']
)
def test_a_marker_typed_right_or_wrong_is_a_leak(marker):
    assert any("marker" in leak.what for leak in GATE.search("a.py", f"x = 0\n{marker}\ny = 1\n".encode()))
    cell = notebook_with(nbformat.v4.new_code_cell(f"x = 0\n{marker}\ny = 1"))
    assert any("marker" in leak.what for leak in GATE.search("a.ipynb", cell))


@pytest.mark.parametrize(
    "text", ["## Solution\n", "# Solution of the exercise\n", "# the hidden layer\n", "a = 1  # begin here\n", "# Tests\n"]
)
def test_ordinary_headings_and_comments_pass(text):
    assert GATE.search("a.md", text.encode()) == []


def test_a_file_of_a_private_folder_is_a_leak_wherever_it_goes():
    gate = Gate([], {b"wrong answer number one, in full": "tests/homework/hw1/wrong_1.py"})
    assert gate.search("lectures/innocent.txt", b"wrong answer number one, in full")
    assert gate.search("solutions/hw1/x.txt", b"anything")
    assert gate.search("extras/autograder/x.txt", b"anything")
    assert gate.search("lectures/03.ipynb", b"anything") == []


def test_what_cannot_be_searched_is_not_published():
    broken = archive("x" * 100)[:-40]
    assert "could not be searched" in str(GATE.search("a.zip", broken)[0])
    nested = b"PK\x03\x04"
    for _ in range(leaks.MAX_DEPTH + 2):
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as packed:
            packed.writestr("inner.zip", nested)
        nested = buffer.getvalue()
    assert "too deep" in str(GATE.search("a.zip", nested))


def test_data_that_was_looked_at_is_known_by_its_digest(settings):
    """One changed byte, or a line of a solution put behind it, and it is searched."""
    for digest, name in leaks.LOOKED_AT.items():
        known = (settings.root / name).read_bytes()
        assert hashlib.sha256(known).hexdigest() == digest, f"{name} has changed: look at it, and write its digest down"
        assert list(leaks.views(known)) == []
        assert GATE.search("a.npz", known + SOLUTION.encode()) and GATE.search(
            "a.whl", archive_of({"a.npz": known, "b": SOLUTION})
        )


def test_the_public_sources_of_this_course_pass(settings):
    gate = Gate.of_course(settings.root)
    gate.secrets += SECRETS
    public = [*settings.lectures.glob("*.ipynb"), *(settings.root / "dlcourse").rglob("*.py"), settings.root / "LICENSE"]
    assert [leak for path in public for leak in gate.search(path.name, path.read_bytes())] == []


# Publishing


def commit(folder, message="x"):
    subprocess.run(["git", "-C", folder, "add", "-A"], check=True)
    subprocess.run(["git", "-C", folder, "commit", "-qm", message], check=True)


def commit_if_changed(folder):
    if subprocess.run(["git", "-C", folder, "status", "--porcelain"], capture_output=True, check=True).stdout:
        commit(folder)


@pytest.fixture
def built(course):
    build.build(course)
    (course.root / ".gitignore").write_text("build/\n__pycache__/\n")
    commit(course.root)
    return course


def tree(folder):
    return {
        p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file() and ".git" not in p.parts
    }


def test_publish_into_an_empty_folder_then_again_then_after_a_change(built, tmp_path):
    dest = tmp_path / "public course"
    assert "Published" in publish.publish(built, dest)
    files = tree(dest)
    wheel = f"dist/{built.wheel_name}"
    release = "homework/hw0_sample/hw0_sample.ipynb"
    assert set(files) == {"README.md", "LICENSE", "lectures/01_sample.ipynb", release, wheel, publish.RECORD}
    assert b"rows sum to one" in files[release] and built.wheel_url.encode() in files[release]
    assert built.wheel_url.encode() in files["README.md"] and built.wheel_url.encode() in files["lectures/01_sample.ipynb"]
    with zipfile.ZipFile(io.BytesIO(files[wheel])) as packed:
        assert "dlcourse/__init__.py" in packed.namelist()
        notice = packed.read("dlcourse/datasets/NOTICE.txt").decode()
        assert hashlib.sha256(packed.read("dlcourse/datasets/mnist10k.npz")).hexdigest() in leaks.LOOKED_AT
    for words in (notice, files["README.md"].decode()):
        assert "CC BY-SA 3.0" in words or "Attribution-ShareAlike 3.0" in words
        assert all(name in words for name in ("LeCun", "Cortes", "Burges"))

    assert "nothing to publish" in publish.publish(built, dest)
    assert tree(dest) == files

    (dest / "ANNOUNCEMENTS.md").write_text("Week 1 starts on Monday.")
    commit(dest)
    source = built.lectures / "src" / "01_sample.py"
    source.rename(source.with_name("02_sample.py"))
    build.build(built)
    commit(built.root)
    publish.publish(built, dest)
    assert "lectures/02_sample.ipynb" in tree(dest) and "lectures/01_sample.ipynb" not in tree(dest)
    assert (dest / "ANNOUNCEMENTS.md").exists(), "what publishing did not make is not touched"
    log = subprocess.run(["git", "-C", dest, "log", "--format=%s"], capture_output=True, text=True).stdout
    assert log.count("Publish the course") == 2


def plant_in_lecture(course, dest):
    path = course.lectures / "src" / "01_sample.py"
    path.write_text(path.read_text() + "\n# %%\n" + SOLUTION.strip() + "\n")
    build.build(course)


def plant_in_homework(course, dest):
    (course.root / "homework" / "hw0").mkdir(parents=True)
    (course.root / "homework" / "hw0" / "hw0.ipynb").write_bytes(HIDING_PLACES["output cell, repr"](HIDDEN))


def plant_in_attachment(course, dest):
    (course.root / "homework" / "hw0").mkdir(parents=True)
    (course.root / "homework" / "hw0" / "hw0.ipynb").write_bytes(HIDING_PLACES["attachment"](HIDDEN))


def plant_in_metadata(course, dest):
    (course.root / "homework" / "hw0").mkdir(parents=True)
    (course.root / "homework" / "hw0" / "hw0.ipynb").write_bytes(HIDING_PLACES["metadata"](WRITTEN))


def plant_a_marker(course, dest):
    (course.root / "homework" / "hw0").mkdir(parents=True)
    (course.root / "homework" / "hw0" / "hw0.ipynb").write_bytes(
        notebook_with(nbformat.v4.new_code_cell("# BEGIN SOLUTON\nx = 1"))
    )


def plant_in_wheel(course, dest):
    (course.root / "dlcourse" / "src" / "dlcourse" / "answers.py").write_text(f"def f(logits):\n{SOLUTION}\n")


def plant_the_master(course, dest):
    (course.root / "homework").mkdir(exist_ok=True)
    (course.root / "homework" / "data.txt").write_bytes(
        (course.root / "solutions" / "hw0_sample" / "hw0_sample.py").read_bytes()
    )


def plant_a_file_that_cannot_be_read(course, dest):
    (course.root / "homework").mkdir(exist_ok=True)
    (course.root / "homework" / "slides.pdf").write_bytes(b"%PDF-1.7 " + zlib.compress(SOLUTION.encode()))


def plant_an_older_answer(course, dest):
    """The master changes, and the release still holds what it said before."""
    path = course.root / "solutions" / "hw0_sample" / "hw0_sample.py"
    path.write_text(path.read_text().replace("shifted_for_safety", "centred"))
    (course.root / "homework").mkdir(exist_ok=True)
    (course.root / "homework" / "data.txt").write_text(SOLUTION)


def plant_the_hidden_tests(course, dest):
    shutil.copy(course.build / "homework" / "hw0" / "tests" / "q1.py", course.root / "homework" / "hw0_sample" / "q1.py")


def plant_the_autograder(course, dest):
    shutil.copy(course.build / "homework" / "hw0" / "autograder.zip", course.root / "homework" / "hw0_sample")


def plant_the_master_notebook(course, dest):
    shutil.copy(course.build / "masters" / "hw0_sample.ipynb", course.root / "homework" / "hw0_sample" / "notes.json")


def plant_in_history(course, dest):
    subprocess.run(["git", "init", "-q", "-b", "main", dest], check=True)
    (dest / "oops.txt").write_text(HIDDEN)
    commit(dest)
    (dest / "oops.txt").unlink()
    (dest / "fine.txt").write_text("fine")
    commit(dest, "taken back")


def plant_on_another_branch(course, dest):
    subprocess.run(["git", "init", "-q", "-b", "main", dest], check=True)
    (dest / "fine.txt").write_text("fine")
    commit(dest)
    subprocess.run(["git", "-C", dest, "checkout", "-q", "-b", "draft"], check=True)
    (dest / "oops.txt").write_text(SOLUTION)
    commit(dest)
    subprocess.run(["git", "-C", dest, "checkout", "-q", "main"], check=True)


def plant_in_a_commit_message(course, dest):
    subprocess.run(["git", "init", "-q", "-b", "main", dest], check=True)
    (dest / "fine.txt").write_text("fine")
    commit(dest, f"forgot this one: {HIDDEN.strip()}")


PLANTS = [value for name, value in list(globals().items()) if name.startswith("plant_")]


@pytest.mark.parametrize("plant", PLANTS, ids=lambda plant: plant.__name__)
def test_a_planted_leak_closes_the_gate_and_leaves_dest_alone(plant, built, tmp_path):
    dest = tmp_path / "public"
    plant(built, dest)
    commit_if_changed(built.root)
    before = tree(dest) if dest.exists() else None
    with pytest.raises(publish.PublishError, match="The leak gate is closed"):
        publish.publish(built, dest)
    assert (tree(dest) if dest.exists() else None) == before
    assert len(PLANTS) == 15


@pytest.mark.parametrize("plant", PLANTS, ids=lambda plant: plant.__name__)
def test_with_the_gate_open_the_same_leak_is_published(plant, built, tmp_path, monkeypatch):
    """Each plant really gets through where nothing looks for it: the gate is what stops it."""
    monkeypatch.setattr(Gate, "search", lambda self, name, data, readable_only=False: [])
    dest = tmp_path / "public"
    plant(built, dest)
    commit_if_changed(built.root)
    assert "Published" in publish.publish(built, dest)


@pytest.mark.parametrize("line", [SOLUTION, HIDDEN, WRITTEN], ids=["solution", "hidden test", "written answer"])
def test_a_build_that_lets_an_answer_through_is_not_published(line, course, tmp_path, monkeypatch):
    """The release is then what the build makes of its source, so only the gate stands in the way."""
    honest = homework.release_cells
    monkeypatch.setattr(
        homework, "release_cells", lambda *args: [*honest(*args), text.Cell("markdown", f"A stray line: {line.strip()}", 0)]
    )
    build.build(course)
    (course.root / ".gitignore").write_text("build/\n")
    commit(course.root)
    with pytest.raises(publish.PublishError, match=r"(?s)The leak gate is closed.*homework/hw0_sample/hw0_sample\.ipynb"):
        publish.publish(course, tmp_path / "public")


def test_a_release_edited_by_hand_is_not_published(built, tmp_path):
    path = built.root / "homework" / "hw0_sample" / "hw0_sample.ipynb"
    nb = nbformat.read(path, as_version=4)
    nb.cells[-2].source += f"\n{SOLUTION}"
    path.write_text(nbformat.writes(nb))
    commit(built.root)
    with pytest.raises(publish.PublishError, match="differ from their sources"):
        publish.publish(built, tmp_path / "public")


def test_a_hidden_tests_topic_and_hint_are_public():
    lines = {secret.line for secret in SECRETS}
    assert not any("large logits" in line or "exp give" in line or "points:" in line for line in lines)


def test_publishing_refuses_what_it_could_harm(built, tmp_path):
    dest = tmp_path / "files"
    dest.mkdir()
    (dest / "thesis.txt").write_text("precious")
    with pytest.raises(publish.PublishError, match="is no git repository"):
        publish.publish(built, dest)
    subprocess.run(["git", "init", "-q", dest], check=True)
    with pytest.raises(publish.PublishError, match="uncommitted changes"):
        publish.publish(built, dest)
    assert (dest / "thesis.txt").read_text() == "precious"
    with pytest.raises(publish.PublishError, match="lie inside one another"):
        publish.publish(built, built.root / "public")
    (tmp_path / "file").write_text("x")
    with pytest.raises(publish.PublishError, match="is not a folder"):
        publish.publish(built, tmp_path / "file")


def test_publishing_leaves_nothing_behind_when_git_refuses(built, tmp_path):
    dest = tmp_path / "public"
    subprocess.run(["git", "init", "-q", "-b", "main", dest], check=True)
    (dest / "fine.txt").write_text("fine")
    commit(dest)
    hook = dest / ".git" / "hooks" / "pre-commit"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\nexit 1\n")
    hook.chmod(0o755)
    with pytest.raises(publish.PublishError, match="commit"):
        publish.publish(built, dest)
    assert set(tree(dest)) == {"fine.txt"}
    hook.unlink()
    assert "Published" in publish.publish(built, dest)


def test_a_gitignore_there_does_not_drop_the_wheel(built, tmp_path):
    dest = tmp_path / "public"
    subprocess.run(["git", "init", "-q", "-b", "main", dest], check=True)
    (dest / ".gitignore").write_text("dist/\n")
    commit(dest)
    publish.publish(built, dest)
    listed = subprocess.run(["git", "-C", dest, "ls-files"], capture_output=True, text=True).stdout
    assert f"dist/{built.wheel_name}" in listed


def make_public(dest, **files):
    subprocess.run(["git", "init", "-q", "-b", "main", dest], check=True)
    for name, content in files.items():
        (dest / name).write_text(content)
    commit(dest)


def test_what_others_wrote_there_is_not_overwritten(built, tmp_path):
    dest = tmp_path / "thesis"
    make_public(dest, **{"README.md": "my thesis"})
    with pytest.raises(publish.PublishError, match=r"that publishing did not make: README\.md"):
        publish.publish(built, dest)
    dest = tmp_path / "public"
    publish.publish(built, dest)
    (dest / "README.md").write_text((dest / "README.md").read_text() + "Office hours: Tuesday.")
    commit(dest)
    with pytest.raises(publish.PublishError, match=r"were edited in .*: README\.md"):
        publish.publish(built, dest)
    assert "Office hours" in (dest / "README.md").read_text()


def test_only_a_complete_clone_on_the_public_branch_will_do(built, tmp_path):
    dest = tmp_path / "public"
    make_public(dest, **{"a.txt": "a"})
    (dest / "a.txt").write_text("b")
    commit(dest)
    shallow = tmp_path / "shallow"
    subprocess.run(["git", "clone", "-q", "--depth", "1", dest.as_uri(), shallow], check=True)
    with pytest.raises(publish.PublishError, match="shallow"):
        publish.publish(built, shallow)
    subprocess.run(["git", "-C", dest, "checkout", "-q", "-b", "gh-pages"], check=True)
    with pytest.raises(publish.PublishError, match="is on gh-pages, and students see main"):
        publish.publish(built, dest)


def test_a_record_that_points_outside_is_refused(built, tmp_path):
    victim = tmp_path / "victim.txt"
    victim.write_text("precious")
    dest = tmp_path / "public"
    make_public(dest, **{publish.RECORD: "0  ../victim.txt\n"})
    with pytest.raises(publish.PublishError, match="outside the repository"):
        publish.publish(built, dest)
    assert victim.exists()


def test_only_committed_files_are_published(built, tmp_path):
    (built.root / "homework").mkdir(exist_ok=True)
    (built.root / "homework" / "grades.csv").write_text("Ada,3\n")
    with pytest.raises(publish.PublishError, match="not committed here"):
        publish.publish(built, tmp_path / "public")


def test_homework_without_a_master_is_not_published(course, tmp_path):
    """As after a sparse checkout: nothing is known of the answers, so nothing can be searched for."""
    (course.root / "solutions" / "hw0_sample" / "hw0_sample.py").unlink()
    (course.root / "homework").mkdir(exist_ok=True)
    (course.root / "homework" / "data.txt").write_text("1 2 3")
    build.build(course)
    commit(course.root)
    with pytest.raises(publish.PublishError, match="is solutions/ checked out"):
        publish.publish(course, tmp_path / "public")


def test_lines_listed_as_public_do_not_close_the_gate(built):
    listed = built.root / leaks.PUBLIC_LINES
    assert Gate.of_course(built.root).search("a.py", SOLUTION.encode())
    listed.write_text(SOLUTION + "\n")
    assert Gate.of_course(built.root).search("a.py", SOLUTION.encode()) == []


def test_short_lines_are_searched_together():
    lines = [leaks.master.Line(text, n, "solution") for n, text in enumerate(["q = w @ x", "r = q + b", "return r"])]
    gate = Gate(leaks.secrets_in(lines, "hw"))
    assert gate.search("a.py", b"def f(x):\n    q = w @ x\n    r = q + b\n    return r\n")
    assert gate.search("a.py", b"    return r\n") == []


def test_publishing_refuses_a_stale_notebook(built, tmp_path):
    path = built.lectures / "01_sample.ipynb"
    path.write_text(path.read_text().replace("A stone weighs", "A feather weighs"))
    with pytest.raises(publish.PublishError, match=r"differ from their sources: lectures/01_sample\.ipynb"):
        publish.publish(built, tmp_path / "public")


def test_the_command_asks_for_a_folder(capsys):
    assert main(["publish"]) == 2
    assert "DEST=" in capsys.readouterr().err
