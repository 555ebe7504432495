"""`token_env`: only variables that were made for tokens of mirrors, and not a word about others."""

import pytest

from service.config.token_variables import TokenVariables
from service.errors import InvalidParameter

ENVIRONMENT = {
    "API_KEY": "the-key",
    "INFLUXDB_TOKEN": "the-token",
    "HOME": "/h",
    "FLUXGATE_TOKEN_PLANT": "plant",
    "LAB_TOKEN": "lab",
    "fluxgate_token_x": "x",
}
VARIABLES = TokenVariables(frozenset({"LAB_TOKEN"}), ENVIRONMENT)


@pytest.mark.parametrize(("name", "token"), [("FLUXGATE_TOKEN_PLANT", "plant"), ("LAB_TOKEN", "lab")])
def test_a_variable_with_the_prefix_or_on_the_list_is_read(name: str, token: str) -> None:
    assert VARIABLES.value(name, "source.token_env") == token


@pytest.mark.parametrize(
    "name",
    [
        "API_KEY",
        "INFLUXDB_TOKEN",
        "HOME",
        "fluxgate_token_x",
        "NOT_SET",
        "LAB_TOKEN_2",
        "lab_token",
        "FLUXGATE_TOKEN",
        "",
    ],
)
def test_any_other_is_refused_alike_whether_it_is_set_or_not(name: str) -> None:
    with pytest.raises(InvalidParameter) as refused:
        VARIABLES.value(name, "source.token_env", "tokens of mirrors")
    assert refused.value.parameter == "source.token_env"
    assert refused.value.message == (
        f"{name} is no variable for tokens of mirrors. Name one that begins with FLUXGATE_TOKEN_, "
        "or have the operator list it in MIRROR_TOKEN_VARIABLES."
    )


def test_one_that_was_made_for_it_and_is_not_set_is_told() -> None:
    with pytest.raises(InvalidParameter, match="FLUXGATE_TOKEN_OTHER is not set in the gateway's process, or empty"):
        VARIABLES.value("FLUXGATE_TOKEN_OTHER", "source.token_env")


def test_no_token_is_shown_when_the_variables_are_printed() -> None:
    assert "the-key" not in repr(VARIABLES)
