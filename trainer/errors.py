"""One kind of expected failure, said in one line: what is wrong, where, and how to mend it."""

from __future__ import annotations

import errno
import functools
import sys
from collections.abc import Callable
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")

BAD_INPUT_EXIT = 2
INTERRUPTED_EXIT = 130


class TrainerError(Exception):
    """A failure that the user can mend; its text is one line and needs no traceback."""

    def __init__(self, what: str, mend: str = "") -> None:
        line = " ".join(f"{what}; {mend}".split()) if mend else " ".join(what.split())
        super().__init__(line)


class Interrupted(Exception):
    """Training was stopped by Ctrl-C or a signal, after a checkpoint was written."""


def note(text: str) -> None:
    """One line of progress on stderr, where it never mixes with data on stdout."""
    print(text, file=sys.stderr, flush=True)


def from_os_error(error: OSError) -> TrainerError | None:
    """The one-line form of an operating system error that a user can mend; None for any other."""
    where = f" at {error.filename}" if error.filename else ""
    if error.errno == errno.ENOSPC:
        return TrainerError(f"the disk is full{where}", "free some space and go on with --resume")
    if error.errno == errno.EROFS:
        return TrainerError(f"the disk is read-only{where}", "choose another folder with --output")
    if error.errno in (errno.EACCES, errno.EPERM):
        return TrainerError(f"no permission{where}", "choose a folder that you may write to")
    return None


def from_card(error: RuntimeError) -> TrainerError | None:
    """The one-line form of a failure of the card or its driver; None for any other."""
    lines = str(error).splitlines()
    if not lines or "CUDA error" not in lines[0]:
        return None
    return TrainerError(
        f"the card failed ({lines[0][:200]})",
        "what was written is kept: run the command again (gennx-train with --resume); nvidia-smi shows what else is on the card",
    )


def one_line_errors(command: Callable[P, R]) -> Callable[P, R]:
    """Wrap a command: a `TrainerError` becomes one line on stderr and exit code 2, an interrupt exit code 130."""

    @functools.wraps(command)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return command(*args, **kwargs)
        except TrainerError as error:
            note(f"error: {error}")
        except Interrupted as stop:
            note(str(stop))
            sys.exit(INTERRUPTED_EXIT)
        except ModuleNotFoundError as error:
            if (error.name or "").startswith("gennx"):
                raise
            note(f"error: the package {error.name!r} is not installed; pip install 'gennx[train]' brings it")
        except (OSError, RuntimeError) as error:
            mendable = from_os_error(error) if isinstance(error, OSError) else from_card(error)
            if mendable is None:
                raise
            note(f"error: {mendable}")
        sys.exit(BAD_INPUT_EXIT)

    return wrapped
