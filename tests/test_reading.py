"""Numbers as people write them, and entries that are none."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlcourse import reading

READ = {
    "0.885": 0.885,
    "0,885": 0.885,
    ",5": 0.5,
    "5.": 5,
    "5,": 5,
    "0.9.": 0.9,
    "12,5": 12.5,
    "007": 7,
    "62 %": 0.62,
    "62%": 0.62,
    "62 percent": 0.62,
    "-2,5 per cent": -0.025,
    "100 * 2 %": 2,
    "1e-3": 1e-3,
    "1,5E-3": 1.5e-3,
    "10^-3": 1e-3,
    "10**-3": 1e-3,
    "10⁻³": 1e-3,
    "1·10^-3": 1e-3,
    "1 x 10^-3": 1e-3,
    "2/2.26": 2 / 2.26,
    "2 ÷ 2,26": 2 / 2.26,
    "1-0.38": 0.62,
    "1 000": 1000,
    "1\u202f000\u00a0000": 1e6,
    "1'000": 1000,
    "1,234,567": 1234567,
    "1.234.567": 1234567,
    "1,234.5": 1234.5,
    "1.234,5": 1234.5,
    "1 234,5": 1234.5,
    "10k": 10_000,
    "2 million": 2e6,
    "1 000 000 steps": 1e6,
    "−0.3": -0.3,
    "–0,3": -0.3,
    "--3": 3,
    "~0.9": 0.9,
    "≈ 0.9": 0.9,
    "about 0.9": 0.9,
    "lr = 0.88": 0.88,
    "lr ≈ .88": 0.88,
    "0.9 s": 0.9,
    "0.9 sec": 0.9,
    "2/3 s": 2 / 3,
    "1 step": 1,
    "sqrt(2)": math.sqrt(2),
    "np.sqrt(2)": math.sqrt(2),
    "√2": math.sqrt(2),
    "2·√(3)": 2 * math.sqrt(3),
    "π/2": math.pi / 2,
    "2π": 2 * math.pi,
    "2 pi": 2 * math.pi,
    "1/e": 1 / math.e,
    "ln 2": math.log(2),
    "10*log10(0.25)": 10 * math.log10(0.25),
}
REFUSED = {
    "": "Enter a number first",
    "  ": "Enter a number first",
    "about one": "not understood",
    "one": "not understood",
    "?": "not understood",
    "0,8,9": "not understood",
    "[1]": "not understood",
    "2(3)": "not understood",
    "1 if 2 else 3": "not understood",
    "(lambda: 1)()": "not understood",
    "__import__('os').getcwd()": "not understood",
    "7 % 3": "not understood",
    "((": "not understood",
    "(" * 95 + "1": "not understood",
    "1" * 101: "too long",
    "nan": "no finite number",
    "-inf": "no finite number",
    "Infinity": "no finite number",
    "∞": "no finite number",
    "1e999": "no finite number",
    "exp(1000)": "no finite number",
    "9**9**9": "no finite number",
    "9^9^9^9": "no finite number",
    "1e308*10": "no finite number",
    "1/0": "divides by 0",
    "0^-1": "divides by 0",
    "sqrt(-1)": "no real number",
    "(-8)^(1/3)": "no real number",
    "0.8-0.9": "looks like a range",
    "0.8 – 0.9": "looks like a range",
    "10-20 %": "looks like a range",
    "0.8 to 0.9": "looks like a range",
    "between 0.8 and 0.9": "looks like a range",
    "0.8..0.9": "looks like a range",
    "0.8, 0.9": "looks like a range",
    "0.8 or 0.9": "looks like a range",
    "1 5": "looks like several",
    "0.8 0.9": "looks like several",
    "0.85 ± 0.05": "without ±",
    "0.85 +/- 0.05": "without +/-",
    "<0.9": "without <",
    "≥ 1": "without ≥",
    "1,000": "can be read as 1000 or as 1.000",
    "10,163 s": "can be read as 10163 or as 10.163",
    "900 ms": "'ms' is not understood here: write the number alone, in s",
    "5 apples": "'apples' is not understood here",
}


@pytest.mark.parametrize("text", READ)
def test_it_is_read(text):
    assert reading.number(text, "s", ["steps"]).value == pytest.approx(READ[text], rel=1e-14)


@pytest.mark.parametrize("text", REFUSED)
def test_it_is_refused_and_said_why(text):
    with pytest.raises(ValueError) as refused:
        reading.number(text, "s")
    assert REFUSED[text] in str(refused.value)
    assert "not understood. " not in str(refused.value) or str(refused.value).endswith(reading.UNDERSTOOD)


@pytest.mark.parametrize("text", ["0.885", " -62 ", "+.5", "1e-3", "0.9 s", "62 %", "62%", "3."])
def test_nothing_is_told_of_what_stands_there(text):
    assert reading.number(text, "s").plain


@pytest.mark.parametrize("text", ["0,885", "2/2.26", "−0.3", "~0.9", "1 000", "10^-3", "10k", "62,5 %", "lr = 1"])
def test_how_anything_else_was_read_is_told(text):
    assert not reading.number(text).plain


def test_a_percent_sign_is_reported():
    assert reading.number("62 %").percent and reading.number("1/2 percent").percent and not reading.number("0.62").percent


@pytest.mark.parametrize(
    ("value", "text"), [(1000.0, "1000"), (0.88495575, "0.884956"), (1e-7, "1e-07"), (1e20, "1e+20"), (-0.5, "-0.5")]
)
def test_numbers_are_shown_short(value, text):
    assert reading.written(value) == text


@given(st.text(alphabet="0123456789.,-+*/^()%eE ksπ√x²'=~<", max_size=40) | st.text(max_size=120))
def test_any_entry_is_a_finite_number_or_is_told_why_not(text):
    try:
        value = reading.number(text, "s").value
    except ValueError as error:
        assert str(error).endswith((".", "±", "<")) and len(str(error)) > 10
    else:
        assert math.isfinite(value) and type(value) is float


@given(st.floats(allow_nan=False, allow_infinity=False, min_value=-1e12, max_value=1e12))
def test_every_number_that_python_writes_is_read_as_itself(value):
    assert reading.number(repr(value)).value == value
    comma = f"{value:.4f}".replace(".", ",")  # four decimals: three could be thousands
    assert reading.number(comma).value == float(f"{value:.4f}")
