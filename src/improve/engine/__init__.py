"""Everything that runs Keras: data, model, training, inference, trackers, in this order.

Imports `diagnosis` and what lies below; the only wing where Keras may be imported freely.
"""
