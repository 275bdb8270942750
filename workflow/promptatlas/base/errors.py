"""The exceptions that are told in one sentence, without a traceback."""

import errno
import re

# Where a file that holds no result says why.
FAILED = "failed"

# What no result is to blame for, so that trying the next one makes no sense.
DISK = {
    errno.ENOSPC: "the disk is full",
    errno.EDQUOT: "the disk quota is used up",
    errno.EROFS: "the file system is read-only",
    errno.EACCES: "permission is denied",
    errno.EPERM: "permission is denied",
    errno.EIO: "the disk fails",
    errno.ESTALE: "the network file system lost the file",
}


# How a process ends that was interrupted, as by Ctrl-C, and what it says.
INTERRUPTED = 130
NOTHING_LOST = "interrupted; everything that is finished is kept, the same command goes on"


class UserError(Exception):
    """One clear sentence that names the file or key and what to do; shown without a traceback.

    Names of files are of any bytes, but the sentence can be printed and stored anywhere.
    """

    def __str__(self) -> str:
        return super().__str__().encode("utf-8", "backslashreplace").decode()


class Failed(UserError):
    """One result could not be computed; others can. `details`: where it happened, if the program is to blame."""

    def __init__(self, reason: str, details: str = "") -> None:
        super().__init__(reason)
        self.details = details


def cause(reason: str) -> str:
    """What is left of why a result failed without what it is made of, as in "source prompt failed: draw failed: no images"."""
    return re.sub(r"^(?:[a-z][a-z ]* failed: )+", "", reason)


def of_the_disk(error: BaseException) -> UserError | None:
    """What to tell if files can no longer be read or written; None if `error` is about anything else.

    Libraries that write in other languages say the error's number in their message only, and NumPy not even that.
    """
    text = str(error)
    told = re.search(r"\b(?:os error|errno) (\d+)", text, re.IGNORECASE)
    code = getattr(error, "errno", None) or (int(told[1]) if told else None)
    if isinstance(error, OSError) and re.fullmatch(r"\d+ requested and \d+ written", text):
        code = errno.ENOSPC
    if isinstance(error, UserError) or code not in DISK:
        return None
    place = getattr(error, "filename", None)
    return UserError(
        f"{DISK[code]}{f' ({place})' if place else ''}; remedy that, then run the same command again: everything that is finished is kept"
    )
