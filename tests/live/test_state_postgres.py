"""The same state on a real PostgreSQL."""

import sqlalchemy as sa

from service.domain.access import Scope
from service.state.config import ConfigStore
from service.state.database import StateDatabase
from service.state.keys import KeyRing
from service.state.tables import metadata
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
    keys, config = KeyRing(database, None, lambda: 1_000.0), ConfigStore(database, lambda: 1_000.0)
    key, record = keys.create("analyst", [Scope.READ], ["Power Consumption"])
    assert keys.check(key).buckets == {"Power Consumption"}
    assert keys.revoke(record.id).revoked_at == 1_000.0
    assert config.put("coordinates", {"latitude": 1}, expected_version=0).version == 1
    assert config.get("coordinates").value == {"latitude": 1.0, "longitude": None}
    database.close()
