"""The commands: they grade what is not graded, go on after every kind of stop, and say clearly what is wrong."""

import csv
import json
import os
import pty
import re
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path
from zipfile import ZipFile

import pytest

from autograder import batch, cli, containment, executor, intake
from autograder.containment import Layer
from autograder.results import STATUSES
from autograder.store import Store
from autograder.submission import Limits
from tests.fake_grader import RUN

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture
def work(tmp_path, monkeypatch):
    """A folder to work in: build/homework/hw1, and room for submissions."""
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT), str(ROOT / "dlcourse" / "src")]))
    monkeypatch.setenv("FAKE_LOG", str(tmp_path / "log"))
    monkeypatch.setenv("COLUMNS", "200")
    (tmp_path / "log").touch()
    folder = tmp_path / "build" / "homework" / "hw1"
    (folder / "tests").mkdir(parents=True)
    manifest(tmp_path, "v1")
    (tmp_path / "in").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def manifest(work, version):
    made = {"assignment": "hw1", "version": version, "points": 2.0, "questions": []}
    (work / "build" / "homework" / "hw1" / "manifest.json").write_text(json.dumps(made))


def submit(work, name, do="grade", **more):
    path = work / "in" / name
    path.write_text(json.dumps({"do": do, **more}))
    return path


def command(*words):
    return [sys.executable, "-c", RUN, *map(str, words)]


def run(*words):
    return subprocess.run(command(*words), capture_output=True, text=True, timeout=120)


def grade(*more, paths=("in",)):
    return run("grade", *paths, "--assignment", "hw1", *more)


def calls(work):
    return sorted(line.split()[0] for line in (work / "log").read_text().splitlines())


def stored(work):
    with closing(sqlite3.connect(work / "grades" / "grades.sqlite")) as store:
        return dict(store.execute("SELECT student, status FROM grades"))


def table(work):
    with (work / "grades" / "grades.csv").open(newline="") as file:
        return {row["student"]: row for row in csv.DictReader(file)}


def test_a_class_is_graded_once(work):
    for number in range(6):
        submit(work, f"s{number}.ipynb", points=number / 4)
    done = grade("--jobs", "2")
    assert done.returncode == 0, done.stderr
    assert "6 to grade, 0 graded before" in done.stdout
    assert "6 graded; mean 0.62 points" in done.stdout
    assert "names" in done.stdout, "it says where the ids come from"
    assert calls(work) == sorted(f"s{number}" for number in range(6))
    rows = table(work)
    assert {name: row["points"] for name, row in rows.items()} == {f"s{i}": f"{i / 4:g}" for i in range(6)}
    for name, row in rows.items():
        page = work / "grades" / row["page"]
        assert f"Submitted by {name}" in page.read_text()
        assert json.loads((page.parent / "results.json").read_text())["score"] == float(row["points"])
        assert name not in row["page"]
    again = grade()
    assert again.returncode == 0
    assert "0 to grade, 6 graded before" in again.stdout
    assert len(calls(work)) == 6
    assert table(work) == rows


def test_only_what_is_new_is_graded(work):
    submit(work, "ann.ipynb")
    grade()
    submit(work, "bob.ipynb")
    submit(work, "ann.ipynb", points=2.0)
    grade()
    assert calls(work) == ["ann", "ann", "bob"]
    assert table(work)["ann"]["attempt"] == "2"
    manifest(work, "v2")
    grade()
    assert calls(work) == ["ann", "ann", "ann", "bob", "bob"], "other tests, another grade"
    seeds = {tuple(line.split()) for line in (work / "log").read_text().splitlines()}
    assert len(seeds) == 3, "and the same seed for the same attempt"


def test_zip_files_and_folders_of_either(work):
    with ZipFile(work / "in" / "zoe.zip", "w") as made:
        made.writestr("x", "y")
    submit(work, "ann.ipynb")
    (work / "in" / "inner").mkdir()
    (work / "in" / "notes.txt").write_text("")
    (work / "in" / ".hidden.ipynb").write_text("")
    (work / "in" / "link.ipynb").symlink_to(work / "build" / "homework" / "hw1" / "manifest.json")
    found = intake.collect([work / "in", work / "in" / "ann.ipynb"])
    assert [(one.student, one.file_name) for one in found.received] == [("ann", "ann.ipynb"), ("zoe", "zoe.zip")]
    assert [line.removeprefix(f"{work}/in/") for line in found.left_out] == [
        "inner: a folder inside a folder; name it too if it holds submissions",
        "link.ipynb: a link",
        "notes.txt: no notebook and no zip file",
    ]


