"""What the REST settings and the views of every room take from here."""

from core.rest.authentication import BearerTokenAuthentication
from core.rest.errors import exception_handler
from core.rest.fields import ExactDecimal, StrictSerializer, Symbol, Whole
from core.rest.filtering import FilterBackend
from core.rest.pagination import TimeCursorPagination
from core.rest.parsing import StrictJSONParser
from core.rest.rendering import OrjsonRenderer

# Views derive from core.rest.views.ReadListView: importing it here would close a circle, for
# REST framework imports this module while its own views are being loaded.
__all__ = [
    "BearerTokenAuthentication",
    "ExactDecimal",
    "FilterBackend",
    "OrjsonRenderer",
    "StrictJSONParser",
    "StrictSerializer",
    "Symbol",
    "TimeCursorPagination",
    "Whole",
    "exception_handler",
]
