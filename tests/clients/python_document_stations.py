"""The Python client of document 004, "WebSocket API Documentation", with `websockets`, as it stands in
document-004/client.py: only the port is replaced. It listens until it is ended from outside.

    python python_document_stations.py --address HOST:PORT --token ADMIN [--demo]

`--demo`: the server is one. Exits 0, or with one line that says what differs.
"""

import argparse
import ast
import json
import os
import pathlib
import signal
import subprocess
import sys
import threading

import stations_cast as stations
from stations_cast import Difference, Town

DOCUMENT = pathlib.Path(__file__).parent / "document-004" / "client.py"
PONG = {"type": "pong", "timestamp": "2024-02-27T10:30:00"}


def main(given):
    """Runs the client, and books batteries meanwhile."""
    town = Town(given.address, given.token, given.demo)
    source = DOCUMENT.read_text()
    if stations.HOST_IN_DOCUMENT not in source:
        raise Difference("document-004/client.py: the address to replace is not in it")
    source = source.replace(stations.HOST_IN_DOCUMENT, stations.localhost(given.address))
    # Whoever runs this may have a proxy for other addresses.
    environment = {**os.environ, "NO_PROXY": "localhost", "no_proxy": "localhost"}
    client = subprocess.Popen([sys.executable, "-u", "-c", source], stdout=subprocess.PIPE, text=True, env=environment,
                              stderr=subprocess.PIPE)
    # Ends the reading of its lines, if it prints too few.
    deadline = threading.Timer(stations.LIMIT_S, client.kill)
    deadline.start()
    try:
        listens(client.stdout, town)
        client.send_signal(signal.SIGINT)
        complaint = client.stderr.read()
        if client.stdout.read() or "KeyboardInterrupt" not in complaint:
            raise Difference(f"it printed more, or ended by another thing than Ctrl-C: {complaint[-300:]!r}")
    finally:
        deadline.cancel()
        client.kill()
        client.wait()


def listens(lines, town):
    """What the client prints, line by line."""
    stations.frame_told(json.loads(printed(lines, "Received")), stations.greeting("all_stations"), "what it receives")
    pong = json.loads(printed(lines, "Response"))
    if json.dumps(pong) != json.dumps(PONG):
        raise Difference(f"what its ping is answered: {pong!r}")
    booking = town.books(5)
    for wanted in stations.booked(5, 14, 4):
        stations.frame_told(ast.literal_eval(printed(lines, "Update")), wanted, "what it prints of a booking")
    town.readies(booking)
    town.collects(booking)
    for wanted in stations.collected(5, 14, 3):
        stations.frame_told(ast.literal_eval(printed(lines, "Update")), wanted, "what it prints of what was collected")


def printed(lines, kind):
    """What the client prints next, which is of this kind."""
    line = lines.readline()
    begin, _, text = line.rstrip("\n").partition(": ")
    if begin != kind:
        raise Difference(f"expected a line that begins with {kind!r}, got {line!r}")
    return text


if __name__ == "__main__":
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--address", required=True)
    arguments.add_argument("--token", required=True)
    arguments.add_argument("--demo", action="store_true")
    try:
        main(arguments.parse_args())
    except Difference as difference:
        sys.exit(str(difference))
    except OSError as error:
        sys.exit(f"connection: {error}")
    print("ok: the document's own client in Python is told what happens at stations")
