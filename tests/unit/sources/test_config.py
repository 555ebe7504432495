"""A source as people write it: which one it is, and what is refused before anything is connected to."""

from typing import Any

import pytest
from pydantic import ValidationError

from service.config.token_variables import TokenVariables
from service.domain.durations import SECOND_NS
from service.domain.selection import Fn, Windows
from service.errors import InvalidParameter
from service.sources.config import SourceText
from service.sources.rules import SourceRules, SqlDefaults
from service.sources.sql_text import SqlColumns
from service.sources.store_text import StoreDefinition

RULES = SourceRules(sql=SqlDefaults(url="postgresql://reader:secret@db.example/plant", table="readings"))


def refused(source: dict[str, Any], rules: SourceRules = RULES) -> tuple[str, str]:
    with pytest.raises(InvalidParameter) as wrong:
        SourceText.model_validate(source).check(rules)
    return wrong.value.parameter, wrong.value.message


def test_exactly_one_source_is_given() -> None:
    for source in ({}, {"store": {"bucket": "Plant"}, "sql": {}}):
        with pytest.raises(ValidationError, match="exactly one of store, sql and python"):
            SourceText.model_validate(source)


def test_no_unknown_member_is_taken() -> None:
    for source in ({"stor": {}}, {"store": {"bucket": "Plant", "evry": "1m"}}, {"sql": {"url": "sqlite:///x"}}):
        with pytest.raises(ValidationError):
            SourceText.model_validate(source)


def test_the_selection_of_a_store() -> None:
    store = {"bucket": ["A", "B"], "measurement": "boiler", "tags": {"site": ["n", "m"]}, "every": "1m", "fn": "max"}
    assert SourceText.model_validate({"store": store}).definition(RULES) == StoreDefinition(
        ("A", "B"), ("boiler",), (), (("site", ("m", "n")),), Windows(60 * SECOND_NS, Fn.MAX), "bucket"
    )


def test_a_function_without_windows_means_nothing() -> None:
    assert refused({"store": {"bucket": "A", "fn": "mean"}})[0] == "source.store.fn"


def test_a_function_that_gives_several_points_of_a_window_is_refused() -> None:
    parameter, reason = refused({"store": {"bucket": "A", "every": "1m", "fn": "m4"}})
    assert (parameter, "for charts. Allowed: mean, min" in reason) == ("source.store.fn", True)


def test_the_settings_are_used_where_the_configuration_says_nothing() -> None:
    defaults = SqlDefaults(url="sqlite:///a.db", table="t", sensor_column="tag", zone="Europe/Berlin", settle="30s")
    rules = SourceRules(sql=defaults)
    definition = SourceText.model_validate({"sql": {"value_column": "reading"}}).sql
    assert definition is not None
    made = definition.definition("source.sql", rules)
    assert (made.table, made.measurement, made.zone) == ("t", "t", "Europe/Berlin")
    assert made.columns == SqlColumns("tag", "reading", "timestamp")
    assert SourceText.model_validate({"sql": {}}).settle_ns(rules) == 30 * SECOND_NS
    assert SourceText.model_validate({"sql": {"settle": "0s"}}).settle_ns(rules) == 0


def test_a_query_of_the_configuration_wins_over_the_table_of_the_settings() -> None:
    query = "SELECT sensor, value, timestamp FROM t WHERE timestamp >= :start_time AND timestamp < :end_time"
    definition = SourceText.model_validate({"sql": {"query": query}}).definition(RULES)
    assert (definition.table, definition.measurement, definition.query) == (None, "sql", query)  # type: ignore[union-attr]


def test_a_table_and_a_query_are_refused() -> None:
    assert refused({"sql": {"table": "t", "query": "SELECT 1"}})[0] == "source.sql.query"


def test_without_a_database_or_a_table_the_error_says_what_to_set() -> None:
    nothing = SourceRules()
    assert refused({"sql": {"table": "t"}}, nothing) == (
        "source.sql.url_env",
        "No database is configured. Set DATABASE_URL, or name the variable that holds the address here: url_env.",
    )
    assert refused({"sql": {}}, SourceRules(sql=SqlDefaults(url="sqlite:///a.db")))[0] == "source.sql.table"


def test_the_address_of_a_database_is_never_shown() -> None:
    definition = SourceText.model_validate({"sql": {}}).definition(RULES)
    assert "secret" not in repr(definition)
    broken = SourceRules(sql=SqlDefaults(url="no address: secret", table="t"))
    assert "secret" not in str(refused({"sql": {}}, broken))
    assert "secret" not in repr(broken)


def test_only_variables_made_for_secrets_can_be_named() -> None:
    environment = {"FLUXGATE_TOKEN_PLANT": "mysql://u:p@db.example/x", "API_KEY": "k"}
    rules = SourceRules(variables=TokenVariables(environment=environment), sql=SqlDefaults(table="t"))
    assert refused({"sql": {"url_env": "API_KEY"}}, rules)[0] == "source.sql.url_env"
    definition = SourceText.model_validate({"sql": {"url_env": "FLUXGATE_TOKEN_PLANT"}}).definition(rules)
    assert definition.trusted is False  # type: ignore[union-attr]


@pytest.mark.parametrize(("member", "value"), [("zone", "Mars/Olympus"), ("settle", "soon"), ("timeout", "1 minute")])
def test_a_wrong_member_is_named(member: str, value: str) -> None:
    assert refused({"sql": {member: value}})[0] == f"source.sql.{member}"
