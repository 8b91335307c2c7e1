"""Small messages handed to a client that must come back unaltered and unread: AES-256-GCM, bound to a context."""

import base64
import binascii
import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

FORMAT = b"\x01"
_NONCE = 12


def close_message(key: bytes, message: bytes, *, context: bytes) -> str:
    """Encrypt `message` into URL-safe text that opens only under the same `context`."""
    nonce = os.urandom(_NONCE)
    return _to_text(FORMAT + nonce + AESGCM(key).encrypt(nonce, message, context))


def open_message(key: bytes, text: str, *, context: bytes) -> bytes | None:
    """What `close_message` closed, or None if it was altered, cut, or made for another context."""
    try:
        blob = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        if blob[:1] != FORMAT or _to_text(blob) != text:
            return None
        return AESGCM(key).decrypt(blob[1 : 1 + _NONCE], blob[1 + _NONCE :], context)
    except (binascii.Error, ValueError, InvalidTag):
        return None


def _to_text(blob: bytes) -> str:
    return base64.urlsafe_b64encode(blob).decode().rstrip("=")
