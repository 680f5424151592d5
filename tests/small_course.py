"""A course that is set up in seconds: the real bootstrap, venv and pip, with a package index of tiny wheels.

It has a Python of its own to make .venv from, so that a set-up which goes wrong writes into a folder of the test.
"""

import base64
import hashlib
import inspect
import os
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pip

from tests.conftest import ROOT

PINS = [
    "editables==0.5",
    "filelock==3.0",
    "filler==1.0",
    "hatchling==1.25",
    "ipykernel==6.29",
    "nvidia-cuda==12.0",
    "torch==2.5",
]
PROJECTS = ["dlcourse==1.0", "dlcourse-instructor==1.0"]

# Enough of hatchling for `pip install -e`.
BACKEND = """
import tomllib
from pathlib import Path

from hatchling import wheels


def build_editable(wheel_directory, config_settings=None, metadata_directory=None):
    project = tomllib.loads(Path("pyproject.toml").read_text())["project"]
    extras = project.get("optional-dependencies", {})
    needs = project["dependencies"] + [f"{need}; extra == '{extra}'" for extra in extras for need in extras[extra]]
    files = {f"{project['name']}.pth": str(Path.cwd())}
    return wheels.write_wheel(Path(wheel_directory), project["name"], project["version"], needs, files, extras).name
"""

# Enough of ipykernel for `python -m ipykernel install --sys-prefix`.
KERNEL = """
import sys
from pathlib import Path

spec = Path(sys.prefix) / "share" / "jupyter" / "kernels" / "python3" / "kernel.json"
spec.parent.mkdir(parents=True, exist_ok=True)
spec.write_text(sys.executable)
"""


