"""One case of the battery: an export, the heads of a second place, and a part of each finding expected, in order."""

from dataclasses import dataclass, field
from typing import Any

from tests.ledger.sealed_world import ended


@dataclass
class Case:
    name: str
    export: list[str]
    heads: list[str]
    expected: tuple[str, ...] = ()
    unusable: str | None = None
    given: dict[str, Any] = field(default_factory=dict)
    rows: int | None = None
    dropped: list[list[int]] | None = None

    def check_unusable(self, why: str) -> None:
        assert self.unusable is not None, f"{self.name}: {why}"
        assert self.unusable in why, f"{self.name}: {why}"

    def run(self, module: Any) -> None:
        """Raise AssertionError where the verifier says anything else."""
        try:
            report = module.verify(iter(ended(self.export)), iter(ended(self.heads)), **self.given)
        except module.UnusableError as why:
            self.check_unusable(str(why))
            return
        assert self.unusable is None, self.name
        found = report.findings
        assert len(found) == len(self.expected), f"{self.name}: {found}"
        for part, finding in zip(self.expected, found, strict=True):
            assert part in finding, f"{self.name}: {finding}"
        if self.rows is not None:
            assert (report.rows, report.heads) == (self.rows, len(self.heads)), self.name
        if self.dropped is not None:
            gone = sum(last - first + 1 for first, last in self.dropped)
            assert (report.dropped, report.texts) == (self.dropped, report.rows - gone), self.name
