"""From values a source has sent to Ebb's events, by a declared map. Pure: no network, no clock, no metrics."""
