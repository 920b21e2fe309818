"""An emulated GEN NX: its tables, documents, operations and results, in process or over HTTP."""

from gennx.emulator.model import Model, diff
from gennx.emulator.replies import Reply
from gennx.emulator.store import Change, Snapshot

__all__ = ["Change", "Model", "Reply", "Snapshot", "diff"]
