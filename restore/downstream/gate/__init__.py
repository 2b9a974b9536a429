"""Deciding per picture whether to restore."""
