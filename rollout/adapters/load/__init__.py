"""Open-loop traffic for endpoints of any provider."""
