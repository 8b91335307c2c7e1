"""How a Correction is stored; the earlier value is sealed and shown to nobody."""

from resolvers.nouns import Noun, Order, Public
from resolvers.times import in_shanghai

_RECIPIENTS = (
    "coalesce((SELECT array_agg(o.name ORDER BY o.name, o.code) FROM correction_recipient r"
    " JOIN organization o ON o.id = r.organization_id WHERE r.correction_id = t.id), '{}')"
)

CORRECTION = Noun(
    name="Correction",
    table="correction",
    fields={
        "coordinate": Public("t.coordinate"),
        "correctedAt": Public("t.corrected_at", in_shanghai),
        "recipients": Public(_RECIPIENTS),
    },
    orders={"POSITION": Order(("t.corrected_at", "t.id"), ("timestamptz", "uuid"))},
)
