"""WSGI entry point, for serving the REST API apart from the WebSockets."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tradingsite.settings.prod")

application = get_wsgi_application()
