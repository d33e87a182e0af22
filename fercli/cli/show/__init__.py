"""Results to tables and lines on the terminal, one module for each kind of result."""
