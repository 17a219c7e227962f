"""Settings for all tests."""

import os
import signal

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

# A shell without job control starts what it puts into the background with these two ignored, and
# jobs inherit that: a test of what they do with them would wait for ever.
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGQUIT, signal.SIG_DFL)
