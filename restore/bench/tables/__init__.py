"""Commands that each measure and write one committed table: ``python -m restore.bench.tables.NAME``."""
