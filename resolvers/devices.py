"""How a Device is stored."""

from models.global_ids import NodeType
from models.vocabulary import Retention
from resolvers.nouns import Noun, Order, Public, SealedColumn

DEVICE = Noun(
    name="Device",
    table="device",
    node_type=NodeType.DEVICE,
    retention=Retention.DEVICE,
    key_owner="t.person_id",
    fields={
        "model": SealedColumn("model_sealed"),
        "ipAddress": SealedColumn("ip_address_sealed"),
        "pushId": SealedColumn("push_id_sealed"),
        "pushIdKind": Public("t.push_id_kind"),
        "lastSeenAt": SealedColumn("last_seen_at_sealed"),
    },
    orders={None: Order(("t.id",), ("uuid",))},
)
