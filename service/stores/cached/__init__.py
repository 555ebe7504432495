"""A store around a store that keeps the settled windows of reads, and asks only for what is missing."""
