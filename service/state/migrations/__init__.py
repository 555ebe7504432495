"""Alembic's scripts: how a state database of any earlier version becomes the present one."""
