"""How long building takes with as many lectures as the course will have."""

import shutil
import tempfile
import time
from dataclasses import replace
from pathlib import Path

from coursebuild import build
from coursebuild.settings import Settings

LECTURES = 24


def measure(settings: Settings) -> dict:
    """Seconds to build 24 lectures, copies of the longest one there is, from nothing and again."""
    longest = max((settings.lectures / "src").glob("*.py"), key=lambda path: path.stat().st_size)
    with tempfile.TemporaryDirectory() as tmp:
        root = Path(tmp)
        (root / "lectures" / "src").mkdir(parents=True)
        shutil.copy(settings.root / "README.md", root)
        for number in range(LECTURES):
            shutil.copy(longest, root / "lectures" / "src" / f"{number:02d}_copy.py")
        course = replace(settings, root=root)
        seconds = []
        for _ in range(2):
            start = time.perf_counter()
            build.build(course)
            seconds.append(round(time.perf_counter() - start, 2))
    print(f"building {LECTURES} lectures like {longest.stem}: {seconds[0]} s from nothing, {seconds[1]} s the second time")
    return {"lectures": LECTURES, "first_s": seconds[0], "again_s": seconds[1], "source_bytes": longest.stat().st_size}
