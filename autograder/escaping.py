"""Hostile text on its way out: names, file names, exceptions and messages are written by students."""

import html

LONGEST = 4000  # characters; more than anyone reads, and a page stays small whatever a message holds


def visible(text: str, lines: bool = False, longest: int = LONGEST) -> str:
    r"""The text with every character that does not show written as its escape, such as \x1b.

    That takes terminal sequences, line breaks that would forge a line of a log, and the marks that reverse the direction
    of text. Printable characters of every script stay.

    Args:
        lines: keep line feeds and tabs.
        longest: cut after so many characters, and say so.
    """
    keep = "\n\t" if lines else ""
    shown = "".join(char if char.isprintable() or char in keep else _escape(char) for char in text[:longest])
    return shown if len(text) <= longest else f"{shown} … ({len(text) - longest} more characters)"


def _escape(char: str) -> str:
    return char.encode("unicode_escape").decode("ascii")


def for_html(text: str, lines: bool = False) -> str:
    """The text for an element or a quoted attribute of a page."""
    return html.escape(visible(text, lines), quote=True)


def for_csv(text: str) -> str:
    """The text for a cell of a table that a spreadsheet opens: a leading =, +, -, @ starts no formula.

    The quote in front is what spreadsheets themselves write for 'this is text'.
    Source: OWASP, CSV Injection.
    """
    shown = visible(text)
    # Full-width forms are taken for the same signs by some spreadsheets, and spaces before the sign are skipped.
    return f"'{shown}" if shown.lstrip().startswith(("=", "+", "-", "@", "'", "＝", "＋", "－", "＠", "|", "%")) else shown
