"""What a program with python-socketio does at a server: every step of the table at the end, in its order.

The steps wait for whatever a `Peer` waits for. That of `python_asyncio.py` runs on an event loop; that of
`python_sync.py` blocks, so that its steps never give way.

    python python_sync.py --transport polling|websocket|upgrade --address HOST:PORT --conformance HOST:PORT
        --token ADMIN --reader TOKEN

`--address` leads to a server with states through a proxy, `--conformance` to `bellwire conformance-server`. It
prints `please cut`, `please mend` and `please revoke` and goes on at the line `done`: the proxy drops its connections
and takes no new ones, takes them again, the token `--reader` is revoked. It exits 0, or with one line that says what
differs.
"""

import argparse
import asyncio
import re
import sys

TRANSPORTS = {"polling": ["polling"], "websocket": ["websocket"], "upgrade": ["polling", "websocket"]}

# What the whole may take, and each thing that is waited for.
LIMIT_S = 60
WAIT_S = 20

# Clients come back at once: nothing is waited for that could be there now.
EAGER = {
    "reconnection_delay": 0.02,
    "reconnection_delay_max": 0.1,
    "randomization_factor": 0,
    "handle_sigint": False,
}

ROW_KEYS = ["state_id", "entity_id", "state", "attributes", "last_changed", "last_updated"]
WHOLE_SECONDS = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")

# Requests of the burst that a client sends as soon as it is connected. The library takes at most 16 packets from one
# answer to a poll.
BURST = 12

# What is sent to and fro: rows of arguments.
ARGUMENTS = [
    (),
    (1, "2", None, {"three": [True, "vier", -5.5]}),
    ('a "text"\u2028 with 💡', ""),
    (b"\x01\x02\x03",),
    ({"first": b"\x00\xff", "list": ["x", [b""]]}, "then", bytes([7]) * 10_000),
]


class Difference(Exception):
    """Something is not as documented; the text says what."""


async def refused_without_a_good_token(test):
    """Nobody is let in without a token or with a bad one, and each is told why."""
    rows = [(None, "authentication required"), ({"token": "x.y.z"}, "token invalid, expired or revoked")]
    for auth, words in rows:
        for namespace in ["/", "/states"]:
            peer = test.peer(test.address, [namespace])
            same(await refusal(peer, auth), {"message": words}, f"the refusal in {namespace} of {auth}")


async def a_burst_right_after_connecting(test):
    """Many requests at once are all answered."""
    async with await test.connected(["/"]) as peer:
        asked = [await peer.ask("states:get", {"entity_id": f"light.nobody_{n}"}) for n in range(BURST)]
        for number, one in enumerate(asked):
            answer = await peer.answer(one)
            same(answer, ({"success": False, "error": f"State not found: light.nobody_{number}"},), "an answer")


async def acknowledged_and_heard_by_another(test):
    """A writer is acknowledged, a listener hears."""
    async with await test.connected(["/"]) as writer, await test.connected(["/states"]) as listener:
        on = {"entity_id": test.entity, "state": "on", "attributes": {"brightness": 100, "name": 'Küche "2" 💡'}}
        created = succeeds(await writer.call("states:create", on), on, "states:create")
        await hears(listener, "/states", on)
        got = succeeds(await writer.call("states:get", {"entity_id": test.entity}), on, "states:get")
        same(got, created, "the row read and the row created")
        state_id = created["state_id"]
        off = {"entity_id": test.entity, "state": "off", "attributes": {}}
        update = {"state_id": state_id, "state": "off", "attributes": {}}
        succeeds(await writer.call("states:update", update), off, "states:update")
        await hears(listener, "/states", off)
        deleted = {"success": True, "message": f"State {state_id} deleted successfully"}
        same(await writer.call("states:delete", {"state_id": state_id}), (deleted,), "states:delete")
        same(
            await listener.heard("/states", "state_changed"),
            ({"entity_id": test.entity, "new_state": None},),
            "the last event",
        )
        await settles(listener, "/states")


async def refusals_are_acknowledged(test):
    """A refused request is answered too, and the connection stays."""
    async with await test.connected(["/"]) as peer:
        for event, *args in [
            ("states:get", {"entity_id": test.entity}),
            ("states:update", {"state_id": 1_000_000, "state": "on"}),
            ("states:delete", {"state_id": 1_000_000}),
            ("states:create", {"entity_id": "no dot", "state": "on"}),
            ("states:create", {"entity_id": test.entity}),
            ("nobody_knows_this", "a text", 1),
        ]:
            refuses(await peer.call(event, *args), event)
        await settles(peer, "/")


