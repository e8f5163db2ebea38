"""An application: who was at a place, as events on its topic."""
