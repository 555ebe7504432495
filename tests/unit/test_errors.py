"""The tree of errors is drawn as it is, and each error has a status. A message is made of what its error carries."""

import ast
import importlib
import pkgutil
import re
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import pytest

import service
from service import errors
from service.api.problems import STATUSES
from service.errors import SERVED_STORE, FluxgateError, InvalidParameter, StoreDenied, StoreUnavailable, Subject

_LINE = re.compile(r"^    ((?:\|   |    )*)(?:(?:\|--|`--) )?(\w+)(?:  |$)")


def every_error() -> set[type[FluxgateError]]:
    """The classes of all modules of the service, once each is imported."""
    for module in pkgutil.walk_packages(service.__path__, "service."):
        if not module.name.endswith((".__main__", ".migrations.env")) and ".versions." not in module.name:
            importlib.import_module(module.name)
    return set(_descendants(FluxgateError))


def _descendants(kind: type[FluxgateError]) -> Iterator[type[FluxgateError]]:
    yield kind
    for child in kind.__subclasses__():
        if child.__module__.startswith("service."):
            yield from _descendants(child)


def drawn() -> dict[str, str | None]:
    """The parent of each error, as the docstring of service.errors draws it."""
    parents: dict[str, str | None] = {}
    path: list[str] = []
    for line in (errors.__doc__ or "").splitlines():
        match = _LINE.match(line)
        if match is None:
            continue
        depth = 0 if match[2] == "FluxgateError" else len(match[1]) // 4 + 1
        del path[depth:]
        parents[match[2]] = path[-1] if path else None
        path.append(match[2])
    return parents


def test_the_tree_is_drawn_as_it_is() -> None:
    parents = {kind.__name__: kind.__mro__[1].__name__ for kind in every_error()}
    assert drawn() == {**parents, "FluxgateError": None}


def test_every_error_stands_in_the_tree_and_has_a_status() -> None:
    kinds = every_error()
    assert {kind.__module__ for kind in kinds} == {"service.errors"}
    assert kinds == set(STATUSES)


def test_every_advice_is_a_literal_that_names_members_of_the_subject() -> None:
    """A literal holds no words of others, so no brace in a name or an answer can break a message."""
    advices = []
    for path in Path(service.__file__).parent.rglob("*.py"):
        calls = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)]
        advices += [keyword.value for call in calls for keyword in call.keywords if keyword.arg == "advice"]
    assert len(advices) > 5
    for advice in advices:
        assert isinstance(advice, ast.Constant)
        str(advice.value).format_map(asdict(SERVED_STORE))


def test_a_message_begins_with_its_subject_and_ends_with_advice() -> None:
    error = StoreDenied("The token is refused.", advice="Check {token}.")
    assert error.message == "The token is refused. Check INFLUXDB_TOKEN."
    error.subject = Subject("The source (far.test)", token="the mirror's source.token")
    assert error.message == "The source (far.test): The token is refused. Check the mirror's source.token."
    assert str(error) == error.message


def test_braces_of_others_stay_as_they_are() -> None:
    error = StoreUnavailable("It answers {url} and {.", advice="Look at {url}.")
    assert error.message == "It answers {url} and {. Look at INFLUXDB_URL."


def test_a_message_cannot_be_overwritten() -> None:
    with pytest.raises(AttributeError):
        StoreDenied("x").message = "y"  # type: ignore[misc]


def test_a_value_can_be_named_otherwise() -> None:
    error = InvalidParameter("cron", "is no cron expression of cron=.", value="cron=", allowed=["a"])
    renamed = error.renamed("schedule")
    assert error.message == "cron='cron=' is no cron expression of cron=."
    assert renamed.message == "schedule='cron=' is no cron expression of cron=."
    assert (renamed.parameter, renamed.extra) == ("schedule", {"allowed": ["a"], "parameter": "schedule"})
