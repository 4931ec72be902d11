"""The words of values: numbers, a diagnosis, a comparison, a step, as text that any view can show.

Imports `experiments` and what lies below, but no other view; nothing here knows of a terminal or a page.
"""
