"""`python -m router` is the command `tierwise`."""

from .cli.main import main

main(prog_name="tierwise")
