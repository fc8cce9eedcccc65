"""Stations and notifications with the client library `websockets`, at /ws/stations/1/ and /ws/notifications/.

    python python_websockets_stations.py --address HOST:PORT --token ADMIN [--demo]

`--demo`: the server is one. Exits 0, or with one line that says what differs.
"""

import argparse
import asyncio
import json
import sys

from websockets.asyncio.client import connect
from websockets.exceptions import WebSocketException

import stations_cast as stations
from stations_cast import Difference, Town


class Listener:
    """A connection, and what is told there."""

    def __init__(self, name, socket):
        self.name, self.socket = name, socket

    @staticmethod
    async def at(town, path, token=None):
        """Connects with this token, or without one."""
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        address = stations.localhost(town.address)
        socket = await connect(f"ws://{address}{path}", additional_headers=headers, proxy=None)
        return Listener(path.partition("?")[0], socket)

    async def next(self):
        """The next frame."""
        return json.loads(await self.socket.recv())

    async def hears(self, *wanted):
        """Refuses other frames than these next."""
        for one in wanted:
            stations.frame_told(await self.next(), one, f"what {self.name} tells next")

    async def asks(self, request):
        """What a request is answered, as it comes."""
        await self.socket.send(request if isinstance(request, str) else json.dumps(request))
        return await self.socket.recv()

    async def quiet(self):
        """Refuses somebody who was told more."""
        same(await self.asks({"type": "ping", "timestamp": "now"}), '{"type":"pong","timestamp":"now"}', self.name)


def same(actual, wanted, what):
    """Refuses anything but an equal value."""
    if actual != wanted:
        raise Difference(f"{what}: expected {wanted!r}, got {actual!r}")


async def main(given):
    """One looks, staff look, and Jane books, by her token in both ways."""
    town = await asyncio.to_thread(Town, given.address, given.token, given.demo)
    anybody = await Listener.at(town, "/ws/stations/1/")
    staff = await Listener.at(town, "/ws/stations/1/", given.token)
    all_of_them = await Listener.at(town, "/ws/stations/")
    inbox = await Listener.at(town, "/ws/notifications/", town.token)
    phone = await Listener.at(town, f"/ws/notifications/?token={town.token}")
    for listener in [anybody, staff]:
        await listener.hears(stations.greeting("station_1"))
    await all_of_them.hears(stations.greeting("all_stations"))
    for listener in [inbox, phone]:
        await listener.hears(stations.greeting("notifications"))

    booking = await asyncio.to_thread(town.books, 5)
    for listener in [anybody, all_of_them]:
        await listener.hears(*stations.booked(5, 14, 4))
    await staff.hears(*stations.booked(5, 14, 4, stations.EMAIL))
    await asyncio.to_thread(town.readies, booking)
    await asyncio.to_thread(town.notifies)
    for listener in [inbox, phone]:
        await listener.hears(stations.confirmed(booking), stations.ready(booking), stations.SYSTEM_UPDATE)

    # The same call by the stream, as Jane.
    jane = await Listener.at(town, f"/ws/stations/?token={town.token}")
    await jane.hears(stations.greeting("all_stations"))
    answer = json.loads(await jane.asks({"type": "bookings.collect", "booking_id": booking, "id": 7}))
    same([answer["type"], answer["success"], answer["data"]["status"], answer["id"]],
         ["bookings.collect:response", True, "collected", 7], "collecting by the stream")
    for listener in [anybody, all_of_them, staff, jane]:
        await listener.hears(*stations.collected(5, 14, 3))
    await refusals(anybody, jane)
    for listener in [anybody, all_of_them, staff, inbox, phone, jane]:
        await listener.quiet()
        await listener.socket.close()

    for path, code, words in [
        ("/ws/stations/9/", 4404, "Station not found: 9"),
        ("/ws/notifications/", 4401, "authentication required"),
    ]:
        nobody = await Listener.at(town, path)
        same(await nobody.next(), {"type": "error", "message": words}, path)
        await nobody.socket.wait_closed()
        same(nobody.socket.close_code, code, f"the code that closes {path}")


async def refusals(anybody, jane):
    """What is refused, and what is not understood."""
    rows = [
        (anybody, "{", "Invalid JSON"),
        (anybody, {"type": "nothing"}, "Unknown message type"),
        (anybody, {"type": "stations.book", "station_id": 1}, None),
        (jane, {"type": "stations.book", "station_id": 1, "battery_id": 5}, "Battery not found: 5"),
        (jane, {"type": "stations.book", "station_id": 9}, "Station not found: 9"),
        (jane, {"type": "bookings.ready", "booking_id": 9_999}, "Booking not found: 9999"),
    ]
    for listener, request, words in rows:
        answer = json.loads(await listener.asks(request))
        same(list(answer), ["type", "message"], f"what {request} is answered, its keys")
        same(answer["type"], "error", f"what {request} is answered")
        if words:
            same(answer["message"], words, f"what {request} is answered")


if __name__ == "__main__":
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--address", required=True)
    arguments.add_argument("--token", required=True)
    arguments.add_argument("--demo", action="store_true")
    try:
        asyncio.run(asyncio.wait_for(main(arguments.parse_args()), stations.LIMIT_S))
    except Difference as difference:
        sys.exit(str(difference))
    except TimeoutError:
        sys.exit(f"not finished within {stations.LIMIT_S} s")
    except (OSError, WebSocketException) as error:
        sys.exit(f"connection: {error}")
    print("ok: stations and notifications with websockets")
