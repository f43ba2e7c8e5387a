"""The outside world: commands, the worker loop, transports, files, metrics."""
