"""Published data sets and class folders to rows."""
