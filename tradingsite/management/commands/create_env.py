"""Write ``.env.example``, and ``.env`` with random secrets when there is none."""

import os
import secrets
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from tradingsite.settings.env import ROOT
from tradingsite.settings.variables import VARIABLES

_HEAD = "# {}\n# Made by `manage.py create_env`. What the environment has wins over this file.\n"


def render_example() -> str:
    """Return the text of ``.env.example``: every variable, commented out, without a secret."""
    lines = [_HEAD.format("Example settings: copy to .env and take out the # where needed.")]
    lines += [f"# {v.about}\n#{v.name}={v.example}\n" for v in VARIABLES]
    return "\n".join(lines)


def render_env() -> str:
    """Return the text of a new ``.env``: random secrets set, the rest commented out."""
    lines = [_HEAD.format("Settings of this installation. Holds secrets: keep it to yourself.")]
    for variable in VARIABLES:
        sign, value = "#", variable.example
        if variable.is_generated:
            sign, value = "", secrets.token_urlsafe(48 if variable.name == "SECRET_KEY" else 32)
        lines.append(f"# {variable.about}\n{sign}{variable.name}={value}\n")
    return "\n".join(lines)


class Command(BaseCommand):
    """An existing ``.env`` is never touched."""

    help = (
        "Writes .env.example, and .env with generated secrets (mode 0600) if absent. "
        "Example: manage.py create_env"
    )
    requires_system_checks: Any = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--folder", type=Path, default=ROOT, help="default: %(default)s")

    def handle(self, *args: Any, **options: Any) -> None:
        folder: Path = options["folder"]
        try:
            (folder / ".env.example").write_text(render_example(), encoding="utf-8")
            self.stdout.write("Wrote .env.example.")
            handle = os.open(folder / ".env", os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            self.stdout.write(".env is there already and stays as it is.")
            return
        except OSError as error:
            raise CommandError(f"Cannot write into {folder}: {error.strerror}.") from None
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(render_env())
        self.stdout.write("Wrote .env with random secrets, readable by you alone.")
