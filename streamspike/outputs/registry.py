"""Which adapters there are, what the gate said of each, and which one is in service: two tables and their rules.

candidate --gate--> refused or accepted --promote--> promoted, and the one before retired; rollback goes back again.
At most one adapter of each base model is in service, which the database holds to. A change is one transaction that is
on the disk when it returns: whatever is killed in the middle of it, the old one is in service.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from streamspike.errors import AdapterRefused
from streamspike.outputs.database import Database


class AdapterState(StrEnum):
    CANDIDATE = "candidate"
    """Not judged yet, or accepted and not promoted yet."""
    REFUSED = "refused"
    PROMOTED = "promoted"
    """In service."""
    RETIRED = "retired"
    """Was in service once."""


@dataclass(frozen=True, slots=True)
class AdapterRecord:
    """One adapter."""

    name: str
    base: str
    """Name and version of the model it belongs to."""
    version: str
    """Eight hex digits of its weights."""
    parent: str
    """Adapter that its training started from; empty: the base itself."""
    method: str
    config: Mapping[str, Any]
    """Of the training."""
    data_hash: str
    metrics: Mapping[str, Any]
    """What the gate measured; before that, what the training said of itself."""
    registered_at: float
    """UTC."""
    state: AdapterState = AdapterState.CANDIDATE
    accepted: bool | None = None
    """What the gate said; None: it was not asked."""
    against: str | None = None
    """The adapter that was in service when it was judged; empty: the base itself."""
    reasons: tuple[str, ...] = ()
    """Of the gate, in sentences."""
    report_path: str | None = None
    changed_at: float = 0.0
    """UTC of the last change of state or judgement."""


@dataclass(frozen=True, slots=True)
class Promotion:
    """One change of what is in service."""

    base: str
    name: str | None
    """In service from then on; None: the base itself."""
    replaced: str | None
    how: str
    """gate, forced or rollback."""
    at: float
    """UTC."""


class AdapterTable:
    """The tables of adapters and promotions. Blocking, same thread as the store; knows nothing of the files.

    Every method raises StoreError when the file cannot be used.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def register(self, record: AdapterRecord) -> AdapterRecord:
        """Add a candidate. The same weights under the same name again change nothing.

        Raises:
            AdapterRefused: another adapter has the name.
        """
        with self._database.transaction(durable=True):
            known = self.find(record.name)
            if known is not None and (known.version, known.base) != (record.version, record.base):
                raise AdapterRefused(
                    f"the registry has another adapter called {record.name} ({known.base}, weights {known.version}); "
                    "give this one another name"
                )
            if known is None:
                self._database.execute(
                    "INSERT INTO adapters (name, base, version, parent, method, config, data_hash, metrics,"
                    " registered_at, changed_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                    (
                        record.name,
                        record.base,
                        record.version,
                        record.parent,
                        record.method,
                        _dump(record.config),
                        record.data_hash,
                        _dump(record.metrics),
                        record.registered_at,
                        record.registered_at,
                    ),
                )
            return self._get(record.name)

    def find(self, name: str) -> AdapterRecord | None:
        rows = self._database.query("SELECT * FROM adapters WHERE name = ?", (name,))
        return _record(rows[0]) if rows else None

    def list_all(self) -> list[AdapterRecord]:
        """Oldest first."""
        return [_record(row) for row in self._database.query("SELECT * FROM adapters ORDER BY registered_at, name")]

    def in_service(self, base: str) -> AdapterRecord | None:
        """The adapter that serves on this model; None: the model itself."""
        rows = self._database.query("SELECT * FROM adapters WHERE base = ? AND state = 'promoted'", (base,))
        return _record(rows[0]) if rows else None

    def promotions(self, base: str | None = None) -> list[Promotion]:
        """Oldest first; of all models where no base is given."""
        rows = self._database.query("SELECT * FROM promotions WHERE ? IS NULL OR base = ? ORDER BY id", (base, base))
        return [Promotion(row["base"], row["name"], row["replaced"], row["how"], row["at"]) for row in rows]

    def judge(
        self,
        name: str,
        *,
        accepted: bool,
        reasons: Sequence[str],
        metrics: Mapping[str, Any],
        report_path: str | None,
        against: str,
        now: float,
    ) -> None:
        """Write down what the gate said. What serves goes on serving.

        Args:
            against: the adapter in service it was compared with; empty: the base itself.
        """
        before, after = ("refused", "candidate") if accepted else ("candidate", "refused")
        with self._database.transaction(durable=True):
            self._get(name)
            self._database.execute(
                "UPDATE adapters SET state = CASE state WHEN ? THEN ? ELSE state END, accepted = ?, reasons = ?,"
                " metrics = ?, report_path = ?, against = ?, changed_at = ? WHERE name = ?",
                (before, after, int(accepted), _dump(list(reasons)), _dump(metrics), report_path, against, now, name),
            )

    def promote(self, name: str, now: float, *, force: bool = False) -> AdapterRecord:
        """Put an adapter in service.

        Args:
            force: whatever the gate said or did not say.

        Raises:
            AdapterRefused: there is none of that name, it serves already, the gate did not accept it, or it was
                compared with another one than serves now.
        """
        with self._database.transaction(durable=True):
            record = self._get(name)
            current = self.in_service(record.base)
            serving = current.name if current is not None else ""
            if serving == name:
                raise AdapterRefused(f"{name} is in service already")
            if not force:
                _check_accepted(record, serving)
            self._serve(record.base, name, serving or None, "forced" if force else "gate", now)
            return self._get(name)

    def rollback(self, now: float) -> Promotion:
        """Take back the last promotion: what served before it serves again. Again, and it goes one further back.

        Raises:
            AdapterRefused: nothing is in service but the base.
        """
        with self._database.transaction(durable=True):
            history = self.promotions()
            if not history:
                raise AdapterRefused("nothing was ever promoted, so there is nothing to go back to")
            base = history[-1].base
            served = _served(self.promotions(base))
            if not served:
                raise AdapterRefused(f"{base} serves without an adapter, so there is nothing to go back to")
            back = served[-2] if len(served) > 1 else None
            self._serve(base, back, served[-1], "rollback", now)
            return Promotion(base, back, served[-1], "rollback", now)

    def _serve(self, base: str, name: str | None, replaced: str | None, how: str, now: float) -> None:
        """Inside a transaction."""
        change = "UPDATE adapters SET state = ?, changed_at = ? WHERE name = ?"
        if replaced is not None:
            self._database.execute(change, (AdapterState.RETIRED.value, now, replaced))
        if name is not None:
            self._database.execute(change, (AdapterState.PROMOTED.value, now, name))
        self._database.execute(
            "INSERT INTO promotions (base, name, replaced, how, at) VALUES (?, ?, ?, ?, ?)",
            (base, name, replaced, how, now),
        )

    def _get(self, name: str) -> AdapterRecord:
        record = self.find(name)
        if record is None:
            raise AdapterRefused(f"the registry has no adapter called {name}; see streamspike refine list")
        return record


