"""What the two Python clients do at /api/ws, without I/O.

`steps()` yields requests and waits for what comes back, so that an asyncio client and a blocking one can run the
same steps: `("ask", text)` wants the reply to it, `("event", None)` wants the next `state_changed` that the
*other* connection receives about this entity. A `Difference` says in one line what is not as documented.
"""

import json
import re
import secrets

ROW_KEYS = ["state_id", "entity_id", "state", "attributes", "last_changed", "last_updated"]
WHOLE_SECONDS = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
ENTITY = f"light.python_{secrets.token_hex(4)}"


class Difference(Exception):
    """Something is not as documented; the text says what."""


def steps():
    """Every operation of the document, its events and its refusals."""
    first = yield from row("states:create", entity_id=ENTITY, state="on", attributes={"brightness": 100})
    yield from event({"state": "on", "attributes": {"brightness": 100}})
    got = yield from row("states:get", shape=first, entity_id=ENTITY)
    same(got, first, "the row read and the row created")

    off = {**first, "state": "off", "attributes": {"brightness": 0}}
    yield from row("states:update", shape=off, state_id=first["state_id"], state="off", attributes={"brightness": 0})
    yield from event({"state": "off", "attributes": {"brightness": 0}})
    # Nothing changes, so nothing is announced: the next event is that of the step after it.
    yield from row("states:update", shape=off, state_id=first["state_id"], state="off")
    on = {**off, "state": "on"}
    yield from row("states:update", shape=on, state_id=first["state_id"], state="on")
    yield from event({"state": "on", "attributes": {"brightness": 0}})

    # A second row: changes to the first one announce the newest state again.
    yield from row("states:create", entity_id=ENTITY, state="Übergang \"2\"", attributes={})
    newest = {"state": "Übergang \"2\"", "attributes": {}}
    yield from event(newest)
    second = yield from row("states:get", shape={"entity_id": ENTITY, **newest}, entity_id=ENTITY)
    yield from row("states:update", shape={**on, "state": "old"}, state_id=first["state_id"], state="old")
    yield from event(newest)
    yield from deleted(first["state_id"])
    yield from event(newest)
    yield from deleted(second["state_id"])
    yield from event(None)

    yield from refused("states:get", entity_id=ENTITY)
    yield from refused("states:update", state_id=first["state_id"], state="on")
    yield from refused("states:update", state_id=first["state_id"])
    yield from refused("states:delete", state_id=first["state_id"])
    yield from refused("states:create", entity_id="no dot", state="on", attributes={})
    yield from refused("states:create", entity_id=ENTITY, attributes={})
    yield from refused("states:create", entity_id=ENTITY, state="on", attributes=[])
    yield from refused("states:create", entity_id=ENTITY, state="x" * 256)
    yield from error('{"type":"states:rename","entity_id":"light.a"}')
    yield from error('{"type":"states:get",')
    yield from error("[]")
    # None of the refusals above said anything to others, nor harmed the connection.
    yield from row("states:create", entity_id=ENTITY, state="last")
    yield from event({"state": "last", "attributes": {}})


def row(operation, shape=None, **fields):
    """Sends an operation and checks the row it answers with against `shape`, by default the fields sent."""
    reply = yield from asked(json.dumps({"type": operation, **fields, "id": 7}))
    same(reply.pop("id", None), 7, f"{operation}: id")
    keys(reply, ["type", "success", "data"], operation)
    same([reply["type"], reply["success"]], [f"{operation}:response", True], operation)
    keys(reply["data"], ROW_KEYS, f"{operation}: data")
    wanted = {"attributes": {}, **(shape or fields)}
    for key in ("state_id", "entity_id", "state", "attributes"):
        if key in wanted:
            same(reply["data"][key], wanted[key], f"{operation}: {key}")
    for key in ("last_changed", "last_updated"):
        if not WHOLE_SECONDS.fullmatch(reply["data"][key]):
            raise Difference(f"{operation}: {key} is {reply['data'][key]!r}")
    return reply["data"]


def deleted(state_id):
    """Deletes a row and checks the reply."""
    reply = yield from asked(json.dumps({"type": "states:delete", "state_id": state_id}))
    wanted = {"type": "states:delete:response", "success": True, "message": f"State {state_id} deleted successfully"}
    keys(reply, list(wanted), "states:delete")
    same(reply, wanted, "states:delete")


def refused(operation, **fields):
    """Sends an operation that must be refused under its own name."""
    yield from error(json.dumps({"type": operation, **fields}), f"{operation}:response")


def error(text, kind="error"):
    """Sends a text that must be answered with an error of this type."""
    reply = yield from asked(text)
    keys(reply, ["type", "success", "error"], text)
    same([reply["type"], reply["success"]], [kind, False], text)
    if not isinstance(reply["error"], str) or not reply["error"]:
        raise Difference(f"{text}: error is {reply['error']!r}")


def asked(text):
    """The reply to a text."""
    reply = yield "ask", text
    return reply


def event(new_state):
    """Takes the next event of the other connection and checks it."""
    frame = yield "event", None
    keys(frame, ["type", "data"], "event")
    same(frame["type"], "state_changed", "event")
    keys(frame["data"], ["entity_id", "new_state"], "event")
    if new_state is not None:
        keys(frame["data"]["new_state"], ["state", "attributes"], "event")
    same(frame["data"]["new_state"], new_state, "event")


def is_event(frame):
    """Whether a frame is an event rather than a reply."""
    return frame.get("type") == "state_changed"


def is_ours(frame):
    """Whether a frame is an event about the entity of these steps."""
    return is_event(frame) and frame["data"]["entity_id"] == ENTITY


def keys(value, wanted, what):
    """Refuses anything but an object with exactly these keys in this order."""
    if not isinstance(value, dict) or list(value) != wanted:
        raise Difference(f"{what}: expected the keys {wanted}, got {value!r}")


def same(actual, wanted, what):
    """Refuses anything but an equal value."""
    if actual != wanted:
        raise Difference(f"{what}: expected {wanted!r}, got {actual!r}")
