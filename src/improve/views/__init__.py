"""From values to what a person sees: words, figures, the terminal, the page.

Imports `experiments` and what lies below; computes nothing that a command would want to know.
"""
