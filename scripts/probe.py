"""Exit 0 when the web server of this container answers ``/healthz``.

The header says what the proxy in front would: that the browser came over TLS.
"""

import sys
import urllib.request


def main() -> int:
    """Ask once, without following redirects to the outside."""
    request = urllib.request.Request(
        "http://127.0.0.1:8000/healthz", headers={"X-Forwarded-Proto": "https"}
    )
    try:
        with urllib.request.urlopen(request, timeout=4) as reply:  # noqa: S310 - a fixed address
            return 0 if reply.status == 200 else 1
    except OSError as error:
        print(f"/healthz: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
