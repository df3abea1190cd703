"""A digest of everything in a scope: an unchanged scope is known without loading it."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.add_column("scope_state", sa.Column("set_digest", sa.Text))


def downgrade() -> None:
    op.drop_column("scope_state", "set_digest")
