"""The command ``restore``: every command by name, and one place where errors become words and exit codes."""

from __future__ import annotations

import functools
import os
import sys
import warnings
from collections.abc import Callable
from typing import Annotated, Any

import typer

from restore.errors import EXIT_INTERRUPTED, EXIT_SOME_FAILED, RestoreError, hint_for
from restore.tools.bench import bench
from restore.tools.compare import compare
from restore.tools.degrade import degrade
from restore.tools.demo import demo
from restore.tools.diagnose import diagnose
from restore.tools.export import export
from restore.tools.invert import invert
from restore.tools.judge import judge
from restore.tools.models import models
from restore.tools.output import complain, debugging, say
from restore.tools.run import run
from restore.tools.ship import ship
from restore.tools.train import train
from restore.version import __version__

COMMANDS: tuple[Callable[..., None], ...] = (
    run, degrade, train, bench, compare, diagnose, judge, invert, models, demo, ship, export,
)  # fmt: skip

app = typer.Typer(
    name="restore",
    help="Turns degraded pictures into usable ones, and proves that they are usable.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    context_settings={"help_option_names": ["-h", "--help"]},
)


def main() -> None:
    """The entry point of the command; always ends in ``SystemExit``."""
    warnings.showwarning = _in_words(warnings.showwarning)
    guarded(app)()


def guarded(command: Callable[..., None]) -> Callable[..., None]:
    """``command`` with errors turned into words on stderr and an exit code; RESTORE_DEBUG=1 shows where."""

    @functools.wraps(command)
    def call(*args: Any, **kwargs: Any) -> None:
        try:
            command(*args, **kwargs)
            sys.stdout.flush()
        except (typer.Exit, typer.Abort, typer.BadParameter):
            raise
        except RestoreError as error:
            _trace()
            complain(error)
            sys.exit(error.exit_code)
        except KeyboardInterrupt:
            _trace()
            sys.exit(EXIT_INTERRUPTED)
        except BrokenPipeError:
            # Nobody reads on (| head).
            _drop_unwritten()
            sys.exit(EXIT_SOME_FAILED)
        except OSError as error:
            # A disk that is full, a folder that is not ours: the system's word, never a mistake of ours.
            _trace()
            complain(RestoreError(_system_said(error), hint=hint_for(error)))
            _drop_unwritten()
            sys.exit(EXIT_SOME_FAILED)
        except Exception as error:
            _trace()
            say(f"error: {type(error).__name__}: {error}", colour=31)
            say("  hint: this is a mistake of ours; RESTORE_DEBUG=1 shows where it happened")
            sys.exit(EXIT_SOME_FAILED)

    return call


def _drop_unwritten() -> None:
    """No more output where stdout cannot be written to, and none when the interpreter flushes at the end."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _system_said(error: OSError) -> str:
    said = (error.strerror or str(error)).lower()
    return f"{error.filename}: {said}" if error.filename else said


def _in_words(usual: Callable[..., None]) -> Callable[..., None]:
    """A ``warnings.showwarning`` that says this package's own warnings as one line, and others when debugging."""

    def show(message: Warning | str, category: type[Warning], *rest: Any, **options: Any) -> None:
        if category.__module__.startswith("restore."):
            say(f"note: {message}", colour=33)
        elif debugging():
            usual(message, category, *rest, **options)

    return show


def _trace() -> None:
    if debugging():
        import traceback

        traceback.print_exc()


def _version(wanted: bool) -> None:
    if wanted:
        sys.stdout.write(f"restore {__version__}\n")
        raise typer.Exit


@app.callback()
def top(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and leave.")
    ] = False,
) -> None:
    """Turns degraded pictures into usable ones, and proves that they are usable."""


for _command in COMMANDS:
    app.command()(guarded(_command))

if __name__ == "__main__":
    main()
