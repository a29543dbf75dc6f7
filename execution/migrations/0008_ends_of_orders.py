from django.db import migrations, models

_FINAL = ["DENIED", "LAPSED", "NOT_ACCEPTED", "REJECTED", "FILLED", "CANCELED", "EXPIRED"]


def note_ends(apps, schema_editor):
    """Take the last change of what ended before ends were noted for its end."""
    orders = apps.get_model("execution", "Order").objects
    orders.filter(state__in=_FINAL, ended_at=None).update(ended_at=models.F("updated_at"))


class Migration(migrations.Migration):
    # Two changes that were made beside each other meet here.
    dependencies = [
        ("execution", "0006_replaced_one_at_a_time"),
        ("execution", "0007_backtest_strategies"),
    ]

    operations = [migrations.RunPython(note_ends, migrations.RunPython.noop)]
