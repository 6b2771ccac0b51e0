"""How a world changes: one class per area, put together in `world.py`."""
