"""What the system does, kept: strategies, decisions, orders, attempts, fills, positions."""

from execution.models.account import Account, Balance, LedgerEntry
from execution.models.backtest import Backtest
from execution.models.decision import Decision, Strategy
from execution.models.fill import Fill
from execution.models.order import Order, SubmitAttempt
from execution.models.position import Position
from execution.models.reconciliation import Difference, Reconciliation, TradeCursor

__all__ = [
    "Account",
    "Backtest",
    "Balance",
    "Decision",
    "Difference",
    "Fill",
    "LedgerEntry",
    "Order",
    "Position",
    "Reconciliation",
    "Strategy",
    "SubmitAttempt",
    "TradeCursor",
]
