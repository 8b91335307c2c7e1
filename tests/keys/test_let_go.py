"""C66: whom an application names no more is erased at once, and among the tombstones at once."""

from models.global_ids import NodeType, from_global, to_global
from privacy.tombstones import Tombstones
from tests.writing.applying import insured

SHOW = "... on Policy { id insured { id } }"
DONE = "SELECT count(*) FILTER (WHERE wrapped IS NOT NULL) FROM data_key WHERE person_id = $1"


def drafted(kept, customer, given):
    return kept.write("draftApplication", given, token=customer.token, purpose="account_service", show=SHOW)


def test_c66_who_is_let_go_of_is_among_the_tombstones_as_soon_as_it_is_answered(kept):
    customer = kept.customer()
    made = drafted(kept, customer, {"productCode": "INS01-ACC", "insured": {"details": insured()}})
    person = from_global(made["insured"]["id"])[1]
    assert person != customer.person
    own = {"id": to_global(NodeType.USER, customer.person)}
    # An update that is refused has taken nothing away, and so leaves no tombstone that would.
    refused = drafted(kept, customer, {"id": made["id"], "insured": {**own, "details": {"phone": "1"}}})
    stones = Tombstones(kept.installation.tombstones_path)
    assert refused["__typename"] == "Problem" or "code" in refused
    assert person not in {stone.person for stone in stones.read()}
    assert kept.rows(DONE, person)[0][0] == 1
    assert drafted(kept, customer, {"id": made["id"], "insured": own})["insured"]["id"] == own["id"]
    assert kept.rows(DONE, person)[0][0] == 0
    (stone,) = [one for one in stones.read() if one.person == person]
    (row,) = kept.rows("SELECT retention, erased_at FROM data_key WHERE person_id = $1", person)
    assert ({row["retention"]}, row["erased_at"]) == (set(stone.classes), stone.at)
    assert kept.run_operator("tombstones", "check").data["in_the_file_and_not_erased"] == 0
