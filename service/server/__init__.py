"""The HTTP/1.1 server below the application: uvicorn's, with bounds on heads and connections."""
