"""The settings of the one strategy that ``import_config`` knows."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db import transaction

from core.audit import record
from core.errors import Conflict, InvalidInput, NotFound
from execution.domain.decision import ConfidenceMode
from execution.models import Account, Strategy
from execution.services.strategies import DEFAULT_STRATEGY
from markets.selectors import list_rules

_HALF = Decimal("0.5")
_MOST_MARGIN = Decimal("0.45")


@dataclass(frozen=True, slots=True, kw_only=True)
class TradingSettings:
    """What is traded and how; sizes in quote units."""

    symbols: tuple[str, ...]
    base_position_size: Decimal
    min_confidence: Decimal
    confidence_mode: str
    confidence_margin: Decimal
    allow_short: bool


def get_trading_settings() -> TradingSettings:
    """Return the settings of the strategy, the defaults of a new one when there is none.

    Raises:
        Conflict: There are several strategies and none is called "default".
    """
    return _settings_of(_find_strategy())


@transaction.atomic
def save_trading_settings(
    *,
    changes: Mapping[str, Any],
    account_id: int,
    max_position_size: Decimal,
    actor: str,
    reason: str,
    now: datetime,
) -> TradingSettings:
    """Change some settings of the strategy, which is made when there is none.

    Args:
        changes: New values by field of ``TradingSettings``.
        account_id: The account that a new strategy trades on.
        max_position_size: The risk limit that the base size must stay within, quote.
        actor: Who changes them.
        reason: Why.
        now: Market time.

    Raises:
        InvalidInput: A value cannot be; ``context`` names field, value and fix.
        NotFound: The account does not exist.
        Conflict: There are several strategies and none is called "default".
    """
    strategy = _find_strategy()
    before = _settings_of(strategy)
    wanted = {name: changes.get(name, getattr(before, name)) for name in before.__slots__}
    after = TradingSettings(**wanted)
    _check(after, max_position_size=max_position_size)
    instrument_ids = _find_instruments(after.symbols) if "symbols" in changes else None
    if strategy is None:
        if not Account.objects.filter(pk=account_id).exists():
            raise NotFound(f"account {account_id} does not exist", field="account_id")
        strategy = Strategy(name=DEFAULT_STRATEGY, account_id=account_id)
    elif after == before:
        return after
    strategy.base_position_size = after.base_position_size
    strategy.min_confidence = float(after.min_confidence)
    strategy.confidence_mode = after.confidence_mode
    strategy.confidence_margin = float(after.confidence_margin)
    strategy.allow_short = after.allow_short
    strategy.save()
    if instrument_ids is not None:
        strategy.instruments.set(instrument_ids)
    record(
        actor=actor,
        action="execution.save_trading_settings",
        subject=f"strategy:{strategy.pk}",
        before={name: getattr(before, name) for name in before.__slots__},
        after=wanted,
        reason=reason,
        now=now,
    )
    return after


def _find_strategy() -> Strategy | None:
    strategies = list(Strategy.objects.order_by("id")[:50])
    if len(strategies) <= 1:
        return strategies[0] if strategies else None
    for strategy in strategies:
        if strategy.name == DEFAULT_STRATEGY:
            return strategy
    raise Conflict(
        f"of {len(strategies)} strategies none is called {DEFAULT_STRATEGY!r}; use the admin"
    )


def _settings_of(strategy: Strategy | None) -> TradingSettings:
    row = strategy or Strategy()
    symbols: tuple[str, ...] = ()
    if strategy is not None:
        symbols = tuple(strategy.instruments.order_by("symbol").values_list("symbol", flat=True))
    return TradingSettings(
        symbols=symbols,
        base_position_size=Decimal(row.base_position_size),
        min_confidence=Decimal(str(row.min_confidence)),
        confidence_mode=row.confidence_mode,
        confidence_margin=Decimal(str(row.confidence_margin)),
        allow_short=row.allow_short,
    )


def _check(settings: TradingSettings, *, max_position_size: Decimal) -> None:
    size, confidence = settings.base_position_size, settings.min_confidence
    if not 0 < size <= max_position_size:
        raise InvalidInput(
            f"base_position_size was {size}",
            field="base_position_size",
            value=str(size),
            fix=f"must be above 0 and at most max_position_size, {max_position_size}",
        )
    if not _HALF <= confidence < 1:
        raise InvalidInput(
            f"min_confidence was {confidence}",
            field="min_confidence",
            value=str(confidence),
            fix="must be from 0.5 to below 1",
        )
    if settings.confidence_mode not in set(ConfidenceMode):
        raise InvalidInput(
            f"confidence_mode was {settings.confidence_mode}",
            field="confidence_mode",
            value=settings.confidence_mode,
            fix=f"must be one of {', '.join(ConfidenceMode)}",
        )
    if not 0 <= settings.confidence_margin <= _MOST_MARGIN:
        raise InvalidInput(
            f"confidence_margin was {settings.confidence_margin}",
            field="confidence_margin",
            value=str(settings.confidence_margin),
            fix=f"must be from 0 to {_MOST_MARGIN}",
        )
    if settings.allow_short:
        raise InvalidInput(
            "allow_short was true",
            field="allow_short",
            value="true",
            fix="write false: a spot account cannot sell what it does not hold",
        )


def _find_instruments(symbols: tuple[str, ...]) -> list[int]:
    by_symbol = {rules.symbol: key for key, rules in list_rules().items()}
    for symbol in symbols:
        if symbol not in by_symbol:
            raise InvalidInput(
                f"symbol {symbol} is not known",
                field="symbols",
                value=symbol,
                fix="correct it, or subscribe to it first (POST /data/subscribe)",
            )
    return [by_symbol[symbol] for symbol in symbols]
