"""Serve the example world: `python -m tap_bitbucket.demo`."""

from __future__ import annotations

import argparse
import time
from datetime import datetime

from tap_bitbucket.demo import EXAMPLE_WORKSPACE, BitbucketServer, example_world


def main(arguments: list[str] | None = None) -> int:
    """Serve in the foreground until the time is over or Ctrl-C."""
    parser = argparse.ArgumentParser(prog="python -m tap_bitbucket.demo", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="port (default: a free one)")
    parser.add_argument("--latency", type=float, default=0.0, help="seconds per API request")
    parser.add_argument("--for", type=float, default=3600, dest="seconds", help="stop after")
    parser.add_argument("--anchor", help="moment at which the story begins (ISO 8601)")
    parser.add_argument("--oauth-state", help="file that keeps the OAuth tokens")
    parser.add_argument("--still", action="store_true", help="let nothing happen")
    chosen = parser.parse_args(arguments)
    anchor = datetime.fromisoformat(chosen.anchor) if chosen.anchor else None
    if anchor is not None and anchor.tzinfo is None:
        anchor = anchor.astimezone()
    world = example_world(anchor)
    keys = world.credentials
    assert keys is not None
    server = BitbucketServer(
        world, chosen.latency, chosen.oauth_state, chosen.port, story=not chosen.still
    )
    with server:
        lines = (
            ("API", server.api_url),
            ("OAuth", server.oauth_token_url),
            ("workspace", EXAMPLE_WORKSPACE),
            ("client_id", keys.client_id),
            ("client_secret", keys.client_secret),
            ("refresh_token", keys.refresh_token),
            ("email", keys.email),
            ("api_token", keys.api_token),
            ("access_token", keys.access_token),
        )
        for name, value in lines:
            print(f"{name:>14}  {value}", flush=True)
        try:
            time.sleep(chosen.seconds)
        except KeyboardInterrupt:
            print()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
