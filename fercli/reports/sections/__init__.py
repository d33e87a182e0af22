"""What a project knows to the sections of its report."""
