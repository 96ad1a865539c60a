"""Other mixtures than the product's on the same traffic: what was tried to come nearer the oracle."""
