"""The version: of the distribution, the command and the OpenAPI document. Below everything, so that all can ask."""

__version__ = "0.1.0"
