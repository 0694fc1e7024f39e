"""A deployment's history: kept in an archive, and Redis made again from it."""
