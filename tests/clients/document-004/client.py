import asyncio
import websockets
import json

async def test_websocket():
    uri = "ws://localhost:8000/ws/stations/"
    
    async with websockets.connect(uri) as websocket:
        # Receive connection message
        message = await websocket.recv()
        print(f"Received: {message}")
        
        # Send ping
        await websocket.send(json.dumps({
            'type': 'ping',
            'timestamp': '2024-02-27T10:30:00'
        }))
        
        # Receive pong
        response = await websocket.recv()
        print(f"Response: {response}")
        
        # Listen for updates
        while True:
            message = await websocket.recv()
            data = json.loads(message)
            print(f"Update: {data}")

asyncio.run(test_websocket())
