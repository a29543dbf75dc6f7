"""The column of money keeps every digit on every database."""

from decimal import Decimal
from types import SimpleNamespace

import pytest
from django.db.models import F
from hypothesis import given
from hypothesis import strategies as st

from core.fields import ExactDecimalField, positive

SQLITE = SimpleNamespace(vendor="sqlite")
POSTGRESQL = SimpleNamespace(vendor="postgresql")
WIDEST = "99999999999999999999.999999999999999999"


def test_it_has_38_digits_18_of_them_after_the_point_unless_told_otherwise():
    field, narrow = ExactDecimalField(), ExactDecimalField(max_digits=10, decimal_places=2)

    assert (field.max_digits, field.decimal_places) == (38, 18)
    assert (narrow.max_digits, narrow.decimal_places) == (10, 2)
    assert narrow.db_type(POSTGRESQL) == "numeric(10, 2)"
    assert ExactDecimalField("the price").verbose_name == "the price"


def test_it_is_text_on_sqlite_and_numeric_on_postgresql():
    assert ExactDecimalField().db_type(SQLITE) == "text"
    assert ExactDecimalField().db_type(POSTGRESQL) == "numeric(38, 18)"
    # Under Django's own name SQLite would read it through a float.
    assert ExactDecimalField().get_internal_type() == "ExactDecimalField"


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (WIDEST, WIDEST),
        ("-" + WIDEST, "-" + WIDEST),
        ("1.500", "1.5"),
        ("100", "100"),
        ("1E+3", "1000"),
        ("0.000", "0"),
        ("1E-18", "0.000000000000000001"),
    ],
)
def test_it_writes_every_digit_to_sqlite_and_no_padding(number, text):
    field = ExactDecimalField()

    assert field.get_db_prep_value(Decimal(number), SQLITE) == text
    assert field.get_db_prep_save(Decimal(number), SQLITE) == text
    assert field.get_db_prep_save(number, SQLITE) == text


def test_it_hands_a_decimal_to_postgresql():
    exact = ExactDecimalField().get_db_prep_save(WIDEST, POSTGRESQL)

    assert isinstance(exact, Decimal)
    assert exact == Decimal(WIDEST)


@pytest.mark.parametrize("connection", [SQLITE, POSTGRESQL])
def test_it_leaves_nothing_and_expressions_as_they_are(connection):
    field, expression = ExactDecimalField(), F("quantity")

    assert field.get_db_prep_value(None, connection) is None
    assert field.get_db_prep_save(expression, connection) is expression


def _read(stored):
    [convert] = ExactDecimalField().get_db_converters(SQLITE)
    return convert(stored, None, SQLITE)


@pytest.mark.parametrize(
    ("stored", "read"),
    [("1.50", "1.5"), ("1.00", "1"), ("100", "100"), ("0", "0"), (0, "0"), (100, "100")],
)
def test_it_reads_decimals_from_sqlite_without_padding(stored, read):
    found = _read(stored)

    assert isinstance(found, Decimal)
    assert str(found) == read
    assert _read(None) is None


def test_postgresql_drops_the_padding_itself():
    field = ExactDecimalField()

    def select(connection):
        return field.select_format(SimpleNamespace(connection=connection), "t.price", ["p"])

    assert select(POSTGRESQL) == ("trim_scale(t.price)", ["p"])
    assert select(SQLITE) == ("t.price", ["p"])
    assert field.get_db_converters(POSTGRESQL) == []


@given(
    st.decimals(
        allow_nan=False, allow_infinity=False, places=18, min_value=-(10**19), max_value=10**19
    )
)
def test_it_reads_from_sqlite_what_it_wrote(number):
    field = ExactDecimalField()

    assert _read(field.get_db_prep_save(number, SQLITE)) == number


@pytest.mark.parametrize(("or_zero", "lookup"), [(True, "gte"), (False, "gt")])
def test_it_guards_a_column_against_less_than_nothing(or_zero, lookup):
    constraint = positive("quantity", name="quantity_is_positive", or_zero=or_zero)

    assert constraint.name == "quantity_is_positive"
    condition = constraint.condition
    assert condition.lookup_name == lookup
    assert condition.rhs == 0.0
    [column] = condition.lhs.get_source_expressions()
    assert column == F("quantity")
    assert condition.lhs.output_field.get_internal_type() == "FloatField"


def test_it_wants_more_than_zero_unless_told_otherwise():
    assert positive("quantity", name="any").condition.lookup_name == "gt"
