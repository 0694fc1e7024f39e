"""What else is in the labels topic is told from labels before anybody learns: a learner would stop at it for ever."""

import msgspec
import pytest

from schemas.messages import EpochPassed
from schemas.misfits import MALFORMED
from stream.learner.reading import END_MS, read_label_record
from tests.unit.learner.teachers import labels

LABEL = labels(14_600, 1)[0]
PACKED = msgspec.json.encode(LABEL)
PASSED = EpochPassed(message_id="e", partition=0, sequence=1, day=14_600)


@pytest.mark.parametrize("record", [LABEL, PASSED, msgspec.structs.replace(LABEL, layout="older", columns=[1.0])])
def test_what_a_worker_writes_is_read(record):
    assert read_label_record(msgspec.json.encode(record)) == record


@pytest.mark.parametrize(
    "value",
    [
        None,
        b"",
        b"hello",
        PACKED.replace(b'"c0"', b'"c\xff"'),
        PACKED[:-1] + b',"more":' + b"[" * 100_000,
        msgspec.json.encode(msgspec.structs.replace(LABEL, columns=[1.0])),
        PACKED.replace(b'"snapshot_ms":0', b'"snapshot_ms":1' + b"0" * 30),
        msgspec.json.encode(msgspec.structs.replace(LABEL, matured_ms=END_MS)),
        msgspec.json.encode(msgspec.structs.replace(LABEL, snapshot_ms=-1)),
    ],
    ids=["nothing", "empty", "no JSON", "no UTF-8", "deep", "columns", "beyond 64 bits", "too late", "before 1970"],
)
def test_what_no_worker_writes_is_told_from_it(value):
    with pytest.raises(MALFORMED):
        read_label_record(value)
