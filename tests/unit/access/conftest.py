from tests.support.app_fixtures import app, assembly

__all__ = ["app", "assembly"]
