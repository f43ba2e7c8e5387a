"""Seeded worlds whose change points are known, to measure what a monitor notices."""
