"""What student code can reach: nothing but the interpreter, its packages, and a folder of its own."""

import errno
import importlib.machinery
import json
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path

import pytest

from autograder import containment, landlock, submission, syscalls, wheels, wire, zygote
from tests.engine import QUICK, Work, notebook

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture
def work(tmp_path):
    return Work(tmp_path)


ALIVE = "def test_x(x):\n    from dlcourse import check\n    check.close(x, 7)"
HEAD = "import ctypes, os, socket, subprocess, sys, signal\nlibc = ctypes.CDLL(None, use_errno=True)\n"
HEAD += (
    "def call(number, *args):\n    if libc.syscall(number, *args) < 0:\n        raise OSError(ctypes.get_errno(), 'refused')\n"
)
# For each layer, what works only without it. {private} is a file that the grader could read, {outside} a folder.
ESCAPES = {
    "read a file": ("landlock", "open({private!r}).read()"),
    "list a folder": ("landlock", "os.listdir({outside!r})"),
    "read its own maps": ("landlock", "open('/proc/self/maps').read()"),
    "read the parent's environment": ("landlock", "open(f'/proc/{{os.getppid()}}/environ', 'rb').read()"),
    "read the parent's memory": ("landlock", "open(f'/proc/{{os.getppid()}}/mem', 'rb').read(0)"),
    "write a file": ("landlock", "open({outside!r} + '/new', 'w').write('a')"),
    "write into a package": ("landlock", "open(os.__file__, 'a')"),
    "shared memory": ("landlock", "open('/dev/shm/left-by-student', 'w')"),
    "a socket of the network": ("seccomp", "socket.socket()"),
    "a socket of this machine": ("seccomp", "socket.socket(socket.AF_UNIX)"),
    "a raw netlink socket": ("seccomp", "socket.socket(socket.AF_NETLINK, socket.SOCK_RAW)"),
    "a pair of sockets": ("seccomp", "socket.socketpair()"),
    "fork": ("seccomp", "os.fork() or os._exit(0)"),
    "vfork and exec": ("seccomp", "subprocess.run(['/bin/true'])"),
    "memfd": ("seccomp", "os.memfd_create('a')"),
    "ptrace": ("seccomp", "libc.ptrace(0, 0, 0, 0) == 0 or 1/0"),
    "chmod": ("seccomp", "open('mine', 'w').close(); os.chmod('mine', 0o777)"),
    "a symbolic link": ("seccomp", "os.symlink('/etc/passwd', 'link')"),
    "a hard link": ("seccomp", "open('mine', 'w').close(); os.link('mine', 'link')"),
    "a file without a name": ("seccomp", "os.open('.', os.O_TMPFILE | os.O_RDWR)"),
    "another name for a file": ("seccomp", "open('mine', 'w').close(); os.rename('mine', 'other')"),
    "a signal to the parent": ("seccomp", "os.kill(os.getppid(), 0)"),
    "userfaultfd or a key": ("seccomp", "call(250, 0, -3, 1)"),
    "a pidfd": ("seccomp", "os.pidfd_open(os.getppid())"),
    "another signal at the parent's death": ("seccomp", "libc.prctl(1, 0, 0, 0, 0) == 0 or 1/0"),
    "more memory": ("limits", "__import__('numpy').empty(5 << 29, 'u1')"),
    "a large file": ("limits", "open('large', 'wb').truncate(100 << 20)"),
    "many open files": ("limits", "kept = [open('/dev/null') for _ in range(200)]"),
    "a privilege": ("capabilities", "'CapEff:\\t0000000000000000' in open('/proc/self/status').read() and 1/0"),
}


# What stops an escape as well: another process may be looked at with its capabilities only, Landlock knows links and exec too.
BEHIND = {
    "read the parent's environment": ["capabilities"],
    "read the parent's memory": ["capabilities"],
    "a signal to the parent": ["landlock"],
    "a symbolic link": ["landlock"],
    "another name for a file": ["landlock"],
    "vfork and exec": ["landlock"],
}


def without(monkeypatch, *names):
    """Switch layers off, for trusted sides that are forked from this process."""
    monkeypatch.setattr(containment, "LAYERS", {name: put for name, put in ALL.items() if name not in names})


ALL = dict(containment.LAYERS)


