"""The engine with five times the time: what an answer is worth must not depend on what else the machine does."""

from autograder import submission
from autograder.submission import grade, start

__all__ = ["Limits", "grade", "start"]


def Limits() -> submission.Limits:  # noqa: N802  (stands for the class, for autograder.executor)
    """What one submission may use."""
    return submission.Limits(submission_s=3600, factor=5.0)
