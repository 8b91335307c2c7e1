"""The tree: what RFC 6962 defines recursively, computed from kept nodes; proofs that prove, and nothing else does."""

from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger import tree

# Inputs and roots of the reference tests of Certificate Transparency (google/certificate-transparency, merkle tree).
CONTENTS = [
    bytes.fromhex(text)
    for text in ("", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f")
]
ROOTS = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
INCLUSION = {
    (0, 8): [
        "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
    ],
    (5, 8): [
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ],
}
CONSISTENCY = {
    (1, 8): [
        "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
    ],
    (6, 8): [
        "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ],
}

sizes = st.integers(0, 70)


def leaves_of(size):
    return [tree.leaf_hash(b"%d" % number) for number in range(size)]


def naive_root(leaves):
    """RFC 6962, 2.1, word for word."""
    if not leaves:
        return sha256(b"").digest()
    if len(leaves) == 1:
        return leaves[0]
    middle = 1
    while middle * 2 < len(leaves):
        middle *= 2
    return sha256(b"\x01" + naive_root(leaves[:middle]) + naive_root(leaves[middle:])).digest()


def grown(*parts):
    """The kept nodes after the parts were appended one after another."""
    nodes, size = {}, 0
    for part in parts:
        nodes |= tree.appended(size, part, nodes.__getitem__)
        size += len(part)
    return nodes


def nodes_of(size):
    return grown(leaves_of(size)).__getitem__


@pytest.mark.parametrize("size", range(1, 9))
def test_roots_are_those_of_certificate_transparency(size):
    nodes = grown([tree.leaf_hash(content) for content in CONTENTS[:size]])
    assert tree.root(size, nodes.__getitem__).hex() == ROOTS[size - 1]


def test_proofs_are_those_of_certificate_transparency():
    get = grown([tree.leaf_hash(content) for content in CONTENTS]).__getitem__
    for place, path in INCLUSION.items():
        assert [step.hex() for step in tree.inclusion(*place, get)] == path
    for place, path in CONSISTENCY.items():
        assert [step.hex() for step in tree.consistency(*place, get)] == path


def test_the_empty_tree_has_the_hash_of_nothing():
    assert tree.root(0, {}.__getitem__) == tree.EMPTY == naive_root([])


@given(st.lists(st.integers(0, 20), max_size=6))
def test_however_leaves_are_appended_the_root_is_the_definitions(counts):
    leaves, parts = leaves_of(sum(counts)), []
    for count in counts:
        done = sum(map(len, parts))
        parts.append(leaves[done : done + count])
    nodes = grown(*parts)
    assert nodes == grown(leaves)
    for size in range(len(leaves) + 1):
        assert tree.root(size, nodes.__getitem__) == naive_root(leaves[:size])


@given(sizes, sizes)
def test_appending_needs_no_other_nodes_than_the_root_does(size, more):
    known = set(tree.needed(lambda get: tree.root(size, get))) if size else set()
    new = tree.appended(size, leaves_of(more), lambda _: b"")
    assert set(tree.needed(lambda get: tree.appended(size, leaves_of(more), get))) <= known
    assert not known & new.keys()


@given(st.data(), st.integers(1, 70))
def test_every_leaf_can_be_proven_and_no_other_in_its_place(data, size):
    index = data.draw(st.integers(0, size - 1))
    get = nodes_of(size)
    path, root = tree.inclusion(index, size, get), tree.root(size, get)
    assert tree.includes(get((0, index)), index, size, path, root)
    other = data.draw(st.integers(-1, size + 1).filter(lambda number: number != index))
    assert not tree.includes(get((0, index)), other, size, path, root)
    assert not tree.includes(tree.leaf_hash(b"another"), index, size, path, root)
    assert not tree.includes(get((0, index)), index, size, [*path, b"\x00" * 32], root)
    assert not tree.includes(get((0, index)), index, size, path, tree.EMPTY)
    if path:
        assert not tree.includes(get((0, index)), index, size, path[:-1], root)
        place = data.draw(st.integers(0, len(path) - 1))
        assert not tree.includes(get((0, index)), index, size, changed(path, place), root)


@given(st.data(), st.integers(1, 70))
def test_every_earlier_tree_can_be_proven_and_no_other(data, later):
    earlier = data.draw(st.integers(1, later))
    get = nodes_of(later)
    path = tree.consistency(earlier, later, get)
    roots = tree.root(earlier, get), tree.root(later, get)
    assert tree.consistent((earlier, later), roots, path)
    assert not tree.consistent((earlier, later), (tree.EMPTY, roots[1]), path)
    assert not tree.consistent((earlier, later), (roots[0], tree.EMPTY), path)
    assert not tree.consistent((earlier, later), roots, [*path, b"\x00" * 32])
    assert not tree.consistent((later + 1, later), roots, path)
    assert not tree.consistent((0, later), roots, path)
    if path:
        assert not tree.consistent((earlier, later), roots, path[:-1])
        place = data.draw(st.integers(0, len(path) - 1))
        assert not tree.consistent((earlier, later), roots, changed(path, place))


def changed(path, place):
    return [*path[:place], bytes([path[place][0] ^ 1]) + path[place][1:], *path[place + 1 :]]


@pytest.mark.parametrize("index, size", [(-1, 3), (3, 3), (0, 0)])
def test_what_is_not_in_the_tree_has_no_path(index, size):
    with pytest.raises(ValueError, match="no leaf"):
        tree.inclusion(index, size, nodes_of(3))


@pytest.mark.parametrize("earlier, later", [(0, 3), (4, 3), (-1, 3)])
def test_a_tree_has_not_grown_from_a_larger_or_an_empty_one(earlier, later):
    with pytest.raises(ValueError, match="cannot have become"):
        tree.consistency(earlier, later, nodes_of(3))
