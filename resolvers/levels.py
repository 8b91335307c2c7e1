"""The columns of one level while its shape is compiled: each once, with the joins, situations and keys they need."""

from authz.vocabulary import DataSubject
from authz.witnesses import SituationSql, person_sql
from resolvers.nouns import Noun, SealedColumn
from resolvers.plan import Read, Sealed, SituationColumns, WholeColumns, Witness
from resolvers.statements import Columns, Reach, Statement
from vault.sealing import column_label


class LevelWork:
    """The columns of one level while its shape is compiled."""

    def __init__(self, noun: Noun, reach: Reach) -> None:
        self.noun = noun
        self.columns = Columns()
        self.parent: int | None = None
        self.sort: tuple[int, ...] = ()
        self._reach = reach
        self._id = self.columns.add("t.id")
        self._wrapped: int | None = None
        self._owner: int | None = None
        self._situations: dict[DataSubject, SituationColumns] = {}
        self._people: dict[DataSubject, int] = {}

    def situation(self, of: DataSubject, sql: SituationSql, whole: SituationSql | None = None) -> None:
        """Compute one data subject's situation beside the row; `whole` as all records witness it."""
        if of in self._situations:
            return
        if sql.joins_policy:
            self.columns.joins["p"] = "JOIN policy p ON p.id = t.policy_id"
        add = self.columns.add
        numbers = [part for part in sql.parts if part.records is None]
        witnesses = [
            Witness(part.letter, add(f"({part.sql})::bigint"), add(part.id))
            for part in numbers
            if part.letter and part.id
        ]
        self._situations[of] = SituationColumns(
            bits=tuple(add(f"({part.sql})::bigint") for part in numbers),
            witness=witnesses[0] if witnesses else None,
            records=tuple((part.records.letter, add(part.records.sql)) for part in sql.parts if part.records),
            masks=tuple((mask, add(mask.records.sql)) for mask in sql.masks),
            whole=self._whole(whole) if whole else None,
            covered=add(sql.covered) if sql.covered else None,
        )

    def _whole(self, sql: SituationSql) -> WholeColumns:
        return WholeColumns(
            bits=self.columns.add(sql.bits) if sql.bits else None,
            masks=tuple((mask, self.columns.add(mask.sql)) for mask in sql.masks),
        )

    def person(self, of: DataSubject) -> None:
        """Read whose data a data subject's are."""
        sql = person_sql(self.noun.table, of)
        if sql is not None:
            self._people[of] = self.columns.add(sql)

    def sealed(self, stored: SealedColumn) -> Sealed:
        """Read a sealed column, its row's id and the data key."""
        if stored.join:
            self.columns.joins[stored.join] = self._reach.join((self.noun.joins or {})[stored.join])
        if self._wrapped is None:
            self._add_key()
        return Sealed(
            index=self.columns.add(f"{stored.alias}.{stored.column}"),
            row_index=self.columns.add(f"{stored.alias}.id"),
            label=column_label(stored.table or self.noun.table, stored.column),
            convert=stored.convert,
        )

    def _add_key(self) -> None:
        owner, retention = self.noun.key_owner, self.noun.retention
        if owner is None or retention is None:
            message = f"{self.noun.name} holds no sealed values"
            raise TypeError(message)
        self.columns.joins["data_key"] = (
            f"LEFT JOIN data_key ON data_key.person_id = {owner} AND data_key.retention = {int(retention)}"
        )
        self._wrapped = self.columns.add("data_key.wrapped")
        self._owner = self.columns.add(owner)

    def read(self, text: Statement) -> Read:
        """What the statement will give, column by column."""
        return Read(
            statement=text,
            noun=self.noun,
            id_index=self._id,
            parent_index=self.parent,
            wrapped_index=self._wrapped,
            owner_index=self._owner,
            sort_indexes=self.sort,
            situations=self._situations,
            people=self._people,
            width=len(self.columns.positions),
        )
