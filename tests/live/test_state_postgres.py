"""The same state on a real PostgreSQL."""

import socket
import time
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
import sqlalchemy as sa

from service.config.coordinates import COORDINATES
from service.config.store import ConfigStore
from service.domain.access import Scope
from service.errors import ConfigurationError, InvalidParameter, Unauthorized, VersionConflict
from service.jobs.mirror.ledger import newest_slices
from service.jobs.watch.watch_states import WatchStates
from service.state.database import StateDatabase
from service.state.keys import KeyRing
from service.state.tables import metadata
from tests.unit.jobs.watch.test_watch_job import overtaken, stored_and_forgotten
from tests.unit.state.test_database import migrated_by_many


def test_many_processes_may_migrate_at_once(fresh_postgres_url: str) -> None:
    results = migrated_by_many(fresh_postgres_url)
    assert [code for code, _ in results] == [0] * 5, results
    database = StateDatabase(fresh_postgres_url)
    assert set(metadata.tables) <= set(sa.inspect(database.engine).get_table_names())
    database.close()


def test_keys_and_configuration_work_there(fresh_postgres_url: str) -> None:
    database = StateDatabase(fresh_postgres_url)
    database.migrate()
    keys, config = KeyRing(database, None, lambda: 1_000.0), configuration(database)
    key, record = keys.create("analyst", [Scope.READ], ["Power Consumption"])
    assert keys.check(key).buckets == {"Power Consumption"}
    assert keys.revoke(record.id)[0].revoked_at == 1_000.0
    assert config.put("coordinates", {"latitude": 1}, expected_version=0).version == 1
    assert config.get("coordinates").value == {"latitude": 1.0, "longitude": None}
    database.close()


def test_states_of_watches_come_back_there_and_overtaken_ones_are_refused(fresh_postgres_url: str) -> None:
    database = StateDatabase(fresh_postgres_url)
    database.migrate()
    stored_and_forgotten(WatchStates(database))
    overtaken(WatchStates(database))
    database.close()


def test_a_text_that_it_cannot_hold_is_refused_and_is_no_failure(fresh_postgres_url: str) -> None:
    database = StateDatabase(fresh_postgres_url)
    database.migrate()
    with pytest.raises(InvalidParameter, match="a text with a NUL"):
        newest_slices(database, "cloud", "a\0b", "a", 5, 5)
    with pytest.raises(InvalidParameter, match="a text with a NUL"):
        KeyRing(database, None, lambda: 1.0).revoke("\0")
    states = WatchStates(database)
    states.failed("w", "It names a\0b.")
    assert states.get("w").error == "It names a\ufffdb."
    database.close()


def test_no_key_that_is_made_during_a_revocation_outlives_it(fresh_postgres_url: str) -> None:
    database = StateDatabase(fresh_postgres_url)
    database.migrate()
    keys, together = KeyRing(database, None, time.time), Barrier(3)
    _, first = keys.create("first", [Scope.ADMIN])

    def line() -> int:
        """Make keys, each by the one before, until that is refused."""
        last, count = first, 0
        together.wait(30)
        while True:
            try:
                _, last = keys.create("next", [Scope.ADMIN], made_by=last.id)
            except Unauthorized:
                return count
            count += 1

    with ThreadPoolExecutor(2) as pool:
        lines = [pool.submit(line) for _ in range(2)]
        together.wait(30)
        while len(keys.list()) < 20:
            time.sleep(0.01)
        ended = keys.revoke(first.id)
        assert len(ended) == 1 + sum(each.result(30) for each in lines)
    assert all(record.revoked_at is not None for record in keys.list())
    database.close()


EDITORS = 8


def configuration(database: StateDatabase) -> ConfigStore:
    store = ConfigStore(database, lambda: 1.0)
    store.register(COORDINATES)
    return store


def test_of_many_editors_at_once_one_wins_and_the_others_are_told(fresh_postgres_url: str) -> None:
    """Two of eight used to get the same new version, the later one in place of the earlier.

    The first section ever failed all but one."""
    database = StateDatabase(fresh_postgres_url)
    database.migrate()
    config, together = configuration(database), Barrier(EDITORS)

    def edited(version: int, latitude: int) -> str:
        together.wait(30)
        try:
            return f"version {config.put('coordinates', {'latitude': latitude}, expected_version=version).version}"
        except VersionConflict:
            return "conflict"

    with ThreadPoolExecutor(EDITORS) as pool:
        for version in range(6):
            told = list(pool.map(edited, [version] * EDITORS, range(EDITORS)))
            assert sorted(told) == ["conflict"] * (EDITORS - 1) + [f"version {version + 1}"]
            assert config.get("coordinates").value["latitude"] == told.index(f"version {version + 1}")
    database.close()


def test_editors_that_name_no_version_all_count(fresh_postgres_url: str) -> None:
    database = StateDatabase(fresh_postgres_url)
    database.migrate()
    config, together = configuration(database), Barrier(EDITORS)

    def edited(latitude: int) -> int:
        together.wait(30)
        return config.put("coordinates", {"latitude": latitude}).version

    with ThreadPoolExecutor(EDITORS) as pool:
        assert sorted(pool.map(edited, range(EDITORS))) == list(range(1, EDITORS + 1))
    database.close()


def test_a_host_that_takes_connections_and_says_nothing_is_given_up() -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        begun = time.monotonic()
        with pytest.raises(ConfigurationError, match="cannot be used"):
            StateDatabase(f"postgresql+psycopg://u@127.0.0.1:{silent.getsockname()[1]}/name").migrate()
        assert time.monotonic() - begun < 30


def test_a_process_frozen_in_a_transaction_does_not_hold_its_rows_for_ever(fresh_postgres_url: str) -> None:
    state = StateDatabase(fresh_postgres_url)
    with state.read() as connection:
        assert connection.exec_driver_sql("SHOW idle_in_transaction_session_timeout").scalar() == "1min"
