"""Where numbers were made; it belongs to every report, see :mod:`restore.report.environment`."""

from restore.report.environment import commit, environment, version

__all__ = ["commit", "environment", "version"]
