"""The client library `websockets` (asyncio) at /api/ws.

    python python_websockets.py --address HOST:PORT [--token T] [--secure]

With `--secure` it is over TLS, and trusts the certificates that SSL_CERT_FILE names.

Exits 0, or with one line that says what differs.
"""

import argparse
import asyncio
import json
import sys

from websockets.asyncio.client import connect
from websockets.exceptions import WebSocketException

import states_steps

LIMIT_S = 30
HELLO = json.dumps({"type": "states:get", "entity_id": "light.nobody_has_it"})


async def main(address, token, scheme):
    """Runs the steps: one connection asks, the other one listens."""
    options = {
        "uri": f"{scheme}://{address}/api/ws",
        "additional_headers": {"Authorization": f"Bearer {token}"} if token else {},
        "proxy": None,
    }
    async with connect(**options) as asking, connect(**options) as listening:
        await listening.send(HELLO)
        await matching(listening, lambda frame: not states_steps.is_event(frame))
        steps = states_steps.steps()
        want, text = next(steps)
        try:
            while True:
                if want == "ask":
                    await asking.send(text)
                    frame = await matching(asking, lambda frame: not states_steps.is_event(frame))
                else:
                    frame = await matching(listening, states_steps.is_ours)
                want, text = steps.send(frame)
        except StopIteration:
            pass


async def matching(connection, wanted):
    """The next frame that is wanted; others are passed over."""
    while True:
        frame = json.loads(await connection.recv())
        if wanted(frame):
            return frame


if __name__ == "__main__":
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--address", required=True)
    arguments.add_argument("--token")
    arguments.add_argument("--secure", action="store_const", dest="scheme", const="wss", default="ws")
    given = arguments.parse_args()
    try:
        asyncio.run(asyncio.wait_for(main(given.address, given.token, given.scheme), LIMIT_S))
    except states_steps.Difference as difference:
        sys.exit(str(difference))
    except TimeoutError:
        sys.exit(f"not finished within {LIMIT_S} s")
    except (OSError, WebSocketException) as error:
        sys.exit(f"connection: {error}")
    print("ok: every reply and event as documented")
