"""Pixels from files that nobody vouches for: read, checked, decoded, kept in a cache.

The ground: imports no other wing.
"""
