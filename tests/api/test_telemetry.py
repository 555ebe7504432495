"""GET /telemetry/latest, as a platform that polls meets it."""

import threading
from collections.abc import Callable

import httpx

from service.api.deps import Parts
from service.domain.schema import BucketSpec
from tests.api.conftest import NOW_NS, Served, write

AGO = NOW_NS // 10**9


def start(serve: Callable[..., Served], *buckets: str, **changed: object) -> httpx.Client:
    client, parts = serve(cache_telemetry_s=0, **changed)
    for bucket in buckets:
        parts.store.create_bucket(BucketSpec(bucket))
    return client


def test_the_newest_value_of_each_field_whichever_series_and_silent_ones_zero(serve: Callable[..., Served]) -> None:
    client = start(serve, "a")
    lines = (
        f"real_power,m=1 p=1,q=5i {AGO - 20}\nreal_power,m=2 p=2,on=true {AGO - 10}\n"
        f"real_power,m=1 old=9 {AGO - 99}\nother p=7 {AGO - 1}"
    )
    write(client, "a", lines, precision="s").raise_for_status()
    assert client.get("/telemetry/latest").json() == {
        "ts": NOW_NS // 10**6,
        "values": {"real_power": {"on": 1.0, "old": 0.0, "p": 2.0, "q": 5.0}},
    }


def test_a_measurement_without_a_point_in_the_look_back_is_left_out(serve: Callable[..., Served]) -> None:
    client = start(serve, "a")
    write(client, "a", f"real_x f=1 {AGO - 31}", precision="s")
    assert client.get("/telemetry/latest").json()["values"] == {}
    assert client.get("/telemetry/latest?lookback=1m").json()["values"] == {"real_x": {"f": 1.0}}


def test_a_point_stamped_in_the_future_does_not_hide_the_present(serve: Callable[..., Served]) -> None:
    client = start(serve, "a")
    write(client, "a", f"real_x f=1 {AGO - 5}\nreal_x f=9 {AGO + 3600}", precision="s")
    assert client.get("/telemetry/latest").json()["values"] == {"real_x": {"f": 1.0}}


def test_coordinates_come_from_the_settings_and_change_at_run_time(serve: Callable[..., Served]) -> None:
    client = start(serve, "a", latitude=52.5, longitude=13.25)
    write(client, "a", f"real_x f=1 {AGO - 5}", precision="s")
    assert client.get("/telemetry/latest").json()["values"] == {
        "real_x": {"f": 1.0},
        "latitude": 52.5,
        "longitude": 13.25,
    }
    assert client.put("/config/coordinates", json={"latitude": -33.9}).json()["version"] == 1
    assert client.get("/telemetry/latest").json()["values"] == {
        "real_x": {"f": 1.0},
        "latitude": -33.9,
        "longitude": 13.25,
    }


def test_a_measurements_own_coordinates_stay_with_it(serve: Callable[..., Served]) -> None:
    client = start(serve, "a")
    lines = f"real_ship latitude=1.5,longitude=2.5,v=3 {AGO - 5}\nreal_mast,latitude=48.1,longitude=11.5 v=4 {AGO - 5}"
    write(client, "a", lines, precision="s")
    assert client.get("/telemetry/latest").json()["values"] == {
        "real_mast": {"latitude": 48.1, "longitude": 11.5, "v": 4.0},
        "real_ship": {"latitude": 1.5, "longitude": 2.5, "v": 3.0},
    }


def test_the_same_measurement_in_two_buckets_has_two_names(serve: Callable[..., Served]) -> None:
    client = start(serve, "a", "b/c")
    write(client, "a", f"real_x f=1 {AGO - 5}\nreal_y f=3 {AGO - 5}", precision="s")
    write(client, "b%2Fc", f"real_x f=2 {AGO - 5}", precision="s")
    assert client.get("/telemetry/latest").json()["values"] == {
        "a/real_x": {"f": 1.0},
        "b/c/real_x": {"f": 2.0},
        "real_y": {"f": 3.0},
    }
    assert client.get("/telemetry/latest?bucket=a").json()["values"] == {"real_x": {"f": 1.0}, "real_y": {"f": 3.0}}


def test_text_is_named_and_not_a_number(serve: Callable[..., Served]) -> None:
    client = start(serve, "a")
    write(client, "a", f'real_x f=1,state="ok" {AGO - 5}', precision="s")
    answer = client.get("/telemetry/latest")
    assert answer.json()["values"] == {"real_x": {"f": 1.0}}
    assert answer.headers["X-Fluxgate-Text-Fields"] == "real_x.state"


def test_other_shapes(serve: Callable[..., Served]) -> None:
    client = start(serve, "a", latitude=1.0)
    write(client, "a", f'real_x,m=1 f=1,s="ok" {AGO - 5}', precision="s")
    assert client.get("/telemetry/latest?format=flat").json()["values"] == {"real_x.f": 1.0, "latitude": 1.0}
    assert client.get("/telemetry/latest?format=rows").json()["rows"] == [
        {
            "bucket": "a",
            "measurement": "real_x",
            "tags": {"m": "1"},
            "field": "f",
            "time": "2026-01-01T11:59:55Z",
            "value": 1.0,
        },
        {
            "bucket": "a",
            "measurement": "real_x",
            "tags": {"m": "1"},
            "field": "s",
            "time": "2026-01-01T11:59:55Z",
            "value": "ok",
        },
    ]


def test_one_measurement_by_its_name_whatever_the_word(serve: Callable[..., Served]) -> None:
    client = start(serve, "a")
    write(client, "a", f"real_x f=1 {AGO - 5}\nplain f=2 {AGO - 5}", precision="s")
    assert client.get("/telemetry/latest?measurement=plain").json()["values"] == {"plain": {"f": 2.0}}


def test_wrong_parameters_are_422(serve: Callable[..., Served]) -> None:
    client = start(serve, "a")
    for query in ("format=xml", "lookback=0s", "lookbak=1m"):
        assert client.get(f"/telemetry/latest?{query}").status_code == 422, query
    assert client.get("/telemetry/latest?bucket=zzz").status_code == 404


def rows_read(parts: Parts) -> float:
    return parts.metrics.registry.get_sample_value("fluxgate_upstream_rows_total") or 0.0


def test_fifty_clients_at_once_cost_one_round(serve: Callable[..., Served]) -> None:
    client, parts = serve()
    parts.store.create_bucket(BucketSpec("a"))
    write(client, "a", f"real_x f=1 {AGO - 5}", precision="s")
    before = rows_read(parts)
    together, answers = threading.Barrier(50), []

    def ask() -> None:
        together.wait(10)
        answers.append(
            httpx.get(f"{client.base_url}/telemetry/latest", headers=client.headers, timeout=20).json()["values"]
        )

    threads = [threading.Thread(target=ask) for _ in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert answers == [{"real_x": {"f": 1.0}}] * 50
    assert rows_read(parts) - before <= 3
