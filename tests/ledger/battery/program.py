"""The verifier as a program: what it shows, and its exit code."""

import json
from argparse import Namespace
from contextlib import redirect_stderr
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any

from ledger.head_keys import opening_line
from tests.ledger.battery.changed import edited
from tests.ledger.sealed_world import ALICE, BOB, World, compact, dropping, ended, key_of, plain, row


@dataclass
class Program:
    """The program itself: what it shows, and its exit code."""

    folder: Path

    def __post_init__(self) -> None:
        world, tampered = plain(), edited(plain(), 4, body="{}")
        self.write("good", ended(world.export()))
        self.write("bad", ended(tampered))
        self.write("empty", ended(World([], ()).export()))
        self.write("heads", ended(world.second))
        self.write("opening", ended(world.second[:1]))
        self.write("torn", [*ended(world.second), '{"head":"{\\"si'])
        (self.folder / "broken").write_bytes(
            "".join(ended(world.export())).replace("查", "\xff", 1).encode("latin-1", "replace")
        )
        (self.folder / "binary").write_bytes(b"\xff\xfe\x00")
        self.write("no number", [compact({"key": "ab" * 32, "public": "zz" * 32})])
        self.write("another's name", [compact({"key": "ab" * 32, "public": "ab" * 32})])
        self.key, self.last = world.key.id, world.last_key.id

    def write(self, name: str, lines: list[str]) -> None:
        (self.folder / name).write_text("".join(lines), encoding="utf-8", newline="\n")

    def run(self, module: Any) -> None:
        """Raise AssertionError where the program does anything else than it should."""
        span = "(2026-11-02T08:00:00.000000Z to 2026-11-02T08:08:00.000000Z)"
        texts = f"9 with a text, of those from 0 up to 9 {span}. The key is {self.last}."
        intact = f"Intact: 9 rows under 4 signed heads, {texts}"
        assert self.shown(module, "good") == (0, intact)
        assert self.shown(module, "good", heads="torn") == (0, intact)
        assert self.shown(module, "good", key=str(self.folder / "opening")) == (0, intact)
        assert self.shown(module, "good", key=self.key) == (0, intact)
        code, text = self.shown(module, "bad")
        assert (code, len(text.splitlines())) == (1, 3)
        assert text.splitlines()[2] == "9 of 9 rows have a text."
        assert text.splitlines()[0] == "Row 4 does not hold the text of a row."
        code, text = self.shown(module, "good", json=True)
        numbers = {"rows": 9, "texts": 9, "dropped": [], "heads": 4, "first": 0, "end": 9, "key": self.last}
        assert (code, json.loads(text)) == (0, {"intact": True, "findings": [], **numbers})
        code, text = self.shown(module, "bad", json=True)
        assert (code, json.loads(text)["intact"], len(json.loads(text)["findings"])) == (1, False, 2)
        code, text = self.shown(module, "empty", heads="opening")
        assert (code, text) == (
            0,
            f"Intact: 0 rows under 0 signed heads, 0 with a text, of those from 0 up to 0. The key is {self.key}.",
        )
        assert self.shown(module, "broken")[0] == 1
        stranger = key_of(99)
        self.write("another", ended([opening_line(stranger.opening)]))
        for another in (stranger.id, str(self.folder / "another")):
            code, text = self.shown(module, "good", key=another)
            strange = f"The heads are not signed with the key {stranger.id}, nor with one that it announced."
            assert (code, text.splitlines()) == (1, [strange, "9 of 9 rows have a text."])
        for wrong in ({"heads": "good"}, {"heads": "nowhere"}, {"key": "ab" * 31}, {"key": "\0"}):
            assert self.shown(module, "good", **wrong) == (2, None)
        for name in ("good", "binary", "no number", "another's name", "."):
            assert self.shown(module, "good", key=str(self.folder / name)) == (2, None)
        self.run_drops(module)

    def run_drops(self, module: Any) -> None:
        """What was dropped is said, and for how long rows are kept is the asker's to say."""
        texts = [row(ALICE, 1, 0), row(ALICE, 2, 1), row(ALICE, 3, 2), dropping(BOB, 1, [0, 0], [2, 2])]
        world = World(texts, (3, 4), bare=frozenset({0, 2}))
        self.write("dropped", ended(world.export()))
        self.write("of the dropped", ended(world.second))
        code, text = self.shown(module, "dropped", heads="of the dropped")
        told = [f"Rows {place} to {place} have no text: they were dropped as old." for place in (0, 2)]
        assert (code, text.splitlines()[1:]) == (0, told)
        assert text.startswith("Intact: 4 rows under 2 signed heads, 2 with a text, of those from 0 up to 4 (")
        _, text = self.shown(module, "dropped", heads="of the dropped", json=True)
        assert (json.loads(text)["dropped"], json.loads(text)["texts"]) == ([[0, 0], [2, 2]], 2)
        code, text = self.shown(module, "dropped", heads="of the dropped", key=key_of(99).id)
        assert (code, text.splitlines()[1:]) == (1, [*told, "2 of 4 rows have a text."])
        code, text = self.shown(module, "dropped", heads="of the dropped", months=37)
        assert (code, len(text.splitlines())) == (1, 3)

    def shown(
        self,
        module: Any,
        export: str,
        *,
        heads: str = "heads",
        key: str | None = None,
        json: bool = False,
        months: int = 36,
    ) -> Any:
        shown: list[str] = []
        paths = {"export": self.folder / export, "heads": self.folder / heads}
        given = Namespace(**paths, key=key, partial=False, json=json, months=months)
        told = StringIO()
        with redirect_stderr(told):
            code = module.run(given, shown.append)
        assert (len(shown), bool(told.getvalue().strip())) == ((0, True) if code == 2 else (1, False))
        return code, shown[0] if shown else None
