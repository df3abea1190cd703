"""From when on the store keeps everything: what came before was pruned, but for what approvals cover."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"

ID = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    op.create_table(
        "horizon",
        sa.Column("id", ID, nullable=False, autoincrement=False),
        sa.Column("rev", ID, nullable=False),
        sa.Column("since", sa.Text, nullable=False),
        sa.Column("pruned_at", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_horizon"),
    )


def downgrade() -> None:
    op.drop_table("horizon")
