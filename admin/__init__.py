"""Who asks: the command line (and, later, the HTTP API and the console). Doors only: parse, one call, report."""
