"""Agents that ask a language model, in place of the twelve: docs/agents.md, "With a language model"."""
