"""Events of audit logs, what they are about, and how far each log was read."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"

ID = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    op.create_table(
        "event",
        sa.Column("id", ID, nullable=False, autoincrement=False),
        sa.Column("cloud", sa.Text, nullable=False),
        sa.Column("event_id", sa.Text, nullable=False),
        sa.Column("at", sa.Text, nullable=False),
        sa.Column("action", sa.Text, nullable=False),
        sa.Column("actor", sa.Text, nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_event"),
        sa.UniqueConstraint("cloud", "event_id", name="uq_event_cloud_event_id"),
    )
    op.create_index("ix_event_at", "event", ["at"])
    op.create_table(
        "event_subject",
        sa.Column("subject", sa.Text, nullable=False),
        sa.Column(
            "event_id",
            ID,
            sa.ForeignKey("event.id", name="fk_event_subject_event_id", ondelete="CASCADE"),
            nullable=False,
        ),
        sa.PrimaryKeyConstraint("subject", "event_id", name="pk_event_subject"),
    )
    op.create_index("ix_event_subject_event_id", "event_subject", ["event_id"])
    op.create_table(
        "watermark",
        sa.Column("log", sa.Text, nullable=False),
        sa.Column("account", sa.Text, nullable=False),
        sa.Column("region", sa.Text, nullable=False),
        sa.Column("since", sa.Text, nullable=False),
        sa.Column("until", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("log", "account", "region", name="pk_watermark"),
    )


def downgrade() -> None:
    for table in ("watermark", "event_subject", "event"):
        op.drop_table(table)
