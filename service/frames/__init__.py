"""Arrow record batches, and their way into and out of bytes."""
