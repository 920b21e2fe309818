"""Turn freely written requests with their calls into templates: values become typed slots, repeated structures become loops."""

from gennx.generators.harvest.assembly import Harvested
from gennx.generators.harvest.shapes import harvest

__all__ = ["Harvested", "harvest"]
