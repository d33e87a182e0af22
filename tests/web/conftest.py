from tests.web.browser import chromium, watched  # noqa: F401  # fixtures
