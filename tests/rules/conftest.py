"""How properties are tried here: as often as hypothesis likes, without a stopwatch, since machines are shared."""

from hypothesis import settings

settings.register_profile("rules", deadline=None, database=None)
settings.load_profile("rules")
