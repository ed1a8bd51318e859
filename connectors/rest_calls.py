"""Requests to a CRM as its connector file says them: signed in, within its limits, and with its errors told apart."""

import base64
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode, urljoin, urlsplit

from connectors.limits import Limiter
from connectors.outward import Line, NotAnswered, Reach, Response, seconds_to_wait
from connectors.templates import at_path, fill, fill_path
from schemas.connectors import Auth, Bucket, Connector, Meaning, RequestSpec
from schemas.crm import CrmAway, CrmSays, NotAllowed, SignInFails, Throttled

_MOST_BYTES = 16_000_000
_LONGEST_WAIT = 5.0
"""How long a request waits its turn; who would wait longer comes again later."""
_MOST_SAID, _FAILURES = 300, 5
_WRITES = frozenset({"create", "update", "archive"})
_BEFORE_EXPIRY = 120.0


class Gone(Exception):
    """There is no such record."""


class Stale(Exception):
    """The record is another version by now."""


class Refused(Exception):
    """The CRM does not take this, in its own words."""


class NotUnderstood(CrmSays):
    """The CRM does not understand what it is asked."""


@dataclass(slots=True)
class Api:
    """A signed-in line to one CRM. `keep` stores OAuth tokens before they are used; `again` reads what is stored."""

    name: str
    connector: Connector
    config: Mapping[str, Any]
    secrets: dict[str, Any]
    reach: Reach
    limiter: Limiter
    keep: Callable[[Mapping[str, Any]], None] = lambda secrets: None
    again: Callable[[], Mapping[str, Any]] = dict
    clock: Callable[[], float] = time.time
    sleep: Callable[[float], None] = time.sleep
    calls: int = 0
    _line: Line | None = None
    _session: Any = None
    _failures: int = 0
    _last_url: str = ""
    last_headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def known(self) -> dict[str, Any]:
        """What any request may name."""
        return {"config": {**self.connector.config, **self.config}, "secret": self.secrets, "session": self._session}

    @property
    def base_url(self) -> str:
        return str(fill(self.connector.base_url, self.known)).rstrip("/")

    def ask(self, spec: RequestSpec, known: Mapping[str, Any], kind: str) -> Any:
        """The document of an answer; raises what the connector's `errors` say of it."""
        return self._signed_in(lambda: self._ask(spec, {**self.known, **known}, kind))

    def ask_url(self, url: str, kind: str) -> Any:
        """The same for an address or path that the CRM gave, which has to be its own."""
        try:
            url = urljoin(self._last_url or f"{self.base_url}/", url)
            is_own = _host(url) == _host(self.base_url)
        except ValueError:
            is_own = False
        if not is_own:
            raise CrmSays(
                f"{self.name} names a next page at another host ({url[:200]}): it is not followed.",
                f"{self.name} da una página siguiente en otro servidor ({url[:200]}): no se sigue.",
            )
        return self._signed_in(lambda: self._document(self._request("GET", url, None, self._headers({}), kind)))

    def _ask(self, spec: RequestSpec, known: Mapping[str, Any], kind: str) -> Any:
        url = f"{self.base_url}{fill_path(spec.path, known)}"
        params = {**fill(dict(spec.params), known), **self._auth_params()}
        if params:
            url += f"{'&' if '?' in url else '?'}{urlencode({key: _as_param(one) for key, one in params.items()})}"
        body, headers = None, fill(dict(spec.headers), known)
        if spec.body is not None:
            filled = fill(spec.body, known)
            body = urlencode(filled).encode() if spec.form else json.dumps(filled, ensure_ascii=False).encode()
            headers.setdefault("Content-Type", "application/x-www-form-urlencoded" if spec.form else "application/json")
        return self._document(self._request(spec.method, url, body, self._headers(headers), kind))

    # ── one request ──────────────────────────────────────────────────────────────────────────────────────────────

    def _request(self, method: str, url: str, body: bytes | None, headers: Mapping[str, str], kind: str) -> Response:
        self._wait(kind, url)
        self.calls += 1
        self._last_url = url
        try:
            if self._line is None:
                self._line = Line(self.base_url, self.reach)
            found = self._line.request(method, url, body, headers, _MOST_BYTES)
        except NotAnswered as error:
            raise self._away(str(error)) from error
        self.last_headers = found.headers
        self._check(found, kind)
        self._failures = 0
        return found

    def _check(self, found: Response, kind: str) -> None:
        if found.status < 300 or (found.status == 304 and kind == "list"):  # nothing changed since
            return
        if found.status < 400:
            raise CrmSays(
                f"{self.name} sends elsewhere (HTTP {found.status}), which is not followed. Set its own address.",
                f"{self.name} redirige (HTTP {found.status}), y no se sigue. Ponga su propia dirección.",
            )
        answered = self.connector.errors.answered
        if answered and found.status == 400 and kind in _WRITES and at_path(_json(found), answered):
            return
        meaning = self._meaning(found)
        if meaning == "throttled":
            raise self._throttled(found)
        raise self._error(meaning, f"HTTP {found.status}" if meaning == "away" else self._said(found))

    def _meaning(self, found: Response) -> Meaning:
        errors, status = self.connector.errors, found.status
        if errors.code and (meaning := errors.codes.get(str(at_path(_json(found), errors.code)))):
            return meaning
        is_page = "html" in found.headers.get("Content-Type", "")
        if status in errors.forbidden and is_page and errors.throttled_by_page:
            return "throttled"
        if status == 503 and self._asked_to_wait(found) is not None:
            return "throttled"
        meanings: tuple[Meaning, ...] = ("throttled", "sign_in", "gone", "stale", "forbidden")
        known = next((one for one in meanings if status in getattr(errors, one)), None)
        return known or ("away" if status >= 500 else "refused")

    def _error(self, meaning: Meaning, said: str) -> Exception:
        """What is raised for an error, with the CRM's own words."""
        match meaning:
            case "gone":
                return Gone()
            case "stale":
                return Stale()
            case "sign_in":
                return self._not_signed_in(said)
            case "away":
                return self._away(said)
            case "throttled":
                return self._slower(self.connector.limits.wait)
            case "forbidden":
                return NotAllowed(
                    f"{self.name} does not allow this with these credentials: {said}",
                    f"{self.name} no permite esto con estas credenciales: {said}",
                )
            case _:
                return Refused(said)

    def _said(self, found: Response) -> str:
        """The CRM's own words."""
        said = at_path(_json(found), self.connector.errors.message)
        return f"HTTP {found.status}" if said is None else f"{str(said)[:_MOST_SAID]} (HTTP {found.status})"

    def _document(self, found: Response) -> Any:
        """What an answer holds, without the signs that no database keeps; an empty one holds nothing."""
        if not found.body.strip():
            return None
        try:
            document = json.loads(found.body.replace(b"\\u0000", b"").decode("utf-8-sig"), parse_constant=_no_number)
        except (ValueError, RecursionError) as error:
            kind = found.headers.get("Content-Type", "?").split(";")[0]
            raise CrmSays(
                f"{self.name} answers with something that is no JSON ({kind}). Check its address: {self.base_url}",
                f"{self.name} responde algo que no es JSON ({kind}). Revise su dirección: {self.base_url}",
            ) from error
        self._check_body(document)
        return document

    def _check_body(self, document: Any) -> None:
        """Errors under a status of 200."""
        errors = self.connector.errors
        said = at_path(document, errors.body) if errors.body else None
        if not said:
            return
        words = str(at_path(document, errors.message) or said)[:_MOST_SAID]
        raise self._error(errors.codes.get(str(said), "refused"), words)

    def _away(self, said: str) -> CrmAway:
        self._failures += 1
        if self._line is not None:
            self._line.close()
            self._line = None
        return CrmAway(f"{self.name} does not answer ({said}).", f"{self.name} no responde ({said}).")

    @property
    def is_down(self) -> bool:
        """Whether so many requests failed one after the other that no more are made in this run."""
        return self._failures >= _FAILURES

    def _not_signed_in(self, said: str) -> SignInFails:
        return SignInFails(
            f"{self.name} does not take the credentials: {said}. Set them again: padron connections edit {self.name}",
            f"{self.name} no acepta las credenciales: {said}. Póngalas de nuevo: padron connections edit {self.name}",
        )

    # ── limits ───────────────────────────────────────────────────────────────────────────────────────────────────

    def _wait(self, kind: str, url: str) -> None:
        limits = self.connector.limits
        cost = limits.cost.get(kind, 1.0)
        for bucket in limits.buckets:
            if bucket.match and bucket.match not in url:
                continue
            kept = limits.reserve * bucket.calls if bucket.seconds >= 3600 else 0.0
            while wait := self.limiter.take(self._key(bucket), cost, bucket.calls, bucket.seconds, kept):
                if wait > _LONGEST_WAIT:
                    raise self._slower(wait)
                self.sleep(wait)

    def _key(self, bucket: Bucket) -> str:
        return f"{self.name}:{bucket.name}"

    def _throttled(self, found: Response) -> Throttled:
        seconds = self._asked_to_wait(found) or self.connector.limits.wait
        for bucket in self.connector.limits.buckets:
            if not bucket.match and bucket.seconds < 3600:
                self.limiter.close(self._key(bucket), seconds)
        return self._slower(seconds)

    def _asked_to_wait(self, found: Response) -> float | None:
        return seconds_to_wait(found.headers.get(self.connector.limits.retry_after), found.headers.get("Date"))

    def _slower(self, seconds: float) -> Throttled:
        return Throttled(
            seconds,
            f"{self.name} wants fewer requests; it goes on in {seconds:.0f} s.",
            f"{self.name} pide menos peticiones; se sigue en {seconds:.0f} s.",
        )

    # ── signing in ───────────────────────────────────────────────────────────────────────────────────────────────

    def _headers(self, own: Mapping[str, str]) -> dict[str, str]:
        auth, known = self.connector.auth, self.known
        found = {"Accept": "application/json", **fill(dict(self.connector.headers), known)}
        match auth.type:
            case "basic":
                pair = f"{fill(auth.user, known)}:{fill(auth.password, known)}"
                found["Authorization"] = f"Basic {base64.b64encode(pair.encode()).decode()}"
            case "bearer":
                found["Authorization"] = f"{auth.scheme} {fill(auth.token, known)}"
            case "oauth2":
                found["Authorization"] = f"{auth.scheme} {self.secrets.get('access_token', '')}"
            case "header":
                found[auth.name] = str(fill(auth.value, known))
            case "login" if self._session is not None:
                found |= fill(dict(auth.headers), known)
            case "none" | "query" | "login":
                pass
        return {**found, **own}

    def _auth_params(self) -> dict[str, str]:
        auth = self.connector.auth
        return {auth.name: str(fill(auth.value, self.known))} if auth.type == "query" else {}

    def _signed_in(self, ask: Callable[[], Any]) -> Any:
        """What is asked; once more with a new session or token where the CRM does not know this one any more."""
        self._sign_in()
        try:
            return ask()
        except SignInFails:
            if self.connector.auth.type not in ("oauth2", "login"):
                raise
        self._renew()
        return ask()

    def _renew(self) -> None:
        self._session = None
        if self.connector.auth.type == "oauth2":
            refused = self.secrets.get("access_token")
            self.secrets |= self.again()  # unless another process has a new one by now
            if self.secrets.get("access_token") == refused:
                self._refresh(self.connector.auth)
        self._sign_in()

    def _sign_in(self) -> None:
        auth = self.connector.auth
        if auth.type == "login" and self._session is None and auth.login is not None:
            try:
                document = self._ask(auth.login, self.known, "login")
            except (Refused, Gone) as error:
                raise self._not_signed_in(str(error)) from error
            self._session = at_path(document, auth.session)
            if not self._session:
                raise self._not_signed_in("no session")
        if auth.type == "oauth2" and not self._has_token():
            self.secrets |= self.again()  # another process may have asked for one already
            if not self._has_token():
                self._refresh(auth)

    def _has_token(self) -> bool:
        """Whether there is a token that is good for a while."""
        left = float(self.secrets.get("expires_at") or 0) - self.clock()
        return left >= min(_BEFORE_EXPIRY, float(self.secrets.get("lasts") or 3600.0) / 4)

    def _refresh(self, auth: Auth) -> None:
        """Another access token; that of another process, where it was quicker."""
        refused = self.secrets.get("access_token")
        try:
            self._exchange(auth)
        except SignInFails:
            self.secrets |= self.again()
            if self.secrets.get("access_token") == refused:
                raise

    def _exchange(self, auth: Auth) -> None:
        """An access token for a code, a refresh token or the client's own word; it is kept before it is used."""
        form: dict[str, str] = {"grant_type": auth.grant}
        if auth.grant == "refresh_token" and self.secrets.get("code"):
            form = {"grant_type": "authorization_code", "code": str(self.secrets["code"])}  # good for one time
            if redirect := self.config.get("redirect_uri"):
                form["redirect_uri"] = str(redirect)
        elif auth.grant == "refresh_token":
            form["refresh_token"] = str(self.secrets.get("refresh_token", ""))
        document = self._granted(auth, form)
        said = str(document.get("expires_in") or 3600)
        lasts = float(said) if said.isascii() and said.isdigit() else 3600.0
        fresh = {"access_token": document["access_token"], "expires_at": self.clock() + lasts, "lasts": lasts}
        if document.get("refresh_token"):
            fresh["refresh_token"] = document["refresh_token"]
        if "code" in form:
            fresh["code"] = ""
        self.keep(fresh)
        self.secrets |= fresh

    def _granted(self, auth: Auth, form: dict[str, str]) -> Mapping[str, Any]:
        """What the CRM's accounts answer to a grant; raises SignInFails with their words."""
        headers, own = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}, ""
        client = [str(self.secrets.get(name, "")) for name in ("client_id", "client_secret")]
        if auth.client_auth == "basic":
            own = base64.b64encode(":".join(client).encode()).decode()
            headers["Authorization"] = f"Basic {own}"
        else:
            form |= {"client_id": client[0], "client_secret": client[1]}
        url = str(fill(auth.token_url, self.known))
        line = Line(url, self.reach)
        try:
            found = line.request("POST", url, urlencode(form).encode(), headers, _MOST_BYTES)
        except NotAnswered as error:
            raise self._away(str(error)) from error
        finally:
            line.close()
        if found.status in self.connector.errors.throttled:
            raise self._slower(self._asked_to_wait(found) or self.connector.limits.wait)
        if found.status >= 500:
            raise self._away(f"HTTP {found.status}")
        document = _json(found)
        if not isinstance(document, Mapping) or not document.get("access_token"):
            told = document if isinstance(document, Mapping) else {}
            words = [str(told[name])[:_MOST_SAID] for name in ("error", "error_description") if told.get(name)]
            raise self._not_signed_in(": ".join(words) or f"HTTP {found.status}")
        return document


def _host(url: str) -> tuple[str, str | None, int | None]:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port or {"https": 443, "http": 80}.get(parts.scheme)


def _json(found: Response) -> Any:
    """The document of an answer that is an error; None where it is none."""
    try:
        return json.loads(found.body)
    except (ValueError, RecursionError):
        return None


def _no_number(name: str) -> None:
    """What JSON does not have, and databases do not take: NaN, Infinity."""
    raise ValueError(name)


def _as_param(value: Any) -> str:
    """A value as a parameter of an address has it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
