"""Change tickets claimed by snapshots, and what became of asking."""

from collections.abc import Collection, Iterable

from sqlalchemy import Column, Connection, Table, Text, delete, insert, select

from snapbase.store import codec
from snapbase.store.tables import metadata
from snapbase.ticket import Claim

claim = Table(
    "claim",
    metadata,
    Column("uid", Text, primary_key=True),
    Column("ticket", Text, nullable=False),
    Column("standing", Text, nullable=False),
    Column("words", Text, nullable=False),
)

_IN = 500


def keep(connection: Connection, claims: Iterable[Claim]) -> None:
    """The newest answer about a snapshot stands."""
    for each in claims:
        values = {"uid": codec.clean(each.uid), "ticket": codec.clean(each.ticket), "standing": each.standing}
        connection.execute(delete(claim).where(claim.c.uid == values["uid"]))
        connection.execute(insert(claim), [{**values, "words": codec.clean(each.words)}])


def of(connection: Connection, uids: Collection[str]) -> dict[str, Claim]:
    """What some snapshots claim, by uid."""
    found: dict[str, Claim] = {}
    wanted = sorted(codec.clean(uid) for uid in uids)
    for start in range(0, len(wanted), _IN):
        query = select(claim).where(claim.c.uid.in_(wanted[start : start + _IN]))
        found |= {row.uid: Claim(row.uid, row.ticket, row.standing, row.words) for row in connection.execute(query)}
    return found
