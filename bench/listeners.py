"""``python -m bench.listeners URL TOKEN CLIENTS MESSAGES``: pages that note when what arrives.

Prints ``ready`` once all have their snapshot and, when each has its tickers or nothing has come for
some seconds, one JSON line: a list of ``[number, wall seconds]`` for each client. The number of a
ticker is its price.
"""

import asyncio
import json
import sys
import time

import websockets

_SILENCE_S = 4.0


async def _listen(
    url: str, token: str, messages: int, ready: asyncio.Semaphore
) -> list[list[float]]:
    headers = {"Authorization": f"Bearer {token}"}
    arrivals: list[list[float]] = []
    async with websockets.connect(
        url, additional_headers=headers, compression=None, max_queue=None, open_timeout=60
    ) as socket:
        await socket.recv()
        ready.release()
        while len(arrivals) < messages:
            # Before the first ticker comes the publisher waits for the slowest client.
            limit_s = _SILENCE_S if arrivals else 60.0
            try:
                text = await asyncio.wait_for(socket.recv(), limit_s)
            except (TimeoutError, websockets.ConnectionClosed):
                break
            at = time.time()
            message = json.loads(text)
            if message["type"] == "ticker":
                arrivals.append([float(message["price"]), at])
    return arrivals


async def _main(url: str, token: str, clients: int, messages: int) -> None:
    ready = asyncio.Semaphore(0)
    listening = [asyncio.create_task(_listen(url, token, messages, ready)) for _ in range(clients)]
    for _ in range(clients):
        await ready.acquire()
    print("ready", flush=True)
    print(json.dumps(await asyncio.gather(*listening)), flush=True)


if __name__ == "__main__":
    asyncio.run(_main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])))
