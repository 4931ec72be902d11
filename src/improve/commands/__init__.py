"""The commands, by what they are for. Each parses, calls one plain function and shows the value."""
