"""Two persons whose lives are tangled, with a value of their own in every sealed column that the data map knows."""

import json
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID, uuid4

from models.vocabulary import Retention
from privacy.holding import Holding
from privacy.holdings import HOLDINGS
from tests.writing.conftest import Customer, Office
from vault.keyring import Keyring
from vault.sealing import column_label, new_data_key, seal, unwrap

_KEY = "SELECT wrapped FROM data_key WHERE person_id = $1 AND retention = $2"
_REFERENCE = "SELECT reference FROM person_reference WHERE person_id = $1"
_REFER = "INSERT INTO person_reference (person_id) VALUES ($1) ON CONFLICT DO NOTHING"
_DUE = "(request_id, due_on, provisional, changed_at) VALUES ($1, $2, $3, $4)"
_NEW_KEY = "INSERT INTO data_key (person_id, retention, wrapped) VALUES ($1, $2, $3)"


@dataclass
class Planted:
    """By whom they are about: values that have to be in their archive. `others`: those that belong in nobody's."""

    of: dict[UUID, dict[str, str]] = field(default_factory=dict)
    others: dict[str, str] = field(default_factory=dict)
    withheld: dict[str, str] = field(default_factory=dict)


async def tangle(owner: Any, keyring: Keyring, me: UUID, other: UUID) -> Planted:
    """Give both rows in every table, half of them in common; then plant."""
    for mine, theirs in ((me, other), (other, me)):
        await _rows(owner, mine, theirs)
    planted = Planted()
    for one in HOLDINGS:
        if one.sealed:
            await _plant(owner, keyring, one, (me, other), planted)
    return planted


async def _rows(owner: Any, me: UUID, other: UUID) -> None:
    organization = await owner.fetchval("SELECT id FROM organization WHERE kind = 'INSURER' ORDER BY code LIMIT 1")
    provider = await owner.fetchval("SELECT id FROM organization WHERE kind = 'HEALTH_PROVIDER' ORDER BY code LIMIT 1")
    product = await owner.fetchval("SELECT id FROM product WHERE insurer_id = $1 LIMIT 1", organization)
    staff = await owner.fetchval("SELECT id FROM staff ORDER BY username LIMIT 1")
    notice = await owner.fetchval("SELECT min(number) FROM notice")
    policy, claim, consent, correction, request, case, verification, linked = (uuid4() for _ in range(8))

    async def put(table: str, **values: Any) -> None:
        row = {"id": uuid4(), **values}
        if row["id"] is None:
            del row["id"]
        places = ", ".join(f"${place}" for place in range(1, len(row) + 1))
        await owner.execute(f"INSERT INTO {table} ({', '.join(row)}) VALUES ({places})", *row.values())  # noqa: S608

    now = await owner.fetchval("SELECT now()")
    # Whom I insure is another, who reports and is paid too: of what stands there nothing is mine but the contract.
    await put(
        "policy", id=policy, policy_number=f"P{policy.hex[:12]}", product_id=product, insurer_id=organization,
        status="IN_FORCE", holder_id=me, insured_id=other, currency="CNY", starts_on=now.date(), ends_on=now.date(),
    )  # fmt: skip
    of_policy = {"policy_id": policy, "insurer_id": organization, "holder_id": me, "insured_id": other}
    await put(
        "claim", id=claim, claim_number=f"C{claim.hex[:12]}", status="REPORTED", reporter_id=me, payee_id=other,
        reporter_relation="本人", reporter_verified_at=now, payee_verified_at=now, reported_at=now, **of_policy,
    )  # fmt: skip
    # A claim between two strangers to which I am nothing but reporter, one where I am nothing but payee.
    strangers = await owner.fetchrow(
        "SELECT id AS policy_id, insurer_id, holder_id, insured_id FROM policy"
        " WHERE holder_id <> ALL($1) AND insured_id <> ALL($1) ORDER BY id LIMIT 1",
        [me, other],
    )
    for role in ("reporter", "payee"):
        apart = uuid4()
        await put(
            "claim", id=apart, claim_number=f"C{apart.hex[:12]}", status="REPORTED", reported_at=now,
            **{f"{role}_id": me, f"{role}_verified_at": now}, **dict(strangers),
        )  # fmt: skip
    for position, whose in enumerate((other, None)):
        await put(
            "beneficiary", policy_id=policy, holder_id=me, person_id=whose, relation="配偶", position=position,
            person_verified_at=whose and now, share=50,
        )  # fmt: skip
    await put("health_service", policy_id=policy, provider_id=provider, starts_at=now)
    await put("device", person_id=me)
    await put("permission", person_id=me, kind="CAMERA", granted=True, decided_at=now)
    given = {"purpose": "verification", "categories": 1, "notice_version": "2020-10-26", "notice_hash": "x"}
    await put("consent", id=consent, person_id=me, guardian_id=other, granted_at=now, **given)
    await put("notice_agreement", person_id=me, notice=notice, agrees=True, said_at=now)
    await put("marketing_refusal", person_id=me, channel="SMS", refused_at=now)
    for whose in (None, organization):
        await put("virtual_phone", person_id=me, organization_id=whose, issued_at=now)
    await put("correction", id=correction, person_id=me, coordinate="User.address", corrected_at=now)
    await put("correction_recipient", correction_id=correction, organization_id=organization)
    await put(
        "guardian_request", id=linked, guardian_id=me, child_digest=b"d", stated_sealed=b"s", state="PENDING",
        evidence_kind="COURT_ORDER", reference=f"reference-{me.hex[:8]}", requested_at=now,
    )  # fmt: skip
    await put("guardian_link", guardian_id=me, child_id=other)
    await put("minor_case", person_id=me, opened_at=now, due_at=now)
    await put(
        "verification_case", id=verification, person_id=me, claim_id=claim, consent_id=consent, opened_at=now,
        aspects=1, source_name=f"source-{me.hex[:8]}",
    )  # fmt: skip
    await put(
        "verification_result", case_id=verification, aspect="IDENTITY", outcome="CONFIRMED", recorded_at=now,
        recorded_by=staff, note=f"note-{me.hex[:8]}",
    )  # fmt: skip
    await put(
        "rights_request", id=request, person_id=me, requester_id=me, kind="complaint", opened_at=now, state="GRANTED",
        matter="OTHER", closed_at=now, decided_at=now, due_on=now.date(), extended_until=now.date(),
        extension_reason=f"reason-{me.hex[:8]}",
    )  # fmt: skip
    due = (request, now.date(), True, now)
    await owner.execute(f"INSERT INTO rights_due_change {_DUE}", *due)
    await put(
        "retention_agreement", person_id=me, policy_id=policy, retention=1, kind="SPECIAL", until=now.date(),
        reference=f"special-{me.hex[:8]}", recorded_at=now,
    )  # fmt: skip
    await put("legal_hold", person_id=me, classes=[1], reference=f"hold-{me.hex[:8]}", placed_at=now, placed_by="x")
    await put("erasure_order", person_id=me, classes=[4], ground="UNLAWFUL", ordered_at=now, due_on=now.date())
    await put("restricted_record", id=None, person_id=me, law="law", until=now.date(), made_at=now, sealed=b"s")
    await _letters(owner, put, me, now)
    await put(
        "disclosure_case", id=case, kind="AUTHORITY", purpose="regulatory_disclosure", authority=f"court-{me.hex[:8]}",
        categories=1, approved_by_id=staff, approved_at=now, expires_at=now,
    )  # fmt: skip
    await put("disclosure_person", case_id=case, person_id=me)
    await put("disclosure_choice", person_id=me, manner="PRESS", items=1, chosen_by=me, chosen_at=now)
    await put("assignment", organization_id=organization, claim_id=claim, assigned_at=now)


