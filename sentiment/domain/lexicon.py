"""How a short text about markets sounds: VADER with the market's own words."""

import functools
import re
from dataclasses import dataclass

from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer

# Valences as VADER has them, -4 to 4. Words that mean something else in a market are overridden.
CRYPTO_WORDS: dict[str, float] = {
    **dict.fromkeys(
        ("bullish", "moon", "mooning", "moonshot", "surge", "surges", "surged", "soar", "soars",
         "soared", "soaring", "skyrockets", "rally", "rallies", "rallied", "breakout", "ath"),
        2.6,
    ),
    **dict.fromkeys(
        ("jump", "jumps", "jumped", "climb", "climbs", "climbed", "gain", "gains", "gained",
         "rise", "rises", "rose", "rebound", "rebounds", "rebounded", "recovers", "recovery",
         "pump", "pumps", "pumping", "outperforms", "uptrend", "higher", "inflows", "inflow",
         "tops", "undervalued", "accumulate", "accumulating", "buying"),
        1.7,
    ),
    **dict.fromkeys(
        ("approval", "approves", "approved", "adoption", "adopts", "listing", "listed", "lists",
         "partnership", "upgrade", "halving", "launches", "integrates", "hodl", "hodling",
         "institutional", "record", "milestone", "green", "upside", "backs", "profit", "profits"),
        1.2,
    ),
    **dict.fromkeys(
        ("bearish", "crash", "crashes", "crashed", "crashing", "plunge", "plunges", "plunged",
         "plummets", "plummeted", "collapse", "collapses", "collapsed", "rekt", "rug", "rugpull",
         "ponzi", "scam", "hack", "hacked", "hacker", "hackers", "exploit", "exploited",
         "exploiter", "insolvent", "insolvency", "bankruptcy", "bankrupt", "stolen", "drained",
         "depeg", "depegs", "depegged", "capitulation", "bloodbath", "fraud", "launder",
         "laundering"),
        -2.8,
    ),
    **dict.fromkeys(
        ("dump", "dumps", "dumped", "dumping", "drop", "drops", "dropped", "fall", "falls", "fell",
         "falling", "slump", "slumps", "slumped", "slides", "slid", "tumble", "tumbles", "tumbled",
         "decline", "declines", "declined", "sinks", "sank", "selloff", "outflows", "outflow",
         "liquidated", "liquidation", "liquidations", "lawsuit", "sues", "sued", "probe", "ban",
         "bans", "banned", "delist", "delists", "delisted", "delisting", "halt", "halts", "halted",
         "bleeds", "bleeding", "fud", "downtrend", "lower", "overvalued", "selling", "loses",
         "losses", "loss", "crackdown", "indicted", "charged", "charges"),
        -1.8,
    ),
    **dict.fromkeys(("unlock", "unlocks", "fear", "weak", "weakness", "warns", "warning", "red",
                     "resistance", "downside", "delay", "delays", "delayed", "risk", "risks"),
                    -1.0),
    # Words that VADER knows in another sense.
    **dict.fromkeys(("share", "shares", "token", "stake", "staking", "proof", "trust", "like",
                     "interest", "bitcoin", "play", "gas", "united", "treasury", "security",
                     "securities", "please", "yes", "no", "super", "block", "blocks"), 0.0),
}  # fmt: skip
EMOJI: dict[str, str] = {
    "\U0001f680": " mooning ",
    "\U0001f319": " moon ",
    "\U0001f4c8": " rally ",
    "\U0001f4c9": " plunge ",
    "\U0001f402": " bullish ",
    "\U0001f43b": " bearish ",
    "\U0001f48e": " hodl ",
    "\U0001fa78": " bleeding ",
    "\U0001f480": " rekt ",
    "\U0001f7e2": " green ",
    "\U0001f534": " red ",
}
_PHRASES = (
    (re.compile(r"\b(not|isn't) financial advice\b|\bnfa\b|\bdyor\b", re.IGNORECASE), " "),
    (re.compile(r"\bsell(ing)?[- ]off\b", re.IGNORECASE), " selloff "),
    (re.compile(r"\brug[- ]?pull(ed|s)?\b", re.IGNORECASE), " rugpull "),
    (re.compile(r"\ball[- ]time high(s)?\b", re.IGNORECASE), " ath "),
    (re.compile(r"\ball[- ]time low(s)?\b", re.IGNORECASE), " crash "),
    (re.compile(r"\bto the moon\b", re.IGNORECASE), " mooning "),
    (re.compile(r"\bshort squeeze\b", re.IGNORECASE), " rally "),
    (re.compile(r"\b(bull) (run|market)\b", re.IGNORECASE), " bullish "),
    (re.compile(r"\b(bear) (market|trap)\b", re.IGNORECASE), " bearish "),
    (re.compile(r"\bfear (and|&) greed\b", re.IGNORECASE), " "),
)
MAX_LENGTH = 1000
_UNMOVED = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Tone:
    """How a text sounds.

    Attributes:
        score: -1 (bad for the price) to 1.
        confidence: 0.1 to 1; the least for a text without a single word that moves: it is a weak
            sign of calm.
    """

    score: float
    confidence: float


def score_text(text: str) -> Tone:
    """Return the tone of a headline or short post; the longer part beyond 1,000 signs is cut."""
    text = text[:MAX_LENGTH]
    for sign, words in EMOJI.items():
        text = text.replace(sign, words)
    for pattern, words in _PHRASES:
        text = pattern.sub(words, text)
    found = _analyzer().polarity_scores(text)
    score = float(found["compound"])
    spoken = float(found["pos"]) + float(found["neg"])
    return Tone(score=score, confidence=min(1.0, max(_UNMOVED, 1.5 * spoken)))


@functools.cache
def _analyzer() -> SentimentIntensityAnalyzer:
    analyzer = SentimentIntensityAnalyzer()
    analyzer.lexicon.update(CRYPTO_WORDS)
    return analyzer
