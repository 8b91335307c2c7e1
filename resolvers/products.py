"""How products, the items they need and organizations are stored: public as a whole."""

from resolvers.nouns import Children, Link, Noun, Order, Public

PRODUCT = Noun(
    name="Product",
    table="product",
    scoped=False,
    fields={
        "code": Public("t.code"),
        "name": Public("t.name"),
        "insurer": Link("Organization", "t.insurer_id"),
        "items": Children("ProductItem", ("product_id",), paged=False),
    },
    orders={None: Order(("t.code",), ("text",))},
)

PRODUCT_ITEM = Noun(
    name="ProductItem",
    table="product_item",
    scoped=False,
    fields={"part": Public("upper(t.part)"), "item": Public("t.item"), "clause": Public("t.clause")},
    orders={"POSITION": Order(("t.part", "t.item"), ("text", "text"))},
)

ORGANIZATION = Noun(
    name="Organization",
    table="organization",
    scoped=False,
    fields={
        "code": Public("t.code"),
        "name": Public("t.name"),
        "kind": Public("t.kind"),
        "privacyPolicy": Public("t.privacy_policy"),
    },
    orders={None: Order(("t.code",), ("text",))},
)
