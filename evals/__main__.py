"""`tierwise eval`: its verbs, each loaded only when it is asked for.

Rule: no verb's code here; a verb is a row in VERBS.
"""

from __future__ import annotations

import importlib
import sys

import click

from .cli.failing import Failing

VERBS: dict[str, tuple[str, str]] = {
    "list": ("evals.cli.list:list_suites", "The suites, what they claim and what they may spend."),
    "check": ("evals.cli.check:check", "Are the suites right?"),
    "new": ("evals.cli.new:new", "A suite from examples: a CSV's, or the ledger's."),
    "run": ("evals.cli.run:run", "Measure: which is the cheapest tier that does, how sure, and at what cost?"),
    "show": ("evals.cli.show:show", "What a run found."),
    "report": ("evals.cli.report:report", "A run as one HTML page."),
    "pick": ("evals.cli.pick:pick", "The change that a run makes to routes.yaml."),
    "sample": ("evals.cli.sample:sample", "Past requests, graded; some of them run on another tier too."),
}
NEEDS = (
    "`tierwise eval {name}` needs the extra `evals`: make eval, or pip install 'tierwise[evals]' ({missing} is missing)"
)
OURS = ("evals", "router")


class Verbs(Failing):
    """Knows the verbs' names; imports one when it runs, so that `list` does not wait for an eval engine."""

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
            if missing.partition(".")[0] in OURS:
                raise
            raise click.ClickException(NEEDS.format(name=name, missing=missing)) from None
        assert isinstance(command, click.Command), "a verb is a click command"
        return command

    def format_commands(self, _context: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Verbs"):
            formatter.write_dl([(name, told) for name, (_, told) in VERBS.items()])


@click.group(cls=Verbs)
def evals() -> None:
    """Pick tiers by measurement: the cheapest one that is shown to do the task.

    \b
    Examples:
      tierwise eval run --rehearse
      tierwise eval run support-tickets --max-usd 2
      tierwise eval pick
    """


if __name__ == "__main__":
    sys.exit(evals(prog_name="tierwise eval"))
