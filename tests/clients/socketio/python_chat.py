"""People who chat with python-socketio, with threads or with asyncio: every step of the table at the end, in its order.

    python python_chat.py --with threads|asyncio --transport polling|websocket|upgrade --address HOST:PORT
        [--token ADMIN]

Without a token it is a demo, where a guest says by `addOnlineUser` who they are. It exits 0, or with one line that says
what differs.
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

import chat_cast as chat  # noqa: E402
from chat_cast import NAMES, Cast, Difference  # noqa: E402

PEERS = {"threads": python_sync.Peer, "asyncio": python_asyncio.Peer}
DONE = ({"success": True},)


async def come_online(test):
    """Everybody hears of everybody, and each is in the personal room."""
    for number, peer in test.people.items():
        # The document has the name under two keys.
        key = "username" if number == "1" else "userUsername"
        await test.emits(number, "addOnlineUser", {"userID": number, key: NAMES[number]})
        await test.emits(number, "joinRoom", number)
        await test.settled(peer)
        for other in test.people:
            await test.hears(other, newOnlineUser=chat.online("Add", number))
    await test.quiet()


async def a_message(test):
    """Who is in the room hears it there, who is not sees it on the page, and it is told once."""
    await test.emits("1", "chatRoom.join", "1:2")
    await test.settled(test.people["1"])
    data = {"message": "Hello! 👋", "from": "1", "roomID": "1:2", "fromUsername": "john_doe"}
    said = chat.in_room(data["message"], "1", "1:2")
    counted = chat.to_recipient(data["message"], "1", "1:2", "2")
    await test.emits("1", "message", {"data": data})
    await test.hears("1", messageRoom=said)
    await test.hears("2", messagePage={"roomID": "1:2", "lastMessage": data["message"]}, messageResponseNotify=counted)
    await test.quiet()
    same(await test.asks("2", "chatRoom.join", "1:2"), DONE, "the acknowledgement")
    (answer,) = await test.asks("1", "message", {"data": {**data, "clientMessageID": "one"}})
    wanted = {"success": True, "messageID": chat.ID, "roomID": "1:2", "date": chat.NOW}
    test.cast.told(answer, wanted, "the acknowledgement")
    await test.hears("1", messageRoom=said)
    await test.hears("2", messageRoom=said, messageResponseNotify=counted)
    # Sent again, as after an acknowledgement that was lost.
    (again,) = await test.asks("1", "message", {"data": {**data, "clientMessageID": "one"}})
    same(again, answer, "the acknowledgement of the same")
    await test.quiet()


async def typing(test):
    """The other one in the room sees it begin and end."""
    user = {"roomID": "1:2", "user": {"userID": "1", "username": "john_doe"}}
    await test.emits("1", "startTypingRoom", user)
    await test.hears("2", typingMessageStart=chat.typing("1", "1:2"))
    await test.emits("1", "stopTypingRoom", user)
    await test.hears("2", typingMessageStop=chat.typing("1", "1:2"))
    await test.quiet()


async def a_group(test):
    """One is added to two and kicked again, and each is told what is for them."""
    await test.emits("1", "createUserGroup", {"data": chat.GROUP})
    await test.hears("1", createUserGroupChange=chat.MADE)
    await test.hears("2", createUserToGroupNotify=chat.ADDED_HIM, createUserGroupChange=chat.MADE)
    await test.hears("4", createUserToGroupNotify=chat.ADDED_YOU, createUserGroupChange=chat.MADE)
    for number in test.people:
        same(await test.asks(number, "chatRoom.join", "1:2:4"), DONE, "the acknowledgement")
    # A payload that is a text.
    await test.emits("2", "addUserToGroup", {"data": {**chat.GROUP, **ADDED, "clientID": "2"}})
    for number in test.people:
        await test.hears(number, addUserToGroupChangeInRoom="1:2:3:4")
        same(test.names(number), ["addUserToGroupChange"] + ([] if number == "2" else ["addUserToGroupNotify"]), "more")
        test.forget(number)
    leave = {**chat.KICK, "roomID": "1:2:3:4", "newRoomID": "1:2:4", "kickedUserID": "3"}
    same(await test.asks("1", "kickUserFromGroup", leave), DONE, "the acknowledgement")
    for number in test.people:
        in_room = {"firstRoomID": "1:2", "kickedUserID": "3", "newRoomID": "1:2:4"}
        change = {"roomID": "1:2:3:4", "newRoomID": "1:2:4", "kickedUsername": "sara_cleaner", "kickedUserID": "3"}
        await test.hears(number, kickUserFromGroupChange=change, kickUserFromGroupChangeInRoom=in_room)
    await test.emits("1", "kickUserFromGroup", chat.KICK)
    for number in ["1", "2"]:
        await test.hears(number, kickUserFromGroupChange=chat.CHANGE, kickUserFromGroupChangeInRoom=chat.IN_ROOM)
    await test.hears("4", kickUserFromGroupNotify=chat.KICKED, kickUserFromGroupChangeInRoom=chat.IN_ROOM)
    await test.quiet()


async def refusals(test):
    """They are told by an event, or as the acknowledgement."""
    for code, event, data in [("INVALID_ROOM", "chatRoom.join", "2:1"), ("NOT_FOUND", "chatRoom.join", "2:3:4")]:
        (told,) = await test.asks("1", event, data)
        steps.keys(told, ["error", "code", "timestamp"], event)
        same(told["code"], code, event)
        await test.emits("1", event, data)
        (said,) = await test.people["1"].heard("/", "error")
        same([said["error"], said["code"]], [told["error"], code], event)
    await test.quiet()


async def they_leave(test):
    """Who says goodbye is gone at once."""
    for number in ["4", "2"]:
        await test.people.pop(number).disconnect()
        for other in test.people:
            await test.hears(other, newOnlineUser=chat.online("Remove", number))
        await test.quiet()
    await test.people.pop("1").disconnect()


ADDED = {"newUserID": "3", "newUsername": "sara_cleaner", "roomID": "1:2:4", "newRoomID": "1:2:3:4"}

STEPS = [come_online, a_message, typing, a_group, refusals, they_leave]


class Test:
    """What the steps work with: who is connected."""

    def __init__(self, peer_class, given):
        self.peer_class, self.transport, self.address = peer_class, given.transport, given.address
        self.cast = Cast(given.address, given.token)
        self.people = {}

    async def play(self):
        """Plays every step."""
        for number in ["1", "2", "4"]:
            self.people[number] = await self.connected(self.cast.tokens[number])
        for step in STEPS:
            try:
                await step(self)
            except (Difference, steps.Difference) as difference:
                raise steps.Difference(f"{step.__name__}: {difference}") from None

    async def connected(self, token):
        """Somebody on the transport that was asked for."""
        peer = self.peer_class(f"http://{self.address}", ["/"], steps.TRANSPORTS[self.transport])
        await peer.connect({"token": token} if token else {})
        await peer.heard("/", "connect")
        same(peer.transport(), "polling" if self.transport == "polling" else "websocket", "the transport")
        return peer

    async def emits(self, number, event, data):
        """Sends what is not acknowledged."""
        await self.people[number].emit(event, self.cast.here(data))

    async def asks(self, number, event, data):
        """What a request is acknowledged with."""
        return await self.people[number].call(event, self.cast.here(data))

    async def hears(self, number, **events):
        """Refuses other payloads than these of the next events of their names."""
        for name, wanted in events.items():
            told = await self.people[number].heard("/", name)
            same(len(told), 1, f"{name}: arguments")
            self.cast.told(told[0], wanted, f"what {NAMES[number]} is told, {name}")

    def names(self, number):
        """The names of what was not asked for."""
        return sorted(self.people[number].unheard("/"))

    def forget(self, number):
        """Drops what was not asked for."""
        for name in self.names(number):
            self.people[number].queue("/", name).get_nowait()

    async def settled(self, peer):
        """Waits until everything so far is done and told."""
        same(await peer.call("leaveRoom", "nobody"), DONE, "the acknowledgement")

    async def quiet(self):
        """Refuses somebody who was told more than was asked for."""
        for _ in range(2):
            for peer in self.people.values():
                await self.settled(peer)
        for number, peer in self.people.items():
            same(peer.unheard("/"), [], f"what else {NAMES[number]} was told")


def main():
    """Plays the steps; the exit code."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--address", required=True)
    parser.add_argument("--token")
    parser.add_argument("--with", dest="library", required=True, choices=PEERS)
    parser.add_argument("--transport", required=True, choices=steps.TRANSPORTS)
    given = parser.parse_args()
    faulthandler.dump_traceback_later(steps.LIMIT_S + steps.WAIT_S, exit=True)
    try:
        steps.play(Test(PEERS[given.library], given), given.library)
    except steps.Difference as difference:
        print(difference, file=sys.stderr, flush=True)
        return 1
    except TimeoutError:
        print(f"not finished within {steps.LIMIT_S} s", file=sys.stderr, flush=True)
        return 1
    what = f"people chatted with python-socketio and {given.library}"
    print(f"ok: {what} over {given.transport} in {len(STEPS)} steps", flush=True)
    return 0


if __name__ == "__main__":
    # Threads that still read do not hold up the end.
    os._exit(main())
