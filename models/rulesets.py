"""Tables of the rules workbench, which compiled SQL writes: rulesets, drafts, reviews, and whoever broke the glass.

A text (the rules of one role and purpose, a set of cases, a report of impact) is kept once, by its SHA-256. A ruleset
is a manifest of such texts; it is never changed, and its number says which one came later.
"""

from enum import StrEnum


class RulesetKind(StrEnum):
    """How a ruleset came to be."""

    DEFAULT = "DEFAULT"
    """It came with a release, and nobody has published another since."""
    PUBLISHED = "PUBLISHED"
    ROLLBACK = "ROLLBACK"
    """The content of an earlier one, published again."""


class DraftState(StrEnum):
    """How far a draft has come."""

    OPEN = "OPEN"
    PROPOSED = "PROPOSED"
    """It waits for a second pair of eyes; any edit makes it OPEN again."""
    PUBLISHED = "PUBLISHED"
    REJECTED = "REJECTED"
    WITHDRAWN = "WITHDRAWN"


class Verdict(StrEnum):
    """What a reviewer says."""

    APPROVED = "APPROVED"
    REJECTED = "REJECTED"


CHANNEL = "needful_ruleset"
"""Whoever listens here hears the number of each ruleset as it is published."""

TABLES: tuple[str, ...] = (
    "CREATE TABLE ruleset_text (digest char(64) PRIMARY KEY, text text NOT NULL)",
    # `manifest`: [role, purpose, digest] of every slice that has rows. Of `parent` it is what a draft made.
    (
        "CREATE TABLE ruleset (number integer PRIMARY KEY CHECK (number > 0), digest char(64) NOT NULL,"
        " parent integer REFERENCES ruleset,"
        " kind text NOT NULL CHECK (kind IN ('DEFAULT', 'PUBLISHED', 'ROLLBACK')), restores integer REFERENCES ruleset,"
        " author text NOT NULL, reason text NOT NULL, draft uuid UNIQUE, manifest jsonb NOT NULL,"
        " cases char(64) NOT NULL REFERENCES ruleset_text, published_at timestamptz NOT NULL)"
    ),
    # `changes`: what is added and taken away, as rows of words. `revision` rises with every edit.
    # `editors`: everybody who had a hand in it, the author first.
    # `digest`: of the rules, budgets and cases proposed; `impact`: of the report that was proposed with them.
    (
        "CREATE TABLE rule_draft (id uuid PRIMARY KEY, parent integer NOT NULL REFERENCES ruleset,"
        " restores integer REFERENCES ruleset, author text NOT NULL, editors text[] NOT NULL, title text NOT NULL,"
        " reason text NOT NULL,"
        " state text NOT NULL CHECK (state IN ('OPEN', 'PROPOSED', 'PUBLISHED', 'REJECTED', 'WITHDRAWN')),"
        " changes jsonb NOT NULL, cases char(64) NOT NULL REFERENCES ruleset_text, revision integer NOT NULL,"
        " digest char(64), impact char(64) REFERENCES ruleset_text, widens boolean,"
        " created_at timestamptz NOT NULL, updated_at timestamptz NOT NULL, proposed_at timestamptz, proposed_by text)"
    ),
    "CREATE INDEX rule_draft_state ON rule_draft (state, updated_at)",
    # `approves`: of exactly which rules, cases and report of impact a verdict speaks.
    (
        "CREATE TABLE rule_review (id bigserial PRIMARY KEY, draft uuid NOT NULL REFERENCES rule_draft,"
        " approves char(64) NOT NULL, reviewer text NOT NULL, role text NOT NULL,"
        " verdict text NOT NULL CHECK (verdict IN ('APPROVED', 'REJECTED')), note text NOT NULL,"
        " reviewed_at timestamptz NOT NULL)"
    ),
    "CREATE INDEX rule_review_draft ON rule_review (draft, id)",
    # Which ruleset each worker answers by; its row is renewed while it lives.
    (
        "CREATE TABLE ruleset_worker (worker uuid PRIMARY KEY, ruleset integer NOT NULL,"
        " confirmed_at timestamptz NOT NULL)"
    ),
    # Who is shown more than the rules say, until when, and why; `categories` is a stored set. `announced_at` and
    # `reminded_at`: when its alarms were last sounded.
    (
        "CREATE TABLE broken_glass (id uuid PRIMARY KEY, account uuid NOT NULL, role text NOT NULL,"
        " purpose text NOT NULL, categories bigint NOT NULL, reason text NOT NULL, opened_by text NOT NULL,"
        " opened_at timestamptz NOT NULL, until timestamptz NOT NULL, ended_at timestamptz, ended_by text,"
        " reviewed_by text, reviewed_at timestamptz, verdict text CHECK (verdict IN ('APPROVED', 'REJECTED')),"
        " note text, announced_at timestamptz, reminded_at timestamptz, CHECK (until > opened_at))"
    ),
    "CREATE INDEX broken_glass_until ON broken_glass (until)",
    # What client teams ask, as whom and for what; `registered_operation` holds what anonymous callers may run.
    (
        "CREATE TABLE client_operation (hash char(64) NOT NULL, team text NOT NULL, role text NOT NULL,"
        " purpose text NOT NULL, name text NOT NULL, document text NOT NULL, registered_by text NOT NULL,"
        " registered_at timestamptz NOT NULL, PRIMARY KEY (team, hash, role, purpose))"
    ),
)
