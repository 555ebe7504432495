"""Two hundred damages of a backup, twenty of them in an older one that it refers to: each is found, none restored."""

import json
import random
from collections.abc import Callable
from pathlib import Path

import pytest

from service.archive.local_folder import LocalFolder
from service.errors import BackupDamaged, FluxgateError, InvalidParameter, NotFound
from tests.support.backup_site import NOW, BackupSite, content, every_type, filled, put, slices, write
from tests.support.stores import Through, embedded_store

pytestmark = pytest.mark.timeout(400)
URL = "http://target.test:8086"
TARGET = {"url": URL, "org": "plant", "token_env": "FLUXGATE_TOKEN_TARGET"}
OF_FILES, OF_MANIFESTS, OF_OLDER = 150, 30, 20
Damage = Callable[[bytes, random.Random, bytes], bytes | None]


class LinklessFolder(LocalFolder):
    """A folder whose backups refer to older ones, as those on object storage do."""

    def link(self, source: str, path: str) -> bool:
        return False


def flipped(data: bytes, chance: random.Random, other: bytes) -> bytes:
    place = chance.randrange(len(data))
    return data[:place] + bytes([data[place] ^ (1 << chance.randrange(8))]) + data[place + 1 :]


def cut(data: bytes, chance: random.Random, other: bytes) -> bytes:
    return data[: chance.randrange(len(data))]


def longer(data: bytes, chance: random.Random, other: bytes) -> bytes:
    return data + data[: chance.randrange(1, len(data))]


def zeroed(data: bytes, chance: random.Random, other: bytes) -> bytes:
    start = chance.randrange(len(data) - 16)
    return data[:start] + bytes(16) + data[start + 16 :]


def swapped(data: bytes, chance: random.Random, other: bytes) -> bytes:
    return other


def missing(data: bytes, chance: random.Random, other: bytes) -> None:
    return None


DAMAGES: tuple[Damage, ...] = (flipped, cut, longer, zeroed, swapped, missing)


@pytest.fixture
def site(tmp_path: Path) -> BackupSite:
    """Two backups; most files of the second lie in the first."""
    site = filled(BackupSite(tmp_path, LinklessFolder(tmp_path / "backups")))
    site.environment["FLUXGATE_TOKEN_TARGET"] = "secret"
    site.backup()
    write(site.store, "plant a/b", "".join(every_type(NOW - (9 + day) * 86_400 * 10**9) for day in range(6)))
    site.backup()

    def must_not(*anything: object) -> bool:
        raise AssertionError("the target was touched")

    target = embedded_store(tmp_path / "target.duckdb")
    site.targets[URL] = Through(target, write=must_not, create_bucket=must_not, update_bucket=must_not)
    return site


def must_be_refused(site: BackupSite, path: str, backup: str, damaged: bytes | None) -> None:
    """With the file damaged, a restore is refused and names it; then the file is as it was."""
    good = content(site.destination, path)
    assert damaged != good
    if damaged is None:
        site.destination.delete(path)
    else:
        put(site.destination, path, damaged)
    try:
        with pytest.raises((BackupDamaged, NotFound)) as refused:
            site.restore(target=TARGET, backup=backup)
        assert path in refused.value.message or isinstance(refused.value, NotFound)
    finally:
        put(site.destination, path, good)


def test_two_hundred_damages_are_found_before_anything_is_written(site: BackupSite) -> None:
    chance = random.Random(12)
    newest = site.place.manifest(site.ids()[0])
    own = [entry.path for entry in slices(newest) if entry.backup == newest.backup_id]
    older = [entry.path for entry in slices(newest) if entry.backup != newest.backup_id]
    assert (len(own), len(older)) == (6, 6)
    for number, paths in enumerate([own] * OF_FILES + [older] * OF_OLDER):
        path = chance.choice(paths)
        good = content(site.destination, path)
        others = [other for other in (content(site.destination, path) for path in paths) if other != good]
        data = DAMAGES[number % len(DAMAGES)](good, chance, chance.choice(others))
        must_be_refused(site, path, newest.backup_id, data)
    manifest = f"{newest.backup_id}/manifest.json"
    for number in range(OF_MANIFESTS):
        good = content(site.destination, manifest)
        data = DAMAGES[number % len(DAMAGES)](good, chance, content(site.destination, f"{site.ids()[1]}/manifest.json"))
        must_be_refused(site, manifest, newest.backup_id, data)


@pytest.mark.parametrize("climbing", ["../../etc/passwd", "/etc/passwd", "a/../../b", ".hidden", "a//b"])
def test_a_manifest_with_a_path_that_climbs_is_refused(site: BackupSite, climbing: str) -> None:
    newest = site.place.manifest(site.ids()[0])
    path = f"{newest.backup_id}/manifest.json"
    document = content(site.destination, path)
    name = json.dumps(slices(newest)[-1].file).encode()
    assert name in document
    must_be_refused(site, path, newest.backup_id, document.replace(name, json.dumps(climbing).encode()))


def test_that_check_sees_a_restore_that_looks_at_nothing(site: BackupSite, monkeypatch: pytest.MonkeyPatch) -> None:
    """The planted bug: files are not checked before the first write."""
    monkeypatch.setattr("service.jobs.restore.file_checks.check_slice", lambda *anything: None)
    newest = site.place.manifest(site.ids()[0])
    path = slices(newest)[-1].path
    with pytest.raises(AssertionError, match="the target was touched"):
        must_be_refused(site, path, newest.backup_id, content(site.destination, path)[:-1])


def test_every_refusal_says_what_to_do(site: BackupSite) -> None:
    newest = site.ids()[0]
    for wrong in ({"backup": "nothing"}, {"buckets": ["x"]}, {"start": "x"}, {"target": {}}):
        with pytest.raises(FluxgateError) as refused:
            site.restore(**{"backup": newest, "target": TARGET, **wrong})
        assert isinstance(refused.value, (InvalidParameter, NotFound))
        assert len(refused.value.message) > 30
