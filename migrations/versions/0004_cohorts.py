"""Cohorts: what somebody approved of an origin, beside the line of the log that says so."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

ID = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    op.create_table(
        "cohort",
        sa.Column(
            "baseline_id",
            ID,
            sa.ForeignKey("baseline.id", name="fk_cohort_baseline_id"),
            nullable=False,
            autoincrement=False,
        ),
        sa.Column("origin", sa.Text, nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("baseline_id", "origin", name="pk_cohort"),
    )


def downgrade() -> None:
    op.drop_table("cohort")
