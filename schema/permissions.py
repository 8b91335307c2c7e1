"""Permissions of the app and uses of cookies: what each is for, and what a person said to it (C13-C15)."""

from datetime import datetime
from enum import StrEnum

import strawberry

from models.permissions import PermissionKind
from schema.fields import public

strawberry.enum(PermissionKind)


@strawberry.enum
class PermissionGroup(StrEnum):
    """Where a permission is asked for: by the app on its device, or by the website for its cookies."""

    APP = "APP"
    COOKIE = "COOKIE"


@strawberry.type
class Permission:
    """A person's last word on one permission, and since when; without one it is not granted."""

    kind: PermissionKind = public()
    granted: bool = public()
    decided_at: datetime = public()


@strawberry.type
class PermissionOffer:
    """What one permission is for and what follows from refusing it, in the privacy policy's words."""

    kind: PermissionKind = public()
    group: PermissionGroup = public()
    use: str = public()
    consequence: str = public()
    clause: str = public()


_WITHOUT = "拒绝提供该权限会使您无法使用上述功能，但不影响您正常使用我们其他功能。"
_WITHOUT_PUSH = "拒绝提供该权限会使您无法收到我们的信息推送，但不影响您正常使用我们其他功能。"
_WITHOUT_COOKIES = "在某些情况下可能会影响您安全访问我们的网站，且可能需要在每一次访问我们的网站时更改用户设置。"


def _app(kind: PermissionKind, use: str, consequence: str = _WITHOUT) -> PermissionOffer:
    return PermissionOffer(kind=kind, group=PermissionGroup.APP, use=use, consequence=consequence, clause="C15")


def _cookie(kind: PermissionKind, use: str) -> PermissionOffer:
    return PermissionOffer(kind=kind, group=PermissionGroup.COOKIE, use=use, consequence=_WITHOUT_COOKIES, clause="C14")


CATALOGUE = (
    _app(
        PermissionKind.STORAGE,
        "将应用的缓存数据保存到您的设备（例如对用户基本资料数据、图片和日志进行缓存），获取您的外部存储的读取和写入权限。",
    ),
    _app(
        PermissionKind.PUSH,
        "向您发送消息和通知，帮助您更及时地了解我们的服务动态，向您推送保单状态信息等服务消息。",
        _WITHOUT_PUSH,
    ),
    _app(PermissionKind.CAMERA, "使用我们的拍摄功能，例如拍摄需要在理赔服务中上传的就诊证明、发票等图片。"),
    _app(PermissionKind.CALL, "在 APP 内拨打我们的客服电话，以便您与我们的客服人员进行语音沟通。"),
    _app(PermissionKind.ALBUM, "主动上传图片、视频，例如在理赔服务中上传您相册中的就诊证明、发票等图片。"),
    _cookie(PermissionKind.COOKIE_PREFERENCES, "按照您所希望的服务样式、外观设置为您提供服务。"),
    _cookie(
        PermissionKind.COOKIE_SECURITY,
        "保障数据和服务的安全性，排查针对我们的产品和服务的作弊、黑客、欺诈行为。",
    ),
    _cookie(PermissionKind.COOKIE_EFFICIENCY, "避免不必要的服务器负载，提高服务效率，节省资源、能源。"),
    _cookie(
        PermissionKind.COOKIE_RESEARCH,
        "了解您使用我们服务的方式，以求改善我们的产品和服务的用户体验，为新产品或功能的研发提供参考数据。",
    ),
)
"""Sections 一(六) and 一(七) of the privacy policy: four uses of cookies, five permissions of the app."""
