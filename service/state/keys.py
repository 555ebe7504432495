"""API keys: made once, shown once, kept as hashes, checked for each request, and revoked with those that they made."""

import hmac
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import sqlalchemy as sa
import structlog

from service.domain.access import BUCKET_SCOPES, Principal, Scope, beyond_buckets
from service.errors import ConfigurationError, InvalidParameter, NotFound, NotReady, Unauthorized
from service.state.database import StateDatabase
from service.state.key_format import hash_of, id_of, new_key
from service.state.key_list import KeyList
from service.state.tables import api_keys

SHORTEST_STATIC_KEY = 16
_KEPT_S = 5.0
"""A valid key is not looked up again for so long. A revocation in another process takes effect after it."""
OUTAGE_S = 300.0
_USE_NOTED_EVERY_S = 60.0
_NOTE_LOCK_WAIT_MS = 100
_LONGEST_NAME = 200
_NO_HASH = bytes(32)
"""Stands for the hash where no key has the id, so that an unknown id takes the same steps as a wrong secret."""
_HOW = "Send it as X-API-Key, as Authorization: Bearer, or as the password of Basic. `fluxgate keys create` makes one."
_ABSENT = f"No key was sent, and this needs one. {_HOW}"
_REFUSED = f"This needs a valid API key, and the one that was sent is refused. {_HOW}"
"""The same for a key that is unknown, wrong, revoked or expired: nobody learns which keys exist."""
_log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class KeyRecord:
    """A key without its secret. Times are in seconds since 1970.

    `made_by`: the id of the key that made it over HTTP. None: it was made on the gateway's machine, or with API_KEY.
    """

    id: str
    name: str
    scopes: tuple[Scope, ...]
    buckets: tuple[str, ...] | None
    created_at: float
    expires_at: float | None
    revoked_at: float | None
    used_at: float | None
    made_by: str | None = None

    def valid_at(self, now: float) -> bool:
        return self.revoked_at is None and (self.expires_at is None or now < self.expires_at)

    def state_at(self, now: float) -> str:
        """`valid`, `expired` or `revoked`."""
        if self.revoked_at is not None:
            return "revoked"
        return "valid" if self.valid_at(now) else "expired"

    @property
    def without_effect(self) -> list[Scope]:
        """The scopes that the key cannot use, because they reach past its buckets."""
        return [] if self.buckets is None else beyond_buckets(self.scopes)


