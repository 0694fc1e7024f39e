"""`ebb ingest --check`, by the example of docs/your-own-data.md and the maps of examples/."""

import json
import re
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner, Result

from ebb.cli import main
from stream.settings.load import load_ingest_settings
from stream.settings.logs import secrets_of
from tests.schema_registry import USER, framed, running_registry

ROOT = Path(__file__).parents[3]
EXAMPLES = ROOT / "examples" / "ingest"
SECTION = (ROOT / "docs" / "your-own-data.md").read_text().split("## Your own topics\n")[1].split("\n## ")[0]
NOW = {"EBB_LATEST_LEAD_MS": "86400000", "EBB_CURRENCY": "GBP"}


def check(map_file: Path, *arguments: str, **environ: str) -> Result:
    return CliRunner().invoke(main, ["ingest", "--map", str(map_file), *arguments], env=NOW | environ)


def test_the_example_of_the_documents_is_what_ebb_makes_of_it(tmp_path: Path):
    (map_text,) = re.findall(r"^```toml\n(.*?)^```$", SECTION, re.DOTALL | re.MULTILINE)
    sample, event = re.findall(r"^```json\n(.*?)^```$", SECTION, re.DOTALL | re.MULTILINE)
    assert map_text == (EXAMPLES / "webhook" / "map.toml").read_text()
    (tmp_path / "map.toml").write_text(map_text)
    (tmp_path / "sample.json").write_text(sample)
    result = check(tmp_path / "map.toml", "--check", str(tmp_path / "sample.json"), "--json")
    assert result.exit_code == 0, result.output
    found = json.loads(result.output)
    assert [each["value"] for each in found["events"]] == [json.loads(event)]
    assert (found["events"][0]["topic"], found["events"][0]["key"]) == ("events.purchases", "17850")


def test_samples_of_the_webhook_show_every_fate(tmp_path: Path):
    result = check(EXAMPLES / "webhook" / "map.toml", "--check", str(EXAMPLES / "webhook" / "samples.json"))
    assert result.exit_code == 1
    fates = [
        "purchase to events.purchases, partition 3, key 17850",
        "refund-1001-7",
        '"region":"UK","consent":true',
        "ignored: no [[event]] applies",
        "refused, invalid_field: currency: data.order.currency: 'usd'",
    ]
    for said in fates:
        assert said in result.output
    assert result.output.count("product_view to events.engagement") == 2


def test_an_avro_sample_is_read_through_the_registry(tmp_path: Path):
    schema = json.loads((EXAMPLES / "avro" / "receipt.avsc").read_text())
    position = {"article": 85048, "pieces": 2, "price": msgspec.convert("12.5000", type=Decimal)}
    receipt = {"number": "7", "card": None, "sold_at": 1_709_276_400_000, "positions": [position]}
    (tmp_path / "receipt.bin").write_bytes(framed(3, schema, receipt))
    (tmp_path / "auth").write_text(f"{USER}\n")
    with running_registry() as registry:
        registry.add(3, schema)
        environ = {"EBB_REGISTRY_URL": registry.url, "EBB_REGISTRY_AUTH_FILE": str(tmp_path / "auth")}
        map_file, sample = EXAMPLES / "avro" / "map.toml", str(tmp_path / "receipt.bin")
        result = check(map_file, "--check", sample, "--json", **environ)
        assert result.exit_code == 0, result.output
        (event,) = json.loads(result.output)["events"]
        lines = [{"product_id": "85048", "quantity": 2, "unit_price": "12.5000"}]
        assert (event["key"], event["value"]["lines"]) == ("till-7", lines)
        assert secrets_of(load_ingest_settings(environ)) == {USER, USER.partition(":")[2]}
    without = check(map_file, "--check", sample)
    assert (without.exit_code, "EBB_REGISTRY_URL is not set" in without.output) == (1, True)


@pytest.mark.parametrize("text", ["", "ftp://x", "http://", "http://ebb:pass@registry:8081"])
def test_a_wrong_registry_is_named_without_its_password(text: str):
    result = check(
        EXAMPLES / "avro" / "map.toml", "--check", str(EXAMPLES / "avro" / "map.toml"), EBB_REGISTRY_URL=text
    )
    assert result.exit_code == 1
    assert "EBB_REGISTRY_URL" in result.output
    assert "pass@" not in result.output
