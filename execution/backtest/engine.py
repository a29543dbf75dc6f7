"""The replay: the live decision, sizing, gate and protection over past candles.

Time jumps from one candle that matters to the next; what matters is known from the plans, from
the protective prices and from the orders under way. At each of them, in this order: what the
exchange did during the candle, then what is decided at its close.

Nothing here knows the future: an order that is decided at a close fills at the next open at the
earliest, a stop counts as hit before a target where nobody knows which came first, and the gate
sees the account as it was.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Context, Decimal, localcontext
from typing import Any, Protocol

from core.clock import from_ms
from execution.backtest.account import Account
from execution.backtest.costs import Costs
from execution.backtest.outcome import Asked, Outcome
from execution.backtest.plans import ASK, Call, Strategy
from execution.backtest.reasons import count_reasons
from execution.backtest.series import Series, exact, union_of_closes
from execution.backtest.slot import NEVER, MarketWish, Pending, Slot
from execution.backtest.venue import trade_candle
from execution.domain.decision import Action, PositionView, Reason
from execution.domain.order import Side
from execution.domain.proposal import build_proposal, entry_quantity
from execution.domain.slicing import part_of
from risk.domain.gate import Verdict, evaluate
from risk.domain.limits import RiskLimits
from risk.domain.snapshot import ReferencePrice
from risk.domain.trading_state import Level, StateView

# Products of prices and quantities stay exact.
EXACT = Context(prec=60)
_STEPS = 200


class Progress(Protocol):
    """Hears how far a long work is."""

    def __call__(self, done: int, total: int, message: str) -> None: ...


def _ignore(done: int, total: int, message: str) -> None:
    del done, total, message


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """The account and the exchange of a replay.

    Attributes:
        cash: Quote units at the start.
        limits: The gate's limits, and where protective orders go.
        costs: What the exchange takes.
        start_ms: The first close that is decided on; earlier candles are warm-up.
        is_closed_at_end: Sell what is held at the last close.
    """

    cash: Decimal = Decimal(100_000)
    limits: RiskLimits = field(default_factory=RiskLimits)
    costs: Costs = field(default_factory=Costs)
    start_ms: int | None = None
    is_closed_at_end: bool = True


def replay(
    series: Sequence[Series],
    strategies: Sequence[Strategy],
    setup: Setup,
    *,
    progress: Progress = _ignore,
) -> Outcome:
    """Run strategies over symbols on one account.

    Args:
        series: One per symbol, all of one quote asset.
        strategies: Asked in this order; a symbol belongs to who entered it first.
        setup: Account and exchange.
        progress: Hears of the candles that were passed, and how many there are.

    Raises:
        ValueError: There is nothing to replay, a symbol comes twice, or the quotes differ.
    """
    if not series or not strategies:
        raise ValueError("a replay needs at least one symbol and one strategy")
    symbols = [item.rules.symbol for item in series]
    if len(set(symbols)) < len(symbols):
        raise ValueError(f"each symbol may come once, was {', '.join(symbols)}")
    if len({item.rules.quote_asset for item in series}) > 1:
        raise ValueError("all symbols of one account must have the same quote asset")
    with localcontext(EXACT):
        return _Replay(series, strategies, setup, progress).run()


class _Replay:
    def __init__(
        self,
        series: Sequence[Series],
        strategies: Sequence[Strategy],
        setup: Setup,
        progress: Progress,
    ) -> None:
        self.setup = setup
        self.names = [strategy.name for strategy in strategies]
        closes = union_of_closes(series)
        start_ms = setup.start_ms if setup.start_ms is not None else int(closes[0])
        self.timeline = closes[closes >= start_ms]
        if not len(self.timeline):
            raise ValueError(f"no candle closes at or after the start, {from_ms(start_ms)}")
        self.slots = []
        for index, item in enumerate(series):
            progress(index, len(series), f"looking at {item.rules.symbol}")
            begin = int(item.close_ms.searchsorted(start_ms))
            plans = [strategy.plan(item) for strategy in strategies]
            self.slots.append(Slot(index=index, series=item, plans=plans, begin_row=begin))
        self.account = Account(
            timeline=self.timeline, slots=self.slots, setup_cash=setup.cash, names=self.names
        )
        self.state = StateView(level=Level.ACTIVE, epoch=0, is_running=True)
        self.denials: Counter[str] = Counter()
        self.asked: list[Asked] = []
        self.asked_at: list[tuple[int, int, int, str]] = []
        self.progress = progress

    def run(self) -> Outcome:
        slots, step = self.slots, max(1, len(self.timeline) // _STEPS)
        told = 0
        for slot in slots:
            slot.advance()
        while (moment := min(slot.next_close_ms for slot in slots)) != NEVER:
            self.account.worth.settle(moment)
            due = [slot for slot in slots if slot.next_close_ms == moment]
            for slot in due:
                trade_candle(slot, self.account, self.setup)
            for slot in due:
                self._decide(slot, moment)
            for slot in due:
                slot.advance()
            passed = int(self.timeline.searchsorted(moment))
            if passed >= told + step:
                told = passed
                self.progress(passed, len(self.timeline), "replaying")
        return self._close()

    def _decide(self, slot: Slot, moment: int) -> None:
        """Ask who has a say in the symbol at this close."""
        if slot.pending is not None:
            slot.waits.append((slot.row, slot.row + 1))
            return
        owner = None if slot.trip is None else slot.trip.owner
        for number, plan in enumerate(slot.plans):
            if owner is None:
                is_due = plan.flat[slot.row] == ASK
            else:
                is_due = owner == number and slot.is_due(number)
            if not is_due:
                continue
            call = plan.ask(
                slot.row,
                position=self._view(slot, number),
                state=self.state,
                now=from_ms(moment),
            )
            denial = self._act(slot, number, call, moment)
            self._note(slot, number, call, moment, denial)
            if call.action is not Action.HOLD and not denial:
                self._pass_over(slot, number + 1)
                return

    def _pass_over(self, slot: Slot, first: int) -> None:
        """Note why the strategies after the one that acted are not asked at this close."""
        for number, plan in enumerate(slot.plans[first:], start=first):
            if plan.flat[slot.row] == ASK:
                reason = Reason.ORDER_PENDING.value
                self.asked_at.append((slot.index, number, slot.row, reason))

    def _view(self, slot: Slot, number: int) -> PositionView:
        trip = slot.trip
        return PositionView(
            is_open=trip is not None,
            is_ours=trip is None or trip.owner == number,
            opened_at=None if trip is None else from_ms(trip.opened_ms),
            last_closed_at=None if slot.last_closed_ms is None else from_ms(slot.last_closed_ms),
            has_pending_order=slot.pending is not None,
            **self._parts(slot, number),
        )

    @staticmethod
    def _parts(slot: Slot, number: int) -> dict[str, Any]:
        """Return what the round trip was entered and left by, for strategies that ask."""
        trip = slot.trip
        if trip is None or not slot.plans[number].is_scaled:
            return {}
        return {
            "entries": trip.entries,
            "exits": trip.exits,
            "last_entry_price": float(trip.last_entry_price),
            "average_price": float(slot.position.average_entry_price),
        }

    def _act(self, slot: Slot, number: int, call: Call, moment: int) -> str:
        """Turn an answer into an order; return why the gate refused it, or nothing."""
        if call.action is Action.HOLD:
            return ""
        rules = slot.series.rules
        price = exact(slot.series.candles.close[slot.row])
        is_entry = call.action is Action.ENTER
        quantity = (
            entry_quantity(notional=call.notional, price=price, rules=rules)
            if is_entry
            else part_of(
                held=slot.position.quantity, fraction=call.exit_fraction, price=price, rules=rules
            )
        )
        verdict = self._judge(slot, number, quantity, price, moment, is_entry=is_entry)
        if not verdict.approved:
            code = verdict.denials[0].code.value
            self.denials[code] += 1
            return code
        fee = 1 + self.setup.limits.fee_fraction
        slot.pending = Pending(
            side=Side.BUY if is_entry else Side.SELL,
            reason=call.reason,
            owner=number,
            arrival_ms=moment + self.setup.costs.latency_ms,
            left=quantity,
            reserved=quantity * price * fee if is_entry else Decimal(0),
        )
        if not is_entry:
            slot.drop_guards()  # as in live trading: the pairs are cancelled before the sale
        return ""

    def _judge(
        self,
        slot: Slot,
        number: int,
        quantity: Decimal,
        price: Decimal,
        moment: int,
        *,
        is_entry: bool,
    ) -> Verdict:
        now, rules = from_ms(moment), slot.series.rules
        slot.attempts += 1
        wanted = MarketWish(
            intent_key=f"{rules.symbol}:{moment}:{slot.attempts}",
            instrument_id=rules.instrument_id,
            side=Side.BUY if is_entry else Side.SELL,
            quantity=quantity,
            is_reduce_only=not is_entry,
            strategy_id=number,
        )
        proposal = build_proposal(
            wanted,
            account_id=0,
            rules=rules,
            limits=self.setup.limits,
            references=(ReferencePrice(price=price, at=now, source="last close"),),
            data_at=now,
            bar_s=slot.series.timeframe.seconds,
        )
        return evaluate(
            proposal=proposal,
            portfolio=self.account.snapshot(moment),
            limits=self.setup.limits,
            state=self.state,
            rules=rules,
            now=now,
        )

    def _note(self, slot: Slot, number: int, call: Call, moment: int, denial: str) -> None:
        self.asked_at.append((slot.index, number, slot.row, call.reason))
        self.asked.append(
            Asked(
                symbol=slot.series.rules.symbol,
                strategy=self.names[number],
                close_ms=moment,
                action=call.action.value,
                reason=call.reason,
                confidence=call.confidence,
                edge_bps=call.edge_bps,
                notional=call.notional,
                denial=denial,
            )
        )

    def _close(self) -> Outcome:
        account, end = self.account, int(self.timeline[-1])
        if self.setup.is_closed_at_end:
            account.sell_everything(self.setup.costs)
        self.progress(len(self.timeline), len(self.timeline), "replayed")
        equity, exposure = account.worth.curves()
        return Outcome(
            timeline=self.timeline,
            equity=equity,
            exposure=exposure,
            start_cash=self.setup.cash,
            end_equity=account.worth.equity(end),
            trades=tuple(account.trades),
            reasons=count_reasons(self.slots, self.names, self.asked_at, account.held_spans),
            denials=dict(self.denials),
            asked=tuple(self.asked),
            executions=account.executions,
            turnover=account.turnover,
            expired=account.expired,
            rejected=account.rejected,
            written_off=account.written_off,
        )
