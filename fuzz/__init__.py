"""Fuzzing of what reads other people's input."""
