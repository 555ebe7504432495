"""Every code of docs/errors.md has a class in the client, and every class its members."""

import re
from pathlib import Path

import pytest

import fluxgate_client
from fluxgate_client import errors
from fluxgate_client.errors import GatewayRefused, refusal

TABLE = (Path(__file__).parents[3] / "docs" / "errors.md").read_text()
CODES = [(code, int(status)) for code, status in re.findall(r"^\| `(\w+)` \| (\d{3}) \|", TABLE, re.MULTILINE)]
FAMILIES = {
    "bad_request": errors.BadRequest,
    "body_timeout": errors.BadRequest,
    "invalid_parameter": errors.InvalidParameter,
    "points_refused": errors.PointsRefused,
    "body_too_large": errors.TooLarge,
    "uri_too_long": errors.TooLarge,
    "unauthorized": errors.Unauthorized,
    "forbidden": errors.Forbidden,
    "unknown_bucket": errors.NotFound,
    "not_found": errors.NotFound,
    "version_conflict": errors.Conflict,
    "too_many_reads": errors.RateLimited,
    "too_many_failed_tries": errors.RateLimited,
    "store_busy": errors.Unavailable,
    "not_ready": errors.Unavailable,
    "store_failed": errors.StoreFailed,
    "store_timeout": errors.StoreFailed,
    "internal": errors.GatewayFailed,
}


def test_the_table_is_read() -> None:
    assert len(CODES) > 35
    assert FAMILIES.keys() <= dict(CODES).keys()


@pytest.mark.parametrize(("code", "status"), CODES)
def test_every_documented_code_is_raised_as_its_family(code: str, status: int) -> None:
    error = refusal(status, {"code": code, "detail": "Why."})
    assert type(error) is not GatewayRefused
    assert isinstance(error, FAMILIES.get(code, GatewayRefused))
    assert (error.code, error.status, str(error)) == (code, status, f"Why. ({status} {code})")
    assert type(error) is errors.GatewayFailed or status != 500


def test_every_class_is_exported_and_drawn() -> None:
    drawn = set(re.findall(r"(?:\|-- |`-- |^)(\w+)(?=   |$)", errors.__doc__ or "", re.MULTILINE))
    classes = {name for name, kind in vars(errors).items() if isinstance(kind, type) and issubclass(kind, Exception)}
    assert drawn == classes
    assert classes <= set(fluxgate_client.__all__)


def test_members_of_the_document_are_at_hand() -> None:
    unknown = refusal(404, {"code": "unknown_bucket", "near": ["Weather"], "request_id": "a1"})
    assert isinstance(unknown, errors.NotFound)
    assert (unknown.near, unknown.request_id) == (["Weather"], "a1")
    points = refusal(422, {"code": "points_refused", "stored": 3, "bad": [{"line": 2}], "refused": []})
    assert isinstance(points, errors.PointsRefused)
    assert (points.stored, points.bad, points.refused) == (3, [{"line": 2}], [])
    wrong = refusal(422, {"code": "invalid_parameter", "parameter": "fn", "allowed": ["mean"]})
    assert isinstance(wrong, errors.InvalidParameter)
    assert (wrong.parameter, wrong.allowed) == ("fn", ["mean"])
    assert type(refusal(418, {})) is errors.GatewayFailed
