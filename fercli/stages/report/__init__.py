"""`fer report`: a project and a run to one HTML page."""
