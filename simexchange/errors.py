"""The refusal every face of the exchange answers with."""


class ApiError(Exception):
    """A request was refused, in Binance's form.

    Args:
        code: Binance's negative error code.
        msg: Binance's message, as clients match on it.
        status: HTTP status of the answer.
    """

    def __init__(self, code: int, msg: str, status: int = 400) -> None:
        super().__init__(f"{code} {msg}")
        self.code = code
        self.msg = msg
        self.status = status
