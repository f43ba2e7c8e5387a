"""The registry of baselines, over MLflow: the only place that imports it, and only when it is used."""
