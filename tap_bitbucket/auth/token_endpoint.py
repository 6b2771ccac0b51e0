"""Asking the token endpoint, patiently. The only place that sends a client secret."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import requests
from backoff import full_jitter
from requests.auth import HTTPBasicAuth

from tap_bitbucket.auth.errors import AuthenticationError, EndpointUnavailable
from tap_bitbucket.auth.oauth import Granted, NoTokenEndpoint, Refused, Transient, answer
from tap_bitbucket.auth.tokens import AccessToken, fingerprint
from tap_bitbucket.http.environment import NoWay, distrust, session_to

ATTEMPTS = 6
PATIENCE = 300.0
"""Seconds from the first attempt in which to begin another.

A lost reply is asked for again with the same refresh token, which Bitbucket allows for about ten
minutes after its first use.
"""

logger = logging.getLogger("tap-bitbucket.auth")


@dataclass(frozen=True)
class OAuthClient:
    """An OAuth consumer at its token endpoint."""

    client_id: str
    client_secret: str = field(repr=False)
    token_url: str
    timeout: float
    user_agent: str
    clock: Callable[[], float] = time.time
    sleep: Callable[[float], None] = time.sleep

    @property
    def fingerprint(self) -> str:
        """A name for this consumer at this endpoint, to keep its tokens under."""
        return fingerprint(self.client_id, self.token_url)

    @property
    def identity(self) -> str:
        """A name for this consumer in logs."""
        return f"OAuth consumer {self.client_id[:4]}… ({self.fingerprint[:6]})"

    @property
    def allowance(self) -> str:
        """Whose requests are counted together: Bitbucket counts by consumer, not by user.

        https://support.atlassian.com/bitbucket-cloud/docs/api-request-limits/
        """
        return f"consumer {self.fingerprint}"

    def access_token(self, reply: Granted) -> AccessToken:
        """Return the access token of an answer that came just now."""
        return AccessToken(reply.access_token, self.clock(), reply.lifetime, reply.scope)

    def ask(self, form: dict[str, str]) -> Granted | Refused:
        """Post a form, again and again while the answer is lost or the server is unwell.

        Raises:
            EndpointUnavailable: There was no usable answer in the time a repetition is safe.
            AuthenticationError: The address is not a token endpoint.
        """
        began = self.clock()
        for attempt in range(1, ATTEMPTS + 1):
            reply = self._post(form)
            if isinstance(reply, Granted | Refused):
                return reply
            if isinstance(reply, NoTokenEndpoint):
                message = f"No token from oauth_token_url {self.token_url}: {reply.reason}"
                raise AuthenticationError(message)
            wait = (reply.wait or 0.0) + full_jitter(2.0**attempt)
            if attempt == ATTEMPTS or self.clock() + wait - began > PATIENCE:
                raise self._unavailable(reply, attempt)
            logger.warning(
                "token endpoint: %s; trying again in %.0f s (%d of %d)",
                *(reply.reason, wait, attempt, ATTEMPTS - 1),
            )
            self.pause(wait)
        raise AssertionError  # the last attempt returned or raised

    def _unavailable(self, reply: Transient, attempts: int) -> EndpointUnavailable:
        wait = f" in {reply.wait:.0f} s" if reply.wait else ""
        return EndpointUnavailable(
            f"No token from oauth_token_url {self.token_url} ({reply.reason}, {attempts}"
            f" attempts): run again{wait}; a refresh token whose answer was lost is good for ten"
            " minutes"
        )

    def _post(self, form: dict[str, str]) -> Granted | Refused | Transient | NoTokenEndpoint:
        credentials = HTTPBasicAuth(self.client_id.encode(), self.client_secret.encode())
        # What requests raises may hold the request, body and all: nothing of it leaves this block.
        try:
            with session_to(self.token_url) as session:
                response = session.post(
                    self.token_url,
                    data=form,
                    auth=credentials,
                    headers={"Accept": "application/json", "User-Agent": self.user_agent},
                    timeout=self.timeout,
                    allow_redirects=False,
                )
                return answer(
                    response.status_code, response.headers, response.content, self.clock()
                )
        except (NoWay, requests.exceptions.SSLError) as error:
            why = str(error) if isinstance(error, NoWay) else distrust(error)
            return NoTokenEndpoint(why) if why else Transient("connection cut off")
        except requests.Timeout:
            return Transient(f"no answer within {self.timeout:g} s")
        except requests.ConnectionError:
            return Transient("connection refused, reset or cut off")
        except (requests.exceptions.ChunkedEncodingError, requests.exceptions.ContentDecodingError):
            return Transient("the answer was cut off")
        except requests.RequestException as error:
            return NoTokenEndpoint(f"it cannot be asked ({type(error).__name__})")

    def pause(self, seconds: float) -> None:
        """Sleep in short steps, and stop when the program is ending.

        Raises:
            EndpointUnavailable: It is.
        """
        while seconds > 0:
            if not threading.main_thread().is_alive():
                message = "The run ended while the token endpoint was being asked again"
                raise EndpointUnavailable(message)
            self.sleep(min(seconds, 1.0))
            seconds -= 1.0
