"""Check homework answers in the notebook, and hand them in: `grader = Notebook("hw1")`.

The interface is that of otter's Notebook: check("q1"), check_all(), export(). Nothing is needed beside the notebook: its
folded cell registers the public tests as functions, and hidden tests by topic and points alone.
"""

from dlcourse.grader.book import Notebook

__all__ = ["Notebook"]
