"""Devices: what people use the service with (C12, C13)."""

from datetime import datetime

import strawberry

from authz.vocabulary import DataSubject
from models.vocabulary import Category
from schema.fields import sensitive
from schema.nodes import Node


@strawberry.type
class Device(Node):
    """One device of one user."""

    model: str | None = sensitive(Category.DEVICE, of=DataSubject.USER)
    ip_address: str | None = sensitive(Category.DEVICE, of=DataSubject.USER)
    push_id: str | None = sensitive(Category.DEVICE, of=DataSubject.USER)
    last_seen_at: datetime | None = sensitive(Category.DEVICE, of=DataSubject.USER)
