"""Reads of six centuries on the clock of a zone: others are answered meanwhile, and each zone is looked at once."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import quote

import httpx

from tests.support.attacks import measured
from tests.support.gateways import KEY, Gateway

RANGE = "start=1677-10-01T00:00:00Z&stop=2262-01-01T00:00:00Z"


def test_a_hundred_reads_of_six_centuries_in_a_zone_hold_up_nobody(start_gateway: Callable[..., Gateway]) -> None:
    """Eight at a time, each took 0.35 s of the event loop: /health/live waited 14 s."""
    gateway = start_gateway()
    with httpx.Client(base_url=gateway.url, headers={"X-API-Key": KEY}, timeout=60) as http, measured(gateway) as cost:

        def ask(every: str) -> int:
            return http.get(f"/buckets/x?{RANGE}&every={every}&tz={quote('Europe/Berlin')}").status_code

        with ThreadPoolExecutor(8) as pool:
            statuses = set(pool.map(ask, ["1s", "4h"] * 50))
    assert statuses == {422}
    assert cost.longest_health_wait_s < 3
    assert cost.cpu_s < 10, "100 times 0.35 s before"
