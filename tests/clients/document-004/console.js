// Connect to all stations
const ws = new WebSocket('ws://localhost:8000/ws/stations/');

ws.onopen = () => console.log('Connected');
ws.onmessage = (e) => console.log('Message:', JSON.parse(e.data));
ws.onerror = (e) => console.error('Error:', e);
ws.onclose = () => console.log('Disconnected');

// Send ping
ws.send(JSON.stringify({ type: 'ping', timestamp: new Date().toISOString() }));
