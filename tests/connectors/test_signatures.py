"""Whether a webhook's call proves where it comes from."""

import base64
import hashlib
import hmac
import json
from pathlib import Path
from typing import Any

import pytest

from connectors.signatures import Call, is_genuine
from schemas.connectors import Verify
from tests.conftest import SHARED

NOW = 1_795_296_440.0
SECRETS = {"hook": "s3cret", "hook_user": "crm", "hook_password": "pass"}
BODY = b'{"id": 7}'


def vectors() -> list[dict[str, Any]]:
    """Signatures that HubSpot's own library made; a copy of one where the shared ones are not beside the project."""
    path = SHARED / "wire" / "webhooks_hubspot_signature_vectors.json"
    if path.exists():
        return list(json.loads(Path(path).read_text("utf-8")))
    uri = "https://app.example.com/webhooks/hubspot?x=a%20b&y=%C3%A9"
    return [
        {
            "client_secret": "3e6cb1a1-0000-4000-8000-000000000001",
            "method": "POST",
            "uri": uri,
            "body": "",
            "timestamp": "1795296439340",
            "X-HubSpot-Signature(v1)": "afb2a3b475a8637f207068f0ecdb5d1573da7f87b204c08d2ab906eadb872927",
            "X-HubSpot-Signature(v2)": "98542e8218aca804b9f800f92cd04acb289e173d0bd96db6f96720d723fea7c3",
            "X-HubSpot-Signature-v3": "JK7EE7cXMF/KBVUvQZl71ebkfPZKPWPXkInNNhOfe+c=",
        }
    ]


@pytest.mark.parametrize("vector", vectors(), ids=lambda vector: vector["body"][:20] or "empty")
@pytest.mark.parametrize("version", ["v1", "v2", "v3"])
def test_hubspots_own_signatures_are_taken_and_changed_ones_are_not(vector: dict[str, Any], version: str) -> None:
    headers = {
        "x-hubspot-signature-version": version,
        "x-hubspot-signature": vector.get(f"X-HubSpot-Signature({version})", ""),
    }
    if version == "v3":
        headers = {
            "x-hubspot-signature-v3": vector["X-HubSpot-Signature-v3"],
            "x-hubspot-request-timestamp": vector["timestamp"],
        }
    body, secrets = vector["body"].encode(), {"hook": vector["client_secret"]}
    verify, call = Verify(type="hubspot"), Call("POST", vector["uri"], headers, body)

    assert is_genuine(verify, secrets, call, NOW)
    assert not is_genuine(verify, secrets, Call("POST", vector["uri"], headers, body + b" "), NOW)
    assert not is_genuine(verify, {"hook": "other"}, call, NOW)
    assert not is_genuine(verify, {}, call, NOW)


@pytest.mark.parametrize("seconds", [-400, 400])
def test_a_signature_of_another_hour_is_not_taken(seconds: int) -> None:
    vector = vectors()[0]
    headers = {
        "x-hubspot-signature-v3": vector["X-HubSpot-Signature-v3"],
        "x-hubspot-request-timestamp": vector["timestamp"],
    }
    call = Call("POST", vector["uri"], headers, vector["body"].encode())

    assert not is_genuine(Verify(type="hubspot"), {"hook": vector["client_secret"]}, call, NOW + seconds)


def signed(algorithm: str = "sha256", key: bytes = b"s3cret", body: bytes = BODY) -> bytes:
    return hmac.digest(key, body, algorithm)


ESPO = base64.b64encode(b"hook-1:" + signed()).decode()
STAMP = str(int(NOW))
STANDARD = base64.b64encode(hmac.digest(b"s3cret", b".".join((b"m1", STAMP.encode(), BODY)), hashlib.sha256)).decode()
GENUINE: list[tuple[str, Verify, dict[str, str], str]] = [
    (
        "frappe",
        Verify(type="hmac", header="X-Frappe-Webhook-Signature", encode="base64"),
        {"x-frappe-webhook-signature": base64.b64encode(signed()).decode()},
        "",
    ),
    (
        "hex",
        Verify(type="hmac", header="X-Signature", prefix="sha256="),
        {"x-signature": f"sha256={signed().hex()}"},
        "",
    ),
    ("sha1", Verify(type="hmac", header="X-Signature", algorithm="sha1"), {"x-signature": signed("sha1").hex()}, ""),
    ("espo", Verify(type="hmac", header="Signature", encode="base64", signed_id="hook-1"), {"signature": ESPO}, ""),
    ("basic", Verify(type="basic"), {"authorization": f"Basic {base64.b64encode(b'crm:pass').decode()}"}, ""),
    ("token header", Verify(type="token", header="X-Token"), {"x-token": "s3cret"}, ""),
    ("path", Verify(type="path"), {}, "s3cret"),
    (
        "standard",
        Verify(type="standard"),
        {"webhook-id": "m1", "webhook-timestamp": STAMP, "webhook-signature": f"v1,AAAA v1,{STANDARD}"},
        "",
    ),
]


@pytest.mark.parametrize(("verify", "headers", "key"), [one[1:] for one in GENUINE], ids=[one[0] for one in GENUINE])
def test_what_proves_itself_is_taken_and_forgeries_are_not(verify: Verify, headers: dict[str, str], key: str) -> None:
    assert is_genuine(verify, SECRETS, Call("POST", "u", headers, BODY, key), NOW)
    for forged in ({}, {name: "x" * len(value) for name, value in headers.items()}):
        assert not is_genuine(verify, SECRETS, Call("POST", "u", forged, BODY, "x" if key else ""), NOW)
    assert not is_genuine(verify, {}, Call("POST", "u", headers, BODY, key), NOW)
    if verify.type in ("hmac", "standard"):
        assert not is_genuine(verify, SECRETS, Call("POST", "u", headers, BODY + b"!", key), NOW)


def test_a_token_in_the_body_is_taken() -> None:
    verify = Verify(type="token", token="token")

    assert is_genuine(verify, SECRETS, Call("POST", "u", {}, b'{"token": "s3cret"}'), NOW)
    for body in (b'{"token": "other"}', b"{}", b"no json", b'["token"]'):
        assert not is_genuine(verify, SECRETS, Call("POST", "u", {}, body), NOW)
