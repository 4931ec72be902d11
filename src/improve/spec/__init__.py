"""Everything that can stand in the YAML: the Spec, its sections and components, and how a file becomes one.

Imports `images` and `statistics`; Keras only inside the `build` methods of its components.
"""