async def answered_by_an_event(test):
    """Who asks for no acknowledgement hears the answer as an event."""
    async with await test.connected(["/states"]) as peer:
        on = {"entity_id": test.entity, "state": "on", "attributes": {}}
        succeeds(await peer.call("states:create", on, namespace="/states"), on, "states:create")
        await hears(peer, "/states", on)
        await peer.emit("states:get", {"entity_id": test.entity}, namespace="/states")
        succeeds(await peer.heard("/states", "states:get:response"), on, "the answer by an event")
        await peer.emit("states:get", {"entity_id": "light.nobody_has_it"}, namespace="/states")
        refuses(await peer.heard("/states", "states:get:response"), "the refusal by an event")
        await peer.emit("nobody_knows_this", namespace="/states")
        await settles(peer, "/states")


async def two_namespaces_on_one_connection(test):
    """`/` hears states from its first request about them on, `/states` at once."""
    async with await test.connected(["/", "/states"]) as peer, await test.connected(["/states"]) as writer:
        rows = [{"entity_id": test.entity, "state": state, "attributes": {}} for state in ["1", "2"]]
        succeeds(await writer.call("states:create", rows[0], namespace="/states"), rows[0], "states:create")
        await hears(peer, "/states", rows[0])
        await settles(peer, "/")
        succeeds(await writer.call("states:create", rows[1], namespace="/states"), rows[1], "states:create")
        for namespace in ["/states", "/"]:
            await hears(peer, namespace, rows[1])
            await settles(peer, namespace)


async def no_such_namespace(test):
    """An unknown namespace is refused."""
    peer = test.peer(test.address, ["/nobody"])
    same(await refusal(peer, test.auth), {"message": "Invalid namespace"}, "the refusal of /nobody")


async def back_after_a_cut(test):
    """A client whose connection is cut comes back by itself and goes on."""
    async with await test.connected(["/states"]) as peer:
        test.please("cut")
        same(await peer.heard("/states", "disconnect"), ("transport error",), "the reason of a cut")
        test.please("mend")
        await peer.heard("/states", "connect")
        on = {"entity_id": test.entity, "state": "back", "attributes": {}}
        succeeds(await peer.call("states:create", on, namespace="/states"), on, "states:create")
        await hears(peer, "/states", on)
        test.on_its_transport(peer)


async def leaves_by_itself(test):
    """A client leaves, and another one comes."""
    peer = await test.connected(["/"])
    await peer.disconnect()
    same(await peer.heard("/", "disconnect"), ("client disconnect",), "the reason")
    async with await test.connected(["/"]) as peer:
        await settles(peer, "/")


async def arguments_of_all_kinds_both_ways(test):
    """Texts, numbers, nothing, and bytes at any depth come back as they were sent."""
    auth = {"token": "123", "nested": {"text": "ä", "list": [1, None, True]}}
    async with await test.connected(["/", "/custom"], test.conformance, auth) as peer:
        for namespace in ["/", "/custom"]:
            same(await peer.heard(namespace, "auth"), (auth,), f"the handshake's auth in {namespace}")
        for args in ARGUMENTS:
            await peer.emit("message", *args)
            same(await peer.heard("/", "message-back"), args, "message-back")
            same(await peer.call("message-with-ack", *args), args, "the acknowledgement of message-with-ack")
    nobody = test.peer(test.conformance, ["/random"])
    same(await refusal(nobody, {}), {"message": "Invalid namespace"}, "the refusal of /random")


async def the_server_asks_for_acknowledgements(test):
    """The server's own requests are acknowledged with what a handler returns, bytes too."""
    async with await test.connected(["/"], test.conformance, {}) as peer:
        for number, args in enumerate(ARGUMENTS):
            peer.acknowledgement = args
            await peer.emit("emit-with-ack", "a question", {"number": number})
            same(await peer.heard("/", "emit-with-ack"), ("a question", {"number": number}), "what the server asks")
            same(await peer.heard("/", "acked"), args, "what it was acknowledged with")


async def put_out_when_the_token_is_revoked(test):
    """Every namespace is told to go, and nobody comes back with that token."""
    peer = await test.connected(["/", "/states"], auth={"token": test.reader})
    test.please("revoke")
    for namespace in ["/", "/states"]:
        (told,) = await peer.heard(namespace, "error")
        same(told["error"], "token revoked", f"what is told in {namespace}")
        same(await peer.heard(namespace, "disconnect"), ("server disconnect",), f"the reason in {namespace}")
    late = test.peer(test.address, ["/"])
    words = {"message": "token invalid, expired or revoked"}
    same(await refusal(late, {"token": test.reader}), words, "the refusal of a revoked token")


