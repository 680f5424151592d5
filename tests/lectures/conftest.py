import pytest

from tests import session
from tests.conftest import ROOT


@pytest.fixture
def lecture(request):
    """The lecture that the test's file, or its parameter `source`, is about, as Run All leaves it. It is run once for all tests."""
    source = request.node.callspec.params.get("source") if hasattr(request.node, "callspec") else None
    if source is None:
        number = request.path.stem.removeprefix("test_")
        [source] = (ROOT / "lectures" / "src").glob(f"{number}_*.py")
    run = session.current(source)
    yield run
    run.restore()
