"""Everything alerts stores."""

from alerts.models.alert import Alert
from alerts.models.channel import Channel, ChannelKind, Delivery

__all__ = ["Alert", "Channel", "ChannelKind", "Delivery"]
