"""Who books batteries in the Python scripts about stations, where, and how what is told is compared: the station, the
batteries and the user of the document "WebSocket API Documentation" (004). A demo has the station; elsewhere an admin
makes it.
"""

import datetime
import json
import re
import urllib.error
import urllib.request

LIMIT_S = 30

# Stands in an expected frame for the time of now.
NOW = object()

# The document's address: scripts have another port, and nothing else, in its place.
HOST_IN_DOCUMENT = "localhost:8000"

BARE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d")
EMAIL, MASKED, PASSWORD = "user@example.com", "u***@example.com", "correct horse"
DOWNTOWN = {"station_id": 1, "station_name": "Downtown Station"}
BATTERY = {"name": "Tesla Battery", "model": "Model 3"}


class Difference(Exception):
    """Something is not as documented; the text says what."""


def localhost(address):
    """A server's address by the name that the document has for the machine."""
    return f"localhost:{address.rpartition(':')[2]}"


class Town:
    """A server with the document's station, of whose 18 batteries 3 are booked."""

    def __init__(self, address, admin, demo):
        self.address, self.admin = address, admin
        user = {"password": PASSWORD, "email": EMAIL}
        if demo:
            self.asked("PATCH", "/api/users/2", user)
        else:
            self.asked("POST", "/api/users", {"username": "jane", **user})
            self.build()
        self.token = self.asked("POST", "/api/auth/login", {"username": "jane", "password": PASSWORD}, None)["token"]

    def build(self):
        """Makes the station."""
        self.asked("POST", "/api/stations", {"name": DOWNTOWN["station_name"]})
        for _ in range(18):
            self.asked("POST", "/api/stations/1/batteries", BATTERY)
        john = self.asked("POST", "/api/users", {"username": "john"})["userId"]
        wish = {"role": "user", "subject": john, "scopes": [], "ttl": 3600}
        token = self.asked("POST", "/api/tokens", wish)["token"]
        for battery in [18, 17, 16]:
            self.asked("POST", "/api/stations/1/bookings", {"battery_id": battery}, token)

    def asked(self, method, path, body=None, token=""):
        """What a request is answered; an admin's, or one with this token. What was undone (503) is asked again."""
        headers = {"Content-Type": "application/json"}
        if token is not None:
            headers["Authorization"] = f"Bearer {token or self.admin}"
        content = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"http://{self.address}{path}", content, headers, method=method)
        # Whoever runs this may have a proxy for other addresses.
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        for tries in range(5, -1, -1):
            try:
                with opener.open(request, timeout=LIMIT_S) as response:
                    return json.loads(response.read() or b"null")
            except urllib.error.HTTPError as error:
                if error.code != 503 or not tries:
                    raise Difference(f"{method} {path}: {error.code} {error.read().decode()}") from None

    def books(self, battery):
        """Jane books a battery; the number of the booking."""
        return self.asked("POST", "/api/stations/1/bookings", {"battery_id": battery}, self.token)["id"]

    def readies(self, booking):
        """Staff say that it can be collected."""
        self.asked("POST", f"/api/bookings/{booking}/ready")

    def collects(self, booking):
        """Jane has collected it."""
        self.asked("POST", f"/api/bookings/{booking}/collect", None, self.token)

    def notifies(self):
        """The document's notification is sent to all."""
        words = {key: SYSTEM_UPDATE[1][key] for key in ["title", "message", "level"]}
        self.asked("POST", "/api/notifications", {"to": "all", **words})


# What is told, the name and the rest, with the document's keys in the document's order.


def greeting(place):
    """The first that is told."""
    number = {"station_1": {"station_id": 1}, "all_stations": {"station_id": None}}.get(place, {})
    return "connection_established", {"message": f"Connected to {place}", **number}


def booked(battery, available, held, user=MASKED):
    """What all, or staff, are told of a booking."""
    counts = {"available_batteries": available, "booked_batteries": held}
    first = {**DOWNTOWN, "battery_id": battery, **counts, "user": user, "timestamp": NOW}
    return [("battery_booked", first), inventory(available, held, "book")]


def collected(battery, available, held):
    """What is told of a battery that was collected."""
    counts = {"available_batteries": available, "booked_batteries": held}
    first = {**DOWNTOWN, "battery_id": battery, **counts, "timestamp": NOW}
    return [("battery_collected", first), inventory(available, held, "collect")]


def inventory(available, held, action):
    """What there is."""
    counts = {"available_batteries": available, "booked_batteries": held, "total_batteries": available + held}
    return "inventory_update", {**DOWNTOWN, **counts, "timestamp": NOW, "action": action}


def confirmed(booking):
    """What the user is told of a booking."""
    station = DOWNTOWN["station_name"]
    info = f"{BATTERY['name']} - {BATTERY['model']}"
    message = f"Battery booked successfully at {station}"
    words = {"booking_id": booking, "station_name": station, "battery_info": info}
    return "booking_confirmed", {**words, "message": message, "timestamp": NOW}


def ready(booking):
    """What the user is told when it can be collected."""
    station = DOWNTOWN["station_name"]
    message = f"Your battery is ready for collection at {station}"
    return "booking_ready", {"booking_id": booking, "station_name": station, "message": message, "timestamp": NOW}


SYSTEM_UPDATE = (
    "notification",
    {"title": "System Update", "message": "New features available!", "level": "info", "timestamp": NOW},
)


def told(name, actual, wanted, what):
    """Refuses another event than this, its keys in this order."""
    if wanted[1].get("timestamp") is NOW:
        near(actual, what)
        wanted = (wanted[0], {**wanted[1], "timestamp": actual["timestamp"]})
    if name != wanted[0] or json.dumps(actual) != json.dumps(wanted[1]):
        raise Difference(f"{what}: expected {json.dumps(wanted)}, got {json.dumps([name, actual])}")


def near(actual, what):
    """Refuses a time that is not that of now, in UTC, without zone and fraction."""
    text = actual.get("timestamp", "") if isinstance(actual, dict) else ""
    now = datetime.datetime.now(datetime.UTC).replace(tzinfo=None)
    if not BARE.fullmatch(text) or abs(now - datetime.datetime.fromisoformat(text)) > datetime.timedelta(minutes=1):
        raise Difference(f"{what}: the time in {json.dumps(actual)}")


def frame_told(frame, wanted, what):
    """The same of a frame, with its name in front."""
    if next(iter(frame), None) != "type":
        raise Difference(f"{what}: {json.dumps(frame)} does not begin with its type")
    told(frame["type"], {key: value for key, value in frame.items() if key != "type"}, wanted, what)
