"""The tables: intervals on one clock. Rows hold `[opened, closed)` revisions; an open row has `closed` null."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    false,
    text,
)

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)

Id = BigInteger().with_variant(Integer, "sqlite")


def _id() -> Column[int]:
    return Column("id", Id, primary_key=True, autoincrement=False)


def _interval() -> tuple[Column[int], Column[int], CheckConstraint]:
    return (
        Column("opened", Id, nullable=False),
        Column("closed", Id),
        CheckConstraint("closed > opened", name="interval"),
    )


def _ref(target: str, *, nullable: bool = False, name: str = "") -> Column[int]:
    return Column(name or f"{target}_id", Id, ForeignKey(f"{target}.id"), nullable=nullable)


trust = Table("trust", metadata, _id(), Column("digest", Text, nullable=False, unique=True), Column("body", Text))

run = Table(
    "run",
    metadata,
    _id(),
    Column("state", Text, nullable=False),
    Column("selection", Text, nullable=False),
    Column("config_digest", Text, nullable=False),
    Column("started_at", Text, nullable=False),
    Column("finished_at", Text),
    Column("last_rev", Id, nullable=False),
    _ref("trust", nullable=True),
    Column("heard", Id),
)

scope = Table(
    "scope",
    metadata,
    _id(),
    Column("cloud", Text, nullable=False),
    Column("account", Text, nullable=False),
    Column("location", Text, nullable=False),
    Column("kind", Text, nullable=False),
    UniqueConstraint("cloud", "account", "location", "kind"),
)

rev = Table("rev", metadata, _id(), _ref("run"), _ref("scope"), Column("at", Text, nullable=False))

scope_state = Table(
    "scope_state",
    metadata,
    Column("scope_id", Id, ForeignKey("scope.id"), primary_key=True, autoincrement=False),
    Column("read_at", Text, nullable=False),
    Column("last_attempt_run", Id, nullable=False),
    Column("last_complete_run", Id),
    Column("first_complete", Id),
    Column("seen", Integer, nullable=False),
    Column("set_digest", Text),
)

coverage = Table(
    "coverage",
    metadata,
    _id(),
    _ref("scope"),
    Column("aspect", Text, nullable=False),
    Column("outcome", Text, nullable=False),
    Column("reason", Text, nullable=False),
    *_interval(),
)
Index("ix_coverage_scope_id_aspect_opened", coverage.c.scope_id, coverage.c.aspect, coverage.c.opened)
Index("uq_coverage_open", coverage.c.scope_id, coverage.c.aspect, unique=True,
      sqlite_where=text("closed IS NULL"), postgresql_where=text("closed IS NULL"))  # fmt: skip

resource = Table(
    "resource",
    metadata,
    _id(),
    _ref("scope"),
    Column("uid", Text, nullable=False),
    Column("address", Text, nullable=False),
    Column("subject", Text),
    Column("first_shared", Id),
    UniqueConstraint("scope_id", "uid"),
)
Index("ix_resource_uid", resource.c.uid)
Index("ix_resource_subject", resource.c.subject,
      sqlite_where=text("subject IS NOT NULL"), postgresql_where=text("subject IS NOT NULL"))  # fmt: skip

profile = Table(
    "profile",
    metadata,
    _id(),
    Column("digest", Text, nullable=False, unique=True),
    Column("type", Text, nullable=False),
    Column("body", Text, nullable=False),
)

profile_guard = Table(
    "profile_guard",
    metadata,
    Column("profile_id", Id, ForeignKey("profile.id"), primary_key=True),
    Column("guard", Text, primary_key=True),
)
Index("ix_profile_guard_guard", profile_guard.c.guard)

version = Table(
    "version",
    metadata,
    _id(),
    _ref("resource"),
    _ref("profile"),
    Column("digest", Text, nullable=False),
    Column("document", Text, nullable=False),
    *_interval(),
)
Index("uq_version_open", version.c.resource_id, unique=True,
      sqlite_where=text("closed IS NULL"), postgresql_where=text("closed IS NULL"))  # fmt: skip
Index("ix_version_resource_id_opened", version.c.resource_id, version.c.opened)
Index("ix_version_opened", version.c.opened)
Index("ix_version_closed", version.c.closed,
      sqlite_where=text("closed IS NOT NULL"), postgresql_where=text("closed IS NOT NULL"))  # fmt: skip

principal = Table(
    "principal",
    metadata,
    _id(),
    Column("kind", Text, nullable=False),
    Column("key", Text, nullable=False),
    UniqueConstraint("kind", "key"),
)

grant = Table(
    "grant",
    metadata,
    _id(),
    _ref("resource"),
    _ref("principal"),
    Column("access", Text, nullable=False),
    Column("mechanism", Text, nullable=False),
    Column("condition", Text, nullable=False),
    Column("expires_at", Text, nullable=False),
    *_interval(),
)
Index("ix_grant_resource_id", grant.c.resource_id)
Index("ix_grant_principal_id_open", grant.c.principal_id,
      sqlite_where=text("closed IS NULL"), postgresql_where=text("closed IS NULL"))  # fmt: skip
Index("ix_grant_opened", grant.c.opened)
Index("ix_grant_closed", grant.c.closed,
      sqlite_where=text("closed IS NOT NULL"), postgresql_where=text("closed IS NOT NULL"))  # fmt: skip

unread = Table(
    "unread",
    metadata,
    _id(),
    _ref("resource"),
    Column("outcome", Text, nullable=False),
    Column("reason", Text, nullable=False),
    *_interval(),
)
Index("uq_unread_open", unread.c.resource_id, unique=True,
      sqlite_where=text("closed IS NULL"), postgresql_where=text("closed IS NULL"))  # fmt: skip
Index("ix_unread_resource_id", unread.c.resource_id)
Index("ix_unread_opened", unread.c.opened)

baseline = Table(
    "baseline",
    metadata,
    _id(),
    Column("scope", Text, nullable=False),
    _ref("run"),
    Column("rev", Id, nullable=False),
    _ref("trust", nullable=True),
    Column("who", Text, nullable=False),
    Column("at", Text, nullable=False),
    Column("why", Text, nullable=False),
    Column("ticket", Text, nullable=False),
    Column("until", Text),
    Column("entries", Integer, nullable=False),
    Column("claimed", Text, nullable=False),
    Column("prev_hash", Text, nullable=False),
    Column("hash", Text, nullable=False),
    Column("about", Id),
    Column("pending", Boolean, nullable=False, server_default=false()),
    Column("covered", Text, nullable=False, server_default=""),
    Column("signature", Text, nullable=False, server_default=""),
)

pin = Table(
    "pin",
    metadata,
    _id(),
    _ref("baseline"),
    Column("subject", Text, nullable=False),
    Column("entry", Text, nullable=False),
    Column("rev", Id, nullable=False),
    _ref("trust", nullable=True),
    Column("held", Boolean, nullable=False),
    Column("who", Text, nullable=False),
    Column("at", Text, nullable=False),
    Column("why", Text, nullable=False),
    Column("ticket", Text, nullable=False),
    Column("until", Text),
    Column("origin", Id),
)
Index("ix_pin_baseline_id", pin.c.baseline_id)
Index("ix_pin_subject", pin.c.subject)

proof = Table(
    "proof",
    metadata,
    Column("baseline_id", Id, ForeignKey("baseline.id"), primary_key=True, autoincrement=False),
    Column("subject", Text, primary_key=True),
    Column("rev", Id, primary_key=True, autoincrement=False),
    Column("digest", Text, nullable=False),
)

cohort = Table(
    "cohort",
    metadata,
    Column("baseline_id", Id, ForeignKey("baseline.id"), primary_key=True, autoincrement=False),
    Column("origin", Text, primary_key=True),
    Column("body", Text, nullable=False),
)
