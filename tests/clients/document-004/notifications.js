const ws = new WebSocket('ws://localhost:8000/ws/notifications/');