class KeyRing:
    """Makes, checks and revokes keys. `static_key` has every scope; `clock` gives seconds since 1970.

    `outage_s`: how long a key that was valid is trusted while the database does not answer. A key that expires
    meanwhile is not trusted. A revocation that this process has seen ends the trust in every key until the database
    answers.
    """

    def __init__(
        self,
        database: StateDatabase,
        static_key: str | None,
        clock: Callable[[], float],
        outage_s: float = OUTAGE_S,
    ) -> None:
        if static_key is not None:
            _refuse_weak(static_key)
        self._database = database
        self._static = None if static_key is None else hash_of(static_key)
        self._clock = clock
        self._outage_s = outage_s
        self._lock = threading.Lock()
        self._known: dict[bytes, tuple[float, KeyRecord]] = {}
        self._revocations = 0
        self._noted: dict[str, float] = {}
        self._list = KeyList(self._by_hash, clock)

    def now(self) -> float:
        """Seconds since 1970, by the clock that decides whether a key has expired."""
        return self._clock()

    def create(
        self,
        name: str,
        scopes: Iterable[Scope],
        buckets: Iterable[str] = (),
        expires_at: float | None = None,
        made_by: str | None = None,
    ) -> tuple[str, KeyRecord]:
        """A new key, which is not kept and cannot be shown again, and its record. No buckets: every bucket.

        `made_by`: the id of the key that asks. When it is revoked, the new one ends with it.

        Raises:
            InvalidParameter: a name that is empty, too long or not printable; scopes that cannot be limited to buckets.
            Unauthorized: the key `made_by` is no longer valid.
        """
        if not (name.strip() and name.isprintable() and len(name) <= _LONGEST_NAME):
            reason = f"The name of a key has 1 to {_LONGEST_NAME} printable characters, to tell whose it is."
            raise InvalidParameter("name", reason)
        allowed, visible = tuple(sorted(set(scopes))), tuple(sorted(set(buckets))) or None
        if visible is not None:
            _refuse_beyond(allowed)
        key_id, key = new_key()
        record = KeyRecord(key_id, name, allowed, visible, self._clock(), expires_at, None, None, made_by)
        row = {
            "id": key_id,
            "name": name,
            "secret_hash": hash_of(key),
            "scopes": list(record.scopes),
            "buckets": None if record.buckets is None else list(record.buckets),
            "created_at": record.created_at,
            "expires_at": expires_at,
            "made_by": made_by,
        }
        with self._database.write() as connection:
            if made_by is not None:
                self._hold_valid(connection, made_by)
            connection.execute(sa.insert(api_keys).values(row))
        return key, record

    def check(self, presented: str | None) -> Principal:
        """Whose key this is.

        Raises:
            Unauthorized: no key was sent; or the one that was sent is unknown, wrong, revoked or expired. All have the
                same message.
            NotReady: the database does not answer, and the key was not valid lately.
        """
        principal = self.known_without_query(presented)
        if principal is not None:
            return principal
        try:
            record = self._looked_up(presented or "", hash_of(presented or ""))
        except NotReady as failure:
            return self._trusted_despite(failure, presented)
        if record is None or not record.valid_at(self._clock()):
            raise Unauthorized(_REFUSED if presented else _ABSENT)
        return _principal(record)

    def known_without_query(self, presented: str | None) -> Principal | None:
        """Whose key this is, where no query is needed: for the static key, and a key that was valid a moment ago."""
        hashed = hash_of(presented or "")
        if self._static is not None and hmac.compare_digest(hashed, self._static):
            return Principal("static", "API_KEY", frozenset(Scope))
        return self._remembered(hashed, _KEPT_S)

    def trusted(self, presented: str | None) -> Principal | None:
        """Whose key this is while the database does not answer: it was valid at most `outage_s` ago."""
        principal = self._remembered(hash_of(presented or ""), self._outage_s)
        if principal is not None:
            _log.warning("a key is trusted without the state database", key=principal.id)
        return principal

    def _trusted_despite(self, failure: NotReady, presented: str | None) -> Principal:
        """Whose key this is, where it is trusted. Otherwise raises `failure`."""
        trusted = self.trusted(presented)
        if trusted is None:
            raise failure
        return trusted

    def listed(self, presented: str) -> Principal | None:
        """Whose key this is, by a list of all keys that is read at most once a second: wrong keys cost no query each.

        Raises NotReady: the database does not answer, and the key was not valid lately.
        """
        try:
            record, now = self._list.find(hash_of(presented)), self._clock()
        except NotReady as failure:
            return self._trusted_despite(failure, presented)
        if record is None or not record.valid_at(now):
            return None
        self._note_use(record, now)
        return _principal(record)

    def list(self) -> list[KeyRecord]:
        """All keys, the oldest first."""
        with self._database.read() as connection:
            return [_record(row) for row in connection.execute(sa.select(api_keys).order_by(api_keys.c.created_at))]

    def _hold_valid(self, connection: sa.Connection, key_id: str) -> None:
        """Keep a key from being revoked until the transaction ends. Raises Unauthorized: it is not valid any more."""
        row = connection.execute(sa.select(api_keys).where(api_keys.c.id == key_id).with_for_update()).first()
        if row is None or not _record(row).valid_at(self._clock()):
            raise Unauthorized(_REFUSED)

    def revoke(self, key_id: str) -> tuple[KeyRecord, ...]:
        """End a key now, and the keys that it made, that these made, and so on. Returns them, the key first.

        Keys that ended before are among them, with the time at which they did. Raises NotFound.
        """
        ended: dict[str, KeyRecord] = {}
        with self._database.write() as connection:
            # The update waits for a key that one of these is just making, which the next look finds.
            while ids := [each for each in _with_made_keys(connection, key_id) if each not in ended]:
                is_next = api_keys.c.id.in_(ids)
                is_active = sa.and_(is_next, api_keys.c.revoked_at.is_(None))
                connection.execute(sa.update(api_keys).where(is_active).values(revoked_at=self._clock()))
                records = {row.id: _record(row) for row in connection.execute(sa.select(api_keys).where(is_next))}
                if not records:
                    break
                ended.update({each: records[each] for each in ids})
        with self._lock:
            self._known.clear()
            self._revocations += 1
        self._list.forget()
        if not ended:
            raise NotFound(f"There is no key {key_id!r}. GET /keys and `fluxgate keys list` show them.")
        return tuple(ended.values())

    def _by_hash(self) -> dict[bytes, KeyRecord]:
        with self._database.read() as connection:
            return {bytes(row.secret_hash): _record(row) for row in connection.execute(sa.select(api_keys))}

    def is_empty(self) -> bool:
        """Whether no key works: none is set, and none in the database is valid."""
        return self._static is None and not any(record.valid_at(self._clock()) for record in self.list())

    def _remembered(self, hashed: bytes, max_age_s: float) -> Principal | None:
        """Whose key this is, where it was valid at most `max_age_s` ago and has not expired since."""
        with self._lock:
            checked_at, record = self._known.get(hashed, (0.0, None))
        now = self._clock()
        if record is None or not _is_fresh(checked_at, now, max_age_s) or not record.valid_at(now):
            return None
        return _principal(record)

    def _looked_up(self, presented: str, hashed: bytes) -> KeyRecord | None:
        key_id = id_of(presented)
        if key_id is None:
            return None
        with self._lock:
            now, revocations = self._clock(), self._revocations
        with self._database.read() as connection:
            row = connection.execute(sa.select(api_keys).where(api_keys.c.id == key_id)).first()
        is_right = hmac.compare_digest(hashed, _NO_HASH if row is None else bytes(row.secret_hash))
        if row is None or not is_right:
            self._forget(hashed)
            return None
        record = _record(row)
        if record.valid_at(now):
            self._remember(hashed, record, now, revocations)
            self._note_use(record, now)
        else:
            self._forget(hashed)
        return record

    def _remember(self, hashed: bytes, record: KeyRecord, now: float, revocations: int) -> None:
        """Keep a key that was valid at `now`, unless a key was revoked during the look-up: it may be this one."""
        with self._lock:
            if revocations == self._revocations:
                max_age_s = max(_KEPT_S, self._outage_s)
                fresh = {key: entry for key, entry in self._known.items() if _is_fresh(entry[0], now, max_age_s)}
                self._known = {**fresh, hashed: (now, record)}

    def _forget(self, hashed: bytes) -> None:
        with self._lock:
            self._known.pop(hashed, None)

    def _note_use(self, record: KeyRecord, now: float) -> None:
        """Write the time of use, at most once a minute. If the database cannot be written, only this note is lost."""
        with self._lock:
            last = max(self._noted.get(record.id, 0.0), record.used_at or 0.0)
            if 0 <= now - last <= _USE_NOTED_EVERY_S:
                return
            self._noted[record.id] = now
        try:
            with self._database.write(_NOTE_LOCK_WAIT_MS) as connection:
                connection.execute(sa.update(api_keys).where(api_keys.c.id == record.id).values(used_at=now))
        except NotReady as refused:
            _log.warning("the use of a key is not noted", key=record.id, reason=refused.message)