def write_wheel(folder: Path, name: str, version: str, needs=(), files=None, extras=()) -> Path:
    """Write a wheel whose files, a mapping from path to text, lie in site-packages once it is installed."""
    stem = f"{name.replace('-', '_')}-{version}"
    metadata = [f"Name: {name}", f"Version: {version}", *(f"Provides-Extra: {extra}" for extra in extras)]
    files = {
        **(files or {f"{name.replace('-', '_')}.py": f"version = '{version}'\n"}),
        f"{stem}.dist-info/METADATA": "\n".join(
            ["Metadata-Version: 2.1", *metadata, *(f"Requires-Dist: {n}" for n in needs), ""]
        ),
        f"{stem}.dist-info/WHEEL": "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = ""
    for path, text in files.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
        record += f"{path},sha256={digest},{len(text.encode())}\n"
    files[f"{stem}.dist-info/RECORD"] = f"{record}{stem}.dist-info/RECORD,,\n"
    path = folder / f"{stem}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as wheel:
        for inside, text in files.items():
            wheel.writestr(inside, text)
    return path


def write_index(folder: Path, wheels: list[tuple]) -> str:
    """Write a package index of these wheels, each the arguments of write_wheel; returns its address."""
    for name, *rest in wheels:
        (folder / name).mkdir(parents=True, exist_ok=True)
        wheel = write_wheel(folder / name, name, *rest)
        with (folder / name / "index.html").open("a") as page:
            page.write(f'<a href="{wheel.name}">{wheel.name}</a>\n')
    return folder.as_uri()


def ordinary_index(folder: Path) -> str:
    """An index as PyPI is: its torch is the CUDA build, under the same version as the build without."""
    backend = "import base64\nimport hashlib\nimport zipfile\nfrom pathlib import Path\n\n\n" + inspect.getsource(write_wheel)
    hatchling = {"hatchling/__init__.py": "", "hatchling/build.py": BACKEND, "hatchling/wheels.py": backend}
    return write_index(
        folder,
        [
            ("editables", "0.5"),
            ("filelock", "3.0"),
            ("filler", "1.0", [], {f"filler/part{k}.py": "x = 1\n" for k in range(300)}),  # so that pip writes for a while
            ("hatchling", "1.25", [], hatchling),
            ("ipykernel", "6.29", [], {"ipykernel/__init__.py": "", "ipykernel/__main__.py": KERNEL}),
            ("nvidia-cuda", "12.0"),
            ("torch", "2.5", ["filelock", "nvidia-cuda"]),
        ],
    )


def write_course(root: Path) -> None:
    """Write what set-up reads: the real bootstrap and Makefile, and small projects."""
    head = '[build-system]\nrequires = ["hatchling"]\nbuild-backend = "hatchling.build"\n\n[project]\nversion = "1.0"\n'
    (root / "coursebuild").mkdir(parents=True)
    (root / "dlcourse").mkdir()
    shutil.copy(ROOT / "Makefile", root)
    shutil.copy(ROOT / "coursebuild" / "bootstrap.py", root / "coursebuild")
    (root / "constraints.txt").write_text("".join(f"{pin}\n" for pin in PINS))
    (root / "dlcourse" / "pyproject.toml").write_text(head + 'name = "dlcourse"\ndependencies = ["torch>=2"]\n')
    (root / "pyproject.toml").write_text(
        head + 'name = "dlcourse-instructor"\ndependencies = ["hatchling", "editables", "ipykernel"]\n'
        'optional-dependencies = {dev = ["filler"]}\n\n[tool.coursebuild]\npublic_url = "https://example.org/course"\n'
    )


class Base:
    """An installation of this Python whose packages are its own. Its standard library is links to the real one."""

    def __init__(self, folder: Path):
        name = f"python{sys.version_info[0]}.{sys.version_info[1]}"
        self.folder = folder
        self.python = folder / "bin" / "python3"
        self.pip_ran = folder / "pip-ran"
        standard = Path(sysconfig.get_path("stdlib"))
        ours = folder / "lib" / name
        ours.mkdir(parents=True)
        self.python.parent.mkdir()
        shutil.copy(Path(sys._base_executable).resolve(), self.python)
        for path in standard.iterdir():
            if path.name not in ("site-packages", "dist-packages", "EXTERNALLY-MANAGED"):  # the last would stop pip
                (ours / path.name).symlink_to(path)
        for path in standard.parent.glob("libpython*"):
            (folder / "lib" / path.name).symlink_to(path)
        where = "import sys, sysconfig; print(sys.prefix); print(sysconfig.get_path('purelib'))"
        prefix, packages = subprocess.check_output([self.python, "-I", "-c", where], text=True).splitlines()
        assert prefix == str(folder), "a copied interpreter must not take the real installation for its own"
        theirs = Path(pip.__file__).parent
        self.pip = Path(packages) / "pip"
        shutil.copytree(theirs, self.pip, ignore=shutil.ignore_patterns("__pycache__"))
        main = self.pip / "__main__.py"
        main.write_text(f"open({str(self.pip_ran)!r}, 'w').close()\n" + main.read_text())

    def state(self) -> dict[str, tuple]:
        """Size, time and digest of each file."""
        found = {}
        for path in self.folder.rglob("*"):
            if path.is_file() and not path.is_symlink() and path.suffix != ".pyc":
                stat = path.stat()
                found[str(path)] = (stat.st_size, stat.st_mtime_ns, hashlib.sha256(path.read_bytes()).hexdigest())
        return found


def children(pid: int) -> list[int]:
    """The processes that this one has started."""
    lines = subprocess.check_output(["ps", "-A", "-o", "pid=,ppid="], text=True).splitlines()
    return [int(child) for child, parent in map(str.split, lines) if int(parent) == pid]


class SmallCourse:
    """The course, its index and its Python, in one folder."""

    def __init__(self, folder: Path):
        self.root = folder / "a clone"
        self.base = Base(folder / "base")
        write_course(self.root)
        settings = {name: value for name, value in os.environ.items() if not name.startswith("PIP_") and name != "TORCH_INDEX"}
        self.environment = {
            **settings,
            "PIP_INDEX_URL": ordinary_index(folder / "index"),
            "PIP_CONFIG_FILE": os.devnull,
            "PIP_NO_CACHE_DIR": "1",
            "PIP_NO_COMPILE": "1",
        }

    @property
    def venv(self) -> Path:
        return self.root / ".venv"

    def start(self, **environment) -> subprocess.Popen:
        return subprocess.Popen(
            [self.base.python, "-I", self.root / "coursebuild" / "bootstrap.py"],
            env=self.environment | environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def set_up(self, **environment) -> tuple[int, str]:
        """Run set-up undisturbed; returns its exit status and what it said."""
        process = self.start(**environment)
        said, _ = process.communicate(timeout=300)
        return process.returncode, said

    def installed(self) -> set[str]:
        """The packages in .venv, without those that ensurepip puts there. Each must have all of its files."""
        look = (
            "from importlib.metadata import distributions\n"
            "for found in distributions():\n"
            "    assert all(path.locate().exists() for path in found.files), found.name\n"
            "    print(f'{found.name}=={found.version}')\n"
        )
        listed = subprocess.check_output([self.venv / "bin" / "python", "-I", "-c", look], text=True).split()
        return {name for name in listed if not name.startswith(("pip==", "setuptools=="))}
