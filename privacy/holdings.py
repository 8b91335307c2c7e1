"""The data map: every table that holds anything of a person, whose its rows are, and what becomes of each column.

An archive of everything stored about somebody is drawn by it (C64), and erasure is checked against it (C29). A test
reads the database's catalogue and fails for a table, a column or a tie to a person that stands nowhere here: whoever
adds one says here what it is, as a `Holding` or among `NOBODYS`.
"""

from collections.abc import Mapping

from privacy.account_holdings import OF_ACCOUNTS
from privacy.dealing_holdings import OF_DEALINGS
from privacy.erasure_holdings import OF_ERASURE
from privacy.holding import Holding
from privacy.incident_holdings import OF_INCIDENTS

HOLDINGS: tuple[Holding, ...] = (*OF_ACCOUNTS, *OF_DEALINGS, *OF_ERASURE, *OF_INCIDENTS)

_STAFF = "of the brokerage's staff, under work names"
_RULES = "rules, who changed them and who approved: staff"
_PARTNERS = "of organizations"
_HASHES = "hashes that lead to nobody, gone within days"
_SOFTWARE = "how far the software itself is"
_LEDGER = "the sealed log: whom a row is about is a number, `person_reference`"
NOBODYS: Mapping[str, str] = {
    **dict.fromkeys(("staff", "staff_identity", "role_mapping", "broken_glass"), _STAFF),
    **dict.fromkeys(("rule_draft", "rule_review", "ruleset", "ruleset_text", "ruleset_worker"), _RULES),
    **dict.fromkeys(("client_operation", "registered_operation", "grant_held", "grant_review", "ledger_use"), _RULES),
    **dict.fromkeys(("agreement", "organization", "partner_client", "partner_key"), _PARTNERS),
    **dict.fromkeys(("audience_use", "campaign", "token_use"), "counts and campaigns, by recipient"),
    **dict.fromkeys(("failed_login", "rate_count", "used_proof"), _HASHES),
    **dict.fromkeys(("ledger", "ledger_leaf", "ledger_node", "ledger_head", "ledger_indexed"), _LEDGER),
    **dict.fromkeys(("ledger_sealed", "ledger_sealer", "ledger_writer", "ledger_earlier"), _LEDGER),
    **dict.fromkeys(("notice", "notice_function", "impact_assessment"), "published, the same for everybody"),
    **dict.fromkeys(("product", "product_item"), "what is sold"),
    **dict.fromkeys(("calendar_year", "calendar_day"), "public holidays"),
    **dict.fromkeys(("demo_load", "minor_scan", "retention_sweep", "tortoise_migrations"), _SOFTWARE),
    **dict.fromkeys(("job_turn", "scheduled_job", "scheduler_beat", "tombstone_mark", "wrapping_version"), _SOFTWARE),
    **dict.fromkeys(("duty", "duty_done", "duty_staff"), "the brokerage's own duties, done by its staff"),
    **dict.fromkeys(("statistics_figure", "statistics_release"), "numbers of groups, none of them small"),
    **dict.fromkeys(("statistics_budget", "statistics_question"), "what analysts and advertising partners asked"),
    "ceasing": "announced to everybody",
    "incident": "what happened, of nobody by name: whom it befell is `incident_person`",
}
"""Tables without anything of a person, by what they are instead. None is tied to `person` by a key, or sealed."""


def holding(table: str) -> Holding:
    """What the map says of a table. Raises KeyError for one without anything of a person."""
    return _BY_TABLE[table]


_BY_TABLE: Mapping[str, Holding] = {one.table: one for one in HOLDINGS}
