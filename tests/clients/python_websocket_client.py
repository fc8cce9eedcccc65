"""The client library `websocket-client` (blocking) at /api/ws.

    python python_websocket_client.py --address HOST:PORT [--token T]

Exits 0, or with one line that says what differs.
"""

import argparse
import json
import sys
import time

import websocket

import states_steps

LIMIT_S = 30
HELLO = json.dumps({"type": "states:get", "entity_id": "light.nobody_has_it"})


def main(address, token):
    """Runs the steps: one connection asks, the other one listens."""
    deadline = time.monotonic() + LIMIT_S
    header = [f"Authorization: Bearer {token}"] if token else []
    asking, listening = (
        websocket.create_connection(f"ws://{address}/api/ws", timeout=LIMIT_S, header=header) for _ in range(2)
    )
    listening.send(HELLO)
    matching(listening, lambda frame: not states_steps.is_event(frame), deadline)
    steps = states_steps.steps()
    want, text = next(steps)
    try:
        while True:
            if want == "ask":
                asking.send(text)
                frame = matching(asking, lambda frame: not states_steps.is_event(frame), deadline)
            else:
                frame = matching(listening, states_steps.is_ours, deadline)
            want, text = steps.send(frame)
    except StopIteration:
        pass
    asking.close()
    listening.close()


def matching(connection, wanted, deadline):
    """The next frame that is wanted, until the deadline; others are passed over."""
    while True:
        connection.settimeout(max(deadline - time.monotonic(), 0.001))
        frame = json.loads(connection.recv())
        if wanted(frame):
            return frame


if __name__ == "__main__":
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--address", required=True)
    arguments.add_argument("--token")
    given = arguments.parse_args()
    try:
        main(given.address, given.token)
    except states_steps.Difference as difference:
        sys.exit(str(difference))
    except websocket.WebSocketTimeoutException:
        sys.exit(f"not finished within {LIMIT_S} s")
    except (OSError, websocket.WebSocketException) as error:
        sys.exit(f"connection: {error}")
    print("ok: every reply and event as documented")
