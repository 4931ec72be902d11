"""Many runs that answer one question: sweep, auto, learning curve, range test.

Imports `engine` and what lies below.
"""
