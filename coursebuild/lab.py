"""Start JupyterLab on the lectures."""

import os
import re
import sys
from pathlib import Path
from urllib.parse import quote

from coursebuild.settings import Settings


def has_display() -> bool:
    return sys.platform in ("darwin", "win32") or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def first_lecture(settings: Settings) -> Path:
    """The notebook with the lowest number; the lectures' folder where none has been built."""
    numbered = [
        (int(found[1]), path) for path in settings.lectures.glob("*.ipynb") if (found := re.match(r"(\d+)_", path.name))
    ]
    return min(numbered)[1] if numbered else settings.lectures


def command(settings: Settings, args: list[str]) -> list[str]:
    """The JupyterLab command; the caller's args come last, and win."""
    opened = first_lecture(settings).relative_to(settings.root)
    words = [
        sys.executable,
        "-m",
        "jupyterlab",
        f"--ServerApp.root_dir={settings.root}",
        f"--LabApp.default_url=/lab/tree/{quote(opened.as_posix())}",
        "--ServerApp.kernel_websocket_connection_class=coursebuild.websocket.PromptConnection",
    ]
    # At this level JupyterLab prints its address and little else.
    words += ["--log-level=WARN"]
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        words.append("--allow-root")
    if not has_display():
        words.append("--no-browser")
    return [*words, *args]


def start(settings: Settings, args: list[str]) -> None:
    """Become JupyterLab: Ctrl-C and exit codes are its own from here on."""
    words = command(settings, args)
    os.environ.setdefault("JUPYTER_PLATFORM_DIRS", "1")
    sys.stdout.flush()
    os.execv(words[0], words)
