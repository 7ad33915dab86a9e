"""How `tierwise eval` says that something is wrong: in words on standard error, and with --json as one object too.

Rule: the one place where an error becomes an exit code. A machine that asked for JSON reads JSON from standard output,
whatever happens.
"""

from __future__ import annotations

import click
import msgspec

from router.errors import TierwiseError

from ..ports import Halted

STOPPED, WRONG = 1, 2
JSON = "--json"
_AS_JSON = "evals.cli.failing.as_json"


class Failing(click.Group):
    """A group whose verbs may raise what they like of ours."""

    def parse_args(self, context: click.Context, arguments: list[str]) -> list[str]:
        # Looked for before a verb reads its own options: they may be what is wrong.
        context.meta[_AS_JSON] = JSON in arguments
        return super().parse_args(context, arguments)

    def invoke(self, context: click.Context) -> object:
        try:
            return super().invoke(context)
        except click.ClickException as error:
            _as_json(context, error.format_message())
            raise
        except (TierwiseError, Halted) as error:
            words = in_words(error)
            _as_json(context, words)
            click.echo(words, err=True)
            raise click.exceptions.Exit(WRONG) from None


def in_words(error: Exception) -> str:
    """Several problems apart from each other: each may take more than one line."""
    problems = getattr(error, "problems", ())
    return "\n\n".join(problems) if problems else str(error)


def _as_json(context: click.Context, words: str) -> None:
    if context.meta[_AS_JSON]:
        click.echo(msgspec.json.encode({"error": words}))
