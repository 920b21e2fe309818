"""From the catalogue to a checked data set: sample arguments, say them, check what was said, write it down."""
