"""What a plan's gates will tell, before it runs: how surely, how soon, at what cost in requests."""