@pytest.mark.parametrize("escape", ESCAPES)
def test_an_escape_fails_and_works_without_its_layer(work, tmp_path, escape, monkeypatch):
    layer, code = ESCAPES[escape]
    if layer == "capabilities" and os.geteuid() != 0:
        pytest.skip("an ordinary user has none to drop")
    work.ask(ALIVE)
    (tmp_path / "private").write_text("secret")
    code = HEAD + code.format(private=str(tmp_path / "private"), outside=str(tmp_path)) + "\nx = 7"
    if layer != "capabilities":  # to see them, /proc must be readable
        assert work.answer(code).points == 0
    if layer == "capabilities":
        without(monkeypatch, "landlock")
        assert work.answer(code, here=True).points == 0
    without(monkeypatch, layer, *BEHIND.get(escape, []), *(["landlock"] if layer == "capabilities" else []))
    result = work.answer(code, here=True)
    assert result.points == 1, result.note
    Path("/dev/shm/left-by-student").unlink(missing_ok=True)


FONTS = """
    from dlcourse import data
    fonts = []
    for font in data.TRAIN_FONTS + data.HELD_OUT_FONTS:
        try:
            data.glyphs(1, fonts=(font,), seed=0)
            fonts.append(font)
        except OSError:
            pass
    import matplotlib.pyplot as plt
    plt.title(r"$\\frac{\\alpha}{x^2}$ \\textit{x}")
    plt.savefig("plot.png")
"""


def test_fonts_of_the_exam_are_for_tests_alone(work, monkeypatch):
    """Whoever trained on them would pass; a test that watches its own process cannot see it."""
    work.ask(
        "def test_fonts(fonts):\n    from dlcourse import data\n    if tuple(fonts) != data.TRAIN_FONTS:\n        raise ValueError"
    )
    result = work.answer(FONTS)
    assert result.points == 1, result.detail
    monkeypatch.setattr(containment, "held_out", frozenset)
    assert work.answer(FONTS, here=True).points == 0


def test_every_layer_is_there():
    found = containment.layers()
    assert [layer.name for layer in found] == list(containment.LAYERS)
    assert all(layer.present for layer in found), found


ROOT = Path(__file__).resolve().parent.parent
PRIVATE = ("tests", "solutions", "homework", "build", "autograder", "coursebuild", "dlcourse", "grades", ".git")


@pytest.mark.slow
def test_the_graders_own_environment_reaches_no_python_that_is_started(tmp_path, monkeypatch):
    (tmp_path / "sitecustomize.py").write_text(f"open({str(tmp_path / 'seen')!r}, 'a').close()\n")
    for name in ("PYTHONPATH", "PYTHONSTARTUP", "LD_PRELOAD", "LD_LIBRARY_PATH"):
        monkeypatch.setenv(name, str(tmp_path))
    subprocess.run([sys.executable, "-P", "-c", ""], check=True, capture_output=True)
    assert (tmp_path / "seen").exists()
    (tmp_path / "seen").unlink()
    assert all(layer.present for layer in containment.layers())
    warm = zygote.Zygote()
    try:
        assert str(tmp_path) not in Path(f"/proc/{warm._process.pid}/environ").read_text()
    finally:
        warm.close()
    assert not (tmp_path / "seen").exists()


def test_all_that_is_readable_is_installed(work):
    """As the warm process sees it, from whose import path the checkout's dlcourse is gone."""
    script = "import json; from autograder import containment as c; print(json.dumps([c.readable(), c.listable()]))"
    command = [sys.executable, "-P", "-c", script]
    done = subprocess.run(command, env=zygote.environment(), capture_output=True, text=True, check=True)
    whole, listed = json.loads(done.stdout)
    libraries = {os.path.realpath(sysconfig.get_path(name)) for name in ("stdlib", "purelib", "platlib")}
    libraries |= {os.path.realpath(f"{sys.base_prefix}/lib"), *containment.SHARED}
    site = wheels.site()
    libraries |= {str(site / "dlcourse")} if site else set()
    assert all(path in libraries or any(path.startswith(f"{folder}/") for folder in listed) for path in whole)
    assert all(any(f"{path}/".startswith(f"{folder}/") for folder in libraries) for path in listed)
    private = [*(ROOT / name for name in PRIVATE), work.folder]
    for path in private:
        assert not any(path == Path(one) or Path(one) in path.parents or path in Path(one).parents for one in whole), path
    assert containment.exposed(*(path for path in private if path.name != "dlcourse")) == []


OPENED = """
import dlcourse.check
def opens(path):
    try:
        return bool(open(path).read(1))
    except OSError:
        return False
raise ValueError([opens(path) for path in {paths}] + [opens(dlcourse.check.__file__), dlcourse.check.__file__ in {paths}])
"""


def test_the_grader_and_the_checkout_cannot_be_opened(work):
    work.ask(ALIVE)
    paths = [containment.__file__, wire.__file__, str(ROOT / "dlcourse" / "src" / "dlcourse" / "check.py"), __file__]
    assert "[False, False, False, False, True, False]" in work.answer(OPENED.format(paths=paths)).detail


