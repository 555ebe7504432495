"""A killed process and a full disk, for real: what was acknowledged is there, and a batch is whole or absent."""

import subprocess
import sys
import time
from pathlib import Path

from service.domain.selection import Fn, Selection, Windows
from service.domain.timerange import TimeRange
from service.stores.embedded.store import EmbeddedStore
from tests.support.embedded_stores import BUCKET, NOON, open_store

ROOT = Path(__file__).parents[4]
BATCH = 20_000
WRITER = f"""
import os, resource, sys
from pathlib import Path
from tests.support.embedded_stores import BUCKET, NOON, floats, store_with_bucket
from service.errors import StoreFailed
store = store_with_bucket(Path(sys.argv[1]))
if sys.argv[2] == "full":
    resource.setrlimit(resource.RLIMIT_FSIZE, (3_000_000, resource.RLIM_INFINITY))
for number in range(1000):
    try:
        times = [NOON + (number * {BATCH // 2} + step) * 1_000_003 for step in range({BATCH // 2})]
        store.write(BUCKET, floats("m", 2, times))
    except StoreFailed as failed:
        print(failed.message, flush=True)
        os._exit(1)
    print("stored", flush=True)
"""


def write_in_another_process(directory: Path, how: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", WRITER, str(directory), how]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)


def stored(store: EmbeddedStore) -> int:
    reading = store.read(Selection(BUCKET, TimeRange(0, 2 * NOON), Windows(2 * NOON, Fn.COUNT)))
    return sum(sum(frame.column(1).to_pylist()) for block in reading.blocks for frame in block)


def test_a_killed_writer_leaves_whole_batches_and_all_that_it_acknowledged(tmp_path: Path) -> None:
    for turn in range(3):
        directory = tmp_path / str(turn)
        with write_in_another_process(directory, "on") as writer:
            assert writer.stdout is not None
            for _ in range(2 + turn):
                assert writer.stdout.readline() == "stored\n"
            time.sleep(0.007 * turn)
            writer.kill()
            acknowledged = 2 + turn + len(writer.stdout.read().splitlines())
        store = open_store(directory)
        found = stored(store)
        store.close()
        assert found % BATCH == 0
        assert acknowledged * BATCH <= found <= (acknowledged + 1) * BATCH


def test_a_full_disk_is_said_clearly_and_loses_nothing_acknowledged(tmp_path: Path) -> None:
    with write_in_another_process(tmp_path, "full") as writer:
        *acknowledged, refusal = writer.communicate(timeout=60)[0].splitlines()
    assert refusal.startswith(f"Could not write to {BUCKET!r}: ")
    assert "File too large" in refusal
    assert refusal.endswith("Check the free space and the health of the disk that holds DATA_DIR.")
    assert acknowledged
    store = open_store(tmp_path)
    assert stored(store) == len(acknowledged) * BATCH
    store.close()
