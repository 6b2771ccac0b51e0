"""The tap: settings in, Singer messages out."""

from __future__ import annotations

import gc
import threading
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

from singer_sdk import Tap
from singer_sdk.exceptions import ConfigValidationError
from singer_sdk.helpers.capabilities import PluginCapabilities, TapCapabilities
from singer_sdk.singerlib import Catalog

from tap_bitbucket import state as bookmarks
from tap_bitbucket import streams as _streams
from tap_bitbucket.access import session_for
from tap_bitbucket.auth import Credential, credentials_from
from tap_bitbucket.checks import problems, unknown, unknown_streams
from tap_bitbucket.client import REGISTRY, BitbucketStream
from tap_bitbucket.command_line import FAILED, SKIPPED, CommandLine, Refusal
from tap_bitbucket.directory import Directory
from tap_bitbucket.driver import Driver
from tap_bitbucket.http.errors import Fatal, ReadError, StopReading
from tap_bitbucket.http.limits import Limits
from tap_bitbucket.http.paging import Page
from tap_bitbucket.http.session import Session
from tap_bitbucket.inputs import last_with
from tap_bitbucket.layout import Place, find_places, table_of
from tap_bitbucket.partitions import Partitions
from tap_bitbucket.plan import InlinePartition, Partition, Reading
from tap_bitbucket.preflight import Preflight
from tap_bitbucket.progress import Lines, progress_of
from tap_bitbucket.reading import ReadAhead
from tap_bitbucket.reconciliation import Reconciliation
from tap_bitbucket.resumption import Resumption
from tap_bitbucket.selection import is_chosen, strangers
from tap_bitbucket.settings import SETTINGS
from tap_bitbucket.state_shape import check
from tap_bitbucket.stream_index import StreamIndex
from tap_bitbucket.summary import Summary
from tap_bitbucket.turns import Turns
from tap_bitbucket.writer import LineWriter


