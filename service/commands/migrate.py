"""`fluxgate migrate`: makes the state database or brings it to this version, and ends; a step before a start."""

import typer

from service.app import configure_logs
from service.settings import load_settings
from service.state.presence import shown
from service.wiring import open_state, state_address


def migrate() -> None:
    """Make the state database, or bring it to this version. Running it again, or twice at once, changes nothing.

    Exit code 1: the database cannot be reached, or a later version of Fluxgate made it.
    """
    settings = load_settings()
    configure_logs(settings)
    state = open_state(settings)
    try:
        typer.echo(f"The state database {shown(state_address(settings))} is at version {state.version()}.")
    finally:
        state.close()
