"""How a client in an environment of its own is driven: one JSON line asks, one answers.

Asked ``{"call": NAME, "params": {…}}`` it answers ``{"result": …}``, or ``{"refused": TEXT}`` when
the exchange said no, or ``{"failed": TRACEBACK}``.
"""

import asyncio
import json
import sys
import traceback


class Refused(Exception):
    """What the exchange said no to, in the client's words."""


async def serve(calls):
    """Answer calls, looked up as methods of `calls`, until nobody asks any more."""
    while line := await asyncio.to_thread(sys.stdin.readline):
        asked = json.loads(line)
        try:
            answer = {"result": await getattr(calls, asked["call"])(**asked["params"])}
        except Refused as refusal:
            answer = {"refused": str(refusal)}
        except Exception:  # what a client trips over is the finding
            answer = {"failed": traceback.format_exc()}
        sys.stdout.write(json.dumps(answer, default=str) + "\n")
        sys.stdout.flush()


async def gathered(collected, count, patience_s=60.0):
    """Wait until `collected` holds `count` things; return them."""
    async with asyncio.timeout(patience_s):
        while len(collected) < count:
            await asyncio.sleep(0.01)
    return collected
