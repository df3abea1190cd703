"""The rows of one revision: gathered, given their ids, and written in batches in an order every reference allows."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache, cached_property
from itertools import count

from sqlalchemy import Connection, Select, Table, bindparam, func, insert, select, update

from snapbase.errors import StoreError
from snapbase.store import codec, tables
from snapbase.store.bulk import Row, insert_rows

BATCH = 2_000
_IN = 500
_NUMBERED = (
    tables.resource, tables.version, tables.grant, tables.unread, tables.coverage, tables.profile, tables.principal,
)  # fmt: skip
_NEWEST = select(*(select(func.coalesce(func.max(each.c.id), 0)).scalar_subquery() for each in _NUMBERED))
_REVISION = insert(tables.rev)
_CLOSED = (tables.version, tables.grant, tables.unread, tables.coverage)


def head(connection: Connection) -> int:
    """The newest revision; 0 before the first."""
    return next_id(connection, tables.rev) - 1


def next_id(connection: Connection, table: Table) -> int:
    return int(connection.execute(_newest(table)).scalar_one()) + 1


@cache
def _newest(table: Table) -> Select[int]:
    return select(func.coalesce(func.max(table.c.id), 0))


class Writer:
    """Writes inside a transaction of the only writer there is; that is why it may hand out ids."""

    def __init__(self, connection: Connection, run_id: int, scope_id: int, at: str) -> None:
        self._connection = connection
        self._revision = {"run_id": run_id, "scope_id": scope_id, "at": at}
        self.rev = head(connection) + 1
        """The revision of everything that is written; it exists once something is."""
        self.wrote = False
        self.versions_opened = self.versions_closed = 0
        self._resources: list[Row] = []
        self._versions: list[tuple[int, codec.Profile, str, str]] = []
        self._grants: list[tuple[int, codec.GrantKey]] = []
        self._unread: list[Row] = []
        self._coverage: list[Row] = []
        self._closed: dict[Table, list[int]] = {table: [] for table in _CLOSED}
        self._first_shared: list[int] = []
        self._profiles: dict[str, int] = {}
        self._principals: dict[tuple[str, str], int] = {}

    @cached_property
    def _last(self) -> dict[Table, int]:
        """The newest id of each table; an unchanged scope needs none."""
        return dict(zip(_NUMBERED, self._connection.execute(_NEWEST).one(), strict=True))

    @cached_property
    def _resource_ids(self) -> Iterator[int]:
        return count(self._last[tables.resource] + 1)

    def resource(self, scope_id: int, uid: str, address: str, subject: str | None, shared: bool) -> int:
        """A resource seen for the first time; `shared`: its grants were read."""
        new = next(self._resource_ids)
        self._resources.append((new, scope_id, uid, address, subject, self.rev if shared else None))
        return new

    def version(self, resource_id: int, profile: codec.Profile, document: str, digest: str) -> None:
        self._versions.append((resource_id, profile, document, digest))
        if len(self._versions) >= BATCH:
            self.flush()

    def grant(self, resource_id: int, key: codec.GrantKey) -> None:
        self._grants.append((resource_id, key))

    def unread(self, resource_id: int, outcome: str, reason: str) -> None:
        self._unread.append((resource_id, outcome, reason))

    def coverage(self, scope_id: int, aspect: str, outcome: str, reason: str) -> None:
        self._coverage.append((scope_id, aspect, outcome, reason))

    def first_shared(self, resource_id: int) -> None:
        """The grants of a resource known before were read for the first time."""
        self._first_shared.append(resource_id)

    def close(self, table: Table, row_id: int) -> None:
        self.versions_closed += table is tables.version
        self._closed[table].append(row_id)

    def flush(self) -> None:
        """Writes what was gathered; nothing at all where there is nothing."""
        opened = (self._resources, self._versions, self._grants, self._unread, self._coverage)
        if not (self._first_shared or any(opened) or any(self._closed.values())):
            return
        if not self.wrote:
            self._connection.execute(_REVISION, [{"id": self.rev, **self._revision}])
            self.wrote = True
        for table, rows in self._closed.items():
            self._close(table, rows)
            rows.clear()
        self.versions_opened += len(self._versions)
        insert_rows(self._connection, tables.resource, self._resources)
        insert_rows(self._connection, tables.version, self._version_rows())
        self._open(tables.grant, self._grant_rows())
        self._open(tables.unread, self._unread)
        self._open(tables.coverage, self._coverage)
        for gathered in opened:
            gathered.clear()
        if self._first_shared:
            row = tables.resource.c.id == bindparam("row")
            statement = update(tables.resource).where(row).values(first_shared=self.rev)
            self._connection.execute(statement, [{"row": each} for each in self._first_shared])
            self._first_shared.clear()

    def _open(self, table: Table, rows: Sequence[Row]) -> None:
        """Inserts rows that lack what every interval has: an id, and the revision that opened it."""
        if rows:
            rev, first = self.rev, self._numbers(table, len(rows))
            insert_rows(self._connection, table, [(new, *row, rev) for new, row in enumerate(rows, first)])

    def _numbers(self, table: Table, many: int) -> int:
        """The first of so many new ids in a row."""
        first = self._last[table] + 1
        self._last[table] += many
        return first

    def _close(self, table: Table, rows: Sequence[int]) -> None:
        """Closes by id and counts: a unique index alone would not stop a writer with an old picture."""
        for start in range(0, len(rows), _IN):
            part = rows[start : start + _IN]
            statement = update(table).where(table.c.id.in_(part), table.c.closed.is_(None)).values(closed=self.rev)
            if self._connection.execute(statement).rowcount != len(part):
                raise StoreError(f"The store changed under this run ({table.name}); nothing of it was written.")

    def _version_rows(self) -> list[Row]:
        profiles, rev = self._intern_profiles(profile for _, profile, _, _ in self._versions), self.rev
        first = self._numbers(tables.version, len(self._versions))
        return [
            (new, resource_id, profiles[profile.body], digest, document, rev)
            for new, (resource_id, profile, document, digest) in enumerate(self._versions, first)
        ]

    def _grant_rows(self) -> list[Row]:
        principals = self._intern_principals(key[:2] for _, key in self._grants)
        return [(resource_id, principals[key[:2]], *key[2:]) for resource_id, key in self._grants]

    def _intern_profiles(self, profiles: Iterable[codec.Profile]) -> Mapping[str, int]:
        """The row of each profile, by its body; those that are new are written."""
        known, columns = self._profiles, tables.profile.c
        unknown = {each.body: each for each in profiles if each.body not in known}
        fresh = {codec.digest(body.encode()): each for body, each in unknown.items()}
        digests = list(fresh)
        for start in range(0, len(digests), _IN):
            query = select(columns.digest, columns.id).where(columns.digest.in_(digests[start : start + _IN]))
            for digest, row_id in self._connection.execute(query):
                known[fresh.pop(digest).body] = row_id
        rows: list[Row] = []
        guarded: list[Row] = []
        for new, (digest, profile) in enumerate(fresh.items(), self._numbers(tables.profile, len(fresh))):
            known[profile.body] = new
            rows.append((new, digest, str(profile.type), profile.body))
            guarded += [(new, guard) for guard in sorted({codec.clean(each) for each in profile.guards})]
        insert_rows(self._connection, tables.profile, rows)
        insert_rows(self._connection, tables.profile_guard, guarded)
        return known

    def _intern_principals(self, keys: Iterable[tuple[str, str]]) -> Mapping[tuple[str, str], int]:
        """The row of each principal, by kind and key; those that are new are written."""
        known, columns = self._principals, tables.principal.c
        fresh = dict.fromkeys(key for key in keys if key not in known)
        names = sorted({name for _, name in fresh})
        for start in range(0, len(names), _IN):
            query = select(columns.id, columns.kind, columns.key).where(columns.key.in_(names[start : start + _IN]))
            for row_id, kind, name in self._connection.execute(query):
                if (kind, name) in fresh:
                    known[kind, name] = row_id
                    del fresh[kind, name]
        rows: list[Row] = []
        for new, (kind, name) in enumerate(fresh, self._numbers(tables.principal, len(fresh))):
            known[kind, name] = new
            rows.append((new, str(kind), name))
        insert_rows(self._connection, tables.principal, rows)
        return known
