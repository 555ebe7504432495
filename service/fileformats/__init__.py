"""Files of points as people have them: unpacked, cut into blocks, and read as lines of line protocol or as rows."""
