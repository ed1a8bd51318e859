"""The SQL store. The only package with SQLAlchemy; nothing here commits, retries or enqueues: the door does."""
