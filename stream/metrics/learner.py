"""Metrics of a learner. Every name is declared here and nowhere else."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

REGISTRY = CollectorRegistry()

LABELS = Counter("ebb_learner_labels", "Labels learned from, by outcome.", ["outcome"], registry=REGISTRY)
EPOCH_DAY = Gauge("ebb_learner_epoch_day", "Last epoch day published.", registry=REGISTRY)
TRAIN_SECONDS = Histogram("ebb_learner_train_seconds", "Time to learn one batch of labels.", registry=REGISTRY)
LOG_LOSS = Gauge(
    "ebb_model_log_loss",
    "Log loss of a candidate on the scores stored with snapshots.",
    ["outcome", "candidate"],
    registry=REGISTRY,
)
AUC = Gauge(
    "ebb_model_auc",
    "ROC AUC of a candidate on the scores stored with snapshots.",
    ["outcome", "candidate"],
    registry=REGISTRY,
)
STORE_RETRIES = Counter(
    "ebb_learner_store_retries", "Attempts repeated because Redis did not answer.", registry=REGISTRY
)
UNREADABLE = Counter("ebb_learner_unreadable", "Records of the labels topic that are no label.", registry=REGISTRY)
