"""Change tickets that snapshots claim, and whether somebody confirmed them."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    op.create_table(
        "claim",
        sa.Column("uid", sa.Text, nullable=False),
        sa.Column("ticket", sa.Text, nullable=False),
        sa.Column("standing", sa.Text, nullable=False),
        sa.Column("words", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("uid", name="pk_claim"),
    )


def downgrade() -> None:
    op.drop_table("claim")
