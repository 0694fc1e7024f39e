"""Processes put together: the only place that knows Redis, Kafka, models and settings at once."""
