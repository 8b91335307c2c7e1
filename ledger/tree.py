"""The Merkle tree over the ledger (RFC 6962, 2.1; RFC 9162, 2.1): its root, what is added to it, and its proofs.

Only the hashes of complete subtrees are kept: node `(level, index)` covers the leaves from `index << level` on, as many
as `1 << level`; level 0 are the leaves' own hashes. Everything else is computed from a function that gets such a hash.
"""

from collections.abc import Callable, Iterable, Sequence
from hashlib import sha256

Place = tuple[int, int]
"""Level and index of a complete subtree."""
Get = Callable[[Place], bytes]
"""Gets the hash of a complete subtree."""

EMPTY = sha256().digest()
"""The root of no leaves."""


def leaf_hash(content: bytes) -> bytes:
    """The hash of a leaf."""
    return sha256(b"\x00" + content).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """The hash of the two halves of a subtree."""
    return sha256(b"\x01" + left + right).digest()


def root(size: int, get: Get) -> bytes:
    """The root over the first `size` leaves."""
    return _subtree(0, size, get) if size else EMPTY


def appended(size: int, leaves: Iterable[bytes], get: Get) -> dict[Place, bytes]:
    """The complete subtrees, leaves included, that leaf hashes make when they come after the first `size`.

    Asks for no other nodes than `root(size, get)` does.
    """
    made: dict[Place, bytes] = {}
    level, first, row = 0, size, list(leaves)
    while row:
        made |= {(level, first + place): hash_ for place, hash_ in enumerate(row)}
        if first % 2:
            first -= 1
            row.insert(0, get((level, first)))
        row = [node_hash(left, right) for left, right in zip(row[::2], row[1::2], strict=False)]
        level, first = level + 1, first // 2
    return made


def inclusion(index: int, size: int, get: Get) -> list[bytes]:
    """The path from a leaf to the root of the first `size` leaves. Raises ValueError for a leaf not among them."""
    if not 0 <= index < size:
        message = f"there is no leaf {index} among the first {size}"
        raise ValueError(message)
    first, end, path = 0, size, list[bytes]()
    while end - first > 1:
        middle = first + _split(end - first)
        if index < middle:
            path.append(_subtree(middle, end, get))
            end = middle
        else:
            path.append(_subtree(first, middle, get))
            first = middle
    return path[::-1]


def consistency(earlier: int, later: int, get: Get) -> list[bytes]:
    """That the first `earlier` of the first `later` leaves are still the same. Raises ValueError for other sizes."""
    if not 0 < earlier <= later:
        message = f"a tree of {earlier} leaves cannot have become one of {later}"
        raise ValueError(message)
    first, end, path, whole = 0, later, list[bytes](), True
    while earlier != end:
        middle = first + _split(end - first)
        if earlier <= middle:
            path.append(_subtree(middle, end, get))
            end = middle
        else:
            path.append(_subtree(first, middle, get))
            first, whole = middle, False
    return ([] if whole else [_subtree(first, end, get)]) + path[::-1]


def needed(compute: Callable[[Get], object]) -> list[Place]:
    """The nodes that a computation asks for, so that they can be fetched all at once."""
    places: dict[Place, None] = {}

    def note(place: Place) -> bytes:
        places[place] = None
        return b""

    compute(note)
    return list(places)


def includes(leaf: bytes, index: int, size: int, path: Sequence[bytes], root_hash: bytes) -> bool:
    """Does the path prove that the leaf with this hash stands there? (RFC 9162, 2.1.3.2)"""
    if not 0 <= index < size:
        return False
    place, last, result = index, size - 1, leaf
    for step in path:
        if last == 0:
            return False
        if place % 2 or place == last:
            result = node_hash(step, result)
            while place % 2 == 0 and place:
                place, last = place >> 1, last >> 1
        else:
            result = node_hash(result, step)
        place, last = place >> 1, last >> 1
    return last == 0 and result == root_hash


def consistent(sizes: tuple[int, int], roots: tuple[bytes, bytes], path: Sequence[bytes]) -> bool:
    """Does the path prove that the later tree begins with the earlier one? (RFC 9162, 2.1.4.2)"""
    earlier, later = sizes
    if earlier == later:
        return earlier > 0 and not path and roots[0] == roots[1]
    if not 0 < earlier < later or not path:
        return False
    steps = list(path) if earlier & (earlier - 1) else [roots[0], *path]
    place, last = earlier - 1, later - 1
    while place % 2:
        place, last = place >> 1, last >> 1
    old = new = steps[0]
    for step in steps[1:]:
        if last == 0:
            return False
        if place % 2 or place == last:
            old, new = node_hash(step, old), node_hash(step, new)
            while place % 2 == 0 and place:
                place, last = place >> 1, last >> 1
        else:
            new = node_hash(new, step)
        place, last = place >> 1, last >> 1
    return last == 0 and (old, new) == roots


def _subtree(first: int, end: int, get: Get) -> bytes:
    """The hash over some leaves that are a subtree of some tree."""
    count = end - first
    if count & (count - 1) == 0:
        level = count.bit_length() - 1
        return get((level, first >> level))
    middle = first + _split(count)
    return node_hash(_subtree(first, middle, get), _subtree(middle, end, get))


def _split(count: int) -> int:
    """The largest power of two below `count`, which is at least 2."""
    return 1 << ((count - 1).bit_length() - 1)
