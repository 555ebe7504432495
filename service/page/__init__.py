"""The page for people at `/`: static files without a build step, which use nothing but the public API."""
