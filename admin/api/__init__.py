"""The HTTP endpoint: thin doors to the same functions that the command line calls."""
