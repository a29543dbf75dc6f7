"""What a check is given and what it answers."""

from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any, NamedTuple

from markets.domain.instrument import InstrumentRules
from risk.domain.denials import DenialCode
from risk.domain.limits import RiskLimits
from risk.domain.snapshot import OrderProposal, PortfolioSnapshot, SymbolExposure
from risk.domain.trading_state import StateView


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """Everything that one evaluation looks at; limits and rules are known to exist.

    Attributes:
        exposure: What is held and pending of the proposal's symbol.
    """

    proposal: OrderProposal
    portfolio: PortfolioSnapshot
    limits: RiskLimits
    state: StateView
    rules: InstrumentRules
    now: datetime
    exposure: SymbolExposure = field(init=False)

    def __post_init__(self) -> None:
        held = self.portfolio.exposure_of(self.proposal.instrument_id, self.proposal.symbol)
        object.__setattr__(self, "exposure", held)


class CheckResult(NamedTuple):
    """The answer of one check. A tuple: a replay makes millions of them.

    Attributes:
        code: The denial that it guards against.
        passed: Whether the order may go, as far as this check is concerned.
        limit: What is allowed, as text; empty where there is no number.
        value: What was found, as text.
    """

    code: DenialCode
    passed: bool
    limit: str = ""
    value: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return the stored form."""
        return {
            "code": self.code.value,
            "passed": self.passed,
            "limit": self.limit,
            "value": self.value,
        }


def result(
    code: DenialCode, *, passed: bool, limit: object = "", value: object = ""
) -> CheckResult:
    """Return the answer of a check, numbers written out plainly."""
    return CheckResult(code, passed, _text(limit), _text(value))


def _text(item: object) -> str:
    if type(item) is str:  # most answers; a replay asks the gate a million times
        return item
    return format(item, "f") if isinstance(item, Decimal) else str(item)
