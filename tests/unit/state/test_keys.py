"""API keys: shown once, kept as hashes, refused alike, ended at once."""

import contextlib
import sqlite3
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from service.config.coordinates import COORDINATES
from service.config.store import ConfigStore
from service.domain.access import Principal, Scope
from service.errors import ConfigurationError, InvalidParameter, NotFound, NotReady, Unauthorized
from service.state.database import StateDatabase
from service.state.key_format import has_key_format
from service.state.keys import KeyRing
from tests.support.clock import Clock
from tests.support.old_keys import old_key

STATIC = "a-static-key-0123456789"


@pytest.fixture
def database(tmp_path: Path) -> Iterator[StateDatabase]:
    made = StateDatabase.in_directory(tmp_path)
    made.migrate()
    yield made
    made.close()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def keys(database: StateDatabase, clock: Clock) -> KeyRing:
    return KeyRing(database, None, clock)


def test_a_new_key_stands_for_its_principal(keys: KeyRing) -> None:
    key, record = keys.create("analyst", [Scope.READ, Scope.READ], ["b", "a"])
    assert keys.check(key) == Principal(record.id, "analyst", frozenset({Scope.READ}), frozenset({"a", "b"}))
    assert (record.scopes, record.buckets, record.created_at) == ((Scope.READ,), ("a", "b"), 1_000.0)


def test_a_key_has_a_prefix_an_id_256_random_bits_and_a_check(keys: KeyRing) -> None:
    key, record = keys.create("a", [Scope.READ])
    prefix, key_id, secret, check = key.split("_")
    assert (prefix, key_id, len(secret), len(check)) == ("fg", record.id, 64, 8)
    assert keys.create("a", [Scope.READ])[0] != key


def test_the_secret_is_not_in_the_database(keys: KeyRing, tmp_path: Path) -> None:
    key, record = keys.create("a", [Scope.READ])
    keys.check(key)
    kept = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert record.id.encode() in kept
    assert key.split("_")[2].encode() not in kept


def wrong(key: str) -> list[str | None]:
    prefix, key_id, secret, check = key.split("_")
    return [None, "", " ", "wrong", "fg_", key[:-1], key + "0", key.upper(), f"{prefix}_{key_id}_{'0' * 64}_{check}",
            f"fg_ffffffff_{secret}_{check}",
            "é" * 30, "\udcff", "a" * 100_000]  # fmt: skip


def test_every_wrong_key_is_refused_with_the_same_words(keys: KeyRing, clock: Clock) -> None:
    key, _ = keys.create("a", [Scope.READ])
    revoked, record = keys.create("r", [Scope.READ])
    keys.revoke(record.id)
    expired, _ = keys.create("e", [Scope.READ], expires_at=clock.now)
    said: dict[bool, set[str]] = {True: set(), False: set()}
    for presented in [*wrong(key), revoked, expired]:
        with pytest.raises(Unauthorized) as refused:
            keys.check(presented)
        said[bool(presented)].add(refused.value.message)
    (of_keys,), (without_key,) = said[True], said[False]
    assert of_keys.startswith("This needs a valid API key, and the one that was sent is refused.")
    assert without_key.startswith("No key was sent")


def test_a_key_ends_when_it_expires_also_when_it_was_just_used(keys: KeyRing, clock: Clock) -> None:
    key, _ = keys.create("a", [Scope.READ], expires_at=1_002.0)
    keys.check(key)
    clock.now = 1_001.9
    keys.check(key)
    clock.now = 1_002.0
    with pytest.raises(Unauthorized):
        keys.check(key)


def test_a_revocation_counts_at_once_here_and_within_five_seconds_elsewhere(
    keys: KeyRing, database: StateDatabase, clock: Clock
) -> None:
    elsewhere = KeyRing(database, None, clock)
    key, record = keys.create("a", [Scope.READ])
    elsewhere.check(key)
    keys.check(key)
    keys.revoke(record.id)
    with pytest.raises(Unauthorized):
        keys.check(key)
    clock.now += 5.0
    with pytest.raises(Unauthorized):
        elsewhere.check(key)


def test_revoking_what_is_not_there_says_where_to_look(keys: KeyRing) -> None:
    with pytest.raises(NotFound, match="keys list"):
        keys.revoke("nothing")


def test_revoking_twice_keeps_the_first_time(keys: KeyRing, clock: Clock) -> None:
    _, record = keys.create("a", [Scope.READ])
    keys.revoke(record.id)
    clock.now = 2_000.0
    assert keys.revoke(record.id)[0].revoked_at == 1_000.0


