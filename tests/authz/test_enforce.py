"""Casbin asked by several threads: a worker judges drafts beside what it answers."""

from concurrent.futures import ThreadPoolExecutor

from authz.compile import compile_ruleset
from authz.default_ruleset import default_content
from authz.situations import NOTHING, pair_bit
from authz.vocabulary import Basis, Effect, Relation
from models.vocabulary import Purpose, Role
from schema.build import build_catalogue, build_schema

CATALOGUE = build_catalogue(build_schema())
THREADS = 4
SITUATIONS = (NOTHING, pair_bit(Relation.ASSIGNED, Basis.CONTRACT_OPEN))


def test_threads_that_decide_at_once_decide_as_one_does():
    ruleset = default_content().ruleset(1, CATALOGUE)

    def decided(_) -> list[Effect]:
        compiled = compile_ruleset(ruleset, CATALOGUE).slice(Role.CLAIMS_HANDLER, Purpose.CLAIM_HANDLING)
        return [compiled.decide(name, situation) for name in CATALOGUE for situation in SITUATIONS]

    with ThreadPoolExecutor(THREADS) as threads:
        found = list(threads.map(decided, range(THREADS)))
    assert all(one == found[0] for one in found)
    assert set(found[0]) == set(Effect)
