"""What each kind of disclosure needs before anybody reviews it, and how long it lasts (C25, C33, C34, C42-C45)."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from models.disclosures import (
    LEGAL,
    LONGEST_DAYS,
    LONGEST_PROTECTION_DAYS,
    DisclosureKind,
    DocumentKind,
    LawfulException,
    TransferBasis,
)
from privacy.disclosures import MOST_PERSONS, Wanted

CLAUSES = {
    DisclosureKind.AUTHORITY: "C45",
    DisclosureKind.LITIGATION: "C33",
    DisclosureKind.PROTECTION: "C34",
    DisclosureKind.PUBLIC: "C44",
    DisclosureKind.TRANSFER: "C42",
    DisclosureKind.MERGER: "C43",
}
"""The clause that speaks of a kind."""

_SECRET = frozenset({DisclosureKind.AUTHORITY, DisclosureKind.LITIGATION})
_RECEIVED = frozenset({DisclosureKind.TRANSFER, DisclosureKind.MERGER})
_EXCEPTED = frozenset({DisclosureKind.AUTHORITY, DisclosureKind.LITIGATION, DisclosureKind.PROTECTION})


class Lack(StrEnum):
    """In which way a case is not fit to be reviewed."""

    MISSING = "MISSING"
    MISPLACED = "MISPLACED"
    """Something that this kind does not have."""
    EXPIRY = "EXPIRY"


@dataclass(frozen=True, slots=True)
class Unfit:
    """One reason: which input, what to do, and the clause."""

    lack: Lack
    field: str
    text: str
    clause: str


def unfit(wanted: Wanted, *, now: datetime) -> list[Unfit]:
    """Everything that is in the way of a case; nothing: it may be put before a reviewer."""
    return [*_missing(wanted), *_misplaced(wanted), *_expiries(wanted, now)]


def _missing(wanted: Wanted) -> list[Unfit]:
    needed = {
        "users": bool(wanted.persons),
        "exception": wanted.exception is not None or not _needs_exception(wanted),
        "document": wanted.document is not None or not _needs_document(wanted),
        "justification": wanted.justification is not None or not _needs_justification(wanted),
        "basis": wanted.basis is not None or wanted.kind is not DisclosureKind.TRANSFER,
        "recipient": wanted.receiver is not None or wanted.kind not in _RECEIVED,
        "manner": wanted.manner is not None or wanted.kind is not DisclosureKind.PUBLIC,
        "items": bool(wanted.items) or wanted.kind is not DisclosureKind.PUBLIC,
        "categories": bool(wanted.categories) or wanted.kind is DisclosureKind.PUBLIC,
    }
    return [
        Unfit(Lack.MISSING, name, _NEEDED[name], "C25" if name == "exception" else CLAUSES[wanted.kind])
        for name, there in needed.items()
        if not there
    ]


_NEEDED = {
    "users": "Name the persons that the case is about.",
    "exception": "Name the one of the eight exceptions that it rests on.",
    "document": "Give the document: its kind, its reference, and where it is filed.",
    "justification": "Say what is to be protected and why it cannot wait, or which law says so.",
    "basis": "Data are handed over by CONSENT, LAW or AGREEMENT, and by nothing else.",
    "recipient": "Name the organization that takes the data over, by its code.",
    "manner": "Name the manner in which the persons chose to have it made public.",
    "items": "Name the items that the persons chose to have made public.",
    "categories": "Name the categories of data that it covers.",
}


def _needs_exception(wanted: Wanted) -> bool:
    return wanted.kind in _EXCEPTED or wanted.basis is TransferBasis.LAW


def _needs_document(wanted: Wanted) -> bool:
    by_words = wanted.basis in (TransferBasis.LAW, TransferBasis.AGREEMENT)
    return wanted.kind in _SECRET or wanted.kind is DisclosureKind.MERGER or by_words


def _needs_justification(wanted: Wanted) -> bool:
    return wanted.kind is DisclosureKind.PROTECTION or wanted.exception in (
        LawfulException.VITAL_INTERESTS,
        LawfulException.OTHER_LAW,
    )


def _misplaced(wanted: Wanted) -> list[Unfit]:
    kind = wanted.kind
    out_of_place = {
        "exception": wanted.exception is not None and not _needs_exception(wanted),
        "basis": wanted.basis is not None and kind is not DisclosureKind.TRANSFER,
        "undertaking": wanted.undertaking is not None and kind is not DisclosureKind.MERGER,
        "recipient": wanted.receiver is not None and kind in (*_SECRET, DisclosureKind.PUBLIC),
        "manner": wanted.manner is not None and kind is not DisclosureKind.PUBLIC,
        "items": wanted.items is not None and kind is not DisclosureKind.PUBLIC,
        "categories": bool(wanted.categories) and kind is DisclosureKind.PUBLIC,
        "secrecy": wanted.secrecy is not None and kind not in _SECRET,
        "document.kind": wanted.document is not None and not _fits(wanted, wanted.document.kind),
        "users": len(set(wanted.persons)) > MOST_PERSONS,
    }
    return [
        Unfit(Lack.MISPLACED, name, _OUT_OF_PLACE.get(name, _NOT_HERE), CLAUSES[kind])
        for name, wrong in out_of_place.items()
        if wrong
    ]


_NOT_HERE = "This kind of disclosure has none. Leave it out, or open a case of the kind that does."
_OUT_OF_PLACE = {
    "document.kind": "This kind of disclosure does not rest on such a document.",
    "users": f"A case is about at most {MOST_PERSONS} persons. Open another one for the others.",
    "secrecy": "Only what an authority or a court asks for may be kept from its persons, for a time.",
    "categories": "What is made public is named by single items, not by categories.",
}


def _fits(wanted: Wanted, kind: DocumentKind) -> bool:
    if wanted.kind in _SECRET:
        return kind in LEGAL
    if wanted.basis is TransferBasis.LAW:
        return kind in LEGAL or kind is DocumentKind.STATUTE
    if wanted.basis is TransferBasis.AGREEMENT or wanted.kind is DisclosureKind.MERGER:
        return kind is DocumentKind.AGREEMENT
    return True


def _expiries(wanted: Wanted, now: datetime) -> list[Unfit]:
    days = LONGEST_PROTECTION_DAYS if wanted.kind is DisclosureKind.PROTECTION else LONGEST_DAYS
    moments = {"expiresAt": (wanted.expires_at, days)}
    if wanted.secrecy is not None:
        moments["secrecy.until"] = wanted.secrecy.until, LONGEST_DAYS
    return [
        Unfit(Lack.EXPIRY, name, f"Name a moment with an offset, within the next {most} days.", CLAUSES[wanted.kind])
        for name, (moment, most) in moments.items()
        if moment.tzinfo is None or not now < moment <= now + timedelta(days=most)
    ]
