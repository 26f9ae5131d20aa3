"""Bellwire from Python 3.9 or later, with the standard library alone: tokens, publishing, control, and the signature of hooks.

Copy this file. Settings, from the environment: APP_KEY, REALTIME_URL (a relay, as this backend reaches it), REALTIME_API_KEY,
REALTIME_SITE, HOOK_SECRET, and optionally REALTIME_ENABLED (default true) and REALTIME_PUBLIC_URL (the relay, as browsers
reach it).
"""

import base64
import hashlib
import hmac
import http.client
import json
import logging
import math
import os
import random
import re
import secrets
import time
from urllib.parse import unquote, urlsplit

log = logging.getLogger("realtime")

TOKEN_SECONDS = 60
REQUEST_SECONDS = 3
HOOK_TOLERANCE_SECONDS = 300
MOST_SUBSCRIPTIONS = 500
# Bytes of JSON: a token's text is a third longer, and a relay takes 16,384 characters.
MOST_GRANTS_BYTES = 11_000
LARGEST_INTEGER = 2**53 - 1

CODES = {
    "bad-request": ("never", 400),
    "forbidden": ("never", 403),
    "not-found": ("never", 404),
    "too-large": ("never", 413),
    "token-missing": ("refresh", 401),
    "token-invalid": ("refresh", 401),
    "limit": ("later", 429),
    "internal": ("later", 500),
}


class Refusal(Exception):
    """An error in the shape that browsers and relays know: {code, message, retry}."""

    def __init__(self, code, message):
        super().__init__(message)
        retry, self.status = CODES[code]
        self.error = {"code": code, "message": message, "retry": retry}


def enabled():
    return os.environ.get("REALTIME_ENABLED", "").strip().lower() not in ("false", "0", "no", "off")


def site():
    """The tenant. Here there is one; yours may depend on the user."""
    return os.environ["REALTIME_SITE"]


# ---- Tokens


def key():
    """The bytes of APP_KEY: keys are often written as `base64:...`."""
    text = os.environ.get("APP_KEY", "")
    found = base64.b64decode(text[7:]) if text.startswith("base64:") else text.encode()
    if len(found) < 32:
        raise SystemExit("APP_KEY needs at least 32 bytes")
    return found


def connection_token(user, session):
    return sign({"aud": "bellwire:connect", **claims(user, session)})


def subscribe_token(user, session, grants):
    """@param grants: a list of {topic, filter}, what the user may subscribe on a connection of their own"""
    return sign({"aud": "bellwire:subscribe", "grants": grants, **claims(user, session)})


def claims(user, session):
    # With fractions of a second, so that a revocation can tell the tokens of one second apart.
    now = time.time()
    return {"site": site(), "sub": user, "sid": session, "iat": now, "exp": math.ceil(now) + TOKEN_SECONDS}


def sign(payload):
    """A JSON Web Token, HS256."""
    text = ".".join(base64url(json.dumps(part).encode()) for part in ({"alg": "HS256", "typ": "JWT"}, payload))
    return text + "." + base64url(hmac.new(key(), text.encode(), hashlib.sha256).digest())


