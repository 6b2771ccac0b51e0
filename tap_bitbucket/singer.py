"""What this tap changes in the SDK's ``Stream``: bookmarks, selection of bulk, repeated messages.

Underscored names of the SDK are overridden here and in ``tap.py`` only; that is why
``pyproject.toml`` holds the SDK below its next minor version.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Generator
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from singer_sdk.exceptions import ConfigValidationError, MapExpressionError
from singer_sdk.helpers._catalog import get_selected_schema
from singer_sdk.helpers.conform import TypeConformanceLevel
from singer_sdk.mapper import StreamMap
from singer_sdk.singerlib import Catalog, MetadataMapping, RecordMessage
from singer_sdk.singerlib.catalog import Metadata
from singer_sdk.streams import Stream
from singer_sdk.streams._state import StreamStateManager

from tap_bitbucket.schemas import StreamSchema
from tap_bitbucket.selection import deselected, is_chosen, topmost
from tap_bitbucket.state import IndexedStateManager

if TYPE_CHECKING:
    from tap_bitbucket.tap import TapBitbucket

_NAME = re.compile(r"[\w-]+")
"""What can be told to Bitbucket as the name of a property."""


class SingerStream(Stream):
    """A stream whose bookmarks are the strategies' business."""

    TYPE_CONFORMANCE_LEVEL = TypeConformanceLevel.NONE
    """Values come from JSON as JSON types; ``rows.Fit`` handles the odd ones."""

    STATE_MSG_FREQUENCY = 1000

    _tap: TapBitbucket

    def __init__(self, tap: TapBitbucket, described: StreamSchema, name: str) -> None:
        """Set up the stream; nothing is read."""
        self._described = described
        super().__init__(tap, schema=described.published, name=name)
        self._cuts: list[tuple[str, ...]] | None = None
        self._keys_restored = False
        self._schema_written = False

    def log(self, message: str, *args: Any, level: int = logging.INFO, **kwargs: Any) -> None:
        """Log, but leave it to the tap to say once, at the end, why a run failed."""
        if message.startswith("An unhandled error occurred"):
            level = logging.DEBUG
        super().log(message, *args, level=level, **kwargs)

    @property
    def state_manager(self) -> StreamStateManager:
        """Return the SDK's state manager, with an index."""
        if self._state_manager is None:
            self._state_manager = IndexedStateManager(
                tap_name=self.tap_name, stream_name=self.name, tap_state=self._tap_state
            )
        return self._state_manager

    @property
    def metadata(self) -> MetadataMapping:
        """Return the catalog's metadata; bulk is not selected unless the catalog says so."""
        fresh = self._metadata is None
        metadata = super().metadata
        catalog = self._tap_input_catalog
        if fresh and catalog is not None and catalog.get_stream(self.tap_stream_id) is None:
            metadata.root.selected = False  # a catalog says what is wanted
            self._mask = None
        if fresh and self._tap_input_catalog is None:
            for path_ in self._described.unselected:
                breadcrumb = tuple(part for name in path_ for part in ("properties", name))
                if breadcrumb in metadata:
                    metadata[breadcrumb].selected_by_default = False
            self._mask = None
        return metadata

    def apply_catalog(self, catalog: Catalog) -> None:
        """Take over what a catalog selects; keys stay, for all that is read is found by them.

        Raises:
            ConfigValidationError: The catalog describes rows without a key.
        """
        keys, cursor = list(self.primary_keys or ()), self.replication_key
        super().apply_catalog(catalog)
        entry = catalog.get_stream(self.name)
        if entry is None:
            return
        self.primary_keys, self.replication_key = keys, cursor
        self._keys_restored = list(entry.key_properties or ()) != keys
        for key in keys:
            one = entry.metadata.get(("properties", key))
            if one is not None and one.inclusion is not Metadata.InclusionType.AUTOMATIC:
                one.inclusion, self._keys_restored = Metadata.InclusionType.AUTOMATIC, True
        lacking = [key for key in keys if key not in (entry.schema.properties or {})]
        if lacking and is_chosen(entry):
            message = (
                f"The catalog cannot be used: the schema of '{self.name}' lacks its key "
                f"'{lacking[0]}'. Make a new one with --discover."
            )
            raise ConfigValidationError(message, errors=[message])

    @property
    def stream_maps(self) -> list[StreamMap]:
        """Return the stream maps; those of what was not selected at first are made now."""
        mapper = self._tap.mapper
        if mapper is not None and (self._keys_restored or self.name not in mapper.stream_maps):
            self._keys_restored = False
            schema = get_selected_schema(self.name, self.effective_schema, self.mask)
            mapper.register_raw_stream_schema(self.name, schema, self.primary_keys)
        return super().stream_maps

    @property
    def cuts(self) -> list[tuple[str, ...]]:
        """Return the paths that are not selected."""
        if self._cuts is None:
            # A catalog may also name what no schema describes.
            named = [
                crumb[1::2]
                for crumb, selected in self.mask.items()
                if not selected and len(crumb) % 2 == 0 and set(crumb[::2]) == {"properties"}
                if all(map(_NAME.fullmatch, crumb[1::2]))
            ]
            self._cuts = topmost([*deselected(self._described, self.mask), *named])
        return self._cuts

    @property
    def emit_activate_version_messages(self) -> bool:
        """Never: the SDK sends ACTIVATE_VERSION before a pass, this tap after a complete one."""
        return False

    def get_replication_key_signpost(self, context: Any = None) -> None:  # noqa: ARG002
        """Return nothing: the strategies decide what a bookmark means."""
        return

    def _write_starting_replication_value(self, context: Any) -> None:
        """Write nothing: see ``bookmark_of``."""

    def _increment_stream_state(self, latest_record: Any, *, context: Any = None) -> None:
        """Move nothing: a bookmark moves when its partition is complete."""

    def _write_schema_message(self) -> None:
        """Write the SCHEMA once; the SDK would again for each dry run of a partition."""
        if not self._schema_written:
            self._schema_written = True
            super()._write_schema_message()

    def _generate_record_messages(
        self, record: dict[str, Any]
    ) -> Generator[RecordMessage, None, None]:
        """Yield the RECORDs of a row.

        The SDK goes through all of a row here for what is not selected, which costs more than to
        decode and encode it. ``post_process`` has cut that, by paths that are known beforehand.
        """
        for stream_map in self.stream_maps:
            try:
                mapped = stream_map.transform(record)
            except Exception as error:  # noqa: BLE001 - see below
                # An expression may raise whatever its values do.
                kind = "" if isinstance(error, MapExpressionError) else f"{type(error).__name__}: "
                message = f"in a row of '{self.name}', {kind}{error}"
                raise MapExpressionError(message) from None
            if mapped is not None:
                yield RecordMessage(
                    stream=stream_map.stream_alias,
                    record=mapped,
                    version=self._stream_version,
                    time_extracted=datetime.now(timezone.utc),
                )

    def write_schema(self) -> None:
        """Write the SCHEMA, once."""
        self._write_schema_message()

    def write_row(self, row: dict[str, Any]) -> None:
        """Write a row as a RECORD."""
        processed = self.post_process(row)
        if processed is not None:
            self._write_record_message(processed)

    def activate_version(self, version: int) -> None:
        """Tell the target that rows of older versions are gone."""
        self._write_activate_version_message(version)
