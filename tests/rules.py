"""The rules that a release comes with, for tests of what is decided by them."""

from authz.compile import Snapshot, compile_ruleset
from authz.default_ruleset import default_content
from authz.rulesets import Rulesets
from authz.tokens import utc_now
from schema.build import build_catalogue


def default_snapshot(schema) -> Snapshot:
    """The default rules under the number that a new installation gives them."""
    catalogue = build_catalogue(schema)
    return compile_ruleset(default_content().ruleset(1, catalogue), catalogue)


def default_rulesets(schema) -> Rulesets:
    """What a worker of such an installation answers by, without asking its database."""
    catalogue = build_catalogue(schema)
    rulesets = Rulesets(catalogue, utc_now, passed=lambda: 0.0)
    rulesets.use(default_content().ruleset(1, catalogue))
    return rulesets
