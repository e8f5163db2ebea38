"""The examples of docs/client.md as people copy them, in Chromium and in Firefox."""
