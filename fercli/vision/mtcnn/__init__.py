"""Face detection with MTCNN."""
