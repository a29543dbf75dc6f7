"""Whether a proposal is an order at all: words known, numbers plain, prices as the type wants."""

from decimal import Decimal

from risk.domain.denials import DenialCode
from risk.domain.order_forms import BPS, FORMS, TIMES_IN_FORCE, find_wrong_parameter
from risk.domain.results import CheckResult, result
from risk.domain.snapshot import OrderProposal
from risk.domain.trading_state import Purpose

# More digits than numeric(38, 18) can hold are a mistake or an attack.
_MAX_INTEGER_DIGITS = 20
_MAX_DECIMALS = 18


def check_numbers(proposal: OrderProposal) -> CheckResult:
    """Every number is a finite Decimal above zero that the database can hold."""
    numbers = {
        "quantity": proposal.quantity,
        "price": proposal.price,
        "stop_price": proposal.stop_price,
        "leg_limit_price": proposal.leg_limit_price,
        "stop_loss_price": proposal.stop_loss_price,
        "stop_limit_price": proposal.stop_limit_price,
        "take_profit_price": proposal.take_profit_price,
    }
    for index, reference in enumerate(proposal.references):
        numbers[f"references[{index}]"] = reference.price
    for name, number in numbers.items():
        if number is not None and not _is_plain(number):
            return result(
                DenialCode.SCHEMA_NOT_FINITE,
                passed=False,
                limit="finite decimals above 0",
                value=f"{name} {str(number)[:60]}",
            )
    return result(DenialCode.SCHEMA_NOT_FINITE, passed=True)


def check_form(proposal: OrderProposal) -> CheckResult:
    """Side, type, time in force and the given prices make one order."""
    wrong = _find_wrong_form(proposal)
    return result(DenialCode.SCHEMA_INVALID, passed=wrong is None, value=wrong or "")


def _is_plain(number: object) -> bool:
    if not isinstance(number, Decimal) or not number.is_finite() or number <= 0:
        return False
    exponent = number.normalize().as_tuple().exponent
    # adjusted() is the power of ten of the first digit
    return (
        isinstance(exponent, int)
        and exponent >= -_MAX_DECIMALS
        and number.adjusted() < _MAX_INTEGER_DIGITS
    )


def _find_wrong_form(proposal: OrderProposal) -> str | None:
    if proposal.side not in {"BUY", "SELL"}:
        return f"side {proposal.side!r}"
    if proposal.type not in FORMS:
        return f"type {proposal.type!r}"
    wrong = find_wrong_parameter(proposal.type, _given(proposal))
    if wrong is not None:
        return wrong[1]
    if proposal.time_in_force is not None and proposal.time_in_force not in TIMES_IN_FORCE:
        return f"time_in_force {proposal.time_in_force!r}"
    if not _is_delta(proposal.trailing_delta_bps):
        return f"trailing_delta_bps {proposal.trailing_delta_bps!r}"
    if proposal.reference is None:
        return "no reference price"
    if proposal.bar_s <= 0:
        return f"bar_s {proposal.bar_s}"
    return _find_wrong_purpose(proposal)


def _given(proposal: OrderProposal) -> list[str]:
    values = {
        "price": proposal.price,
        "stop_price": proposal.stop_price,
        "stop_limit_price": proposal.leg_limit_price,
        "trailing_delta_bps": proposal.trailing_delta_bps,
        "time_in_force": proposal.time_in_force,
    }
    return [name for name, value in values.items() if value is not None]


def _is_delta(value: object) -> bool:
    if value is None:
        return True
    return isinstance(value, int) and not isinstance(value, bool) and 0 < value < int(BPS)


def _find_wrong_purpose(proposal: OrderProposal) -> str | None:
    """An order that claims to reduce is a reduce-only sale; only then may checks be skipped."""
    if proposal.purpose is Purpose.ENTRY:
        return None
    if proposal.side != "SELL" or not proposal.is_reduce_only:
        return f"{proposal.purpose} that is not a reduce-only SELL"
    return None