def test_keys_end_with_the_key_that_made_them(keys: KeyRing, clock: Clock) -> None:
    _, stranger = keys.create("stranger", [Scope.READ])
    _, first = keys.create("first", [Scope.ADMIN])
    _, second = keys.create("second", [Scope.ADMIN], made_by=first.id)
    _, third = keys.create("third", [Scope.ADMIN], made_by=second.id)
    keys.revoke(third.id)
    clock.now += 60
    assert [record.id for record in keys.revoke(first.id)] == [first.id, second.id, third.id]
    ends = {record.name: record.revoked_at for record in keys.list()}
    assert ends == {"stranger": None, "first": clock.now, "second": clock.now, "third": clock.now - 60}
    assert stranger.made_by is None and second.made_by == first.id


def test_a_long_line_of_keys_ends_with_a_few_queries(keys: KeyRing, database: StateDatabase) -> None:
    _, first = keys.create("first", [Scope.ADMIN])
    last = first
    for _ in range(30):
        _, last = keys.create("next", [Scope.ADMIN], made_by=last.id)
    statements: list[str] = []
    sa.event.listen(database.engine, "before_cursor_execute", lambda *arguments: statements.append(arguments[2]))
    ended = keys.revoke(first.id)
    assert (len(ended), ended[0].id, ended[-1].id) == (31, first.id, last.id)
    assert len(statements) < 10


def test_a_key_that_has_ended_makes_none(keys: KeyRing, clock: Clock) -> None:
    _, revoked = keys.create("revoked", [Scope.ADMIN])
    _, expired = keys.create("expired", [Scope.ADMIN], expires_at=clock.now + 1)
    keys.revoke(revoked.id)
    clock.now += 1
    for maker in (revoked.id, expired.id, "nothing"):
        with pytest.raises(Unauthorized):
            keys.create("x", [Scope.ADMIN], made_by=maker)
    assert len(keys.list()) == 2


def test_the_use_of_a_key_is_noted_coarsely(keys: KeyRing, clock: Clock) -> None:
    key, _ = keys.create("a", [Scope.READ])
    keys.check(key)
    clock.now = 1_030.0
    keys.check(key)
    assert [record.used_at for record in keys.list()] == [1_000.0]
    clock.now = 1_061.0
    keys.check(key)
    assert [record.used_at for record in keys.list()] == [1_061.0]


def test_the_static_key_may_do_everything(database: StateDatabase, clock: Clock) -> None:
    keys = KeyRing(database, STATIC, clock)
    assert keys.check(STATIC) == Principal("static", "API_KEY", frozenset(Scope), None)
    assert not keys.is_empty()


def test_a_short_static_key_is_refused_at_the_start(database: StateDatabase, clock: Clock) -> None:
    with pytest.raises(ConfigurationError, match="at least 16"):
        KeyRing(database, "short", clock)


def test_a_ring_without_a_valid_key_is_empty(keys: KeyRing, clock: Clock) -> None:
    assert keys.is_empty()
    _, record = keys.create("a", [Scope.READ], expires_at=1_500.0)
    assert not keys.is_empty()
    clock.now = 1_500.0
    assert keys.is_empty()
    _, other = keys.create("b", [Scope.READ])
    keys.revoke(other.id)
    assert keys.is_empty()
    assert [one.id for one in keys.list()] == [record.id, other.id]


class WatchedDatabase(StateDatabase):
    """Counts its reads, and does something after the next one, as another thread may."""

    reads = 0
    after_next_read: Callable[[], object] | None = None

    @contextlib.contextmanager
    def read(self) -> Iterator[sa.Connection]:
        self.reads += 1
        with super().read() as connection:
            yield connection
        act, self.after_next_read = self.after_next_read, None
        if act is not None:
            act()


@pytest.fixture
def watched(database: StateDatabase) -> Iterator[WatchedDatabase]:
    made = WatchedDatabase(database.engine.url)
    yield made
    made.close()


def test_a_key_revoked_while_it_is_looked_up_is_not_remembered_as_good(watched: WatchedDatabase, clock: Clock) -> None:
    """The look-up used to put the key back into the memory that the revocation had just emptied."""
    keys = KeyRing(watched, None, clock)
    key, record = keys.create("a", [Scope.READ])
    watched.after_next_read = lambda: keys.revoke(record.id)
    keys.check(key)
    assert watched.after_next_read is None
    with pytest.raises(Unauthorized):
        keys.check(key)


