"""Benchmarks: each runs a yardstick and Padrón in turn in one run and prints the ratio."""
