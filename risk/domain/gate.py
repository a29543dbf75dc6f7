"""The gate: every check runs and every answer is kept."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Context as Arithmetic
from decimal import localcontext

from markets.domain.instrument import InstrumentRules
from risk.domain import checks, schema
from risk.domain.denials import DenialCode
from risk.domain.limits import RiskLimits
from risk.domain.results import CheckResult, Context, result
from risk.domain.snapshot import OrderProposal, PortfolioSnapshot
from risk.domain.trading_state import Purpose, StateView

# Products of two 38-digit numbers stay exact; with the usual 28 digits a limit could be missed.
_EXACT = Arithmetic(prec=80)


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What the gate says of one proposal, with the answer of every check that could run.

    Attributes:
        epoch: Of the kill switches that it was judged under.
    """

    intent_key: str
    epoch: int
    checks: tuple[CheckResult, ...]

    @property
    def denials(self) -> tuple[CheckResult, ...]:
        """The failed checks, in the order of the table."""
        return tuple(check for check in self.checks if not check.passed)

    @property
    def approved(self) -> bool:
        """Whether every check passed; a verdict without checks approves nothing."""
        return bool(self.checks) and not self.denials


def evaluate(
    *,
    proposal: OrderProposal,
    portfolio: PortfolioSnapshot,
    limits: RiskLimits | None,
    state: StateView,
    rules: InstrumentRules | None,
    now: datetime,
) -> Verdict:
    """Run every check on `proposal` and return all answers.

    What cannot be known fails closed: without limits, without the exchange's rules or with
    numbers that are none, the answer is a denial and the checks that need them do not run.

    Args:
        proposal: The order that somebody wants to place.
        portfolio: The account, with everything that is live counted as if filled.
        limits: The limits; None: there is no row.
        state: The kill switch as read in this transaction.
        rules: The exchange's rules of the symbol; None: not known.
        now: Market time.
    """
    first = [schema.check_numbers(proposal)]
    if first[0].passed:
        first.append(schema.check_form(proposal))
    first.append(result(DenialCode.LIMITS_MISSING, passed=limits is not None))
    first.append(result(DenialCode.RULES_MISSING, passed=rules is not None))
    if limits is None or rules is None or not all(check.passed for check in first):
        return Verdict(intent_key=proposal.intent_key, epoch=state.epoch, checks=tuple(first))
    context = Context(
        proposal=proposal,
        portfolio=portfolio,
        limits=limits,
        state=state,
        rules=rules,
        now=now,
    )
    table = checks.ALWAYS
    if proposal.purpose is Purpose.ENTRY:
        table += checks.ENTRY_ONLY
    with localcontext(_EXACT):
        answers = [check(context) for check in table]
    return Verdict(intent_key=proposal.intent_key, epoch=state.epoch, checks=(*first, *answers))
