"""Bellwire from Python 3.9 or later, with the standard library alone: tokens, publishing, control, and the signature of hooks.

Copy this file and realtime_grants.py; for asyncio realtime_async.py too.

    realtime = Realtime(topics={"user.{id}": lambda visitor, filter, params: visitor.user == params["id"]})
    realtime.publish(site, "Contact_Updated_Topic", {"id": 5})

Sites, users and sessions are strings, or integers, which are written as strings.
"""

import base64
import hashlib
import hmac
import http.client
import io
import json
import logging
import math
import os
import random
import re
import secrets
import socket
import ssl
import time
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from realtime_grants import Refusal, check_filter, check_size, compile_rules, encode, fill_tokens, find_rule, merge

log = logging.getLogger("realtime")

TOKEN_SECONDS = 60
HOOK_TOLERANCE_SECONDS = 300
MOST_SUBSCRIPTIONS = 500
MOST_REPLY_BYTES = 1 << 20


class RelayError(Exception):
    """Not everybody could be told. Raised only where it was asked for, by `check=True`."""


@dataclass(frozen=True)
class Visitor:
    """Who a request is from. @raises TypeError, ValueError naming what is none"""

    site: str
    user: str
    session: str = ""

    def __post_init__(self):
        for name in ("site", "user", "session"):
            object.__setattr__(self, name, as_id(name, getattr(self, name)))