def test_a_clock_that_is_set_back_does_not_keep_a_revoked_key_alive(
    keys: KeyRing, database: StateDatabase, clock: Clock
) -> None:
    elsewhere = KeyRing(database, None, clock)
    key, record = keys.create("a", [Scope.READ])
    elsewhere.check(key)
    keys.revoke(record.id)
    clock.now -= 100.0
    with pytest.raises(Unauthorized):
        elsewhere.check(key)


def test_a_key_works_while_its_use_cannot_be_noted(keys: KeyRing, tmp_path: Path, clock: Clock) -> None:
    """A full disk, or a writer that does not let go, used to hold a reader up for ten seconds and then refuse it."""
    key, record = keys.create("a", [Scope.READ])
    writer = sqlite3.connect(tmp_path / "state.db", isolation_level=None)
    writer.execute("BEGIN IMMEDIATE")
    begun = time.monotonic()
    assert keys.check(key).id == record.id
    assert time.monotonic() - begun < 5.0
    writer.close()
    assert keys.list()[0].used_at is None
    clock.now += 61.0
    keys.check(key)
    assert keys.list()[0].used_at == clock.now


@pytest.mark.parametrize("name", ["", "   ", "a\nb", "n" * 201])
def test_a_key_has_a_name_that_tells_whose_it_is(keys: KeyRing, name: str) -> None:
    with pytest.raises(InvalidParameter, match="1 to 200"):
        keys.create(name, [Scope.READ])
    assert keys.list() == []


@pytest.mark.parametrize("scope", [Scope.MIRROR, Scope.BACKUP, Scope.RESTORE, Scope.CONNECTOR, Scope.ADMIN])
def test_a_key_that_is_limited_to_buckets_cannot_have_a_scope_that_reaches_past_them(
    keys: KeyRing, scope: Scope
) -> None:
    with pytest.raises(
        InvalidParameter, match=f"cannot have the scope '{scope.value}', which reaches past them"
    ) as refused:
        keys.create("narrow", [Scope.READ, scope], ["mine"])
    assert refused.value.message.endswith(
        "Leave it out (the scopes 'read' and 'write' can be limited), or make a key without buckets."
    )
    assert keys.list() == []


def test_all_scopes_that_cannot_be_limited_are_named_at_once(keys: KeyRing) -> None:
    with pytest.raises(InvalidParameter, match="the scopes 'admin' and 'mirror', which"):
        keys.create("narrow", [Scope.MIRROR, Scope.READ, Scope.ADMIN], ["mine"])


def test_an_old_key_with_a_list_of_buckets_may_only_read_and_write(keys: KeyRing, database: StateDatabase) -> None:
    principal = keys.check(old_key(keys, database, Scope, ["mine"]))
    assert [scope.value for scope in Scope if principal.may(scope)] == ["read", "write"]


def test_any_number_of_wrong_keys_costs_one_read_of_the_list_in_a_second(
    watched: WatchedDatabase, clock: Clock
) -> None:
    keys = KeyRing(watched, None, clock)
    key, record = keys.create("a", [Scope.READ])
    reads_before = watched.reads
    assert [keys.listed(f"wrong-{number}") for number in range(100)] == [None] * 100
    assert keys.listed(key) == Principal(record.id, "a", frozenset({Scope.READ}), None)
    assert watched.reads - reads_before == 1
    clock.now += 1.0
    keys.listed("wrong")
    assert watched.reads - reads_before == 2


def test_a_listed_key_ends_with_its_revocation_and_when_it_expires(keys: KeyRing, clock: Clock) -> None:
    revoked, record = keys.create("r", [Scope.READ])
    expiring, _ = keys.create("e", [Scope.READ], expires_at=clock.now + 0.5)
    assert keys.listed(revoked) is not None
    assert keys.listed(expiring) is not None
    keys.revoke(record.id)
    clock.now += 0.5
    assert (keys.listed(revoked), keys.listed(expiring)) == (None, None)


def test_a_key_revoked_elsewhere_leaves_the_list_within_a_second(
    keys: KeyRing, database: StateDatabase, clock: Clock
) -> None:
    elsewhere = KeyRing(database, None, clock)
    key, record = keys.create("a", [Scope.READ])
    assert elsewhere.listed(key) is not None
    keys.revoke(record.id)
    clock.now += 1.0
    assert elsewhere.listed(key) is None


