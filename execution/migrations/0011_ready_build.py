"""Accounts remember which build made them ready."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("execution", "0010_attached_differences")]

    operations = [
        migrations.AddField(
            model_name="account",
            name="ready_build",
            field=models.CharField(blank=True, default="", max_length=16),
        ),
    ]
