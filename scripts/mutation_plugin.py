"""A pytest plugin: what makes thousands of short test runs fast, and each the same again.

The database is migrated once and copied afterwards; property tests try fewer examples, the same
ones each time.
"""

import gc
import os
import shutil
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db.backends.sqlite3.creation import DatabaseCreation
from hypothesis import HealthCheck
from hypothesis import settings as examples

from core.prepared import Prepared


def pytest_configure() -> None:
    """Replace what is made once for all, in this process and in those forked from it."""
    # What was there before the tests stays there: looking for garbage in it, as pytest does at
    # the end of each run, took a third of the time.
    gc.freeze()
    # Without deadlines and checks of speed: a busy machine must not pass for a noticed change.
    examples.register_profile(
        "mutation",
        max_examples=25,
        derandomize=True,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    examples.load_profile("mutation")
    if getattr(DatabaseCreation, "is_copying", False):
        return
    migrate = DatabaseCreation.create_test_db
    template = Path(os.environ["MUTATION_DATABASE"])

    def create_test_db(self: DatabaseCreation, *args: Any, **options: Any) -> str:
        connection = self.connection
        if not template.is_file():
            name = migrate(self, *args, **options)
            connection.close()
            shutil.copyfile(name, template)
            return name
        name = f"{self._get_test_db_name()}.{os.getpid()}"
        connection.close()
        shutil.copyfile(template, name)
        settings.DATABASES[connection.alias]["NAME"] = connection.settings_dict["NAME"] = name
        return name

    get = Prepared.get

    def get_anew(self: Prepared, values: dict[str, Any]) -> Any:
        # Made once, a query would be that of the unchanged module.
        self.forget()
        return get(self, values)

    Prepared.get = get_anew  # type: ignore[method-assign]
    DatabaseCreation.create_test_db = create_test_db  # type: ignore[method-assign]
    DatabaseCreation.is_copying = True  # type: ignore[attr-defined]
