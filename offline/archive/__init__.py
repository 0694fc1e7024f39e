"""The logs kept as Parquet files: what Kafka forgets after a week, and what Redis is rebuilt from."""
