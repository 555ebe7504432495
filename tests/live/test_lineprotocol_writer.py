"""A bucket of a real InfluxDB, copied into another one by folded points: equal to the bit."""

import secrets

import pytest

from service.domain.schema import BucketSpec
from service.domain.selection import Selection
from service.domain.timerange import EARLIEST_NS, EVER, LATEST_NS
from service.lineprotocol.names import quote_field, quote_measurement, quote_tag
from service.lineprotocol.unwritable import UnwritableValues
from service.lineprotocol.writer import write_block
from service.stores.influx.store import InfluxStore
from service.stores.protocol import WriteOutcome
from tests.support.rows import at, read
from tests.support.servers import InfluxServer

pytestmark = pytest.mark.live
NOON = at("2024-01-01T12:00:00Z")
MONTH_LATER = at("2024-02-01T12:00:00Z")
HOSTILE = [
    "a b",
    "a,b",
    "a=b",
    'say "hi"',
    "it's",
    "back\\slash",
    "a\\\\b",
    "/.*/",
    "{{x}}",
    "🌡 naïve",
    "_value",
    "_time",
    "Time",
    "tab\tx",
    "#x",
    "é",
]


def copy(store: InfluxStore, bucket: str) -> tuple[str, list[UnwritableValues]]:
    """The name of a new bucket with all that could be written, and what could not."""
    name, unwritable = f"copy {secrets.token_hex(6)}", []
    store.create_bucket(BucketSpec(name))
    for block in store.read(Selection(bucket, EVER, complete_rows=True)).blocks:
        result = write_block(block)
        assert store.write(name, result.points) == WriteOutcome(len(result.points))
        unwritable += result.unwritable
    return name, unwritable


def hostile_lines() -> bytes:
    """Each name as a measurement, tag key, tag value, field and text at once."""
    found = []
    for number, name in enumerate(HOSTILE):
        measurement = quote_measurement(f"m{name}")
        text = name.replace("\\", "\\\\").replace('"', '\\"').encode()
        found.append(
            b'%s,%s,z=1 %s=%d,g="%s" %d'
            % (measurement, quote_tag(name, name), quote_field(name), number, text, NOON + number)
        )
        found.append(b"%s,z=1 g=%s %d" % (measurement, b'"%s"' % text, NOON))
        found.append(b"numbers,%s %s=%di %d" % (quote_tag(name, name), quote_field(name), number, NOON))
    return b"\n".join(found)


def test_every_type_and_any_name_is_copied_exactly(
    store: InfluxStore, influx: InfluxServer, influx_bucket: str
) -> None:
    floats = [
        "-0.0",
        "5e-324",
        "1e300",
        "1.7976931348623157e308",
        "0.1",
        "0.30000000000000004",
        "7",
        "1e-05",
        "123456789.12345679",
    ]
    typed = "".join(
        f"typed,host=h{n % 3} f={value},i={n - 4}i,u={2**64 - 1 - n}u,b={'tf'[n % 2]} {NOON + n}\n"
        for n, value in enumerate(floats)
    )
    typed += (
        f"typed,host=h1 i={-(2**63)}i {NOON - 1}\ntyped i={2**63 - 1}i {-1}\n"
        f"typed b=t {EARLIEST_NS}\ntyped b=f {LATEST_NS}\n"
    )
    texts = "".join(
        f'texts,host=a s="{text}",n={n}i {NOON + n}\n'
        for n, text in enumerate(["", " ", "a\nb", "a\r\nb", '\\"', "\\\\", "=,", "🌡"])
    )
    mixed = (
        f"mixed,f=tag f=1.5,g=1i {NOON}\nmixed,f=tag f=7i,g=2i {MONTH_LATER}\n"
        f'mixed f="text" {-NOON}\nmixed f=true {2 * NOON}\nmixed f=9u 5\n'
    )
    influx.write(influx_bucket, (typed + texts + mixed).encode() + hostile_lines())
    name, unwritable = copy(store, influx_bucket)
    assert unwritable == []
    rows = read(store, influx_bucket, EVER)
    assert len(rows) > 4 * len(HOSTILE)
    assert read(store, name, EVER) == rows


def test_what_line_protocol_cannot_hold_is_named_and_the_rest_is_copied(
    store: InfluxStore, influx: InfluxServer, influx_bucket: str
) -> None:
    """A tag with a line feed comes into InfluxDB behind a backslash, and is not taken by the gateway."""
    influx.write(
        influx_bucket, f"m,host=a\\\nb f=1,g=2i {NOON}\nm,host=a\\\nb f=3 {NOON + 1}\nm,host=ab f=4 {NOON}\n".encode()
    )
    name, unwritable = copy(store, influx_bucket)
    assert read(store, name, EVER) == [one for one in read(store, influx_bucket, EVER) if one.tags == (("host", "ab"),)]
    assert sorted((one.series.tags, one.series.field, one.times_ns.tolist()) for one in unwritable) == [
        ((("host", "a\\\nb"),), "f", [NOON, NOON + 1]),
        ((("host", "a\\\nb"),), "g", [NOON]),
    ]
    assert all("line feed" in one.reason for one in unwritable)
