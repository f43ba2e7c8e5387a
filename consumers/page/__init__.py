"""The model card as a page to read: one HTML file without scripts, which fetches nothing."""