def test_the_wheel_is_built_once_for_the_same_sources(tmp_path, monkeypatch):
    project = tmp_path / "project"
    shutil.copytree(ROOT / "dlcourse", project, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(wheels, "CACHE", tmp_path / "cache")
    found = importlib.machinery.ModuleSpec("dlcourse", None, is_package=True)
    found.submodule_search_locations = [str(project / "src" / "dlcourse")]
    monkeypatch.setattr(wheels, "find_spec", lambda name: found)
    first = wheels.site()
    built = (first / "dlcourse" / "check.py").stat().st_mtime_ns, first.stat().st_ino
    assert wheels.site() == first and ((first / "dlcourse" / "check.py").stat().st_mtime_ns, first.stat().st_ino) == built
    (project / "src" / "dlcourse" / "check.py").write_text("changed = True\n")
    second = wheels.site()
    assert second != first and (second / "dlcourse" / "check.py").read_text() == "changed = True\n"
    assert sorted(path.name for path in (tmp_path / "cache").iterdir()) == sorted([first.name, second.name])


def test_a_package_is_left_out_of_the_folder_that_it_is_installed_in(tmp_path):
    for name in ("grader", "numbers"):
        (tmp_path / "site" / name).mkdir(parents=True)
        (tmp_path / "site" / name / "a.py").write_text("text")
    (tmp_path / "site" / "link").symlink_to(tmp_path)
    whole, listed = [], []
    containment.around(tmp_path / "site", {tmp_path / "site" / "grader"}, whole, listed)
    assert (whole, listed) == ([str(tmp_path / "site" / "numbers")], [str(tmp_path / "site")])
    child = os.fork()
    if child == 0:
        code = 1
        try:
            containment._no_new_privs(containment.Bounds(""))
            landlock.restrict(whole, [], listed)
            (tmp_path / "site" / "numbers" / "a.py").read_text()
            assert len(os.listdir(tmp_path / "site")) == 3  # noqa: PTH208
            with pytest.raises(PermissionError):
                (tmp_path / "site" / "grader" / "a.py").read_text()
            with pytest.raises(PermissionError):
                os.listdir(tmp_path)  # noqa: PTH208
            code = 0
        finally:
            os._exit(code)
    assert os.waitpid(child, 0)[1] == 0


def test_an_assignment_in_a_readable_folder_is_refused(work, monkeypatch):
    work.ask(ALIVE)
    monkeypatch.setattr(containment, "readable", lambda: [str(work.folder.parent)])
    result = work.grade("x = 7", 'grader.check("q1")')
    assert (result.status, result.points) == ("refused", None)


@pytest.mark.parametrize("layer", containment.LAYERS)
def test_a_missing_layer_means_refused(work, layer, monkeypatch):
    def fails(bounds):
        raise OSError(errno.ENOSYS, "not here")

    work.ask(ALIVE)
    monkeypatch.setattr(containment, "LAYERS", ALL | {layer: fails})
    result = work.grade("x = 7", 'grader.check("q1")', here=True)
    assert (result.status, result.points) == ("refused", None) and layer in result.message_instructor.lower()


SCRIPT = """
import ctypes, errno, json, os, sys
from pathlib import Path
from autograder import containment, submission, syscalls
from tests.engine import QUICK
folder, user, numbers, error = Path(sys.argv[1]), int(sys.argv[2]), json.loads(sys.argv[3]), int(sys.argv[4])
if user:
    os.setgroups([]); os.setgid(user); os.setuid(user)
if numbers:
    ctypes.CDLL(None).prctl(38, 1, 0, 0, 0)
    syscalls.install(syscalls.denied(numbers, error))
result = submission.grade((folder / "notebook").read_bytes(), folder, student="a", attempt=1, limits=QUICK, seed=1)
print(result.status, result.points, result.message_instructor)
submission.close()
"""
# unshare, mount, umount2, pivot_root, setns, clone3, fsopen, move_mount, ptrace, keyctl, bpf: what containers forbid
CONTAINER = [272, 165, 166, 155, 308, 435, 430, 429, 101, 250, 321]
LANDLOCK = [444, 445, 446]


def graded_elsewhere(work, user=0, numbers=(), error=errno.EPERM, python=sys.executable):
    work.ask(ALIVE)
    (work.folder / "notebook").write_bytes(notebook("x = 7", 'grader.check("q1")'))
    for path in (work.folder, *work.folder.rglob("*"), *work.folder.parents):
        if "pytest" in str(path):
            path.chmod(0o755)
    command = [python, "-c", SCRIPT, str(work.folder), str(user), json.dumps(list(numbers)), str(error)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)} if python == sys.executable else {}
    done = subprocess.run(command, capture_output=True, text=True, cwd="/" if user else None, env=environment)
    return done.stdout + done.stderr


