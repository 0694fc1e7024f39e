"""The learner process, put together from its settings. The only place outside `stream.learning` that loads River."""

from ebb.compose.starting import prepare, serve_metrics
from stream.learner.process import LearnerPlan, LearnerProcess
from stream.learner.teaching import Teacher
from stream.metrics.learner import REGISTRY
from stream.redis_store.registry import RedisModelStore
from stream.settings.learner import LearnerSettings
from stream.signing import Keyring
from stream.worker.chunk_app import Membership
from stream.worker.running import run_until_stopped


def run_learner(settings: LearnerSettings) -> None:
    """Run the learner until it is stopped.

    Raises:
        EbbError: Redis or Kafka is not what the settings say, or the learner refused to go on.
    """
    prepare(settings)
    serve_metrics(settings, settings.metrics_port, REGISTRY)
    plan = LearnerPlan(
        membership=Membership(settings.learner_group, settings.kafka_servers, settings.session_timeout_ms),
        partitions=settings.partitions,
        lockstep=settings.lockstep,
        publish_every_ms=settings.publish_every_ms,
        teacher=Teacher(
            RedisModelStore(settings.redis_url),
            Keyring.from_text(settings.model_keys),
            settings.predicted.outcomes,
            settings.score_budget_us,
        ),
    )
    run_until_stopped(lambda loop: LearnerProcess(plan, loop))
