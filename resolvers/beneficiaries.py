"""How a Beneficiary is stored."""

from models.global_ids import NodeType
from models.vocabulary import Retention
from resolvers.global_ids import row_of
from resolvers.nouns import Filter, Link, Noun, Order, Public, SealedColumn

BENEFICIARY = Noun(
    name="Beneficiary",
    table="beneficiary",
    node_type=NodeType.BENEFICIARY,
    retention=Retention.CONTRACT,
    key_owner="t.holder_id",
    fields={
        "policy": Link("Policy", "t.policy_id"),
        "name": SealedColumn("name_sealed"),
        "idNumber": SealedColumn("id_number_sealed"),
        "phone": SealedColumn("phone_sealed"),
        "relation": Public("t.relation"),
        "order": Public("t.position"),
        "share": Public("t.share::text"),
    },
    orders={
        None: Order(("t.id",), ("uuid",)),
        "POSITION": Order(("t.position", "t.id"), ("smallint", "uuid")),
    },
    filters={"policy": Filter("t.policy_id = {value}::uuid", convert=row_of(NodeType.POLICY), visible="Policy")},
)