@pytest.mark.slow
@pytest.mark.skipif(os.uname().machine != "x86_64", reason="numbers of system calls")
def test_it_works_under_a_containers_filter(work):
    assert graded_elsewhere(work, numbers=CONTAINER).startswith("graded 1")


@pytest.mark.slow
@pytest.mark.skipif(os.uname().machine != "x86_64", reason="numbers of system calls")
def test_it_refuses_where_landlock_is_forbidden(work):
    assert graded_elsewhere(work, numbers=LANDLOCK, error=errno.ENOSYS).startswith("refused None")


def for_everyone(folder):
    """A Python that every user may run, with these packages and the course's, as if installed."""
    version = "python" + sysconfig.get_python_version()
    found = [Path(sys.executable).resolve(), Path("/usr/bin", version), Path("/usr/local/bin", version)]
    found = [path for path in found if path.exists() and all(parent.stat().st_mode & 1 for parent in path.resolve().parents)]
    if not found:
        pytest.skip("only root may read this interpreter, and the system has no other of its version")
    subprocess.run([found[0], "-m", "venv", "--without-pip", folder], check=True)
    site = folder / "lib" / version / "site-packages"
    shutil.rmtree(site)
    shutil.copytree(sysconfig.get_path("purelib"), site, symlinks=True, copy_function=linked)
    for path in site.glob("_editable_impl_*.pth"):
        path.unlink()
    for name, source in (("autograder", ROOT), ("dlcourse", ROOT / "dlcourse" / "src"), ("tests", ROOT)):
        shutil.copytree(source / name, site / name, ignore=shutil.ignore_patterns("__pycache__", "homework", "lectures"))
    return folder / "bin" / "python"


def linked(source, target):
    """A second name for a file where that can be, else a copy."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)


@pytest.mark.timeout(300)
def test_it_works_as_an_ordinary_user(work):
    if os.geteuid() != 0:
        assert graded_elsewhere(work).startswith("graded 1")
        return
    with tempfile.TemporaryDirectory(prefix="for-everyone-") as name:  # pytest's own folder is closed to others
        Path(name).chmod(0o755)
        assert graded_elsewhere(work, user=65534, python=for_everyone(Path(name, "venv"))).startswith("graded 1")


def test_nothing_is_left_behind(work, tmp_path, monkeypatch):
    import tempfile
    import time

    import psutil

    work.ask(ALIVE)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))
    (tmp_path / "tmp").mkdir()
    code = "import threading, time\nthreading.Thread(target=time.sleep, args=(1000,)).start()\nopen('a', 'w').write('a')\nx = 7"
    assert work.answer(code).points == 1
    assert list((tmp_path / "tmp").iterdir()) == []
    warm = psutil.Process(submission._warm._process.pid)
    deadline = time.monotonic() + 5
    while warm.children(recursive=True):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_the_students_side_dies_with_the_trusted_side(work):
    """Whoever ordered the grade is killed: nothing of the pair runs on."""
    import time

    import psutil

    mine = zygote.Zygote()
    connection = mine.start()
    pair = submission._Pair(connection, work.folder, QUICK)
    assert pair.next()["event"] == "hello"
    (work.folder / "scratch").mkdir()
    bounds = containment.Bounds(str(work.folder / "scratch"))
    from dataclasses import asdict

    pair.tell({"notebook": notebook("while True: pass"), "bounds": asdict(bounds), "memory_mb": 1000})
    ready = pair.next()
    assert ready["event"] == "ready" and psutil.pid_exists(ready["pid"])
    mine._process.kill()
    mine._process.wait()
    deadline = time.monotonic() + 5
    while psutil.pid_exists(ready["pid"]) and psutil.Process(ready["pid"]).status() != "zombie":
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_the_lists_of_calls_hold_no_number_twice():
    for column in (0, 1):
        numbers = [pair[column] for pair in syscalls.NUMBERS.values() if pair[column] is not None]
        numbers += [entry[0][column] for entry in (*syscalls.CHECKED.values(), *syscalls.OPEN.values())]
        numbers += [pair[column] for pair in syscalls.NOT_DONE.values()]
        numbers = [number for number in numbers if number is not None]
        assert len(numbers) == len(set(numbers))


def test_a_locked_process_computes_with_the_same_instructions(work):
    """torch reads /proc/cpuinfo to choose them, and takes the slowest where it may not."""
    work.ask("def test_it(found):\n    import torch\n    assert found == torch.backends.cpu.get_cpu_capability()")
    answer = work.answer("import torch\nfound = torch.backends.cpu.get_cpu_capability()")
    assert answer.points == 1, answer
