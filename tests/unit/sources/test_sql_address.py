"""Which databases configuration may name, and what the operator may."""

import pytest
import sqlalchemy as sa

from service.domain.addresses import AddressPolicy
from service.errors import InvalidParameter
from service.sources.sql_address import sql_address


def address(text: str, policy: AddressPolicy = AddressPolicy.PRIVATE_TOO) -> str:
    return sql_address(sa.make_url(text), "source.sql.url_env", policy).url.render_as_string(hide_password=False)


@pytest.mark.parametrize(
    ("text", "driver"),
    [
        ("postgresql://u:p@h/d", "postgresql+psycopg"),
        ("postgres://u:p@h/d", "postgresql+psycopg"),
        ("mysql://u:p@h/d", "mysql+pymysql"),
        ("mariadb://u:p@h/d", "mariadb+pymysql"),
        ("mssql://u:p@h/d", "mssql+pyodbc"),
        ("mssql+pymssql://u:p@h/d", "mssql+pymssql"),
    ],
)
def test_an_address_without_a_driver_gets_the_usual_one(text: str, driver: str) -> None:
    assert address(text) == text.replace(text.split(":")[0], driver, 1)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("sqlite:////etc/passwd", "by the operator alone"),
        ("sqlite://", "by the operator alone"),
        ("oracle://u:p@h/d", "no support for 'oracle'"),
        ("postgresql:///d", "names no host"),
        ("postgresql://u:p@/d?host=169.254.169.254", "names no host"),
        ("postgresql://u:p@public.example/d?host=169.254.169.254", "'host' after its `[?]`"),
        ("postgresql://u:p@public.example/d?hostaddr=127.0.0.1", "'hostaddr' after its `[?]`"),
        ("postgresql://u:p@public.example/d?service=x", "'service' after its `[?]`"),
        ("postgresql://u:p@public.example/d?passfile=/etc/x", "'passfile' after its `[?]`"),
        ("mysql://u:p@public.example/d?unix_socket=/run/x", "'unix_socket' after its `[?]`"),
        ("mysql://u:p@public.example/d?local_infile=1", "'local_infile' after its `[?]`"),
        ("mssql://u:p@h/d?odbc_connect=SERVER", "'odbc_connect' after its `[?]`"),
        ("postgresql://u:p@a,b/d", "or several"),
    ],
)
def test_configuration_cannot_lead_past_the_host(text: str, reason: str) -> None:
    with pytest.raises(InvalidParameter, match=reason) as wrong:
        address(text)
    assert wrong.value.parameter == "source.sql.url_env"
    assert "u:p" not in wrong.value.message


def test_the_operator_may_name_any() -> None:
    for text in ("sqlite:////srv/plant.db", "postgresql+psycopg://u:p@/d?host=%2Frun%2Fpostgresql"):
        assert address(text, AddressPolicy.ANYWHERE) == text


def test_metadata_addresses_are_never_allowed() -> None:
    for host in ("169.254.169.254", "0.0.0.0", "[::ffff:169.254.169.254]"):
        made = sql_address(sa.make_url(f"postgresql://u:p@{host}/d"), "source.sql.url_env", AddressPolicy.PRIVATE_TOO)
        with pytest.raises(InvalidParameter):
            made.allowed_host()
    local = sql_address(sa.make_url("postgresql://u:p@127.0.0.1/d"), "m", AddressPolicy.PRIVATE_TOO)
    assert local.allowed_host() == "127.0.0.1"
    assert sql_address(sa.make_url("postgresql://u:p@127.0.0.1/d"), "m", AddressPolicy.ANYWHERE).allowed_host() is None
