"""Well-known versions as data."""

PRESETS = {}
