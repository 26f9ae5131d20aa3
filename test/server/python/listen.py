"""Connects to a relay as a Python program would that knows only the wire contract, and prints what it hears as JSON lines.

Settings are a JSON object in the first argument: url, site, namespace, key (base64: or literal), claims, subscriptions, transports.
Ends when its standard input does.
"""

import asyncio
import base64
import hashlib
import hmac
import json
import sys
import time

import socketio

settings = json.loads(sys.argv[1])


def say(event, **fields):
    print(json.dumps({"event": event, **fields}), flush=True)


def part(raw):
    return base64.urlsafe_b64encode(raw).rstrip(b"=")


def token(claims):
    key = settings["key"]
    secret = base64.b64decode(key[7:]) if key.startswith("base64:") else key.encode()
    issued = int(time.time())
    body = {"iat": issued, "exp": issued + 60, "site": settings["site"], **settings.get("claims", {}), **claims}
    text = b".".join(part(json.dumps(each).encode()) for each in ({"alg": "HS256", "typ": "JWT"}, body))
    return (text + b"." + part(hmac.new(secret, text, hashlib.sha256).digest())).decode()


async def main():
    namespace = settings.get("namespace", "/site/" + settings["site"])
    client = socketio.AsyncClient(reconnection=False)
    greeted = asyncio.get_running_loop().create_future()

    @client.on("hello", namespace=namespace)
    async def hello(greeting):
        say("hello", user=greeting["user"], version=greeting["v"])
        greeted.set_result(greeting)

    @client.on("messages", namespace=namespace)
    async def messages(topic, epoch, batch, *_options):
        for offset, _time, data, *_meta in batch:
            say("message", topic=topic, epoch=epoch, offset=offset, data=data)

    @client.on("connect_error", namespace=namespace)
    async def connect_error(error=None):
        say("refused", error=error)

    try:
        await client.connect(
            settings["url"],
            auth={"v": 1, "token": token({"aud": "bellwire:connect"})},
            namespaces=[namespace],
            transports=settings.get("transports", ["websocket"]),
        )
    except socketio.exceptions.ConnectionError:
        return
    await asyncio.wait_for(greeted, 10)
    wanted = settings["subscriptions"]
    grants = [{"topic": each["topic"], "filter": each.get("filter", {})} for each in wanted]
    credential = token({"aud": "bellwire:subscribe", "grants": grants})
    answer = await client.call("subscribe", [{**each, "token": credential} for each in wanted], namespace=namespace)
    say("subscribed", results=answer["results"])
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    say("unsubscribed", answer=await client.call("unsubscribe", [each["id"] for each in wanted], namespace=namespace))
    await client.disconnect()


asyncio.run(main())
