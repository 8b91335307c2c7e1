"""Devices: what people use the service with (C12, C13)."""

from datetime import datetime

import strawberry

from authz.vocabulary import DataSubject
from models.devices import PushIdKind
from models.vocabulary import Category
from schema.fields import public, sensitive
from schema.nodes import Node

strawberry.enum(PushIdKind)


@strawberry.type
class Device(Node):
    """One device of one user."""

    model: str | None = sensitive(Category.DEVICE, of=DataSubject.USER)
    ip_address: str | None = sensitive(Category.DEVICE, of=DataSubject.USER)
    push_id: str | None = sensitive(Category.DEVICE, of=DataSubject.USER)
    push_id_kind: PushIdKind | None = public()
    last_seen_at: datetime | None = sensitive(Category.DEVICE, of=DataSubject.USER)