class Realtime:
    """Speaks with relays. What is not given comes from the environment:

    key: APP_KEY; url: REALTIME_URL, a relay, as this backend reaches it; api_key: REALTIME_API_KEY; public_url:
    REALTIME_PUBLIC_URL, the relay as browsers reach it, default: `url` with ws for http; hook_secret: HOOK_SECRET;
    enabled: REALTIME_ENABLED, default: true.

    topics: who may subscribe, by name or by a pattern like "user.{id}": `rule(visitor, filter, params)` answers True. An empty
    filter means every message of the topic.
    timeout: seconds that publish and command take at most, both attempts together.
    """

    def __init__(self, *, topics=(), key=None, url=None, api_key=None, public_url=None, hook_secret=None, enabled=None, timeout=2.0):
        def setting(given, name):
            return os.environ.get(name, "") if given is None else given

        self.key = decode_key(setting(key, "APP_KEY"))
        self.secret = base64.b64decode(re.sub("^whsec_", "", setting(hook_secret, "HOOK_SECRET")), validate=True)
        self.enabled = str(setting(enabled, "REALTIME_ENABLED")).strip().lower() not in ("false", "0", "no", "off")
        self.url = setting(url, "REALTIME_URL").rstrip("/")
        if self.enabled and not re.match("https?://[^/]", self.url):
            raise ValueError(f"REALTIME_URL is a relay as this backend reaches it, such as http://127.0.0.1:6200, not {self.url!r}")
        base = urlsplit(self.url)
        tls = ssl.create_default_context() if base.scheme == "https" else None
        self.address = base.hostname, base.port or (80 if tls is None else 443), tls
        self.public_url = setting(public_url, "REALTIME_PUBLIC_URL") or re.sub("^http", "ws", self.url)
        self.api_key = setting(api_key, "REALTIME_API_KEY")
        self.timeout = timeout
        self.rules = compile_rules(dict(topics))

    # ---- Tokens

    def connection_token(self, visitor):
        return self._sign(visitor, {"aud": "bellwire:connect"})

    def subscribe_token(self, visitor, grants):
        """@param grants: a list of {topic, filter}, what the visitor may subscribe on a connection of their own"""
        return self._sign(visitor, {"aud": "bellwire:subscribe", "grants": grants})

    def answer_token_request(self, method, content_type, data, visitor):
        """What the browser's client asks for: a connection token, and subscribe tokens for what it may have of a list.

        data: the body's bytes. visitor: None where nobody has signed in. @raises Refusal
        """
        if not self.enabled:
            return {"enabled": False}
        body = read_json(content_type, data) if method == "POST" else {}
        asked = body.get("subscriptions")
        if not isinstance(asked, (list, type(None))):
            raise Refusal("bad-request", "subscriptions is a list of {topic, filter}")
        if len(asked or ()) > MOST_SUBSCRIPTIONS:
            raise Refusal("too-large", f"At most {MOST_SUBSCRIPTIONS} subscriptions in one request")
        if visitor is None:
            raise Refusal("token-missing", "Sign in first")
        reply = {"enabled": True, "url": self.public_url, "site": visitor.site, "token": self.connection_token(visitor)}
        return reply if asked is None else {**reply, **self._grant(asked, visitor)}

    def require_permission(self, visitor, topic, filter):
        """@raises Refusal where the visitor may not subscribe"""
        check_filter(filter)
        # Of a topic that there is not, nobody learns more than of one that refuses.
        rule, params = find_rule(self.rules, topic)
        if visitor is None or rule is None or rule(visitor, filter, params) is not True:
            raise Refusal("forbidden", "This topic may not be subscribed with this filter")

    def _grant(self, asked, visitor):
        """Decides on each of a list. Where one token can't hold all that is allowed, there are several."""
        allowed, results = [], []
        for place, one in enumerate(asked):
            one = one if isinstance(one, dict) else {}
            topic, filter = one.get("topic"), one.get("filter")
            pair = {"topic": topic, "filter": {} if filter in (None, []) else filter}
            try:
                self.require_permission(visitor, pair["topic"], pair["filter"])
                check_size(pair)
                allowed.append((place, pair))
                results.append(pair)
            except Refusal as refusal:
                results.append({**pair, "error": refusal.error})
        tokens = []
        for number, (grants, places) in enumerate(fill_tokens(merge(allowed))):
            tokens.append(self.subscribe_token(visitor, grants))
            for place in places if number > 0 else ():
                # A client that knows of one token only goes by the error, and asks again.
                full = Refusal("limit", "No room in the first token: use the one in `token`, or ask for this one again")
                results[place] = {**results[place], "token": number, "error": full.error}
        first = {"subscribeToken": tokens[0]} if tokens else {}
        return {"results": results, **first, **({"subscribeTokens": tokens} if len(tokens) > 1 else {})}

    def _sign(self, visitor, claims):
        """A JSON Web Token, HS256."""
        # With fractions of a second, so that a revocation can tell the tokens of one second apart.
        now = time.time()
        common = {"site": visitor.site, "sub": visitor.user, "sid": visitor.session, "iat": now, "exp": math.ceil(now) + TOKEN_SECONDS}
        text = ".".join(base64url(encode(part)) for part in ({"alg": "HS256", "typ": "JWT"}, {**claims, **common}))
        return text + "." + base64url(hmac.new(self.key, text.encode(), hashlib.sha256).digest())

    # ---- The relay's API

    def publish(self, site, topic, data, *, idempotency_key=None, except_=None, check=False):
        """Tells everybody on the site who listens to the topic, or to any of a list of topics; but for except_, e.g. {"client": id}.

        Gives a result for each topic, {topic, epoch, offset}; None where realtime is off, or not all could be told: then the log
        says why. What the application did has happened, and a page that was not told fetches anew when its connection is back.
        With `check=True` it raises RelayError instead.
        """
        reply = self._post(site, "publish", lambda: publication(topic, data, idempotency_key, except_), check)
        return None if reply is None else reply.get("results")

    def command(self, site, kind, *, check=False, **body):
        """`subscribe`, `unsubscribe`, `disconnect` or `revoke`, on every relay: whom (user, session or client), topic, filter."""
        return self._post(site, kind, lambda: body, check) is not None

    def _post(self, site, kind, body, check):
        """Asks the relay's API, once more where that may help."""
        if not self.enabled:
            return None
        try:
            message = self._message(site, kind, body())
            deadline = time.monotonic() + self.timeout
            reply = self._send(message, deadline)
            if may_repeat(reply, deadline):
                time.sleep(pause())
                reply = self._send(message, deadline)
            return read_outcome(reply)
        except (RelayError, TypeError, ValueError) as problem:
            return failed(kind, problem, check)

    def _message(self, site, kind, body):
        """A request's bytes. @raises TypeError, ValueError for what can't be asked"""
        url, text = urlsplit(self.url), json.dumps(stringify_ids(body), allow_nan=False).encode()
        head = (
            f"POST {url.path}/v1/sites/{as_id('site', site)}/{kind} HTTP/1.1",
            f"host: {url.netloc}",
            f"authorization: Bearer {self.api_key}",
            "content-type: application/json",
            f"content-length: {len(text)}",
            "connection: close",
        )
        return "\r\n".join((*head, "", "")).encode("latin-1") + text

    def _send(self, message, deadline):
        host, port, tls = self.address

        def left():
            return max(deadline - time.monotonic(), 0.001)

        try:
            with socket.create_connection((host, port), left()) as plain:
                with plain if tls is None else tls.wrap_socket(plain, server_hostname=host) as connection:
                    connection.sendall(message)
                    data = b""
                    while len(data) <= MOST_REPLY_BYTES:
                        connection.settimeout(left())
                        part = connection.recv(65_536)
                        if not part:
                            break
                        data += part
        except OSError as problem:
            return self._unanswered(problem)
        return read_reply(data)

    def _unanswered(self, problem):
        late = not isinstance(problem, OSError) or isinstance(problem, (TimeoutError, socket.timeout))
        why = f"did not answer within {self.timeout:g} s" if late else f"can't be reached: {problem}"
        return 0, {"error": {"code": "unavailable", "message": f"{self.url} {why}", "retry": "later"}}

    # ---- Hooks

    def read_hook(self, headers, body):
        """A relay's question. @raises Refusal where its signature is wrong, old or missing"""
        self.verify_signature(headers, body)
        return parse_object(body)

    def verify_signature(self, headers, content):
        """Checks what Standard Webhooks signs: id, time and content. @raises Refusal where it is wrong, old or missing"""
        timestamp = headers.get("webhook-timestamp", "")
        fresh = re.fullmatch("[0-9]{1,12}", timestamp) and abs(time.time() - int(timestamp)) <= HOOK_TOLERANCE_SECONDS
        if not self.secret or not fresh:
            raise Refusal("token-invalid", "The signature is missing or too old")
        signed = f"{headers.get('webhook-id', '')}.{timestamp}.".encode("latin-1") + content
        right = b"v1," + base64.b64encode(hmac.new(self.secret, signed, hashlib.sha256).digest())
        signatures = headers.get("webhook-signature", "").encode("latin-1").split(b" ")
        if not any(hmac.compare_digest(right, signature) for signature in signatures):
            raise Refusal("token-invalid", "The signature is wrong")

    def read_caller(self, method, target, headers, body):
        """The visitor who calls one of the application's own addresses over a socket, by `rpc("post:news/store", data)`.

        None for one without a name. @raises Refusal where the signature is wrong, old or missing
        """
        asker = [headers.get(f"bellwire-{name}", "") for name in ("site", "user", "session")]
        self.verify_signature(headers, "\n".join([f"{method} {target}", *asker, ""]).encode("latin-1") + body)
        site, user, session = map(unquote, asker)
        return Visitor(site, user, session) if user else None


