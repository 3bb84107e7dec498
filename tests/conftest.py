"""What holds for the whole suite: time is never asserted, so hypothesis has no deadlines."""

from hypothesis import settings

settings.register_profile("tidegate", settings(), deadline=None)
settings.load_profile("tidegate")