class TapBitbucket(CommandLine):
    """Singer tap for Bitbucket Cloud."""

    name = "tap-bitbucket"
    package_name = "tap-bitbucket"
    config_jsonschema: ClassVar[dict[str, Any]] = SETTINGS
    message_writer_class = LineWriter
    capabilities: ClassVar[list[Any]] = [
        TapCapabilities.CATALOG,
        TapCapabilities.STATE,
        TapCapabilities.DISCOVER,
        TapCapabilities.ACTIVATE_VERSION,
        PluginCapabilities.ABOUT,
        PluginCapabilities.STREAM_MAPS,
        PluginCapabilities.FLATTENING,
        PluginCapabilities.STRUCTURED_LOGGING,
    ]

    message_writer: LineWriter

    def __init__(self, **kwargs: Any) -> None:
        """Set the tap up; nothing is read and no credential is needed yet."""
        self.stopping = threading.Event()
        self.summary = Summary()
        self.directory = Directory(self._read_now)
        self._ahead: ReadAhead | None = None
        self._state_was: dict[str, Any] = {}
        self.bookmarks = bookmarks.Bookmarks({})
        self._resume: Mapping[str, Any] | None = None
        self.progress = Lines(self)
        super().__init__(**kwargs)
        self._states = bookmarks.SparingStateWriter(self.message_writer)
        self._state_writer = self._states
        self._states.resume = lambda: self.resumption.state

    # -- settings and input -----------------------------------------------------------------------

    def _validate_config(self, *, raise_errors: bool = True) -> list[str]:
        """Check the settings, in sentences that show no secret; then let the SDK fill defaults."""
        self.append_builtin_config(self.config_jsonschema)
        found = problems(self._config, self.config_jsonschema)
        if found and raise_errors:
            raise ConfigValidationError(" ".join(found), errors=found)
        for sentence in (*found, *unknown(self._config, self.config_jsonschema)):
            self.logger.warning(sentence)
        return found or super()._validate_config(raise_errors=False)

    def load_state(self, state: dict[str, Any]) -> None:
        """Take over the bookmarks of an earlier run.

        Raises:
            ConfigValidationError: If this is no state of this tap.
        """
        check(state)
        super().load_state(state)
        self.bookmarks = bookmarks.Bookmarks(state)
        self._resume = state.get("resume")

    # -- streams ----------------------------------------------------------------------------------

    def discover_streams(self) -> list[Any]:
        """Return all streams. Needs no credentials and no network, unless places have their own."""
        found: list[BitbucketStream] = []
        for stream in REGISTRY.values():
            own: Sequence[Place | None] = [None]
            if self.places is not None:
                own = [place for place in self.places if place.kind == stream.kind]
            found += [stream(self, place) for place in own]
        return found

    @cached_property
    def places(self) -> list[Place] | None:
        """Return what has streams of its own; None if all share them."""
        return find_places(self) if self.config.get("layout") == "per_repository" else None

    def setup_mapper(self) -> None:
        """Prepare the stream maps of what is selected; the others are prepared when asked for."""
        super(Tap, self).setup_mapper()
        chosen = {name: one for name, one in self.catalog.items() if is_chosen(one)}
        self.mapper.register_raw_streams_from_catalog(Catalog(chosen))

    @property
    def streams(self) -> dict[str, Any]:
        """Return the streams in the order of reading: what others need comes first."""
        if self._streams is None:
            self._refuse_removed_streams()
            found = super().streams
            order = {entity: number for number, entity in enumerate(REGISTRY)}
            streams: list[Any] = list(found.values())
            streams.sort(key=lambda stream: order[stream.entity])
            self._streams = {stream.name: stream for stream in streams}
            strange = strangers(self.input_catalog, self._streams)
            known = {*REGISTRY, *self._streams}
            for sentence in (*strange, *unknown_streams(self.config, known)):
                self.logger.warning(sentence)
        return self._streams

    def _refuse_removed_streams(self) -> None:
        for name in self.input_catalog or {}:
            if name in _streams.REMOVED:
                message = (
                    f"The catalog names the stream '{name}', which Bitbucket removed on "
                    "2026-08-20 together with its issue tracker and wikis. Take it out of the "
                    "catalog, or make a new one with --discover."
                )
                raise ConfigValidationError(message, errors=[message])

    @property
    def bitbucket_streams(self) -> list[BitbucketStream]:
        """Return the streams with their own type."""
        return list(self.streams.values())

    @cached_property
    def index(self) -> StreamIndex:
        """Return how streams find each other."""
        return StreamIndex(self.bitbucket_streams)

    # -- what the streams share -------------------------------------------------------------------

    @cached_property
    def credentials(self) -> list[Credential]:
        """Return who may ask."""
        return credentials_from(self.whole_config, config_file=self.file_of_tokens)

    @property
    def file_of_tokens(self) -> Path | None:
        """Return the file given with ``--config`` that a rotated refresh token goes back into."""
        setting = "credentials" if self.config.get("credentials") else "refresh_token"
        return last_with(self.config_files, setting)

    @property
    def whole_config(self) -> dict[str, Any]:
        """Return the settings with all defaults, those too that are not constants."""
        agent = self.config.get("user_agent") or f"tap-bitbucket/{self.plugin_version}"
        return {**self.config, "user_agent": agent}

    @cached_property
    def session(self) -> Session:
        """Return the way to the API."""
        limits = Limits(
            max_requests=self.config.get("max_requests"),
            max_duration=self.config.get("max_duration"),
            stopping=self.stopping,
        )
        return session_for(self.whole_config, self.credentials, limits, self.preflight)

    @cached_property
    def preflight(self) -> Preflight:
        """Return what compares scopes with streams."""
        return Preflight(self.config["on_missing_scope"])

    def streams_read(self) -> list[BitbucketStream]:
        """Return the streams that lists are asked for."""
        return [
            stream
            for stream in self.bitbucket_streams
            if (stream.selected or stream.has_selected_descendents) and not stream.unrolled
        ]

    @cached_property
    def reconciliation(self) -> Reconciliation:
        """Return what decides about deletions."""
        return Reconciliation(self)

    @cached_property
    def partitions(self) -> Partitions:
        """Return which workspaces, projects and repositories this run reads."""
        return Partitions(self)

    def schemas_table(self) -> str:
        """Return the database schemas of the layout per repository as text."""
        return table_of(self.places or ())

    # -- reading ----------------------------------------------------------------------------------

    def open(self, stream: BitbucketStream, context: Mapping[str, Any] | None) -> Partition:
        """Return a partition for writing: read ahead in a sync, read now in a dry run."""
        if self._ahead is not None:
            return self._ahead.open(stream.name, context)
        return InlinePartition(stream.incremental.begin(stream, context))

    @property
    def reading_ahead(self) -> bool:
        """Whether this is a sync, with workers."""
        return self._ahead is not None

    def _read_now(self, name: str, context: Mapping[str, Any] | None) -> Iterator[Page]:
        stream = self.index.reader_of(name, context)
        for step in stream.incremental.begin(stream, context).readings():
            if isinstance(step, Reading):
                yield from step.pages()

    @cached_property
    def resumption(self) -> Resumption:
        """Return what earlier runs that were cut short have left to this one."""
        # With another interval than the earlier runs had, other tables would be told to be whole.
        interval = f"reconcile_every={self.config['reconcile_every']}"
        names = [interval, *(stream.name for stream in self.streams_read())]
        return Resumption(self._resume, self.initialized_at // 1000, names)

    def settle(self, *, quiet: bool = False) -> None:
        """Show progress as it fits, and leave what there is by now to stay.

        To look through it again and again is for nothing, in a process that does nothing else.
        """
        self.progress = progress_of(self, quiet=quiet)
        if self.is_program:
            _ = self.streams, self.session
            gc.collect()
            gc.freeze()

    def restore_terminal(self) -> None:
        """Leave the terminal as it was, at once."""
        self.progress.restore()

    def write_state_if_due(self) -> None:
        """Write a STATE, if it is time to."""
        self._states.write_state(self.state)

    def sync_all(self) -> None:  # type: ignore[misc]  # final in the SDK, which has no hook around it
        """Read and write everything that is selected.

        Raises:
            Refusal: If the run cannot go on; STATE is then written as far as it is true.
        """
        _ = self.streams, self.session, self.reconciliation  # before threads could make two of them
        self.message_writer.buffering = True
        self.directory.read_ahead = True
        turns = Turns(self)
        self._ahead = ReadAhead(
            turns.plan(), self.config["concurrency"], self.stopping, self.message_writer.flush
        )
        try:
            self.preflight.begin(self.streams_read())
            self.session.sign_in()
            self._ahead.start()
            self._reset_state_progress_markers()
            self._set_compatible_replication_methods()
            if self.resumption.resumed:
                self.logger.info("Going on where the last run stopped.")
            with self.progress.shown():
                Driver(self, turns).run()
            self.resumption.finish()
        except StopReading as stop:
            if self.stopped_by is None:
                self.resumption.cut = str(stop)
            else:
                self.resumption.cut = None
        except (Fatal, ReadError) as error:
            raise Refusal(str(error)) from None
        finally:
            self._ahead.close()
            if not self.message_writer.broken:
                self._states.write_last(self.state)
                self.message_writer.flush()
                self.message_writer.buffering = False
            self._ahead = None
            self.progress.over(self.resumption.cut)

    @property
    def exit_code(self) -> int:
        """Return how the run ended: design of the codes in README, "Exit codes"."""
        if self.stopped_by is not None:
            return 128 + self.stopped_by
        chosen = (stream.name for stream in self.bitbucket_streams if stream.selected)
        if self.summary.skips and not any(self.summary.read[name] for name in chosen):
            return FAILED
        if self.summary.skips and self.config["fail_on_skipped"]:
            return SKIPPED
        return 0


__all__ = ["Refusal", "TapBitbucket"]
