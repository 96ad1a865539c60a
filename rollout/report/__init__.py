"""What a person sees of a run: trees, tables, sentences."""
