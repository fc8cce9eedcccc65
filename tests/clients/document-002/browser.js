const socket = new WebSocket('ws://127.0.0.1:8000/ws/sensor-data/');

socket.onopen = function(event) {
    console.log('WebSocket connected');
};

socket.onmessage = function(event) {
    const data = JSON.parse(event.data);
    console.log('Received:', data);
};

socket.onclose = function(event) {
    console.log('WebSocket disconnected');
};

// Send sensor data
socket.send(JSON.stringify({
    type: 'sensor_data',
    sensor_id: 1,
    value: 25.5
}));
