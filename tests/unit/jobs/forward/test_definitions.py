"""Connectors as people write them: what is meant, and which member is wrong."""

from typing import Any

import pytest

from service.domain.schedule import Schedule
from service.errors import InvalidParameter
from service.jobs.forward.definitions import ConnectorText
from service.jobs.forward.registry import ConnectorRegistry, connectors_section
from service.jobs.forward.views import views
from service.sources.rules import SourceRules, SqlDefaults
from tests.support.forwarding import MINUTE_NS, NOON_NS, RULES, TEXT, UPSERT

SQL_RULES = type(RULES)(SourceRules(sql=SqlDefaults(url="sqlite:///none.db", table="readings")), RULES.upstream)


def text(**members: Any) -> ConnectorText:
    return ConnectorText.model_validate({**TEXT, **members})


def test_the_members_are_those_of_the_connector() -> None:
    connector, upstream = text(
        look_back="1h", look_back_every="10m", start="2026-01-01T12:00:00Z", **UPSERT
    ).to_connector("c", RULES)
    assert (connector.name, connector.window_ns, connector.interval_ns) == ("c", 5 * MINUTE_NS, 5 * MINUTE_NS)
    assert (connector.settle_ns, connector.start) == (30 * 10**9, NOON_NS)
    assert (connector.look_back_ns, connector.look_every_ns) == (60 * MINUTE_NS, 10 * MINUTE_NS)
    assert (connector.max_points, connector.in_flight) == (100, 1)
    assert upstream.connector_name == "c"


def test_little_is_needed() -> None:
    connector, _ = ConnectorText.model_validate(
        {"source": {"store": {"bucket": "b"}}, "upstream": {"url": "https://vendor.example/"}}
    ).to_connector("c", RULES)
    assert (connector.start, connector.look_back_ns, connector.window_ns) == ("now", None, 5 * MINUTE_NS)


def test_a_schedule_is_an_interval_a_cron_expression_or_none() -> None:
    named = {"name": "forward c", "kind": "forward", "parameters": {"connector": "c"}, "at_start": True}
    assert text().to_schedule("c") == Schedule(every="00:05:00", **named)  # type: ignore[arg-type]
    cron = ConnectorText.model_validate({**TEXT, "every": None, "schedule": "0 * * * *", "zone": "Europe/Berlin"})
    assert cron.to_schedule("c") == Schedule(cron="0 * * * *", zone="Europe/Berlin", **named)  # type: ignore[arg-type]
    assert text(every=None).to_schedule("c") is None
    schedule = text(enabled=False).to_schedule("c")
    assert schedule is not None
    assert not schedule.enabled


def test_sensors_of_a_database_have_the_names_that_they_have_there() -> None:
    _, upstream = text(source={"sql": {}}).to_connector("c", SQL_RULES)
    assert upstream.sensor.text == "{tag.sensor}"
    named = {"url": "http://upstream.test/", "sensor": "plant.{tag.sensor}"}
    _, upstream = text(source={"sql": {}}, upstream=named).to_connector("c", SQL_RULES)
    assert upstream.sensor.text == "plant.{tag.sensor}"
    _, upstream = text().to_connector("c", RULES)
    assert upstream.sensor.text == "{measurement}.{field}"


def test_the_identity_changes_with_source_and_upstream_alone() -> None:
    identity = text().identity()
    assert text(every="00:01:00", window="1m", enabled=False, start="oldest").identity() == identity
    assert text(source={"store": {"bucket": "other"}}).identity() != identity
    assert text(upstream={**TEXT["upstream"], "gzip": True}).identity() != identity
    assert (
        len({identity, text(upstream={**TEXT["upstream"], "auth": {"kind": "bearer", "token": "t"}}).identity()}) == 2
    )


@pytest.mark.parametrize(
    ("members", "parameter"),
    [
        ({"window": "5"}, "window"),
        ({"window": "25h"}, "window"),
        ({"settle": "soon"}, "settle"),
        ({"start": "2026-01-01"}, "start"),
        ({"every": "5m"}, "every"),
        ({"every": "00:05:00", "schedule": "0 * * * *"}, "every"),
        ({"every": None, "schedule": "never"}, "cron"),
        ({"every": None, "schedule": "0 * * * *", "zone": "Atlantis"}, "zone"),
        ({"look_back": "1d"}, "look_back"),
        ({"look_back": "long", **UPSERT}, "look_back"),
        ({"look_back_every": "0s"}, "look_back_every"),
        ({"source": {"store": {"bucket": "b", "every": "0m"}}}, "source.store.every"),
        ({"source": {"sql": {"query": "SELECT 1"}}}, "source.sql"),
        ({"source": {"python": {"class": "os:system"}}}, "source.python.class"),
        ({"upstream": {"url": "nowhere"}}, "upstream.url"),
        ({"upstream": {"url": "http://a.test/", "timeout": "1d"}}, "upstream.timeout"),
    ],
)
def test_a_member_that_is_wrong_is_named(members: dict[str, Any], parameter: str) -> None:
    with pytest.raises(InvalidParameter) as refused:
        text(**members).to_connector("c", SQL_RULES)
    assert refused.value.parameter.startswith(parameter)


@pytest.mark.parametrize("name", ["", "a b", "a/b", "ä", "x" * 61])
def test_a_name_has_letters_digits_and_few_signs(name: str) -> None:
    with pytest.raises(InvalidParameter, match="is no name of a connector"):
        text().to_connector(name, RULES)


def test_the_section_says_which_connector_is_wrong() -> None:
    model = connectors_section(RULES).model
    with pytest.raises(InvalidParameter) as refused:
        model.model_validate({"good": TEXT, "bad": {**TEXT, "window": "x"}})
    assert refused.value.parameter == "bad.window"
    assert refused.value.message.startswith("The connector 'bad': window='x' is not a duration.")


def test_a_connector_in_the_section_replaces_the_one_of_the_settings() -> None:
    section: dict[str, Any] = {}
    registry = ConnectorRegistry(lambda: section, text(window="1m"), RULES)
    assert (registry.names(), registry.get("default").window_ns) == (["default"], MINUTE_NS)
    section["default"] = {**TEXT, "window": "10m"}
    section["other"] = {**TEXT, "every": None}
    assert registry.get("default").window_ns == 10 * MINUTE_NS
    assert list(registry.schedules()) == ["forward default"]


def test_one_broken_connector_does_not_break_the_others(rig: Any) -> None:
    """Its variable is gone, say: it is shown with the reason, and its schedule stays."""
    rig.section["broken"] = {
        **TEXT,
        "upstream": {"url": "http://a.test/", "auth": {"kind": "bearer", "token_env": "GONE"}},
    }
    shown = {view.name: view for view in views(rig.runnable)}
    assert shown["c"].error is None
    assert "GONE is no variable" in (shown["broken"].error or "")
    assert set(rig.runnable.registry.schedules()) == {"forward c", "forward broken"}


def test_a_connector_is_read_without_the_others(rig: Any) -> None:
    rig.section["unreadable"] = {}
    registry = rig.runnable.registry
    assert (registry.names(), registry.get("c").name) == (["c", "unreadable"], "c")
