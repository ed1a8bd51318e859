"""Alembic's entry: runs in the transaction that the caller opened."""

from alembic import context

from warehouse import access_tables, job_tables, segment_tables, sync_tables, webhook_tables  # noqa: F401 (their tables belong to the metadata)
from warehouse.tables import metadata

connection = context.config.attributes["connection"]
context.configure(connection=connection, target_metadata=metadata, compare_type=True, render_as_batch=False)
context.run_migrations()
