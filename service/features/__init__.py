"""What each kind of job adds to the service, one package for each: routes, commands, and how it is made."""
