"""python-socketio with asyncio and `aiohttp`: the steps of `steps.py`."""

import asyncio
import sys

import socketio

import steps


class Peer:
    """An asyncio client that writes down what happens to it, by namespace and event."""

    def __init__(self, url, namespaces, transports):
        self.url, self.namespaces, self.transports = url, namespaces, transports
        self.client = socketio.AsyncClient(**steps.EAGER)
        self.queues = {}
        self.asked = 0
        # What the server's requests are acknowledged with.
        self.acknowledgement = ()
        for namespace in namespaces:
            for event in ["connect", "disconnect", "connect_error"]:
                self.client.on(event, self.noting(namespace, event), namespace=namespace)
            self.client.on("*", self.noting_any(namespace), namespace=namespace)

    def noting(self, namespace, event):
        """A handler that writes down its arguments."""
        return lambda *args: self.queue(namespace, event).put_nowait(args)

    def noting_any(self, namespace):
        """A handler of any event. What it gives back is the acknowledgement if one was asked for."""

        async def note(event, *args):
            self.queue(namespace, event).put_nowait(args)
            return self.acknowledgement

        return note

    def queue(self, namespace, event):
        """What happened under this name and was not asked for yet."""
        return self.queues.setdefault((namespace, event), asyncio.Queue())

    async def connect(self, auth):
        """Asks to be let in; whether it was is heard."""
        await self.client.connect(
            self.url, auth=auth, namespaces=self.namespaces, transports=self.transports, wait=False
        )

    async def ask(self, event, *args, namespace="/"):
        """Sends an event that asks for an acknowledgement; its number."""
        self.asked += 1
        number = self.asked
        await self.client.emit(event, args, namespace=namespace, callback=self.noting(namespace, number))
        return namespace, number

    async def answer(self, asked):
        """What it was acknowledged with."""
        return await self.heard(*asked)

    async def call(self, event, *args, namespace="/"):
        """Sends an event and waits for its acknowledgement."""
        return await self.answer(await self.ask(event, *args, namespace=namespace))

    async def emit(self, event, *args, namespace="/"):
        """Sends an event."""
        await self.client.emit(event, args, namespace=namespace)

    async def heard(self, namespace, event):
        """The arguments of the next event of this name."""
        try:
            return await asyncio.wait_for(self.queue(namespace, event).get(), steps.WAIT_S)
        except TimeoutError:
            raise steps.Difference(f"no {event} in {namespace}") from None

    def unheard(self, namespace):
        """The names of what happened in a namespace and was not asked for."""
        return [event for (where, event), one in self.queues.items() if where == namespace and not one.empty()]

    def transport(self):
        """What it is connected over."""
        return self.client.transport()

    async def disconnect(self):
        """Leaves for good: the library never counts the last packets as sent."""
        # While a request to send is under way the library would not say that it leaves.
        await self.client.eio.queue.join()
        await self.client.disconnect()

    async def __aenter__(self):
        return self

    async def __aexit__(self, *_):
        await self.disconnect()


if __name__ == "__main__":
    given = steps.arguments()
    try:
        steps.play(steps.Test(Peer, given), "asyncio")
    except steps.Difference as difference:
        sys.exit(str(difference))
    except TimeoutError:
        sys.exit(f"not finished within {steps.LIMIT_S} s")
    print(f"ok: python-socketio with asyncio over {given.transport} played {len(steps.STEPS)} steps")
