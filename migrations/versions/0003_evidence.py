"""Approvals are evidence: revocations and confirmations, what a line covered, signatures, and where a pin came from."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

ID = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    op.add_column("baseline", sa.Column("about", ID))
    op.add_column("baseline", sa.Column("pending", sa.Boolean, nullable=False, server_default=sa.false()))
    op.add_column("baseline", sa.Column("covered", sa.Text, nullable=False, server_default=""))
    op.add_column("baseline", sa.Column("signature", sa.Text, nullable=False, server_default=""))
    op.add_column("pin", sa.Column("origin", ID))
    op.create_table(
        "proof",
        sa.Column("baseline_id", ID, sa.ForeignKey("baseline.id", name="fk_proof_baseline_id"), nullable=False),
        sa.Column("subject", sa.Text, nullable=False),
        sa.Column("rev", ID, nullable=False),
        sa.Column("digest", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("baseline_id", "subject", "rev", name="pk_proof"),
    )


def downgrade() -> None:
    op.drop_table("proof")
    op.drop_column("pin", "origin")
    for column in ("signature", "covered", "pending", "about"):
        op.drop_column("baseline", column)
