"""The topics fit together."""

from schemas.events import Purchase
from schemas.json_schema import KINDS
from schemas.products import Product
from schemas.topics import (
    CLOCK,
    INPUT_TOPICS,
    INVALID,
    KINDS_OF,
    LABELS,
    MESSAGES_OF,
    REPLAYED,
    REROUTED,
    SOURCE_TOPICS,
    TOPICS,
)
from schemas.units import DAY_MS

SPECS = {spec.name: spec for spec in TOPICS}


def test_every_topic_is_created_once():
    assert len(SPECS) == len(TOPICS) == 11
    assert set(SPECS) == {*KINDS_OF, *MESSAGES_OF, INVALID, REPLAYED}


def test_inputs_share_one_partition_count_and_take_8_mb():
    assert set(KINDS_OF) == set(INPUT_TOPICS) == {*SOURCE_TOPICS, REROUTED, CLOCK}
    assert all(SPECS[topic].partitions is None for topic in KINDS_OF)
    assert {SPECS[topic].config["max.message.bytes"] for topic in (*SOURCE_TOPICS, CLOCK)} == {"8388608"}


def test_a_dead_letter_has_room_for_the_largest_input_and_its_headers():
    assert SPECS[INVALID].config["max.message.bytes"] == str(8_388_608 + 65_536)


def test_the_labels_log_is_one_partition():
    assert SPECS[LABELS].partitions == 1


def test_whatever_names_a_customer_is_deleted_after_a_month_and_files_are_not_older_than_a_day():
    kept = {spec.name: int(spec.config["retention.ms"]) // DAY_MS for spec in TOPICS}
    assert {topic for topic, days in kept.items() if not 0 < days <= 30} == {REPLAYED}
    assert {spec.config["segment.ms"] for spec in TOPICS} == {str(DAY_MS)}


def test_every_kind_is_on_a_topic_and_has_a_schema_file():
    on_topics = {kind for kinds in (*KINDS_OF.values(), *MESSAGES_OF.values()) for kind in kinds}
    assert on_topics | {Product} == set(KINDS)
    assert Purchase in KINDS_OF[REROUTED]
