"""From a Spec to the images and labels of every part.

The first room of `engine`: imports no other of its rooms.
"""
