"""Put exchange keys into the key store, list their names, encrypt anew, delete."""

import getpass
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from core import audit
from core.clock import get_clock
from core.errors import NeedsOperator
from core.keys.base import Credentials
from core.keys.manager import EXCHANGE, forget_credentials, get_store


class Command(BaseCommand):
    """Secrets are asked for without echo; they never stand on the command line."""

    help = (
        "Keeps exchange keys in the store that KEY_STORE names. Example: manage.py keys set binance"
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("action", choices=["set", "list", "rotate", "delete"])
        parser.add_argument("name", nargs="?", default=EXCHANGE, help="default: %(default)s")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            getattr(self, f"_{options['action']}")(options["name"])
        except NeedsOperator as error:
            raise CommandError(f"{error.message} {error.context.get('fix', '')}") from None
        if options["action"] != "list":
            forget_credentials()
            audit.record(
                actor=f"command:{getpass.getuser()}",
                action=f"keys.{options['action']}",
                subject=f"key:{options['name']}",
                now=get_clock().now(),
            )

    def _set(self, name: str) -> None:
        store = get_store()
        api_key = getpass.getpass("API key (not shown): ").strip()
        api_secret = getpass.getpass("API secret (not shown): ").strip()
        try:
            Credentials(api_key=api_key, api_secret=api_secret)
        except ValueError as error:
            raise CommandError(str(error)) from None
        store.put(name, {"api_key": api_key, "api_secret": api_secret})
        self.stdout.write(f"Stored under {name}. Running processes read it at their next start.")

    def _list(self, _name: str) -> None:
        names = get_store().names()
        self.stdout.write("\n".join(names) if names else "The store is empty.")

    def _rotate(self, _name: str) -> None:
        get_store().rotate()
        self.stdout.write("Everything is encrypted under new keys.")

    def _delete(self, name: str) -> None:
        get_store().delete(name)
        self.stdout.write(f"Deleted {name}.")
