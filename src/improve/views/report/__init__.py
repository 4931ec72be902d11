"""The page: one HTML file with all that is known of some runs.

Imports `views.figures` and `views.text`.
"""
