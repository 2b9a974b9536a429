"""Architectures, the table of shipped weights, and how weight files are read and written."""
