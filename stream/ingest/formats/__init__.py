"""How the bytes of a source become values: JSON, or Avro with a schema registry."""
