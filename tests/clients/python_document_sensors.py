"""The sample client of document 002, "WebSocket Documentation", with `websocket-client`, as it stands in
document-002/client.py: only the address is replaced.

    python python_document_sensors.py --address HOST:PORT [--token ADMIN]

Without a token it is a demo, which has the document's sensor. Exits 0, or with one line that says what differs.
"""

import argparse
import ast
import json
import pathlib
import subprocess
import sys
import threading
import urllib.parse

import requests
import websocket

LIMIT_S = 30
ADDRESS_IN_DOCUMENT = "ws://127.0.0.1:8000/ws/sensor-data/"
DOCUMENT = pathlib.Path(__file__).parent / "document-002" / "client.py"
KEYS = ["type", "sensor_id", "sensor_type", "device_id", "device_name", "value", "unit", "timestamp"]
DEVICE = {"name": "Hydroponic System 1"}
SENSOR = {"device_id": 1, "sensor_type": "temperature", "unit": "celsius"}
# A reading of a sensor that nobody has is refused in the order of all readings: what comes later is heard.
NOBODY = json.dumps({"type": "sensor_data", "sensor_id": 9_007_199_254_740_991, "value": 0})


class Difference(Exception):
    """Something is not as documented; the text says what."""


def main(address, token):
    """Runs the client, and one that listens; then looks whether the reading was stored."""
    source = DOCUMENT.read_text()
    if ADDRESS_IN_DOCUMENT not in source:
        raise Difference("document-002/client.py: the address to replace is not in it")
    session = requests.Session()
    session.trust_env = False
    if token:
        session.headers["Authorization"] = f"Bearer {token}"
        for path, made in [("devices", DEVICE), ("sensors", SENSOR)]:
            answer = session.post(f"http://{address}/api/{path}", json=made, timeout=LIMIT_S)
            same([answer.status_code, answer.json().get("id")], [201, 1], f"POST /api/{path}")
    query = f"?token={urllib.parse.quote(token)}" if token else ""
    target = f"ws://{address}/ws/sensor-data/{query}"

    listening = websocket.create_connection(target, timeout=LIMIT_S)
    listening.send(NOBODY)
    matching(listening, lambda frame: frame["type"] == "error")

    command = [sys.executable, "-u", "-c", source.replace(ADDRESS_IN_DOCUMENT, target)]
    client = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    # Ends the reading of its lines, if it prints too few.
    deadline = threading.Timer(LIMIT_S, client.kill)
    deadline.start()
    try:
        same(client.stdout.readline(), "Connection opened\n", "the first line")
        received = printed(client.stdout)
    finally:
        deadline.cancel()
        client.kill()
        client.wait()
    same(list(received), KEYS, "the keys of what was received")
    same(
        {key: received[key] for key in KEYS[:-1]},
        {"type": "sensor_data_update", "sensor_id": 1, **SENSOR, **{"device_name": DEVICE["name"], "value": 25.5}},
        "what was received",
    )

    heard = matching(listening, lambda frame: frame == received)
    same(list(heard), KEYS, "the keys of what another client heard")
    listening.close()
    stored = session.get(f"http://{address}/api/sensors/1/readings?limit=100", timeout=LIMIT_S).json()["items"]
    if [25.5, received["timestamp"]] not in [[item["value"], item["timestamp"]] for item in stored]:
        raise Difference(f"the reading was not stored: {stored!r}")


def printed(lines):
    """What the client printed of its own reading, among those of others."""
    for line in lines:
        kind, _, text = line.partition(": ")
        same(kind, "Received", f"how the line {line!r} begins")
        frame = ast.literal_eval(text)
        if frame.get("sensor_id") == 1 and frame.get("value") == 25.5:
            return frame
    raise Difference("the client printed nothing of its own reading")


def matching(connection, wanted):
    """The next frame that is wanted; others are passed over."""
    while True:
        frame = json.loads(connection.recv())
        if wanted(frame):
            return frame


def same(actual, wanted, what):
    """Refuses anything but an equal value."""
    if actual != wanted:
        raise Difference(f"{what}: expected {wanted!r}, got {actual!r}")


if __name__ == "__main__":
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--address", required=True)
    arguments.add_argument("--token")
    given = arguments.parse_args()
    try:
        main(given.address, given.token)
    except Difference as difference:
        sys.exit(str(difference))
    except websocket.WebSocketTimeoutException:
        sys.exit(f"not finished within {LIMIT_S} s")
    except (OSError, websocket.WebSocketException) as error:
        sys.exit(f"connection: {error}")
    print("ok: the document's own client in Python sent a reading, and received it")
