"""Pictures of numbers over time: what they show, and drawing them as SVG and PNG."""
