"""Questions in the middle of a run: asked by agents and commands, answered by people, or by their deadline."""
