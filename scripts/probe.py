"""Exit 0 when a process of this container is well; docker-compose.yml and the Dockerfile ask.

``probe.py`` asks the web server for ``/healthz``. ``probe.py NAME`` looks when the component NAME
last gave a sign of life, as the dashboard does. Needs no Django: it must cost next to nothing.
"""

import json
import os
import sys
import time
import urllib.request

# As in core/health.py: silent for so many of its intervals, a component is dead.
DEAD_AFTER_INTERVALS = 6.0


def web_answers() -> bool:
    """Ask once, as the proxy in front would: over TLS, for a name that the site answers to."""
    host = os.environ.get("ALLOWED_HOSTS", "").split(",")[0].strip() or "localhost"
    request = urllib.request.Request(
        "http://127.0.0.1:8000/healthz", headers={"X-Forwarded-Proto": "https", "Host": host}
    )
    with urllib.request.urlopen(request, timeout=4) as reply:  # noqa: S310 - a fixed address
        return bool(reply.status == 200)


def gave_a_sign(component: str) -> bool:
    """Tell whether the component spoke within its time; its own word is on the dashboard."""
    import redis

    prefix = os.environ.get("REDIS_PREFIX", "") or "trading:"
    with redis.Redis.from_url(os.environ["REDIS_URL"], socket_timeout=4) as client:
        text = client.hget(f"{prefix}health", component)
    if text is None:
        return False
    told = json.loads(text)  # type: ignore[arg-type]
    return bool(time.time() - told["wall_s"] < DEAD_AFTER_INTERVALS * told["interval_s"])


def main(arguments: list[str]) -> int:
    """Return 0 when well, 1 with a line that says what is wrong."""
    what = arguments[0] if arguments else "/healthz"
    try:
        is_well = gave_a_sign(what) if arguments else web_answers()
    except Exception as error:
        print(f"{what}: {error}", file=sys.stderr)
        return 1
    if not is_well:
        print(f"{what}: no sign of life", file=sys.stderr)
    return 0 if is_well else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
