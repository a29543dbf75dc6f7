"""What ``manage.py trade`` asks of the supervisor."""

import json
from dataclasses import asdict, dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """A desk to run, as the settings have it. Holds no secret: it is seen in the process list.

    Attributes:
        mode: Trading mode.
        data_dir: Everything that is kept lies below it.
        log_file: Where all processes log.
        port: Of the web server.
        with_web: Whether there is one.
        with_broker: Whether to start the bundled broker; else ``REDIS_URL`` names another.
        sim_port: Of the local exchange.
        sim_data: Candles that it replays; empty: it generates.
        sim_speed: Market seconds per second of the wall; 0: the default.
        sim_mirror: Exchange whose prices paper mode follows.
        record_into: Folder of the session to record; empty: none is.
        asked_at_s: When the user asked, by the monotonic clock.
    """

    mode: str
    data_dir: str
    log_file: str
    port: int
    with_web: bool
    with_broker: bool
    sim_port: int
    sim_data: str
    sim_speed: float
    sim_mirror: str
    asked_at_s: float
    record_into: str = ""

    def to_text(self) -> str:
        """Return the order as JSON."""
        return json.dumps(asdict(self))

    @classmethod
    def from_text(cls, text: str) -> "Order":
        """Read what ``to_text`` wrote."""
        return cls(**json.loads(text))
