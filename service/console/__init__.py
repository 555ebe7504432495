"""What commands share that work through a running gateway: the connection to it, and jobs followed to their end."""
