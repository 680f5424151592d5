"""Which tests stay together on one worker, in which order, and what each lecture and homework cost.

A lecture is run once, so all its tests form one group; so do a file's tests of one homework, and elsewhere a whole file's. A plugin of pytest, registered by conftest.py.
"""

import re
from collections import defaultdict
from pathlib import Path

import pytest

SHARED = re.compile(r"tests/lectures/test_(?P<number>\d\d)\.py")


def group_of(item) -> str:
    """The name of the group that a test belongs to."""
    path = item.path.relative_to(item.config.rootpath).as_posix()
    own = SHARED.fullmatch(path)
    if own:
        return f"lecture {own['number']}"
    parameters = item.callspec.params if hasattr(item, "callspec") else {}
    source, master = parameters.get("source"), parameters.get("path")
    if isinstance(source, Path) and "lecture" in item.fixturenames:
        return f"lecture {source.stem[:2]}"
    name = path.removeprefix("tests/").removesuffix(".py")
    return f"{name} {master.stem}" if name.startswith("homework/") and isinstance(master, Path) else name


@pytest.hookimpl(tryfirst=True)  # before xdist reads the marks
def pytest_collection_modifyitems(items):
    places: dict[str, int] = {}
    for item in items:
        group = group_of(item)
        item.add_marker(pytest.mark.xdist_group(group))
        item.user_properties.append(("group", group))
        places.setdefault(group, len(places))
    items.sort(key=lambda item: places[dict(item.user_properties)["group"]])


def pytest_configure(config):
    config.addinivalue_line("markers", "xdist_group(name): tests that one worker runs (also where xdist is not installed)")
    if not hasattr(config, "workerinput"):  # the process that hears of all tests
        config.pluginmanager.register(Costs())


class Costs:
    """Adds up what the tests of each lecture and homework took."""

    def __init__(self):
        self.seconds: dict[str, float] = defaultdict(float)
        self.count: dict[str, int] = defaultdict(int)

    def pytest_runtest_logreport(self, report):
        group = dict(report.user_properties).get("group", "")
        if group.startswith(("lecture ", "homework/")):
            self.seconds[group] += report.duration
            self.count[group] += report.when == "call"

    def pytest_terminal_summary(self, terminalreporter):
        if self.seconds:
            terminalreporter.section("what each lecture and homework cost")
            for group in sorted(self.seconds):
                terminalreporter.write_line(f"{group:32s} {self.count[group]:5d} tests {self.seconds[group]:8.1f} s")
