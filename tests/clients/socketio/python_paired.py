"""A paired client with python-socketio, with threads or with asyncio: every step of the table at the end.

    python python_paired.py --with threads|asyncio --transport polling|websocket|upgrade --address HOST:PORT
        --direct HOST:PORT --token ADMIN

`--address` leads to the server through a proxy, `--direct` past it. It prints `please cut` and `please mend` and goes
on at the line `done`: the proxy drops its connections and takes no new ones, takes them again. It exits 0, or with one
line that says what differs.
"""

import argparse
import faulthandler
import json
import os
import re
import sys
import urllib.request

import python_asyncio
import python_sync
import steps
from steps import Difference, keys, same

PEERS = {"threads": python_sync.Peer, "asyncio": python_asyncio.Peer}
NAMESPACES = ["/", "/areas"]
AREA_KEYS = ["areaId", "name", "entityIds", "isEnabled", "message", "timestamp"]
FEATURES = ["area_updates", "area_assignments", "token_revocation", "pairing", "event_history"]
MILLISECONDS = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


async def hears_of_its_area(test):
    """Each namespace is greeted, and told of everything that happens to the area."""
    async with await test.screen(NAMESPACES) as peer:
        area, at = test.area, f"/api/areas/{test.area['id']}"
        off = {**area, "name": "Pantry", "isEnabled": False}
        test.admin("PUT", at, {"name": "Pantry"})
        await told(peer, "updated", {**area, "name": "Pantry"})
        test.admin("PATCH", f"{at}/toggle")
        await told(peer, "disabled", off)
        test.admin("PATCH", at, {"isEnabled": True, "name": area["name"]})
        await told(peer, "updated", area)
        await told(peer, "enabled", area)
        test.admin("DELETE", f"/api/clients/{test.client_id}/areas/{area['id']}")
        await told(peer, "removed", area)
        test.admin("PUT", f"/api/clients/{test.client_id}/areas/{area['id']}")
        await told(peer, "added", area)
        other = test.admin("POST", "/api/areas", {"name": "Hall"})
        test.admin("PUT", f"/api/areas/{other['id']}", {"name": "Corridor"})
        await quiet(peer)


async def reads_the_states_of_its_area(test):
    """It reads what is in its areas, as long as they are enabled, and nothing else."""
    for entity_id in ["light.kitchen", "light.hall"]:
        test.admin("POST", f"/api/states/{entity_id}", {"state": "off"})
    async with await test.screen(["/"]) as peer:
        (reply,) = await peer.call("subscribe_entities", {"entity_ids": ["light.kitchen", "light.hall"]})
        keys(reply, ["success", "data"], "the answer")
        same([reply["success"], [row["entity_id"] for row in reply["data"]]], [True, ["light.kitchen"]], "the snapshot")
        await changes_alone(test, peer, "on")
        test.admin("PATCH", f"/api/areas/{test.area['id']}/toggle")
        await told(peer, "disabled", {**test.area, "isEnabled": False}, ["/"])
        test.admin("POST", "/api/states/light.kitchen", {"state": "unseen"})
        test.admin("PATCH", f"/api/areas/{test.area['id']}/toggle")
        await told(peer, "enabled", test.area, ["/"])
        await changes_alone(test, peer, "off")
        await quiet(peer)


async def changes_alone(test, peer, state):
    """A change of what is in the area is the next that is heard, and not one of something else."""
    for entity_id in ["light.hall", "light.kitchen"]:
        test.admin("POST", f"/api/states/{entity_id}", {"state": state})
    wanted = {"entity_id": "light.kitchen", "new_state": {"state": state, "attributes": {}}}
    same(await peer.heard("/", "state_changed"), (wanted,), "the event")


