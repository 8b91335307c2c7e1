"""Exports and heads that somebody has changed at one place."""

import json
from dataclasses import replace
from typing import Any

from ledger.head_keys import line_of
from tests.ledger.sealed_world import World, compact


def edited(world: World, index: int, **values: Any) -> list[str]:
    """The export with one row's members changed."""
    lines = world.export()
    found = json.loads(lines[index + 1])
    lines[index + 1] = compact({**found, **values})
    return lines


def head_of(inner: dict[str, Any], key: Any) -> str:
    text = line_of(inner)
    return line_of({"head": text, "signature": key.sign(text).hex()})


def replace_head(world: World, place: int, *, key: Any = None, **values: Any) -> World:
    """The world with one head changed and signed by the key that should have, or by another."""
    changed = World(world.rows, world.sizes, world.rotated_after)
    head = changed.heads[place]
    signer = key or changed.last_key
    inner = {**json.loads(head.text), **values, "key": signer.id}
    line = head_of(inner, signer)
    changed.heads[place] = replace(type(head).read(line))
    changed.second = [line if one == head.line else one for one in changed.second]
    return changed


def flipped(line: str, after: str) -> str:
    place = line.rindex(after) + len(after)
    return line[:place] + ("0" if line[place] != "0" else "1") + line[place + 1 :]
