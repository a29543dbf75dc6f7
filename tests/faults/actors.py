"""What a forked process may do beside running a management command."""

from core.clock import get_clock
from execution.adapters.factory import get_broker
from execution.models import Order
from execution.services.cancels import cancel_orders
from execution.services.orders import place_orders


def place(decision_ids: list[int]) -> None:
    """Be the orders worker: place the orders of decisions, and end."""
    place_orders(decision_ids=decision_ids, broker=get_broker(), clock=get_clock())


def cancel(order_ids: list[int]) -> None:
    """Cancel orders, and end."""
    orders = list(Order.objects.filter(pk__in=order_ids).order_by("pk"))
    cancel_orders(orders=orders, broker=get_broker(), clock=get_clock())


ACTORS = {"place": place, "cancel": cancel}
