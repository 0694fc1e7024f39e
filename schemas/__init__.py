"""What travels on Kafka: events, profiles, clock records, messages; and how they are read (docs/events.md)."""
