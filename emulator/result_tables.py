"""`post/TABLE`."""
def is_result(kind: str) -> bool: return kind in ("REACTIONG",)
def lists_nodes(kind: str) -> bool: return kind in ("REACTIONG",)
