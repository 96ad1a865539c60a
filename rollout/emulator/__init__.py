"""An emulator of Azure ML's online endpoints: Azure's REST over HTTPS, a local endpoint behind it."""
