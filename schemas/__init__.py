"""The catalogue: one JSON Schema for each GEN NX endpoint, and typed access to all of them."""

from gennx.schemas.catalogue import CatalogueError, Endpoint, Tool, load_catalogue
from gennx.schemas.validation import Problem, Validation

__all__ = ["CatalogueError", "Endpoint", "Problem", "Tool", "Validation", "load_catalogue"]
