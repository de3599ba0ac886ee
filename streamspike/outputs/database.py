"""The SQLite file under the store: opened in WAL mode, versioned, and failing in sentences.

Why WAL: readers (the page, `streamspike score`) never wait for the writer, and a process that is killed in the middle
of a write leaves a file that opens again with every committed transaction and no other.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import resources
from pathlib import Path
from typing import Any

from streamspike.errors import StoreError

SCHEMA_VERSION = 10
LOOK_SECONDS = 1.0
"""A look waits no longer for who has locked the file."""
COMPARISONS = "'frame-difference', 'rgb-histogram', 'optical-flow'"
"""The models of motion, before version 5 said what is motion."""

MIGRATIONS: dict[int, tuple[str, ...]] = {
    1: (
        "ALTER TABLE observations ADD COLUMN p_value REAL NOT NULL DEFAULT 1",
        "ALTER TABLE observations ADD COLUMN threshold_nats REAL NOT NULL DEFAULT 0",
        "ALTER TABLE events ADD COLUMN p_value REAL NOT NULL DEFAULT 1",
        "UPDATE cameras SET threshold_state = NULL",
    ),
    2: (
        "ALTER TABLE cameras ADD COLUMN commanded TEXT",
        "CREATE TABLE feedback (event_id TEXT PRIMARY KEY, camera_id TEXT NOT NULL REFERENCES cameras (id),"
        " verdict INTEGER NOT NULL CHECK (verdict IN (-1, 1)), heeded INTEGER NOT NULL DEFAULT 0,"
        " given_at REAL NOT NULL) STRICT",
    ),
    3: (
        "ALTER TABLE keyframes RENAME TO keyframes_of_events",
        """CREATE TABLE keyframes (
            id INTEGER PRIMARY KEY, camera_id TEXT NOT NULL REFERENCES cameras (id), event_id TEXT NOT NULL,
            number INTEGER NOT NULL, taken_at REAL NOT NULL, width_px INTEGER NOT NULL, height_px INTEGER NOT NULL,
            jpeg BLOB NOT NULL, UNIQUE (camera_id, event_id, number)
        ) STRICT""",
        """INSERT INTO keyframes (camera_id, event_id, number, taken_at, width_px, height_px, jpeg)
            SELECT camera_id, event_id, number, taken_at, width_px, height_px, jpeg FROM keyframes_of_events
            ORDER BY taken_at""",
        "DROP TABLE keyframes_of_events",
        "CREATE INDEX keyframes_by_time ON keyframes (camera_id, taken_at)",
        "CREATE INDEX keyframes_by_event ON keyframes (event_id)",
        """CREATE TABLE clips (
            event_id TEXT PRIMARY KEY, camera_id TEXT NOT NULL REFERENCES cameras (id), file_name TEXT NOT NULL,
            started_at REAL NOT NULL, seconds REAL NOT NULL, bytes INTEGER NOT NULL, codec TEXT NOT NULL
        ) STRICT""",
        "CREATE INDEX clips_by_time ON clips (started_at)",
    ),
    4: (
        "ALTER TABLE observations ADD COLUMN kind TEXT NOT NULL DEFAULT 'surprise'",
        "ALTER TABLE events ADD COLUMN kind TEXT NOT NULL DEFAULT 'surprise'",
        f"UPDATE observations SET kind = 'motion' WHERE model IN ({COMPARISONS})",
        f"UPDATE events SET kind = 'motion' WHERE model IN ({COMPARISONS})",
        "UPDATE events SET kind = 'moved' WHERE model = 'camera-health'",
        "ALTER TABLE cameras ADD COLUMN scorer_state TEXT",
        "ALTER TABLE cameras ADD COLUMN fallback_state TEXT",
    ),
    5: (
        "ALTER TABLE clips ADD COLUMN kind TEXT NOT NULL DEFAULT 'event' CHECK (kind IN ('event', 'ordinary'))",
        "ALTER TABLE cameras ADD COLUMN refine INTEGER NOT NULL DEFAULT 1 CHECK (refine IN (0, 1))",
    ),
    6: (
        "ALTER TABLE keyframes ADD COLUMN surprise_nats REAL",
        "ALTER TABLE keyframes ADD COLUMN saw TEXT NOT NULL DEFAULT ''",
    ),
    7: (
        """CREATE TABLE adapters (
            name TEXT PRIMARY KEY, base TEXT NOT NULL, version TEXT NOT NULL, parent TEXT NOT NULL,
            method TEXT NOT NULL, config TEXT NOT NULL, data_hash TEXT NOT NULL, metrics TEXT NOT NULL,
            registered_at REAL NOT NULL, state TEXT NOT NULL DEFAULT 'candidate'
            CHECK (state IN ('candidate', 'refused', 'promoted', 'retired')), accepted INTEGER
            CHECK (accepted IN (0, 1)), against TEXT, reasons TEXT NOT NULL DEFAULT '[]', report_path TEXT,
            changed_at REAL NOT NULL
        ) STRICT""",
        "CREATE UNIQUE INDEX adapter_in_service ON adapters (base) WHERE state = 'promoted'",
        """CREATE TABLE promotions (
            id INTEGER PRIMARY KEY, base TEXT NOT NULL, name TEXT REFERENCES adapters (name),
            replaced TEXT REFERENCES adapters (name),
            how TEXT NOT NULL CHECK (how IN ('gate', 'forced', 'rollback')), at REAL NOT NULL
        ) STRICT""",
    ),
    8: (
        "ALTER TABLE observations ADD COLUMN change_nats REAL NOT NULL DEFAULT 0",
        "ALTER TABLE events ADD COLUMN change_nats REAL NOT NULL DEFAULT 0",
    ),
    9: ("ALTER TABLE observations ADD COLUMN unrest_nats REAL NOT NULL DEFAULT 0",),
}
"""From each version to the next. Nothing that was stored is lost, but what cannot be told any more has a default."""
BUSY_SECONDS = 5.0
"""How long a write waits for another process that writes."""

Value = str | int | float | bytes | None


class Database:
    """A connection. Blocking; may move between threads but only one uses it at a time (the caller's duty).

    Raises:
        StoreError: from every method: no space, read-only, damaged, not ours, or written by a newer version.
    """

    def __init__(self, path: Path) -> None:
        """Open the file, make its folder and the tables when they are missing."""
        self.path = path
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StoreError(f"cannot make the folder of the store {path}: {error.strerror}") from error
        with self._explained():
            self._connection = sqlite3.connect(
                path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False
            )
        try:
            with self._explained():
                self._connection.row_factory = sqlite3.Row
                self._connection.execute("PRAGMA journal_mode = WAL")
                self._connection.execute("PRAGMA synchronous = NORMAL")
                self._connection.execute("PRAGMA foreign_keys = ON")
                self._prepare()
        except StoreError:
            self._connection.close()
            raise

    @contextmanager
    def transaction(self, *, durable: bool = False) -> Iterator[None]:
        """All or nothing.

        Args:
            durable: wait until the disk has it, so that it survives a power failure; without, it survives a killed
                process, and a power failure may take the last moments with it.
        """
        with self._explained():
            if durable:
                self._connection.execute("PRAGMA synchronous = FULL")
            try:
                self._connection.execute("BEGIN IMMEDIATE")
                yield
                self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:  # SQLite rolls back by itself when the disk is full
                    self._connection.execute("ROLLBACK")
                raise
            finally:
                if durable:
                    self._connection.execute("PRAGMA synchronous = NORMAL")

    def execute(self, statement: str, values: Sequence[Value] = ()) -> int:
        """Run one statement. Returns the number of rows it changed."""
        with self._explained():
            return self._connection.execute(statement, values).rowcount

    def query(self, statement: str, values: Sequence[Value] = ()) -> list[sqlite3.Row]:
        """All rows of the answer."""
        with self._explained():
            return self._connection.execute(statement, values).fetchall()

    def query_value(self, statement: str, values: Sequence[Value] = ()) -> Any:
        """The first column of the first row, or None."""
        rows = self.query(statement, values)
        return rows[0][0] if rows else None

    def close(self) -> None:
        """Close; the write-ahead log is folded into the file. Closing twice does nothing."""
        with self._explained():
            self._connection.close()

    def _prepare(self) -> None:
        """Make the tables of an empty file; refuse one that is not ours or newer."""
        with self.transaction():
            tables = {row["name"] for row in self.query("SELECT name FROM sqlite_schema WHERE type = 'table'")}
            if not tables:
                for statement in _statements():
                    self._connection.execute(statement)
                return
        version = 0
        if "meta" in tables:
            version = int(self.query_value("SELECT value FROM meta WHERE key = 'schema_version'") or 0)
        if version < 1:
            raise StoreError(f"{self.path} is a database but not one of streamspike's; choose another store.path")
        if version > SCHEMA_VERSION:
            raise StoreError(
                f"{self.path} was written by a newer streamspike (schema {version}, this one knows {SCHEMA_VERSION}); "
                "upgrade streamspike or choose another store.path"
            )
        if version < SCHEMA_VERSION:
            self._migrate(version)

    def _migrate(self, version: int) -> None:
        """All steps or none."""
        with self.transaction(durable=True):
            for step in range(version, SCHEMA_VERSION):
                for statement in MIGRATIONS[step]:
                    self._connection.execute(statement)
            self._connection.execute("UPDATE meta SET value = ? WHERE key = 'schema_version'", (str(SCHEMA_VERSION),))

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise StoreError(_explain(error, self.path)) from error


def _statements() -> Iterator[str]:
    """The schema, statement by statement: `executescript` would commit the transaction it runs in."""
    statement = ""
    for line in resources.files("streamspike.outputs").joinpath("schema.sql").read_text("utf-8").splitlines(True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""


def _explain(error: sqlite3.Error, path: Path) -> str:
    """What went wrong and what to do, by SQLite's primary result code."""
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF  # extended codes carry the primary one in the low byte
    match code:
        case sqlite3.SQLITE_FULL:
            return f"the disk is full, the store {path} cannot grow; free some space or lower store.keep_days"
        case sqlite3.SQLITE_READONLY | sqlite3.SQLITE_PERM:
            return f"the store {path} is read-only; make the file and its folder writable for this user"
        case sqlite3.SQLITE_CANTOPEN | sqlite3.SQLITE_AUTH:
            return f"cannot open the store {path}; check that it is a file in a folder this user may write to"
        case sqlite3.SQLITE_NOTADB | sqlite3.SQLITE_CORRUPT:
            return f"the store {path} is damaged or not a database ({error}); move it away and a new one will be made"
        case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_LOCKED:
            return f"another process has been writing to the store {path} for over {BUSY_SECONDS:g} s; stop it"
        case sqlite3.SQLITE_IOERR:
            return f"the disk under the store {path} fails ({error})"
    return f"the store {path} cannot be used: {error}"


def look_up(path: Path, statement: str, *values: object) -> list[Any]:
    """One query by a read-only connection of its own, from any thread; it does not hold up the store's.

    Raises:
        sqlite3.Error: it is no store, or it is locked.
    """
    uri = f"{path.resolve().as_uri()}?mode=ro"
    with contextlib.closing(sqlite3.connect(uri, uri=True, timeout=LOOK_SECONDS)) as connection:
        return connection.execute(statement, values).fetchall()
