"""How many rollouts one process can hold open, on each store."""
