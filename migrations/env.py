"""Alembic runs on the connection that snapbase hands over, in snapbase's own transaction."""

from alembic import context

context.configure(connection=context.config.attributes["connection"], target_metadata=None)
context.run_migrations()
