"""Writes to one's own profile: its items, what WeChat supplies, permissions and push identifiers."""

from datetime import date
from functools import partial
from typing import Annotated

import strawberry

from models.devices import PushIdKind
from models.global_ids import NodeType
from models.people import Gender, IdType
from models.permissions import PermissionKind
from resolvers.global_ids import row_under
from resolvers.payloads import Write
from resolvers.writing import permissions, profiles
from schema.devices import Device
from schema.fields import private_input, write
from schema.permissions import Permission
from schema.problems import AnyProblem, written
from schema.users import User

Info = strawberry.Info[Write, None]

LinkWechatPayload = Annotated[User | AnyProblem, strawberry.union("LinkWechatPayload")]
UpdateProfilePayload = Annotated[User | AnyProblem, strawberry.union("UpdateProfilePayload")]
SetPermissionPayload = Annotated[Permission | AnyProblem, strawberry.union("SetPermissionPayload")]
UsePermissionPayload = Annotated[Permission | AnyProblem, strawberry.union("UsePermissionPayload")]
SetPushIdentifiersPayload = Annotated[Device | AnyProblem, strawberry.union("SetPushIdentifiersPayload")]


@private_input
class LinkWechatInput:
    """What WeChat supplies, all of it and nothing else (C02). `avatar`: an https address. A missing item: C03."""

    region: str | None = None
    gender: Gender | None = None
    nickname: str | None = None
    avatar: str | None = None


@private_input
class UpdateProfileInput:
    """Items to correct or to add; one left out or null stays as it is.

    `user`: a guardian's ward, by default the caller. `ifVersion`: only if `User.version` is still this. `idType` goes
    with `idNumber`, by default RESIDENT_ID. `phone`: with an account a mobile of the mainland, which then logs in.
    """

    user: strawberry.ID | None = None
    if_version: int | None = None
    name: str | None = None
    id_type: IdType | None = None
    id_number: str | None = None
    gender: Gender | None = None
    birth_date: date | None = None
    phone: str | None = None
    email: str | None = None
    address: str | None = None
    bank_card: str | None = None
    occupation: str | None = None
    health_declaration: str | None = None
    region: str | None = None
    nickname: str | None = None


@private_input
class SetPermissionInput:
    """Yes or no to one permission."""

    permission: PermissionKind
    granted: bool


@private_input
class UsePermissionInput:
    """One use of one permission, about to happen."""

    permission: PermissionKind


@private_input
class SetPushIdentifiersInput:
    """`device`: one of the caller's, by default the one that has this identifier already, or a new one.

    `identifier`: ANDROID_ID 16 hex digits, IDFA a UUID, OAID a UUID or 16 to 64 hex digits. `model`: up to 64
    characters.
    """

    kind: PushIdKind
    identifier: str
    device: strawberry.ID | None = None
    model: str | None = None


@strawberry.type
class ProfileWrites:
    """The root fields that write a person's own profile."""

    @write()
    async def link_wechat(
        self,
        info: Info,
        input: LinkWechatInput,  # noqa: A002 - GraphQL's name
    ) -> LinkWechatPayload | None:
        """Take over what WeChat supplies: region, gender, nickname and avatar (C02)."""
        work = partial(
            profiles.link_wechat,
            info.context,
            region=input.region,
            gender=input.gender,
            nickname=input.nickname,
            avatar=input.avatar,
        )
        return await written(info.context, work, User)

    @write()
    async def update_profile(
        self,
        info: Info,
        input: UpdateProfileInput,  # noqa: A002 - as above
    ) -> UpdateProfilePayload | None:
        """Correct one's own data or a ward's, or add to them (C64). `User.corrections` tells what was corrected."""
        user = None if input.user is None else row_under(input.user, NodeType.USER, argument="user")
        items = {
            "name": input.name,
            "idNumber": input.id_number,
            "gender": input.gender,
            "birthDate": input.birth_date,
            "phone": input.phone,
            "email": input.email,
            "address": input.address,
            "bankCard": input.bank_card,
            "occupation": input.occupation,
            "healthDeclaration": input.health_declaration,
            "region": input.region,
            "nickname": input.nickname,
        }
        work = partial(
            profiles.update_profile, info.context, user, items, id_type=input.id_type, if_version=input.if_version
        )
        return await written(info.context, work, User)

    @write()
    async def set_permission(
        self,
        info: Info,
        input: SetPermissionInput,  # noqa: A002 - as above
    ) -> SetPermissionPayload | None:
        """Grant or take back one permission or one use of cookies; the others stay as they are (C14, C15)."""
        work = partial(permissions.set_permission, info.context, input.permission, granted=input.granted)
        return await written(info.context, work, Permission)

    @write()
    async def use_permission(
        self,
        info: Info,
        input: UsePermissionInput,  # noqa: A002 - as above
    ) -> UsePermissionPayload | None:
        """Ask before each use of a permission or cookie: PERMISSION_REQUIRED unless it is granted now (C15, C67)."""
        return await written(
            info.context, partial(permissions.use_permission, info.context, input.permission), Permission
        )

    @write()
    async def set_push_identifiers(
        self,
        info: Info,
        input: SetPushIdentifiersInput,  # noqa: A002 - as above
    ) -> SetPushIdentifiersPayload | None:
        """Say by what identifier a device gets push messages; needs the permission PUSH (C13)."""
        device = None if input.device is None else row_under(input.device, NodeType.DEVICE, argument="device")
        work = partial(
            permissions.set_push_identifiers,
            info.context,
            device,
            kind=input.kind,
            identifier=input.identifier,
            model=input.model,
        )
        return await written(info.context, work, Device)
