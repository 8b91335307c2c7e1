"""Relay numbers that a contract has ended: who has business with a partner is reached as that says (C22)."""

from datetime import datetime, time
from typing import Any

from models.demo.rows import TABLES, Batch, Cell
from models.demo.timeline import ANCHOR, CHINA
from models.policies import PolicyStatus

_COLUMNS = {table.name: tuple(column.name for column in table.plain) for table in TABLES}
_RUNNING = frozenset({PolicyStatus.IN_FORCE, PolicyStatus.GRACE})


def end_concluded(batch: Batch) -> None:
    """End the live numbers of partners with business: a running policy for the holder, or a running health service.

    Nothing is drawn for it: a number ends with what concludes, at the earliest as it is issued.
    """
    since = _concluded(batch)
    numbers = batch.rows["virtual_phone"]
    for place, (row_id, owner, plain, texts) in enumerate(numbers):
        number = _named("virtual_phone", plain)
        begun = since.get((number["person_id"], number["organization_id"]))
        if number["ended_at"] is None and begun is not None:
            number["ended_at"] = max(begun, number["issued_at"])
            numbers[place] = (row_id, owner, tuple(number.values()), texts)


def _concluded(batch: Batch) -> dict[tuple[object, object], datetime]:
    """By person and organization: since when there is business."""
    found: dict[tuple[object, object], datetime] = {}
    parties: dict[object, tuple[object, object]] = {}
    for row_id, _, plain, _ in batch.rows["policy"]:
        policy = _named("policy", plain)
        parties[row_id] = policy["holder_id"], policy["insured_id"]
        if policy["status"] in _RUNNING:
            begun = datetime.combine(policy["starts_on"], time(), CHINA)
            found[policy["holder_id"], policy["insurer_id"]] = begun
    for _, _, plain, _ in batch.rows["health_service"]:
        service = _named("health_service", plain)
        if service["ends_at"] is None or service["ends_at"].date() > ANCHOR:
            for person in parties[service["policy_id"]]:
                found[person, service["provider_id"]] = service["starts_at"]
    return found


def _named(table: str, plain: tuple[Cell, ...]) -> dict[str, Any]:
    return dict(zip(_COLUMNS[table], plain, strict=True))
