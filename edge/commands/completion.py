"""`tidegate-edge completion`: the script that lets a shell complete our words."""

from protos.console import completion as command

__all__ = ["command"]
