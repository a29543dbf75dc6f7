"""The base of commands whose help has lines of its own: paragraphs, examples."""

from argparse import RawDescriptionHelpFormatter
from typing import Any

from django.core.management.base import BaseCommand, CommandParser


class PlainHelpCommand(BaseCommand):
    """A command that prints its help as it is written.

    Attributes:
        epilog: What comes after the options, such as examples.
    """

    epilog = ""

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> CommandParser:
        return super().create_parser(
            prog_name,
            subcommand,
            epilog=self.epilog,
            formatter_class=RawDescriptionHelpFormatter,
            **kwargs,
        )
