"""The first schema: intervals on one clock, grants of their own, approvals as a log."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

ID = sa.BigInteger().with_variant(sa.Integer, "sqlite")
OPEN = sa.text("closed IS NULL")
CLOSED = sa.text("closed IS NOT NULL")


def upgrade() -> None:
    op.create_table(
        "principal",
        sa.Column("id", ID, nullable=False, autoincrement=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("key", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_principal"),
        sa.UniqueConstraint("kind", "key", name="uq_principal_kind_key"),
    )
    op.create_table(
        "profile",
        sa.Column("id", ID, nullable=False, autoincrement=False),
        sa.Column("digest", sa.Text, nullable=False),
        sa.Column("type", sa.Text, nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_profile"),
        sa.UniqueConstraint("digest", name="uq_profile_digest"),
    )
    op.create_table(
        "scope",
        sa.Column("id", ID, nullable=False, autoincrement=False),
        sa.Column("cloud", sa.Text, nullable=False),
        sa.Column("account", sa.Text, nullable=False),
        sa.Column("location", sa.Text, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_scope"),
        sa.UniqueConstraint("cloud", "account", "location", "kind", name="uq_scope_cloud_account_location_kind"),
    )
    op.create_table(
        "trust",
        sa.Column("id", ID, nullable=False, autoincrement=False),
        sa.Column("digest", sa.Text, nullable=False),
        sa.Column("body", sa.Text),
        sa.PrimaryKeyConstraint("id", name="pk_trust"),
        sa.UniqueConstraint("digest", name="uq_trust_digest"),
    )
    op.create_table(
        "coverage",
        sa.Column("id", ID, nullable=False, autoincrement=False),
        sa.Column("scope_id", ID, sa.ForeignKey("scope.id", name="fk_coverage_scope_id"), nullable=False),
        sa.Column("aspect", sa.Text, nullable=False),
        sa.Column("outcome", sa.Text, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("opened", ID, nullable=False),
        sa.Column("closed", ID),
        sa.PrimaryKeyConstraint("id", name="pk_coverage"),
        sa.CheckConstraint("closed > opened", name=op.f("ck_coverage_interval")),
    )
    op.create_index("ix_coverage_scope_id_aspect_opened", "coverage", ["scope_id", "aspect", "opened"])
    op.create_index(
        "uq_coverage_open", "coverage", ["scope_id", "aspect"], unique=True, sqlite_where=OPEN, postgresql_where=OPEN
    )
    op.create_table(
        "profile_guard",
        sa.Column(
            "profile_id",
            ID,
            sa.ForeignKey("profile.id", name="fk_profile_guard_profile_id"),
            nullable=False,
            autoincrement=False,
        ),
        sa.Column("guard", sa.Text, nullable=False, autoincrement=False),
        sa.PrimaryKeyConstraint("profile_id", "guard", name="pk_profile_guard"),
    )
    op.create_index("ix_profile_guard_guard", "profile_guard", ["guard"])
    op.create_table(
        "resource",
        sa.Column("id", ID, nullable=False, autoincrement=False),
        sa.Column("scope_id", ID, sa.ForeignKey("scope.id", name="fk_resource_scope_id"), nullable=False),
        sa.Column("uid", sa.Text, nullable=False),
        sa.Column("address", sa.Text, nullable=False),
        sa.Column("subject", sa.Text),
        sa.Column("first_shared", ID),
        sa.PrimaryKeyConstraint("id", name="pk_resource"),
        sa.UniqueConstraint("scope_id", "uid", name="uq_resource_scope_id_uid"),
    )
    op.create_index("ix_resource_uid", "resource", ["uid"])
    op.create_table(
        "run",
        sa.Column("id", ID, nullable=False, autoincrement=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("selection", sa.Text, nullable=False),
        sa.Column("config_digest", sa.Text, nullable=False),
        sa.Column("started_at", sa.Text, nullable=False),
        sa.Column("finished_at", sa.Text),
        sa.Column("last_rev", ID, nullable=False),
        sa.Column("trust_id", ID, sa.ForeignKey("trust.id", name="fk_run_trust_id")),
        sa.PrimaryKeyConstraint("id", name="pk_run"),
    )
    op.create_table(
        "scope_state",
        sa.Column(
            "scope_id",
            ID,
            sa.ForeignKey("scope.id", name="fk_scope_state_scope_id"),
            nullable=False,
            autoincrement=False,
        ),
        sa.Column("read_at", sa.Text, nullable=False),
        sa.Column("last_attempt_run", ID, nullable=False),
        sa.Column("last_complete_run", ID),
        sa.Column("first_complete", ID),
        sa.Column("seen", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("scope_id", name="pk_scope_state"),
    )
    op.create_table(
        "baseline",
        sa.Column("id", ID, nullable=False, autoincrement=False),
        sa.Column("scope", sa.Text, nullable=False),
        sa.Column("run_id", ID, sa.ForeignKey("run.id", name="fk_baseline_run_id"), nullable=False),
        sa.Column("rev", ID, nullable=False),
        sa.Column("trust_id", ID, sa.ForeignKey("trust.id", name="fk_baseline_trust_id")),
        sa.Column("who", sa.Text, nullable=False),
        sa.Column("at", sa.Text, nullable=False),
        sa.Column("why", sa.Text, nullable=False),
        sa.Column("ticket", sa.Text, nullable=False),
        sa.Column("until", sa.Text),
        sa.Column("entries", sa.Integer, nullable=False),
        sa.Column("claimed", sa.Text, nullable=False),
        sa.Column("prev_hash", sa.Text, nullable=False),
        sa.Column("hash", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_baseline"),
    )
    op.create_table(
        "grant",
        sa.Column("id", ID, nullable=False, autoincrement=False),
        sa.Column("resource_id", ID, sa.ForeignKey("resource.id", name="fk_grant_resource_id"), nullable=False),
        sa.Column("principal_id", ID, sa.ForeignKey("principal.id", name="fk_grant_principal_id"), nullable=False),
        sa.Column("access", sa.Text, nullable=False),
        sa.Column("mechanism", sa.Text, nullable=False),
        sa.Column("condition", sa.Text, nullable=False),
        sa.Column("expires_at", sa.Text, nullable=False),
        sa.Column("opened", ID, nullable=False),
        sa.Column("closed", ID),
        sa.PrimaryKeyConstraint("id", name="pk_grant"),
        sa.CheckConstraint("closed > opened", name=op.f("ck_grant_interval")),
    )
    op.create_index("ix_grant_closed", "grant", ["closed"], sqlite_where=CLOSED, postgresql_where=CLOSED)
    op.create_index("ix_grant_opened", "grant", ["opened"])
    op.create_index("ix_grant_principal_id_open", "grant", ["principal_id"], sqlite_where=OPEN, postgresql_where=OPEN)
    op.create_index("ix_grant_resource_id", "grant", ["resource_id"])
    op.create_table(
        "rev",
        sa.Column("id", ID, nullable=False, autoincrement=False),
        sa.Column("run_id", ID, sa.ForeignKey("run.id", name="fk_rev_run_id"), nullable=False),
        sa.Column("scope_id", ID, sa.ForeignKey("scope.id", name="fk_rev_scope_id"), nullable=False),
        sa.Column("at", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_rev"),
    )
    op.create_table(
        "unread",
        sa.Column("id", ID, nullable=False, autoincrement=False),
        sa.Column("resource_id", ID, sa.ForeignKey("resource.id", name="fk_unread_resource_id"), nullable=False),
        sa.Column("outcome", sa.Text, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("opened", ID, nullable=False),
        sa.Column("closed", ID),
        sa.PrimaryKeyConstraint("id", name="pk_unread"),
        sa.CheckConstraint("closed > opened", name=op.f("ck_unread_interval")),
    )
    op.create_index("ix_unread_opened", "unread", ["opened"])
    op.create_index("ix_unread_resource_id", "unread", ["resource_id"])
    op.create_index("uq_unread_open", "unread", ["resource_id"], unique=True, sqlite_where=OPEN, postgresql_where=OPEN)
    op.create_table(
        "version",
        sa.Column("id", ID, nullable=False, autoincrement=False),
        sa.Column("resource_id", ID, sa.ForeignKey("resource.id", name="fk_version_resource_id"), nullable=False),
        sa.Column("profile_id", ID, sa.ForeignKey("profile.id", name="fk_version_profile_id"), nullable=False),
        sa.Column("digest", sa.Text, nullable=False),
        sa.Column("document", sa.Text, nullable=False),
        sa.Column("opened", ID, nullable=False),
        sa.Column("closed", ID),
        sa.PrimaryKeyConstraint("id", name="pk_version"),
        sa.CheckConstraint("closed > opened", name=op.f("ck_version_interval")),
    )
    op.create_index("ix_version_closed", "version", ["closed"], sqlite_where=CLOSED, postgresql_where=CLOSED)
    op.create_index("ix_version_opened", "version", ["opened"])
    op.create_index("ix_version_resource_id_opened", "version", ["resource_id", "opened"])
    op.create_index(
        "uq_version_open", "version", ["resource_id"], unique=True, sqlite_where=OPEN, postgresql_where=OPEN
    )
    op.create_table(
        "pin",
        sa.Column("id", ID, nullable=False, autoincrement=False),
        sa.Column("baseline_id", ID, sa.ForeignKey("baseline.id", name="fk_pin_baseline_id"), nullable=False),
        sa.Column("subject", sa.Text, nullable=False),
        sa.Column("entry", sa.Text, nullable=False),
        sa.Column("rev", ID, nullable=False),
        sa.Column("trust_id", ID, sa.ForeignKey("trust.id", name="fk_pin_trust_id")),
        sa.Column("held", sa.Boolean, nullable=False),
        sa.Column("who", sa.Text, nullable=False),
        sa.Column("at", sa.Text, nullable=False),
        sa.Column("why", sa.Text, nullable=False),
        sa.Column("ticket", sa.Text, nullable=False),
        sa.Column("until", sa.Text),
        sa.PrimaryKeyConstraint("id", name="pk_pin"),
    )
    op.create_index("ix_pin_baseline_id", "pin", ["baseline_id"])
