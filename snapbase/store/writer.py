"""The rows of one revision: gathered, given their ids, and written in batches in an order every reference allows."""

from collections.abc import Iterator, Sequence
from itertools import count

from sqlalchemy import Connection, Table, bindparam, func, insert, select, update

from snapbase.errors import StoreError
from snapbase.store import codec, tables
from snapbase.store.bulk import Row, insert_rows

BATCH = 2_000
_IN = 500
_OPENED = (tables.resource, tables.version, tables.grant, tables.unread, tables.coverage)
_CLOSED = (tables.version, tables.grant, tables.unread, tables.coverage)


def head(connection: Connection) -> int:
    """The newest revision; 0 before the first."""
    return next_id(connection, tables.rev) - 1


def next_id(connection: Connection, table: Table) -> int:
    return int(connection.execute(select(func.coalesce(func.max(table.c.id), 0))).scalar_one()) + 1


class Writer:
    """Writes inside a transaction of the only writer there is; that is why it may hand out ids."""

    def __init__(self, connection: Connection, run_id: int, scope_id: int, at: str) -> None:
        self._connection = connection
        self._revision = {"run_id": run_id, "scope_id": scope_id, "at": at}
        self.rev = head(connection) + 1
        """The revision of everything that is written; it exists once something is."""
        self.wrote = False
        self.versions_opened = self.versions_closed = 0
        self._opened: dict[Table, list[Row]] = {table: [] for table in _OPENED}
        self._closed: dict[Table, list[int]] = {table: [] for table in _CLOSED}
        self._contents: list[codec.Content] = []
        """Of each version in `_opened`."""
        self._first_shared: list[int] = []
        self._profiles: dict[bytes, int] = {}
        self._principals: dict[tuple[str, str], int] = {}
        self._ids: dict[Table, Iterator[int]] = {}

    def _new_id(self, table: Table) -> int:
        ids = self._ids.get(table)
        if ids is None:
            ids = self._ids[table] = count(next_id(self._connection, table))
        return next(ids)

    def resource(self, scope_id: int, uid: str, address: str, subject: str | None, *, shared: bool) -> int:
        """A resource seen for the first time; `shared`: its grants were read."""
        new = self._new_id(tables.resource)
        first = self.rev if shared else None
        self._opened[tables.resource].append((new, scope_id, uid, address, subject, first))
        return new

    def version(self, resource_id: int, content: codec.Content) -> None:
        self._contents.append(content)
        # The profile's place is filled when the batch is written.
        row = (self._new_id(tables.version), resource_id, 0, content.digest, content.document.decode(), self.rev, None)
        self._opened[tables.version].append(row)
        self.versions_opened += 1
        if len(self._contents) >= BATCH:
            self.flush()

    def grant(self, resource_id: int, key: codec.GrantKey) -> None:
        kind, name, *terms = key
        row = (self._new_id(tables.grant), resource_id, self._principal(kind, name), *terms, self.rev, None)
        self._opened[tables.grant].append(row)

    def unread(self, resource_id: int, outcome: str, reason: str) -> None:
        row = (self._new_id(tables.unread), resource_id, outcome, reason, self.rev, None)
        self._opened[tables.unread].append(row)

    def coverage(self, scope_id: int, aspect: str, outcome: str, reason: str) -> None:
        row = (self._new_id(tables.coverage), scope_id, aspect, outcome, reason, self.rev, None)
        self._opened[tables.coverage].append(row)

    def first_shared(self, resource_id: int) -> None:
        """The grants of a resource known before were read for the first time."""
        self._first_shared.append(resource_id)

    def close(self, table: Table, row_id: int) -> None:
        self.versions_closed += table is tables.version
        self._closed[table].append(row_id)

    def flush(self) -> None:
        """Writes what was gathered; nothing at all where there is nothing."""
        if not (self._first_shared or any(self._opened.values()) or any(self._closed.values())):
            return
        if not self.wrote:
            self._connection.execute(insert(tables.rev), [{"id": self.rev, **self._revision}])
            self.wrote = True
        for table, rows in self._closed.items():
            self._close(table, rows)
            rows.clear()
        profiles = self._intern(self._contents)
        versions = zip(self._opened[tables.version], profiles, strict=True)
        self._opened[tables.version] = [(*row[:2], profile, *row[3:]) for row, profile in versions]
        self._contents.clear()
        for table, opened in self._opened.items():
            insert_rows(self._connection, table, opened)
            opened.clear()
        if self._first_shared:
            row = tables.resource.c.id == bindparam("row")
            statement = update(tables.resource).where(row).values(first_shared=self.rev)
            self._connection.execute(statement, [{"row": each} for each in self._first_shared])
            self._first_shared.clear()

    def _close(self, table: Table, rows: Sequence[int]) -> None:
        """Closes by id and counts: a unique index alone would not stop a writer with an old picture."""
        for start in range(0, len(rows), _IN):
            part = rows[start : start + _IN]
            statement = update(table).where(table.c.id.in_(part), table.c.closed.is_(None)).values(closed=self.rev)
            if self._connection.execute(statement).rowcount != len(part):
                raise StoreError(f"The store changed under this run ({table.name}); nothing of it was written.")

    def _intern(self, contents: Sequence[codec.Content]) -> list[int]:
        """The row of the profile of each; those that are new are written."""
        known = self._profiles
        fresh = {codec.digest(each.profile): each for each in contents if each.profile not in known}
        digests, columns = list(fresh), tables.profile.c
        for start in range(0, len(digests), _IN):
            query = select(columns.digest, columns.id).where(columns.digest.in_(digests[start : start + _IN]))
            for digest, row_id in self._connection.execute(query):
                known[fresh.pop(digest).profile] = row_id
        rows: list[Row] = []
        guarded: list[Row] = []
        for digest, content in fresh.items():
            known[content.profile] = new = self._new_id(tables.profile)
            rows.append((new, digest, content.type, content.profile.decode()))
            guarded += [(new, guard) for guard in sorted({codec.clean(each) for each in content.guards})]
        insert_rows(self._connection, tables.profile, rows)
        insert_rows(self._connection, tables.profile_guard, guarded)
        return [known[each.profile] for each in contents]

    def _principal(self, kind: str, name: str) -> int:
        key = (kind, name)
        if key not in self._principals:
            columns = tables.principal.c
            query = select(columns.id).where(columns.kind == kind, columns.key == name)
            found = self._connection.execute(query).scalar()
            if found is None:
                found = self._new_id(tables.principal)
                self._connection.execute(insert(tables.principal), [{"id": found, "kind": kind, "key": name}])
            self._principals[key] = found
        return self._principals[key]
