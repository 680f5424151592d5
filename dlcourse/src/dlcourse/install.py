"""Install what a notebook needs and is missing, and touch nothing that is there."""

import os
import re
import subprocess
import sys
import tempfile
from importlib import metadata
from pathlib import Path


def require(wheel: str) -> None:
    """Make the packages that dlcourse needs available, as a notebook's first cell does.

    A package that is missing is installed under a constraint on every installed version, so none of those moves. One
    that is there but older than dlcourse asks for is left alone and named in a warning: it may be pinned for a reason.

    Args:
        wheel: address of the dlcourse wheel that the notebook was written for; its name holds the version.
    Raises:
        ImportError: the installed dlcourse is older than the wheel, or a missing package could not be installed. The
            message holds the line that mends it.
    """
    from packaging.version import Version

    wanted, have = Version(_wheel_version(wheel)), Version(metadata.version("dlcourse"))
    if have < wanted:
        raise ImportError(
            f"This notebook was written for dlcourse {wanted}, and {have} is installed. Run this in a cell, then restart the "
            f"kernel:\n    %pip install --no-deps --upgrade {wheel}"
        )
    missing, too_old = _survey(metadata.requires("dlcourse") or [])
    for name, bound, version in too_old:
        print(f"Note: {name} {version} is older than the course is tested with ({bound}); it is left as it is.")
    if missing:
        _install(missing)


def _wheel_version(wheel: str) -> str:
    match = re.search(r"dlcourse-([0-9][^-]*)-", wheel)
    if match is None:
        raise ValueError(f"not the address of a dlcourse wheel: {wheel!r}")
    return match.group(1)


def _survey(requirements: list[str]) -> tuple[list[str], list[tuple[str, str, str]]]:
    """Which requirements are missing, and which are installed in a version below their bound."""
    from packaging.requirements import Requirement

    missing, too_old = [], []
    for requirement in map(Requirement, requirements):
        if requirement.marker is not None and not requirement.marker.evaluate({"extra": ""}):
            continue
        try:
            version = metadata.version(requirement.name)
        except metadata.PackageNotFoundError:
            missing.append(f"{requirement.name}{requirement.specifier}")
            continue
        if not requirement.specifier.contains(version, prereleases=True):
            too_old.append((requirement.name, str(requirement.specifier), version))
    return missing, too_old


def _install(missing: list[str]) -> None:
    print("Installing", ", ".join(missing), flush=True)
    with tempfile.TemporaryDirectory() as tmp:
        present = Path(tmp) / "present.txt"
        present.write_text(
            "".join(f"{d.metadata['Name']}=={d.version}\n" for d in metadata.distributions() if d.metadata["Name"])
        )
        groups = [missing]
        torch_index = os.environ.get("TORCH_INDEX", "").strip()
        if torch_index:  # a hub can point to an index with CPU builds, which are gigabytes smaller
            groups = [[m for m in missing if m.startswith("torch")], [m for m in missing if not m.startswith("torch")]]
        for group in filter(None, groups):
            index = ["--index-url", torch_index] if torch_index and group[0].startswith("torch") else []
            command = [sys.executable, "-m", "pip", "install", "--quiet", *index, "--constraint", str(present), *group]
            done = subprocess.run(command, capture_output=True, text=True)
            if done.returncode != 0:
                raise ImportError(
                    f"{', '.join(group)} could not be installed without changing what is here. pip said:\n{done.stderr.strip()}\n"
                    f"To install them all the same, run this in a cell, then restart the kernel:\n    %pip install {' '.join(group)}"
                )
