"""The token that whoever reads the metrics shows: behind a proxy every client looks like this machine."""

import hmac
import secrets
from pathlib import Path

from models.installation import InstallationError
from vault.files import create_file

_BYTES = 32
_SHORTEST = 32


def metrics_token(path: Path) -> str:
    """The token in a file, which is made (mode 0600) where there is none. Raises InstallationError."""
    try:
        if not path.exists():
            create_file(path, secrets.token_urlsafe(_BYTES) + "\n")
        token = path.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError):
        token = ""
    if len(token) < _SHORTEST:
        message = f"{path} cannot be read as the token for metrics: remove it, and the next start makes a new one."
        raise InstallationError(message)
    return token


def may_read_metrics(authorization: str | None, token: str) -> bool:
    """Does this Authorization header show the token?"""
    scheme, _, shown = (authorization or "").partition(" ")
    return scheme.lower() == "bearer" and hmac.compare_digest(shown.strip().encode(), token.encode())
