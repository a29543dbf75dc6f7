"""The Celery application; its configuration is ``celeryconfig.py`` at the top level."""

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tradingsite.settings.dev")

app = Celery("tradingsite")
app.config_from_object("celeryconfig")
app.autodiscover_tasks()
