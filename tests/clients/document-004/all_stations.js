const ws = new WebSocket('ws://localhost:8000/ws/stations/');

ws.onopen = () => {
    console.log('Connected to all stations');
};

ws.onmessage = (event) => {
    const data = JSON.parse(event.data);
    console.log('Update received:', data);
};
