"""Where a journal can't be: on a network file system, whose locks and shared memory end at the
machine, so that SQLite's WAL breaks; or mounted as a file without its folder, apart from its -wal.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

__all__ = ["MOUNTS", "fault_of"]

MOUNTS = Path("/proc/self/mountinfo")
"""Linux alone tells; elsewhere this file does not exist."""

_NETWORK = re.compile(
    r"nfs4?|cifs|smb3|smbfs|afs|coda|ncpfs|lustre|gpfs|gfs2|ocfs2|orangefs|beegfs|ceph|glusterfs|"
    r"fuse\.(sshfs|ceph|ceph-fuse|glusterfs|beegfs|moosefs|juicefs|seaweedfs|rclone|s3fs|goofys|"
    r"mount-s3|gcsfuse|davfs2|curlftpfs|smbnetfs)"
)
"""Not the others: overlays, tmpfs, virtiofs, 9p (also a sandboxed container's own root), folders
that are encrypted or merged.
"""


def fault_of(path: Path, device: int, mounts: str) -> str | None:
    """Why a journal can't be at this path, on this device; None if it can, or nobody knows.

    ``mounts`` is the text of ``MOUNTS``.
    """
    number = f"{os.major(device)}:{os.minor(device)}"
    for entry in mounts.splitlines():
        place, _, source = entry.partition(" - ")
        fields = place.split(" ")
        if len(fields) < 5:
            continue
        kind = source.split(" ")[0]
        if fields[2] == number and _NETWORK.fullmatch(kind):
            return f"it is on a network file system ({kind}), where SQLite's locks don't work"
        if _unescaped(fields[4]) == str(path):
            return "it is mounted as a single file, apart from its -wal: mount its folder instead"
    return None


def _unescaped(text: str) -> str:
    """The path behind mountinfo's escapes, such as ``\\040`` for a space."""
    return re.sub(r"\\(\d{3})", lambda found: chr(int(found[1], 8)), text)
