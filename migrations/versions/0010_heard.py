"""How far the audit logs were known when a run ended: what is read later was in no report of it."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"

ID = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    op.add_column("run", sa.Column("heard", ID))


def downgrade() -> None:
    op.drop_column("run", "heard")
