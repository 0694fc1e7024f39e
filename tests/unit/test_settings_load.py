"""What a process says to right and wrong settings."""

import traceback

import msgspec
import pytest

from stream.errors import SettingError
from stream.settings.load import (
    load_common_settings,
    load_learner_settings,
    load_suite_settings,
    load_worker_settings,
)

KEYS = "new:" + "0a" * 32 + ",old:" + "ff" * 16


@pytest.fixture
def empty_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def worker(**environ: str):
    return load_worker_settings({"EBB_MODEL_KEYS": KEYS} | environ)


def refusal(load, **environ: str) -> str:
    with pytest.raises(SettingError) as caught:
        load(environ)
    return str(caught.value)


def test_without_any_variable_the_documented_defaults_hold():
    settings = load_common_settings({})
    assert settings.kafka_servers == ("127.0.0.1:9092",)
    assert settings.redis_url == "redis://127.0.0.1:6379/0"
    assert (settings.clock, settings.partitions, settings.currency, settings.categories) == ("live", 4, "GBP", ())


def test_values_come_in_the_type_of_their_field():
    settings = worker(
        EBB_KAFKA_SERVERS="a:9092, b:9093",
        EBB_CHUNK_RECORDS="7",
        EBB_ALERT_PROBABILITY=".9",
        EBB_CLOCK="replay",
        EBB_LOCKSTEP="true",
        EBB_CATEGORIES="garden, kitchen",
    )
    assert settings.kafka_servers == ("a:9092", "b:9093")
    assert (settings.chunk_records, settings.alert_probability, settings.lockstep) == (7, 0.9, True)
    assert settings.categories == settings.vocabulary.categories == ("garden", "kitchen")
    assert settings.vocabulary.genders == ()


def test_an_empty_value_counts_as_not_set():
    assert worker(EBB_CHUNK_RECORDS="").chunk_records == 4_000


def test_worker_and_learner_serve_metrics_on_different_ports_by_default():
    assert worker().metrics_port == 9464
    assert load_learner_settings({"EBB_MODEL_KEYS": KEYS}).metrics_port == 9465


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("EBB_KAFKA_SERVERS", "localhost", "'localhost' has no port. Write host:port, several separated by commas"),
        ("EBB_KAFKA_SERVERS", ":9092", "has no host"),
        ("EBB_KAFKA_SERVERS", "a:b", "has port 'b'"),
        ("EBB_KAFKA_SERVERS", "a:70000", "has port '70000'"),
        ("EBB_KAFKA_SERVERS", " , ", "names no server"),
        ("EBB_REDIS_URL", "localhost:6379", "does not begin with redis://"),
        ("EBB_REDIS_URL", "redis://", "names no host"),
        ("EBB_REDIS_URL", "redis://a:99999/0", "has no valid port"),
        ("EBB_REDIS_URL", "redis://a:6379/zero", "has database 'zero'"),
        (
            "EBB_REDIS_URL",
            "redis://a:6379/0?foo=bar",
            "='redis://a:6379/0?foo=***' has the option 'foo', which redis:// ",
        ),
        ("EBB_REDIS_URL", "rediss://a:6379/0?ssl_ca_cert=x", "takes client_name, db, health_check_interval, "),
        ("EBB_REDIS_URL", "redis://a:6379/0?ssl_ca_certs=x", "option 'ssl_ca_certs', which redis:// does not take"),
        ("EBB_REDIS_URL", "rediss://a:6379/0?ssl_keyfile=x", "has the option 'ssl_keyfile' without 'ssl_certfile'"),
        ("EBB_REDIS_URL", "redis+cluster://a:6379?db=0", "option 'db', which redis+cluster:// does not take"),
        ("EBB_CLOCK", "wall", "='wall' is not live or replay"),
        ("EBB_PARTITIONS", "0", "='0' is not a whole number of partitions from 1 to 1,024"),
        ("EBB_PARTITIONS", "four", "='four' is not a whole number"),
        ("EBB_CHUNK_RECORDS", "5_000", "is not a whole number of records from 1 to 50,000"),
        ("EBB_CHUNK_RECORDS", "-1", "is not a whole number"),
        ("EBB_ALERT_PROBABILITY", "nan", "='nan' is not a number from 0 to 1"),
        ("EBB_ALERT_PROBABILITY", "80", "='80' is not a number from 0 to 1"),
        ("EBB_CURRENCY", "pounds", "is not a currency code"),
        ("EBB_CATEGORIES", "a,b,c,d,e,f,g,h", "lists 8 names"),
        ("EBB_REGIONS", ",".join(map(str, range(255))), "lists 255 names"),
        ("EBB_CATEGORIES", "a,a", "lists a name twice"),
        ("EBB_LOCKSTEP", "maybe", "is not true or false"),
        ("EBB_LOCKSTEP", "true", "does not work with EBB_CLOCK='live'. Set EBB_CLOCK=replay"),
        ("EBB_ALERT_CLOSE_PROBABILITY", "0.9", "='0.9' is above EBB_ALERT_PROBABILITY='0.8'"),
        ("EBB_QUEUE_BYTES", "1000", "is above EBB_QUEUE_BYTES='1000'"),
    ],
)
def test_a_wrong_value_is_refused_with_key_value_and_remedy(name, text, says):
    message = refusal(load_worker_settings, EBB_MODEL_KEYS=KEYS, **{name: text})
    assert name in message
    assert says in message
    assert message.endswith("(docs/settings.md).")


