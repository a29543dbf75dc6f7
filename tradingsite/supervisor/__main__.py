"""``python -m tradingsite.supervisor ORDER``: run a desk until Ctrl-C.

``manage.py trade`` becomes this program once it has read the settings, so that the process that
outlives all others does not hold the web framework.
"""

import sys
import time
from pathlib import Path

from core.errors import TradingError
from tradingsite.settings.env import TradingMode
from tradingsite.supervisor.desk import Desk
from tradingsite.supervisor.market import (
    DemoMarket,
    generated_market,
    mirrored_market,
    replayed_market,
)
from tradingsite.supervisor.order import Order


def main() -> None:
    """Bring the desk up, stay, end it in good order."""
    order = Order.from_text(sys.argv[1])
    desk = None
    try:
        desk = Desk(data_dir=Path(order.data_dir), port=order.port, say=_say)
        _bring_up(desk, order)
        _say(_ready_block(desk, order))
        desk.run()
        _say("Stopping …")
    except KeyboardInterrupt:
        _say("Stopping …")
    except TradingError as error:
        sys.exit(f"Error: {error.message}")
    finally:
        if desk:
            desk.stop(record_into=order.record_into)
    _say("Stopped. Everything is kept; the same command goes on from here.")


def _bring_up(desk: Desk, order: Order) -> None:
    desk.prepare_forks()
    desk.share(TRADING_MODE=order.mode)
    if order.record_into:
        desk.share(RECORD_INTO=order.record_into)
    if order.with_broker:
        _say("broker …")
        desk.start_broker()
    if order.mode in (TradingMode.DEMO, TradingMode.PAPER):
        desk.share(
            SECRET_KEY=desk.state.secret_key,
            DESK_ADMIN_PASSWORD=desk.state.admin_password,
            API_TOKEN=desk.state.api_token,
        )
        market = _market(order)
        _say(f"local exchange: {', '.join(market.symbols)} at {market.speed:g}x …")
        desk.start_exchange(market, port=order.sim_port)
        desk.prepare(
            *("--symbols", ",".join(market.symbols)),
            *("--timeframe", market.timeframe.value, "--demo"),
        )
    else:
        desk.prepare()
    if order.record_into:
        _say(f"recording into {order.record_into} …")
        desk.record("begin", order.record_into)
    _say("workers, streams, guardian, web …")
    desk.start_system(with_web=order.with_web)


def _market(order: Order) -> DemoMarket:
    if order.mode == TradingMode.PAPER:
        return mirrored_market(order.sim_mirror)
    speed = order.sim_speed or None
    if order.sim_data:
        return replayed_market(Path(order.sim_data), speed=speed)
    return generated_market(speed=speed)


def _ready_block(desk: Desk, order: Order) -> str:
    state, address = desk.state, f"http://127.0.0.1:{order.port}"
    pages = (
        f"  dashboard  {address}/\n"
        f"  admin      {address}/admin/   user {state.admin_user}, "
        f"password {state.admin_password}\n"
        f"  API        {address}/docs/   Authorization: Bearer {state.api_token}\n"
    )
    return (
        f"\nReady after {time.monotonic() - order.asked_at_s:.0f} s. "
        "The system trades by itself now.\n"
        f"{pages if order.with_web else ''}"
        f"  logs       {order.log_file}\n"
        "  stop       Ctrl-C\n"
    )


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
