"""What the gate looks at: the whole account, and one order that somebody wants to place."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Context, Decimal, localcontext
from statistics import median

from risk.domain.order_forms import FORMS, worst_price
from risk.domain.trading_state import Purpose

ZERO = Decimal(0)
# Products of two 38-digit numbers stay exact, also where the gate's own context does not reach.
_EXACT = Context(prec=80)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReferencePrice:
    """One independent opinion on the present price, and when it was formed."""

    price: Decimal
    at: datetime
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderProposal:
    """An order before the gate.

    Side, type and time in force are plain strings in Binance's words: whether they are words at
    all is the first check. An OCO (`type` "OCO") has its take-profit in `price` and its stop's
    trigger in `stop_price`.

    Attributes:
        intent_key: Identity of the intent, such as "decision:leg:attempt"; unique for ever.
        purpose: ENTRY, EXIT or PROTECT; everything that may increase exposure is an ENTRY.
        is_manual: A person asked for it.
        scopes: Kill switches that it stands under beside the global one.
        bar_s: Length of the strategy's candle, seconds; market data's age is counted in it.
        references: Opinions on the price: last close, last ticker, the exchange's average.
        data_at: Time of the newest market data that the order rests on.
        trailing_delta_bps: Distance of a trailing stop from the best price, hundredths of 1 %.
        leg_limit_price: Limit price of an OCO's stop leg; None: it sells at the market.
        stop_loss_price: The stop that must follow an entry; None for exits.
        stop_limit_price: The limit price of that stop.
        take_profit_price: The take-profit that must follow an entry; None for exits.
        has_pending_pair: That pair waits at the exchange, in one list with the entry.
    """

    intent_key: str
    account_id: int
    instrument_id: int
    symbol: str
    purpose: Purpose
    side: str
    type: str
    quantity: Decimal
    bar_s: int
    references: tuple[ReferencePrice, ...]
    data_at: datetime
    time_in_force: str | None = None
    price: Decimal | None = None
    stop_price: Decimal | None = None
    leg_limit_price: Decimal | None = None
    trailing_delta_bps: int | None = None
    is_reduce_only: bool = False
    is_manual: bool = False
    scopes: tuple[str, ...] = ()
    strategy_id: int | None = None
    decision_id: int | None = None
    stop_loss_price: Decimal | None = None
    stop_limit_price: Decimal | None = None
    take_profit_price: Decimal | None = None
    has_pending_pair: bool = False

    @property
    def reference(self) -> Decimal | None:
        """Median of the reference prices; None without any."""
        if len(self.references) == 1:
            return self.references[0].price
        return median(item.price for item in self.references) if self.references else None

    @property
    def entry_price(self) -> Decimal | None:
        """Where it is expected to trade: at its limit, at its stop, or at the market."""
        return self.price or self.stop_price or self.reference

    @property
    def notional(self) -> Decimal | None:
        """Most that the order may cost or earn: quantity at the dearest of its prices."""
        worst = worst_price(
            reference=self.reference,
            price=self.price,
            stop_price=self.stop_price,
            stop_limit_price=self.leg_limit_price,
            trailing_delta_bps=self.trailing_delta_bps,
        )
        return None if worst is None else _EXACT.multiply(self.quantity, worst)


@dataclass(frozen=True, slots=True, kw_only=True)
class SymbolExposure:
    """What is held and what may yet be held of one symbol.

    Every order that is not final counts with its whole unfilled quantity: resting, approved,
    being sent, and unknown ones too.

    Attributes:
        position_quantity: Base units of the open position.
        mark_price: Present price; quote per base.
        pending_buy_quantity: Unfilled base units of all live buys.
        pending_buy_notional: The same in quote, each at the dearer of its limit and the mark.
        pending_exit_quantity: Unfilled base units of live sells that are not protective.
        protective_quantity: Base units that live protective orders would sell (an OCO once).
        base_balance: The ledger's total of the base asset.
        has_unresolved: An order is SENDING, UNKNOWN or QUARANTINED.
        open_orders: Live orders as the exchange counts them (the legs of an OCO one each).
        open_algo_orders: Those of them with a stop price.
    """

    instrument_id: int
    symbol: str
    position_quantity: Decimal = ZERO
    mark_price: Decimal | None = None
    pending_buy_quantity: Decimal = ZERO
    pending_buy_notional: Decimal = ZERO
    pending_exit_quantity: Decimal = ZERO
    protective_quantity: Decimal = ZERO
    base_balance: Decimal = ZERO
    has_unresolved: bool = False
    open_orders: int = 0
    open_algo_orders: int = 0

    @property
    def has_exposure(self) -> bool:
        """Whether something is held or may be held once the live orders fill."""
        return self.position_quantity > ZERO or self.pending_buy_quantity > ZERO


@dataclass(frozen=True, slots=True, kw_only=True)
class RecentOrder:
    """An order of the last minute, for telling a repetition."""

    instrument_id: int
    strategy_id: int | None
    side: str
    quantity: Decimal
    price: Decimal | None
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class PortfolioSnapshot:
    """One account as the database has it inside the gate's transaction.

    Attributes:
        equity: Cash plus positions at market, quote; None: not known, entries are denied.
        day_start_equity: Equity at the start of the UTC day; None with `equity`.
        high_water_mark: Highest equity seen; None with `equity`.
        quote_balance: The ledger's total of the quote asset.
        reserved_quote: Promised to live buys, sent or not.
        exposures: By instrument id; an absent instrument has none.
        live_keys: Intent keys that have an order already.
        last_reconciled_at: When the books last equalled the exchange's; None: not since start.
    """

    account_id: int
    as_of: datetime
    equity: Decimal | None
    day_start_equity: Decimal | None
    high_water_mark: Decimal | None
    quote_balance: Decimal
    reserved_quote: Decimal = ZERO
    exposures: Mapping[int, SymbolExposure] = field(default_factory=dict)
    live_keys: frozenset[str] = frozenset()
    recent_orders: tuple[RecentOrder, ...] = ()
    last_reconciled_at: datetime | None = None

    @property
    def available_quote(self) -> Decimal:
        """Quote that is neither spent nor promised."""
        return self.quote_balance - self.reserved_quote

    @property
    def open_orders(self) -> int:
        """Live orders over all symbols."""
        return sum(exposure.open_orders for exposure in self.exposures.values())

    def exposure_of(self, instrument_id: int, symbol: str) -> SymbolExposure:
        """Return the symbol's exposure, an empty one when there is none."""
        return self.exposures.get(instrument_id) or SymbolExposure(
            instrument_id=instrument_id, symbol=symbol
        )

    def including(self, proposal: OrderProposal, *, fee_fraction: Decimal) -> "PortfolioSnapshot":
        """Return the snapshot as if `proposal`, just approved, were live."""
        with localcontext(_EXACT):
            return self._including(proposal, fee_fraction=fee_fraction)

    def _including(self, proposal: OrderProposal, *, fee_fraction: Decimal) -> "PortfolioSnapshot":
        before = self.exposure_of(proposal.instrument_id, proposal.symbol)
        notional = proposal.notional or ZERO
        is_buy = proposal.side == "BUY"
        is_protective = proposal.purpose is Purpose.PROTECT
        sold = ZERO if is_buy else proposal.quantity
        after = replace(
            before,
            pending_buy_quantity=before.pending_buy_quantity
            + (proposal.quantity if is_buy else ZERO),
            pending_buy_notional=before.pending_buy_notional + (notional if is_buy else ZERO),
            pending_exit_quantity=before.pending_exit_quantity + (ZERO if is_protective else sold),
            protective_quantity=before.protective_quantity + (sold if is_protective else ZERO),
            open_orders=before.open_orders + count_orders(proposal),
            open_algo_orders=before.open_algo_orders + count_algo_orders(proposal),
        )
        reserved = notional * (1 + fee_fraction) if is_buy else ZERO
        recent = RecentOrder(
            instrument_id=proposal.instrument_id,
            strategy_id=proposal.strategy_id,
            side=proposal.side,
            quantity=proposal.quantity,
            price=proposal.price,
            created_at=self.as_of,
        )
        return replace(
            self,
            reserved_quote=self.reserved_quote + reserved,
            exposures={**self.exposures, proposal.instrument_id: after},
            live_keys=self.live_keys | {proposal.intent_key},
            recent_orders=(*self.recent_orders, recent),
        )


def count_orders(proposal: OrderProposal) -> int:
    """Return how many orders the exchange will count: an OCO is two, an OTOCO three."""
    pending = FORMS["OCO"].orders if proposal.has_pending_pair else 0
    return FORMS[proposal.type].orders + pending


def count_algo_orders(proposal: OrderProposal) -> int:
    """Return how many of them have a stop price."""
    pending = FORMS["OCO"].algo_orders if proposal.has_pending_pair else 0
    return FORMS[proposal.type].algo_orders + pending
