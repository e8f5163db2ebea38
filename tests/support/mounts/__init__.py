"""Applications of other frameworks that have a Twinwire mounted below /live, each as its documentation has it.

`/paid` publishes, without HTTP, and tells the event's id.
"""