def test_a_misspelt_setting_is_refused_with_the_nearest_name():
    assert refusal(load_common_settings, EBB_KAFKA_SERVER="a:9092") == (
        "EBB_KAFKA_SERVER is not a setting. The nearest is EBB_KAFKA_SERVERS; docs/settings.md lists all."
    )


def test_a_setting_of_another_process_is_known():
    assert load_common_settings({"EBB_CHUNK_RECORDS": "10", "EBB_REQUIRE_KAFKA": "1"}) == load_common_settings({})
    assert load_suite_settings({"EBB_REQUIRE_KAFKA": "1"}).require_kafka


def test_the_environment_wins_over_the_file(empty_folder, monkeypatch):
    (empty_folder / ".env").write_text("EBB_CURRENCY=EUR\nEBB_PARTITIONS=8\nOTHER=1\n")
    monkeypatch.setenv("EBB_CURRENCY", "USD")
    monkeypatch.setenv("EBB_PARTITIONS", "")
    settings = load_common_settings()
    assert (settings.currency, settings.partitions) == ("USD", 8)


def test_a_misspelt_setting_in_the_file_is_refused_too(empty_folder):
    (empty_folder / ".env").write_text("EBB_CURENCY=EUR\n")
    with pytest.raises(SettingError, match="EBB_CURENCY is not a setting"):
        load_common_settings()


def test_a_dollar_sign_in_the_file_stands_for_itself(empty_folder):
    (empty_folder / ".env").write_text("EBB_REDIS_URL=redis://:a${HOME}b@redis:6379/0\n")
    assert load_common_settings().redis_url == "redis://:a${HOME}b@redis:6379/0"


def test_a_file_that_is_no_utf_8_is_named(empty_folder):
    (empty_folder / ".env").write_text("EBB_PARTITIONS=8\n", encoding="utf-16")
    with pytest.raises(SettingError, match=r"\.env cannot be read: .*Save it as UTF-8"):
        load_common_settings()


@pytest.mark.parametrize(
    "line", ["EBB_CURRENCY: EUR", "EBB_CURRENCY EUR", 'EBB_CURRENCY="EUR', "export EBB_CURRENCY 'EUR"]
)
def test_a_line_of_the_file_that_says_nothing_is_no_default(empty_folder, line):
    (empty_folder / ".env").write_text(f"# of others\nOTHER: 1\n\n{line}\nEBB_PARTITIONS=8\n")
    with pytest.raises(SettingError, match=r"\.env, line 4: EBB_CURRENCY is not followed by a value") as caught:
        load_common_settings()
    assert "EUR" not in str(caught.value), "it may be a password"
    (empty_folder / ".env").write_text("OTHER: 1\nEBB_PARTITIONS=8 # EBB_CURRENCY\n")
    assert load_common_settings().partitions == 8


