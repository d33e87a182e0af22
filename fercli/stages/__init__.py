"""Pipeline stages: `stage(project, settings) -> result`. This is the Python API."""
