"""Which coins a text speaks of."""

import re

MARKET = "MARKET"
# Names and nicknames that mean the coin wherever they stand.
ALIASES: dict[str, tuple[str, ...]] = {
    "BTC": ("bitcoin", "btc", "xbt", "satoshi"),
    "ETH": ("ethereum", "ether", "eth"),
    "BNB": ("bnb", "binance coin"),
    "SOL": ("solana",),
    "XRP": ("xrp", "ripple"),
    "ADA": ("cardano",),
    "DOGE": ("dogecoin", "doge"),
    "DOT": ("polkadot",),
    "LINK": ("chainlink",),
    "LTC": ("litecoin", "ltc"),
    "AVAX": ("avalanche network", "avax"),
    "TRX": ("tron", "trx"),
    "NEAR": ("near protocol",),
    "ATOM": ("cosmos hub",),
    "UNI": ("uniswap",),
    "SAND": ("the sandbox",),
    "ONE": ("harmony one",),
    "GAS": ("neo gas",),
    "SHIB": ("shiba inu", "shib"),
    "MATIC": ("polygon", "matic"),
}
# Tickers that are ordinary words: they count as a cashtag, or in capitals beside such a word.
AMBIGUOUS = frozenset(
    ("SOL", "ADA", "DOT", "LINK", "NEAR", "ATOM", "UNI", "SAND", "ONE", "GAS", "AVAX")
)
_CONTEXT = re.compile(
    r"\b(token|coin|crypto|altcoin|price|trading|staking|blockchain|usdt|usd|etf|listing|wallet)s?\b",
    re.IGNORECASE,
)
_MARKET = re.compile(
    r"\b(crypto(currency|currencies)?|altcoins?|digital assets?|stablecoins?)\b", re.IGNORECASE
)
_CASHTAG = re.compile(r"[$#]([A-Za-z]{2,10})\b")
_NAMES = {
    asset: re.compile(r"\b(" + "|".join(map(re.escape, names)) + r")\b", re.IGNORECASE)
    for asset, names in ALIASES.items()
}
_CLAUSES = re.compile(
    r"\b(?:while|whereas|but|although|as)\b|[;.!?](?:\s|$)|,\s(?=\$?[A-Z])", re.IGNORECASE
)


def find_assets(text: str) -> tuple[str, ...]:
    """Return the base assets that `text` names, sorted; ``MARKET`` for crypto at large."""
    tags = {tag.upper() for tag in _CASHTAG.findall(text)}
    has_context = bool(_CONTEXT.search(text))
    found = {
        asset
        for asset, pattern in _NAMES.items()
        if asset in tags or pattern.search(text) or (has_context and _in_capitals(asset, text))
    }
    if found:
        return tuple(sorted(found))
    return (MARKET,) if _MARKET.search(text) else ()


def split_clauses(text: str) -> tuple[str, ...]:
    """Return the parts of `text` that may say different things of different coins."""
    parts = (part.strip() for part in _CLAUSES.split(text))
    return tuple(part for part in parts if part)


def _in_capitals(asset: str, text: str) -> bool:
    return asset in AMBIGUOUS and re.search(rf"\b{asset}\b", text) is not None
