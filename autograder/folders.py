"""Folders for the time of one submission. What a killed process leaves behind, the next one sweeps away.

A folder's owner holds a lock on a file in it for as long as it lives: a folder that can be locked has lost its owner.
Everything is reached by descriptors of folders, never through a link.
"""

import contextlib
import fcntl
import os
import re
import secrets
import shutil
import stat
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

PREFIX = "grading-"
NAME = re.compile(f"{PREFIX}[0-9a-f]{{32}}")
LOCK = ".autograder-lock"
TRIES, PAUSE_S = 40, 0.05  # a killed worker's student may write for a moment longer
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


@contextlib.contextmanager
def own() -> Iterator[Path]:
    """A folder that this user alone may enter, deleted at the end."""
    while True:
        path = Path(tempfile.gettempdir()) / f"{PREFIX}{secrets.token_hex(16)}"
        path.mkdir(mode=0o700)
        try:
            lock = os.open(path / LOCK, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        except FileNotFoundError:
            continue  # a sweeper took the empty folder for an orphan
        if _is_locked(lock) and os.fstat(lock).st_nlink:
            break
        os.close(lock)  # a sweeper was quicker, and deletes it
    try:
        yield path
    finally:
        parent = os.open(path.parent, _FOLDER & ~os.O_NOFOLLOW)
        folder = os.open(path, _FOLDER)
        try:
            _delete(parent, path.name, folder)
        finally:
            for opened in (folder, lock, parent):
                os.close(opened)


def sweep() -> None:
    """Delete the folders whose owners are dead."""
    parent = os.open(tempfile.gettempdir(), _FOLDER & ~os.O_NOFOLLOW)
    try:
        for name in os.listdir(parent):  # noqa: PTH208
            if NAME.fullmatch(name):
                _sweep(parent, name)
    finally:
        os.close(parent)


def _sweep(parent: int, name: str) -> None:
    try:
        folder = os.open(name, _FOLDER, dir_fd=parent)
    except OSError:
        return  # deleted meanwhile, a link, or another user's
    try:
        facts = os.fstat(folder)
        if facts.st_uid != os.geteuid() or facts.st_mode & 0o077:
            return
        try:
            lock = os.open(LOCK, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder)
        except OSError:
            with contextlib.suppress(OSError):  # not empty: then it is none of ours
                os.rmdir(name, dir_fd=parent)
            return
        try:
            if _is_locked(lock):
                _delete(parent, name, folder)
        finally:
            os.close(lock)
    finally:
        os.close(folder)


def _is_locked(lock: int) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _delete(parent: int, name: str, folder: int) -> None:
    """Delete a locked folder, its lock last: whoever finds the lock's file unlinked knows that he came too late."""
    for attempt in range(TRIES):
        try:
            for child in os.listdir(folder):
                if child != LOCK:
                    _remove(folder, child)
            break
        except OSError:
            if attempt == TRIES - 1:
                raise
            time.sleep(PAUSE_S)
    os.unlink(LOCK, dir_fd=folder)
    os.rmdir(name, dir_fd=parent)


def remove(folder: Path) -> None:
    """Delete a folder that student code wrote to, however deep."""
    parent = os.open(folder.parent, _FOLDER)
    try:
        _remove(parent, folder.name)
    finally:
        os.close(parent)


def _remove(parent: int, name: str) -> None:
    """Inner folders are lifted to the parent one by one, so that no path grows."""
    waiting = [name]
    while waiting:
        current = waiting.pop()
        if not _is_folder(parent, current):
            os.unlink(current, dir_fd=parent)
            continue
        os.chmod(current, 0o700, dir_fd=parent)  # student code may have made one that its owner may not enter
        opened = os.open(current, _FOLDER, dir_fd=parent)
        try:
            for child in os.listdir(opened):  # noqa: PTH208
                if not _is_folder(opened, child):
                    os.unlink(child, dir_fd=opened)
                    continue
                os.chmod(child, 0o700, dir_fd=opened)
                waiting.append(secrets.token_hex(16))
                os.rename(child, waiting[-1], src_dir_fd=opened, dst_dir_fd=parent)
        finally:
            os.close(opened)
        os.rmdir(current, dir_fd=parent)


def _is_folder(parent: int, name: str) -> bool:
    return stat.S_ISDIR(os.stat(name, dir_fd=parent, follow_symlinks=False).st_mode)


def copied(assignment: Path, into: Path) -> Path:
    """A copy of an assignment under a name that nobody can guess: Landlock lets student code ask whether a path exists."""
    copy = into / secrets.token_hex(16)
    copy.mkdir(mode=0o700)
    shutil.copyfile(assignment / "manifest.json", copy / "manifest.json")
    shutil.copytree(assignment / "tests", copy / "tests")
    return copy
