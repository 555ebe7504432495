"""What is written for people is held against the code: settings, the command line, the files made from them."""

import re
from pathlib import Path

import typer.main

from service.cli import cli
from service.commands.settings import as_env, as_markdown
from service.domain.access import Scope
from service.settings import documented

ROOT = Path(__file__).parents[2]


def test_the_table_of_settings_is_that_of_the_code() -> None:
    assert (ROOT / "docs" / "settings.md").read_text() == as_markdown(), (
        "fluxgate settings --format markdown > docs/settings.md"
    )


def test_the_example_environment_is_that_of_the_code() -> None:
    assert (ROOT / ".env.example").read_text() == as_env(), "fluxgate settings --format env > .env.example"


def test_every_setting_has_a_sentence() -> None:
    assert [name for name, _, sentence in documented() if not sentence.endswith((".", "`."))] == []


def test_every_command_and_option_is_in_its_page() -> None:
    page = (ROOT / "docs" / "cli.md").read_text()
    commands = typer.main.get_command(cli)
    missing = []
    for name, command in commands.commands.items():  # type: ignore[attr-defined]
        loaded = command.loaded()
        for one in [loaded, *getattr(loaded, "commands", {}).values()]:
            words = [
                one.name,
                *(option for parameter in one.params for option in parameter.opts if option.startswith("--")),
            ]
            missing += [(name, word) for word in words if word not in ("--help",) and str(word) not in page]
    assert missing == []


def test_every_scope_is_in_its_page() -> None:
    page = (ROOT / "docs" / "keys.md").read_text()
    assert [scope.value for scope in Scope if f"`{scope.value}`" not in page] == []


def test_adding_a_format_names_every_place_of_one() -> None:
    """Whatever file knows NDJSON by name would have to know a new format too, but for the payloads of connectors."""
    page = (ROOT / "docs" / "maintaining.md").read_text()
    section = page[page.index("## To add a format") : page.index("## To add a route")]
    knows = re.compile(r"Format\.NDJSON|['\"]ndjson['\"]")
    sources = [*(ROOT / "service").rglob("*.py"), *(ROOT / "client" / "fluxgate_client").rglob("*.py")]
    places = {
        str(file.relative_to(ROOT)).removeprefix("service/")
        for file in sources
        if knows.search(file.read_text()) and "upstream" not in file.parts
    }
    named = {place for place in places if place in section or place.removesuffix(".py") in section}
    assert places - named == set()