def _check_accepted(record: AdapterRecord, serving: str) -> None:
    if record.accepted is None:
        raise AdapterRefused(f"{record.name} was not evaluated; streamspike refine evaluate does that")
    if not record.accepted:
        raise AdapterRefused(f"the gate refused {record.name}: {'; '.join(record.reasons)}")
    if record.against != serving:
        raise AdapterRefused(
            f"{record.name} was compared with {record.against or 'the base'}, and {serving or 'the base'} serves now; "
            "evaluate it again"
        )


def _served(history: Sequence[Promotion]) -> list[str]:
    """What a rollback can go back through, the one in service last."""
    stack: list[str] = []
    for change in history:
        if change.how == "rollback":
            stack.pop()
        elif change.name is not None:
            stack.append(change.name)
    return stack


def _record(row: sqlite3.Row) -> AdapterRecord:
    return AdapterRecord(
        name=row["name"],
        base=row["base"],
        version=row["version"],
        parent=row["parent"],
        method=row["method"],
        config=json.loads(row["config"]),
        data_hash=row["data_hash"],
        metrics=json.loads(row["metrics"]),
        registered_at=row["registered_at"],
        state=AdapterState(row["state"]),
        accepted=None if row["accepted"] is None else bool(row["accepted"]),
        against=row["against"],
        reasons=tuple(json.loads(row["reasons"])),
        report_path=row["report_path"],
        changed_at=row["changed_at"],
    )


def _dump(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False)
