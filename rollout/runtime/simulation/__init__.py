"""Whole rollouts in virtual time, against a model of an endpoint: nothing real is touched."""
