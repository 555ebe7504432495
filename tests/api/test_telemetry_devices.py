"""One object a device, silent fields, and names that would be two things' name; on both stores."""

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import unquote

import httpx
import pytest

from service.domain.schema import BucketSpec
from service.stores.protocol import Store
from tests.api.conftest import NOW_NS, Served, write

AGO = NOW_NS // 10**9 - 5
TS = NOW_NS // 10**6


@dataclass(frozen=True)
class Telemetry:
    """A gateway, and buckets on it whose names begin with `prefix`."""

    client: httpx.Client
    store: Store
    prefix: str

    def bucket(self, name: str, *lines: str) -> None:
        """A new bucket with `lines`, five seconds ago."""
        self.store.create_bucket(BucketSpec(self.prefix + name))
        body = "\n".join(f"{line} {AGO}" for line in lines)
        write(self.client, self.prefix + name, body, precision="s").raise_for_status()

    def latest(self, *buckets: str, **parameters: str) -> httpx.Response:
        named = [("bucket", self.prefix + name) for name in buckets]
        return self.client.get("/telemetry/latest", params=[*named, *parameters.items()])


@pytest.fixture(params=["embedded", "influx"])
def telemetry(request: pytest.FixtureRequest, serve: Callable[..., Served]) -> Telemetry:
    settings: dict[str, object] = {"cache_telemetry_s": 0}
    if request.param == "influx":
        influx = request.getfixturevalue("influx")
        settings |= {"influxdb_url": influx.url, "influxdb_token": influx.token, "influxdb_org": influx.org}
    client, parts = serve(**settings)
    return Telemetry(client, parts.store, secrets.token_hex(4))


def named(answer: httpx.Response, header: str) -> list[str]:
    return [unquote(name) for name in answer.headers.get(f"X-Fluxgate-{header}", "").split(",")]


def test_each_device_has_an_object_of_its_own(telemetry: Telemetry) -> None:
    telemetry.bucket("a", "real_pump,dev=A bar=1", "real_pump,dev=B rpm=2", "real_fan,dev=A rpm=3", "real_pump bar=4")
    answer = telemetry.latest("a", by="dev", missing="omit")
    assert answer.json() == {
        "(without dev)": [{"ts": TS, "values": {"real_pump": {"bar": 4.0}}}],
        "A": [{"ts": TS, "values": {"real_fan": {"rpm": 3.0}, "real_pump": {"bar": 1.0}}}],
        "B": [{"ts": TS, "values": {"real_pump": {"rpm": 2.0}}}],
    }
    assert named(answer, "Silent-Fields") == ["(without dev).real_pump.rpm", "A.real_pump.rpm", "B.real_pump.bar"]
    assert "X-Fluxgate-Merged-Series" not in answer.headers
    flat = telemetry.latest("a", by="dev", format="flat", measurement="real_fan")
    assert flat.json() == {"A": [{"ts": TS, "values": {"real_fan.rpm": 3.0}}]}


def test_nothing_in_the_look_back_is_no_device(telemetry: Telemetry) -> None:
    telemetry.bucket("a", "other,dev=A bar=1")
    assert telemetry.latest("a", by="dev").json() == {}
    assert telemetry.latest("a").json() == {"ts": TS, "values": {}}


def test_several_series_in_one_object_are_named(telemetry: Telemetry) -> None:
    telemetry.bucket("a", "real_pump,dev=A bar=1", "real_pump,dev=B rpm=2", "real_fan,dev=A rpm=3")
    answer = telemetry.latest("a")
    assert answer.json()["values"] == {"real_fan": {"rpm": 3.0}, "real_pump": {"bar": 1.0, "rpm": 2.0}}
    assert named(answer, "Merged-Series") == ["real_pump"]


@pytest.mark.parametrize(
    ("missing", "values"),
    [("zero", {"bar": 1.0, "rpm": 0.0}), ("null", {"bar": 1.0, "rpm": None}), ("omit", {"bar": 1.0})],
)
def test_a_silent_field_is_what_the_caller_wants_and_is_named(
    telemetry: Telemetry, missing: str, values: dict[str, float]
) -> None:
    telemetry.bucket("a", f"real_pump rpm=9 {AGO - 100}\nreal_pump bar=1")
    answer = telemetry.latest("a", missing=missing)
    assert answer.json()["values"] == {"real_pump": values}
    assert named(answer, "Silent-Fields") == ["real_pump.rpm"]


def test_a_silent_field_is_zero_when_nothing_else_is_said(telemetry: Telemetry) -> None:
    telemetry.bucket("a", f"real_pump rpm=9 {AGO - 100}\nreal_pump bar=1")
    assert telemetry.latest("a").json()["values"] == {"real_pump": {"bar": 1.0, "rpm": 0.0}}


def test_flat_names_that_would_be_equal_lose_nothing(telemetry: Telemetry) -> None:
    """One of the two was gone."""
    telemetry.bucket("a", "real.a b.c=1", "real a.b.c=2", "real d=3")
    answer, bucket = telemetry.latest("a", format="flat", missing="omit"), f"{telemetry.prefix}a"
    assert answer.json()["values"] == {
        f"{bucket}/real%2Ea.b%2Ec": 1.0,
        f"{bucket}/real.a%2Eb%2Ec": 2.0,
        "real.d": 3.0,
    }
    assert named(answer, "Renamed") == [f"{bucket}/real%2Ea.b%2Ec", f"{bucket}/real.a%2Eb%2Ec"]


def test_a_measurement_named_like_another_one_in_its_bucket_loses_neither(telemetry: Telemetry) -> None:
    """`bucket1/real_two` was one of the two."""
    first = f"{telemetry.prefix}bucket1"
    telemetry.bucket("bucket1", "real_two f=1")
    telemetry.bucket("other", "real_two f=2")
    telemetry.bucket("third", f"{first}/real_two f=3")
    answer = telemetry.latest("bucket1", "other", "third")
    names = [first + "/real_two", f"{telemetry.prefix}other/real_two", f"{telemetry.prefix}third/{first}/real_two"]
    assert answer.json()["values"] == {name: {"f": float(number)} for number, name in enumerate(names, 1)}
    assert named(answer, "Renamed") == sorted(names)


def test_a_measurement_called_latitude_is_not_the_coordinate(telemetry: Telemetry) -> None:
    telemetry.client.put("/config/coordinates", json={"latitude": 52.5}).raise_for_status()
    telemetry.bucket("a", "latitude f=1")
    values = telemetry.latest("a", measurement="latitude").json()["values"]
    assert values == {f"{telemetry.prefix}a/latitude": {"f": 1.0}, "latitude": 52.5}


def test_wrong_parameters_are_named(telemetry: Telemetry) -> None:
    telemetry.bucket("a", "real f=1")
    for parameters in ({"missing": "none"}, {"by": ""}, {"by": "dev", "format": "rows"}):
        refused = telemetry.latest("a", **parameters)
        assert (refused.status_code, refused.json()["parameter"]) == (422, next(iter(parameters)))
    assert telemetry.latest("a", missing="zero", format="rows").json()["parameter"] == "missing"
