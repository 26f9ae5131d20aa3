"""Bellwire from asyncio, with the standard library alone: while a relay takes its time, everything else goes on. Copy this file too.

    realtime = AsyncRealtime(topics={...})
    await realtime.publish(site, "Contact_Updated_Topic", {"id": 5})
"""

import asyncio
import time

from realtime import MOST_REPLY_BYTES, Realtime, RelayError, failed, may_repeat, pause, publication, read_outcome, read_reply


class AsyncRealtime(Realtime):
    """As Realtime, but `publish` and `command` are awaited. Tokens and hooks wait for nobody, and are the same."""

    async def publish(self, site, topic, data, *, idempotency_key=None, except_=None, check=False):
        reply = await self._post(site, "publish", lambda: publication(topic, data, idempotency_key, except_), check)
        return None if reply is None else reply.get("results")

    async def command(self, site, kind, *, check=False, **body):
        return await self._post(site, kind, lambda: body, check) is not None

    async def _post(self, site, kind, body, check):
        if not self.enabled:
            return None
        try:
            message = self._message(site, kind, body())
            deadline = time.monotonic() + self.timeout
            reply = await self._send(message, deadline)
            if may_repeat(reply, deadline):
                await asyncio.sleep(pause())
                reply = await self._send(message, deadline)
            return read_outcome(reply)
        except (RelayError, TypeError, ValueError) as problem:
            return failed(kind, problem, check)

    async def _send(self, message, deadline):
        try:
            return read_reply(await asyncio.wait_for(self._exchange(message), deadline - time.monotonic()))
        except (OSError, asyncio.TimeoutError) as problem:
            return self._unanswered(problem)

    async def _exchange(self, message):
        host, port, tls = self.address
        reader, writer = await asyncio.open_connection(host, port, ssl=tls)
        try:
            writer.write(message)
            data = b""
            while len(data) <= MOST_REPLY_BYTES:
                part = await reader.read(65_536)
                if not part:
                    break
                data += part
            return data
        finally:
            writer.close()