async def acknowledges(test):
    """What its handlers return acknowledges: it is told once, over a cut too."""
    async with await test.screen(["/"], {"ack": True}) as peer:
        test.admin("PUT", f"/api/areas/{test.area['id']}", {})
        await told(peer, "updated", test.area, ["/"], ["eventId"])
        await quiet(peer)
        # What is written later is written once the acknowledgement is.
        test.admin("POST", "/api/areas", {"name": "Elsewhere"})
        test.please("cut")
        same(await peer.heard("/", "disconnect"), ("transport error",), "the reason of a cut")
        test.admin("PUT", f"/api/areas/{test.area['id']}", {"name": "Pantry"})
        test.please("mend")
        await peer.heard("/", "connect")
        # Each try meanwhile failed.
        while "connect_error" in peer.unheard("/"):
            await peer.heard("/", "connect_error")
        await greeted(peer, test.client_id)
        await told(peer, "updated", {**test.area, "name": "Pantry"}, ["/"], ["eventId"])
        await quiet(peer)


async def waits_to_be_paired(test):
    """It shows a code, is approved, and comes back with the token that it is handed; or it is denied."""
    asked = test.anybody("POST", "/api/pairing", {"name": "Tablet"})
    waiting = await test.connected(["/"], {"deviceCode": asked["deviceCode"]})
    client = test.admin("POST", f"/api/pairing/{asked['userCode']}/approve", {"areaIds": [test.area["id"]]})
    (paired,) = await waiting.heard("/", "pairing_completed")
    keys(paired, ["token", "clientId", "assignedAreas"], "pairing_completed")
    same([paired["clientId"], paired["assignedAreas"]], [client["id"], [test.area["id"]]], "pairing_completed")
    await waiting.disconnect()
    async with await test.connected(["/"], {"token": paired["token"]}) as peer:
        await greeted(peer, client["id"])
        await quiet(peer)

    asked = test.anybody("POST", "/api/pairing", {"name": "Tablet"})
    waiting = await test.connected(["/"], {"deviceCode": asked["deviceCode"]})
    test.admin("POST", f"/api/pairing/{asked['userCode']}/deny")
    (refusal,) = await waiting.heard("/", "error")
    keys(refusal, ["error", "code", "timestamp"], "the refusal")
    same(refusal["code"], "ACCESS_DENIED", "the refusal")
    same(await waiting.heard("/", "disconnect"), ("server disconnect",), "the reason")


async def is_put_out_when_it_is_revoked(test):
    """Each namespace is told why, and then to go; nobody comes back with that token."""
    for auth in [{}, {"ack": True}]:
        peer = await test.screen(NAMESPACES, auth)
        test.admin("POST", f"/api/clients/{test.client_id}/revoke")
        for namespace in NAMESPACES:
            (said,) = await peer.heard(namespace, "token_revoked")
            keys(said, ["message", "eventId"] if auth else ["message"], "token_revoked")
            same(said["message"], "Your access has been revoked by admin", "token_revoked")
            same(await peer.heard(namespace, "disconnect"), ("server disconnect",), f"the reason in {namespace}")
        late = test.peer(["/"])
        words = {"message": "token invalid, expired or revoked"}
        same(await steps.refusal(late, {"token": test.screen_token}), words, "the refusal of a revoked token")
        test.pair()


STEPS = [
    hears_of_its_area,
    reads_the_states_of_its_area,
    acknowledges,
    waits_to_be_paired,
    is_put_out_when_it_is_revoked,
]


