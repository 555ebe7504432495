"""One package per kind of job, with its routes and commands and the function that makes the kind."""
