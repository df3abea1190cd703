"""Other views of a thing are found by the thing: which recovery point names the plan that made a snapshot."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    where = sa.text("subject IS NOT NULL")
    op.create_index("ix_resource_subject", "resource", ["subject"], sqlite_where=where, postgresql_where=where)


def downgrade() -> None:
    op.drop_index("ix_resource_subject", "resource")
