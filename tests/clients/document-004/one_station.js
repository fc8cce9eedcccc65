const stationId = 1;
const ws = new WebSocket(`ws://localhost:8000/ws/stations/${stationId}/`);
