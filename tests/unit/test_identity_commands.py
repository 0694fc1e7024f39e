"""`ebb erase` and `ebb merge-customers` where no service is needed: ids that are none, receipts, and the archive."""

import json

import msgspec
import pytest
from click.testing import CliRunner

from ebb.cli.identities import erase, merge_customers
from ebb.cli.receipt_files import keep
from ebb.identities import IdentityError, naming, without_archived
from ebb.receipts import Receipt, ReceiptError, encode_receipt, signed
from ebb.services.ports import free_port
from offline.archive.files import ArchiveError, files, locked
from offline.archive.reading import read_batches
from offline.archive.records import ArchivedRecord, records_of
from offline.archive.writing import LogArchive
from schemas.topics import ENGAGEMENT
from stream.signing import Keyring

KEYS = "test:" + "5e" * 32
RECEIPT = signed(Receipt("17850", [], 7, 9, "events.profiles", 3, 412, {"states": 1}), Keyring.from_text(KEYS))


def run(command, *arguments, given=None):
    return CliRunner(env={"EBB_MODEL_KEYS": KEYS}).invoke(command, arguments, input=given)


@pytest.fixture
def nobody(monkeypatch):
    """Where Redis is said to be, nobody answers."""
    monkeypatch.setenv("EBB_REDIS_URL", f"redis://127.0.0.1:{free_port()}/0")


def test_a_customer_is_not_merged_into_itself():
    result = run(merge_customers, "17850", "17850")
    assert (result.exit_code, "Name two customers" in result.output) == (1, True)


@pytest.mark.parametrize("customer", ["", "\u00e9" * 65, "two\nlines", "\u202e"])
def test_what_is_no_id_is_refused(customer):
    result = run(merge_customers, "17850", customer)
    assert (result.exit_code, "is no customer id" in result.output) == (1, True)


def test_a_receipt_is_verified_and_a_changed_one_refused():
    good = run(erase, "--verify", "-", given=encode_receipt(RECEIPT))
    assert (good.exit_code, "17850" in good.output) == (0, True)
    changed = json.dumps(json.loads(encode_receipt(RECEIPT)) | {"offset": 1}).encode()
    assert run(erase, "--verify", "-", given=changed).exit_code == 1
    told = run(erase, "--verify", "-", "--json", given=changed)
    assert (told.exit_code, json.loads(told.output)["valid"]) == (1, False)


def test_a_customer_or_a_receipt_is_named():
    assert run(erase).exit_code == 2


def test_only_erasing_leaves_a_receipt_that_no_wait_does_without():
    helps = [" ".join(run(command, "--help").output.split()) for command in (erase, merge_customers)]
    assert ["Write the record and say where; no receipt." in each for each in helps] == [True, False]
    assert ["Write the record and say where" in each for each in helps] == [True, True]


def test_where_no_receipt_can_be_written_nothing_is_erased(tmp_path, nobody):
    (there := tmp_path / "there.json").write_text("an older receipt")
    for path, words in ((there, "exists, and no receipt"), (tmp_path / "no" / "folder.json", "No such file")):
        result = run(erase, "17850", "--receipt", str(path))
        assert (result.exit_code, words in result.output, "Nothing was erased" in result.output) == (1, True, True)
    assert there.read_text() == "an older receipt"


def test_an_erasure_that_fails_leaves_no_file_so_that_the_command_can_be_run_again(tmp_path, nobody):
    result = run(erase, "17850", "--receipt", str(tmp_path / "new.json"))
    assert (result.exit_code, "does not work" in result.output, list(tmp_path.iterdir())) == (1, True, [])


def test_a_receipt_that_cannot_be_written_any_more_is_printed(tmp_path, capsys):
    with pytest.raises(ReceiptError, match="17850 is erased, and the receipt could not"):
        keep(RECEIPT, tmp_path / "gone" / "new.json")
    assert capsys.readouterr().out.encode() == encode_receipt(RECEIPT) + b"\n"


def test_all_ids_of_a_person_leave_the_archive_and_the_receipt_counts_what_went(tmp_path):
    log = LogArchive(tmp_path, ENGAGEMENT, 0)
    log.add([_viewed(offset, who) for offset, who in enumerate(["17850", "visitor-7", "bob", "visitor-7"])])
    log.flush()
    done = without_archived(msgspec.structs.replace(RECEIPT, also=["visitor-7", "visitor-8"]), tmp_path)
    assert [record.key for record in records_of(read_batches(tmp_path, ENGAGEMENT, 0))] == [b"bob"]
    assert done.removed == {"states": 1, "archived_records": 3}


def test_without_waiting_there_is_no_archive_to_erase_from_and_no_receipt(tmp_path):
    for more in (["--archive", str(tmp_path)], ["--receipt", str(tmp_path / "new.json")]):
        refused = run(erase, "17850", "--no-wait", *more)
        assert (refused.exit_code, "leave out --archive and --receipt" in refused.output) == (2, True)


def test_an_archive_that_stays_busy_is_said_before_anybody_is_erased(tmp_path, nobody):
    with locked(tmp_path):
        busy = run(erase, "17850", "--archive", str(tmp_path), "--timeout", "0")
    assert (busy.exit_code, "is writing to" in busy.output, "Nothing was erased." in busy.output) == (1, True, True)
    assert "Redis" in run(erase, "17850", "--archive", str(tmp_path)).output, "then it is Redis that is asked for"


def test_all_ids_are_named_where_an_erasure_ends_half_way(tmp_path):
    log = LogArchive(tmp_path, ENGAGEMENT, 0)
    log.add([_viewed(0, "bob")])
    log.flush()
    (file,) = files(tmp_path, ENGAGEMENT, 0)
    file.path.write_bytes(b"damaged")
    receipt = msgspec.structs.replace(RECEIPT, also=["visitor-7"])
    said = r"erased from Redis, and not .*cannot be read.*'17850', 'visitor-7'\."
    with pytest.raises(IdentityError, match=said), naming(["17850", "visitor-7"]):
        without_archived(receipt, tmp_path)
    with pytest.raises(ArchiveError, match="run the same command again"), naming(["17850"]):
        without_archived(RECEIPT, tmp_path)


def _viewed(offset, who):
    event = {"type": "page_view", "event_id": str(offset), "customer_id": who, "event_time_ms": 5}
    return ArchivedRecord(offset, offset, who.encode(), json.dumps(event).encode())
