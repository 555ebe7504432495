"""What a restore is asked to do: the parameters of its job, read and refused."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from service.domain.timerange import EVER, TimeRange
from service.errors import InvalidParameter
from service.jobs.backup.choosing import LATEST, backup_named
from service.jobs.backup.options import MOST_BUCKETS, span_between
from service.jobs.parameters import refuse_unknown, refuse_wrong_types

_SWITCHES = ("dry_run", "merge", "skip_damaged")
_TEXTS = ("start", "stop", "passphrase_env", "replace_server")
_PARAMETERS = ("backup", "buckets", "target", *_TEXTS, *_SWITCHES)
_TARGET_MEMBERS = ("url", "org", "token_env")


@dataclass(frozen=True)
class TargetText:
    """An InfluxDB as it is ordered. `token_env`: the name of the variable that holds its token."""

    url: str
    org: str
    token_env: str


@dataclass(frozen=True)
class RestoreOptions:
    """`names`: the new name of each bucket that is restored, by its name in the backup; None: all under their own.

    `target` None: the gateway's own store. `merge`: buckets that exist take the points of the backup beside their own.
    `skip_damaged`: restore the rest. `passphrase_env`: the variable with the passphrase of an encrypted backup.
    `replace_server`: replace everything on the server of this name (host and port) by a physical backup.
    """

    backup: str = LATEST
    names: Mapping[str, str] | None = None
    span: TimeRange = EVER
    target: TargetText | None = None
    dry_run: bool = False
    merge: bool = False
    skip_damaged: bool = False
    passphrase_env: str | None = None
    replace_server: str | None = None

    @classmethod
    def of(cls, parameters: Mapping[str, Any]) -> "RestoreOptions":
        """Raises InvalidParameter."""
        refuse_unknown("A restore", parameters, _PARAMETERS)
        refuse_wrong_types(parameters, _TEXTS, _SWITCHES)
        given = {name: value for name, value in parameters.items() if value is not None}
        return cls(
            backup_named(given.get("backup")),
            _names(given.get("buckets")),
            span_between(given.get("start"), given.get("stop")),
            _target(given.get("target")),
            passphrase_env=given.get("passphrase_env"),
            replace_server=given.get("replace_server"),
            **{name: given.get(name, False) for name in _SWITCHES},
        )

    def refuse_for_physical(self) -> None:
        """Raises InvalidParameter for what only a logical backup can do: files of a server are restored whole."""
        unfit = {
            "start": self.span != EVER,
            "target": self.target is not None,
            "dry_run": self.dry_run,
            "merge": self.merge,
            "skip_damaged": self.skip_damaged,
        }
        for name in (name for name, is_given in unfit.items() if is_given):
            raise InvalidParameter(
                name,
                "A physical backup is restored bucket by bucket, as a whole, into buckets that are not there yet."
                f" Leave {name} out, or restore a logical backup.",
            )
        if self.replace_server is not None and self.names is not None:
            raise InvalidParameter("buckets", "replace_server restores the whole server. Leave buckets out.")

    def new_name(self, bucket: str) -> str | None:
        """What a bucket of the backup is called on the target; None: it is not restored."""
        return bucket if self.names is None else self.names.get(bucket)


def _names(value: object) -> Mapping[str, str] | None:
    if value is None:
        return None
    if isinstance(value, (list, tuple)):
        names = {name: name for name in value if isinstance(name, str)}
        is_list_of_texts = len(names) == len(value)
    else:
        names = dict(value) if isinstance(value, Mapping) else {}
        is_list_of_texts = True
    texts = (*names.keys(), *names.values())
    if not names or not is_list_of_texts or not all(isinstance(text, str) and text for text in texts):
        raise InvalidParameter(
            "buckets",
            'buckets is a list of different names, or {"name in the backup": "new name"}, or absent for all buckets.',
        )
    if len(names) > MOST_BUCKETS:
        raise InvalidParameter("buckets", f"Name at most {MOST_BUCKETS} buckets, or leave `buckets` out for all.")
    twice = [name for name, count in Counter(names.values()).items() if count > 1]
    if twice:
        raise InvalidParameter("buckets", f"Two buckets cannot both be restored as {twice[0]!r}. Give each a name.")
    return names


def _target(value: object) -> TargetText | None:
    if value is None:
        return None
    members = value if isinstance(value, Mapping) else {}
    if set(members) != set(_TARGET_MEMBERS) or not all(isinstance(text, str) and text for text in members.values()):
        raise InvalidParameter(
            "target",
            "A target has url, org and token_env, the name of the environment variable with its token. "
            "Leave `target` out for the gateway's own store.",
        )
    return TargetText(members["url"], members["org"], members["token_env"])
