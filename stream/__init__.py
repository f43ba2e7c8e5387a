"""The stream, sans I/O: records, features, models, labels, the tasks. Deterministic."""
