"""The catalogue: one JSON Schema for each GEN NX endpoint, and typed access to all of them."""

from typing import TYPE_CHECKING, Any

from gennx.schemas.catalogue import CatalogueError, Endpoint, Tool, load_catalogue

if TYPE_CHECKING:
    from gennx.schemas.validation import Problem, Validation
else:

    def __getattr__(name: str) -> Any:
        """The judges when first asked for: their packages are not needed to read the catalogue."""
        if name not in ("Problem", "Validation"):
            raise AttributeError(f"module 'gennx.schemas' has no attribute {name!r}")
        from gennx.schemas import validation

        return getattr(validation, name)


__all__ = ["CatalogueError", "Endpoint", "Problem", "Tool", "Validation", "load_catalogue"]
