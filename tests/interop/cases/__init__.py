"""The cases, a module a theme."""
