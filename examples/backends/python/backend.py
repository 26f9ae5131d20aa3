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

from realtime import Realtime, Visitor, read_json
from realtime_grants import Refusal

MOST_BYTES = 256 * 1024

# ---- Who is here, and what they may hear

USERS = {
    "ann": {"site": "acme", "name": "Ann", "role": "admin"},
    "ben": {"site": "acme", "name": "Ben", "role": "member"},
    "mallory": {"site": "acme", "name": "Mallory", "role": "blocked"},
    "gil": {"site": 12, "name": "Gil", "role": "admin"},
}


def role(visitor):
    """None also for somebody who claims to be of another tenant."""
    user = USERS.get(visitor.user) if visitor else None
    return user["role"] if user and str(user["site"]) == visitor.site else None


def is_welcome(visitor):
    return role(visitor) in ("admin", "member")


# Who may subscribe a topic, by its name or pattern. An empty filter means every message of it.
TOPICS = {
    "Contact_Updated_Topic": lambda visitor, filter, params: is_welcome(visitor),
    "News_Topic": lambda visitor, filter, params: is_welcome(visitor),
    "Chat_Message_Topic": lambda visitor, filter, params: is_welcome(visitor),
    "Admin_Alert_Topic": lambda visitor, filter, params: role(visitor) == "admin",
    "user.{id}": lambda visitor, filter, params: is_welcome(visitor) and visitor.user == params["id"],
}

realtime = Realtime(topics=TOPICS)


def cookie_of(user, session):
    """A signed cookie, so that nothing need be stored. The relay knows the session's id, which is not enough to forge one."""
    mac = hmac.new(realtime.key, f"session:{user}.{session}".encode(), hashlib.sha256).hexdigest()
    return f"{user}.{session}.{mac}"


def visitor_of(cookies):
    """By a whole Cookie header; None where nobody has signed in."""
    found = re.search(r"(?:^|;)\s*session=(([a-z]+)\.([0-9a-f]+)\.[0-9a-f]+)", cookies)
    if found is None:
        return None
    cookie, user, session = found.groups()
    good = user in USERS and hmac.compare_digest(cookie, cookie_of(user, session))
    return Visitor(USERS[user]["site"], user, session) if good else None


# ---- What a relay asks: each answers the reply, and an empty one means yes


def answer_hook(question):
    if "events" in question:
        return {}  # notices: somebody to keep a list of who is online would look at them
    answer = HOOKS.get(question.get("event"))
    return refuse("unknown-event", "This backend does not know that question") if answer is None else answer(question)


def asker_of(question):
    return Visitor(question["site"], question["user"], question.get("session") or "") if question.get("user") else None


def on_connect(question):
    """By the token's claims, which the relay has verified, or else by the browser's cookie."""
    claims = question.get("claims") or {}
    if claims.get("sub"):
        visitor = Visitor(question["site"], claims["sub"], claims.get("sid") or "")
    else:
        visitor = visitor_of((question.get("headers") or {}).get("cookie", ""))
    # A cookie says which tenant's site somebody may enter: no other.
    if role(visitor) is None or visitor.site != question["site"]:
        return refuse("signed-out", "Sign in first")
    if not is_welcome(visitor):
        return {"disconnect": {"code": "blocked", "reason": "This account is blocked"}}
    return {
        "user": visitor.user,
        "session": visitor.session,
        "info": {"name": USERS[visitor.user]["name"]},
        "until": int(time.time()) + 3600,
        "subscriptions": [{"topic": "News_Topic"}],
    }


def on_refresh(question):
    return {"until": int(time.time()) + 3600} if is_welcome(asker_of(question)) else refuse("signed-out", "Sign in again")


def on_subscribe(question):
    try:
        realtime.require_permission(asker_of(question), question["topic"], question.get("filter") or {})
        return {}
    except Refusal as refusal:
        return refuse("forbidden", str(refusal))


def on_publish(question):
    """What a client wants to publish."""
    if question["topic"] != "Chat_Message_Topic" or not is_welcome(asker_of(question)):
        return refuse("forbidden", "Only the chat is open to clients")
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
    """`forbidden` is about permission; any other code is this backend's own, and reaches the page as the reason of `rejected`."""
    return {"error": {"code": code, "message": message}}


HOOKS = {"connect": on_connect, "refresh": on_refresh, "subscribe": on_subscribe, "publish": on_publish, "rpc": on_rpc}
METHODS = {"ping": lambda question: "pong"}

# ---- The application's own requests: (visitor, input, *what the path holds) -> (status, body)


def save_contact(visitor, input, id):
    # Here the contact would be stored.
    told = realtime.publish(visitor.site, "Contact_Updated_Topic", {"id": int(id), "updated_by": visitor.user})
    return 200, {"success": True, "told": told is not None}


def follow_contact(visitor, input, id, kind):
    """Subscribes the visitor's pages, all that are open, without their doing."""
    kind = "subscribe" if kind == "follow" else "unsubscribe"
    what = {"topic": "Contact_Updated_Topic", "filter": {"id": int(id)}}
    return 200, {"success": realtime.command(visitor.site, kind, session=visitor.session, **what)}


def store_news(visitor, input):
    """An ordinary form, which a page may also send over its socket: `rpc("post:news/store", {title})`."""
    title = text_of(input, "title")
    if title == "":
        return 422, {"message": "The news needs a title", "errors": {"title": ["Write a title"]}}
    id = random.randint(1, 1_000_000)
    realtime.publish(visitor.site, "News_Topic", {"id": id})
    return 201, {"id": id, "title": title, "author": visitor.user}


def sign_out(visitor, input):
    """Ends what the session's tokens opened, in all its tabs."""
    done = realtime.command(visitor.site, "revoke", session=visitor.session)
    return 200, {"success": done}, "session=; Path=/; HttpOnly; SameSite=Lax; Max-Age=0"


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
            return 200, answer_hook(realtime.read_hook(self.headers, data))
        visitor = self.caller(data)
        if path == "/realtime":
            return 200, realtime.answer_token_request(self.command, self.headers.get("content-type"), data, visitor)
        input = read_json(self.headers.get("content-type"), data) if posted else {}
        if posted and path == "/sign-in":
            return sign_in(input)
        if visitor is None:
            raise Refusal("token-missing", "Sign in first")
        for pattern, route in ROUTES:
            found = re.fullmatch(pattern, path)
            if posted and found is not None:
                return route(visitor, input, *found.groups())
        raise Refusal("not-found", "There is nothing here")

    def caller(self, data):
        """Who asks: a relay on behalf of a page, or a page itself."""
        if "webhook-signature" in self.headers:
            visitor = realtime.read_caller(self.command, self.path, self.headers, data)
            return visitor if role(visitor) else None
        return visitor_of(self.headers.get("cookie", ""))

    def log_message(self, *args):
        pass


class Server(ThreadingHTTPServer):
    request_queue_size = 128


if __name__ == "__main__":
    port = int(os.environ.get("PORT", "8080"))
    with Server(("127.0.0.1", port), Handler) as server:
        print(f"Listening on http://127.0.0.1:{port}", flush=True)
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            sys.exit(0)
