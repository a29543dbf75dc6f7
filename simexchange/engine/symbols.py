"""The rules of symbols and of the exchange: as exchangeInfo shows them and as numbers."""

from collections.abc import Iterable, Mapping
from copy import deepcopy
from decimal import Decimal
from typing import Any

from simexchange.engine.decimals import ZERO, cut_atoms, read_decimal
from simexchange.engine.default_filters import FIELDS, PERMISSIONS, default_filters
from simexchange.market.api import Instrument

STATUSES = ("TRADING", "HALT", "BREAK", "CANCEL_ONLY", "END_OF_DAY", "AUCTION_MATCH")
ORDER_TYPES = (
    "LIMIT",
    "LIMIT_MAKER",
    "MARKET",
    "STOP_LOSS",
    "STOP_LOSS_LIMIT",
    "TAKE_PROFIT",
    "TAKE_PROFIT_LIMIT",
)
STP_MODES = ("NONE", "EXPIRE_TAKER", "EXPIRE_MAKER", "EXPIRE_BOTH", "DECREMENT", "TRANSFER")
DEFAULT_STP = "EXPIRE_MAKER"

MOST_OF_A_FILTER = Decimal(10) ** 15

Numbers = dict[str, dict[str, Decimal]]


def read_numbers(filters: Iterable[Mapping[str, Any]]) -> Numbers:
    """Return the filters' fields as Decimal, by filter type and name; flags are left out.

    Raises:
        ValueError: on a field that is not a number of zero or more.
    """
    return {
        str(entry["filterType"]): {
            name: _number(entry["filterType"], name, held)
            for name, held in entry.items()
            if name not in {"filterType", "asset"} and not isinstance(held, bool)
        }
        for entry in filters
    }


def _number(filter_type: Any, name: str, held: Any) -> Decimal:
    number = read_decimal(f"{filter_type} {name}", held)
    if not 0 <= number < MOST_OF_A_FILTER or number != cut_atoms(number):
        raise ValueError(
            f"{filter_type} {name} must lie from 0 to {MOST_OF_A_FILTER:f}, at most 8 decimals, "
            f"was {held!r}"
        )
    return number


def merge_filters(present: Iterable[Mapping[str, Any]], patch: Any) -> list[dict[str, Any]]:
    """Return the filters with the patch's fields in; a patch with ``"remove": true`` ends one."""
    merged = {entry["filterType"]: dict(entry) for entry in present}
    for entry in _list_of("filters", patch):
        if not isinstance(entry, Mapping) or entry.get("filterType") not in tuple(FIELDS):
            raise ValueError(f"filterType must be one of {', '.join(FIELDS)}, was {entry!r}")
        if entry.get("remove"):
            merged.pop(entry["filterType"], None)
        else:
            merged.setdefault(entry["filterType"], {}).update(entry)
    for name, entry in merged.items():
        missing = [field for field in FIELDS[name] if isinstance(entry.get(field, True), bool)]
        if missing:
            raise ValueError(f"{name} needs {', '.join(missing)}")
    return list(merged.values())