def test_two_files_of_a_student_are_two_attempts(work):
    submit(work, "ann.ipynb")
    (work / "more").mkdir()
    (work / "more" / "ann.ipynb").write_text('{"do": "grade", "points": 2.0}')
    (work / "more" / "bob.ipynb").write_text('{"do": "grade"}')
    done = grade(paths=("in", "more"))
    assert "1 with several files, each an attempt of its own: ann" in done.stderr
    assert calls(work) == ["ann", "ann", "bob"]
    shown = run("show", "ann")
    assert "attempt 1" in shown.stdout and "attempt 2" in shown.stdout


@pytest.mark.receipt("engine", "tests/fake_grader.py")
@pytest.mark.parametrize("status", STATUSES)
def test_the_exit_code_tells_whose_doing_it_is(work, status):
    submit(work, "ann.ipynb")
    if status == "quarantine":
        submit(work, "bob.ipynb", "kill")
    else:
        submit(work, "bob.ipynb", status=status)
    for _ in range(2):
        assert grade().returncode == (0 if STATUSES[status].by_student else 1)
    assert table(work)["bob"]["status"] == status
    tries = {"quarantine": 2, "refused": 2, "internal": 2}.get(status, 1)  # a quarantine is not tried by the second run
    assert calls(work).count("bob") == tries


@pytest.mark.receipt("engine", "tests/fake_grader.py")
def test_quarantine_is_graded_again_when_asked(work):
    submit(work, "bob.ipynb", "kill")
    assert grade().returncode == 1
    assert grade("--quarantined").returncode == 1
    assert calls(work).count("bob") == 2 * 2


def wait_for(condition):
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


@pytest.mark.receipt("engine", "tests/fake_grader.py")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_keeps_what_is_finished(work, number):
    for i in range(3):
        submit(work, f"a{i}.ipynb")
    submit(work, "slow.ipynb", "sleep", seconds=600)
    submit(work, "z.ipynb")
    process = subprocess.Popen(command("grade", "in", "--assignment", "hw1", "--jobs", "1"), stderr=subprocess.PIPE, text=True)
    wait_for(lambda: "slow" in calls(work))
    process.send_signal(number)
    said = process.communicate(timeout=20)[1]
    assert process.returncode == 130
    assert "2 are left: run the same command again" in said
    assert stored(work) == {f"a{i}": "graded" for i in range(3)}
    assert set(table(work)) == {"a0", "a1", "a2"}
    assert "Traceback" not in said
    goes_on(work, ["a0", "a1", "a2", "slow", "slow", "z"])


def goes_on(work, expected):
    """What took long is quick now, with the same bytes; the second run grades the rest, and nothing twice."""
    os.environ["FAKE_HURRY"] = "1"
    try:
        assert grade().returncode == 0
    finally:
        del os.environ["FAKE_HURRY"]
    assert calls(work) == expected
    assert set(stored(work)) == set(expected)


@pytest.mark.receipt("engine", "tests/fake_grader.py")
def test_kill_9_of_the_driver_loses_nothing(work):
    for i in range(3):
        submit(work, f"a{i}.ipynb")
    submit(work, "slow.ipynb", "sleep", seconds=600)
    submit(work, "z.ipynb")
    process = subprocess.Popen(command("grade", "in", "--assignment", "hw1", "--jobs", "1"))
    wait_for(lambda: "slow" in calls(work))
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    process.kill()
    process.wait()
    assert stored(work) == {f"a{i}": "graded" for i in range(3)}
    wait_for(lambda: not any(Path(f"/proc/{pid}").exists() for pid in children))
    goes_on(work, ["a0", "a1", "a2", "slow", "slow", "z"])


@pytest.mark.receipt("engine", "tests/fake_grader.py")
def test_kill_9_at_any_moment(work):
    names = [f"s{i:02}" for i in range(30)]
    for name in names:
        submit(work, f"{name}.ipynb", "sleep", seconds=0.05)
    for delay in (0.0, 0.02, 0.05, 0.09, 0.14):
        started = len(calls(work))
        process = subprocess.Popen(command("grade", "in", "--assignment", "hw1"), stdout=subprocess.DEVNULL)
        wait_for(lambda: len(calls(work)) > started + 1)  # noqa: B023 (it is called at once)
        time.sleep(delay)
        process.kill()
        process.wait()
    before = set(stored(work))
    assert before, "no run came so far that it could lose something"
    counted = {name: calls(work).count(name) for name in before}
    assert grade().returncode == 0
    assert set(stored(work)) == set(names)
    assert {name: calls(work).count(name) for name in before} == counted, "nothing that was stored is graded again"


