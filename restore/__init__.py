"""Turns degraded pictures into usable ones, and proves that they are usable."""

from restore.version import __version__ as __version__
