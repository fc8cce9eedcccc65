socket.on('error', (error) => {
  console.error('Socket error:', error);
});

socket.on('connect_error', (error) => {
  console.error('Connection error:', error);
  // Implement reconnection logic
});

socket.on('disconnect', (reason) => {
  if (reason === 'io server disconnect') {
    // Server forcefully disconnected, manual reconnect needed
    socket.connect();
  }
  // else socket will automatically try to reconnect
});
