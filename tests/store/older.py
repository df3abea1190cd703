"""A store as an older snapbase would have left it."""

from alembic import command
from sqlalchemy import create_engine

from snapbase.store import schema


def set_back(url: str, revision: str) -> None:
    """Brings the schema of a store back to a revision of its migrations."""
    engine = create_engine(url)
    with engine.begin() as connection:
        command.downgrade(schema._alembic(connection), revision)
    engine.dispose()
