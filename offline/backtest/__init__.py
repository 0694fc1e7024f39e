"""How well an outcome was predicted over a history: the online model of each moment beside batch models and rules."""
