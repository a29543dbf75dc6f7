"""What the gate is asked: decisions and wishes in its words."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from core.clock import Clock
from execution.domain.order import Leg, OrderType, Side, TimeInForce
from execution.domain.proposal import build_proposal, entry_quantity
from execution.domain.slicing import Slice
from execution.models import Account, Decision, Position, Strategy
from execution.services.order_rows import Wish
from markets.domain.instrument import InstrumentRules
from markets.domain.ticker import Mark
from markets.domain.timeframe import Timeframe
from risk.domain.limits import RiskLimits
from risk.domain.snapshot import OrderProposal, ReferencePrice
from risk.domain.trading_state import ScopeKind, scope_of

# An approved order that was not sent after this long is dead: its reasons are old.
ENTRY_LIFETIME = timedelta(seconds=30)
EXIT_LIFETIME = timedelta(minutes=5)


def wish_to_enter(
    decision: Decision, *, rules: InstrumentRules, now: datetime, clock: Clock
) -> Wish:
    """Return the market buy of an ENTER decision."""
    return Wish(
        account=decision.strategy.account,
        instrument_id=decision.instrument_id,
        key=f"decision:{decision.pk}",
        leg=Leg.ENTRY,
        side=Side.BUY,
        type=OrderType.MARKET,
        quantity=entry_quantity(
            notional=decision.target_notional, price=decision.price, rules=rules
        ),
        strategy_id=decision.strategy_id,
        decision_id=decision.pk,
        scopes=scopes_of_decision(decision, symbol=rules.symbol),
        expires_at=now + clock.protocol(ENTRY_LIFETIME),
    )


def wish_to_exit(
    position: Position,
    *,
    key: str,
    attempt: int,
    rules: InstrumentRules,
    now: datetime,
    clock: Clock,
    decision_id: int | None = None,
    piece: Slice | None = None,
) -> Wish:
    """Return the sale of a position: all that can be sold at the market, or one slice of it."""
    whole = rules.quantize_quantity(position.quantity) or position.quantity
    return Wish(
        account=position.account,
        instrument_id=position.instrument_id,
        key=key,
        leg=Leg.EXIT,
        attempt=attempt,
        side=Side.SELL,
        type=OrderType.MARKET if piece is None else OrderType.LIMIT,
        quantity=whole if piece is None else piece.quantity,
        price=None if piece is None else piece.price,
        time_in_force=None if piece is None else TimeInForce.IOC,
        position=position,
        strategy_id=position.strategy_id,
        decision_id=decision_id,
        is_reduce_only=True,
        scopes=tuple(position.scopes),
        expires_at=now + clock.protocol(EXIT_LIFETIME),
    )


def scopes_of_decision(decision: Decision, *, symbol: str) -> tuple[str, ...]:
    """Return the kill switches of what a decision wants; its relations must be loaded."""
    strategy, prediction = decision.strategy, decision.prediction
    scopes = scopes_of_strategy(strategy.account, symbol=symbol, strategy=strategy)
    if prediction is not None:
        scopes += (scope_of(ScopeKind.MODEL, prediction.model_name),)
    return scopes


def scopes_of_strategy(
    account: Account, *, symbol: str, strategy: Strategy | None
) -> tuple[str, ...]:
    """Return the kill switches of what belongs to a strategy, or to none."""
    scopes = scopes_by_hand(account, symbol=symbol)
    return scopes if strategy is None else (*scopes, scope_of(ScopeKind.STRATEGY, strategy.name))


def scopes_by_hand(account: Account, *, symbol: str) -> tuple[str, ...]:
    """Return the kill switches of what a person wants."""
    return scope_of(ScopeKind.ACCOUNT, account.name), scope_of(ScopeKind.SYMBOL, symbol)


def propose(
    wish: Wish,
    *,
    rules: InstrumentRules | None,
    limits: RiskLimits | None,
    mark: Mark | None,
    decision: Decision | None = None,
    is_manual: bool = False,
) -> OrderProposal:
    """Return the question for the gate."""
    references = _references(mark=mark, decision=decision)
    timeframe = Timeframe(decision.timeframe) if decision else Timeframe("1m")
    proposal = build_proposal(
        wish,
        account_id=wish.account.pk,
        rules=rules,
        limits=limits,
        references=references,
        data_at=_data_time(references, decision),
        bar_s=timeframe.seconds,
        is_manual=is_manual,
    )
    return replace(proposal, scopes=wish.scopes)


def _references(*, mark: Mark | None, decision: Decision | None) -> tuple[ReferencePrice, ...]:
    found = []
    if decision is not None and decision.price > 0:
        found.append(
            ReferencePrice(price=decision.price, at=decision.close_time, source="last close")
        )
    if mark is not None:
        found.append(ReferencePrice(price=mark.price, at=mark.at, source="mark"))
    return tuple(found)


def _data_time(references: tuple[ReferencePrice, ...], decision: Decision | None) -> datetime:
    """Return the age that counts: the candle's for a strategy, else the newest price's."""
    if decision is not None:
        return decision.close_time
    times = [reference.at for reference in references]
    return max(times) if times else datetime.min.replace(tzinfo=UTC)
