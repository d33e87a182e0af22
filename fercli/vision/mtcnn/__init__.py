"""Images to boxes and landmarks of faces, by the networks of MTCNN."""
