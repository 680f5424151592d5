"""environment.yml and constraints.txt, installed for real."""

import os
import subprocess
import sys

import pytest
import yaml

from tests.conftest import ROOT


@pytest.mark.slow
@pytest.mark.timeout(1500)
def test_the_pip_section_of_environment_yml_installs_into_an_empty_environment(tmp_path):
    """conda gives Python, torch and numpy; pip does the rest. Here pip gives torch and numpy too, in the same versions."""
    environment = yaml.safe_load((ROOT / "environment.yml").read_text())
    [section] = [spec["pip"] for spec in environment["dependencies"] if isinstance(spec, dict)]
    subprocess.run([sys.executable, "-m", "venv", tmp_path / "env"], check=True)
    python = tmp_path / "env" / "bin" / "python"

    def pip(*words):
        done = subprocess.run([python, "-m", "pip", *words], cwd=ROOT, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
        return done.stdout

    index = ["--index-url", os.environ["TORCH_INDEX"]] if os.environ.get("TORCH_INDEX") else []
    pip("install", "-q", *index, "-c", "constraints.txt", "torch")
    pip("install", "-q", *[word for line in section for word in line.split(" ", 1)])
    pins = {line.lower().replace("_", "-") for line in (ROOT / "constraints.txt").read_text().splitlines() if "==" in line}
    have = {line.split("+")[0].lower().replace("_", "-") for line in pip("freeze", "--exclude-editable").splitlines()}
    assert have <= pins, f"not pinned: {sorted(have - pins)}"
    done = subprocess.run([python, "-c", "import dlcourse, coursebuild, torch, jupyterlab"], cwd=tmp_path)
    assert done.returncode == 0
