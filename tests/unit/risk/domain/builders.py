"""The smallest valid inputs of the gate; a test changes the one thing it is about."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from markets.domain.instrument import InstrumentRules
from risk.domain.gate import Verdict, evaluate
from risk.domain.limits import RiskLimits
from risk.domain.snapshot import (
    OrderProposal,
    PortfolioSnapshot,
    ReferencePrice,
    SymbolExposure,
)
from risk.domain.trading_state import Level, Purpose, StateView

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
D = Decimal


def make_rules(**changes: Any) -> InstrumentRules:
    values: dict[str, Any] = {
        "instrument_id": 1,
        "symbol": "BTCUSDT",
        "base_asset": "BTC",
        "quote_asset": "USDT",
        "status": "TRADING",
        "tick_size": D("0.01"),
        "step_size": D("0.00001"),
        "min_quantity": D("0.00001"),
        "max_quantity": D(9000),
        "market_max_quantity": D(100),
        "min_notional": D(5),
        "max_notional": D(9000000),
        "min_price": D("0.01"),
        "max_price": D(1000000),
        "bid_multiplier_up": D(5),
        "bid_multiplier_down": D("0.2"),
        "ask_multiplier_up": D(5),
        "ask_multiplier_down": D("0.2"),
        "max_open_orders": 200,
        "max_algo_orders": 5,
    }
    return InstrumentRules(**{**values, **changes})


def make_limits(**changes: Any) -> RiskLimits:
    return RiskLimits(**changes)


def make_reference(price: str = "50000", at: datetime = NOW) -> ReferencePrice:
    return ReferencePrice(price=D(price), at=at, source="close")


def make_entry(**changes: Any) -> OrderProposal:
    """A buy of 0.02 at 50000: notional 1000."""
    values: dict[str, Any] = {
        "intent_key": "1:ENTRY:1",
        "account_id": 7,
        "instrument_id": 1,
        "symbol": "BTCUSDT",
        "purpose": Purpose.ENTRY,
        "side": "BUY",
        "type": "LIMIT",
        "time_in_force": "IOC",
        "quantity": D("0.02"),
        "price": D(50000),
        "bar_s": 300,
        "references": (make_reference(),),
        "data_at": NOW,
        "strategy_id": 3,
        "decision_id": 1,
        "stop_loss_price": D(49000),
        "stop_limit_price": D(48510),
        "take_profit_price": D(52500),
    }
    return OrderProposal(**{**values, **changes})


def make_exit(**changes: Any) -> OrderProposal:
    """A market sale of the whole position of `make_holding`."""
    values: dict[str, Any] = {
        "intent_key": "2:EXIT:1",
        "purpose": Purpose.EXIT,
        "side": "SELL",
        "type": "MARKET",
        "time_in_force": None,
        "price": None,
        "is_reduce_only": True,
        "stop_loss_price": None,
        "stop_limit_price": None,
        "take_profit_price": None,
    }
    return make_entry(**{**values, **changes})


def make_protection(**changes: Any) -> OrderProposal:
    """An OCO over the whole position of `make_holding`."""
    values: dict[str, Any] = {
        "intent_key": "1:PROTECT:1",
        "purpose": Purpose.PROTECT,
        "type": "OCO",
        "price": D(52500),
        "stop_price": D(49000),
        "stop_limit_price": D(48510),
    }
    return make_exit(**{**values, **changes})


def make_exposure(**changes: Any) -> SymbolExposure:
    values: dict[str, Any] = {"instrument_id": 1, "symbol": "BTCUSDT", "mark_price": D(50000)}
    return SymbolExposure(**{**values, **changes})


def make_holding(**changes: Any) -> SymbolExposure:
    return make_exposure(position_quantity=D("0.02"), base_balance=D("0.02"), **changes)


def make_portfolio(*exposures: SymbolExposure, **changes: Any) -> PortfolioSnapshot:
    values: dict[str, Any] = {
        "account_id": 7,
        "as_of": NOW,
        "equity": D(20000),
        "day_start_equity": D(20000),
        "high_water_mark": D(20000),
        "quote_balance": D(20000),
        "exposures": {exposure.instrument_id: exposure for exposure in exposures},
        "last_reconciled_at": NOW - timedelta(minutes=1),
    }
    return PortfolioSnapshot(**{**values, **changes})


def make_state(level: Level = Level.ACTIVE, *, is_running: bool = True) -> StateView:
    return StateView(level=level, epoch=1, is_running=is_running)


def judge(
    proposal: OrderProposal | None = None,
    portfolio: PortfolioSnapshot | None = None,
    **changes: Any,
) -> Verdict:
    values: dict[str, Any] = {
        "proposal": proposal or make_entry(),
        "portfolio": portfolio or make_portfolio(),
        "limits": make_limits(),
        "state": make_state(),
        "rules": make_rules(),
        "now": NOW,
    }
    return evaluate(**{**values, **changes})


def codes(verdict: Verdict) -> list[str]:
    return [denial.code.value for denial in verdict.denials]
