"""Turn freely written requests with their calls into templates: values become typed slots, repeated structures become loops."""

from gennx.generators.harvest.assembly import Harvested, to_block
from gennx.generators.harvest.shapes import harvest

__all__ = ["Harvested", "harvest", "to_block"]
