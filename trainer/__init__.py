"""`gennx.trainer`: from a data set folder to a trained, merged, exported and served model.

Importing this package costs nothing: torch, transformers and trl are imported where they are first needed, so that
`gennx-train --help` and every check of bad input answer at once.
"""
