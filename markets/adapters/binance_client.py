"""The one way a python-binance client is made: right address, right clock, no surprises."""

import ipaddress
import time
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from binance.client import Client

from core.clock import Clock
from core.errors import NeedsOperator

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


class VenueClient(Client):
    """A python-binance client that sends once, waits a bounded time and signs by our clock.

    It neither retries nor follows redirects, and asks nothing when it is made. Not for two
    threads at once.
    """

    REQUEST_RECVWINDOW = RECEIVE_WINDOW_MS

    def __init__(
        self, *, addresses: Addresses, clock: Clock, api_key: str = "", api_secret: str = ""
    ) -> None:
        self._clock = clock
        self._pinned_offset: float | None = None
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
                "timeout": (CONNECT_TIMEOUT_S, READ_TIMEOUT_S),
                "allow_redirects": False,
            },
            ping=False,
        )
        # No proxy, no .netrc: what is signed here goes straight to the exchange we named.
        self.session.trust_env = not is_loopback(addresses.rest)

    @property
    def timestamp_offset(self) -> float:
        """Milliseconds to add to the wall clock for a time stamp: our clock, unless pinned."""
        if self._pinned_offset is not None:
            return self._pinned_offset
        return self._clock.now_ms() - time.time() * 1000

    @timestamp_offset.setter
    def timestamp_offset(self, offset_ms: float) -> None:
        # The base class starts with 0, which must not count as a wish.
        self._pinned_offset = offset_ms or None

    def _request(
        self,
        method: str,
        uri: str,
        signed: bool,  # noqa: FBT001 - python-binance's signature
        force_params: bool = False,  # noqa: FBT001, FBT002 - the same
        **kwargs: Any,
    ) -> Any:
        self.response = None
        try:
            return super()._request(method, uri, signed, force_params, **kwargs)
        finally:
            if self.response is not None:
                weight = self.response.headers.get("x-mbx-used-weight-1m", "")
                self.used_weight = int(weight) if weight.isdigit() else self.used_weight


def build_client(
    *, mode: str, sim_url: str, clock: Clock, api_key: str = "", api_secret: str = ""
) -> VenueClient:
    """Return a client for a trading mode; without a key only for public calls.

    Raises:
        NeedsOperator: the mode and the address contradict each other.
    """
    addresses = addresses_of(mode=mode, sim_url=sim_url)
    client = VenueClient(addresses=addresses, clock=clock, api_key=api_key, api_secret=api_secret)
    uri = client._create_api_uri("order")
    if is_loopback(uri) is not (mode in _LOCAL_MODES) or not uri.startswith(addresses.rest):
        raise NeedsOperator(f"{mode} mode must not send orders to {addresses.origin}", mode=mode)
    return client
