"""What must hold before the service answers outside demo mode (C26, C58): each refusal says what to do."""

import re
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import unquote, urlsplit

from authz.token_keys import TokenKeys
from ledger.head_keys import HeadKey
from models.database import connect_once
from models.embedded import Database
from models.installation import Installation, InstallationError
from privacy.receipt_keys import ReceiptKeys
from resolvers.operating.metrics_token import metrics_token
from vault.keyring import load, load_or_create

KNOWN_PASSWORDS = frozenset(
    {
        "", "0000", "1234", "12345", "123456", "12345678", "123456789", "admin", "change_me", "changeit", "changeme",
        "database", "default", "demo", "example", "guest", "letmein", "needful", "owner", "pass", "passw0rd",
        "password", "postgres", "postgresql", "qwerty", "root", "secret", "test",
    }
)  # fmt: skip
"""Passwords that examples, images and habits bring along."""

KNOWN_KEYS = frozenset(
    {
        bytes(range(32)),  # FIPS 197, C.3
        bytes(range(1, 33)),
        bytes.fromhex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60"),  # RFC 8037, A.1
        bytes.fromhex("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb"),  # RFC 8032, 7.1
        bytes.fromhex("603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4"),  # SP 800-38A, F.1.5
    }
)
"""Keys that stand in specifications."""

REGIONS = {"NEEDFUL_REGION": "the database", "NEEDFUL_KEYS_REGION": "the keys", "NEEDFUL_BACKUPS_REGION": "the backups"}
_MAINLAND = re.compile(r"cn(-(?!hk|hongkong|hong-kong|mo|macau|macao|tw|taiwan)[a-z0-9-]+)?")
"""As clouds name regions; data in Hong Kong, Macao or Taiwan have left the country (PIPL, chapter III)."""
_FEWEST_BYTES = 8
"""Distinct bytes in a drawn key of 32: fewer come up once in 10**21 keys."""

_SECRETS = "SELECT count(*) FROM partner_client WHERE secret_hash IS NOT NULL AND ended_at IS NULL"
_DEMO_DATA = "SELECT EXISTS (SELECT FROM demo_load) OR EXISTS (SELECT FROM person WHERE source = 'demo')"

_REAL_DATA = "SELECT EXISTS (SELECT FROM person WHERE source <> 'demo') OR NOT EXISTS (SELECT FROM demo_load)"


def check_settings(installation: Installation, environ: Mapping[str, str]) -> None:
    """Raises InstallationError outside demo mode: foreign region, no public address, known password, keys of demo."""
    if installation.demo:
        return
    _check_regions(environ)
    if not environ.get("NEEDFUL_PUBLIC_URL"):
        message = "NEEDFUL_PUBLIC_URL must say where clients reach the service, such as https://api.example.cn."
        raise InstallationError(message)
    _check_password(installation)
    keyring = load_or_create(installation.keyring_path)
    if keyring.demo:
        message = f"{installation.keyring_path} was made in demo mode: set NEEDFUL_DATA to a new folder, for new keys."
        raise InstallationError(message)
    token_keys = TokenKeys.load_or_create(installation.token_keys_path)
    if token_keys.demo:
        message = f"{installation.token_keys_path} was made in demo mode: remove it, and the next start makes new keys."
        raise InstallationError(message)
    head_key = HeadKey.load_or_create(installation.ledger_key_path)
    if head_key.demo:
        message = (
            f"{installation.ledger_key_path} was made in demo mode: set NEEDFUL_DATA to a new folder, for new keys"
            " and a ledger of its own."
        )
        raise InstallationError(message)
    receipt_keys = ReceiptKeys.load_or_create(installation.receipt_keys_path)
    if receipt_keys.demo:
        message = (
            f"{installation.receipt_keys_path} was made in demo mode: remove it, and the next start makes new keys."
        )
        raise InstallationError(message)
    for path, found in (
        (installation.keyring_path, keyring.secrets()),
        (installation.token_keys_path, token_keys.secrets()),
        (installation.ledger_key_path, (head_key.private,)),
        (installation.receipt_keys_path, receipt_keys.secrets()),
    ):
        if any(map(_is_weak, found)):
            message = f"{path} holds a key that was not drawn at random: restore it, or use a new NEEDFUL_DATA."
            raise InstallationError(message)


