"""The data map of accounts: the person, their log-ins, and what is kept about them by itself."""

from models.vocabulary import Retention
from privacy.holding import ACCOUNTS, PERSON, REFERENCE, SESSIONS, Holding, sealed_of

_SECRET = "It is a secret of the log-in or made from one: whoever had it could use it."  # noqa: S105 - a reason
_FOR_ABUSE = "It is kept for days, to stop abuse, and says nothing that the rest of the archive does not."

OF_ACCOUNTS: tuple[Holding, ...] = (
    Holding(
        "person",
        "t.id = $1",
        Retention.ACCOUNT,
        "t.id",
        sealed_of(
            "t.id",
            *("name", "id_number", "gender", "birth_date", "phone", "email", "address", "bank_card", "occupation"),
            *("health_declaration", "region", "nickname", "tags", "avatar", "profile_source"),
        ),
        plain=("source", "id_type"),
        inner=("id", "version"),
    ),
    Holding(
        "account",
        PERSON,
        Retention.ACCOUNT,
        "t.person_id",
        sealed_of("t.person_id", "username"),
        plain=("opened_at", "cancelled_at"),
        inner=("id", "person_id"),
    ),
    Holding(
        "login",
        f"t.account_id IN {ACCOUNTS}",
        # Under a data key of their own, which stands beside them.
        sealed=sealed_of(
            "(SELECT a.person_id FROM account a WHERE a.id = t.account_id)",
            *("totp", "pending_totp"),
        ),
        plain=("temporary", "locked_until", "changed_at", "password_hash"),
        inner=("id", "account_id", "staff_id", "wrapped", "pending_wrapped", "totp_step"),
        withheld={"password_hash": _SECRET, "totp_sealed": _SECRET, "pending_totp_sealed": _SECRET},
    ),
    Holding(
        "session",
        f"t.account_id IN {ACCOUNTS}",
        plain=("role", "opened_at", "used_at", "expires_at", "second_factor_at", "ended_at", "ended_because"),
        inner=("id", "account_id", "staff_id"),
    ),
    Holding(
        "refresh_token",
        f"t.session_id IN {SESSIONS}",
        inner=("digest", "session_id", "issued_at", "used_at"),
        exported=False,
        why_not=_SECRET,
    ),
    Holding(
        "revocation",
        f"t.key IN (SELECT one::text FROM {ACCOUNTS} one(one)"  # noqa: S608
        f" UNION SELECT two::text FROM {SESSIONS} two(two))",
        inner=("id", "kind", "key", "revoked_at", "expires_at"),
        exported=False,
        why_not="It takes a session or its tokens back, for minutes; when sessions ended stands with the sessions.",
    ),
    Holding(
        "idempotency_key",
        f"t.client IN {ACCOUNTS}",
        inner=("id", "client", "key_digest", "request_digest", "noun", "row_id", "answer", "expires_at"),
        exported=False,
        why_not="It is kept for a day so that nothing is done twice; what was done stands with the rows themselves.",
    ),
    Holding(
        "disclosure_lease",
        f"t.subject IN {ACCOUNTS}",
        inner=(*("id", "subject", "role", "purpose", "span", "begins_at", "ends_at", "leased", "granted", "alarmed"),),
        exported=False,
        why_not=_FOR_ABUSE,
    ),
    Holding(
        "data_key",
        PERSON,
        inner=("id", "person_id", "retention", "wrapped", "erased_at"),
        exported=False,
        why_not="It is what seals the data; whether a class is erased stands in the manifest.",
    ),
    Holding(
        "blind_index",
        PERSON,
        inner=("id", "column", "digest", "person_id"),
        exported=False,
        why_not="It holds keyed hashes of values that the archive has in the clear.",
    ),
    Holding(
        "person_reference",
        PERSON,
        inner=("person_id", "reference"),
        exported=False,
        why_not="It is what the access log calls the person; the access history is in the archive.",
    ),
    Holding(
        "ledger_access",
        f"t.reference = {REFERENCE}",
        plain=("at",),
        inner=("reference", "first", "indexes", "shown"),
    ),
    Holding(
        "ledger_record",
        f"t.account IN {ACCOUNTS}",
        plain=("at", "kind", "outcome", "code", "role", "purpose", "operation_name", "coordinates"),
        inner=(
            *("index", "decision", "organization", "account", "token", "client", "operation_hash", "ruleset"),
            *("revealed", "masked", "denied", "misses"),
        ),
        exported=False,
        why_not="What it says of the person's data is in the access history, the rest is what they asked.",
    ),
)
