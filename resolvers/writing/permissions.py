"""Permissions, each given and taken back alone (C14, C15); and push identifiers, which live as long as theirs (C13)."""

import re
from dataclasses import replace
from typing import Any
from uuid import UUID, uuid4

from models.devices import PushIdKind
from models.formats import FormatError, free_text
from models.never_collected import never_collected
from models.permissions import PermissionKind
from resolvers.payloads import Problem, ProblemCode, Write, Written
from resolvers.registry import NOUNS
from resolvers.times import in_shanghai
from resolvers.writing.items import never
from resolvers.writing.minors import guarded_profile
from resolvers.writing.rows import insert, opened, sealed
from resolvers.writing.targets import may_give, target

MOST_DEVICES = 20
"""Of one person. A device that is not used any more is changed into the next one."""
_LONGEST_MODEL = 64

# An answer given again is no new one.
_DECIDE = """
INSERT INTO permission (id, person_id, kind, granted, decided_at) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (person_id, kind) DO UPDATE SET granted = excluded.granted,
decided_at = CASE WHEN permission.granted = excluded.granted THEN permission.decided_at ELSE excluded.decided_at END
RETURNING id
"""
_STOP_PUSH = "UPDATE device SET push_id_sealed = NULL, push_id_kind = NULL WHERE person_id = $1"
_GRANTED_ROW = "SELECT id FROM permission WHERE person_id = $1 AND kind = $2 AND granted"
_GRANTED = "SELECT EXISTS (SELECT FROM permission WHERE person_id = $1 AND kind = $2 AND granted)"
_DEVICES = "SELECT * FROM device WHERE person_id = $1 ORDER BY id"

_UUID = "[0-9A-F]{8}-[0-9A-F]{4}-[0-9A-F]{4}-[0-9A-F]{4}-[0-9A-F]{12}"
_FORMATS = {
    PushIdKind.ANDROID_ID: (re.compile("[0-9A-F]{16}"), "An ANDROID_ID has 16 hex digits."),
    PushIdKind.IDFA: (re.compile(_UUID), "An IDFA is a UUID: 32 hex digits with hyphens, not all of them 0."),
    PushIdKind.OAID: (
        re.compile(f"{_UUID}|[0-9A-F]{{16,64}}"),
        "An OAID is a UUID or 16 to 64 hex digits, as the device's maker has it, not all of them 0.",
    ),
}
_NOTHING = re.compile("[0-]+")
"""What a device gives whose owner refuses to be identified: taken as no identifier."""


async def set_permission(write: Write, kind: PermissionKind, *, granted: bool) -> Written | Problem:
    """The caller's word on one permission; every other one stays as it is. Taking push back erases its identifiers."""
    found = await target(write, "User", write.subject.person)
    if isinstance(found, Problem):
        return found
    # To take back is everybody's right, whatever their age.
    problem = await guarded_profile(write, found.row) if granted else None
    if problem:
        return problem
    row = await write.connection.fetchval(_DECIDE, uuid4(), found.id, kind.value, granted, write.now)
    if kind is PermissionKind.PUSH and not granted:
        await write.connection.execute(_STOP_PUSH, found.id)
    return Written("Permission", row)


async def use_permission(write: Write, kind: PermissionKind) -> Written | Problem:
    """Let the app use a permission once, if the caller's last word on it is yes: the use is on the ledger either way.

    PERMISSION_REQUIRED where it was taken back, or never given: the app asks at its first use (C15, C67).
    """
    found = await target(write, "User", write.subject.person)
    if isinstance(found, Problem):
        return found
    row = await write.connection.fetchval(_GRANTED_ROW, found.id, kind.value)
    return Written("Permission", row) if row else _not_granted(kind)


def _not_granted(kind: PermissionKind) -> Problem:
    return Problem(
        ProblemCode.PERMISSION_REQUIRED,
        f"{kind.value} is not granted. Ask the person, and keep the answer by setPermission({kind.value}).",
        field="permission",
        clause="C67",
        consequence="This function stops; everything else goes on.",
    )


