"""Fixtures that any test may ask for: real servers, one of each a run.

A server that is not on this machine skips the tests that ask for it, and the end of the run says which
those were; with FLUXGATE_REQUIRE_SERVERS=1 they fail instead.
"""

import contextlib
import secrets
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import psycopg
import pytest
import sqlalchemy as sa

from tests.support import generator, servers
from tests.support.demanded import MISSING, or_skip
from tests.support.s3_server import S3Server, s3_server

hypothesis.settings.register_profile("fluxgate", deadline=None, print_blob=True)
hypothesis.settings.load_profile("fluxgate")

_shared: list[servers.InfluxServer] = []


@pytest.fixture(scope="session")
def influx() -> Iterator[servers.InfluxServer]:
    """A real InfluxDB for the whole run: `.url`, `.token`, `.org`, `.new_bucket()`, `.write()`, `.flux()`."""
    running = or_skip(servers.start_influx)
    _shared.append(running)
    yield running
    _shared.remove(running)
    running.server.stop()


@pytest.fixture(scope="session")
def s3() -> Iterator[S3Server]:
    """A real S3 server for the whole run: `.address(bucket)`, `.new_bucket()`."""
    with contextlib.ExitStack() as stack:
        yield or_skip(lambda: stack.enter_context(s3_server()))


@pytest.fixture
def own_s3() -> Iterator[S3Server]:
    """A real S3 server that the test may `.kill()` and `.restart()`."""
    with contextlib.ExitStack() as stack:
        yield or_skip(lambda: stack.enter_context(s3_server()))


@pytest.fixture(scope="module", autouse=True)
def no_bucket_outlives_its_module() -> Iterator[None]:
    """The shared InfluxDB runs out of open files after about a thousand buckets."""
    yield
    for running in _shared:
        running.drop_buckets()


@pytest.fixture
def anyio_backend() -> str:
    """What asynchronous tests run on, as the gateway does."""
    return "asyncio"


@pytest.fixture
def state_url(tmp_path: Path) -> str:
    """A new state database in a file."""
    return f"sqlite:///{tmp_path / 'state.db'}"


@pytest.fixture
def influx_bucket(influx: servers.InfluxServer) -> str:
    """A fresh, empty bucket of it that keeps everything."""
    return influx.new_bucket()


@pytest.fixture(scope="session")
def redis_server() -> Iterator[servers.Server]:
    """A real Redis for the whole run, which may be frozen and thawed but not stopped."""
    running = or_skip(servers.start_redis)
    yield running
    running.stop()


@pytest.fixture(scope="session")
def redis_url(redis_server: servers.Server) -> str:
    return f"redis://127.0.0.1:{redis_server.port}/0"


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """The database `postgres` of a real PostgreSQL for the whole run, as SQLAlchemy writes it."""
    running = or_skip(servers.start_postgres)
    yield f"postgresql+psycopg://postgres@127.0.0.1:{running.port}/postgres"
    running.stop()


@pytest.fixture
def fresh_postgres_url(postgres_url: str) -> str:
    """A new, empty database of it."""
    name = f"test_{secrets.token_hex(6)}"
    with psycopg.connect(postgres_url.replace("+psycopg", ""), autocommit=True, connect_timeout=10) as link:
        link.execute(f'CREATE DATABASE "{name}"')
    return postgres_url.rsplit("/", 1)[0] + f"/{name}"


@pytest.fixture(scope="session")
def mariadb_url() -> Iterator[str]:
    """The database `mysql` of a real MariaDB for the whole run, as SQLAlchemy writes it."""
    running = or_skip(servers.start_mariadb)
    address = sa.URL.create("mariadb+pymysql", "root", host="127.0.0.1", port=running.port, database="mysql")
    yield address.render_as_string(hide_password=False)
    running.stop()


@pytest.fixture(scope="session")
def chromium() -> tuple[str, str]:
    """Paths of a browser and its driver."""
    browser = or_skip(lambda: servers.installed("chromium", package="chromium"))
    return str(browser), str(or_skip(lambda: servers.installed("chromedriver", package="chromium-driver")))


@pytest.fixture(scope="session")
def generator_python() -> str:
    """Python of an environment that has a generator of API clients."""
    return str(or_skip(generator.generator_python))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say plainly which server tests did not run, and why."""
    left_out = Counter(
        (report.nodeid.partition("::")[0], report.longrepr[2].partition(MISSING)[2])
        for report in terminalreporter.stats.get("skipped", [])
        if isinstance(report.longrepr, tuple) and MISSING in report.longrepr[2]
    )
    if left_out:
        terminalreporter.section("server tests that did not run")
        for (file, reason), count in sorted(left_out.items()):
            terminalreporter.line(f"{file}: {count} ({reason})")
