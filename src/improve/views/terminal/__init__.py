"""Tables, bars and charts on a terminal, or plain lines where there is none.

Imports `views.text`; Rich is named only here and in `commands`.
"""
