"""Stations, bookings and notifications with python-socketio, with threads or with asyncio: every step of the table at the
end, in its order.

    python python_stations.py --with threads|asyncio --transport polling|websocket|upgrade --address HOST:PORT
        --token ADMIN [--demo]

`--demo`: the server is one. It exits 0, or with one line that says what differs.
"""

import argparse
import faulthandler
import os
import pathlib
import sys

import python_asyncio
import python_sync
import steps
from steps import same

sys.path.append(str(pathlib.Path(__file__).resolve().parent.parent))

import stations_cast as stations  # noqa: E402
from stations_cast import Difference, Town  # noqa: E402

PEERS = {"threads": python_sync.Peer, "asyncio": python_asyncio.Peer}
SPACE = "/stations"


async def greetings(test):
    """Each is greeted as on a plain stream."""
    for name in ["anybody", "staff", "jane"]:
        await test.hears(name, stations.greeting("all_stations"))
    await test.hears("inbox", stations.greeting("notifications"))


async def a_booking(test):
    """It is acknowledged, and all are told of it; staff alone by whom."""
    booking = await test.succeeds("jane", "stations.book", {"station_id": 1, "battery_id": 5})
    same([booking["battery_id"], booking["status"]], [5, "confirmed"], "the booking")
    for name in ["anybody", "jane"]:
        await test.hears(name, *stations.booked(5, 14, 4))
    await test.hears("staff", *stations.booked(5, 14, 4, stations.EMAIL))
    ready = await test.succeeds("staff", "bookings.ready", {"booking_id": booking["id"]})
    same(ready, {**booking, "status": "ready"}, "the booking that can be collected")
    await test.hears("inbox", stations.confirmed(booking["id"]), stations.ready(booking["id"]))
    await test.succeeds("jane", "bookings.collect", {"booking_id": booking["id"]})
    for name in ["anybody", "jane", "staff"]:
        await test.hears(name, *stations.collected(5, 14, 3))
    await test.quiet()


async def refusals(test):
    """They are told by the acknowledgement, or by an event."""
    for name, event, request, words in [
        ("jane", "stations.book", {"station_id": 1, "battery_id": 5}, "Battery not found: 5"),
        ("jane", "stations.book", {"station_id": 9}, "Station not found: 9"),
        ("anybody", "stations.book", {"station_id": 1}, "authentication required"),
    ]:
        same(await test.asks(name, event, request), ({"message": words},), f"the acknowledgement of {event}")
        await test.people[name].emit(event, request, namespace=SPACE)
        await test.hears(name, ("error", {"message": words}))
    await test.quiet()


async def a_notification(test):
    """It is told to those who asked for it."""
    test.town.notifies()
    await test.hears("inbox", stations.SYSTEM_UPDATE)
    await test.quiet()


STEPS = [greetings, a_booking, refusals, a_notification]


class Test:
    """What the steps work with: who is connected."""

    def __init__(self, peer_class, given):
        self.peer_class, self.transport, self.address = peer_class, given.transport, given.address
        self.town = Town(given.address, given.token, given.demo)
        self.admin = given.token
        self.people = {}

    async def play(self):
        """Plays every step."""
        jane = {"token": self.town.token}
        for name, space, auth in [
            ("anybody", SPACE, {}),
            ("staff", SPACE, {"token": self.admin}),
            ("jane", SPACE, jane),
            ("inbox", "/", {**jane, "topics": ["notifications"]}),
        ]:
            self.people[name] = await self.connected(space, auth)
        for step in STEPS:
            try:
                await step(self)
            except (Difference, steps.Difference) as difference:
                raise steps.Difference(f"{step.__name__}: {difference}") from None
        for peer in self.people.values():
            await peer.disconnect()

    async def connected(self, space, auth):
        """Somebody in a namespace, on the transport that was asked for."""
        peer = self.peer_class(f"http://{self.address}", [space], steps.TRANSPORTS[self.transport])
        await peer.connect(auth)
        await peer.heard(space, "connect")
        same(peer.transport(), "polling" if self.transport == "polling" else "websocket", "the transport")
        return peer

    async def asks(self, name, event, request):
        """What a request is acknowledged with."""
        space = "/" if name == "inbox" else SPACE
        return await self.people[name].call(event, request, namespace=space)

    async def succeeds(self, name, event, request):
        """The same of one that must succeed: the data."""
        (answer,) = await self.asks(name, event, request)
        same([list(answer), answer.get("success")], [["success", "data"], True], f"the acknowledgement of {event}")
        return answer["data"]

    async def hears(self, name, *events):
        """Refuses other payloads than these of the next events of their names."""
        for event in events:
            told = await self.people[name].heard("/" if name == "inbox" else SPACE, event[0])
            same(len(told), 1, f"{event[0]}: arguments")
            stations.told(event[0], told[0], event, f"what {name} is told")

    async def quiet(self):
        """Refuses somebody who was told more than was asked for."""
        for name in self.people:
            await self.succeeds(name, "stations.get", {"station_id": 1})
        for name, peer in self.people.items():
            same(peer.unheard("/") + peer.unheard(SPACE), [], f"what else {name} was told")


def main():
    """Plays the steps; the exit code."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--address", required=True)
    parser.add_argument("--token", required=True)
    parser.add_argument("--demo", action="store_true")
    parser.add_argument("--with", dest="library", required=True, choices=PEERS)
    parser.add_argument("--transport", required=True, choices=steps.TRANSPORTS)
    given = parser.parse_args()
    faulthandler.dump_traceback_later(steps.LIMIT_S + steps.WAIT_S, exit=True)
    try:
        steps.play(Test(PEERS[given.library], given), given.library)
    except (Difference, steps.Difference) as difference:
        print(difference, file=sys.stderr, flush=True)
        return 1
    except TimeoutError:
        print(f"not finished within {steps.LIMIT_S} s", file=sys.stderr, flush=True)
        return 1
    print(f"ok: python-socketio with {given.library} over {given.transport} is told what happens at stations", flush=True)
    return 0


if __name__ == "__main__":
    # Threads that still read do not hold up the end.
    os._exit(main())
