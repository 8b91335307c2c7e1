"""How products and organizations are stored: public as a whole."""

from resolvers.nouns import Link, Noun, Order, Public

PRODUCT = Noun(
    name="Product",
    table="product",
    scoped=False,
    fields={
        "code": Public("t.code"),
        "name": Public("t.name"),
        "insurer": Link("Organization", "t.insurer_id"),
    },
    orders={None: Order(("t.code",), ("text",))},
)

ORGANIZATION = Noun(
    name="Organization",
    table="organization",
    scoped=False,
    fields={"code": Public("t.code"), "name": Public("t.name"), "kind": Public("t.kind")},
    orders={None: Order(("t.code",), ("text",))},
)
