"""Chat with the client library `websockets`, at /ws/chat/.

    python python_websockets_chat.py --address HOST:PORT [--token ADMIN]

Without a token it is a demo, where a guest says by `addOnlineUser` who they are. Exits 0, or with one line that says
what differs.
"""

import argparse
import asyncio
import json
import sys

from websockets.asyncio.client import connect
from websockets.exceptions import WebSocketException

import chat_cast as chat
from chat_cast import NAMES, Cast, Difference


class Person:
    """One of the users, and the connection."""

    def __init__(self, cast, number, socket):
        self.cast, self.number, self.socket = cast, number, socket

    async def sends(self, name, **fields):
        """Sends a request."""
        await self.socket.send(json.dumps({"type": name, **self.cast.here(fields)}))

    async def hears(self, *frames):
        """Refuses other frames than these next."""
        for name, fields in frames:
            frame = json.loads(await self.socket.recv())
            self.cast.told(frame, {"type": name, **fields}, f"what {NAMES[self.number]} is told next")

    async def asks(self, name, **fields):
        """Sends a request that is done; what it tells the caller must come behind its answer, or not at all."""
        await self.sends(name, **fields, id="now")
        await self.hears((f"{name}:response", {"success": True, "id": "now"}))

    async def quiet(self):
        """Refuses somebody who was told more."""
        await self.asks("leaveRoom", data="nobody")


async def main(address, admin):
    """Three people talk, one of them is kicked, and one goes."""
    cast = await asyncio.to_thread(Cast, address, admin)
    people = []
    for number in ["1", "2", "4"]:
        token = cast.tokens[number]
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        socket = await connect(f"ws://{address}/ws/chat/", additional_headers=headers, proxy=None)
        people.append(Person(cast, number, socket))
    john, jane, mike = people

    async def all_quiet(actor):
        for person in [actor, *people]:
            await person.quiet()

    for person in people:
        await person.sends("addOnlineUser", userID=person.number, userUsername=NAMES[person.number])
        for other in people:
            await other.hears(("newOnlineUser", {"data": chat.online("Add", person.number)}))
        await person.asks("joinRoom", data=person.number)
    await john.asks("chatRoom.join", data="1:2")
    await jane.asks("chatRoom.join", data="1:2")
    await all_quiet(john)

    text = "Grüße 👋\n\"zwei\""
    await john.sends("message", data={"message": text, "from": "1", "roomID": "1:2", "fromUsername": "john_doe"})
    await john.hears(("messageRoom", chat.in_room(text, "1", "1:2")))
    await jane.hears(("messageRoom", chat.in_room(text, "1", "1:2")))
    await jane.hears(("messageResponseNotify", chat.to_recipient(text, "1", "1:2", "2")))
    user = {"userID": "1", "username": "john_doe"}
    for begins in [True, False]:
        await john.sends("startTypingRoom" if begins else "stopTypingRoom", roomID="1:2", user=user)
        await jane.hears(("typingMessageStart" if begins else "typingMessageStop", chat.typing("1", "1:2")))
    await all_quiet(john)

    await john.sends("createUserGroup", data=chat.GROUP)
    await john.hears(("createUserGroupChange", chat.MADE))
    await jane.hears(("createUserToGroupNotify", {"data": chat.ADDED_HIM}), ("createUserGroupChange", chat.MADE))
    await mike.hears(("createUserToGroupNotify", {"data": chat.ADDED_YOU}), ("createUserGroupChange", chat.MADE))
    await john.asks("chatRoom.join", data="1:2:4")
    await mike.asks("chatRoom.join", data="1:2:4")
    await john.sends("kickUserFromGroup", **chat.KICK)
    change, in_room = ("kickUserFromGroupChange", chat.CHANGE), ("kickUserFromGroupChangeInRoom", chat.IN_ROOM)
    await john.hears(change, in_room)
    await jane.hears(change)
    await mike.hears(("kickUserFromGroupNotify", chat.KICKED), in_room)
    await all_quiet(john)

    # Who closes the connection is gone at once.
    people.remove(mike)
    await mike.socket.close()
    for person in people:
        await person.hears(("newOnlineUser", {"data": chat.online("Remove", "4")}))
    await all_quiet(john)
    for person in people:
        await person.socket.close()


if __name__ == "__main__":
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--address", required=True)
    arguments.add_argument("--token")
    given = arguments.parse_args()
    try:
        asyncio.run(asyncio.wait_for(main(given.address, given.token), chat.LIMIT_S))
    except Difference as difference:
        sys.exit(str(difference))
    except TimeoutError:
        sys.exit(f"not finished within {chat.LIMIT_S} s")
    except (OSError, WebSocketException) as error:
        sys.exit(f"connection: {error}")
    print("ok: people chatted with websockets")
