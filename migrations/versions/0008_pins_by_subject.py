"""What was approved of one thing is found by its subject: a diff asks it of every row that moved."""

from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    op.create_index("ix_pin_subject", "pin", ["subject"])


def downgrade() -> None:
    op.drop_index("ix_pin_subject", "pin")
