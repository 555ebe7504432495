"""Which InfluxDB answers: what its headers say, which stand on every answer of its API."""

from service.errors import printable_line
from service.stores.influx.transport import Transport

_LONGEST_VERSION = 100


def server_version(transport: Transport) -> str:
    """`influxdb 2.9.1`, or what the build calls itself, as in `influxdb dev`; `influxdb cloud` without a version.

    Raises StoreError, as any other authenticated question.
    """
    reply = transport.open("GET", "/api/v2/buckets", {"limit": "1", "org": transport.org})
    reply.read()
    headers = {name.lower(): value for name, value in reply.headers.items()}
    version = printable_line(headers.get("x-influxdb-version", ""))[:_LONGEST_VERSION]
    is_cloud = headers.get("x-influxdb-build", "").lower() == "cloud"
    if is_cloud or not version:
        return f"influxdb cloud {version}".rstrip()
    return f"influxdb {version.removeprefix('v')}"
