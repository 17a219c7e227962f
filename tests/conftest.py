"""Settings for all tests."""

import os

from hypothesis import HealthCheck, settings

# No time limit an example: these machines are noisy, and speed is what bench/ measures. In CI the
# examples are the same at every run; everywhere else they are new ones.
settings.register_profile(
    "all",
    deadline=None,
    derandomize=bool(os.environ.get("CI")),
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("all")
