"""The command `preview …`: what an operation would be shown, compared with what a client's repository expects."""

import argparse
import difflib
import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from authz.commands import Call, Done, OperatorRefusedError
from authz.law import Law
from authz.rulesets import in_force_now
from models.vocabulary import Purpose, Role
from resolvers.field_access import FieldAccess, Planning, Previewed
from resolvers.limits import MAX_BODY
from resolvers.problems import RequestRefusedError


def accept_preview(parser: argparse.ArgumentParser, *, planning: Planning, law: Callable[[], Law]) -> None:
    """Declare `preview`; `planning` gives what plans operations, `law` what configuration says of it."""
    option = parser.add_argument
    option("file", type=Path, metavar="FILE", help="one GraphQL document")
    option(
        "--as", dest="role", type=Role, choices=list(Role), required=True, metavar="ROLE", help="as whom it is asked"
    )
    option("--purpose", type=Purpose, choices=list(Purpose), required=True, metavar="PURPOSE", help="and for what")
    option("--operation", metavar="NAME", help="which, where the document holds several")
    option("--variables", type=_object, default={}, metavar="JSON", help="values that matter; others may be anything")
    option("--expect", type=Path, metavar="FILE", help="what is expected: end with 1 where it is something else")
    option("--update", action="store_true", help="write what it is now to the file of --expect")
    parser.set_defaults(act=partial(_preview, planning=planning, law=law))


def _object(text: str) -> dict[str, Any]:
    """An argument that is a JSON object. Raises ArgumentTypeError."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        message = 'a JSON object such as {"first": 10}'
        raise argparse.ArgumentTypeError(message)
    return found


async def _preview(call: Call, *, planning: Planning, law: Callable[[], Law]) -> Done:
    given = call.arguments
    if given.update and given.expect is None:
        raise OperatorRefusedError("--update writes the file of --expect: name it.")
    planner, catalogue = planning()
    snapshot = await in_force_now(call.connection, catalogue, now=call.now, law=law())
    previewed = Previewed(_document(given.file), given.role, given.purpose, given.operation, given.variables)
    try:
        found = await planner.preview(previewed, snapshot)
    except RequestRefusedError as refusal:
        message = f"{given.file}: {refusal.errors[0]['message']} ({refusal.code})"
        raise OperatorRefusedError(message) from None
    access = [one.said() for one in sorted(found, key=lambda one: (one.pattern, one.coordinate))]
    told = {"ruleset": snapshot.ruleset.number, "access": access}
    if given.expect is None:
        return Done(told, "\n".join(map(_line, found)))
    now = written(access)
    if given.update:
        _write(given.expect, now)
        return Done({**told, "changed": []}, f"{given.expect} holds {len(access)} fields.")
    changed = _difference(_read(given.expect), now)
    text = "\n".join(changed) or f"{len(access)} fields are as expected."
    return Done({**told, "changed": changed}, text, wrong=bool(changed))


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as fault:
        message = f"{path} cannot be written ({fault.strerror}): name a file in a folder that is there."
        raise OperatorRefusedError(message) from None


def written(access: list[dict[str, Any]]) -> str:
    """A preview as a file holds it: a field a line, so that a change reads as one."""
    lines = ",\n".join(f"  {json.dumps(one, ensure_ascii=False)}" for one in access)
    return f"[\n{lines}\n]\n" if lines else "[]\n"


def _difference(expected: str, now: str) -> list[str]:
    """The lines that are other than expected, `-` before those expected and `+` before those found."""
    compared = difflib.unified_diff(expected.splitlines(), now.splitlines(), lineterm="", n=0)
    return [line for line in compared if line[:1] in "+-" and line[:3] not in ("+++", "---")]


def _line(one: FieldAccess) -> str:
    parts = (
        f"{one.effect.value:<7} {one.pattern}  {one.coordinate}",
        one.reason and f"reason: {one.reason.value}",
        one.situations and "; ".join(one.situations),
        one.remedy,
        one.clause and f"({one.clause})",
    )
    return "  ".join(part for part in parts if part)


def _document(path: Path) -> str:
    text = _read(path)
    if len(text) > MAX_BODY:
        message = f"{path} is larger than {MAX_BODY} bytes: preview less at once."
        raise OperatorRefusedError(message)
    return text


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        message = f"{path} cannot be read as text: name a file that is there (--update writes an expectation)."
        raise OperatorRefusedError(message) from None
