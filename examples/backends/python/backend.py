"""A whole backend on Bellwire in Python, without a framework: `PORT=8080 python3 backend.py`.

There are no passwords and nothing is stored: it shows what realtime needs. The settings are those of realtime.py.
"""

import hashlib
import hmac
import json
import logging
import os
import random
import re
import secrets
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import realtime
from realtime import Refusal

MOST_BYTES = 256 * 1024

# ---- Who is here, and what they may hear

USERS = {
    "ann": {"name": "Ann", "role": "admin"},
    "ben": {"name": "Ben", "role": "member"},
    "mallory": {"name": "Mallory", "role": "blocked"},
}


def role(user):
    return USERS[user]["role"] if user in USERS else None


def is_welcome(user):
    return role(user) in ("admin", "member")


# Who may subscribe a topic, by its name. An empty filter means every message of it.
TOPICS = {
    "Contact_Updated_Topic": lambda user, filter: is_welcome(user),
    "News_Topic": lambda user, filter: is_welcome(user),
    "Chat_Message_Topic": lambda user, filter: is_welcome(user),
    "Admin_Alert_Topic": lambda user, filter: role(user) == "admin",
}


def may_subscribe(user, topic, filter):
    return topic in TOPICS and TOPICS[topic](user, filter)


def cookie_of(user, session):
    """A signed cookie, so that nothing need be stored. The relay knows the session's id, which is not enough to forge one."""
    mac = hmac.new(realtime.key(), f"session:{user}.{session}".encode(), hashlib.sha256).hexdigest()
    return f"{user}.{session}.{mac}"


def visitor_of(cookies):
    """(user, session) of a whole Cookie header; (None, None) where nobody has signed in."""
    found = re.search(r"(?:^|;)\s*session=(([a-z]+)\.([0-9a-f]+)\.[0-9a-f]+)", cookies)
    if found is None:
        return None, None
    cookie, user, session = found.groups()
    if user in USERS and hmac.compare_digest(cookie, cookie_of(user, session)):
        return user, session
    return None, None


# ---- What a relay asks: each answers the reply, and an empty one means yes


def answer_hook(question):
    if "events" in question:
        return {}  # notices: somebody to keep a list of who is online would look at them
    answer = HOOKS.get(question.get("event"))
    return refuse("unknown-event", "This backend does not know that question") if answer is None else answer(question)


def on_connect(question):
    """By the token's claims, which the relay has verified, or else by the browser's cookie."""
    claims = question.get("claims") or {}
    user, session = claims.get("sub"), claims.get("sid")
    if not user:
        user, session = visitor_of((question.get("headers") or {}).get("cookie", ""))
    if user not in USERS:
        return refuse("signed-out", "Sign in first")
    if not is_welcome(user):
        return {"disconnect": {"code": "blocked", "reason": "This account is blocked"}}
    return {
        "user": user,
        "session": session or "",
        "info": {"name": USERS[user]["name"]},
        "until": int(time.time()) + 3600,
        "subscriptions": [{"topic": "News_Topic"}],
    }


def on_refresh(question):
    return {"until": int(time.time()) + 3600} if is_welcome(question["user"]) else refuse("signed-out", "Sign in again")


def on_subscribe(question):
    try:
        realtime.require_permission(question["user"], question["topic"], question.get("filter") or {}, may_subscribe)
        return {}
    except Refusal as refusal:
        return refuse("not-allowed", str(refusal))


def on_publish(question):
    """What a client wants to publish."""
    if question["topic"] != "Chat_Message_Topic" or not is_welcome(question["user"]):
        return refuse("not-allowed", "Only the chat is open to clients")
    text = text_of(question["data"], "text")
    if not 1 <= len(text) <= 1000:
        return refuse("invalid", "text has 1 to 1000 characters")
    return {"data": {"text": text, "by": question["user"]}}


def on_rpc(question):
    method = METHODS.get(question["method"])
    if method is None:
        raise Refusal("not-found", "There is no such method")
    return {"data": method(question)}


def refuse(code, message):
    return {"error": {"code": code, "message": message}}


HOOKS = {"connect": on_connect, "refresh": on_refresh, "subscribe": on_subscribe, "publish": on_publish, "rpc": on_rpc}
METHODS = {"ping": lambda question: "pong"}

# ---- The application's own requests: (user, session, input, *what the path holds) -> (status, body)


def save_contact(user, session, input, id):
    # Here the contact would be stored.
    told = realtime.publish("Contact_Updated_Topic", {"id": int(id), "updated_by": user})
    return 200, {"success": True, "told": told is not None}


