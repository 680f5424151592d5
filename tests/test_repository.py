"""The repository as a whole: what is committed is what the sources give, and what the README says is so."""

import re
import subprocess
import sys
import tomllib
from importlib import metadata

import yaml
from packaging.specifiers import SpecifierSet

from coursebuild import build
from tests.conftest import ROOT


def committed() -> list[str]:
    listing = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return [name for name in listing.stdout.splitlines() if (ROOT / name).exists()]


def test_generated_files_are_what_their_sources_give(settings):
    assert build.differences(settings) == [], "run `make build`, and commit what it wrote"


def test_notebooks_hold_no_outputs():
    for path in [*(ROOT / "lectures").glob("*.ipynb"), *(ROOT / "homework").glob("*/*.ipynb")]:
        assert '"output_type"' not in path.read_text() and '"execution_count": null' in path.read_text()


def test_ruff():
    for command in (["check"], ["format", "--check"]):
        done = subprocess.run([sys.executable, "-m", "ruff", *command, "."], cwd=ROOT, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout


def test_every_command_of_the_documents_exists():
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.M))
    for name in ("README.md", "CONTRIBUTING.md"):
        named = set(re.findall(r"(?:^|`)make ([a-z-]+)", (ROOT / name).read_text(), re.M))
        assert named and named <= targets, f"{name} names targets that do not exist"


def test_conda_pins_are_those_of_ci():
    environment = yaml.safe_load((ROOT / "environment.yml").read_text())
    pins = dict(line.split("==") for line in (ROOT / "constraints.txt").read_text().splitlines() if "==" in line)
    conda = dict(spec.split("=", 1) for spec in environment["dependencies"] if isinstance(spec, str) and "=" in spec)
    assert conda.pop("python") == "3.11"
    assert conda.pop("pytorch-cpu") == pins["torch"]
    assert {name: pins[name] for name in conda} == conda
    [section] = [spec["pip"] for spec in environment["dependencies"] if isinstance(spec, dict)]
    assert section == ["-c constraints.txt", "-e ./dlcourse", "-e .[dev]"]


def test_every_dependency_is_pinned_and_students_get_lower_bounds():
    pins = (ROOT / "constraints.txt").read_text().lower().replace("_", "-")
    for path in ("pyproject.toml", "dlcourse/pyproject.toml"):
        project = tomllib.loads((ROOT / path).read_text())["project"]
        for requirement in [*project["dependencies"], *project.get("optional-dependencies", {}).get("dev", [])]:
            name, how, bound = re.fullmatch(r"([\w-]+)(>=|==)([\d.]+)", requirement).groups()
            assert f"\n{name.lower()}==" in pins, f"{name} {how} {bound} has no pin: make constraints"
            assert how == ">=" or path == "pyproject.toml", f"{requirement} would fight what a student has"


def test_pins_admit_every_python_3_11():
    """A pin that refuses Debian's 3.11.2 sends pip looking for other versions of everything."""
    pins = re.findall(r"^([\w.-]+)==", (ROOT / "constraints.txt").read_text(), re.M)
    refuse = [
        name for name in pins if not SpecifierSet(metadata.metadata(name).get("Requires-Python") or "").contains("3.11.0")
    ]
    assert refuse == []


def test_no_file_is_too_large_for_review():
    data = {"dlcourse/src/dlcourse/datasets/mnist10k.npz"}  # nobody reviews it line by line
    assert {name for name in committed() if (ROOT / name).stat().st_size > 2**20} == data