@pytest.mark.parametrize(
    "key", ["schlüssel-mit-umlaut-0123", " key-with-a-space-in-front", "key-with-a-line-end-at-the-end\n"]
)
def test_a_static_key_that_no_header_can_carry_is_refused_without_showing_it(
    database: StateDatabase, clock: Clock, key: str
) -> None:
    with pytest.raises(ConfigurationError, match="printable ASCII") as refused:
        KeyRing(database, key, clock)
    assert key not in refused.value.message


class LosableDatabase(StateDatabase):
    """Away as long as `lost` says so."""

    lost = False

    @contextlib.contextmanager
    def read(self) -> Iterator[sa.Connection]:
        if self.lost:
            raise NotReady("away")
        with super().read() as connection:
            yield connection


@pytest.fixture
def losable(database: StateDatabase) -> Iterator[LosableDatabase]:
    made = LosableDatabase(database.engine.url)
    yield made
    made.close()


def test_a_key_that_was_found_good_is_trusted_for_five_minutes_without_the_database(
    losable: LosableDatabase, clock: Clock
) -> None:
    keys = KeyRing(losable, None, clock)
    key, record = keys.create("a", [Scope.READ])
    other, _ = keys.create("never used", [Scope.READ])
    keys.check(key)
    losable.lost = True
    clock.now += 299
    assert keys.check(key).id == record.id
    with pytest.raises(NotReady):
        keys.check(other)
    clock.now += 2
    with pytest.raises(NotReady):
        keys.check(key)


def test_a_key_that_expires_or_was_found_revoked_is_not_trusted_without_the_database(
    losable: LosableDatabase, clock: Clock
) -> None:
    keys, elsewhere = KeyRing(losable, None, clock), KeyRing(losable, None, clock)
    expiring, _ = keys.create("a", [Scope.READ], expires_at=1_060.0)
    revoked, record = keys.create("b", [Scope.READ])
    keys.check(expiring), keys.check(revoked)
    elsewhere.revoke(record.id)
    clock.now += 6
    with pytest.raises(Unauthorized):
        keys.check(revoked)
    losable.lost = True
    assert keys.check(expiring).name == "a"
    with pytest.raises(NotReady):
        keys.check(revoked)
    clock.now += 60
    with pytest.raises(NotReady):
        keys.check(expiring)


def test_a_revocation_here_ends_the_trust_in_every_key(losable: LosableDatabase, clock: Clock) -> None:
    keys = KeyRing(losable, None, clock)
    key, record = keys.create("a", [Scope.READ])
    keys.check(key)
    keys.revoke(record.id)
    losable.lost = True
    with pytest.raises(NotReady):
        keys.check(key)


def test_an_outage_of_zero_seconds_trusts_no_key(losable: LosableDatabase, clock: Clock) -> None:
    keys = KeyRing(losable, None, clock, outage_s=0)
    key, _ = keys.create("a", [Scope.READ])
    keys.check(key)
    losable.lost = True
    clock.now += 6
    with pytest.raises(NotReady):
        keys.check(key)


def test_an_outage_does_not_lock_out_a_known_key_whose_address_sent_wrong_ones(
    losable: LosableDatabase, clock: Clock
) -> None:
    """Its owner used to be told that the key is unknown, every second time."""
    keys = KeyRing(losable, None, clock, outage_s=300)
    key, record = keys.create("a", [Scope.READ])
    keys.check(key)
    losable.lost = True
    clock.now += 6
    assert [keys.listed(key).id for _ in range(3)] == [record.id] * 3
    with pytest.raises(NotReady):
        keys.listed(key[:-10] + "0" * 10)


def test_only_what_has_the_form_of_a_key_needs_the_database(keys: KeyRing) -> None:
    key, _ = keys.create("a", [Scope.READ])
    assert has_key_format(key)
    assert not any(
        map(has_key_format, (None, "", "a-static-key-0123456789", key[:-1] + ("0" if key[-1] != "0" else "1")))
    )


def test_the_last_known_coordinates_stand_in_for_a_database_that_is_away(
    losable: LosableDatabase, clock: Clock
) -> None:
    config = ConfigStore(losable, clock, outage_s=300)
    config.register(COORDINATES)
    config.put("coordinates", {"latitude": 52.5, "longitude": 13.4})
    assert config.get_or_last_known("coordinates").value["latitude"] == 52.5
    losable.lost = True
    clock.now += 299
    assert config.get_or_last_known("coordinates").value["latitude"] == 52.5
    clock.now += 2
    with pytest.raises(NotReady):
        config.get_or_last_known("coordinates")