async def _letters(owner: Any, put: Any, me: UUID, now: Any) -> None:
    """What befell the person, in an incident and in a drill."""
    await owner.execute(_REFER, me)
    reference = await owner.fetchval(_REFERENCE, me)
    for is_drill in (False, True):
        incident, befallen = uuid4(), uuid4()
        await put(
            "incident", id=incident, drill=is_drill, severity="GENERAL", facts="facts", noticed_at=now, sought="{}",
            opened_at=now, opened_by="x", report_due_at=now, letters_due_at=now,
        )  # fmt: skip
        told = {"revealed": [f"{'drill' if is_drill else 'letter'}-{me.hex[:8]}"], "masked": [], "changed": []}
        told |= {"first": now, "last": now}
        await put("incident_person", id=befallen, incident_id=incident, reference=reference, times=1, **told)
        await put("incident_letter", person_id=befallen, written_at=now, **told)


async def _plant(owner: Any, keyring: Keyring, one: Holding, people: tuple[UUID, ...], planted: Planted) -> None:
    whose = ", ".join(f'({of}) AS "{column}"' for column, of in one.sealed.items())
    key_owner = one.owner or next(iter(one.sealed.values()))
    own_id = "id" if "id" in one.inner else "person_id"
    rows = {}
    for person in people:
        found = await owner.fetch(
            f"SELECT t.{own_id} AS id, {key_owner} AS key_owner, {whose} FROM {one.table} t WHERE {one.person}",  # noqa: S608
            person,
        )
        rows |= {row["id"]: row for row in found}
    for row_id, row in rows.items():
        retention = one.retention or Retention.ACCOUNT
        key = await _key(owner, keyring, row["key_owner"], retention)
        for column in one.sealed:
            value = f"planted-{one.table}-{column}-{uuid4().hex[:12]}"
            text = json.dumps([value]) if column == "tags_sealed" else value
            blob = seal(key, text, label=column_label(one.table, column), row=row_id.bytes)
            await owner.execute(f'UPDATE {one.table} SET "{column}" = $2 WHERE {own_id} = $1', row_id, blob)  # noqa: S608
            about = row[column]
            if column in one.withheld or not one.exported:
                planted.withheld[value] = f"{one.table}.{column}"
            elif about in people:
                planted.of.setdefault(about, {})[value] = f"{one.table}.{column}"
            else:
                planted.others[value] = f"{one.table}.{column}"


async def _key(owner: Any, keyring: Keyring, person: UUID, retention: int) -> Any:
    row = await owner.fetchrow(_KEY, person, retention)
    if row is None:
        made = new_data_key(keyring, person, retention=retention)
        await owner.execute(_NEW_KEY, person, retention, made.wrapped)
        return made
    return unwrap(keyring, row[0], person_id=person, retention=retention)


def somebodys(office: Office) -> Customer:
    """Somebody new whose session is that of a log-in."""
    return office.customer()
