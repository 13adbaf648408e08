from small_tiles import command

__all__ = ["command"]
