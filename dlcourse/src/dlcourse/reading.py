"""Numbers as people write them: 0,885 and 62 % and 2/2.26 and 10^-3 and −0.3 and 1 000 and √2.

Nothing is run as Python. A few operations, on floats alone, are looked up in a table, so that 9**9**9 ends at once.
"""

import ast
import math
import operator
import re
from collections.abc import Iterable
from dataclasses import dataclass

UNDERSTOOD = "Write one number, such as 0.885, 0,885, 62 %, 2/2.26, 1e-3, 10^-3 or sqrt(2)."
LONGEST = 100  # characters
OPERATIONS = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Pow: operator.pow,
    ast.USub: operator.neg,
    ast.UAdd: operator.pos,
}
FUNCTIONS = {
    "sqrt": math.sqrt,
    "exp": math.exp,
    "log": math.log,
    "ln": math.log,
    "log10": math.log10,
    "log2": math.log2,
    "abs": abs,
}
CONSTANTS = {"pi": math.pi, "e": math.e}
MAGNITUDES = {"thousand": 1e3, "million": 1e6, "billion": 1e9, "k": 1e3, "M": 1e6}
SAME_UNITS = [
    {"s", "sec", "secs", "second", "seconds"},
    {"ms", "millisecond", "milliseconds"},
    {"min", "mins", "minute", "minutes"},
    {"h", "hour", "hours"},
]

_PLAIN = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
_NUMERAL = r"(?:\d+(?:[.,'’_ ]\d+)*[.,]?|[.,]\d+)(?:[eE][+-]?\d+)?"
_NAMES = "|".join(FUNCTIONS)
_SIGNS = str.maketrans(
    {
        **dict.fromkeys("−–—﹣－", "-"),
        **dict.fromkeys("×·⋅∙", "*"),
        **dict.fromkeys("÷∕⁄", "/"),
        "％": "%",
        "π": " pi ",
        "＋": "+",
    }
)
_RAISED = str.maketrans("⁺⁻⁰¹²³⁴⁵⁶⁷⁸⁹", "+-0123456789")
_BEFORE = re.compile(
    r"(?:(?:[^\W\d]\w*\s*)?[=≈~∼≃]+|(?:about|approximately|approx\.?|ca\.?|circa|around|roughly|nearly|almost)\b)\s*", re.I
)


@dataclass(frozen=True)
class Reading:
    """What an entry was read as.

    Attributes:
        value: a finite float; of an entry with a percent sign its share, 0.62 for '62 %'.
        percent: whether there was such a sign.
        plain: whether the number stands there as 62 or 0.62 or 1e-3, so that nothing has to be said about its reading.
    """

    value: float
    percent: bool
    plain: bool


def written(value: float) -> str:
    """A number as it is shown to a reader: '62', '0.884956', '1e-07'."""
    return f"{value:.0f}" if value == round(value) and abs(value) < 1e15 else f"{value:.6g}"


def number(text: str, unit: str = "", words: Iterable[str] = ()) -> Reading:
    """Read a number.

    Args:
        text: what the reader wrote.
        unit: a unit that may follow the number, besides the percent sign.
        words: other words that may, such as those of the question.
    Raises:
        ValueError: it is none, or more than one, or can be read in two ways; the message is for the reader.
    """
    entry = text.strip()
    if not entry:
        raise ValueError("Enter a number first.")
    if len(entry) > LONGEST:
        raise ValueError(f"That is too long for a number. {UNDERSTOOD}")
    text = re.sub(r"\s+", " ", entry.translate(_SIGNS)).strip()
    _refuse_what_is_no_number(entry, text)
    while found := _BEFORE.match(text):
        text = text[found.end() :]
    text, factor = _without_unit(re.sub(r"(?<=\d)[.?!]+$", "", text), unit, {word.lower() for word in words})
    _refuse_ranges(text)
    percent = text.endswith("%")
    bare = text[:-1].strip() if percent else text
    plain = bool(_PLAIN.fullmatch(bare)) and factor == 1 and entry.startswith(bare)
    try:
        value = float(bare) / (100 if percent else 1) if plain else _evaluate(entry, _as_python(text)) * factor
    except OverflowError:
        value = math.inf
    except ZeroDivisionError:
        raise ValueError(f"{entry!r} divides by 0. {UNDERSTOOD}") from None
    if not math.isfinite(value):
        raise ValueError(f"{entry!r} is no finite number: it is too large.")
    return Reading(value, "%" in text, plain)


def _refuse_what_is_no_number(entry: str, text: str) -> None:
    if re.fullmatch(r"[+-]?\s*(nan|inf|infinity|∞)", text, re.I):
        raise ValueError(f"{entry!r} is no finite number. {UNDERSTOOD}")
    if sign := re.search(r"±|\+/-|\+-|[<>≤≥]", text):
        raise ValueError(f"One number is asked, without {sign[0]}.")


