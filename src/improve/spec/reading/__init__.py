"""From a YAML file to a Spec, with every mistake placed at its line and column, and back to text.

Imports the rest of `spec`, never the other way round.
"""
