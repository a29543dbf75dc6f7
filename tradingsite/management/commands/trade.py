"""``manage.py trade``: the whole system in one supervised tree of processes."""

import os
import time
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from core.errors import TradingError
from tradingsite.settings.env import ROOT, TradingMode
from tradingsite.supervisor.desk import Desk
from tradingsite.supervisor.market import DemoMarket, generated_market, replayed_market


class Command(BaseCommand):
    """Run everything until Ctrl-C."""

    help = (
        "Run the whole system: broker, workers, schedule, streams, guardian and web server. "
        "Example: manage.py trade --demo"
    )
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--demo", action="store_true", help="trade on the local exchange")
        parser.add_argument("--no-api", action="store_true", help="without the web server")

    def handle(self, *args: Any, **options: Any) -> None:
        mode = TradingMode.DEMO if options["demo"] else settings.TRADING_MODE
        if mode is TradingMode.PAPER:
            raise CommandError(
                "TRADING_MODE=paper needs the live mirror of the local exchange, which this "
                "version does not have. Use --demo, or TRADING_MODE=testnet."
            )
        with_web = not options["no_api"]
        port = settings.PORT
        desk = None
        started = time.monotonic()
        os.chdir(ROOT)
        try:
            desk = Desk(data_dir=settings.DATA_DIR, port=port, say=self._say)
            self._bring_up(desk, mode, with_web=with_web)
            self._say(
                self._block(desk, port, with_web=with_web, seconds=time.monotonic() - started)
            )
            desk.run()
            self._say("Stopping …")
        except KeyboardInterrupt:
            self._say("Stopping …")
        except TradingError as error:
            raise CommandError(error.message) from error
        finally:
            if desk:
                desk.stop()
        self._say("Stopped. Everything is kept; the same command goes on from here.")

    def _bring_up(self, desk: Desk, mode: TradingMode, *, with_web: bool) -> None:
        desk.prepare_forks()
        desk.share(TRADING_MODE=mode)
        self._say("broker …")
        desk.use_broker(settings.CHOSEN_REDIS_URL)
        if mode is TradingMode.DEMO:
            desk.share(
                SECRET_KEY=desk.state.secret_key,
                DESK_ADMIN_PASSWORD=desk.state.admin_password,
                API_TOKEN=desk.state.api_token,
            )
            market = self._market()
            self._say(f"local exchange: {', '.join(market.symbols)} at {market.speed:g}x …")
            desk.start_exchange(market, port=settings.SIM_PORT)
            desk.prepare(
                *("--symbols", ",".join(market.symbols)),
                *("--timeframe", market.timeframe.value, "--demo"),
            )
        else:
            desk.prepare()
        self._say("workers, streams, guardian, web …")
        desk.start_system(with_web=with_web)

    def _market(self) -> DemoMarket:
        speed = float(settings.SIM_SPEED) if settings.SIM_SPEED else None
        if settings.SIM_DATA:
            return replayed_market(Path(settings.SIM_DATA).resolve(), speed=speed)
        return generated_market(speed=speed)

    def _say(self, line: str) -> None:
        self.stdout.write(line)
        self.stdout.flush()

    def _block(self, desk: Desk, port: int, *, with_web: bool, seconds: float) -> str:
        state, address = desk.state, f"http://127.0.0.1:{port}"
        pages = (
            f"  dashboard  {address}/\n"
            f"  admin      {address}/admin/   user {state.admin_user}, "
            f"password {state.admin_password}\n"
            f"  API        {address}/docs/   Authorization: Bearer {state.api_token}\n"
        )
        return (
            f"\nReady after {seconds:.0f} s. The system trades by itself now.\n"
            f"{pages if with_web else ''}"
            f"  logs       {settings.LOG_FILE}\n"
            "  stop       Ctrl-C\n"
        )
