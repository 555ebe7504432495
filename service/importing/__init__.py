"""An import under way: posts to a gateway in order, what was refused, and where it goes on after an interruption."""
