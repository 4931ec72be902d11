"""The loop: train, diagnose, change, train again, keep what is better beyond chance.

Imports `engine`, `diagnosis` and `experiments.lr_range`.
"""
