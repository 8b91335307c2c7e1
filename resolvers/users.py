"""How a User is stored: a person, with the username of its account and the relay number for the caller."""

from functools import partial

import orjson

from models.formats import phone_number
from models.global_ids import NodeType
from models.vocabulary import BlindColumn, Retention
from privacy.relays import concluded
from resolvers.access_history import ACCESS_HISTORY
from resolvers.global_ids import row_under
from resolvers.notices import USER_PENDING, USER_STANDING
from resolvers.nouns import BlindFilter, CampaignFilter, Children, Noun, Order, Public, SealedColumn

USER = Noun(
    name="User",
    table="person",
    node_type=NodeType.USER,
    retention=Retention.ACCOUNT,
    key_owner="t.id",
    joins={
        "account": "LEFT JOIN account ON account.person_id = t.id",
        "virtual_phone": (
            "LEFT JOIN LATERAL (SELECT v.id, v.number_sealed FROM virtual_phone v WHERE v.person_id = t.id"
            " AND {recipient:v.organization_id} AND v.ended_at IS NULL"
            # That consent is what ties is decided with the cell; a contract ends it whatever the row says yet (C22).
            f" AND (v.organization_id IS NULL OR NOT {concluded('t.id', 'v.organization_id')})"
            " ORDER BY v.issued_at DESC, v.id LIMIT 1)"
            " virtual_phone ON TRUE"
        ),
    },
    fields={
        "username": SealedColumn("username_sealed", table="account", alias="account", join="account"),
        "name": SealedColumn("name_sealed"),
        "idType": Public("t.id_type"),
        "idNumber": SealedColumn("id_number_sealed"),
        "gender": SealedColumn("gender_sealed"),
        "birthDate": SealedColumn("birth_date_sealed"),
        "phone": SealedColumn("phone_sealed"),
        "virtualPhone": SealedColumn(
            "number_sealed", table="virtual_phone", alias="virtual_phone", join="virtual_phone"
        ),
        "email": SealedColumn("email_sealed"),
        "address": SealedColumn("address_sealed"),
        "bankCard": SealedColumn("bank_card_sealed"),
        "occupation": SealedColumn("occupation_sealed"),
        "healthDeclaration": SealedColumn("health_declaration_sealed"),
        "region": SealedColumn("region_sealed"),
        "nickname": SealedColumn("nickname_sealed"),
        "avatar": SealedColumn("avatar_sealed"),
        "profileSource": SealedColumn("profile_source_sealed"),
        "tags": SealedColumn("tags_sealed", convert=orjson.loads),
        "version": Public("CASE WHEN t.id = :person OR t.id = ANY(:wards::uuid[]) THEN t.version END"),
        "marketingRefusals": Public(
            "CASE WHEN t.id = :person OR t.id = ANY(:wards::uuid[]) THEN"
            " ARRAY(SELECT DISTINCT mr.channel FROM marketing_refusal mr WHERE mr.person_id = t.id"
            " AND mr.allowed_at IS NULL ORDER BY mr.channel) END"
        ),
        "permissions": Children("Permission", ("person_id",), paged=False),
        "corrections": Children("Correction", ("person_id",), paged=False),
        "devices": Children("Device", ("person_id",)),
        "policies": Children("Policy", ("holder_id", "insured_id")),
        "claims": Children("Claim", ("holder_id", "insured_id")),
        "consents": Children("Consent", ("person_id",)),
        "accessHistory": ACCESS_HISTORY,
        "pendingNotices": USER_PENDING,
        "standingNotice": USER_STANDING,
    },
    orders={None: Order(("t.id",), ("uuid",))},
    filters={
        "phone": BlindFilter("User.phone", BlindColumn.PHONE, "phone", phone_number),
        "idNumber": BlindFilter("User.idNumber", BlindColumn.ID_NUMBER, "id_number"),
        "campaign": CampaignFilter(partial(row_under, stored_as=NodeType.RECORD, argument="campaign")),
    },
)