def _with_made_keys(connection: sa.Connection, key_id: str) -> list[str]:
    """The ids of a key, of the keys that it made, that these made, and so on: one query, however long the line is."""
    pairs = sa.select(api_keys.c.id, api_keys.c.made_by).where(api_keys.c.made_by.is_not(None))
    made: dict[str, list[str]] = {}
    for row in connection.execute(pairs.order_by(api_keys.c.created_at)):
        made.setdefault(row.made_by, []).append(row.id)
    ids = [key_id]
    for each in ids:
        ids.extend(made.pop(each, ()))
    return ids


def _refuse_weak(static_key: str) -> None:
    if len(static_key) < SHORTEST_STATIC_KEY:
        advice = f"Use at least {SHORTEST_STATIC_KEY} random characters."
        raise ConfigurationError(f"API_KEY is too short to be safe. {advice}")
    if not (static_key.isascii() and static_key.isprintable() and static_key == static_key.strip()):
        raise ConfigurationError(
            "API_KEY cannot be sent in a header. Use printable ASCII characters without spaces around them.",
        )


def _refuse_beyond(scopes: Iterable[Scope]) -> None:
    beyond = beyond_buckets(scopes)
    if beyond:
        raise InvalidParameter(
            "scope",
            f"A key that is limited to buckets cannot have {_named('scope', beyond)}, which reaches past them. "
            f"Leave it out ({_named('scope', sorted(BUCKET_SCOPES))} can be limited), or make a key without buckets.",
        )


def _named(noun: str, scopes: Iterable[Scope]) -> str:
    names = [repr(scope.value) for scope in scopes]
    return f"the {noun}{'s' if len(names) > 1 else ''} {' and '.join(names)}"


def _is_fresh(since: float, now: float, max_age_s: float) -> bool:
    """Whether `since` is less than `max_age_s` ago. A time in the future is not: the clock was set back."""
    return 0 <= now - since < max_age_s


def _principal(record: KeyRecord) -> Principal:
    buckets = None if record.buckets is None else frozenset(record.buckets)
    return Principal(record.id, record.name, frozenset(record.scopes), buckets)


def _record(row: sa.Row[tuple[object, ...]]) -> KeyRecord:
    return KeyRecord(
        row.id,
        row.name,
        tuple(Scope(scope) for scope in row.scopes),
        None if row.buckets is None else tuple(row.buckets),
        row.created_at,
        row.expires_at,
        row.revoked_at,
        row.used_at,
        row.made_by,
    )