class SymbolRules:
    """One symbol's status, permissions and filters.

    `numbers[filterType][field]` are the filter's text fields as Decimal, kept in step with
    `filters` by `change`.
    """

    def __init__(self, instrument: Instrument) -> None:
        self.symbol = instrument.symbol
        self.base = instrument.base
        self.quote = instrument.quote
        self.status = "TRADING"
        self.permissions = dict(PERMISSIONS)
        self.order_types = list(ORDER_TYPES)
        self.stp_modes = list(STP_MODES)
        self.default_stp = DEFAULT_STP
        self._set_filters(default_filters(instrument))

    def _set_filters(self, filters: list[dict[str, Any]]) -> None:
        self.numbers = read_numbers(filters)
        self.filters = filters
        self.flags = frozenset(
            (entry["filterType"], name)
            for entry in filters
            for name, held in entry.items()
            if held is True
        )
        self.step = self.numbers.get("LOT_SIZE", {}).get("stepSize", ZERO)
        self.market_step = max(
            self.step, self.numbers.get("MARKET_LOT_SIZE", {}).get("stepSize", ZERO)
        )

    def flag(self, filter_type: str, name: str) -> bool:
        """Return a boolean field of a filter, False when the symbol has no such filter."""
        return (filter_type, name) in self.flags

    def allows(self, permission: str) -> bool:
        """Tell whether the symbol has this permission of exchangeInfo."""
        return self.permissions[permission]

    def change(self, patch: Mapping[str, Any]) -> None:
        """Set status, permissions, order types or prevention modes, or merge filters by type.

        Raises:
            ValueError: on what does not exist or is not a number.
        """
        status = _one_of("status", patch.get("status", self.status), STATUSES)
        order_types = _some_of("orderTypes", patch.get("orderTypes", self.order_types), ORDER_TYPES)
        modes = _some_of(
            "allowedSelfTradePreventionModes",
            patch.get("allowedSelfTradePreventionModes", self.stp_modes),
            STP_MODES,
        )
        mode = _one_of(
            "defaultSelfTradePreventionMode",
            patch.get("defaultSelfTradePreventionMode", self.default_stp),
            tuple(modes),
        )
        permissions = {name: patch.get(name, held) for name, held in self.permissions.items()}
        for name, held in permissions.items():
            if not isinstance(held, bool):
                raise ValueError(f"{name} is true or false, was {held!r}")
        filters = merge_filters(self.filters, patch.get("filters", ()))
        read_numbers(filters)
        self._set_filters(filters)
        self.status, self.order_types, self.stp_modes, self.default_stp = (
            status,
            order_types,
            modes,
            mode,
        )
        self.permissions = permissions

    def record(self) -> dict[str, Any]:
        """Return what `change` takes back."""
        return {
            "status": self.status,
            "orderTypes": self.order_types,
            "defaultSelfTradePreventionMode": self.default_stp,
            "allowedSelfTradePreventionModes": self.stp_modes,
            "filters": self.filters,
            **self.permissions,
        }

    def describe(self) -> dict[str, Any]:
        """Return the symbol object of exchangeInfo."""
        return {
            "symbol": self.symbol,
            "status": self.status,
            "baseAsset": self.base,
            "baseAssetPrecision": 8,
            "quoteAsset": self.quote,
            "quotePrecision": 8,
            "quoteAssetPrecision": 8,
            "baseCommissionPrecision": 8,
            "quoteCommissionPrecision": 8,
            "orderTypes": list(self.order_types),
            **self.permissions,
            "filters": deepcopy(self.filters),
            "permissions": [],
            "permissionSets": [["SPOT"]],
            "defaultSelfTradePreventionMode": self.default_stp,
            "allowedSelfTradePreventionModes": list(self.stp_modes),
        }


class ExchangeRules:
    """The filters over all symbols, and those of single assets that only myFilters shows."""

    def __init__(self) -> None:
        self.filters: list[dict[str, Any]] = []
        self.asset_filters: list[dict[str, Any]] = []
        self.numbers: Numbers = {}
        self.asset_limits: dict[str, Decimal] = {}

    def change(self, patch: Mapping[str, Any]) -> None:
        """Merge `exchangeFilters` by type, and set `assetFilters` (MAX_ASSET) anew.

        Raises:
            ValueError: on what is not a filter of numbers.
        """
        filters = merge_filters(self.filters, patch.get("exchangeFilters", ()))
        numbers = read_numbers(filters)
        assets = patch.get("assetFilters", self.asset_filters)
        limits = dict(_asset_limit(one) for one in _list_of("assetFilters", assets))
        self.filters, self.numbers = filters, numbers
        self.asset_filters, self.asset_limits = list(assets), limits

    def record(self) -> dict[str, Any]:
        """Return what `change` takes back."""
        return {"exchangeFilters": self.filters, "assetFilters": self.asset_filters}


def _list_of(name: str, held: Any) -> list[Any]:
    if not isinstance(held, list | tuple):
        raise ValueError(f"{name} takes a list, was {held!r}")
    return list(held)


def _asset_limit(entry: Any) -> tuple[str, Decimal]:
    if not isinstance(entry, Mapping) or not {"asset", "limit"} <= entry.keys():
        raise ValueError(f"an asset filter has asset and limit, was {entry!r}")
    return str(entry["asset"]), _number("MAX_ASSET", "limit", entry["limit"])


def _one_of(name: str, held: Any, allowed: tuple[str, ...]) -> str:
    if held not in allowed:
        raise ValueError(f"{name} must be one of {', '.join(allowed)}, was {held}")
    return str(held)


def _some_of(name: str, held: Any, allowed: tuple[str, ...]) -> list[str]:
    if not isinstance(held, list) or not held or any(one not in allowed for one in held):
        raise ValueError(f"{name} takes some of {', '.join(allowed)}, was {held}")
    return list(held)


def exchange_info(
    rules: Iterable[SymbolRules],
    now_ms: int,
    *,
    rate_limits: Iterable[Mapping[str, Any]],
    exchange_filters: Iterable[Mapping[str, Any]],
) -> dict[str, Any]:
    """Return the exchangeInfo reply for these symbols."""
    return {
        "timezone": "UTC",
        "serverTime": now_ms,
        "rateLimits": [dict(limit) for limit in rate_limits],
        "exchangeFilters": [dict(one) for one in exchange_filters],
        "symbols": [one.describe() for one in rules],
    }