async def set_push_identifiers(
    write: Write, device: UUID | None, *, kind: PushIdKind, identifier: str, model: str | None
) -> Written | Problem:
    """Keep by what identifier a device gets messages: the named one, the one that has it already, or a new one."""
    person = await target(write, "User", write.subject.person)
    if isinstance(person, Problem):
        return person
    found = person if device is None else await target(write, "Device", device)
    if isinstance(found, Problem):
        return replace(found, field="device") if found.code is ProblemCode.NOT_FOUND else found
    given = _clean(kind, identifier, model)
    if isinstance(given, Problem):
        return given
    coordinates = {"identifier": "Device.pushId", "model": "Device.model"} if model else {"identifier": "Device.pushId"}
    problem = may_give(write, found, coordinates) or await guarded_profile(write, person.row)
    if problem:
        return problem
    if not await write.connection.fetchval(_GRANTED, person.id, PermissionKind.PUSH.value):
        return _SWITCHED_OFF
    row = device or await _same(write, person.id, kind, given["pushId"])
    return await _keep(write, person.id, row, kind, given)


_SWITCHED_OFF = Problem(
    ProblemCode.PERMISSION_REQUIRED,
    "Push messages are switched off. Switch them on with setPermission(PUSH) first.",
    clause="C13",
    consequence="No messages are pushed; everything else goes on.",
)


def _clean(kind: PushIdKind, identifier: str, model: str | None) -> dict[str, str] | Problem:
    pattern, expected = _FORMATS[kind]
    plain = identifier.strip().upper()
    if not pattern.fullmatch(plain) or _NOTHING.fullmatch(plain):
        return Problem(ProblemCode.ITEM_INVALID, expected, field="identifier", clause="C13")
    given = {"pushId": plain if kind is PushIdKind.IDFA else plain.lower()}
    if model is None:
        return given
    secret = never_collected(model[: 2 * _LONGEST_MODEL])
    if secret:
        return never("model", secret)
    try:
        return {**given, "model": free_text(model, longest=_LONGEST_MODEL)}
    except FormatError as refused:
        return Problem(ProblemCode.ITEM_INVALID, str(refused), field="model")


async def _same(write: Write, person: UUID, kind: PushIdKind, identifier: str) -> UUID | Problem | None:
    """The person's device of this identifier, whatever installation asks; None: there is room for one."""
    devices = await write.connection.fetch(_DEVICES, person)
    for row in devices:
        if row["push_id_kind"] == kind and await _push_id(write, person, row) == identifier:
            same: UUID = row["id"]
            return same
    if len(devices) < MOST_DEVICES:
        return None
    message = f"There are {MOST_DEVICES} devices already. Name the one that this takes the place of."
    return Problem(ProblemCode.DEVICE_CEILING, message, field="device", clause="C13")


async def _push_id(write: Write, person: UUID, row: Any) -> str | None:  # noqa: ANN401 - asyncpg's row
    return (await opened(write, NOUNS["Device"], row, owner=person, fields=("pushId",)))["pushId"]


async def _keep(
    write: Write, person: UUID, row: UUID | Problem | None, kind: PushIdKind, given: dict[str, str]
) -> Written | Problem:
    if isinstance(row, Problem):
        return row
    device = row or uuid4()
    values = {**given, "lastSeenAt": in_shanghai(write.now).isoformat(timespec="seconds")}
    columns: dict[str, Any] = dict(await sealed(write, NOUNS["Device"], device, owner=person, values=values))
    columns["push_id_kind"] = kind.value
    if row is None:
        await insert(write, "device", {"id": device, "person_id": person, **columns})
    else:
        sets = ", ".join(f'"{name}" = ${place}' for place, name in enumerate(columns, start=2))
        await write.connection.execute(f"UPDATE device SET {sets} WHERE id = $1", device, *columns.values())
    return Written("Device", device)
