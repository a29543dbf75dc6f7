"""Strategies say by which rule the chance of a net gain is enough."""

import django.core.validators
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("execution", "0013_pending_pairs")]

    operations = [
        migrations.AddField(
            model_name="strategy",
            name="confidence_mode",
            field=models.CharField(
                choices=[("absolute", "absolute"), ("edge", "edge")],
                default="absolute",
                help_text="absolute: P(net return > 0) must reach min_confidence. "
                "edge: it must reach break-even and confidence_margin more",
                max_length=8,
            ),
        ),
        migrations.AddField(
            model_name="strategy",
            name="confidence_margin",
            field=models.FloatField(
                default=0.02,
                help_text="Above break-even, 0.5 + costs / (2 x volatility over the horizon); "
                "mode edge",
                validators=[
                    django.core.validators.MinValueValidator(0),
                    django.core.validators.MaxValueValidator(0.45),
                ],
            ),
        ),
    ]
