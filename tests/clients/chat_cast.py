"""Who talks in the Python scripts about chat: the users of the document "WebSocket Events" (003), by the ids that it
gives them. At a demo they are there, and are guests; elsewhere an admin makes them, and they have other ids and tokens.
"""

import datetime
import json
import re
import urllib.request

LIMIT_S = 30

# The document's users.
USERS = {
    "1": {"username": "john_doe", "kind": "client"},
    "2": {"username": "jane"},
    "3": {"username": "sara_cleaner", "kind": "houseworker"},
    "4": {"username": "mike_butler", "kind": "houseworker"},
}
NAMES = {number: user["username"] for number, user in USERS.items()}

ID_OR_LABEL = re.compile(r"\d+(:\d+)*")

# Stand in an expected payload for the server's date of now, and for a number that the server gave.
NOW = object()
ID = object()


class Difference(Exception):
    """Something is not as documented; the text says what."""


class Cast:
    """The document's users at a server."""

    def __init__(self, address, admin):
        self.ids, self.tokens = {}, {}
        for number, user in USERS.items():
            made = asked(address, admin, "/api/users", user)["userId"] if admin else number
            wish = {"role": "user", "subject": made, "scopes": [], "ttl": 3600}
            self.ids[number] = made
            self.tokens[number] = asked(address, admin, "/api/tokens", wish)["token"] if admin else None

    def here(self, value):
        """A value with the ids that the document's users have here."""
        if isinstance(value, str) and ID_OR_LABEL.fullmatch(value):
            return re.sub(r"\d+", lambda found: self.ids.get(found[0], found[0]), value)
        if isinstance(value, list):
            return [self.here(one) for one in value]
        if isinstance(value, dict):
            return {key: self.here(one) for key, one in value.items()}
        return value

    def told(self, actual, wanted, what):
        """Refuses a payload that is not this one, its keys in this order."""
        wanted = filled(actual, self.here(wanted), what)
        if json.dumps(actual) != json.dumps(wanted):
            raise Difference(f"{what}: expected {json.dumps(wanted)}, got {json.dumps(actual)}")


def asked(address, admin, path, body):
    """What a request of an admin makes."""
    headers = {"Authorization": f"Bearer {admin}", "Content-Type": "application/json"}
    request = urllib.request.Request(f"http://{address}{path}", json.dumps(body).encode(), headers, method="POST")
    # Whoever runs this may have a proxy for other addresses.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(request, timeout=LIMIT_S) as response:
        return json.load(response)


def filled(actual, wanted, what):
    """An expected value, with what only the server can know taken from what came, if it may be that."""
    if wanted is ID:
        if type(actual) is not int or actual < 1:
            raise Difference(f"{what}: {actual!r} is no id")
        return actual
    if wanted is NOW:
        now = datetime.datetime.now(datetime.UTC)
        near = [date(now - datetime.timedelta(minutes=ago)) for ago in (0, 1)]
        if actual not in near:
            raise Difference(f"{what}: the date is {actual!r}, and now is {near[0]!r}")
        return near[near.index(actual)]
    if isinstance(wanted, dict):
        come = actual if isinstance(actual, dict) else {}
        return {key: filled(come.get(key), one, what) for key, one in wanted.items()}
    return wanted


def date(moment):
    """A moment as the server writes it."""
    return {"day": moment.day, "month": moment.month, "year": moment.year, "time": moment.strftime("%H:%M")}


def online(change, user):
    """The payload of `newOnlineUser`."""
    return {"type": change, "userID": user}


def in_room(message, user, room):
    """The payload of `messageRoom`."""
    return {"message": message, "from": user, "roomID": room, "fromUsername": NAMES[user], "date": NOW}


def to_recipient(message, user, room, recipient):
    """The payload of `messageResponseNotify`."""
    return {
        "roomID": room,
        "fromUsername": NAMES[user],
        "fromUserID": user,
        "userID": recipient,
        "lastMessage": message,
        "unreadUpdateStatus": True,
        "createRoomNotification": None,
    }


def typing(user, room):
    """The payload of `typingMessageStart` and `typingMessageStop`."""
    return {"senderID": user, "senderUsername": NAMES[user], "roomID": room}


def notification(to, message):
    """What John's groups are told."""
    return {"id": ID, "from": "1", "to": to, "type": "chatGroup", "date": NOW, "message": message, "read": False}


# A group of John, Jane and Mike, which no demo has; and Mike is kicked from it.
GROUP = {"newUserID": "4", "newUsername": "mike_butler", "roomID": "1:2", "newRoomID": "1:2:4", "clientID": "1"}
KICK = {"firstRoomID": "1:2", "roomID": "1:2:4", "newRoomID": "1:2", "kickedUserID": "4", "clientID": "1"}
MADE = {
    "newUserID": "4",
    "newUsername": "mike_butler",
    "roomID": "1:2",
    "newRoomID": "1:2:4",
    "currentMember": [{"userID": "2", "username": "jane"}],
    "clientUsername": "john_doe",
    "newUserPicturePath": "",
    "online": True,
}
ADDED_YOU = notification("4", "The client john_doe has added you to the chat")
ADDED_HIM = notification("2", "The client john_doe has added mike_butler to the chat")
CHANGE = {"roomID": "1:2:4", "newRoomID": "1:2", "kickedUsername": "mike_butler", "kickedUserID": "4"}
IN_ROOM = {"firstRoomID": "1:2", "kickedUserID": "4", "newRoomID": "1:2"}
KICKED = {
    "roomID": "1:2:4",
    "newRoomID": "1:2",
    "kickedUserID": "4",
    "notification": notification("4", "You've been removed from the group"),
}
