"""Answers Bellwire's question "{{event}}", with nothing but Python's standard library.

    HOOK_SECRET=whsec_... python3 {{file}}

In a web framework, hand `respond` a request's headers and raw body. The file that the relay's REALTIME_CONFIG names then says

    hooks:
      secret: whsec_...
@if connect
      headers: [cookie]
@end
@if connect refresh subscribe publish rpc
      {{event}}: { url: "http://127.0.0.1:8080/" }
@end
@if notices
      notices: { url: "http://127.0.0.1:8080/", events: [connected, disconnected] }
@end
"""

import base64
import hashlib
import hmac
import json
import os
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

SECRET = base64.b64decode(os.environ.get("HOOK_SECRET", "").removeprefix("whsec_"))
if not SECRET:
    sys.exit("HOOK_SECRET is not set: whsec_ and some base64, as hooks.secret of the relay's file")

# Seconds: an older question may be a recording that somebody sends again.
MAX_AGE = 300
MAX_BYTES = 1_048_576

# Each function below answers one question with a dict: {"error": {"code", "message"}} refuses, {"disconnect": {"code", "reason"}}
# ends the connection. The code "forbidden" is about permission; with any other, your own, the page gets `rejected`. It finds
# code and words in the error's `reason`.


# @if connect
def user_of_cookie(cookie):
    """Looks a session up: the user's id, or None for signed out."""
    return None  # your session store's answer


def connect(question):
    """Somebody connects: who is it?

    The question has site, client, headers (those that the relay passes on), data (what the page sent along: anybody can write
    it) and claims (of a connection token, verified by the relay; or None).
    """
    claims = question.get("claims") or {}
    user = claims.get("sub") or user_of_cookie(question["headers"].get("cookie", ""))
    if user is None:
        return {"error": {"code": "signed-out", "message": "Sign in first"}}
    return {
        "user": str(user),  # an id is a string; "" admits a visitor without a name
        "info": {"name": f"User {user}"},  # shown to others where a topic has presence
        "until": int(time.time()) + 3600,  # the end of the connection, unless refresh puts it off
        "subscriptions": [{"topic": "news", "filter": {}}],  # made at once
        "grants": [],  # what else may be subscribed without asking again: [{"topic": ..., "filter": ...}]
    }


# @end
# @if refresh
def refresh(question):
    """A connection is about to end: may it stay? The question has site, user, session, client and headers."""
    if not question.get("user"):  # look up here whether this user is still welcome
        return {"disconnect": {"code": "signed-out", "reason": "Sign in again"}}
    return {"until": int(time.time()) + 3600}  # None: no end any more


# @end
# @if subscribe
def subscribe(question):
    """May somebody hear this?

    The question has site, user, session, topic, filter, and params: what a rule of the relay's file, such as user.{uuid}, read
    from the topic.
    """
    topic, user = question["topic"], question.get("user")
    if topic == "news":
        return {}  # everybody may
    if user and topic == f"user.{user}":
        return {"until": int(time.time()) + 3600}  # then it is asked again
    return {"error": {"code": "forbidden", "message": f"This is not for you: {topic}"}}


# @end
# @if publish
def publish(question):
    """A client publishes: may this go in? The question has site, user, session, topic and data."""
    user, text = question.get("user"), question["data"].get("text")
    if not user:
        return {"error": {"code": "forbidden", "message": "Sign in first"}}
    if not isinstance(text, str) or not text.strip() or len(text.encode()) > 1000:
        return {"error": {"code": "bad-message", "message": "A message is a text of at most 1,000 bytes"}}
    # Goes in instead of what the client sent. {"handled": True} publishes nothing; {"topic": ...} puts it elsewhere.
    return {"data": {"text": text.strip(), "user": user}}


# @end
# @if rpc
def rpc(question):
    """A client calls a method. The question has site, user, session, method and data. None: there is no such method."""
    method, data, user = question["method"], question.get("data"), question.get("user")
    if method == "ping":
        return {"data": "pong"}
    if method == "whoami":
        return {"data": {"user": user}} if user else {"error": {"code": "forbidden", "message": "Sign in first"}}
    if method == "double":
        n = data.get("n") if isinstance(data, dict) else None
        return {"data": n * 2} if isinstance(n, (int, float)) else {"error": {"code": "no-number", "message": "n is a number"}}
    return None


# @end
# @if notices
def notices(notice):
    """No question: what happened.

    Each event has event (connected, disconnected, occupied or vacated) and whom or what it is about. A notice comes at least
    once: the header webhook-id is the same each time.
    """
    for event in notice["events"]:
        print(json.dumps(event), file=sys.stderr, flush=True)
    return {}


# @end
ANSWERS = {
    # @if connect
    "connect": connect,
    # @end
    # @if refresh
    "refresh": refresh,
    # @end
    # @if subscribe
    "subscribe": subscribe,
    # @end
    # @if publish
    "publish": publish,
    # @end
    # @if rpc
    "rpc": rpc,
    # @end
    # @if notices
    "notices": notices,
    # @end
}


def is_signed(headers, body):
    """Whether a request is the relay's, by Standard Webhooks (https://www.standardwebhooks.com)."""
    id, timestamp = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    if not id or not (timestamp.isascii() and timestamp.isdigit()) or abs(time.time() - int(timestamp[:12])) > MAX_AGE:
        return False
    digest = hmac.new(SECRET, f"{id}.{timestamp}.".encode() + body, hashlib.sha256).digest()
    expected = b"v1," + base64.b64encode(digest)
    # Several while a secret is being changed; the comparison takes as long for a wrong one.
    return any(hmac.compare_digest(expected, one.encode()) for one in headers.get("webhook-signature", "").split())


def respond(headers, body):
    """The HTTP status, and the answer."""
    if not is_signed(headers, body):
        return 401, {"problem": "Not signed with HOOK_SECRET, or too long ago"}
    question = json.loads(body)
    answer = ANSWERS.get(question.get("event", "notices")) if isinstance(question, dict) else None
    reply = None if answer is None else answer(question)
    return (404, {"problem": "This is not answered here"}) if reply is None else (200, reply)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"  # the relay keeps its connections
    wbufsize = -1  # head and body in one packet

    def do_POST(self):
        length = self.headers.get("Content-Length", "")
        if not length.isdigit() or int(length) > MAX_BYTES:
            self.close_connection = True
            return self.answer(413, {"problem": "The body is too long"})
        body = self.rfile.read(int(length))
        try:
            self.answer(*respond(self.headers, body))
        except Exception as error:
            print(repr(error), file=sys.stderr, flush=True)
            self.answer(500, {"problem": "See the backend's log"})

    def answer(self, status, reply):
        text = json.dumps(reply).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *args):
        pass


if __name__ == "__main__":
    server = ThreadingHTTPServer(("127.0.0.1", int(os.environ.get("PORT", "8080"))), Handler)
    print("Answering {{event}} on http://127.0.0.1:%d/" % server.server_port, file=sys.stderr, flush=True)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        pass
