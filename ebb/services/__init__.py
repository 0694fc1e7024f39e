"""Services on this machine: an embedded broker and Redis for the first five minutes, Apache Kafka for tests."""