def _without_unit(text: str, unit: str, words: set[str]) -> tuple[str, float]:
    """The entry without the words after its number, and the factor that they stand for."""
    factor = 1.0
    if unit not in ("", "%") and text.lower().endswith(unit.lower()) and re.search(r"[\d.)]\s*$", text[: -len(unit)]):
        text = text[: -len(unit)].strip()
    while found := re.fullmatch(r"(.*[\d.)])\s*([^\W\d_]+(?: cent)?)\.?", text):
        rest, word = found[1].strip(), found[2]
        lower = word.lower()
        if lower in CONSTANTS:
            break
        if lower in ("percent", "per cent", "pct"):
            text = rest + "%"
        elif word in MAGNITUDES or (lower in MAGNITUDES and len(lower) > 1):
            text, factor = rest, factor * MAGNITUDES[word if word in MAGNITUDES else lower]
        elif _is_unit(lower, {unit.lower(), *words}):
            text = rest
        else:
            wanted = f", in {unit}" if unit not in ("", "share") else ""
            raise ValueError(f"{word!r} is not understood here: write the number alone{wanted}.")
    return text, factor


def _is_unit(word: str, known: set[str]) -> bool:
    near = {word, word + "s", word.removesuffix("s")}
    return bool(near & known) or any(word in group and group & known for group in SAME_UNITS)


def _refuse_ranges(text: str) -> None:
    found = re.fullmatch(
        rf"(?:between )?({_NUMERAL}) ?%?\s*(-|to\b|bis\b|\.\.+|…|and\b|or\b|;|, )\s*({_NUMERAL}) ?%?", text, re.I
    )
    if found and (found[2] != "-" or _numeral(found[1]) < _numeral(found[3])):
        raise ValueError(f"One number is asked, and {text!r} looks like a range.")


def _numeral(text: str) -> float:
    """The value of one numeral, with a decimal comma and separators of thousands where they are clear."""
    digits, exponent = re.fullmatch(r"([^eE]*)((?:[eE].*)?)", text).groups()
    signs = re.findall(r"[.,'’_ ]", digits)
    if len(signs) > 1 and digits[-1] in ".,":
        raise ValueError(f"{text!r} is not understood. {UNDERSTOOD}")
    if signs == [","] and re.fullmatch(r"[1-9]\d{0,2},\d{3}", digits) and not exponent:
        whole, decimal = digits.replace(",", ""), digits.replace(",", ".")
        raise ValueError(f"{text!r} can be read as {whole} or as {decimal}: write one of these.")
    if len(signs) <= 1 and (not signs or signs[0] in ".,"):
        return float(digits.replace(",", ".") + exponent)
    last, others = signs[-1], set(signs[:-1])
    whole, tail = digits, ""
    if last in ".," and others and last not in others:
        whole, _, tail = digits.rpartition(last)
    group = re.escape(signs[0])
    if len({*others, *([] if tail else [last])}) == 1 and re.fullmatch(rf"[1-9]\d{{0,2}}({group}\d{{3}})+", whole):
        return float(re.sub(group, "", whole) + (f".{tail}" if tail else "") + exponent)
    message = f"{text!r} is not understood." if " " not in text else f"One number is asked, and {text!r} looks like several."
    raise ValueError(f"{message} {UNDERSTOOD}")


def _as_python(text: str) -> str:
    """The entry with Python's operators and numerals."""
    text = re.sub(r"[⁺⁻⁰¹²³⁴⁵⁶⁷⁸⁹]+", lambda m: f"**({m[0].translate(_RAISED)})", text)
    text = re.sub(r"\b(?:np|numpy|math)\.(?=[a-z])", "", text)
    text = re.sub(r"√ ?(\d[\d.,]*|(?=\())", lambda m: f"sqrt({m[1]})" if m[1] else "sqrt", text)
    text = re.sub(rf"\b({_NAMES}) ({_NUMERAL})(?!\w)", r"\1(\2)", text)
    text = re.sub(r"(?<=\d) ?x ?(?=[\d.])", "*", text.replace("^", "**"))
    text = re.sub(rf"(?<=[\d)]) ?(?=(?:pi|{_NAMES})\b)", "*", text)

    def numeral(found: re.Match) -> str:
        value = repr(_numeral(found[1]))
        return f" ({value}/100.0) " if found[2] else f" {value} "

    return re.sub(rf"(?<![\w.])({_NUMERAL})( ?%(?! ?[\w.(]))?", numeral, text)


def _evaluate(entry: str, text: str) -> float:
    def value(node: ast.AST) -> float:
        if isinstance(node, ast.Constant) and type(node.value) is float:
            return node.value
        if isinstance(node, ast.Name) and node.id.lower() in CONSTANTS:
            return CONSTANTS[node.id.lower()]
        if isinstance(node, ast.UnaryOp | ast.BinOp) and type(node.op) in OPERATIONS:
            parts = [node.operand] if isinstance(node, ast.UnaryOp) else [node.left, node.right]
            return OPERATIONS[type(node.op)](*map(value, parts))
        called = FUNCTIONS.get(getattr(node.func, "id", "")) if isinstance(node, ast.Call) else None
        if called is not None and len(node.args) == 1 and not node.keywords:
            return called(value(node.args[0]))
        raise SyntaxError(ast.unparse(node))

    if not re.fullmatch(r"[\w +\-*/().]*", text):
        raise ValueError(f"{entry!r} is not understood. {UNDERSTOOD}")
    try:
        found = value(ast.parse(text.strip(), mode="eval").body)
    except (SyntaxError, MemoryError, RecursionError):  # the last two: too many parentheses
        raise ValueError(f"{entry!r} is not understood. {UNDERSTOOD}") from None
    except ValueError:  # the square root of -1
        raise ValueError(f"{entry!r} is no real number. {UNDERSTOOD}") from None
    if isinstance(found, complex):
        raise ValueError(f"{entry!r} is no real number. {UNDERSTOOD}")
    return found
