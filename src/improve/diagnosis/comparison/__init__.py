"""Runs beside each other: which difference is real, and what more would settle it.

Imports `diagnosis.findings.rule`, `runs` and what lies below.
"""
