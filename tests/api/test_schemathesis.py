"""Whatever the OpenAPI document allows, and what it does not, never ends in a 5xx."""

import contextlib
from collections.abc import Callable

import httpx
import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error

from tests.api.conftest import KEY, Served, fill

EXAMPLES = 40
ENDLESS = {"/telemetry/stream"}
"""Routes whose good answers have no end: only their status is looked at."""

schemathesis.serializer.alias("application/x-tar", "application/octet-stream")


@pytest.mark.timeout(400)
def test_nothing_ends_in_a_server_error(serve: Callable[..., Served]) -> None:
    client, parts = serve(max_failed_tries=1_000_000, max_windows=10_000)
    fill(client, parts)
    document = schemathesis.openapi.from_dict(httpx.get(f"{client.base_url}/openapi.json").json())
    statuses: dict[str, set[int]] = {}
    for found in document.get_all_operations():
        operation = found.ok()
        for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):
            _try(operation, mode, str(client.base_url), statuses.setdefault(operation.label, set()))
    assert all(statuses.values()), statuses
    assert {status for seen in statuses.values() for status in seen if status >= 500} == set()


def _try(operation: schemathesis.schemas.APIOperation, mode: GenerationMode, url: str, statuses: set[int]) -> None:
    @settings(
        max_examples=EXAMPLES, deadline=None, database=None, derandomize=True, suppress_health_check=list(HealthCheck)
    )
    @given(operation.as_strategy(generation_mode=mode))
    def check(case: schemathesis.Case) -> None:
        case.headers = {**(case.headers or {}), "X-API-Key": KEY}
        try:
            if operation.path in ENDLESS:
                with requests.request(**case.as_transport_kwargs(base_url=url), stream=True, timeout=20) as begun:
                    statuses.add(begun.status_code)
                return
            answer = case.call(base_url=url, timeout=20)
        except (requests.exceptions.InvalidHeader, requests.exceptions.InvalidURL, UnicodeError, ValueError):
            return  # what no client can send
        statuses.add(answer.status_code)
        case.validate_response(answer, checks=[not_a_server_error])

    with contextlib.suppress(Unsatisfiable):  # an operation without parameters cannot be asked wrongly
        check()
