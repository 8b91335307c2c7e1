"""How a Permission is stored: one row a person and kind, made by the person's first word on it."""

from resolvers.nouns import Noun, Order, Public
from resolvers.times import in_shanghai

PERMISSION = Noun(
    name="Permission",
    table="permission",
    fields={
        "kind": Public("t.kind"),
        "granted": Public("t.granted"),
        "decidedAt": Public("t.decided_at", in_shanghai),
    },
    orders={"POSITION": Order(("t.kind",), ("text",))},
)
