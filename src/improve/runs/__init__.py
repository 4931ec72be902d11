"""The run folder: every file in it, written whole or not at all, and read as if somebody had damaged it.

Imports `spec` and what lies below.
"""
