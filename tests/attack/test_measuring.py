"""The measuring of attacks itself: a quiet gateway costs little, and a bare request is answered."""

from collections.abc import Callable

from tests.support.attacks import connection, head, measured, received, send_all, status_of
from tests.support.gateways import Gateway


def test_a_quiet_gateway_costs_little_and_answers_at_once(start_gateway: Callable[..., Gateway]) -> None:
    gateway = start_gateway()
    with measured(gateway) as cost, gateway.http() as http:
        assert http.get("/buckets").json() == {"buckets": []}
    assert cost.longest_health_wait_s < 5
    assert cost.rss_growth_mb < 100
    assert cost.threads_peak > 0
    assert cost.descriptors_peak > 0


def test_a_bare_request_is_answered(start_gateway: Callable[..., Gateway]) -> None:
    with connection(start_gateway()) as link:
        send_all(link, [head("GET", "/buckets", "Connection: close")])
        assert status_of(received(link)) == 200
