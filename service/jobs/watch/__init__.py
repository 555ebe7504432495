"""The kind of job `watch`: it notices series without new points, and tells a webhook of each change."""
