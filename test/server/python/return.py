"""A client that does no more to come back than PROTOCOL.md asks for: python-socketio reconnects, and each hello subscribes anew.

Settings are a JSON object in the first argument: url, site, key (base64: or literal) and transport. Prints what happens as
JSON lines. A line "expire" on standard input makes the next attempt show a token that has run out.
"""

import asyncio
import base64
import hashlib
import hmac
import json
import sys
import threading
import time

import socketio

settings = json.loads(sys.argv[1])
namespace = "/site/" + settings["site"]
state = {"expire": False, "cursor": None}


def say(event, **fields):
    print(json.dumps({"event": event, **fields}), flush=True)


def part(raw):
    return base64.urlsafe_b64encode(raw).rstrip(b"=")


def token(audience, **claims):
    key = settings["key"]
    secret = base64.b64decode(key[7:]) if key.startswith("base64:") else key.encode()
    now = time.time()
    body = {"aud": audience, "iat": now, "exp": now + 60, "site": settings["site"], "sub": "ann", **claims}
    text = b".".join(part(json.dumps(each).encode()) for each in ({"alg": "HS256", "typ": "JWT"}, body))
    return (text + b"." + part(hmac.new(secret, text, hashlib.sha256).digest())).decode()


def auth():
    """Asked by the library before each attempt: a token is for one."""
    expired, state["expire"] = state["expire"], False
    return {"v": 1, "token": token("bellwire:connect", **({"exp": 1} if expired else {}))}


def request():
    item = {"id": "1", "topic": "news", "replay": False, "token": token("bellwire:subscribe", grants=[{"topic": "news"}])}
    return [{**item, "since": state["cursor"]} if state["cursor"] else item]


def subscribed(answer):
    result = answer["results"][0]
    state["cursor"] = {"epoch": result["epoch"], "offset": result["offset"]}
    for message in result["messages"]:
        say("message", n=message[2]["n"])
    say("subscribed", resync=result["resync"])


def messages(_topic, epoch, batch, *_options):
    if state["cursor"] is None:
        return
    for offset, _time, data, *_meta in batch:
        if offset > state["cursor"]["offset"]:
            state["cursor"] = {"epoch": epoch, "offset": offset}
            say("message", n=data["n"])


def listen():
    for line in sys.stdin:
        state["expire"] = line.strip() == "expire"
        say("told")


async def main():
    client = socketio.AsyncClient(reconnection_delay=0.1, reconnection_delay_max=0.5)

    async def hello(_greeting):
        subscribed(await client.call("subscribe", request(), namespace=namespace))

    client.on("hello", hello, namespace=namespace)
    client.on("messages", messages, namespace=namespace)
    client.on("bye", lambda error: say("bye", retry=error["retry"]), namespace=namespace)
    client.on("connect_error", lambda error=None: say("refused", error=error), namespace=namespace)
    transports = [settings["transport"]]
    await client.connect(settings["url"], auth=auth, namespaces=[namespace], transports=transports)
    await client.wait()
    while client.connected:  # the library's wait ends early where it came back within a second
        await client.wait()
    say("over")


threading.Thread(target=listen, daemon=True).start()
asyncio.run(main())