def make_keys(installation: Installation) -> None:
    """Make the key files that are not there yet, so that every worker finds them. Raises KeyringError."""
    load_or_create(installation.keyring_path, demo=installation.demo)
    TokenKeys.load_or_create(installation.token_keys_path, demo=installation.demo)
    metrics_token(installation.metrics_token_path)
    HeadKey.load_or_create(installation.ledger_key_path, demo=installation.demo)
    ReceiptKeys.load_or_create(installation.receipt_keys_path, demo=installation.demo)


async def check_database(installation: Installation, found: Database) -> None:
    """Outside demo mode, raises InstallationError for shared client secrets or demo data in the database."""
    if installation.demo:
        return
    owner = await connect_once(found.owner)
    try:
        secrets, demo_data = await owner.fetchval(_SECRETS), await owner.fetchval(_DEMO_DATA)
    finally:
        await owner.close()
    if demo_data:
        message = "The database holds demo data: use an empty database, or set NEEDFUL_DEMO=1 to show them."
        raise InstallationError(message)
    if secrets:
        message = (
            f"{secrets} partner client(s) are registered with a shared secret, which only demo mode accepts: end them"
            " and register public keys instead."
        )
        raise InstallationError(message)


async def check_demo(installation: Installation, owner: Any) -> None:  # noqa: ANN401 - asyncpg
    """In demo mode, raises InstallationError for an installation made outside it, even if it is empty.

    Demo mode gives tokens to whoever types a command, and fills a database that holds nothing. The keyring says in
    which mode it was made; one of an earlier release says nothing and passes with demo data only.
    """
    if not (installation.demo and installation.keyring_path.exists()) or load(installation.keyring_path).demo:
        return
    if await owner.fetchval(_REAL_DATA):
        message = f"{installation.root} was set up outside demo mode: set NEEDFUL_DEMO=0, or NEEDFUL_DATA to another."
        raise InstallationError(message)


def _check_regions(environ: Mapping[str, str]) -> None:
    declared = environ.get("NEEDFUL_REGION", "")
    for name, what in REGIONS.items():
        region = (environ.get(name) or declared).strip().lower()
        if not region:
            message = f"{name} must declare where {what} stands, in the PRC: CN, or a region such as cn-north-1."
            raise InstallationError(message)
        if not _MAINLAND.fullmatch(region):
            message = f"{name} declares {what} outside the PRC ({region!r}): data stay there, so move it to CN or cn-…."
            raise InstallationError(message)


def _check_password(installation: Installation) -> None:
    if installation.database_url is None:
        return  # the embedded server's passwords are drawn
    try:
        parts = urlsplit(installation.database_url)
        user, password = unquote(parts.username or ""), unquote(parts.password or "")
    except ValueError:
        return  # whoever opens the database says what is wrong with it
    name = unquote(parts.path.removeprefix("/"))
    if password.lower() in KNOWN_PASSWORDS | {user.lower(), name.lower()}:
        message = "DATABASE_URL has no password or one that everybody knows: give the owner a random one (ALTER ROLE)."
        raise InstallationError(message)


def _is_weak(key: bytes) -> bool:
    """Is this key known, or too regular to have been drawn? One typed as text is all printable."""
    return key in KNOWN_KEYS or len(set(key)) < _FEWEST_BYTES or _is_text(key)


def _is_text(key: Iterable[int]) -> bool:
    return all(0x20 <= byte < 0x7F for byte in key)  # noqa: PLR2004 - printable ASCII
