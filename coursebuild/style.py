"""ruff's rules for the authored sources, told as the build tells its own: the first fault, with file and line."""

import json
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

from coursebuild.settings import Settings
from coursebuild.text import SourceError

AUTHORED = ("lectures/src", "solutions")
AT = re.compile(r"@@ -(?P<line>\d+)")


def check(settings: Settings) -> None:
    """Check lectures and masters as the tests of this repository do. Without ruff, say that they were not checked.

    Raises:
        SourceError: ruff finds a fault, or would format a line otherwise.
        ValueError: ruff cannot work, by its settings.
    """
    folders = [folder for folder in AUTHORED if (settings.root / folder).is_dir()]
    if not folders:
        return
    if find_spec("ruff") is None:
        print("ruff is not installed here, so its rules were not checked: pip install ruff", file=sys.stderr)
        return
    found = json.loads(_ruff(settings, "check", "--no-fix", "--output-format=json", *folders))
    if found:
        first = min(found, key=lambda fault: (fault["filename"], fault["location"]["row"]))
        more = f" ({len(found) - 1} more: python -m ruff check)" if len(found) > 1 else ""
        path, line = Path(first["filename"]), first["location"]["row"]
        raise SourceError(path, line, f"ruff {first['code'] or 'syntax'}: {first['message']}{more}")
    difference = _ruff(settings, "format", "--diff", *folders)
    if difference:
        path = Path(re.search(r"^--- (.+?)(?:\t.*)?$", difference, re.M)[1])
        words = f"ruff would write this otherwise: python -m ruff format {path}"
        raise SourceError(settings.root / path, _first_change(difference), words)


def _ruff(settings: Settings, *words: str) -> str:
    done = subprocess.run([sys.executable, "-m", "ruff", *words], cwd=settings.root, capture_output=True, text=True)
    if done.returncode not in (0, 1):
        raise ValueError(f"ruff {words[0]} failed:\n{done.stderr.strip()}")
    return done.stdout


def _first_change(difference: str) -> int:
    """The line of the file, before the change, at which a unified difference begins to differ."""
    lines = difference.splitlines()
    start = next(place for place, line in enumerate(lines) if AT.match(line))
    same = next(count for count, line in enumerate(lines[start + 1 :]) if not line.startswith(" "))
    return int(AT.match(lines[start])["line"]) + same
