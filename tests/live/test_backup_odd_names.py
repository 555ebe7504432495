"""Backups of what InfluxDB holds and cannot tell: named as missing, and everything else is taken."""

from pathlib import Path

from tests.support.backups import BackupRig, values_of
from tests.support.servers import InfluxServer
from tests.support.stores import influx_store

TIME_NS = 1_700_000_000_000_000_000


def test_a_measurement_whose_names_are_not_utf8_is_missing_and_the_others_are_taken(
    influx: InfluxServer, tmp_path: Path
) -> None:
    bucket = influx.new_bucket()
    lines = [b"m2 f\xfc=3 %d", b"m3,t\xfc=a f=1 %d", b"ok v=1 %d", "ö� v=2 %d".encode()]
    influx.write(bucket, b"\n".join(line % TIME_NS for line in lines))
    store = influx_store(influx)
    try:
        result = BackupRig(tmp_path, store).run(buckets=[bucket])
    finally:
        store.close()
    assert (result["state"], values_of(result)) == ("partial", {bucket: 2})
    reasons = [part["reason"] for part in result["missing"]]
    assert len(reasons) == 2
    assert all(any(name in reason for reason in reasons) for name in ("m2", "m3"))