def follow_contact(user, session, input, id, kind):
    """Subscribes the visitor's pages, all that are open, without their doing."""
    kind = "subscribe" if kind == "follow" else "unsubscribe"
    return 200, {"success": realtime.command(kind, session=session, topic="Contact_Updated_Topic", filter={"id": int(id)})}


def store_news(user, session, input):
    """An ordinary form, which a page may also send over its socket: `rpc("post:news/store", {title})`."""
    title = text_of(input, "title")
    if title == "":
        return 422, {"message": "The news needs a title", "errors": {"title": ["Write a title"]}}
    id = random.randint(1, 1_000_000)
    realtime.publish("News_Topic", {"id": id})
    return 201, {"id": id, "title": title, "author": user}


def sign_out(user, session, input):
    """Ends what the session's tokens opened, in all its tabs."""
    return 200, {"success": realtime.command("revoke", session=session)}, "session=; Path=/; HttpOnly; SameSite=Lax; Max-Age=0"


def sign_in(input):
    user = input.get("user")
    if not isinstance(user, str) or user not in USERS:
        return 422, {"message": "Nobody has this name"}
    cookie = cookie_of(user, secrets.token_hex(12))
    return 200, {"user": user}, f"session={cookie}; Path=/; HttpOnly; SameSite=Lax"


def text_of(input, name):
    value = input.get(name)
    return value.strip() if isinstance(value, str) else ""


ROUTES = [
    (r"/contacts/([0-9]{1,9})", save_contact),
    (r"/contacts/([0-9]{1,9})/(follow|unfollow)", follow_contact),
    (r"/news/store", store_news),
    (r"/sign-out", sign_out),
]

# ---- HTTP


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 15  # seconds that a connection may say nothing
    wbufsize = -1  # an answer's head and body leave together; apart, the second would wait for the first

    def do_GET(self):
        self.respond()

    def do_POST(self):
        self.respond()

    def respond(self):
        cookie = ()
        try:
            status, body, *cookie = self.answer(self.path.split("?")[0], self.read_body())
        except Refusal as refusal:
            status, body = refusal.status, {"error": refusal.error}
        except Exception:
            logging.exception("The backend failed")
            refusal = Refusal("internal", "The backend failed")
            status, body = refusal.status, {"error": refusal.error}
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("cache-control", "no-store")
        self.send_header("content-length", str(len(data)))
        for value in cookie:
            self.send_header("set-cookie", value)
        self.end_headers()
        self.wfile.write(data)

    def read_body(self):
        length = self.headers.get("content-length", "0")
        if "transfer-encoding" in self.headers or not re.fullmatch("[0-9]{1,9}", length):
            self.close_connection = True
            raise Refusal("bad-request", "Send content-length")
        if int(length) > MOST_BYTES:
            # Whoever is still sending reads no answer.
            self.rfile.read(min(int(length), 4 * MOST_BYTES))
            self.close_connection = True
            raise Refusal("too-large", "At most 256 KiB")
        return self.rfile.read(int(length))

    def answer(self, path, data):
        posted = self.command == "POST"
        if posted and path == "/hooks":
            realtime.verify_signature(self.headers, data)
            return 200, answer_hook(realtime.parse_object(data))
        user, session = self.caller(data)
        input = realtime.parse_object(data)
        if path == "/realtime":
            return 200, realtime.answer_token_request(input, user, session, may_subscribe)
        if posted and path == "/sign-in":
            return sign_in(input)
        if user is None:
            raise Refusal("token-missing", "Sign in first")
        for pattern, route in ROUTES:
            found = re.fullmatch(pattern, path)
            if posted and found is not None:
                return route(user, session, input, *found.groups())
        raise Refusal("not-found", "There is nothing here")

    def caller(self, data):
        """(user, session) of who asks: a relay on behalf of a page, or a page itself."""
        if "webhook-signature" in self.headers:
            user, session = realtime.read_caller(self.command, self.path, self.headers, data)
            return (user, session) if user in USERS else (None, None)
        # Forms of foreign pages can send cookies, but not this type.
        if self.command == "POST" and not self.headers.get("content-type", "").startswith("application/json"):
            raise Refusal("bad-request", "Send content-type: application/json")
        return visitor_of(self.headers.get("cookie", ""))

    def log_message(self, *args):
        pass


class Server(ThreadingHTTPServer):
    request_queue_size = 128


if __name__ == "__main__":
    realtime.key()
    port = int(os.environ.get("PORT", "8080"))
    with Server(("127.0.0.1", port), Handler) as server:
        print(f"Listening on http://127.0.0.1:{port}", flush=True)
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            sys.exit(0)
