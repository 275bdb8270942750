"""Text files as people save them: UTF-8, with or without the mark that some editors put first. Knows nothing of what they say."""

from pathlib import Path

from promptatlas.base.errors import UserError

# What other encodings begin with; a text that is not all Western has these zeros as well.
WIDE = (b"\xff\xfe", b"\xfe\xff", b"\0\0\xfe\xff")


def read(path: Path) -> str:
    """The text at `path`. UserError if it is saved in another encoding; OSError if it cannot be read."""
    content = Path(path).read_bytes()
    try:
        if content.startswith(WIDE) or b"\0" in content[:4]:
            raise UserError(f"{path} is saved as UTF-16 or UTF-32; save it as UTF-8 and run again")
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise UserError(f"{path} is not saved as UTF-8 (see line {line}); save it as UTF-8 and run again") from None


def required(path: Path) -> str:
    """The same. UserError too if it cannot be read."""
    try:
        return read(path)
    except OSError as error:
        raise unreadable(path, error) from None


def lines(path: Path) -> tuple[str, ...]:
    """The lines of a text that say something, such as names, without spaces around. UserError as `required`."""
    return tuple(line.strip() for line in required(path).splitlines() if line.strip())


def unreadable(path: Path, error: OSError) -> UserError:
    return UserError(f"{path} cannot be read ({error.strerror}); see that it is a readable file")
