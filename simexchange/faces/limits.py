"""Request weight, raw requests and order counts, in windows of wall time."""

from collections import defaultdict
from typing import Any

from simexchange.clock import SimClock
from simexchange.errors import ApiError

MINUTE_MS = 60_000
WEIGHT_LIMIT = 6000
ORDERS_10S_LIMIT = 100
ORDERS_1D_LIMIT = 200_000
TEN_SECONDS_MS = 10_000
DAY_MS = 86_400_000
RAW_LIMIT = 300_000
RAW_WINDOW_MS = 300_000
MAKER_RELIEF = 5
"""A first fill as maker takes so many unfilled orders off the count, one as taker a single one."""
LONGEST_BAN_MS = 3 * DAY_MS
IGNORED_BEFORE_BAN = 50
"""So many requests after the first 429 of a minute bring the ban."""
FIRST_BAN_MS = 120_000


class Refused(ApiError):
    """A limit's refusal; tells how long to wait."""

    def __init__(self, code: int, msg: str, status: int, retry_ms: float) -> None:
        super().__init__(code, msg, status)
        self.retry_ms = retry_ms


class Window:
    """Counts within aligned windows of wall time."""

    def __init__(self, length_ms: int) -> None:
        self.length_ms = length_ms
        self._start = -1
        self.count = 0

    def roll(self, wall_ms: float) -> int:
        """Return the count of the window `wall_ms` lies in."""
        start = int(wall_ms // self.length_ms)
        if start != self._start:
            self._start, self.count = start, 0
        return self.count

    def left_ms(self, wall_ms: float) -> float:
        """Return how long the window lasts still."""
        return (self._start + 1) * self.length_ms - wall_ms


class Limits:
    """The one IP's request weight and each account's unfilled orders.

    Args:
        clock: only its wall time is used: limits are about the line, not the market.
        weight_limit: weight per minute.
        orders_10s: unfilled orders per ten seconds.
        orders_1d: unfilled orders per day.
    """

    def __init__(
        self,
        clock: SimClock,
        *,
        weight_limit: int = WEIGHT_LIMIT,
        orders_10s: int = ORDERS_10S_LIMIT,
        orders_1d: int = ORDERS_1D_LIMIT,
    ) -> None:
        self.clock = clock
        self.weight_limit = weight_limit
        self.orders_10s = orders_10s
        self.orders_1d = orders_1d
        self._weight = Window(MINUTE_MS)
        self._raw = Window(RAW_WINDOW_MS)
        self._ignored = 0
        self._banned_until_ms = 0.0
        self._ban_ms = FIRST_BAN_MS
        self._orders: dict[str, tuple[Window, Window]] = defaultdict(
            lambda: (Window(TEN_SECONDS_MS), Window(DAY_MS))
        )

    @property
    def used_weight(self) -> int:
        return self._weight.roll(self.clock.wall_ms())

    def ban(self, seconds: float) -> None:
        """Refuse everything with 418 for so long."""
        self._banned_until_ms = self.clock.wall_ms() + seconds * 1000

    def charge(self, weight: int) -> int:
        """Book a request's weight and return what the minute has used.

        Raises:
            Refused: 429 over the limit, 418 for who does not stop then.
        """
        wall_ms = self.clock.wall_ms()
        if wall_ms < self._banned_until_ms:
            raise self._ban_refusal(wall_ms)
        if self._weight.roll(wall_ms) == 0:
            self._ignored = 0
        self._raw.roll(wall_ms)
        self._raw.count += 1
        self._weight.count += weight
        if self._raw.count > RAW_LIMIT:
            message = f"Too many requests; current limit is {RAW_LIMIT} requests per 5 MINUTE."
            raise self._refuse(message, self._raw, wall_ms)
        if self._weight.count > self.weight_limit:
            message = (
                f"Too much request weight used; current limit is {self.weight_limit} request "
                "weight per 1 MINUTE. Please use WebSocket Streams for live updates to avoid "
                "polling the API."
            )
            raise self._refuse(message, self._weight, wall_ms)
        return self._weight.count

    def _refuse(self, message: str, window: Window, wall_ms: float) -> Refused:
        """Return the refusal: 429, and 418 for who does not stop then."""
        self._ignored += 1
        if self._ignored > IGNORED_BEFORE_BAN:
            self._banned_until_ms = wall_ms + self._ban_ms
            self._ban_ms = min(self._ban_ms * 2, LONGEST_BAN_MS)
            return self._ban_refusal(wall_ms)
        return Refused(-1003, message, 429, window.left_ms(wall_ms))

    def _ban_refusal(self, wall_ms: float) -> Refused:
        return Refused(
            -1003,
            f"Way too much request weight used; IP banned until {int(self._banned_until_ms)}. "
            "Please use WebSocket Streams for live updates to avoid bans.",
            418,
            self._banned_until_ms - wall_ms,
        )

    def give_back(self, weight: int) -> None:
        """Take a weight back: successful placements and cancels weigh nothing."""
        self._weight.count = max(0, self._weight.count - weight)

    def order_counts(self, account: str) -> tuple[int, int]:
        """Return the account's unfilled orders of the ten seconds and of the day."""
        wall_ms = self.clock.wall_ms()
        short, day = self._orders[account]
        return short.roll(wall_ms), day.roll(wall_ms)

    def check_orders(self, account: str, orders: int) -> None:
        """Refuse a placement of so many orders when the account has too many unfilled.

        Raises:
            Refused: 429 -1015.
        """
        short_count, day_count = self.order_counts(account)
        short, day = self._orders[account]
        wall_ms = self.clock.wall_ms()
        if short_count + orders > self.orders_10s:
            raise self._too_many(f"{self.orders_10s} orders per 10 SECOND", short.left_ms(wall_ms))
        if day_count + orders > self.orders_1d:
            raise self._too_many(f"{self.orders_1d} orders per 1 DAY", day.left_ms(wall_ms))

    @staticmethod
    def _too_many(limit: str, left_ms: float) -> Refused:
        return Refused(-1015, f"Too many new orders; current limit is {limit}.", 429, left_ms)

    def count_orders(self, account: str, orders: int) -> None:
        """Book accepted orders; a negative number is the first fills' relief, never below zero."""
        self.order_counts(account)
        for window in self._orders[account]:
            window.count = max(0, window.count + orders)

    def relieve(self, account: str, is_maker: bool) -> None:  # noqa: FBT001 (a callback)
        """Take an order's first fill off the account's unfilled orders."""
        self.count_orders(account, -MAKER_RELIEF if is_maker else -1)

    def describe_orders(self, account: str) -> list[dict[str, Any]]:
        """Return the order limits with the account's counts, as rateLimit/order shows them."""
        short, day = self.order_counts(account)
        rows = (("SECOND", 10, self.orders_10s, short), ("DAY", 1, self.orders_1d, day))
        return [
            {
                "rateLimitType": "ORDERS",
                "interval": interval,
                "intervalNum": several,
                "limit": limit,
                "count": count,
            }
            for interval, several, limit, count in rows
        ]

    def describe(self) -> list[dict[str, Any]]:
        """Return every limit, as exchangeInfo shows them."""
        rows = (
            ("REQUEST_WEIGHT", "MINUTE", 1, self.weight_limit),
            ("ORDERS", "SECOND", 10, self.orders_10s),
            ("ORDERS", "DAY", 1, self.orders_1d),
            ("RAW_REQUESTS", "MINUTE", 5, RAW_LIMIT),
        )
        return [
            {"rateLimitType": kind, "interval": interval, "intervalNum": several, "limit": limit}
            for kind, interval, several, limit in rows
        ]

    def describe_weight(self) -> dict[str, Any]:
        """Return the weight limit with what is used, as the WebSocket API shows it."""
        return {
            "rateLimitType": "REQUEST_WEIGHT",
            "interval": "MINUTE",
            "intervalNum": 1,
            "limit": self.weight_limit,
            "count": self.used_weight,
        }