def base64url(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def answer_token_request(body, user, session, may_subscribe):
    """What the browser's client asks for: a connection token, and one subscribe token for all that it may have of a list.

    `may_subscribe(user, topic, filter)` decides; an empty filter means every message of the topic.
    """
    if not enabled():
        return {"enabled": False}
    asked = body.get("subscriptions")
    if not isinstance(asked, (list, type(None))):
        raise Refusal("bad-request", "subscriptions is a list of {topic, filter}")
    if len(asked or ()) > MOST_SUBSCRIPTIONS:
        raise Refusal("too-large", f"At most {MOST_SUBSCRIPTIONS} subscriptions in one request")
    if user is None:
        raise Refusal("token-missing", "Sign in first")
    url = os.environ.get("REALTIME_PUBLIC_URL") or re.sub("^http", "ws", os.environ["REALTIME_URL"])
    reply = {"enabled": True, "url": url, "site": site(), "token": connection_token(user, session)}
    if asked is None:
        return reply
    grants, results, size = [], [], 0
    for one in asked:
        one = one if isinstance(one, dict) else {}
        grant = {"topic": one.get("topic"), "filter": one.get("filter") or {}}
        try:
            require_permission(user, grant["topic"], grant["filter"], may_subscribe)
            size += len(json.dumps(grant)) + 2
            if size > MOST_GRANTS_BYTES:
                raise Refusal("limit", "No room in this token: ask for this one again, with fewer others")
            grants.append(grant)
            results.append(grant)
        except Refusal as refusal:
            results.append({**grant, "error": refusal.error})
    return {**reply, "results": results, **({"subscribeToken": subscribe_token(user, session, grants)} if grants else {})}


def require_permission(user, topic, filter, may_subscribe):
    check_filter(filter)
    # Of a topic that there is not, nobody learns more than of one that refuses.
    if user is None or not isinstance(topic, str) or may_subscribe(user, topic, filter) is not True:
        raise Refusal("forbidden", "This topic may not be subscribed with this filter")


def check_filter(filter):
    """Refuses what a relay would refuse the whole token for."""
    if not isinstance(filter, dict) or len(filter) > 8:
        raise Refusal("bad-request", "A filter is an object of at most 8 keys")
    combinations = 1
    for name, allowed in filter.items():
        values = allowed if isinstance(allowed, list) else [allowed]
        combinations *= len(values)
        if not 1 <= combinations <= 256 or not is_text(name, 128) or not all(map(is_scalar, values)):
            raise Refusal("bad-request", "Each key of a filter has a string, number, boolean or null, or a list of them")


def is_scalar(value):
    if isinstance(value, str):
        return is_text(value, 1024)
    return value is None or (isinstance(value, (int, float)) and abs(value) <= LARGEST_INTEGER)


def is_text(value, longest):
    """False also for half a surrogate pair, which JSON can hold and UTF-8 can't."""
    return len(value) <= longest and not re.search("[\ud800-\udfff]", value)


# ---- The relay's API


def publish(topic, data, **options):
    """Tells everybody who listens to the topic, or to any of a list of topics.

    Never raises: what the application did has happened, and a page that was not told fetches anew when its connection is back.
    Options: idempotencyKey, and `except_`, e.g. {"client": id}.
    Returns a result for each topic, {topic, epoch, offset}; None where realtime is off or not all could be told.
    """
    if "except_" in options:
        options["except"] = options.pop("except_")
    # With a key of its own, what was sent twice is heard once.
    body = {"topics" if isinstance(topic, list) else "topic": topic, "data": data, "idempotencyKey": secrets.token_hex(16), **options}
    reply = post("publish", body)
    if reply is None:
        return None
    errors = [result["error"] for result in reply["results"] if "error" in result]
    for error in errors:
        log.error("realtime: publish: %s", error["message"])
    return None if errors else reply["results"]


def command(kind, **body):
    """`subscribe`, `unsubscribe`, `disconnect` or `revoke`, on every relay: whom (user, session or client), topic, filter. Never raises."""
    return post(kind, body) is not None


def post(kind, body):
    """Asks the relay's API, once more where that may help. None, and a line in the log, where it failed or realtime is off."""
    if not enabled():
        return None
    for attempt in (1, 2):
        status, reply = request(kind, json.dumps(body))
        errors = [part["error"] for part in [reply, *reply.get("results", [])] if "error" in part]
        if status != 0 and not any(error.get("retry") == "later" for error in errors):
            break
        if attempt == 1:
            time.sleep(random.uniform(0.05, 0.15))
    if status == 200:
        return reply
    log.error("realtime: %s: %s", kind, reply["error"]["message"] if "error" in reply else f"status {status}")
    return None


def request(kind, text):
    """Gives the status, 0 where there was no answer to read, and the JSON object."""
    url = urlsplit(os.environ["REALTIME_URL"])
    kind_of = http.client.HTTPSConnection if url.scheme == "https" else http.client.HTTPConnection
    connection = kind_of(url.hostname, url.port, timeout=REQUEST_SECONDS)
    headers = {"authorization": f"Bearer {os.environ['REALTIME_API_KEY']}", "content-type": "application/json"}
    try:
        connection.request("POST", f"{url.path.rstrip('/')}/v1/sites/{site()}/{kind}", text, headers)
        response = connection.getresponse()
        return response.status, parse_object(response.read())
    except (OSError, http.client.HTTPException, Refusal) as problem:
        return 0, {"error": {"message": f"The relay gave no answer: {problem}"}}
    finally:
        connection.close()


# ---- Hooks


def verify_signature(headers, content):
    """Checks what Standard Webhooks signs: id, time and content. @raises Refusal where it is wrong, old or missing"""
    secret = base64.b64decode(re.sub("^whsec_", "", os.environ.get("HOOK_SECRET", "")))
    timestamp = headers.get("webhook-timestamp", "")
    if not secret or not re.fullmatch("[0-9]{1,12}", timestamp) or abs(time.time() - int(timestamp)) > HOOK_TOLERANCE_SECONDS:
        raise Refusal("token-invalid", "The signature is missing or too old")
    signed = f"{headers.get('webhook-id', '')}.{timestamp}.".encode("latin-1") + content
    right = b"v1," + base64.b64encode(hmac.new(secret, signed, hashlib.sha256).digest())
    signatures = headers.get("webhook-signature", "").encode("latin-1").split(b" ")
    if not any(hmac.compare_digest(right, signature) for signature in signatures):
        raise Refusal("token-invalid", "The signature is wrong")


def read_caller(method, target, headers, body):
    """Who calls one of the application's own addresses over a socket, by `rpc("post:news/store", data)`.

    Returns user and session, "" for none. @raises Refusal where the signature is wrong, or old
    """
    asker = [headers.get(f"bellwire-{name}", "") for name in ("site", "user", "session")]
    verify_signature(headers, "\n".join([f"{method} {target}", *asker, ""]).encode("latin-1") + body)
    if asker[0] != site():
        raise Refusal("forbidden", "This backend is not for that site")
    return unquote(asker[1]), unquote(asker[2])


def parse_object(data):
    """@raises Refusal where the bytes are no JSON object"""

    def refuse(constant):
        raise ValueError(f"{constant} is no JSON")

    try:
        value = json.loads(data or b"{}", parse_constant=refuse)
    except (ValueError, RecursionError):
        raise Refusal("bad-request", "The body is no JSON") from None
    if not isinstance(value, dict):
        raise Refusal("bad-request", "The body is a JSON object")
    return value
