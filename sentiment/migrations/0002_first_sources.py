from django.db import migrations

# name, kind, address, credibility, seconds between requests
SOURCES = (
    ("CoinDesk", "RSS", "https://www.coindesk.com/arc/outboundfeeds/rss/", 1.0, 900),
    ("Cointelegraph", "RSS", "https://cointelegraph.com/rss", 0.9, 900),
    ("GDELT", "GDELT", "", 0.7, 900),
    ("Fear & Greed (alternative.me)", "FEAR_GREED", "", 0.4, 86_400),
    ("Scripted (not real news)", "SCRIPTED", "", 1.0, 900),
)


def add(apps, _editor):
    source = apps.get_model("sentiment", "Source")
    for name, kind, address, credibility, min_interval_s in SOURCES:
        source.objects.create(
            name=name,
            kind=kind,
            address=address,
            credibility=credibility,
            min_interval_s=min_interval_s,
        )


class Migration(migrations.Migration):
    dependencies = [("sentiment", "0001_initial")]
    operations = [migrations.RunPython(add, migrations.RunPython.noop)]
