ws.onerror = (error) => {
    console.error('WebSocket error:', error);
    // Implement reconnection logic
};

ws.onclose = (event) => {
    if (event.code !== 1000) {
        // Abnormal closure, attempt reconnection
        setTimeout(() => {
            // Reconnect logic
        }, 5000);
    }
};
