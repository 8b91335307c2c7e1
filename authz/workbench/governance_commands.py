"""The commands `rules propose|approve|reject|publish|rollback|withdraw|list|show` (C46).

Without a token they act as `operator`, a machine: it drafts (`rules import`), proposes and publishes what people have
approved. To approve or reject takes a person's token (`authz.workbench.tokens`).
"""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import partial
from typing import Any
from uuid import UUID

from authz import ruleset_store
from authz.commands import Call, Done, OperatorRefusedError, add_command, listed, told
from authz.workbench import approvals, drafts, editing
from authz.workbench.acts import Actor
from authz.workbench.approvals import approves_of
from authz.workbench.content_commands import done, draft_given
from authz.workbench.drafts import Draft
from authz.workbench.tokens import accept_token, person
from models.rulesets import DraftState, Verdict

_MOST_LISTED = 50


Report = Callable[[Call, UUID], Awaitable[str | None]]
"""Makes the report of impact that a draft is proposed with."""


def accept_governance(commands: Any, *, report: Report) -> None:  # noqa: ANN401 - argparse's own
    """Declare the subcommands."""
    option = add_command(commands, "propose", partial(_propose, report=report), "put a draft before its reviewers")
    option("draft", type=draft_given, metavar="ID")
    for name, act, summary in (
        ("approve", _approve, "approve exactly what is proposed; takes your own token"),
        ("reject", _reject, "reject what is proposed; takes your own token"),
    ):
        option = add_command(commands, name, act, summary)
        option("draft", type=draft_given, metavar="ID")
        option("--approves", metavar="DIGEST", required=True, help="of what you looked at: see `rules show`")
        option("--note", default="", help="what you have to say")
        accept_token(option)
    option = add_command(commands, "publish", _publish, "put in force what enough people have approved")
    option("draft", type=draft_given, metavar="ID")
    option = add_command(commands, "rollback", _roll_back, "propose an earlier ruleset again, at once")
    option("to", type=int, metavar="NUMBER")
    option("--reason", required=True, help="why")
    add_command(commands, "withdraw", _withdraw, "give a draft up")("draft", type=draft_given, metavar="ID")
    option = add_command(commands, "list", _list, "drafts that wait for somebody, and the latest rulesets")
    option("--all", action="store_true", dest="every", help="drafts in every state")
    add_command(commands, "show", _show, "a ruleset by its number, or a draft by its id")("which", metavar="WHICH")


async def _propose(call: Call, *, report: Report) -> Done:
    given = call.arguments
    done(
        await approvals.propose(
            call.connection,
            given.draft,
            actor=Actor(),
            catalogue=given.catalogue(),
            now=call.now,
            report=partial(report, call, given.draft),
        )
    )
    return await _standing(call, given.draft)


async def _approve(call: Call) -> Done:
    return await _review(call, Verdict.APPROVED)


async def _reject(call: Call) -> Done:
    return await _review(call, Verdict.REJECTED)


async def _review(call: Call, verdict: Verdict) -> Done:
    given = call.arguments
    done(
        await approvals.review(
            call.connection,
            given.draft,
            approves=given.approves,
            verdict=verdict,
            note=given.note,
            actor=await person(call),
            now=call.now,
        )
    )
    return await _standing(call, given.draft)


async def _publish(call: Call) -> Done:
    given = call.arguments
    number = done(
        await approvals.publish(call.connection, given.draft, actor=Actor(), catalogue=given.catalogue(), now=call.now)
    )
    return replace(told({"ruleset": number, "draft": str(given.draft)}, draft=given.draft), published=number)


async def _roll_back(call: Call) -> Done:
    given = call.arguments
    draft = done(
        await approvals.roll_back(
            call.connection,
            given.to,
            reason=given.reason,
            actor=Actor(),
            catalogue=given.catalogue(),
            now=call.now,
        )
    )
    return await _standing(call, draft)


async def _withdraw(call: Call) -> Done:
    draft = call.arguments.draft
    done(await editing.withdraw(call.connection, draft, actor=Actor(), now=call.now))
    return await _standing(call, draft)


async def _list(call: Call) -> Done:
    states = tuple(DraftState) if call.arguments.every else (DraftState.OPEN, DraftState.PROPOSED, DraftState.REJECTED)
    found = await drafts.some(call.connection, *states, most=_MOST_LISTED)
    latest = await ruleset_store.latest(call.connection)
    numbers = range(latest, max(latest - _MOST_LISTED, 0), -1)
    rulesets = [await ruleset_store.publication(call.connection, number) for number in numbers]
    return listed(
        [
            *(
                {"draft": str(one.id), "title": one.title, "state": one.state.value, "parent": one.parent}
                for one in found
            ),
            *(
                {"ruleset": one.number, "kind": one.kind.value, "reason": one.reason, "digest": one.digest}
                for one in rulesets
                if one
            ),
        ]
    )


async def _show(call: Call) -> Done:
    which = call.arguments.which
    if which.isascii() and which.isdecimal() and len(which) < 10:  # noqa: PLR2004 - of four bytes
        return await _shown(call, int(which))
    try:
        return await _standing(call, UUID(which))
    except ValueError:
        raise OperatorRefusedError("Give the number of a ruleset or the id of a draft: see `rules list`.") from None


async def _shown(call: Call, number: int) -> Done:
    found = await ruleset_store.publication(call.connection, number)
    if found is None:
        raise OperatorRefusedError("There is no ruleset of that number: see `rules list`.")
    content = await ruleset_store.content(call.connection, found)
    rows = sorted(rule.line for rule in content.rules)
    said: dict[str, Any] = {
        "ruleset": found.number,
        "digest": found.digest,
        "kind": found.kind.value,
        "parent": found.parent,
        "restores": found.restores,
        "author": found.author,
        "reason": found.reason,
        "published_at": found.published_at.isoformat(timespec="seconds"),
    }
    budgets = [one.line for one in sorted(content.budgets)]
    lines = "\n".join((*rows, *budgets))
    return Done({**said, "rules": rows, "budgets": budgets}, f"{told(said).text}\n{lines}")


async def _standing(call: Call, draft_id: UUID) -> Done:
    """A draft as the result: what it changes, and who has yet to approve it."""
    found = await drafts.find(call.connection, draft_id)
    if found is None:
        raise OperatorRefusedError("There is no such draft: see `rules list`.")
    said = await _said(call, found)
    changes = [
        *(f"+ {line}" for line in found.lines("add", "add_budgets")),
        *(f"- {line}" for line in found.lines("remove", "remove_budgets")),
    ]
    text = "\n".join((told(said).text, *changes))
    return Done({**said, "changes": changes}, text, {"draft": draft_id})


async def _said(call: Call, found: Draft) -> dict[str, Any]:
    proposed = found.state is DraftState.PROPOSED
    lacking = await approvals.missing_of(call.connection, found, locked=False) if proposed else None
    parent = await ruleset_store.publication(call.connection, found.parent)
    return {
        "draft": str(found.id),
        "state": found.state.value,
        "title": found.title,
        "reason": found.reason,
        "parent": found.parent,
        "restores": found.restores,
        "revision": found.revision,
        "cases_changed": parent is None or parent.cases != found.cases,
        "widens": found.widens,
        "approves": approves_of(found) if proposed else None,
        "missing": None if lacking is None else lacking.sentence,
    }
