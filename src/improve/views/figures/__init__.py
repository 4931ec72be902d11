"""Figures: one function for each picture, which draws what it is given.

Matplotlib is imported when a figure is drawn.
"""
