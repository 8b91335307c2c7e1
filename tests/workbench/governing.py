"""What a test of the rules' governance asks over HTTP, as whom."""

import time
from contextlib import contextmanager

from tests.conftest import run_cli
from tests.recorded import as_owner

PROBLEM = "... on Problem { code message field clause }"
STANDING = f"... on DraftStanding {{ id state revision widens approves missing parent }} {PROBLEM}"
FIRST, SECOND, OFFICER = "sun.ning", "zhou.yi", "qian.lan"
BUDGET = "customer_service,policy_service"
ROW = ["allow", "customer_service", "policy_service", "any", "any", "reveal", "occupation", "C55"]
WATCHED_ROW = ["allow", "customer_service", "policy_service", "any", "any", "reveal", "bank_account", "C55"]
ASKED = "{ users(first: 10) { edges { node { occupation } } } }"


class Governing:
    """The governance of one server's rules, as different people use it."""

    def __init__(self, server):
        self.server = server

    def token(self, username, role=None):
        roles = {FIRST: "security_admin", SECOND: "security_admin", OFFICER: "privacy_officer"}
        return self.server.token(role or roles[username], user=username, purposes=["administration"])

    def write(self, name, who, selection=STANDING, /, token=None, **given):
        """One mutation; its payload."""
        kind = f"{name[0].upper()}{name[1:]}Input"
        document = f"mutation($in: {kind}!) {{ {name}(input: $in) {{ {selection} }} }}"
        body = self.server.post(document, {"in": given}, token=token or self.token(who)).json()
        return body["data"][name]

    def ask(self, document, who=FIRST, **variables):
        return self.server.post(document, variables or None, token=self.token(who)).json()["data"]

    def draft(self, who=FIRST, *, add=(ROW,), **more):
        made = self.write("draftRules", who, title="A change", reason="A test wants it.", add=list(add), **more)
        return made["id"]

    def proposed(self, who=FIRST, **more):
        """A draft that is proposed; as it stands."""
        return self.write("proposeRules", who, draft=self.draft(who, **more))

    def review(self, who, standing, verdict="APPROVED", **more):
        return self.write(
            "reviewRules",
            who,
            **{"draft": standing["id"], "approves": standing["approves"], "verdict": verdict, **more},
        )

    def publish(self, standing, who=FIRST):
        return self.write("publishRules", who, f"... on RulesPublished {{ number }} {PROBLEM}", draft=standing["id"])

    def approved_by_all(self, standing, *, but=(FIRST,)):
        for who in (SECOND, OFFICER):
            if who not in but:
                standing = self.review(who, standing)
        return standing

    @property
    def latest(self):
        return self.ask("{ rulesets(first: 1) { number } }")["rulesets"][0]["number"]

    def back(self, to):
        """Put an earlier ruleset in force again, by its own two people."""
        standing = self.write("rollBackRules", FIRST, to=to, reason="The test is over.")
        if standing.get("code") == "NOTHING_CHANGED":
            return
        for who in (SECOND, OFFICER):
            standing = self.review(who, standing)
        assert "number" in self.publish(standing)

    @contextmanager
    def restored(self):
        """Whatever is published in the block is taken back."""
        before = self.latest
        try:
            yield before
        finally:
            self.back(before)

    def occupations(self):
        """What a member of customer service is shown, and under which ruleset."""
        token = self.server.token("customer_service", purposes=["policy_service"])
        body = self.server.post(ASKED, token=token).json()
        shown = [edge["node"]["occupation"] for edge in body["data"]["users"]["edges"]]
        return sum(one is not None for one in shown), body["extensions"]["authorization"]["ruleset"]

    def under(self, number):
        """Wait until the server answers by a ruleset, a second at most; what is shown then."""
        begun = time.monotonic()
        while (found := self.occupations())[1] < number:
            assert time.monotonic() - begun < 2
            time.sleep(0.05)
        return found

    def execute(self, statement, *given):
        return as_owner(self.server, lambda owner: owner.fetch(statement, *given))

    def cli(self, *words, who=None, check=True):
        environment = {"NEEDFUL_TOKEN": self.token(who)} if who else {}
        return run_cli(*words, "--json", data_dir=self.server.data_dir, check=check, environment=environment)
