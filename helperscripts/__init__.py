"""Who asks: the click CLI, the demo, and the wiring that hands the world to the core."""
