"""What the ledger is told of an operation: who asked what, for which purpose, under which rules."""

from typing import Any

from authz.narrowing import Narrowing, Only
from authz.rules import Ruleset
from authz.subjects import Subject
from authz.vocabulary import Effect
from models.vocabulary import Purpose

LONGEST_NAME = 120
"""Characters of an operation's name that are kept: it is the client's own word."""


def scope_said(categories: int, narrowing: Narrowing) -> dict[str, Any]:
    """How a token narrowed an operation, as a row says it; `authz.replay` reads it."""
    said: dict[str, Any] = {"categories": categories}
    if narrowing.only is not Only.ALL:
        said["only"] = narrowing.only.value
    if narrowing.most is not Effect.REVEAL:
        said["most"] = narrowing.most.name
    if narrowing.step_up:
        said["stepUp"] = True
    return said


def asked(subject: Subject, purpose: Purpose, ruleset: Ruleset, *, shape_hash: str, name: str | None) -> dict[str, Any]:
    """The members of a row that say who asked what, by name."""
    return {
        "role": subject.role,
        "organization": subject.organization,
        "account": subject.account,
        "token": subject.token_id,
        "client": subject.client,
        "agreement": subject.agreement,
        "purpose": purpose,
        "operation_hash": shape_hash,
        "operation_name": name and name[:LONGEST_NAME],
        "ruleset": ruleset.number,
        "digest": ruleset.digest,
    }
