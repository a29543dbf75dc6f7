"""The gate with its database: read limits and state, judge, keep every verdict."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal

from markets.domain.instrument import InstrumentRules
from risk.domain.gate import Verdict, evaluate
from risk.domain.snapshot import ZERO, OrderProposal, PortfolioSnapshot
from risk.models import RiskVerdict
from risk.selectors import LimitsInForce
from risk.services.trading_state import read_states


def assess(
    *,
    account_id: int,
    proposals: Sequence[OrderProposal],
    portfolio: PortfolioSnapshot,
    rules: Mapping[int, InstrumentRules],
    limits: LimitsInForce,
    now: datetime,
) -> list[Verdict]:
    """Judge `proposals` one after another and store the verdicts.

    Runs in the caller's transaction, which must have taken ``lock_account(account_id)`` before it
    built `portfolio` and must insert the approved orders before it ends. Each approved proposal
    counts as live for the ones after it. Two statements, whatever the number of proposals.

    Args:
        account_id: The account; proposals of another one are a programming error.
        proposals: In the order in which they shall be judged.
        portfolio: The account, built in this transaction.
        rules: The exchange's rules by instrument id; a missing one denies.
        limits: As read in this transaction.
        now: Market time.

    Returns:
        One verdict per proposal, in the same order. A repeated `intent_key` is denied and leaves
        its first stored verdict as it is.

    Raises:
        ValueError: `portfolio` or a proposal belongs to another account.
    """
    owners = {portfolio.account_id, *(proposal.account_id for proposal in proposals)}
    if owners != {account_id}:
        raise ValueError(f"everything must belong to account {account_id}")
    if not proposals:
        return []
    states = read_states(for_share=True)
    fee_fraction = limits.limits.fee_fraction if limits.limits else ZERO
    verdicts = []
    for proposal in proposals:
        verdict = evaluate(
            proposal=proposal,
            portfolio=portfolio,
            limits=limits.limits,
            state=states.of(proposal.scopes),
            rules=rules.get(proposal.instrument_id),
            now=now,
        )
        if verdict.approved:
            portfolio = portfolio.including(proposal, fee_fraction=fee_fraction)
        verdicts.append(verdict)
    _store(proposals=proposals, verdicts=verdicts, version=limits.version, now=now)
    return verdicts


def _store(
    *,
    proposals: Sequence[OrderProposal],
    verdicts: Sequence[Verdict],
    version: int | None,
    now: datetime,
) -> None:
    RiskVerdict.objects.bulk_create(
        [
            _row(proposal=proposal, verdict=verdict, version=version, now=now)
            for proposal, verdict in zip(proposals, verdicts, strict=True)
        ],
        ignore_conflicts=True,
    )


def _row(
    *, proposal: OrderProposal, verdict: Verdict, version: int | None, now: datetime
) -> RiskVerdict:
    first = verdict.denials[0] if verdict.denials else None
    return RiskVerdict(
        intent_key=proposal.intent_key,
        account_id=proposal.account_id,
        instrument_id=proposal.instrument_id,
        symbol=_clean(proposal.symbol, 32),
        purpose=proposal.purpose.value,
        side=_clean(proposal.side, 16),
        quantity=_storable(proposal.quantity),
        approved=verdict.approved,
        code=first.code.value if first else "",
        limit=_clean(first.limit, 80) if first else "",
        value=_clean(first.value, 160) if first else "",
        checks=[check.to_json() for check in verdict.checks],
        epoch=verdict.epoch,
        limits_version=version,
        created_at=now,
    )


def _storable(quantity: Decimal) -> Decimal | None:
    """Return `quantity` if numeric(38, 18) can hold it exactly, else None."""
    if not isinstance(quantity, Decimal) or not quantity.is_finite():
        return None
    exponent = quantity.as_tuple().exponent
    is_exact = isinstance(exponent, int) and exponent >= -18 and quantity.adjusted() < 20
    return quantity if is_exact else None


def _clean(text: str, length: int) -> str:
    return text.replace("\x00", "")[:length]