def test_settings_cannot_be_changed_afterwards():
    with pytest.raises(AttributeError):
        load_common_settings({}).partitions = 5


class TestModelKeys:
    """Where they come from, and that they do not show."""

    def test_they_come_from_the_variable(self):
        assert worker().model_keys == KEYS

    def test_or_from_the_file_one_a_line(self, empty_folder):
        (empty_folder / "keys").write_text("new:" + "0A" * 32 + "\nold:" + "ff" * 16 + "\n")
        assert load_learner_settings({"EBB_MODEL_KEYS_FILE": "keys"}).model_keys == KEYS

    def test_without_any_a_process_does_not_begin(self, empty_folder):
        assert refusal(load_worker_settings) == (
            "EBB_MODEL_KEYS is not set and EBB_MODEL_KEYS_FILE='.ebb/model-keys' cannot be read: "
            "No such file or directory. `ebb up` makes the file, or write key_id:hexadecimal, "
            "several separated by commas into EBB_MODEL_KEYS (docs/settings.md)."
        )

    def test_but_a_lookup_does(self, empty_folder):
        assert load_common_settings({}).partitions == 4

    @pytest.mark.parametrize(
        ("text", "says"),
        [
            ("ab" * 32, "has no key id"),
            ("ab" * 16, "has no key of at least 16 bytes in hexadecimal in entry 1"),
            ("old:" + "ab" * 16 + "," + "ab" * 8, "in hexadecimal in entry 2"),
            ("a:xyz", "has no key of at least 16 bytes in hexadecimal in entry 1"),
            ("a:" + "ab" * 15, "has no key of at least 16 bytes"),
            ("a:" + "ab" * 16 + ",a:" + "cd" * 16, "has a key id twice"),
        ],
    )
    def test_a_wrong_one_is_refused_without_being_shown(self, text, says):
        message = refusal(load_worker_settings, EBB_MODEL_KEYS=text)
        assert message.startswith("EBB_MODEL_KEYS='***' ")
        assert says in message
        assert "abab" not in message

    def test_a_file_without_keys_is_refused(self, empty_folder):
        (empty_folder / "keys").write_text("\n")
        assert refusal(load_worker_settings, EBB_MODEL_KEYS_FILE="keys").startswith(
            "EBB_MODEL_KEYS_FILE='keys' has no key."
        )


def test_no_secret_shows_in_the_text_of_settings_or_errors():
    settings = worker(EBB_REDIS_URL="redis://ebb:very-secret@redis:6379/0")
    assert "very-secret" not in repr(settings)
    assert "0a0a" not in repr(settings)
    assert "redis_url=redis://***@redis:6379/0" in repr(settings)
    assert "very-secret" not in refusal(load_common_settings, EBB_REDIS_URL="redis://ebb:very-secret@redis:6379/x")
    assert "very-secret" not in refusal(load_common_settings, EBB_REDIS_URL="ebb:very-secret@redis:6379/0")
    assert "very-secret" not in refusal(load_common_settings, EBB_REDIS_URL="redis://redis:6379/0?pasword=very-secret")
    assert "very" not in refusal(load_common_settings, EBB_REDIS_URL="redis://redis:6379/0?very-secret@redis:6379/0")
    secret = "-".join(("very", "secret"))  # which a traceback, that has these lines, does not show
    for left_bare in "/?#[":
        with pytest.raises(SettingError) as told:
            load_common_settings({"EBB_REDIS_URL": f"redis://ebb:{secret}{left_bare}x@redis:6379/0"})
        assert secret not in "".join(traceback.format_exception(told.value))
    of_cluster = refusal(load_common_settings, EBB_REDIS_URL="redis+cluster://ebb:very-secret@redis:6379/7")
    assert of_cluster.startswith("EBB_REDIS_URL='redis+cluster://***@redis:6379/7' has database '7'")
    assert msgspec.structs.asdict(settings)["redis_url"] == "redis://ebb:very-secret@redis:6379/0"
