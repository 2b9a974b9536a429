"""Should a restorer stand before a classifier? Any classifier, any restorer, any labelled pictures; a verdict.

``restore judge`` is :func:`restore.downstream.judge.judge`; :class:`restore.downstream.gate.module.RestoreGate` is
what comes out of it for production.
"""
