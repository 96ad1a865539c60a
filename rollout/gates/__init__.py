"""From measured intervals to a verdict with its reason."""
