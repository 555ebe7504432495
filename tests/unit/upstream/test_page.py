"""docs/upstream.md is held against the code: each member is in it, and its payloads are what is sent."""

import re
from pathlib import Path

import pytest
import yaml
from pydantic import BaseModel

from service.config.token_variables import TokenVariables
from service.domain.bisection import ENOUGH_PARTS, ENOUGH_VALUES, MOST_REFUSALS, Cause
from service.domain.schema import FieldType
from service.domain.timerange import parse_range
from service.upstream.answer_config import AcceptText, ItemsText
from service.upstream.auth_config import BasicText, BearerText, ClientCertificateText, HeaderText, OAuth2Text
from service.upstream.client import MOST_ANSWER_BYTES
from service.upstream.config import IdempotencyText, UpstreamText
from service.upstream.documents import Documents
from service.upstream.posting import MOST_TRIES, REPEAT_HEADER
from service.upstream.rules import UpstreamRules
from tests.support.sample_blocks import Row
from tests.support.upstream_batches import batch_of, configured

PAGE = (Path(__file__).parents[3] / "docs" / "upstream.md").read_text()
MODELS = [
    UpstreamText,
    AcceptText,
    ItemsText,
    IdempotencyText,
    ClientCertificateText,
    BearerText,
    BasicText,
    HeaderText,
    OAuth2Text,
]
NEW_YEAR_NS = 1_767_225_600_000_000_000
TAGS = (("room", "n1"),)
ROWS = [
    Row(NEW_YEAR_NS, 20.5, "temperature", "climate", TAGS),
    Row(NEW_YEAR_NS + 1, 20.0, "temperature", "climate", TAGS),
    Row(NEW_YEAR_NS, 41, "humidity", "climate", TAGS, FieldType.INTEGER),
]
BLOCKS = re.findall(r"```(\w+)\n(.*?)```", PAGE, re.DOTALL)


@pytest.mark.parametrize("model", MODELS)
def test_every_member_is_in_the_page(model: type[BaseModel]) -> None:
    assert [name for name in model.model_fields if not re.search(rf"\b{name}\b", PAGE)] == []


@pytest.mark.parametrize("payload", ["sensors", "thingsboard", "ndjson", "lineprotocol"])
def test_the_examples_of_payloads_are_what_is_sent(payload: str) -> None:
    window = parse_range("2026-01-01T00:00:00Z", "2026-01-01T01:00:00Z")
    document = Documents(configured(payload=payload), lambda *_: None).of(batch_of(ROWS, window))
    body = document.body(range(1) if payload == "ndjson" else range(len(document))).decode()
    assert body.strip() in [text.strip() for _, text in BLOCKS]


def test_the_examples_of_configuration_are_taken() -> None:
    variables = TokenVariables(environment={"FLUXGATE_TOKEN_VENDOR": "x"})
    texts = [yaml.safe_load(text) for language, text in BLOCKS if language == "yaml"]
    assert len(texts) == 2
    for members in texts:
        UpstreamText(**{"url": "https://a.test", **members.get("upstream", members)}).to_upstream(
            "plant", UpstreamRules(variables=variables)
        )


@pytest.mark.parametrize(
    "text",
    [
        f"when {ENOUGH_PARTS} separate parts",
        f"there are {ENOUGH_VALUES} or more",
        f"more than {MOST_REFUSALS:,} posts",
        f"at most {MOST_TRIES} times",
        f"{MOST_ANSWER_BYTES:,} bytes",
        f"`{REPEAT_HEADER}: possible`",
        *(f"`{cause.value}`" for cause in Cause),
    ],
)
def test_bounds_and_codes_are_those_of_the_code(text: str) -> None:
    assert text in PAGE
