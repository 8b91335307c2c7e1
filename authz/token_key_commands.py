"""The command `token-keys …`: what it accepts, and what it does."""

import argparse
from datetime import datetime
from pathlib import Path

from authz.commands import Done
from authz.token_keys import PUBLISHED_BEFORE, TokenKeys


def accept_token_keys(parser: argparse.ArgumentParser) -> None:
    """Declare `token-keys`' subcommand."""
    rotate = parser.add_subparsers(metavar="COMMAND", required=True).add_parser("rotate", help="sign with a new key")
    rotate.set_defaults(subcommand="rotate")
    rotate.add_argument("--json", action="store_true", default=argparse.SUPPRESS, help="print JSON")
    rotate.add_argument("--now", action="store_true", help="at once: every token signed before is dead")


def rotate_keys(path: Path, *, demo: bool, at_once: bool, now: datetime) -> Done:
    """Rotate the keys that sign tokens; running servers notice by themselves. Raises KeyringError."""
    keys = TokenKeys.load_or_create(path, demo=demo).rotated(now, at_once=at_once)
    keys.save(path)
    kids = [key["kid"] for key in keys.public(now)["keys"]]
    begins = "now; tokens signed before are dead" if at_once else f"in {PUBLISHED_BEFORE.total_seconds():.0f} seconds"
    return Done(
        {"signing": kids[-1], "verifying": kids, "atOnce": at_once},
        f"The key {kids[-1]} signs {begins}.",
        {"key": kids[-1]},
    )
