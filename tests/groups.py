"""Which tests stay together on one worker, in which order, and what each lecture and homework cost.

A lecture is run once, so all its tests form one group; so do a file's tests of one homework, and elsewhere a whole file's. A
plugin of pytest, registered by conftest.py.
"""

import re
from collections import defaultdict

import pytest

LECTURE = re.compile(r"tests/lectures/(?:test_(\d\d)\.py::|test_\w+\.py::\w+\[(\d\d)[_-])")
HOMEWORK = re.compile(r"tests/homework/\w+\.py::\w+\[(?:[^-\]]*-)?(hw\d+)[_-]")


def group_of(nodeid: str) -> str:
    """The name of the group that a test belongs to, by its id."""
    lecture, homework = LECTURE.match(nodeid), HOMEWORK.match(nodeid)
    if lecture:
        return f"lecture {lecture[1] or lecture[2]}"
    file = nodeid.split("::")[0].removeprefix("tests/").removesuffix(".py")
    return f"{file} {homework[1]}" if homework else file


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    places: dict[str, int] = {}
    for item in items:
        places.setdefault(group_of(item.nodeid), len(places))
    items.sort(key=lambda item: places[group_of(item.nodeid)])


@pytest.hookimpl(optionalhook=True)  # where xdist is not installed, nobody asks
def pytest_xdist_make_scheduler(config, log):
    """Groups by our own rule: xdist 3.8 writes its mark's group to item._nodeid, which pytest 9 does not read any more."""
    from xdist.scheduler import LoadScopeScheduling

    class Groups(LoadScopeScheduling):
        def _split_scope(self, nodeid):
            return group_of(nodeid)

    return Groups(config, log) if config.getvalue("dist") == "loadgroup" else None


def pytest_configure(config):
    if not hasattr(config, "workerinput"):  # the process that hears of all tests
        config.pluginmanager.register(Costs())


class Costs:
    """Adds up what the tests of each lecture and homework took."""

    def __init__(self):
        self.seconds: dict[str, float] = defaultdict(float)
        self.count: dict[str, int] = defaultdict(int)

    def pytest_runtest_logreport(self, report):
        group = group_of(report.nodeid)
        if group.startswith(("lecture ", "homework/")):
            self.seconds[group] += report.duration
            self.count[group] += report.when == "call"

    def pytest_terminal_summary(self, terminalreporter):
        if self.seconds:
            terminalreporter.section("what each lecture and homework cost")
            for group in sorted(self.seconds):
                terminalreporter.write_line(f"{group:32s} {self.count[group]:5d} tests {self.seconds[group]:8.1f} s")
