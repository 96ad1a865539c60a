"""The embedded endpoint: Envoy and real scoring servers on this machine."""
