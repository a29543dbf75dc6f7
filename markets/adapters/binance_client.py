"""The one way a python-binance client is made: right address, right clock, no surprises."""

import contextlib
import ipaddress
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

from binance.client import Client

from core.clock import Clock
from core.errors import NeedsOperator
from core.recording.tape import told
from markets.adapters.rate_budget import BudgetSpent, RateBudget
from markets.adapters.taped_http import TapedAdapter
from markets.domain.budget import Priority, priority_of

CONNECT_TIMEOUT_S = 2
# The exchange waits 10 s for its engine before it says "unknown"; hear it say so.
READ_TIMEOUT_S = 12
RECEIVE_WINDOW_MS = 5000
_LOCAL_MODES = ("demo", "paper")


@dataclass(frozen=True, slots=True, kw_only=True)
class Addresses:
    """Where an exchange listens.

    Attributes:
        rest: Base of REST paths such as ``/v3/order``.
        margin: Base of ``/sapi`` paths.
        stream: Base of market streams, with a trailing slash.
        ws_api: WebSocket API.
    """

    rest: str
    margin: str
    stream: str
    ws_api: str

    @property
    def origin(self) -> str:
        """Scheme, host and port of REST."""
        parts = urlsplit(self.rest)
        return f"{parts.scheme}://{parts.netloc}"


TESTNET = Addresses(
    rest="https://testnet.binance.vision/api",
    margin="https://testnet.binance.vision/sapi",
    stream="wss://stream.testnet.binance.vision/",
    ws_api="wss://ws-api.testnet.binance.vision/ws-api/v3",
)
LIVE = Addresses(
    rest="https://api.binance.com/api",
    margin="https://api.binance.com/sapi",
    stream="wss://stream.binance.com:9443/",
    ws_api="wss://ws-api.binance.com/ws-api/v3",
)


def addresses_of(*, mode: str, sim_url: str) -> Addresses:
    """Return where to connect to in a trading mode.

    Args:
        mode: demo, paper, testnet or live.
        sim_url: Address of the local exchange, used in demo and paper mode alone.

    Raises:
        NeedsOperator: `sim_url` leaves this machine, or `mode` is unknown.
    """
    if mode == "live":
        return LIVE
    if mode == "testnet":
        return TESTNET
    if mode not in _LOCAL_MODES:
        raise NeedsOperator(f"TRADING_MODE must be known, was {mode!r}", variable="TRADING_MODE")
    parts = urlsplit(sim_url)
    if parts.scheme not in ("http", "https") or not is_loopback(sim_url):
        raise NeedsOperator(
            f"In {mode} mode SIM_URL must be an address of this machine such as"
            f" http://127.0.0.1:9443, was {sim_url!r}",
            variable="SIM_URL",
            value=sim_url,
        )
    base = f"{parts.scheme}://{parts.netloc}"
    ws_base = f"{'wss' if parts.scheme == 'https' else 'ws'}://{parts.netloc}"
    return Addresses(
        rest=f"{base}/api",
        margin=f"{base}/sapi",
        stream=f"{ws_base}/",
        ws_api=f"{ws_base}/ws-api/v3",
    )


def is_loopback(url: str) -> bool:
    """Tell whether the address is of this machine."""
    host = urlsplit(url).hostname or ""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _wall_s(clock: Clock, seconds: float) -> float:
    """Return one of the exchange's waits in wall seconds."""
    return clock.venue(timedelta(seconds=seconds)).total_seconds() / clock.speed