class Test:
    """What the steps work with: an area and a screen that has it, new for each."""

    def __init__(self, peer_class, given):
        self.peer_class, self.transport = peer_class, given.transport
        self.address, self.direct, self.token = given.address, given.direct, given.token

    async def play(self):
        """Plays every step."""
        for step in STEPS:
            self.area = self.admin("POST", "/api/areas", {"name": "Kitchen", "entityIds": ["light.kitchen"]})
            self.pair()
            try:
                await step(self)
            except Difference as difference:
                raise Difference(f"{step.__name__}: {difference}") from None

    def pair(self):
        """Lets a new screen in, with the area."""
        asked = self.anybody("POST", "/api/pairing", {"name": "Tablet"})
        approve = f"/api/pairing/{asked['userCode']}/approve"
        self.client_id = self.admin("POST", approve, {"areaIds": [self.area["id"]]})["id"]
        paired = self.anybody("POST", "/api/pairing/token", {"deviceCode": asked["deviceCode"]})
        self.screen_token = paired["token"]

    def admin(self, method, path, body=None):
        """What a request of an admin is answered."""
        return self.anybody(method, path, body, {"Authorization": f"Bearer {self.token}"})

    def anybody(self, method, path, body=None, headers=None):
        """What a request of a stranger is answered."""
        headers = {**(headers or {}), "Content-Type": "application/json"}
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"http://{self.direct}{path}", data, headers, method=method)
        with urllib.request.urlopen(request, timeout=steps.WAIT_S) as response:
            text = response.read()
        return json.loads(text) if text else None

    def peer(self, namespaces):
        """A client that is not connected yet."""
        return self.peer_class(f"http://{self.address}", namespaces, steps.TRANSPORTS[self.transport])

    async def connected(self, namespaces, auth):
        """A client in these namespaces."""
        peer = self.peer(namespaces)
        await peer.connect(auth)
        for namespace in namespaces:
            await peer.heard(namespace, "connect")
        same(peer.transport(), "polling" if self.transport == "polling" else "websocket", "the transport")
        return peer

    async def screen(self, namespaces, auth=None):
        """The screen, connected and greeted."""
        peer = await self.connected(namespaces, {"token": self.screen_token, **(auth or {})})
        for namespace in namespaces:
            await greeted(peer, self.client_id, namespace)
        return peer

    def please(self, what):
        """Has whoever started this program do what it names."""
        print(f"please {what}", flush=True)
        same(sys.stdin.readline(), "done\n", f'standard input after "please {what}"')


async def greeted(peer, client_id, namespace="/"):
    """Refuses a client that is greeted as somebody else."""
    (said,) = await peer.heard(namespace, "connected")
    keys(said, ["clientId", "message", "features", "timestamp"], "the greeting")
    at_a_time(said)
    wanted = {"clientId": client_id, "message": "Connected to real-time events", "features": FEATURES}
    same({key: said[key] for key in wanted}, wanted, "the greeting")


async def told(peer, happened, area, namespaces=None, more=()):
    """Takes the event that says what happened to an area, in each namespace."""
    for namespace in namespaces or NAMESPACES:
        name = f"area_{happened}"
        (said,) = await peer.heard(namespace, name)
        keys(said, [*AREA_KEYS, *more], name)
        at_a_time(said)
        wanted = {
            "areaId": area["id"],
            "name": area["name"],
            "entityIds": area["entityIds"],
            "isEnabled": area["isEnabled"],
            "message": f"Area has been {happened} by admin",
        }
        same({key: said[key] for key in wanted}, wanted, name)


def at_a_time(said):
    """Refuses a time that is written in another way."""
    if not MILLISECONDS.fullmatch(said["timestamp"]):
        raise Difference(f"timestamp is {said['timestamp']!r}")


async def quiet(peer):
    """Refuses a client that was told more than it was asked for."""
    for namespace in peer.namespaces:
        await steps.settles(peer, namespace)


def main():
    """Plays the steps; the exit code."""
    parser = argparse.ArgumentParser()
    for name in ["address", "direct", "token"]:
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--with", dest="library", required=True, choices=PEERS)
    parser.add_argument("--transport", required=True, choices=steps.TRANSPORTS)
    given = parser.parse_args()
    faulthandler.dump_traceback_later(steps.LIMIT_S + steps.WAIT_S, exit=True)
    try:
        steps.play(Test(PEERS[given.library], given), given.library)
    except Difference as difference:
        print(difference, file=sys.stderr, flush=True)
        return 1
    except TimeoutError:
        print(f"not finished within {steps.LIMIT_S} s", file=sys.stderr, flush=True)
        return 1
    with_what = f"a paired client of python-socketio with {given.library}"
    print(f"ok: {with_what} over {given.transport} in {len(STEPS)} steps", flush=True)
    return 0


if __name__ == "__main__":
    # Threads that still read do not hold up the end.
    os._exit(main())
