"""Every error Ebb raises on purpose. A message says what, which value, where, and what to do."""


class EbbError(Exception):
    """Something a person can act on; its text is the whole message."""


class SettingError(EbbError):
    """A setting has a value Ebb cannot work with."""


class RebuildingError(SettingError):
    """Redis is being filled from an archive and is not whole yet."""


class ReplacedError(EbbError):
    """A worker that was started later runs under this one's instance id."""


class OvertakenError(EbbError):
    """Another learner has saved more than this one has learned."""


class LayoutError(EbbError):
    """Stored data was written by another layout of Ebb."""


class StoreUnavailableError(EbbError):
    """Redis cannot be reached or refuses to work."""


class StoreEmptiedError(EbbError):
    """Redis has nothing of a partition any more that had been applied to it."""


class BrokerUnavailableError(EbbError):
    """Kafka cannot be reached or does not take a message."""


class UnknownCustomerError(EbbError):
    """No event of this customer has been applied."""


class LogRecreatedError(EbbError):
    """A topic ends before the position that Redis has applied."""


class TopicChangedError(EbbError):
    """A topic has another number of partitions than the deployment, or is not there any more."""


class MessageTooLargeError(EbbError):
    """A topic that Ebb writes to takes smaller messages than Ebb sends."""


class ModelRefusedError(EbbError):
    """A model is unsigned, wrongly signed, truncated, or of another layout."""


class SourceError(EbbError):
    """A history file cannot be read as the source it was said to be."""


class ServiceError(EbbError):
    """An embedded or test service did not start, or its port is taken."""


class OfflineError(EbbError):
    """A history cannot answer what was asked of it, or an optional package that this needs is missing."""
