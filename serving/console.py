"""How a command ends: errors that a user can mend become one line and an exit status."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

import typer

from nlp.errors import HolosError, InputError, PolicyError

FAILED, WRONG_CALL = 1, 2


@contextmanager
def errors() -> Iterator[None]:
    """Turns what a user can mend into one line on standard error and the exit status that the contract names."""
    try:
        yield
    except BrokenPipeError:
        # whoever read our results has gone; nothing is left to say, and Python must not try to flush
        sys.stdout = None  # type: ignore[assignment]
        raise typer.Exit(FAILED) from None
    except HolosError as error:
        complain(str(error))
        raise typer.Exit(WRONG_CALL if isinstance(error, InputError | PolicyError) else FAILED) from None
    except OSError as error:
        complain(f"{error.filename or 'output'}: {error.strerror or error}")
        raise typer.Exit(FAILED) from None


def complain(message: str) -> None:
    typer.echo(f"holos: {message}".encode("utf-8", "replace").decode("utf-8"), err=True)
