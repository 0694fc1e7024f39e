"""What `ebb merge-customers` advises where ids have been merged into each other before."""

import pytest
import redis
from click.testing import CliRunner

from ebb.cli.identities import merge_customers
from schemas.partition import partition_of
from stream.identities.known import Identity, name_of, pack_identity
from stream.redis_store import keys
from tests.integration.stored_views import PARTITIONS, begin_deployment


@pytest.fixture
def chain(redis_url: str) -> str:
    """A Redis in which c1 was merged into c2, that into c3, and so was b."""
    begin_deployment(redis_url)
    with redis.Redis.from_url(redis_url) as client:
        for customer, into in (("c1", "c2"), ("c2", "c3"), ("b", "c3")):
            key = keys.identity(partition_of(customer, PARTITIONS))
            client.hset(key, name_of(customer), pack_identity(Identity(into=into)))
    return redis_url


@pytest.mark.parametrize(
    ("customer", "into", "said"),
    [
        ("c1", "c4", "ebb: 'c1' was merged into 'c2' already. Merge 'c3' instead, if you mean it.\n"),
        ("c1", "c3", "ebb: 'c1' and 'c3' are one customer already, 'c3'.\n"),
        ("c1", "b", "ebb: 'c1' and 'b' are one customer already, 'c3'.\n"),
    ],
)
def test_of_an_alias_of_an_alias_the_end_of_the_chain_is_named(chain: str, customer: str, into: str, said: str) -> None:
    result = CliRunner(env={"EBB_REDIS_URL": chain}).invoke(merge_customers, [customer, into])
    assert (result.exit_code, result.output) == (1, said)
