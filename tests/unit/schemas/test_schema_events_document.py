"""docs/events.md is executed: its examples are decoded, its tables are complete."""

import json
import re
from functools import reduce
from operator import or_
from pathlib import Path
from typing import get_args

import jsonschema
import msgspec
import pytest

from schemas.decode import REASONS, DecodeRules, Rejection, decode
from schemas.events import OrderLine
from schemas.json_schema import FOLDER, KINDS
from schemas.products import Product
from schemas.topics import KINDS_OF, MESSAGES_OF

DOCUMENT = (Path(__file__).parents[3] / "docs" / "events.md").read_text(encoding="utf-8")
EXAMPLES = [json.loads(block) for block in re.findall(r"^```json\n(.*?)^```$", DOCUMENT, re.DOTALL | re.MULTILINE)]
TOPIC_OF = {
    kind.__struct_config__.tag: topic
    for topic, kinds in {**dict(reversed(KINDS_OF.items())), **MESSAGES_OF}.items()
    for kind in kinds
}
RULES = DecodeRules(currency="GBP")


def section(heading):
    return re.search(rf"^#+ {re.escape(heading)}\n(.*?)(?=^#)", DOCUMENT, re.DOTALL | re.MULTILINE)[1]


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example["type"])
def test_an_example_is_what_its_topic_carries(example):
    topic, value = TOPIC_OF[example["type"]], json.dumps(example).encode()
    if topic in KINDS_OF:
        time_ms = example.get("event_time_ms", example.get("time_ms"))
        assert not isinstance(decode(topic, value, time_ms, RULES), Rejection)
    else:
        msgspec.json.decode(value, type=reduce(or_, MESSAGES_OF[topic]))
    jsonschema.validate(example, json.loads((FOLDER / f"{example['type']}.json").read_text(encoding="utf-8")))


def test_every_kind_has_an_example():
    assert {example["type"] for example in EXAMPLES} == {kind.__struct_config__.tag for kind in KINDS} - {"product"}


@pytest.mark.parametrize("kind", [*KINDS, OrderLine], ids=lambda kind: kind.__name__)
def test_every_field_is_documented(kind):
    documented = set(re.findall(r"`(?:lines\[\]\.)?(\w+)`", DOCUMENT))
    assert set(kind.__struct_fields__) - documented == set()


@pytest.mark.parametrize("topic", [*KINDS_OF, *MESSAGES_OF])
def test_every_topic_is_documented(topic):
    assert f"`{topic}`" in DOCUMENT


def test_every_reason_is_documented_in_order():
    assert re.findall(r"^\| `(\w+)` \|", section("Records that cannot be applied"), re.MULTILINE) == list(REASONS)


def test_products_are_documented_as_a_schema_only():
    assert "no topic carries it yet" in section("Products")
    assert all(Product not in kinds for kinds in (*KINDS_OF.values(), *MESSAGES_OF.values()))


def test_every_engagement_kind_is_in_the_table():
    kinds = {kind.__struct_config__.tag for kind in KINDS_OF["events.engagement"]}
    assert set(re.findall(r"^\| `(\w+)` \|", section("`events.engagement`"), re.MULTILINE)) == kinds
    assert len(get_args(reduce(or_, KINDS_OF["events.engagement"]))) == 17