# ---- Requests and replies of the API


def publication(topic, data, idempotency_key, except_):
    body = {"topics" if isinstance(topic, (list, tuple)) else "topic": topic, "data": data}
    if except_ is not None:
        body["except"] = stringify_ids(except_)
    # With a key of its own, what was sent twice is heard once.
    return {**body, "idempotencyKey": idempotency_key or secrets.token_hex(16)}


def stringify_ids(body):
    return {name: as_id(name, value) if name in ("user", "session") else value for name, value in body.items()}


def read_reply(data):
    """The status, 0 where there is none, and the object."""
    response = http.client.HTTPResponse(Received(data))
    try:
        response.begin()
        body = json.loads(response.read())
        if not isinstance(body, dict):
            raise ValueError("no object")
        return response.status, body
    except http.client.HTTPException as problem:
        return 0, {"error": {"message": f"The relay's answer broke off: {problem}", "retry": "later"}}
    except (ValueError, RecursionError):
        kind = response.headers.get("content-type", "no content-type")
        what = f"The reply is no JSON but {kind} with the status {response.status}: is REALTIME_URL a relay's address?"
        return response.status, {"error": {"message": what, "retry": "later" if response.status >= 500 else "never"}}


class Received(io.BytesIO):
    """What http.client takes for a socket."""

    def makefile(self, mode):
        return self


def errors_of(body):
    results = body.get("results")
    parts = [body, *(results if isinstance(results, list) else ())]
    return [part["error"] for part in parts if isinstance(part, dict) and isinstance(part.get("error"), dict)]


def may_repeat(reply, deadline):
    later = any(error.get("retry") == "later" for error in errors_of(reply[1]))
    return later and time.monotonic() + 0.2 < deadline


def pause():
    """Seconds before the second attempt."""
    return random.uniform(0.05, 0.15)


def read_outcome(reply):
    """@raises RelayError"""
    status, body = reply
    errors = errors_of(body)
    if errors or status != 200:
        raise RelayError(errors[0].get("message") if errors else f"status {status}")
    return body


def failed(kind, problem, check):
    if check:
        raise problem
    log.error("realtime: %s: %s", kind, problem)
    return None


# ---- Ids, keys and JSON


def as_id(name, value):
    """A site, user or session as a string. @raises TypeError, ValueError naming what it got"""
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str):
        raise TypeError(f"{name} is a string or an integer, not {value!r} ({type(value).__name__})")
    if name == "site" and not re.fullmatch("[A-Za-z0-9_-]{1,64}", value):
        raise ValueError(f"site is 1 to 64 characters of A-Z a-z 0-9 _ -, not {value!r}")
    if len(value.encode()) > 128 or (name == "user" and value == ""):
        raise ValueError(f"{name} is 1 to 128 bytes, not {value!r}")
    return value


def decode_key(text):
    """The bytes of APP_KEY: keys are often written as `base64:...`."""
    key = base64.b64decode(text[7:]) if text.startswith("base64:") else text.encode()
    if len(key) < 32:
        raise ValueError("APP_KEY needs at least 32 bytes")
    return key


def base64url(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def read_json(content_type, data):
    """The object in a browser's request. Forms of foreign pages can send cookies, but not this type. @raises Refusal"""
    if (content_type or "").split(";")[0].strip().lower() != "application/json":
        raise Refusal("bad-request", f"Send content-type: application/json, not {content_type or 'none'}")
    return parse_object(data)


def parse_object(data):
    """@raises Refusal where the bytes are no JSON object"""

    def refuse(constant):
        raise ValueError(f"{constant} is no JSON")

    try:
        value = json.loads(data or b"{}", parse_constant=refuse)
    except (ValueError, RecursionError):
        raise Refusal("bad-request", "The body is no JSON") from None
    if value == []:  # as PHP writes an empty object
        return {}
    if not isinstance(value, dict):
        raise Refusal("bad-request", "The body is a JSON object")
    return value
