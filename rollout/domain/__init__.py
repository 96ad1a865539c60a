"""Values and pure rules of a rollout; no clock, no file, no network."""
