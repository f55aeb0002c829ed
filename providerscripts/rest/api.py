"""The Api: one account at one vendor, over HTTPS. It tells apart no, don't know, and never asked.

- A question (`get`, `find`) is asked again where that may help, and then is `unreachable`: it has no refusal.
- A deed (`once`, `delete`) is exactly one request: a client that tries again by itself makes a second server.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from autoscaler.ports import Doubtful, ProviderUnreachable, Refused
from providerscripts.rest.budget import Budget, Spent
from providerscripts.rest.exchange import TOTAL, Answer, Exchange, Lost, NeverLeft
from providerscripts.rest.no import No, Reader, usual, whole
from security.secrets import Secret, redact
from utilities.errors import Trouble, Unreachable

if TYPE_CHECKING:
    from requests import PreparedRequest
    from requests.auth import AuthBase

__all__ = ["Api", "bearer"]

_TRIES = 3
_PAUSE = 1.0  # seconds before a question is asked again, then twice that
_UNSURE = frozenset({408, 425, 499})  # 4xx that do not say what became of the request


def bearer(token: Secret) -> AuthBase:
    """`Authorization: Bearer`; as an AuthBase, since a .netrc would replace a mere header."""
    from requests.auth import AuthBase

    class Bearer(AuthBase):
        def __call__(self, request: PreparedRequest) -> PreparedRequest:
            request.headers["Authorization"] = f"Bearer {token.reveal()}"
            return request

    return Bearer()


class Api:
    """`title` begins every message, `credential` says where the token lies; `reader` reads the vendor's errors.

    `unreachable` and `doubtful` are what the port that is served calls them. Paths begin with `/`.
    """

    def __init__(
        self,
        title: str,
        endpoint: str,
        auth: AuthBase,
        secrets: tuple[Secret, ...],
        credential: str,
        budget: Budget,
        reader: Reader = usual,
        unreachable: type[Unreachable] = ProviderUnreachable,
        doubtful: type[Trouble] = Doubtful,
    ) -> None:
        self.title, self.unreachable = title, unreachable
        self._exchange = Exchange(endpoint, auth)
        self._secrets, self._credential = secrets, credential
        self._budget, self._reader, self._doubtful = budget, reader, doubtful
        self._clock = budget.clock

    # --- questions ---

    def get(
        self, path: str, params: Mapping[str, Any] | None = None, headers: Mapping[str, str] | None = None
    ) -> Any:
        """The answer's JSON. `unreachable` for anything else, a refusal too: then nothing is known."""
        return self._asked(path, params, headers, missing=False)

    def find(self, path: str, params: Mapping[str, Any] | None = None) -> Any | None:
        """The same, or None when the vendor itself says 404: its own JSON, not a page of some proxy."""
        return self._asked(path, params, None, missing=True)

    def _asked(
        self, path: str, params: Mapping[str, Any] | None, headers: Mapping[str, str] | None, missing: bool
    ) -> Any:
        what = f"GET {path}"
        end = self._clock.monotonic() + TOTAL
        pause, trouble = _PAUSE, ""
        for attempt in range(_TRIES):
            wait = pause * 2**attempt
            try:
                answer = self._sent("GET", path, params, None, headers or {})
            except Spent as err:
                raise self.unreachable(f"{self.title}: {what} was not sent: {err}") from None
            except (NeverLeft, Lost) as err:
                trouble = self._clean(f"{self.title}: {what}: {err}")
            else:
                if answer.status < 300 and answer.is_json:
                    return answer.body
                if missing and self._missing(answer):
                    return None
                if 400 <= answer.status < 500 and answer.status != 429:
                    raise self.unreachable(self._refusal(what, answer).sentence)
                trouble, wait = self._strange(what, answer), answer.pause or wait
            if attempt + 1 == _TRIES or self._clock.monotonic() + wait >= end:
                break
            self._clock.sleep(wait)
        raise self.unreachable(trouble)

    # --- deeds ---

    def once(self, method: str, path: str, body: Any = None, params: Mapping[str, Any] | None = None) -> Any:
        """Exactly one request; the answer's JSON, None where it has no body.

        Refused: certainly nothing was done. `doubtful`: it may have been. `unreachable`: it never left.
        """
        answer = self._done(method, path, body, params)
        if 400 <= answer.status < 500:
            no = self._refusal(f"{method} {path}", answer)
            raise Refused(no.sentence, kind=no.kind)
        return answer.body

    def delete(self, path: str, params: Mapping[str, Any] | None = None) -> Any:
        """Ask once for its end; the vendor's own 404 is success, and brings None. Errors as `once`."""
        answer = self._done("DELETE", path, None, params)
        if self._missing(answer):
            return None
        if 400 <= answer.status < 500:
            no = self._refusal(f"DELETE {path}", answer)
            raise Refused(no.sentence, kind=no.kind)
        return answer.body

    def _done(self, method: str, path: str, body: Any, params: Mapping[str, Any] | None) -> Answer:
        """A yes or a certain no; else the exception that says how uncertain it is."""
        what = f"{method} {path}"
        try:
            answer = self._sent(method, path, params, body, {})
        except Spent as err:
            raise Refused(f"{self.title}: {what} was not sent: {err}", kind="rate") from None
        except NeverLeft as err:
            raise self.unreachable(self._clean(f"{self.title}: {what}: {err}")) from None
        except Lost as err:
            raise self._doubtful(self._clean(f"{self.title}: {what}: {err}; it may have been done")) from None
        certain = 400 <= answer.status < 500 and answer.status not in _UNSURE
        good = answer.status < 300 and (answer.body is None or answer.is_json)
        if not certain and not good:
            raise self._doubtful(f"{self._strange(what, answer)}; it may have been done")
        return answer

    def wait(self, seconds: float) -> None:
        """Let time pass, by the account's clock: between a no that passes and the next try of whoever knows it."""
        self._clock.sleep(seconds)

    # --- answers that say too little ---

    def odd(self, what: str, body: Any) -> Unreachable:
        """To raise when an answer lacks what it must have: unknown is not empty."""
        said = f"{self.title}: {what} answered what cannot be understood: {whole(body)}"
        return self.unreachable(self._clean(said))

    def unsure(self, what: str, body: Any) -> Trouble:
        """To raise when a deed was accepted, and its answer lacks what we must know of it."""
        said = f"{self.title}: {what} was accepted with an answer that cannot be understood: {whole(body)}"
        return self._doubtful(self._clean(said))

    # --- inside ---

    def _sent(
        self, method: str, path: str, params: Mapping[str, Any] | None, body: Any, headers: Mapping[str, str]
    ) -> Answer:
        """One request. Spent, NeverLeft, Lost."""
        self._budget.take(method)
        answer = self._exchange.send(method, path, params, body, headers)
        self._budget.heard(answer.headers)
        if answer.status == 429:
            self._budget.close(answer.pause or 1.0, method)
        return replace(answer, body=self._without_secrets(answer.body)) if answer.status >= 300 else answer

    def _without_secrets(self, body: Any) -> Any:
        """Before anything is cut short: half of a token that a vendor repeats would be told."""
        if isinstance(body, str):
            return self._clean(body)
        return None if body is None else json.loads(self._clean(json.dumps(body)))

    def _refusal(self, what: str, answer: Answer) -> No:
        no = self._reader(answer.status, answer.body)
        hint = f"; the credentials are those of {self._credential}" if no.kind == "auth" else ""
        kind = "invalid" if no.kind == "missing" else no.kind
        return No(kind, self._clean(f"{self.title}: {what}: HTTP {answer.status}, {no.sentence}{hint}"))

    def _missing(self, answer: Answer) -> bool:
        """Does the vendor itself, not some gateway on the way, say that there is none?"""
        if not 400 <= answer.status < 500 or not isinstance(answer.body, dict):
            return False
        return self._reader(answer.status, answer.body).kind == "missing"

    def _strange(self, what: str, answer: Answer) -> str:
        said = whole(answer.body) if answer.status >= 300 else "an answer that is no JSON"
        return self._clean(f"{self.title}: {what}: HTTP {answer.status}, {said}")

    def _clean(self, text: str) -> str:
        return redact(text, self._secrets)
