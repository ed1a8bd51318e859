"""Whether a webhook's call comes from whom it says: signatures over the raw body, passwords, or a secret address."""

import base64
import hashlib
import hmac
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from connectors.templates import at_path, fill
from schemas.connectors import Verify

_DECODED = {
    f"%{ord(char):02X}": char
    for char in ":/?@!$'()*,;"  # what HubSpot decodes before it signs an address
}
_ESCAPE = re.compile("|".join(_DECODED), re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Call:
    """A call as it came; header names are in lower case. `key` is the last part of the address, where it has one."""

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes
    key: str = ""


def is_genuine(verify: Verify, secrets: Mapping[str, Any], call: Call, now: float) -> bool:
    """Whether a call proves itself; without the secret that it is checked by, none does."""
    known = {"secret": {name: str(value) for name, value in secrets.items()}}
    names = {name for name in ("hook", "hook_user", "hook_password") if known["secret"].get(name)}
    match verify.type:
        case "basic":
            if not {"hook_user", "hook_password"} <= names and "hook_user" in verify.user:
                return False
            pair = f"{fill(verify.user, known)}:{fill(verify.password, known)}"
            return _same(call.headers.get("authorization", ""), f"Basic {base64.b64encode(pair.encode()).decode()}")
        case _ if "hook" in verify.key and "hook" not in names:
            return False
        case "path":
            return _same(call.key, str(fill(verify.key, known)))
        case "token":
            return _same(_token(verify, call), str(fill(verify.key, known)))
        case "standard":
            return _is_standard(str(fill(verify.key, known)), call, now, verify.max_skew)
        case "hubspot":
            return _is_hubspot(str(fill(verify.key, known)), call, now, verify.max_skew)
        case "hmac":
            said = f"{fill(verify.signed_id, known)}:".encode() if verify.signed_id else b""
            digest = hmac.digest(str(fill(verify.key, known)).encode(), call.body, verify.algorithm)
            return _same(call.headers.get(verify.header.lower(), ""), verify.prefix + _encoded(digest, said, verify))


def _encoded(digest: bytes, said: bytes, verify: Verify) -> str:
    """The digest as the CRM writes it; with an id before it, both in base64 (EspoCRM)."""
    return base64.b64encode(said + digest).decode() if verify.encode == "base64" else digest.hex()


def _same(given: str, wanted: str) -> bool:
    return bool(wanted) and hmac.compare_digest(given.encode(), wanted.encode())


def _token(verify: Verify, call: Call) -> str:
    """A token that is echoed: in a header, or at a path of the body."""
    if verify.header:
        return call.headers.get(verify.header.lower(), "")
    try:
        return str(at_path(json.loads(call.body), verify.token))
    except ValueError:
        return ""


def _is_standard(secret: str, call: Call, now: float, skew: float) -> bool:
    """Standard Webhooks: any of several signatures over id, time and body."""
    id_, stamp = call.headers.get("webhook-id", ""), call.headers.get("webhook-timestamp", "")
    if not stamp.isdigit() or abs(now - int(stamp)) > skew:
        return False
    try:
        key = base64.b64decode(secret.removeprefix("whsec_"), validate=True)
    except ValueError:
        key = secret.encode()
    content = b".".join((id_.encode(), stamp.encode(), call.body))
    wanted = base64.b64encode(hmac.digest(key, content, "sha256")).decode()
    given = call.headers.get("webhook-signature", "").split()
    return any(_same(one.removeprefix("v1,"), wanted) for one in given if one.startswith("v1,"))


def _is_hubspot(secret: str, call: Call, now: float, skew: float) -> bool:
    """HubSpot's third signature, or its second or first where that is what it sends."""
    third, stamp = call.headers.get("x-hubspot-signature-v3"), call.headers.get("x-hubspot-request-timestamp", "")
    if third is not None:
        if not stamp.isdigit() or abs(now - int(stamp) / 1000) > skew:
            return False
        url = _ESCAPE.sub(lambda found: _DECODED[found.group().upper()], call.url)
        content = b"".join((call.method.encode(), url.encode(), call.body, stamp.encode()))
        return _same(third, base64.b64encode(hmac.digest(secret.encode(), content, "sha256")).decode())
    version = call.headers.get("x-hubspot-signature-version", "v1").lower()
    parts = [secret.encode(), call.body]
    if version == "v2":
        parts = [secret.encode(), call.method.encode(), call.url.encode(), call.body]
    digest = hashlib.sha256(b"".join(parts)).hexdigest()
    return _same(call.headers.get("x-hubspot-signature", ""), digest)
