"""What the notebooks of the deep-learning course import."""

from importlib.metadata import version as _version

from dlcourse.install import require

__version__ = _version("dlcourse")
__all__ = ["require"]
