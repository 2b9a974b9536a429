"""The version, alone in a file so that building a wheel need not import the package."""

__version__ = "0.1.0"
