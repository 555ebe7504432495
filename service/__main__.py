"""`python -m service` is `fluxgate`."""

from service.cli import main

if __name__ == "__main__":
    main()
