"""The JSON Schema files are in step with the structs and say what the decoder says."""

import json

import jsonschema
import pytest

from schemas.json_schema import FOLDER, KINDS, generate

LINE = {"product_id": "85048", "quantity": 12, "unit_price": "6.95"}
NOW_MS = 1_291_900_000_000
PURCHASE = {"type": "purchase", "event_id": "o1", "event_time_ms": NOW_MS, "currency": "GBP", "lines": [LINE]}


def schema(name):
    return json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))


def test_the_files_are_what_is_generated(tmp_path):
    generated = {file.name: file.read_text(encoding="utf-8") for file in generate(tmp_path)}
    committed = {file.name: file.read_text(encoding="utf-8") for file in FOLDER.iterdir()}
    assert committed == generated, "run `python -m schemas.json_schema`"
    assert len(generated) == len(KINDS) == 33


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_each_file_is_a_schema(kind):
    jsonschema.Draft202012Validator.check_schema(schema(kind.__struct_config__.tag))


def test_a_good_purchase_is_valid_with_and_without_unknown_fields():
    jsonschema.validate(PURCHASE, schema("purchase"))
    jsonschema.validate({**PURCHASE, "till": 4}, schema("purchase"))
    jsonschema.validate({**PURCHASE, "type": "refund", "lines": [{**LINE, "quantity": -12}]}, schema("refund"))


@pytest.mark.parametrize(
    "changes",
    [
        {"type": "refund"},
        {"event_id": ""},
        {"event_id": "a\u0000"},
        {"event_time_ms": "now"},
        {"schema_version": 0},
        {"lines": []},
        {"lines": [{**LINE, "quantity": -1}]},
        {"lines": [{**LINE, "unit_price": 6.95}]},
        {"lines": [{**LINE, "unit_price": "NaN"}]},
        {"lines": [{**LINE, "discount": "-1"}]},
    ],
)
def test_a_bad_purchase_is_not_valid(changes):
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({**PURCHASE, **changes}, schema("purchase"))


def test_a_refund_of_nothing_is_not_valid():
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({**PURCHASE, "type": "refund", "lines": [{**LINE, "quantity": 0}]}, schema("refund"))
