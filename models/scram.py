"""What PostgreSQL stores of a password, so that the password itself never stands in a statement."""

import base64
import hashlib
import hmac

_ITERATIONS = 4096


def scram_verifier(password: str, *, salt: bytes) -> str:
    """The stored form of `password` for SCRAM-SHA-256 (RFC 5803); `salt` is 16 random bytes.

    The password is ASCII: nothing in it needs the normalisation of RFC 4013.
    """
    salted = hashlib.pbkdf2_hmac("sha256", password.encode("ascii"), salt, _ITERATIONS)
    stored_key = hashlib.sha256(_mac(salted, b"Client Key")).digest()
    server_key = _mac(salted, b"Server Key")
    return f"SCRAM-SHA-256${_ITERATIONS}:{_text(salt)}${_text(stored_key)}:{_text(server_key)}"


def _mac(key: bytes, message: bytes) -> bytes:
    return hmac.digest(key, message, "sha256")


def _text(raw: bytes) -> str:
    return base64.b64encode(raw).decode("ascii")
