"""When: Celery, the timetable, the folder watcher. The only place with celery and redis."""