@pytest.mark.receipt("engine", "tests/fake_grader.py")
def test_a_full_disk_stops_it_and_loses_nothing(work):
    for i in range(40):
        submit(work, f"s{i:02}.ipynb")
    Store(work / "grades" / "grades.sqlite").close()
    limited = f"import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (49152,) * 2)\n{RUN}"
    done = subprocess.run(
        [sys.executable, "-c", limited, "grade", "in", "--assignment", "hw1"], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 2
    assert "the disk is full" in done.stderr and "stored before is safe" in done.stderr
    before = set(stored(work))
    assert 0 < len(before) < 40
    assert grade().returncode == 0
    assert set(stored(work)) == {f"s{i:02}" for i in range(40)}
    assert all(calls(work).count(name) == 1 for name in before)


@pytest.mark.receipt("engine", "tests/fake_grader.py")
def test_two_runs_do_not_share_a_store(work):
    submit(work, "slow.ipynb", "sleep", seconds=600)
    process = subprocess.Popen(command("grade", "in", "--assignment", "hw1"))
    try:
        wait_for(lambda: calls(work))
        done = grade()
        assert done.returncode == 2 and "another `autograder grade`" in done.stderr
    finally:
        process.kill()
        process.wait()


def test_a_file_that_is_too_large_is_unreadable(work, monkeypatch):
    path = submit(work, "ann.ipynb")
    with path.open("r+") as file:
        file.truncate(intake.LARGEST + (1 << 20))
    assert grade().returncode == 0
    assert table(work)["ann"]["status"] == "unreadable"
    assert "The file has 65 MiB, and at most 64 are read." in (work / "grades" / table(work)["ann"]["page"]).read_text()
    assert calls(work) == []


def test_a_file_that_changes_on_the_way_has_no_score(work):
    path = submit(work, "ann.ipynb")
    [received] = intake.collect([path]).received
    path.write_text("{}")
    with pytest.raises(intake.IntakeError, match="changed while the grader ran"):
        received.read()
    with closing(Store(work / "store")) as store:
        assignment = batch.read_assignment(work / "build", "hw1")
        plan = batch.plan([received], assignment, store)
        with closing(executor.LocalPool(assignment.folder, 1, 60, None, "tests.fake_grader:grade")) as pool:
            [(submission, result)] = batch.grade_open(plan, assignment, store, pool)
        assert result.status == "internal" and "changed" in result.message_instructor
        assert store.get(submission, "v1") == result


@pytest.mark.parametrize(("words", "says"), [
    (["grade", "missing.ipynb", "--assignment", "hw1"], "missing.ipynb cannot be read: No such file"),
    (["grade", "log", "--assignment", "hw1"], "no notebook (.ipynb) and no zip file"),
    (["grade", "empty", "--assignment", "hw1"], "there is no notebook (.ipynb) and no zip file in what you named"),
    (["grade", "/dev/null", "--assignment", "hw1"], "no file and no folder"),
    (["grade", "in", "--assignment", "hw9"], "no assignment 'hw9' in build/homework, but broken, hw1: run `make build`"),
    (["grade", "in", "--assignment", "../hw1"], "no assignment '../hw1'"),
    (["grade", "in", "--assignment", "broken"], "run `make build` again"),
    (["grade", "in", "--assignment", "hw1", "--store", "log2"], "no store"),
    (["grade", "in", "--assignment", "hw1", "--out", "log/x"], "cannot be written"),
    (["grade", "in", "--assignment", "hw1", "--jobs", "0"], "--jobs"),
    (["grade", "in"], "--assignment"),
    (["show", "ann"], "no store at grades/grades.sqlite"),
    (["show", "nobody", "--store", "there"], "no submission of 'nobody'"),
    (["show", "ann", "--store", "log2"], "no store"),
])  # fmt: skip
def test_bad_input_is_named_with_what_to_do(work, words, says):
    submit(work, "ann.ipynb")
    (work / "empty").mkdir()
    (work / "log2").write_text("this is text, and no database of any kind\n" * 99)
    Store(work / "there").close()
    broken = work / "build" / "homework" / "broken"
    broken.mkdir()
    (broken / "manifest.json").write_text('{"assignment": ')
    done = run(*words)
    assert done.returncode == 2
    assert says in " ".join(done.stderr.replace("│", " ").split())
    assert "Traceback" not in done.stderr


def test_show_explains_a_grade(work):
    submit(work, "ann.ipynb", points=0.5)
    grade()
    shown = run("show", "ann").stdout
    for words in ("hw1, ann, attempt 1", "graded: 0.5 of 2 points, tests v1", "q1 Sums: 0.5 of 2", "sums", "public", "failed",
                  "python 3", "s CPU", "MiB", "seed"):  # fmt: skip
        assert words in shown, words
    token = re.search(r"id ([0-9a-f]{8})", shown)[1]
    assert run("show", token).stdout == shown


HOSTILE = "\x1b[2J\x1b]0;owned\x07[bold red]=1+1[bold][link=x]"


def test_hostile_file_names_reach_the_terminal_as_text(work):
    name = f"{HOSTILE}\u202e\n<b>"
    submit(work, f"{name}.ipynb", "raise")
    (work / "in" / os.fsdecode(b"\xff.ipynb")).write_text('{"do": "grade"}')
    submit(work, f"{HOSTILE}.txt")
    done = grade()
    shown = run("show", name)
    assert shown.returncode == 0
    for said in (done.stdout, done.stderr, shown.stdout, run("show", f"{name}?").stderr):
        assert "\x1b" not in said and "\x07" not in said and "\u202e" not in said
    flat = done.stdout.replace("\n", "")
    assert r"\x1b[2J\x1b]0;owned\x07[bold red]=1+1[bold][link=x]" in flat, "markup is shown, not obeyed"
    assert r"\xff" in flat


def test_markup_and_escapes_in_a_terminal(work):
    """On a terminal rich writes colours, so only what a name could bring in is looked for."""
    submit(work, f"{HOSTILE}.ipynb", "sleep", seconds=0.5)
    master, slave = pty.openpty()
    process = subprocess.Popen(command("grade", "in", "--assignment", "hw1"), stdout=slave, stderr=slave, stdin=slave)
    os.close(slave)
    said = b""
    while True:
        try:
            said += os.read(master, 65536)
        except OSError:  # EIO: the other end is closed
            break
    os.close(master)
    assert process.wait() == 0
    assert b"\x1b[2J" not in said and b"owned\x07" not in said and b"\x1b]8;" not in said
    assert b"[bold red]=1+1[bold]" in re.sub(rb"\x1b\[[0-9;?]*[a-zA-Z]", b"", said)
    assert b"1/1" in said and b"/min" in said and b"left" in said


def test_a_machine_without_a_layer_grades_nothing(work, monkeypatch, capsys):
    submit(work, "ann.ipynb")
    layers = [Layer("landlock", False, "Linux 5.13 or newer is needed."), Layer("seccomp", True, "")]
    monkeypatch.setattr(containment, "layers", lambda: layers)
    for words in (["grade", "in", "--assignment", "hw1"], ["check-machine"]):
        with pytest.raises(SystemExit) as end:
            cli.app(words)
        said = "".join(capsys.readouterr())
        assert end.value.code == 1
        assert "landlock" in said and "Linux 5.13 or newer is needed." in said
    assert not (work / "grades").exists()


def test_check_machine_lists_every_layer():
    done = run("check-machine")
    there = containment.layers()
    assert done.returncode == (0 if all(layer.present for layer in there) else 1)
    assert all(layer.name in done.stdout for layer in there) and there


def test_what_student_code_could_read_is_not_graded(work, monkeypatch):
    monkeypatch.setattr(containment, "readable", lambda: [str(work / "grades")])
    assignment = batch.read_assignment(work / "build", "hw1")
    submit(work, "ann.ipynb")
    found = intake.collect([work / "in"])
    cli._require_private(assignment, work / "elsewhere.sqlite", found)
    with pytest.raises(intake.IntakeError, match="move"):
        cli._require_private(assignment, work / "grades" / "grades.sqlite", found)


def test_the_pool_waits_longer_than_any_deadline():
    assert 2 * Limits().submission_s <= cli.PATIENCE


def test_the_command_is_installed_and_says_where_it_runs(monkeypatch):
    from autograder import __main__

    monkeypatch.setattr(sys, "platform", "darwin")
    with pytest.raises(SystemExit, match="needs Linux"):
        __main__.main()
