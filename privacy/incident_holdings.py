"""The data map of incidents: whom one befell, by reference, and what they were told (C63)."""

from privacy.holding import REFERENCE, Holding

_MINE = f"SELECT p.id FROM incident_person p JOIN incident i ON i.id = p.incident_id WHERE p.reference = {REFERENCE}"  # noqa: S608
_LETTERS = f"t.person_id IN ({_MINE})"

OF_INCIDENTS: tuple[Holding, ...] = (
    Holding(
        "incident_person",
        f"t.reference = {REFERENCE}",
        inner=(
            *("id", "incident_id", "reference", "stand_in"),
            *("revealed", "masked", "changed", "first", "last", "times"),
        ),
        exported=False,
        why_not="It is what letters are written from while an incident is looked into; the letters are in the archive.",
    ),
    Holding(
        "incident_letter",
        _LETTERS,
        # Of a drill nothing befell anybody, and nobody is told.
        about=f"t.person_id IN ({_MINE} AND NOT i.drill)",
        plain=("revealed", "masked", "changed", "first", "last", "written_at", "acknowledged_at"),
        inner=("id", "person_id", "acknowledged_by"),
    ),
)