class VenueClient(Client):
    """A python-binance client that sends once, waits a bounded time and signs by our clock.

    It neither retries nor follows redirects, and asks nothing when it is made. Not for two
    threads at once.
    """

    def __init__(
        self,
        *,
        addresses: Addresses,
        clock: Clock,
        api_key: str = "",
        api_secret: str = "",
        budget: RateBudget | None = None,
    ) -> None:
        self._clock = clock
        self._pinned_ms: int | None = None
        self._budget = budget
        self.REQUEST_RECVWINDOW = round(_wall_s(clock, RECEIVE_WINDOW_MS / 1000) * 1000)
        self.used_weight = 0
        """Request weight used in this minute, as the exchange last said (6000 are allowed)."""
        # python-binance formats and keeps these in its constructor.
        self.API_URL = addresses.rest
        self.MARGIN_API_URL = addresses.margin
        self.WS_API_URL = addresses.ws_api
        super().__init__(
            api_key or None,
            api_secret or None,
            requests_params={
                "timeout": (CONNECT_TIMEOUT_S, _wall_s(clock, READ_TIMEOUT_S)),
                "allow_redirects": False,
            },
            ping=False,
        )
        for prefix in ("http://", "https://"):
            self.session.mount(prefix, TapedAdapter())
        # No proxy, no .netrc: what is signed here goes straight to the exchange we named.
        self.session.trust_env = not is_loopback(addresses.rest)

    @property
    def timestamp_offset(self) -> float:
        """Milliseconds to add to the wall clock for a time stamp: our clock, unless pinned."""
        if self._pinned_ms is not None:
            # The base class cuts the sum to whole milliseconds.
            return self._pinned_ms + 0.5 - time.time() * 1000
        return self._clock.now_ms() - time.time() * 1000

    @timestamp_offset.setter
    def timestamp_offset(self, _offset_ms: float) -> None:
        """Ignore what the base class sets when it is made."""

    @contextlib.contextmanager
    def signing_at(self, time_ms: int) -> Iterator[None]:
        """Sign with exactly this time in the block, however long it takes to get to it."""
        self._pinned_ms = time_ms
        try:
            yield
        finally:
            self._pinned_ms = None

    def _request(
        self,
        method: str,
        uri: str,
        signed: bool,  # noqa: FBT001 - python-binance's signature
        force_params: bool = False,  # noqa: FBT001, FBT002 - the same
        **kwargs: Any,
    ) -> Any:
        self.response = None
        if self._budget is not None:
            side = str((kwargs.get("data") or {}).get("side", ""))
            path = urlsplit(uri).path
            self._require(priority_of(method=method, path=path, side=side))
        try:
            reply = super()._request(method, uri, signed, force_params, **kwargs)
            if self._budget is not None and urlsplit(uri).path.endswith("/exchangeInfo"):
                self._budget.learn_limit(weight_limit_of(reply))
            return reply
        finally:
            if self.response is not None:
                self._learn(self.response)

    def get_exchange_info_of(self, *, symbol: str) -> Any:
        """Return ``exchangeInfo`` of one symbol; the base class only asks for all."""
        return self._get("exchangeInfo", data={"symbol": symbol})

    def _require(self, priority: Priority) -> None:
        """Ask the budget, which other processes spend too.

        Raises:
            BudgetSpent: It lets no request of this priority pass.
        """
        refusal = told("budget", lambda: self._ask_budget(priority))
        if refusal is not None:
            raise BudgetSpent(refusal["message"], **refusal["context"])

    def _ask_budget(self, priority: Priority) -> dict[str, Any] | None:
        if self._budget is None:
            return None
        try:
            self._budget.require(priority)
        except BudgetSpent as error:
            return {"message": error.message, "context": error.context}
        return None

    def quiet_s(self) -> float:
        """Return for how many wall seconds the exchange must be left alone."""
        budget = self._budget
        return told("quiet", budget.quiet_s) if budget is not None else 0.0

    def _learn(self, response: Any) -> None:
        headers = response.headers
        used = _whole(headers.get("x-mbx-used-weight-1m"))
        self.used_weight = self.used_weight if used is None else used
        if self._budget is not None:
            self._budget.learn(
                used=used,
                http_status=response.status_code,
                retry_after_s=_whole(headers.get("Retry-After")),
            )


def weight_limit_of(info: Any) -> int | None:
    """Return the request weight per minute that ``exchangeInfo`` tells of; None: it does not."""
    for item in info.get("rateLimits", ()):
        kind = (item.get("rateLimitType"), item.get("interval"), item.get("intervalNum"))
        if kind == ("REQUEST_WEIGHT", "MINUTE", 1):
            return int(item["limit"])
    return None


def _whole(text: str | None) -> int | None:
    return int(text) if text is not None and text.isascii() and text.isdigit() else None


def build_client(
    *,
    mode: str,
    sim_url: str,
    clock: Clock,
    api_key: str = "",
    api_secret: str = "",
    weight_limit: int | None = None,
) -> VenueClient:
    """Return a client for a trading mode; without a key only for public calls.

    Args:
        mode: demo, paper, testnet or live.
        sim_url: Address of the local exchange.
        clock: Also signs.
        api_key: Of the account.
        api_secret: Of the account.
        weight_limit: Request weight per minute that all clients of this address share; 0 is what
            the exchange itself says, None asks without a budget.

    Raises:
        NeedsOperator: the mode and the address contradict each other.
    """
    addresses = addresses_of(mode=mode, sim_url=sim_url)
    budget = None
    if weight_limit is not None:
        budget = RateBudget(origin=addresses.origin, limit=weight_limit)
    client = VenueClient(
        addresses=addresses, clock=clock, api_key=api_key, api_secret=api_secret, budget=budget
    )
    uri = client._create_api_uri("order")
    if is_loopback(uri) is not (mode in _LOCAL_MODES) or not uri.startswith(addresses.rest):
        raise NeedsOperator(f"{mode} mode must not send orders to {addresses.origin}", mode=mode)
    return client
