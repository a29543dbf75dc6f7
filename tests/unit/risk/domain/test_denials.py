import re
from pathlib import Path

from risk.domain.denials import EXPLANATIONS, DenialCode, render_table

PAGE = Path(__file__).resolve().parents[4] / "docs" / "denial-codes.md"


def test_it_explains_every_code() -> None:
    assert list(EXPLANATIONS) == list(DenialCode)


def test_it_names_codes_by_category_and_condition() -> None:
    assert all(re.fullmatch(r"[A-Z]+(_[A-Z]+)+", code) for code in DenialCode)
    assert all(code.name == code.value for code in DenialCode)


def test_the_documented_table_is_current() -> None:
    assert PAGE.read_text() == render_table()
