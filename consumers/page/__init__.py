"""Pages to read, a model card's and a replay's: each one HTML file without scripts, which fetches nothing."""
