"""Writes to consents: given one purpose and recipient at a time, and taken back one at a time (C32, C68, C82)."""

from datetime import datetime
from functools import partial
from typing import Annotated

import strawberry

from models.global_ids import NodeType
from models.vocabulary import Category, Purpose
from resolvers.global_ids import row_under
from resolvers.payloads import Write
from resolvers.writing import consents
from schema.consents import Consent
from schema.fields import private_input, write
from schema.problems import AnyProblem, written

Info = strawberry.Info[Write, None]

GrantConsentPayload = Annotated[Consent | AnyProblem, strawberry.union("GrantConsentPayload")]
WithdrawConsentPayload = Annotated[Consent | AnyProblem, strawberry.union("WithdrawConsentPayload")]


@private_input
class GrantConsentInput:
    """One purpose of one recipient. `user`: a guardian's ward, by default the caller.

    `recipient`: an organization's code; null is the brokerage itself. `noticeHash`: of the notice that the person
    stands under and was shown. `expiresAt`: null until withdrawn, or as long as the law in force lets a consent last.
    """

    purpose: Purpose
    categories: list[Category]
    notice_hash: str
    user: strawberry.ID | None = None
    recipient: str | None = None
    expires_at: datetime | None = None


@private_input
class WithdrawConsentInput:
    """The consent to take back."""

    id: strawberry.ID


@strawberry.type
class ConsentWrites:
    """The root fields that give consents and take them back."""

    @write()
    async def grant_consent(
        self,
        info: Info,
        input: GrantConsentInput,  # noqa: A002 - GraphQL's name
    ) -> GrantConsentPayload | None:
        """Agree; takes the place of a running consent to the same purpose and recipient, which stays on record (C32).

        Where the law wants sensitive data agreed to on their own, that is SEPARATE_CONSENT_REQUIRED and two calls.
        """
        user = None if input.user is None else row_under(input.user, NodeType.USER, argument="user")
        work = partial(
            consents.grant_consent,
            info.context,
            user,
            purpose=input.purpose,
            recipient=input.recipient,
            categories=input.categories,
            notice_hash=input.notice_hash,
            expires_at=input.expires_at,
        )
        return await written(info.context, work, Consent)

    @write()
    async def withdraw_consent(
        self,
        info: Info,
        input: WithdrawConsentInput,  # noqa: A002 - as above
    ) -> WithdrawConsentPayload | None:
        """Take a consent back: from the next read on nobody is shown anything by it. Everything else goes on (C68)."""
        row = row_under(input.id, NodeType.CONSENT, argument="id")
        return await written(info.context, partial(consents.withdraw_consent, info.context, row), Consent)
