"""The command `tierwise`: its verbs, each loaded only when it is asked for.

Rule: no verb's code here; a verb is a row in VERBS.
"""

from __future__ import annotations

import difflib
import importlib

import click

from .. import __version__
from ..errors import StartError

VERBS: dict[str, tuple[str, str]] = {
    "serve": ("router.cli.serve:serve", "Serve: /complete, /v1/messages and the rest."),
    "standin": ("router.cli.standin:standin", "A local stand-in for the Messages API, with a bill."),
    "check": ("router.cli.check:check", "Check a policy and show what it means."),
    "explain": ("router.cli.explain:explain", "Why would this prompt go where, or why did that request?"),
    "cache": ("router.cli.cache:cache", "Plan what of a prompt to cache, and what that saves."),
    "rollout": ("router.cli.rollout:rollout", "A candidate policy: how it does, promote it, abort it."),
    "replay": ("router.cli.replay:replay", "Past traffic through another policy: who moves, and what it costs."),
    # Nothing in router/ imports evals: these two are looked up by name, and only when asked for.
    "eval": ("evals.__main__:evals", "Measure which tier does which task, and pick by that."),
    "gate": ("evals.cli.gate:gate", "The small local model that answers instead of the classifier."),
    "similar": ("router.cli.similar:similar", "From which likeness on may an answer be given again?"),
    "audit": ("router.cli.audit:audit", "Who changed what the service does, and when."),
    "usage": ("router.cli.usage:usage", "What was spent, and on what."),
}

OURS = ("evals.", "router")
NO_EVALS = (
    "`tierwise {name}` needs the folder evals/, which is not installed here (the container image holds none): run it in"
    " a checkout of the repository, as `make eval` does"
)
NEEDS = "`tierwise {name}` needs the extra `evals`: make eval, or pip install 'tierwise[evals]' ({missing} is missing)"


class Verbs(click.Group):
    """Knows the verbs' names; imports one when it runs, so that `usage` does not wait for a web framework."""

    def list_commands(self, _context: click.Context) -> list[str]:
        return list(VERBS)

    def get_command(self, _context: click.Context, name: str) -> click.Command | None:
        if name not in VERBS:
            return None
        module, _, attribute = VERBS[name][0].partition(":")
        try:
            command = getattr(importlib.import_module(module), attribute)
        except ModuleNotFoundError as error:
            missing = error.name or "a package"
            if not module.startswith("evals.") or missing.startswith(OURS):
                raise
            raise StartError((NO_EVALS if missing == "evals" else NEEDS).format(name=name, missing=missing)) from None
        assert isinstance(command, click.Command), "a verb is a click command"
        return command

    def resolve_command(
        self, context: click.Context, arguments: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name = arguments[0]
        if name not in VERBS and not name.startswith("-"):
            close = difflib.get_close_matches(name, VERBS, n=1)
            hint = f"did you mean {close[0]}?" if close else f"there are: {', '.join(VERBS)}"
            raise click.UsageError(f"there is no verb {name!r}; {hint}", context)
        return super().resolve_command(context, arguments)

    def invoke(self, context: click.Context) -> object:
        """What stops a start is said in one clear line, with exit code 2."""
        try:
            return super().invoke(context)
        except StartError as error:
            click.echo(error, err=True)
            raise click.exceptions.Exit(2) from None

    def format_commands(self, _context: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Verbs"):
            formatter.write_dl([(name, told) for name, (_, told) in VERBS.items()])


@click.group(cls=Verbs)
@click.version_option(__version__, prog_name="tierwise")
def main() -> None:
    """A tiered model router for the Claude API.

    \b
    Example: tierwise serve
    """
