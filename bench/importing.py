"""The import of a file of line protocol into a real InfluxDB, against the ingest of the same lines, prepared.

Prints rows of docs/benchmarks.md.

    .venv/bin/python -m bench.importing           (about two minutes)

Values as in TSBS: measurement cpu, 100 hosts, 3 tags, 10 float fields, over the last 30 days with nanosecond jitter.
The ingest posts bodies of 10,000 lines straight to the server, one after the other. The import is the command, from its
start to its end, through a gateway. Server, gateway and clients share this machine. The turns alternate.
"""

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from bench import measure
from bench.data import FIELDS, bodies_of
from bench.mirror import ingest, lines
from bench.serving import Gateway, gateway
from tests.support.servers import InfluxServer, running_influx

_VALUES = 2_000_000
_TURNS = 3
_TARGET_SHARE = 0.8
_MOST_MB = 150


def import_s(service: Gateway, server: InfluxServer, file: Path, bucket: str, folder: Path) -> tuple[float, float]:
    """Seconds of the whole command, and the largest size of its process in MB."""
    server.new_bucket(bucket)
    command = [sys.executable, "-m", "service", "import", str(file), "--bucket", bucket]
    settings = {"FLUXGATE_URL": service.url, "FLUXGATE_API_KEY": service.key, "XDG_CACHE_HOME": str(folder)}
    begun = time.perf_counter()
    process = subprocess.Popen(command, cwd=folder, env={**os.environ, **settings}, stdout=subprocess.DEVNULL)
    with measure.PeakMemory(process.pid) as memory:
        code = process.wait(600)
    assert code == 0, f"the import ended with {code}"
    return time.perf_counter() - begun, memory.peak_mb


def main() -> None:
    measure.title()
    with tempfile.TemporaryDirectory() as name, running_influx() as server:
        folder = Path(name)
        settings = {"INFLUXDB_URL": server.url, "INFLUXDB_TOKEN": server.token, "INFLUXDB_ORG": server.org}
        written = lines(_VALUES)
        bodies, file = list(bodies_of(written)), folder / "points.lp"
        file.write_bytes(b"\n".join(bodies) + b"\n")
        single = folder / "single.lp"
        single.write_text("m f=1 1\n")
        with gateway(folder / "gateway", settings) as service:
            _, idle_mb = import_s(service, server, single, "single", folder)
            ingest(server, "warm", bodies[:2])
            direct, imported, sizes = [], [], []
            for turn in range(_TURNS):
                direct.append(ingest(server, f"ingest {turn}", bodies))
                seconds, size_mb = import_s(service, server, file, f"import {turn}", folder)
                imported.append(seconds)
                sizes.append(size_mb)
        values = len(written) * len(FIELDS)
        rates = [values / statistics.median(turns) for turns in (imported, direct)]
        share = rates[0] / rates[1]
        figure = f"{rates[0]:,.0f} values/s, ingest of the same lines {rates[1]:,.0f}: {share:.2f} times"
        measure.row("import of line protocol", figure, f"{_TARGET_SHARE} times", share >= _TARGET_SHARE)
        more_mb = max(sizes) - idle_mb
        what = "memory of an import above one of a single line"
        measure.row(what, f"{more_mb:.0f} MB", f"{_MOST_MB} MB", more_mb <= _MOST_MB)


if __name__ == "__main__":
    main()
