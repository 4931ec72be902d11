"""The command line, one module for each group of commands: parse, call one function, show the value.

Imports every wing; Typer is named only here and in `improve.cli`.
"""
