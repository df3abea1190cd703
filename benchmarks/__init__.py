"""Measurements, each beside a hand-written floor of the same run; `python -m benchmarks --help`."""
