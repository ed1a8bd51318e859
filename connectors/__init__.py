"""The outside: files, folders, profiles on disk. Knows no SQL."""
