"""The command that starts JupyterLab; tests/test_browser.py looks at what it opens."""

from dataclasses import replace
from types import SimpleNamespace

import pytest
from jupyter_server.services.kernels.connection.channels import ZMQChannelsWebsocketConnection
from traitlets.utils.importstring import import_item

from coursebuild import lab


@pytest.mark.parametrize(
    ("notebooks", "opened"),
    [
        (["02_learning.ipynb", "03_descent.ipynb"], "lectures/02_learning.ipynb"),
        (["10_attention.ipynb", "9_loops.ipynb", "notes.ipynb", "1_draft.txt"], "lectures/9_loops.ipynb"),
        (["07_what is it?.ipynb"], "lectures/07_what%20is%20it%3F.ipynb"),
        (["notes.ipynb"], "lectures"),
        ([], "lectures"),
    ],
)
def test_lab_opens_the_lecture_with_the_lowest_number(settings, tmp_path, notebooks, opened):
    course = replace(settings, root=tmp_path)
    course.lectures.mkdir()
    for name in notebooks:
        (course.lectures / name).touch()
    assert f"--LabApp.default_url=/lab/tree/{opened}" in lab.command(course, [])


def test_what_the_caller_wants_comes_last(settings):
    assert lab.command(settings, ["--LabApp.default_url=/lab"])[-1] == "--LabApp.default_url=/lab"


def test_pictures_are_sent_without_waiting_for_acknowledgements(settings, monkeypatch):
    """The class that the command names switches Nagle's algorithm off before the first message."""
    [word] = [word for word in lab.command(settings, []) if "kernel_websocket_connection_class" in word]
    connection = import_item(word.split("=")[1])
    assert issubclass(connection, ZMQChannelsWebsocketConnection)
    done = []
    monkeypatch.setattr(ZMQChannelsWebsocketConnection, "connect", lambda self: done.append("connected"))
    handler = SimpleNamespace(set_nodelay=lambda value: done.append(f"nodelay {value}"))
    monkeypatch.setattr(connection, "websocket_handler", handler)
    connection.__new__(connection).connect()
    assert done == ["nodelay True", "connected"]
