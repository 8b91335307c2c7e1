"""Clients that read while the ledger's database suffers, and what they were shown compared with what was recorded."""

import asyncio
import subprocess
from collections.abc import Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from ledger.rows import decided
from tests.recorded import ROW, said

READ = (
    "{ claims(first: 8) { edges { node { claimNumber diagnosis reporterName"
    " policy { premium policyholder { name idNumber } } } } } }"
)
CLIENTS = 6


@dataclass
class Readers:
    """Clients that read without end; what each answer showed, by its decision."""

    url: str
    token: str
    shown: dict[str, set[tuple[str, str]]] = field(default_factory=dict)
    withheld: int = 0
    refused: int = 0
    slowest: float = 0.0

    async def _read(self, client: httpx.AsyncClient) -> None:
        began = asyncio.get_running_loop().time()
        try:
            response = await client.post(
                self.url, json={"query": READ}, headers={"Authorization": f"Bearer {self.token}"}
            )
            body = response.json()
        except (httpx.TransportError, ValueError):
            self.refused += 1
            await asyncio.sleep(0.02)
            return
        if body.get("data") is None:
            self.refused += 1
            await asyncio.sleep(0.02)
            return
        self.slowest = max(self.slowest, asyncio.get_running_loop().time() - began)
        authorization = body["extensions"]["authorization"]
        effects = {(one["coordinate"], one["effect"]) for one in authorization["fields"] if one["effect"] != "DENY"}
        node = body["data"]["claims"]["edges"][0]["node"]
        assert node["claimNumber"], "what is public is served"
        if effects:
            self.shown[authorization["decisionId"]] = effects
        else:
            self.withheld += 1
            assert not _values(body["data"]), "nothing sensitive beside a report that says so"

    async def _client(self) -> None:
        async with httpx.AsyncClient(timeout=20) as client:
            while True:
                await self._read(client)

    @asynccontextmanager
    async def reading(self):
        """Read for as long as the block lasts."""
        clients = [asyncio.create_task(self._client()) for _ in range(CLIENTS)]
        try:
            yield
        finally:
            for one in clients:
                one.cancel()
            found = await asyncio.gather(*clients, return_exceptions=True)
            assert not [one for one in found if not isinstance(one, asyncio.CancelledError)], found

    async def until(self, what) -> None:
        """Go on until `what` holds."""
        async with asyncio.timeout(30):
            while not what():  # noqa: ASYNC110 - what is waited for happens in other processes
                await asyncio.sleep(0.02)

    async def more(self, count: int = 20) -> None:
        """Until so many more answers have shown something."""
        wanted = len(self.shown) + count
        await self.until(lambda: len(self.shown) >= wanted)


def _values(data: object) -> set[object]:
    if isinstance(data, dict):
        sensitive = ("diagnosis", "reporterName", "premium", "name", "idNumber")
        here = {data[name] for name in sensitive if data.get(name) is not None}
        return here.union(*map(_values, data.values()))
    return set().union(*map(_values, data)) if isinstance(data, list) else set()


async def unrecorded(owner, shown: dict[str, set[tuple[str, str]]]) -> dict[str, set[tuple[str, str]]]:
    """Of what was shown, what no row says was shown: none of it may be."""
    missing = {}
    for decision, effects in shown.items():
        rows = [row for row in said(await owner.fetch(ROW, decision)) if row["outcome"] == "DONE"]
        told = {(name, entry.effect) for row in rows for entry, _ in decided(row) for name in entry.coordinates}
        if not effects <= told:
            missing[decision] = effects - told
    return missing


@contextmanager
def small_disk(folder: Path, *, megabytes: int) -> Iterator[Path]:
    """A file system in memory that holds so much and no more."""
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={megabytes}m,mode=755", "tmpfs", folder], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


@contextmanager
def filled(folder: Path) -> Iterator[None]:
    """Not a byte is left on the disk for as long as the block lasts."""
    ballast = folder / "ballast"
    with ballast.open("wb", buffering=0) as file:
        for size in (1 << 20, 1 << 12, 1):
            try:
                while file.write(b"\0" * size):
                    pass
            except OSError:
                continue
    try:
        yield
    finally:
        ballast.unlink()
