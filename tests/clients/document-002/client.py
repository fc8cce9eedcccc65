import websocket
import json

def on_message(ws, message):
    data = json.loads(message)
    print(f"Received: {data}")

def on_error(ws, error):
    print(f"Error: {error}")

def on_close(ws, close_status_code, close_msg):
    print("Connection closed")

def on_open(ws):
    print("Connection opened")
    # Send test data
    ws.send(json.dumps({
        "type": "sensor_data",
        "sensor_id": 1,
        "value": 25.5
    }))

ws = websocket.WebSocketApp("ws://127.0.0.1:8000/ws/sensor-data/",
                          on_open=on_open,
                          on_message=on_message,
                          on_error=on_error,
                          on_close=on_close)

ws.run_forever()
