"""The same definitions over a whole history: sources, replay and verification. Never reads Redis or runs Faust."""