STEPS = [
    refused_without_a_good_token,
    a_burst_right_after_connecting,
    acknowledged_and_heard_by_another,
    refusals_are_acknowledged,
    answered_by_an_event,
    two_namespaces_on_one_connection,
    no_such_namespace,
    back_after_a_cut,
    leaves_by_itself,
    arguments_of_all_kinds_both_ways,
    the_server_asks_for_acknowledgements,
    put_out_when_the_token_is_revoked,
]


class Test:
    """What the steps work with."""

    def __init__(self, peer_class, given):
        self.peer_class = peer_class
        self.transport = given.transport
        self.address, self.conformance = given.address, given.conformance
        self.reader, self.auth = given.reader, {"token": given.token}
        self.entity = ""

    async def play(self):
        """Plays every step."""
        for number, step in enumerate(STEPS):
            self.entity = f"light.step_{number}"
            try:
                await step(self)
            except Difference as difference:
                raise Difference(f"{step.__name__}: {difference}") from None

    def peer(self, address, namespaces):
        """A client that is not connected yet."""
        return self.peer_class(f"http://{address}", namespaces, TRANSPORTS[self.transport])

    async def connected(self, namespaces, address=None, auth=None):
        """A client in these namespaces, on the transport that it was told to use."""
        peer = self.peer(address or self.address, namespaces)
        await peer.connect(self.auth if auth is None else auth)
        for namespace in namespaces:
            await peer.heard(namespace, "connect")
        self.on_its_transport(peer)
        return peer

    def on_its_transport(self, peer):
        """Refuses a client on another transport."""
        same(peer.transport(), "polling" if self.transport == "polling" else "websocket", "the transport")

    def please(self, what):
        """Has whoever started this program do what it names."""
        print(f"please {what}", flush=True)
        same(sys.stdin.readline(), "done\n", f'standard input after "please {what}"')


def play(test, library):
    """Plays every step of a test with a library: `threads` or `asyncio`."""
    if library == "asyncio":
        return asyncio.run(asyncio.wait_for(test.play(), LIMIT_S))
    # The library hands each packet to a thread of its own. A thread that is not interrupted is done with an event's
    # text before the next one gets the bytes that belong to it.
    sys.setswitchinterval(LIMIT_S)
    playing = test.play()
    try:
        playing.send(None)
    except StopIteration:
        return None
    raise AssertionError("a step gave way")


async def refusal(peer, auth):
    """What a client is told that is not let in."""
    await peer.connect(auth)
    (said,) = await peer.heard(peer.namespaces[0], "connect_error")
    await peer.disconnect()
    return said


async def hears(peer, namespace, row):
    """Takes the next announcement in a namespace, which must be that of a row."""
    wanted = {"entity_id": row["entity_id"], "new_state": {"state": row["state"], "attributes": row["attributes"]}}
    same(await peer.heard(namespace, "state_changed"), (wanted,), f"the event in {namespace}")


async def settles(peer, namespace):
    """Refuses a client that was told more than it was asked for when everything so far has arrived."""
    await peer.call("states:get", {"entity_id": "sensor.that_nobody_has"}, namespace=namespace)
    same(peer.unheard(namespace), [], f"what else happened in {namespace}")


def succeeds(answer, wanted, what):
    """The row in an answer, which must be a success with such a row."""
    same(len(answer), 1, f"{what}: arguments")
    (reply,) = answer
    keys(reply, ["success", "data"], what)
    same(reply["success"], True, what)
    keys(reply["data"], ROW_KEYS, what)
    same({key: reply["data"][key] for key in wanted}, wanted, what)
    for key in ["last_changed", "last_updated"]:
        if not WHOLE_SECONDS.fullmatch(reply["data"][key]):
            raise Difference(f"{what}: {key} is {reply['data'][key]!r}")
    return reply["data"]


def refuses(answer, what):
    """Refuses an answer that is no refusal."""
    same(len(answer), 1, f"{what}: arguments")
    # What means nothing is refused on `/` as chat says it.
    if what == "nobody_knows_this":
        return keys(answer[0], ["error", "code", "timestamp"], what)
    keys(answer[0], ["success", "error"], what)
    same([answer[0]["success"], type(answer[0]["error"])], [False, str], what)


def keys(value, wanted, what):
    """Refuses anything but an object with exactly these keys in this order."""
    if not isinstance(value, dict) or list(value) != wanted:
        raise Difference(f"{what}: expected the keys {wanted}, got {value!r}")


def same(actual, wanted, what):
    """Refuses anything but an equal value."""
    if actual != wanted:
        raise Difference(f"{what}: expected {wanted!r}, got {actual!r}")


def arguments():
    """What the program was started with."""
    parser = argparse.ArgumentParser()
    for name in ["address", "conformance", "token", "reader"]:
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--transport", required=True, choices=TRANSPORTS)
    return parser.parse_args()
