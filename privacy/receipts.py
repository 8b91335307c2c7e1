"""Consent receipts: what somebody agreed to, as a signed document that they keep and anybody can verify.

The names are those of the Kantara Initiative's Consent Receipt Specification 1.1, which ISO/IEC TS 27560:2023 took up,
where it has one; what it lacks (hash of the notice, code of the recipient, expiry, events, withdrawal) stands beside.
The signature is a JWS (RFC 7515, compact, Ed25519) of a type of its own: a receipt is no token, nor a token a receipt.
"""

import json
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from joserfc import jwt
from joserfc.errors import SecurityWarning
from joserfc.jwk import KeySet

from authz.faults import MALFORMED
from models.global_ids import NodeType, to_global
from models.vocabulary import from_bits
from privacy.bundles import BundleName, read_bundle
from privacy.receipt_keys import ReceiptKeyFile

TYPE = "consent-receipt+jwt"
MEDIA_TYPE = "application/jwt"
KEYS_PATH = "/.well-known/consent-receipt-keys.json"
LONGEST_TEXT = 64 * 1024
_VERSION = "KI-CR-v1.1.0"
_ALGORITHMS = ["EdDSA"]
# RFC 9864 renames EdDSA over Ed25519; libraries know the older name, and these keys are Ed25519 only.
warnings.filterwarnings("ignore", message="EdDSA is deprecated", category=SecurityWarning)
_SENSITIVE = read_bundle(BundleName.PIPL).consent.apart
"""What a receipt calls sensitive, whichever bundle is in force: a document about a person is read under later law."""

STATEMENT = """
SELECT c.id, c.person_id, c.guardian_id, c.purpose, c.categories, c.notice_version, c.notice_hash, c.granted_at,
    c.withdrawn_at, c.withdrawn_by_id, c.expires_at, o.code, o.name,
    n.content::json ->> 'controller' AS controller, (n.content::json -> 'responsible')::text AS responsible
FROM consent c LEFT JOIN organization o ON o.id = c.recipient_id LEFT JOIN notice n ON n.digest = c.notice_hash
WHERE c.id = ANY($1::uuid[]) AND c.person_id = ANY($2::uuid[])
"""
"""The rows of receipts: of the consents $1, those of the persons $2. Who answers is null for a notice nobody has."""


@dataclass(frozen=True, slots=True)
class Receipt:
    """A receipt to download: the document, and the same signed."""

    file_name: str
    jws: str
    document: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class NoReceipt:
    """A text that is no receipt, and why in words that help whoever holds it."""

    why: str


@dataclass(frozen=True, slots=True)
class Receipts:
    """Makes receipts, in the name of the service at `issuer`."""

    keys: ReceiptKeyFile = field(repr=False)
    issuer: str

    def of(self, row: Mapping[str, Any]) -> Receipt:
        """The receipt of a row of `STATEMENT`, as the consent stands now."""
        document = self._document(row)
        key = self.keys.keys.signing
        signed = jwt.encode({"alg": "EdDSA", "typ": TYPE, "kid": key.kid}, document, key, algorithms=_ALGORITHMS)
        return Receipt(f"consent-{document['consentReceiptID']}.jwt", signed, document)

    def _document(self, row: Mapping[str, Any]) -> dict[str, Any]:
        consent, categories = to_global(NodeType.CONSENT, row["id"]), from_bits(row["categories"])
        sensitive = [one.name for one in categories if one in _SENSITIVE]
        by_guardian = row["guardian_id"] is not None
        return {
            "version": _VERSION,
            "iss": self.issuer,
            "jurisdiction": "CN",
            "consentTimestamp": int(row["granted_at"].timestamp()),
            "collectionMethod": "grantConsent, by a guardian" if by_guardian else "grantConsent, by the person",
            "consentReceiptID": consent,
            "publicKey": self.issuer + KEYS_PATH,
            "language": "zh-CN",
            "piiPrincipalId": to_global(NodeType.USER, row["person_id"]),
            "piiControllers": list(_controllers(row)),
            "policyUrl": f"{self.issuer}/graphql",
            "services": [{"service": "insurance brokerage", "purposes": [_purpose(row, categories)]}],
            "sensitive": bool(sensitive),
            "spiCat": sensitive,
            "notice": _notice(row),
            "recipient": row["code"] and {"code": row["code"], "name": row["name"]},
            "withdrawal": {"url": f"{self.issuer}/graphql", "mutation": "withdrawConsent", "id": consent},
            "expiresAt": _moment(row["expires_at"]),
            "withdrawnAt": _moment(row["withdrawn_at"]),
            "events": list(_events(row)),
        }


def read_receipt(text: str, keys: KeySet) -> Mapping[str, Any] | NoReceipt:
    """The document of a receipt that one of `keys` signed. Offline: nothing is looked up."""
    text = text.strip()
    if len(text) > LONGEST_TEXT:
        return NoReceipt("it is too long for a receipt")
    try:
        signed = jwt.decode(text, keys, algorithms=_ALGORITHMS)
    except MALFORMED:
        return NoReceipt("it is not a text signed by one of these keys, or was changed since")
    header = signed.header
    # No extension is understood, so none may be critical.
    if header.get("typ") != TYPE or header.get("kid") not in {key.kid for key in keys} or "crit" in header:
        return NoReceipt("it is signed, and is no consent receipt")
    return signed.claims


def _notice(row: Mapping[str, Any]) -> dict[str, Any]:
    """Which notice was agreed to, and where it can be read: nowhere, if it was never published here."""
    kept = row["controller"] is not None
    return {
        "version": row["notice_version"],
        "hash": row["notice_hash"],
        "field": "Query.notice" if kept else None,
        "published": kept,
    }


def _controllers(row: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Who answers for the processing, as the notice names them; nobody, where nobody has that notice."""
    if row["controller"] is None:
        return
    party = json.loads(row["responsible"])
    yield {
        "piiController": row["controller"],
        "contact": party["department"],
        "email": party["contact"],
        "address": party["address"],
        "complaints": party["complaints"],
    }


def _purpose(row: Mapping[str, Any], categories: tuple[Any, ...]) -> dict[str, Any]:
    end = _moment(row["expires_at"])
    return {
        "purpose": row["purpose"].upper(),
        "consentType": "EXPLICIT",
        "piiCategory": [one.name for one in categories],
        "termination": f"on withdrawal, at the latest {end}" if end else "on withdrawal",
        "thirdPartyDisclosure": row["code"] is not None,
        "thirdPartyName": row["name"],
    }


def _events(row: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """What became of it, the earliest first, and whose doing it was."""
    given_by = "SELF" if row["guardian_id"] is None else "GUARDIAN"
    yield {"eventType": "given", "eventTime": _moment(row["granted_at"]), "by": given_by}
    if row["withdrawn_at"] is not None:
        by = row["withdrawn_by_id"]
        # An officer's, who ended the guardian's link, or nobody's that was kept: it has not always been.
        known = None if by is None else "SELF" if by == row["person_id"] else "GUARDIAN"
        yield {"eventType": "withdrawn", "eventTime": _moment(row["withdrawn_at"]), "by": known}


def _moment(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat(timespec="milliseconds")
