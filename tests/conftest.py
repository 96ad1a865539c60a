"""What holds for every test: nothing is judged by the time that it took."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

# The clock of a busy machine is not the code's fault: neither a slow example nor slow generation fails.
settings.register_profile("rollout", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("rollout")
