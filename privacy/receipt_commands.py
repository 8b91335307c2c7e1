"""The command `receipt …`: whether a consent receipt is genuine, without asking anybody; and new keys to sign with."""

import argparse
import json
from pathlib import Path

from joserfc.jwk import KeySet

from authz.commands import Done, OperatorRefusedError
from authz.faults import MALFORMED
from privacy.receipt_keys import ReceiptKeys
from privacy.receipts import NoReceipt, read_receipt


def accept_receipt(parser: argparse.ArgumentParser) -> None:
    """Declare `receipt`'s subcommands."""
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    verify = commands.add_parser("verify", help="is this receipt genuine, and what does it say?")
    verify.add_argument("file", type=Path, metavar="FILE", help="as downloaded: signed (.jwt), or JSON with `jws`")
    verify.add_argument(
        "--keys", type=Path, metavar="FILE", help="a JWK Set as the service publishes it; without: this installation's"
    )
    rotate = commands.add_parser("rotate-keys", help="sign with a new key; earlier receipts stay genuine")
    for name, inner in (("verify", verify), ("rotate-keys", rotate)):
        inner.set_defaults(subcommand=name)
        inner.add_argument("--json", action="store_true", default=argparse.SUPPRESS, help="print JSON")


def verify(arguments: argparse.Namespace, own_keys: Path) -> Done:
    """Verify a file, offline. Raises OperatorRefusedError for files that cannot be read, KeyringError."""
    text = _read(arguments.file)
    keys = _published(arguments.keys) if arguments.keys else _own(own_keys)
    told = None
    if text.lstrip().startswith("{"):
        text, told = _of_json(text)
    found = read_receipt(text, keys)
    if isinstance(found, NoReceipt):
        return _bad(found.why)
    if told is not None and told != found:
        return _bad("the document beside the signed text says something else")
    stands = f"withdrawn at {found['withdrawnAt']}" if found["withdrawnAt"] else "in force when it was made"
    return Done({"genuine": True, "document": found}, f"Genuine: the consent {found['consentReceiptID']}, {stands}.")


def rotate(path: Path, *, demo: bool) -> Done:
    """Sign with a new key; running servers notice by themselves. Raises KeyringError."""
    keys = ReceiptKeys.load_or_create(path, demo=demo).rotated()
    keys.save(path)
    kids = [one["kid"] for one in keys.public()["keys"]]
    return Done({"signing": kids[-1], "verifying": kids}, f"The key {kids[-1]} signs now.", {"key": kids[-1]})


def _bad(why: str) -> Done:
    return Done({"genuine": False, "why": why}, f"No genuine receipt: {why}.", wrong=True)


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, ValueError):
        message = f"{path} cannot be read as a text: name a file as it was downloaded."
        raise OperatorRefusedError(message) from None


def _published(path: Path) -> KeySet:
    try:
        return KeySet.import_key_set(json.loads(_read(path)))
    except MALFORMED:
        message = f"{path} is no JWK Set: name the keys as the service publishes them."
        raise OperatorRefusedError(message) from None


def _own(path: Path) -> KeySet:
    if not path.exists():
        message = f"{path} is not there: name the keys that the service publishes with --keys."
        raise OperatorRefusedError(message)
    return ReceiptKeys.load(path).verifying()


def _of_json(text: str) -> tuple[str, object]:
    try:
        given = json.loads(text)
        return str(given["jws"]), given.get("document")
    except MALFORMED:
        return "", None
