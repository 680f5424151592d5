"""Start JupyterLab on the lectures."""

import os
import sys

from coursebuild.settings import Settings


def has_display() -> bool:
    return sys.platform in ("darwin", "win32") or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def command(settings: Settings, args: list[str]) -> list[str]:
    """The JupyterLab command; the caller's args come last, and win."""
    words = [
        sys.executable,
        "-m",
        "jupyterlab",
        f"--ServerApp.root_dir={settings.root}",
        "--LabApp.default_url=/lab/tree/lectures",
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
