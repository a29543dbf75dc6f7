"""Accounts remember which build made them ready."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("execution", "0011_positions_in_parts")]

    operations = [
        migrations.AddField(
            model_name="account",
            name="ready_build",
            field=models.CharField(blank=True, default="", max_length=16),
        ),
    ]
